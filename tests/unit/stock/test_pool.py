"""R2: the pool formula against brute force, and its bounds."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tables.stock.pool import key_of, pool

Demand = list[tuple[frozenset[str], int]]


def can_serve(free: dict[str, int], demand: Demand) -> bool:
    """Can every demand be given its eaches from one of its warehouses? Augmenting paths, each by each."""
    given: list[tuple[frozenset[str], str]] = []
    left = dict(free)
    for members, eaches in demand:
        for _ in range(eaches):
            if not _serve(left, given, members):
                return False
    return True


def _serve(left: dict[str, int], given: list[tuple[frozenset[str], str]], members: frozenset[str]) -> bool:
    came: dict[str, tuple[str, int] | None] = dict.fromkeys(sorted(members))
    queue = list(came)
    while queue:
        warehouse = queue.pop(0)
        if left[warehouse] > 0:
            left[warehouse] -= 1
            while (step := came[warehouse]) is not None:
                before, index = step
                given[index] = (given[index][0], warehouse)
                warehouse = before
            given.append((members, warehouse))
            return True
        for index, (others, at) in enumerate(given):
            if at == warehouse:
                for other in sorted(others - came.keys()):
                    came[other] = (warehouse, index)
                    queue.append(other)
    return False


CODES = "ABCD"
SETS = [frozenset(c) for n in range(1, 5) for c in itertools.combinations(CODES, n)]
free_stock = st.fixed_dictionaries({code: st.integers(0, 4) for code in CODES})
demands = st.lists(st.tuples(st.sampled_from(SETS), st.integers(0, 3)), max_size=4)


def aggregate(demand: Demand) -> dict[str, int]:
    total: dict[str, int] = {}
    for members, eaches in demand:
        total[key_of(members)] = total.get(key_of(members), 0) + eaches
    return total


@settings(max_examples=300, deadline=None)
@given(free=free_stock, demand=demands, wanted=st.sampled_from(SETS))
def test_the_pool_is_what_can_still_be_served(free: dict[str, int], demand: Demand, wanted: frozenset[str]) -> None:
    if not can_serve(free, demand):
        return
    most = 0
    while can_serve(free, [*demand, (wanted, most + 1)]):
        most += 1
    assert pool(free, aggregate(demand), wanted) == most


@given(free=free_stock, demand=demands, small=st.sampled_from(SETS), large=st.sampled_from(SETS))
def test_more_warehouses_never_promise_less(
    free: dict[str, int], demand: Demand, small: frozenset[str], large: frozenset[str]
) -> None:
    if can_serve(free, demand):
        assert pool(free, aggregate(demand), small) <= pool(free, aggregate(demand), small | large)


def test_one_warehouse_is_available_less_open_demand_and_goes_below_zero() -> None:
    assert pool({"MAIN": 5}, {"MAIN": 7}, ["MAIN"]) == -2


def test_demand_of_several_warehouses_may_fall_on_each_of_them() -> None:
    assert pool({"MAIN": 5, "NORTH": 5}, {"MAIN+NORTH": 6}, ["NORTH"]) == 4
    assert pool({"MAIN": 5, "NORTH": 5}, {"MAIN+NORTH": 3}, ["NORTH"]) == 5


def test_a_warehouse_nobody_read_holds_nothing() -> None:
    assert pool({}, {}, ["MAIN"]) == 0
