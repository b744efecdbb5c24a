"""R9: a pool split into quotas never promises more than there is, and units move only when the giving side is settled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import AvailableToSell, Baseline, Record, StockOutcome, StockTarget, Watermark
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries.peers import Bounds
from tables.stock import escrow
from tables.stock.escrow import Seller, high
from tables.stock.policy import notes
from tables.stock.pool import Region
from tables.stock.rows import Effect, Quota, Rules, WaitingOutcome
from tests.unit.stock.memory import Ledger, level, line

A, B = Listing("shop", "A", "MUG"), Listing("mall", "B", "MUG")
CASE = Listing("mall", "B4", "MUG", "case", 4)
BOUNDS = {"shop": Bounds(6000, 2000, 0, 0), "mall": Bounds(6000, 2000, 0, 2000)}


def rules(*listings: Listing, mode: Mode = Mode.ESCROW, more: tuple[PolicyRule, ...] = (), **fields: object) -> Rules:
    every = PolicyRule("*", "*", {"mode": mode, **fields})
    catalogue = Catalogue([Product("MUG", {"each": 1, "case": 4}, {}, listings or (A, B))], [every, *more], ["MAIN"])
    return Rules(catalogue, 1, BOUNDS)


def mark(channel: str, up_to: int) -> Watermark:
    return Watermark(channel=channel, order_partition=0, up_to=up_to)


def shown(listing: Listing, quantity: int) -> Baseline:
    return Baseline(sku="MUG", listing=listing.id, epoch=1, quantity=quantity, at_from=1000, at_to=1000)


def outcome(listing: Listing, version: int, bound: int, at: int) -> StockOutcome:
    return StockOutcome(sku="MUG", listing=listing.id, epoch=1, version=version, bound=bound, at=at)


def targets(effects: list[Effect]) -> dict[str, int]:
    return {e.listing: e.inc for e in effects if isinstance(e, StockTarget)}


def started(rules: Rules, stock: int, *quantities: int) -> tuple[Ledger, list[Effect]]:
    """A ledger whose listings all show these quantities and are adopted."""
    ledger = Ledger(rules)
    baselines: list[Record] = [
        shown(listing, n) for listing, n in zip(rules.catalogue.listings.values(), quantities, strict=True)
    ]
    return ledger, ledger(level(1, stock), *baselines, mark("shop", 4000), mark("mall", 4000))


def divide(parts: list[Seller], pool: int) -> None:
    escrow.divide(parts, [Region(tuple(range(len(parts))), pool)])


# ---- the arithmetic ----

sellers = st.builds(
    Seller,
    st.builds(
        Quota,
        target=st.integers(0, 40),
        conf=st.integers(0, 40),
        issued=st.dictionaries(st.integers(1, 9), st.integers(0, 40), max_size=3),
    ),
    taken=st.integers(0, 30),
    eaches=st.integers(1, 6),
    sold=st.integers(0, 9),
    most=st.none() | st.integers(0, 12),
)


@given(st.lists(sellers, min_size=1, max_size=5), st.integers(-20, 120))
def test_dividing_never_promises_more_than_there_is(parts: list[Seller], pool: int) -> None:
    before = sum(one.held for one in parts)
    divide(parts, pool)
    assert sum(one.held for one in parts) <= max(before, pool)
    assert sum(one.aim for one in parts) <= max(pool, 0)
    assert all(one.most is None or one.aim <= one.most * one.eaches for one in parts)


@given(st.lists(sellers, min_size=1, max_size=5), st.integers(-20, 120))
def test_dividing_again_without_an_outcome_moves_nothing_but_what_one_gives(parts: list[Seller], pool: int) -> None:
    found: list[list[int]] = []
    for version in range(10, 13):
        for one in parts:
            one.sold = 0
            one.quota.issued[version] = one.quota.target  # what is wanted was sent
        divide(parts, pool)
        found.append([one.quota.target for one in parts])
    first, second, third = found
    assert second == third
    assert all(after <= before for before, after in zip(first, second, strict=True))
    assert sum(after < before for before, after in zip(first, second, strict=True)) <= 1


@settings(deadline=None)
@given(st.integers(1, 100_000), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_all_that_fits_is_granted(pool: int, eaches: list[int]) -> None:
    parts = [Seller(Quota(), 0, n) for n in eaches]
    divide(parts, pool)
    assert 0 <= pool - sum(one.aim for one in parts) < min(eaches)


def test_grants_go_by_need() -> None:
    fast, slow = Seller(Quota(), 0, 1, sold=29), Seller(Quota(), 0, 1, sold=0)
    divide([fast, slow], 62)
    assert (fast.aim, slow.aim) == (60, 2)


def test_outcomes_count_in_their_order_and_no_waiting_list_grows_for_ever() -> None:
    quota = Quota(target=5, conf=5, issued={1: 9, 2: 5})
    for version in range(1, 100):
        escrow.told(quota, WaitingOutcome(version, 100 - version, version * 10))
    assert len(quota.waiting) == escrow.WAITING_KEPT
    assert not escrow.settle(quota, 9)
    assert escrow.settle(quota, 10)
    assert (quota.conf, quota.issued) == (99, {2: 5})
    assert escrow.settle(quota, 990)
    assert (quota.conf, quota.waiting, high(quota)) == (1, [], 5)


# ---- through the fold ----


def test_nothing_is_written_before_all_listings_are_adopted() -> None:
    ledger = Ledger(rules())
    assert targets(ledger(level(1, 10), shown(A, 3), shown(B, 0), mark("shop", 4000))) == {}
    assert targets(ledger(mark("mall", 2999))) == {}
    assert targets(ledger(mark("mall", 3000))) == {A.id: 5, B.id: 5}


def test_a_decrease_frees_its_units_only_with_the_orders_up_to_it() -> None:
    ledger, effects = started(rules(), 10, 9, 1)
    assert targets(effects) == {A.id: 9, B.id: 1}
    ledger(outcome(A, 1, 9, 4000), outcome(B, 1, 1, 4000), mark("mall", 6000))
    assert targets(ledger(level(2, 7))) == {A.id: 6}
    assert targets(ledger(level(3, 9))) == {}  # A may still have its 9
    assert targets(ledger(level(4, 12))) == {B.id: 3}
    assert targets(ledger(outcome(A, 2, 6, 9000), mark("shop", 8999))) == {}
    assert targets(ledger(mark("shop", 9000))) == {B.id: 6}


def test_a_listing_that_nobody_gave_anything_gets_half_of_what_another_does_not_sell() -> None:
    ledger, effects = started(rules(), 10, 10, 0)
    assert targets(effects) == {A.id: 5, B.id: 0}
    assert targets(ledger(outcome(A, 1, 5, 5000), outcome(B, 1, 0, 5000), mark("shop", 4999))) == {}
    assert targets(ledger(mark("shop", 5000))) == {B.id: 5}


def test_half_that_is_not_enough_for_a_case_is_left_where_it_is() -> None:
    each, case = Seller(Quota(target=6, conf=6), 0, 1), Seller(Quota(), 0, 4)
    divide([each, case], 6)
    assert (each.aim, case.aim) == (6, 0)


def test_a_listing_that_sold_beyond_its_quota_keeps_nobody_waiting() -> None:
    """Its decrease came too late: what it may have had at most is sold."""
    empty, rich = Seller(Quota(target=2, conf=4), 4, 1, sold=4), Seller(Quota(target=4, conf=4), 0, 1)
    divide([empty, rich], 4)
    assert rich.aim == 1


def test_units_of_a_listing_that_idles_go_to_one_that_has_sold_out() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    ledger(outcome(A, 1, 5, 5000), outcome(B, 1, 5, 5000), mark("shop", 5000), mark("mall", 7000))
    given = ledger(line("1", 5, of=A, at=8000))
    assert targets(given) == {B.id: 2}  # A sold its five, B nothing: B gives more than half
    assert targets(ledger(outcome(B, 2, 2, 9000), mark("mall", 10_999))) == {}
    # one order of B that was not known yet comes with the watermark: it was not among the units given
    assert targets(ledger(line("2", 1, of=B, at=8500, channel="mall"))) == {}
    assert targets(ledger(mark("mall", 11_000))) == {A.id: 8}


def test_a_skipped_command_frees_what_it_held() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    ledger(level(2, 6), level(3, 8))
    row = ledger.mug.listing(A.id)
    assert row.quota is not None and len(row.quota.issued) > 1
    ledger(outcome(A, row.version, row.inc, 5000), mark("shop", 5000))
    assert row.quota is not None
    assert row.quota.issued == {} and high(row.quota) == row.inc


def test_an_outcome_of_another_epoch_is_ignored() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    before = ledger.mug.listing(A.id).quota
    late = outcome(A, 1, 0, 4000)
    late.epoch = 7
    assert ledger(late) == [] and ledger.mug.listing(A.id).quota == before


def test_percent_and_buffer_count_once_and_max_limits_a_listing() -> None:
    limit = PolicyRule("shop", "*", {"max": 3})
    _, effects = started(rules(percent=10, buffer=2, more=(limit,)), 20, 0, 0)
    assert targets(effects) == {A.id: 3, B.id: 13}


def test_the_listing_that_sells_faster_is_given_more_of_what_comes_in() -> None:
    ledger, _ = started(rules(), 20, 0, 0)
    ledger(outcome(A, 1, 10, 5000), outcome(B, 1, 10, 5000), mark("shop", 5000), mark("mall", 7000))
    ledger(line("1", 8, of=A, at=8000), line("2", 1, of=B, at=8000, channel="mall"))
    found = targets(ledger(level(2, 51)))
    # 42 eaches in all for speeds of 8 and 1: nine parts of A to two of B, as what is on offer allows
    assert found[A.id] - 8 > 3 * (10 - 1) and B.id not in found
    # a minute later, by the storefronts' time, nobody sells any more: what comes in evens them out
    ledger(mark("shop", 69_000), mark("mall", 69_000))
    assert list(targets(ledger(level(3, 61)))) == [B.id]


def test_a_listing_that_has_sold_out_is_known_to_sell_for_a_minute() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    ledger(outcome(A, 1, 5, 5000), outcome(B, 1, 5, 5000), mark("shop", 5000), mark("mall", 7000))
    ledger(line("1", 5, of=A, at=8000))
    # what B gave is certain only 40 s later; A could sell nothing meanwhile and gets it all the same
    ledger(mark("shop", 47_000))
    found = targets(ledger(outcome(B, 2, 2, 45_000), mark("mall", 47_000)))
    assert found == {A.id: 8}


def test_the_last_unit_moves_to_the_faster_listing_once_and_not_back() -> None:
    fast, slow = (
        Seller(Quota(target=3, conf=3), 3, 1, sold=3, idle=True),
        Seller(Quota(target=1, conf=1), 0, 1, 1, idle=True),
    )
    divide([fast, slow], 1)
    assert (fast.aim, slow.aim) == (0, 0)
    slow.quota.conf = 0  # its decrease is settled
    divide([fast, slow], 1)
    assert (fast.aim, slow.aim) == (1, 0)
    fast.quota.conf = fast.quota.target
    divide([fast, slow], 1)
    assert (fast.aim, slow.aim) == (1, 0)


def test_the_cover_of_a_velocity_buffer_is_kept_back_once() -> None:
    ledger, effects = started(rules(velocity=30), 20, 0, 0)
    assert sum(targets(effects).values()) == 20
    ledger(outcome(A, 1, 10, 5000), outcome(B, 1, 10, 5000), mark("shop", 5000), mark("mall", 7000))
    # three sold in the last 30 s: three are kept back of the pool, not three of each listing
    sent = ledger(line("1", 2, of=A, at=8000), line("2", 1, of=B, at=8000, channel="mall"))
    row = ledger.mug
    offered = sum(row.listing(x.id).quota.target - row.listing(x.id).taken for x in (A, B))  # type: ignore[union-attr]
    assert offered == 20 - 3 - 3 and targets(sent)
    gone = ledger(mark("shop", 39_000), mark("mall", 39_000))
    assert targets(gone) == {}  # the units kept back come when the decreases are settled
    versions = {x.id: (row.listing(x.id).version, row.listing(x.id).inc) for x in (A, B)}
    told = [outcome(x, *versions[x.id], 40_000) for x in (A, B)]
    ledger(*told, mark("shop", 40_000), mark("mall", 42_000))
    offered = sum(row.listing(x.id).quota.target - row.listing(x.id).taken for x in (A, B))  # type: ignore[union-attr]
    assert offered == 17


def test_a_case_and_single_units_are_weighted_by_eaches() -> None:
    _, effects = started(rules(A, CASE), 11, 0, 0)
    found = targets(effects)
    assert found[A.id] + 4 * found[CASE.id] == 11 and found[CASE.id] == 1


def test_what_is_available_is_the_listings_own_part() -> None:
    ledger, effects = started(rules(), 10, 0, 0)
    assert [e.available for e in effects if isinstance(e, AvailableToSell)] == [5, 5]
    effects = ledger(line("1", 2, of=A))
    assert [(e.listing, e.available) for e in effects if isinstance(e, AvailableToSell)] == [(A.id, 3)]
    assert targets(effects) == {}


def test_auto_splits_a_small_pool_and_shares_a_large_one_again() -> None:
    ledger, effects = started(rules(mode=Mode.AUTO, escrow_floor=10), 30, 0, 0)
    assert targets(effects) == {A.id: 30, B.id: 30}
    first = ledger(level(2, 10))
    assert sum(targets(first).values()) == 10
    assert all(one.quota is not None for one in ledger.mug.listings.values())
    assert targets(ledger(level(3, 20))) == {}  # nothing is granted while what came before is not settled
    ledger(outcome(A, 1, 30, 5000), mark("shop", 5000), outcome(B, 1, 30, 5000), mark("mall", 7000))
    assert all(one.quota is not None and one.quota.unsure for one in ledger.mug.listings.values())
    ledger(outcome(A, 2, 5, 6000), mark("shop", 6000))
    effects = ledger(outcome(B, 2, 5, 6000), mark("mall", 8000))
    assert sum(targets(effects).values()) == 20
    assert targets(ledger(level(4, 21))) == {A.id: 21, B.id: 21}
    assert all(one.quota is None for one in ledger.mug.listings.values())


def test_listings_of_different_warehouses_are_limited_where_they_meet() -> None:
    north = PolicyRule("mall", "*", {"warehouses": ("NORTH",)})
    given = rules(more=(PolicyRule("shop", "*", {"warehouses": ("MAIN", "NORTH")}), north))
    ledger, _ = started(given, 0, 0, 0)
    effects = ledger(level(2, 5, 5))
    assert targets(effects) == {A.id: 5, B.id: 5}
    ledger(outcome(A, 2, 5, 5000), outcome(B, 2, 5, 5000), mark("shop", 5000), mark("mall", 7000))
    # three of A's five leave NORTH: what is left there is not enough for B's quota, what A has left is all in MAIN
    assert targets(ledger(line("1", 3, of=A, at=8000, warehouses=["NORTH"]))) == {B.id: 2}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (PolicyRule("shop", "*", {"share": 0}), "share must be 1"),
        (PolicyRule("shop", "*", {"buffer": 2}), "buffer belongs to the pool"),
        (PolicyRule("shop", "*", {"mode": Mode.SHARED}), "one of its listings is shared"),
        (PolicyRule("*", "*", {"min_to_list": 2}), "min_to_list must be 0"),
    ],
)
def test_what_cannot_be_split_is_shared_and_named(more: PolicyRule, why: str) -> None:
    given = rules(more=(more,))
    (note,) = notes(given.catalogue, {})
    assert note.startswith("MUG: no guarantee") and why in note
    ledger, _ = started(given, 10, 0, 0)
    assert all(one.quota is None for one in ledger.mug.listings.values())


def test_a_channel_that_does_not_lower_its_own_quantities_gives_no_guarantee() -> None:
    assert notes(rules().catalogue, {}) == []
    weak = {"mall": "does not lower its own quantities", "other": "is elsewhere"}
    assert notes(rules().catalogue, weak) == ["MUG: no guarantee, mall: does not lower its own quantities"]
