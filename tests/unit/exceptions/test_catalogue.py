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
