"""What an import would make of orders, and what people see of mappings: tables and words, with nothing read from a broker."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.mappings import importing
from app.mappings import whatif as reading
from app.mappings.whatif import Seen
from schemas.records import OrderLine, OrderSnapshot
from tables.mappings.book import Entry, place
from tables.mappings.kinds import MappingRecord, Shipping, Sku
from tables.mappings.log import Log
from tests.support.files import shop


def order(number: str, sku: str, method: str = "express") -> OrderSnapshot:
    line = OrderLine(line_id="1", sku=sku, quantity=1, tracked=True, taken_from=5, taken_to=5)
    return OrderSnapshot(
        channel="bc-us", order_id=number, number=number, version=1, state="OPEN", status="", paid=True, created_at=5, modified_at=5, lines=[line],
        collected=True,
        shipping_method=method,
    )  # fmt: skip


ORDERS = [order("1", "SKU-123"), order("2", "NEW"), order("3", "SKU-123", "drone"), order("4", "SKU-123")]
BEFORE: list[MappingRecord] = [Shipping(method="express", carrier="DPD", service="NEXT")]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entries = {place(one): Entry(one, 3, "ada", "spring", 1_700_000_000_000) for one in BEFORE}
    monkeypatch.setattr(importing, "imported", lambda _: Log(dict(entries), 3, 3))
    seen = Seen({f"bc-us:{one.number}": one for one in ORDERS}, {"bc-us:4"}, 12)
    monkeypatch.setattr(reading, "last_orders", lambda *_: seen)
    return shop(tmp_path)


def run(config: Path, *words: str, file: str = "") -> Any:
    path = config.parent / "given.yaml"
    path.write_text(file, encoding="utf-8")
    done = CliRunner().invoke(cli, ["mappings", *words, *([str(path)] if file else []), "--config", str(config)])
    assert done.exception is None, (done.exception, done.output)
    return json.loads(done.output) if "--json" in words else done.output


FILE = """
sku: [{channel: bc-us, sku: NEW, product: "000123", unit: case}]
shipping:
  - {method: drone, carrier: DPD, service: AIR}
  - {channel: bc-us, method: express, carrier: UPS, service: EXP}
"""


def test_orders_that_would_become_something_else_are_shown_with_what(config: Path) -> None:
    found = run(config, "what-if", "--json", file=FILE)
    told = {one["order"]: (one["what"], one["at_warehouse"]) for one in found["orders"]}
    carrier = ["carrier DPD → UPS", "service NEXT → EXP"]
    assert told == {
        "bc-us:1": (carrier, False),
        "bc-us:2": (["held (unmapped_sku) → releasing", "lines 12 x 000123"], False),
        "bc-us:3": (["held (unmapped_shipping_method) → releasing", "lines 12 x 000123"], False),
        "bc-us:4": (carrier, True),
    }
    assert "no listing for SKU NEW" in found["orders"][1]["now"]["holds"]["unmapped_sku"]
    shown = run(config, "what-if", file=FILE)
    assert "4 of 4 orders of the last 12 events would become something else, 3 of them not at the" in shown
    assert "at the warehouse already" in shown


def test_taking_a_mapping_out_would_hold_orders_again(config: Path) -> None:
    found = run(
        config, "what-if", "--json", file="shipping: [{method: other, carrier: A}, {method: express, remove: true}]"
    )
    assert found["orders"][0]["what"] == ["releasing → held (unmapped_shipping_method)"]


def test_people_see_where_a_mapping_comes_from(config: Path) -> None:
    shown = run(config, "list")
    assert (
        "import 3, ada, 2023-11-14" in shown and "spring" in shown and "configuration" in shown and "version 3" in shown
    )
    assert run(config, "list", "--kind", "bundle", "--json")["mappings"][0]["components"] == {"000123": 2}
    assert "000123" not in run(config, "list", "--channel", "elsewhere")


def test_changes_are_shown_before_they_are_made(config: Path) -> None:
    shown = run(config, "check", file=FILE)
    assert "3 new" in shown and "carrier UPS; service EXP" in shown
    assert "nothing differs" in run(config, "check", file="shipping: [{method: express, carrier: DPD, service: NEXT}]")
    assert "what the configuration says" in run(config, "check", file="shipping: [{method: express, remove: true}]")


def test_an_export_is_printed_or_written_in_the_files_format(config: Path) -> None:
    assert run(config, "export") == "shipping:\n- {method: express, carrier: DPD, service: NEXT}\n"
    path = config.parent / "out.csv"
    assert "1 mappings, version 3" in run(config, "export", "--output", str(path))
    assert path.read_text() == "kind,method,carrier,service\nshipping,express,DPD,NEXT\n"
    everything = run(config, "export", "--all", "--format", "csv")
    assert "sku,bc-us,SKU-123,000123,case" in everything and "bucket" in everything


def test_a_record_that_is_left_out_already_does_not_stop_others(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Sku(channel="gone", sku="1", product="000123")
    monkeypatch.setattr(importing, "imported", lambda _: Log({place(old): Entry(old, 2)}, 2, 2))
    assert "1 new" in run(config, "check", file="shipping: [{method: drone, carrier: DPD}]")
    assert run(config, "list", "--json")["left_out"][0]["reason"].startswith("there is no channel 'gone'")
