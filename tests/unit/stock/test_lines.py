"""R1 and R3: lines and levels folded in any order, twice, in chunks; what is counted as demand and as taken."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import DemandLine, Record
from tables.stock.lines import demand_of
from tests.unit.stock.memory import CASE, MUG, Ledger, level, line, reflected, rules, watermark

ORDERS = ("1", "2", "3")


def demand(ledger: Ledger) -> dict[str, int]:
    return ledger.mug.demand


def recount(ledger: Ledger) -> dict[str, int]:
    total: dict[str, int] = {}
    for order in ledger.state.orders.values():
        for key, eaches in demand_of(order).items():
            total[key] = total.get(key, 0) + eaches
    return total


def lowered(ledger: Ledger) -> dict[str, int]:
    return {k: n for k, n in ledger.mug.lowered.items() if n}


def state(ledger: Ledger) -> Any:
    row = ledger.mug
    return row.free, row.demand, lowered(ledger), ledger.state.orders


states = st.sampled_from(["OPEN", "CANCELLING", "CLOSED"])
line_events = st.builds(
    lambda order, line_id, version, units, kind, closed, back, bound: line(
        order,
        units,
        version,
        of=kind,
        line_id=line_id,
        state=closed,
        restocked_at=7000 if back else None,
        warehouses=["MAIN"] if bound else ["MAIN", "NORTH"],
    ),
    st.sampled_from(ORDERS),
    st.sampled_from(["1", "2"]),
    st.integers(1, 5),
    st.integers(0, 4),
    st.sampled_from([MUG, CASE]),
    states,
    st.booleans(),
    st.booleans(),
)
read_lines = st.builds(
    reflected,
    st.sampled_from(ORDERS),
    st.integers(0, 15),
    st.booleans(),
    st.sampled_from([None, "MAIN", "NORTH"]),
)
levels = st.builds(
    lambda no, main, north, lines: level(no, main, north, *lines),
    st.integers(1, 6),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(read_lines, max_size=3),
)


@settings(deadline=None)
@given(st.lists(line_events | levels, max_size=25))
def test_the_demand_kept_is_the_sum_over_the_lines(events: list[Record]) -> None:
    ledger = Ledger(rules())
    ledger(level(0), *events)
    assert demand(ledger) == recount(ledger)


@settings(deadline=None)
@given(st.lists(line_events | levels, max_size=12), st.randoms(use_true_random=False))
def test_duplicates_change_nothing(events: list[Record], chance: random.Random) -> None:
    once, twice = Ledger(rules()), Ledger(rules())
    once(level(0), *events)
    twice(level(0))
    for number, event in enumerate(events):
        again = events[chance.randrange(number + 1)]
        twice(event)
        if isinstance(again, DemandLine):
            twice(again)
        twice(event)
    if all(isinstance(e, DemandLine) for e in events):
        versions = {(e.reference, e.line_id, e.version) for e in events if isinstance(e, DemandLine)}
        if len(versions) == len(events):
            assert state(once) == state(twice)
    assert demand(twice) == recount(twice)


@settings(deadline=None)
@given(
    st.lists(line_events, max_size=8, unique_by=lambda e: (e.reference, e.line_id, e.version)),
    st.randoms(use_true_random=False),
)
def test_versions_may_arrive_in_any_order(events: list[DemandLine], chance: random.Random) -> None:
    straight, shuffled = Ledger(rules()), Ledger(rules())
    mixed = list(events)
    chance.shuffle(mixed)
    straight(level(1), *events)
    shuffled(level(1), *mixed)
    assert demand(straight) == demand(shuffled)
    assert lowered(straight) == lowered(shuffled)


@settings(deadline=None)
@given(st.lists(line_events, max_size=15))
def test_taken_is_the_sum_of_what_the_lines_count(events: list[DemandLine]) -> None:
    ledger = Ledger(rules())
    ledger(level(0), *events)
    total: dict[str, int] = {}
    for order in ledger.state.orders.values():
        for one in order.lines.values():
            if one.listing is not None:
                total[one.listing] = total.get(one.listing, 0) + one.took - one.put_back
    assert lowered(ledger) == {k: n for k, n in total.items() if n}
    for listing, known in ledger.mug.listings.items():
        assert known.taken == total.get(listing, 0)


@given(st.lists(read_lines, max_size=7, unique_by=lambda x: x.reference), st.integers(1, 4))
def test_chunks_count_at_the_last_one_and_come_to_the_same(lines: list[Any], size: int) -> None:
    whole, pieces = Ledger(rules()), Ledger(rules())
    opened = [line(order, 3) for order in ORDERS]
    whole(level(1), *opened, level(2, 8, 1, *lines))
    pieces(level(1), *opened)
    parts = [lines[i : i + size] for i in range(0, len(lines), size)] or [[]]
    for number, part in enumerate(parts):
        assert pieces.mug.read_no == 1
        pieces(level(2, 8, 1, *part, chunk=number, chunks=len(parts)))
        pieces(level(2, 8, 1, *part, chunk=number, chunks=len(parts)))
    assert state(whole) == state(pieces)


def test_an_older_read_is_superseded() -> None:
    ledger = Ledger(rules())
    ledger(level(5, 7), level(4, 99), level(5, 98))
    assert ledger.mug.free["MAIN"] == 7


def test_a_newer_read_abandons_the_chunks_of_an_older_one() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), level(1, 9, 0, reflected("1", 3), chunk=0, chunks=2), level(2, 5))
    ledger(level(1, 9, 0, chunk=1, chunks=2))
    assert (ledger.mug.free["MAIN"], demand(ledger)) == (5, {"MAIN+NORTH": 3})


def test_only_the_lines_named_change() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), line("2", 2), level(1, 9, 0, reflected("1", 3), reflected("2", 1)))
    ledger(level(2, 9, 0, reflected("2", 2)))
    assert demand(ledger) == {}


def test_an_allocation_that_is_taken_back_counts_again() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), level(1, 7, 0, reflected("1", 3)))
    assert demand(ledger) == {}
    ledger(level(2, 10, 0, reflected("1", 0)))
    assert demand(ledger) == {"MAIN+NORTH": 3}


def test_a_line_closed_by_the_warehouse_opens_again_when_its_status_goes_back() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), level(1, 10, 0, reflected("1", 1, closed=True)))
    assert demand(ledger) == {}
    ledger(level(2, 9, 0, reflected("1", 1)))
    assert demand(ledger) == {"MAIN+NORTH": 2}


def test_what_the_warehouse_took_is_spread_over_the_orders_lines() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3, line_id="b"), line("1", 2, line_id="a"), level(1, 10, 0, reflected("1", 4)))
    lines = ledger.state.orders["MUG", "shop:1"].lines
    assert (lines["a"].reflected, lines["b"].reflected) == (2, 2)


def test_more_than_was_ordered_is_never_reflected() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 2), level(1, 10, 0, reflected("1", 5)))
    assert demand(ledger) == {}


def test_a_bound_order_moves_its_demand_to_the_one_warehouse() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), level(1, 10, 5, reflected("1", 1, warehouse="NORTH")))
    assert demand(ledger) == {"NORTH": 2}


def test_a_read_that_names_an_order_before_it_is_known_is_kept() -> None:
    ledger = Ledger(rules())
    ledger(level(1, 7, 0, reflected("1", 3)), line("1", 3))
    assert demand(ledger) == {}


@pytest.mark.parametrize(("first", "second"), itertools.permutations(["OPEN", "CANCELLING", "CLOSED"], 2))
def test_at_an_equal_version_the_state_further_along_wins(first: str, second: str) -> None:
    along = ["OPEN", "CANCELLING", "CLOSED"]
    ledger = Ledger(rules())
    ledger(line("1", 3, state=first), line("1", 3, state=second))
    assert ledger.state.orders["MUG", "shop:1"].lines["1"].state == max(first, second, key=along.index)


def test_cancelling_is_still_counted() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), line("1", 3, 2, state="CANCELLING"))
    assert demand(ledger) == {"MAIN+NORTH": 3}


def test_a_tombstone_is_not_opened_by_an_older_version() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3, 2, state="CLOSED"), line("1", 3, 1))
    assert demand(ledger) == {}
    assert lowered(ledger) == {MUG.id: 3}


def test_an_order_first_seen_cancelled_was_lowered_all_the_same() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3, state="CLOSED"))
    assert lowered(ledger) == {MUG.id: 3}


def test_what_the_storefront_put_back_by_itself_is_taken_off() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), line("1", 3, 2, state="CLOSED", restocked_at=6000))
    assert lowered(ledger) == {}
    assert [(t.at_from, t.units) for t in ledger.mug.listings[MUG.id].takes] == [(5000, 3), (6000, -3)]


def test_an_edit_counts_the_difference_at_a_time_between_sight_and_event() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3))
    ledger(line("1", 1, 2), at=9000)
    (_, edit) = ledger.mug.listings[MUG.id].takes
    assert (edit.at_from, edit.at_to, edit.units) == (5000, 9000, -2)


def test_a_line_that_moves_to_another_listing_is_given_back_to_the_first() -> None:
    ledger = Ledger(rules())
    ledger(line("1", 3), line("1", 1, 2, of=CASE))
    assert lowered(ledger) == {CASE.id: 1}
    assert demand(ledger) == {"MAIN+NORTH": 12}


def test_an_event_of_a_sku_with_many_open_lines_touches_one_of_them() -> None:
    ledger = Ledger(rules())
    ledger(level(1, 5000), *[line(str(number), 1) for number in range(500)])
    touched: list[str] = []
    read, write = ledger.state.lines, ledger.state.put_lines
    ledger.state.lines = lambda sku, reference: touched.append(reference) or read(sku, reference)  # type: ignore[func-returns-value,method-assign]
    ledger.state.put_lines = lambda sku, reference, row: touched.append(reference) or write(sku, reference, row)  # type: ignore[func-returns-value,method-assign]
    ledger(line("7", 2, 2), level(2, 4999, 0, reflected("7", 2)), watermark(9000))
    assert set(touched) == {"shop:7"}
    assert demand(ledger) == {"MAIN+NORTH": 499}
