"""Rows side by side: every field that differs is named as the row names it; counters of what was sent are told apart."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from app.engine.store import Mark
from app.engine.store.memory import MemoryStore
from app.errors import Problem
from app.replay.cli import replay
from app.replay.report import PartitionReport, Report, named
from app.replay.scratch import LINES, STOCK, ScratchRows, both
from app.replay.show import verdict
from schemas.records import AvailableToSell, StockTarget
from tables.replay.compare import Difference, differences
from tables.replay.figures import Deviation, Figure, Point, deviations, figure_of, point_of
from tables.stock import fold
from tables.stock.rows import ListingState, OrderLines, Quota, SkuRow, Take
from tests.support.files import shop
from tests.unit.stock.memory import level, line, rules


def row(**fields: object) -> SkuRow:
    return SkuRow("MUG", **{"free": {"MAIN": 5}, **fields})  # type: ignore[arg-type]


def fields(replayed: object, live: object) -> list[tuple[str, object, object]]:
    return [(one.field, one.replayed, one.live) for one in differences("stock", "MUG", replayed, live)]


def test_equal_rows_have_no_difference_whatever_the_order_of_their_entries() -> None:
    assert fields(row(free={"A": 1, "B": 2}), row(free={"B": 2, "A": 1})) == []


def test_a_field_an_entry_and_an_item_are_named() -> None:
    mine = row(listings={"s": ListingState(taken=2, takes=[Take(1, 2, 3)])}, demand={"MAIN": 1})
    theirs = row(listings={"s": ListingState(taken=4, takes=[Take(1, 2, 9)])}, free={"MAIN": 5, "NORTH": 7})
    assert fields(mine, theirs) == [
        ("free[NORTH]", None, 7),
        ("demand[MAIN]", 1, None),
        ("listings[s].taken", 2, 4),
        ("listings[s].takes[0].units", 3, 9),
    ]


def test_a_row_that_one_side_lacks_is_one_difference() -> None:
    [(field, replayed, live)] = fields(None, OrderLines(out=3))
    assert (field, replayed) == ("(row)", None)
    assert live == [{}, 3, False, None]


def test_counters_of_what_was_sent_are_told_from_figures() -> None:
    mine = row(listings={"s": ListingState(version=3, inc=5, quota=Quota(issued={3: 5}))})
    theirs = row(listings={"s": ListingState(version=4, inc=6, quota=Quota(issued={4: 5}))})
    found = {one.field: one.numbering for one in differences("stock", "MUG", mine, theirs)}
    assert found == {
        "listings[s].version": True,
        "listings[s].inc": False,
        "listings[s].quota.issued[3]": True,
        "listings[s].quota.issued[4]": True,
    }


def test_the_place_in_an_events_id() -> None:
    assert point_of("inventory.events:3:1365:B:0") == Point(3, 1365, "B")
    assert point_of("inventory.events:3:1365:A:B:2") == Point(3, 1365, "A:B")
    assert point_of("inventory.events:3:1365:0") is None  # sent by an event itself, not with a SKU's figures
    assert point_of("orders.events:3:1365:B:0") is None
    assert point_of("8f1c") is None


def test_a_figure_that_was_sent_is_judged_by_the_row_after_it_was_published() -> None:
    target = StockTarget(
        channel="s", sku="MUG", listing="s", epoch=1, version=1, inc=5, dec=5, to_zero=False, priority=5
    )
    shown = AvailableToSell(
        sku="MUG",
        listing="s",
        channel="s",
        location="",
        channel_sku="M",
        unit="each",
        available=4,
        version=1,
        cause="level",
    )
    figures = [figure for body in (target, shown) if (figure := figure_of(body)) is not None]
    right = row(listings={"s": ListingState(inc=5, dec=5, available=4)})
    wrong = row(listings={"s": ListingState(inc=5, dec=5, available=3)})
    point = Point(1, 77, "MUG")
    assert deviations(point, figures, right) == []
    assert deviations(point, figures, wrong) == [Deviation("MUG", 1, 77, "s", "available", [3], [4])]
    assert [one.replayed for one in deviations(point, [Figure("t", "target", [1, 1])], right)] == [None]


# ---- scratch rows ----


def test_rows_are_there_again_from_their_store_with_their_position() -> None:
    store, shop = MemoryStore(), rules()
    rows = ScratchRows(store, "k/t", 0)
    assert rows.empty
    fold.apply(rows.state, shop, level(1, 7), 0)
    fold.apply(rows.state, shop, line("1", 2), 0)
    rows.settle(42, now=True)
    again = ScratchRows(store, "k/t", 0)
    assert (again.empty, again.position) == (False, 42)
    found = again.state.sku("MUG")
    assert found is not None
    assert (found.free["MAIN"], sum(found.demand.values())) == (7, 2)
    assert ScratchRows(store, "another cluster/t", 0).empty


def test_keys_of_rows_that_change_while_the_live_ones_are_read_are_kept() -> None:
    rows, shop = ScratchRows(MemoryStore(), "k/t", 0), rules()
    fold.apply(rows.state, shop, level(1, 7), 0)
    changed = rows.follow()
    assert changed == set()
    fold.apply(rows.state, shop, line("1", 2), 0)
    rows.settle(2, now=True)
    assert changed == {STOCK.key("MUG"), LINES.key("MUG/shop:1")}


def test_two_stores_side_by_side_name_every_key_once() -> None:
    one, other = MemoryStore(), MemoryStore()
    mark = Mark("s", 0, 0)
    one.apply([(STOCK.key(sku), sku.encode()) for sku in ("A", "B", "D")], mark)
    other.apply([(STOCK.key(sku), sku.encode()) for sku in ("B", "C")] + [(LINES.key("A/1"), b"x")], mark)
    found = [(table.name, key, mine, theirs) for table, key, mine, theirs in both(one, other)]
    assert found == [
        ("stock", "A", b"A", None),
        ("stock", "B", b"B", b"B"),
        ("stock", "C", None, b"C"),
        ("stock", "D", b"D", None),
        ("stock_lines", "A/1", None, b"x"),
    ]


# ---- the report ----


def test_what_is_not_folded_is_not_called_right() -> None:
    gone = Report("", [PartitionReport(0, base="gone")], True)
    assert not gone.ok
    assert "could not be folded yet" in verdict(gone)
    assert Report("", [PartitionReport(0, base="gone")], True, what_if=True).ok
    different = PartitionReport(0, different_rows=1, differences=[Difference("stock", "A", "read_no", 1, 2, False)])
    assert not Report("", [different], True).ok
    assert not Report("", [PartitionReport(0, deviating=1)], True).ok
    assert Report("", [PartitionReport(0)], True).ok


def test_a_range_in_which_nothing_was_sent_is_not_called_right() -> None:
    assert "nothing was judged" in verdict(Report("", [PartitionReport(0)], False))
    assert verdict(Report("", [PartitionReport(0, judged=2)], False)).startswith("every figure that was sent")
    assert verdict(Report("", [PartitionReport(0)], True)).endswith("there is nothing to compare")
    assert verdict(Report("", [PartitionReport(0, compared=3)], True)).endswith("no figure was sent in the range")


@pytest.mark.parametrize("bounds", [("500", "100"), ("5", "5"), ("2026-11-28T20:00:00Z", "2026-11-28T19:00:00Z")])
def test_a_range_that_ends_before_it_begins_is_refused(tmp_path: Path, bounds: tuple[str, str]) -> None:
    words = ["--from", bounds[0], "--to", bounds[1], "--config", str(shop(tmp_path))]
    refused = CliRunner().invoke(replay, words).exception
    assert isinstance(refused, Problem) and refused.status == 2
    assert "--from is not before --to" in str(refused)


def test_a_row_with_the_names_of_its_fields() -> None:
    shown = named(row(listings={"s": ListingState(takes=[Take(1, 2, 3)])}))
    assert shown["free"] == {"MAIN": 5}
    assert shown["listings"]["s"]["takes"] == [{"at_from": 1, "at_to": 2, "units": 3}]
