"""R9 where listings sell from different warehouses: whatever the quotas permit can be served, checked against brute force."""

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tables.stock import escrow
from tables.stock.escrow import Seller, high
from tables.stock.pool import pool, regions
from tables.stock.rows import Quota
from tests.unit.stock.test_pool import aggregate, can_serve

NAMES = "ABC"
SETS = [frozenset(c) for c in chain.from_iterable(combinations(NAMES, n) for n in (1, 2, 3))]

stock = st.fixed_dictionaries({name: st.integers(0, 5) for name in NAMES})
demands = st.lists(st.tuples(st.sampled_from(SETS), st.integers(0, 3)), max_size=3)
places = st.lists(st.sampled_from(SETS), min_size=1, max_size=4)


def held(sellers: list[Seller], sets: list[frozenset[str]]) -> list[tuple[frozenset[str], int]]:
    return [(members, seller.held) for seller, members in zip(sellers, sets, strict=True)]


@given(stock, demands, places, st.lists(st.integers(1, 3), min_size=4, max_size=4))
@settings(max_examples=400, deadline=None)
def test_all_that_is_offered_can_be_served_and_nothing_more_could_be(
    free: dict[str, int], demand: list[tuple[frozenset[str], int]], sets: list[frozenset[str]], eaches: list[int]
) -> None:
    if not can_serve(free, demand):
        return
    sellers = [Seller(Quota(), 0, n) for n, _ in zip(eaches, sets, strict=False)]
    escrow.divide(sellers, regions(free, aggregate(demand), sets))
    assert can_serve(free, demand + held(sellers, sets))
    for seller, members in zip(sellers, sets, strict=True):
        assert not can_serve(free, [*demand, *held(sellers, sets), (members, seller.eaches)])


@given(stock, demands, places)
def test_the_region_of_a_single_seller_is_its_pool(
    free: dict[str, int], demand: list[tuple[frozenset[str], int]], sets: list[frozenset[str]]
) -> None:
    for members in sets:
        (region,) = regions(free, aggregate(demand), [members])
        assert region.left == pool(free, aggregate(demand), members)


steps = st.lists(
    st.tuples(
        st.sampled_from(["sell", "settle", "receive", "divide"]),
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from(NAMES),
    ),
    max_size=30,
)


@given(stock, places, st.lists(st.integers(1, 3), min_size=4, max_size=4), steps)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sold_in_whatever_order_can_be_served(
    free: dict[str, int],
    sets: list[frozenset[str]],
    eaches: list[int],
    steps: list[tuple[str, int, int, str]],
) -> None:
    """A listing sells what it may hold at most, seen at once; a decrease is settled when it is; goods come in."""
    free, demand = dict(free), list[tuple[frozenset[str], int]]()
    sellers = [Seller(Quota(), 0, n) for n, _ in zip(eaches, sets, strict=False)]
    version = 0
    for what, number, units, name in steps:
        seller, members = sellers[number % len(sets)], sets[number % len(sets)]
        match what:
            case "sell":
                units = min(units, max(0, high(seller.quota) - seller.taken))
                seller.taken += units
                seller.sold = units
                demand.append((members, units * seller.eaches))
            case "settle":
                seller.quota.conf, seller.quota.issued = seller.quota.target, {}
            case "receive":
                free[name] += units
            case _:
                escrow.divide(sellers, regions(free, aggregate(demand), sets))
                version += 1
                for one in sellers:
                    one.quota.issued[version] = one.quota.target
        assert can_serve(free, demand + held(sellers, sets))


def test_a_listing_of_one_warehouse_leaves_the_other_to_its_neighbour() -> None:
    both, north = Seller(Quota(), 0, 1), Seller(Quota(), 0, 1)
    escrow.divide(
        [both, north], regions({"MAIN": 5, "NORTH": 5}, {}, [frozenset({"MAIN", "NORTH"}), frozenset({"NORTH"})])
    )
    assert (both.aim, north.aim) == (5, 5)


def test_only_who_can_make_room_gives() -> None:
    """A seller of NORTH has nothing left. Another of NORTH can make room there, a larger one of MAIN cannot."""
    main, rival, poor = (
        Seller(Quota(target=9, conf=9), 0, 1),
        Seller(Quota(target=4, conf=4), 0, 1),
        Seller(Quota(target=1, conf=1), 1, 1, sold=1),
    )
    sets = [frozenset({"MAIN"}), frozenset({"NORTH"}), frozenset({"NORTH"})]
    escrow.divide([main, rival, poor], regions({"MAIN": 9, "NORTH": 5}, {"NORTH": 1}, sets))
    assert (main.aim, rival.aim, poor.aim) == (9, 2, 0)
