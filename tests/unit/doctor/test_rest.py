"""The configuration, the listings' guarantees and the open exceptions, as lines of the table; and the table itself."""

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from app.doctor import configuration, exceptions, guarantees
from app.doctor.checks import Report, Result
from app.doctor.show import show
from schemas.records import ExceptionState
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tests.support.files import SHOP, shop


def test_a_peer_without_credentials_is_not_asked_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    path = shop(tmp_path, SHOP.replace("access_token: bc-secret, ", ""))
    found = configuration.look(path, {})
    assert found.settings is not None
    assert list(found.lacking) == ["bc-us"]
    assert [(r.check, r.state) for r in found.results if r.state == "fail"] == [("credentials", "fail")]


def test_a_wrong_file_is_a_line_for_each_fault_and_nothing_else_can_be_looked_at(tmp_path: Path) -> None:
    found = configuration.look(shop(tmp_path, SHOP.replace("buffer: 1", "buffr: 1, share: 2")), {})
    assert found.settings is None
    assert len(found.results) == 2
    assert all(result.state == "fail" for result in found.results)
    assert "did you mean buffer?" in found.results[0].detail + found.results[1].detail


def catalogue(*policies: PolicyRule) -> Catalogue:
    products = [
        Product(
            sku,
            listings=(Listing("ct", sku, sku), Listing("bc", sku, sku))
            if sku != "CARD"
            else (Listing("ct", sku, sku),),
        )
        for sku in ("MUG", "CARD", "PEN")
    ]
    return Catalogue([*products, Product("SPARE")], policies, ["MAIN"])


HALF = PolicyRule("*", "PEN", {"share": Decimal("0.5")})


@pytest.mark.parametrize(
    ("mode", "weak", "text", "why"),
    [
        (Mode.SHARED, {}, "5: 4 shared by policy, 1 alone on their stock", ""),
        (Mode.ESCROW, {}, "5: 2 with escrow, 1 alone on their stock, 2 without guarantee", "PEN: share must be 1"),
        (
            Mode.AUTO,
            {},
            "5: 2 with escrow when stock is low, 1 alone on their stock, 2 without guarantee",
            "PEN: share must be 1",
        ),
        (
            Mode.ESCROW,
            {"bc": "sells beyond"},
            "5: 4 without guarantee, 1 alone on their stock",
            "MUG, PEN: bc: sells beyond",
        ),
    ],
)
def test_every_listing_is_counted_once_by_what_is_promised_of_it(
    mode: Mode, weak: dict[str, str], text: str, why: str
) -> None:
    first, *rest = guarantees.results(catalogue(PolicyRule("*", "*", {"mode": mode}), HALF), weak)
    assert first.detail == text
    assert all(result.state == "warn" and result.remedy for result in rest)
    assert why in " ".join(result.detail for result in rest)


def state(number: int, kind: str, at: int) -> ExceptionState:
    return ExceptionState(
        exception_id=f"{kind}:{number}", type=kind, entity=f"e{number}", owner="integration", state="OPEN", detail="d", opened_at=at, changed_at=at
    )  # fmt: skip


def test_open_exceptions_are_a_line_a_type_with_the_oldest() -> None:
    opened = {
        str(n): state(n, kind, at)
        for n, (kind, at) in enumerate([("stock_drift", 9_000), ("stock_drift", 3_000), ("release_refused", 5_000)])
    }
    results = exceptions.summed(opened, whole=True)
    assert [(r.check, r.state) for r in results] == [("release_refused", "warn"), ("stock_drift", "warn")]
    assert results[1].detail == "2 open, the oldest since 1970-01-01 00:00:03Z: e1: d"
    assert exceptions.summed({}, whole=True)[0].state == "ok"
    assert exceptions.summed({}, whole=False)[0].state == "warn"


def test_the_table_has_what_to_do_beside_what_is_wrong_and_says_how_many_requests_it_made() -> None:
    out = io.StringIO()
    report = Report(
        [Result("bc", "token", "fail", "no such store", "check store_hash"), Result("bc", "clock", "ok", "right", "")],
        {"bc": 4},
        1.5,
    )
    show(Console(file=out, width=120), report)
    text = out.getvalue()
    [line] = [line for line in text.splitlines() if "token" in line]
    assert "no such store" in line
    assert "check store_hash" in line
    assert "1 failed, 0 to look at, 1 ok" in text
    assert "requests to peers: bc 4 (reads only)" in text
