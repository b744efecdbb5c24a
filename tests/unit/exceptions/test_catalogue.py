"""Every exception that is opened has its words, and the page is the catalogue's."""

from pathlib import Path

from click.testing import CliRunner

from app.cli import cli
from tables.deliveries import troubles
from tables.exceptions import CATALOGUE
from tables.orders import exceptions
from tables.stock import drift

PAGE = Path(__file__).parents[3] / "docs" / "exceptions.md"


def test_the_page_is_what_the_catalogue_says() -> None:
    shown = CliRunner().invoke(cli, ["config", "exceptions"])
    assert shown.exit_code == 0
    assert shown.output == PAGE.read_text(encoding="utf-8")


def test_owners_agree_with_whoever_opens_them() -> None:
    opened = {**troubles.OWNERS, **exceptions.OWNERS, drift.TYPE: drift.OWNER}
    assert {name: CATALOGUE[name].owner for name in opened} == opened


def test_every_type_of_the_public_table_has_its_owner_and_all_its_words() -> None:
    table = {
        "ecommerce": "unmapped_sku unmapped_shipping_method unit_mismatch unmapped_location unmapped_status catalogue_mismatch",
        "customer service": "invalid_address payment_hold",
        "operations": "short_stock stuck_order early_fulfilment",
        "warehouse": "late_change",
        "integration": "despatch_gap invalid_tracking delivery_failed stock_drift poison_record",
        "finance": "refund_mismatch payment_mismatch",
    }
    owners = {name: owner for owner, names in table.items() for name in names.split()}
    assert {name: kind.owner for name, kind in CATALOGUE.items()} == owners
    assert all(kind.meaning and kind.look and kind.mend for kind in CATALOGUE.values())
