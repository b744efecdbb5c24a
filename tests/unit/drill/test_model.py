"""The drill's own formula: units, policies, bundles, several warehouses, open demand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.drill.model import Offers, Truth, truth_of
from tests.unit.drill.support import drill_file, goods_out, sold

BOTH = frozenset({"MAIN", "NORTH"})
MAIN = frozenset({"MAIN"})
STOCK = {
    "A": {"MAIN": {"available": 20, "held": 0}, "NORTH": {"available": 4, "held": 0}},
    "B": {"MAIN": {"available": 9, "held": 2}},
}


def figures(offers: Offers, truth: Truth) -> dict[str, int]:
    return {offer.name: truth.figure(offer) for offer in offers.all}


def test_listings_count_selling_units_and_bundles_complete_sets_in_one_warehouse() -> None:
    offers = Offers(drill_file())
    truth = truth_of(offers, {}, [], STOCK)
    # bundles: MAIN min(20 // 2, 9) = 9, NORTH has no B: 9
    assert figures(offers, truth) == {"ct:A": 24, "bc:A-CASE": 4, "ct:B": 9, "ct:BOX": 9}


def test_policies_are_merged_field_by_field_and_the_last_one_wins() -> None:
    offers = Offers(
        drill_file(
            policies=[
                {"match": {"channel": "*", "sku": "A"}, "share": 0.5, "buffer": 2},
                {"match": {"channel": "bc"}, "buffer": 1, "warehouses": ["MAIN"]},
                {"match": {"sku": "B"}, "percent": 10, "max": 7},
                {"match": {"sku": "BOX"}, "min_to_list": 10},
            ]
        )
    )
    truth = truth_of(offers, {}, [], STOCK)
    # ct:A 24/2-2 = 10; bc:A-CASE (20/2-1)/6 = 1; B min(7, 8.1) = 7; BOX 9 < 10: 0
    assert figures(offers, truth) == {"ct:A": 10, "bc:A-CASE": 1, "ct:B": 7, "ct:BOX": 0}


def test_a_field_set_to_nothing_takes_a_maximum_away() -> None:
    offers = Offers(drill_file(policies=[{"match": {"sku": "B"}, "max": 3}, {"match": {"sku": "B"}, "max": None}]))
    assert figures(offers, truth_of(offers, {}, [], STOCK))["ct:B"] == 9


def test_open_demand_is_what_is_sold_and_not_taken_out_yet() -> None:
    offers = Offers(drill_file())
    orders = {
        "ct": [
            sold("1", ("A", 3)),
            sold("2", ("BOX", 2)),
            sold("3", ("A", 5), state="cancelled"),
            sold("4", ("B", 1), paid=False),
        ],
        "bc": [sold("5", ("A-CASE", 1), ("UNKNOWN", 4))],
    }
    outs = [
        goods_out("ct:1", {("A", "MAIN"): 1}, "PART_ALLOCATED"),
        goods_out("ct:2", status="DELETED"),
        goods_out("ct:2"),
    ]
    truth = truth_of(offers, orders, outs, STOCK)
    assert truth.demand["A"] == {MAIN: 2, BOTH: 4 + 6}  # what is left of order 1 is bound to MAIN
    assert truth.demand["B"] == {BOTH: 2 + 1}


@pytest.mark.parametrize("status", ["DELETED", "CANCELLED"])
def test_an_order_that_is_gone_from_the_warehouse_demands_nothing_more(status: str) -> None:
    orders = {"ct": [sold("1", ("A", 3))]}
    assert truth_of(Offers(drill_file()), orders, [goods_out("ct:1", status=status)], STOCK).demand == {}


def test_a_completed_order_demands_nothing_more() -> None:
    offers = Offers(drill_file())
    orders = {"ct": [sold("1", ("A", 3))]}
    assert truth_of(offers, orders, [goods_out("ct:1", {("A", "MAIN"): 2}, "COMPLETED")], STOCK).demand == {}


def test_oversold_shows_nothing() -> None:
    offers = Offers(drill_file())
    truth = truth_of(offers, {"ct": [sold("1", ("A", 30))]}, [], STOCK)
    assert truth.pool("A", BOTH) == -6
    assert figures(offers, truth)["ct:A"] == 0


_sets = st.sampled_from([frozenset(s) for s in ("A", "B", "C", "AB", "BC", "AC", "ABC")])


def _serves(free: dict[str, int], demand: list[frozenset[str]]) -> bool:
    """Can every unit be served? By trying: the reference for the formula, small numbers only."""
    if not demand:
        return True
    return any(free[w] and _serves({**free, w: free[w] - 1}, demand[1:]) for w in demand[0])


@given(
    free=st.fixed_dictionaries({w: st.integers(0, 3) for w in "ABC"}),
    demand=st.lists(_sets, max_size=4),
    want=_sets,
)
def test_the_pool_is_what_can_still_be_promised(
    free: dict[str, int], demand: list[frozenset[str]], want: frozenset[str]
) -> None:
    if not _serves(free, demand):
        return
    best = 0
    while _serves(free, [*demand, *[want] * (best + 1)]):
        best += 1
    by_set: dict[frozenset[str], int] = {}
    for one in demand:
        by_set[one] = by_set.get(one, 0) + 1
    assert Truth({"X": free}, {"X": by_set}).pool("X", want) == best
