"""R9: giving comes to rest. Without sales nothing is moved for ever, and in the end no unit is kept back that fits a listing."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tables.stock import escrow
from tables.stock.escrow import Seller, high
from tables.stock.pool import Region, regions
from tables.stock.rows import Quota
from tests.unit.stock.test_escrow_warehouses import NAMES, SETS

quotas = st.builds(
    Quota,
    target=st.integers(0, 60),
    conf=st.integers(0, 60),
    issued=st.dictionaries(st.integers(1, 9), st.integers(0, 60), max_size=2),
)
sellers = st.builds(
    Seller,
    quotas,
    taken=st.integers(0, 30),
    eaches=st.integers(1, 12),
    sold=st.sampled_from([0, 0, 1, 2, 7, 30]),
    most=st.none() | st.integers(0, 12),
    stalled=st.sampled_from([None, None, False, True]),
)
placed = st.lists(st.tuples(sellers, st.sampled_from(SETS)), min_size=1, max_size=6)
stock = st.fixed_dictionaries({name: st.integers(-5, 90) for name in NAMES})


def seller(units: int, eaches: int = 1, sold: int = 0) -> Seller:
    return Seller(Quota(target=units, conf=units), 0, eaches, sold)


def told(parts: Sequence[Seller]) -> None:
    """Every command is sent and its outcome settled."""
    for one in parts:
        one.quota.conf, one.quota.issued = one.quota.target, {}


def rest(parts: Sequence[Seller], limits: Sequence[Region]) -> list[int]:
    """Divide, with every outcome told in between, until nothing moves. What every listing then offers in eaches."""
    # the decreases and a first grant; then two steps for everyone that is given something, at most twice for each
    for _ in range(4 * len(parts) + 3):
        before = [one.quota.target for one in parts]
        escrow.divide(parts, limits)
        if [one.quota.target for one in parts] == before:
            return [one.aim for one in parts]
        told(parts)
    raise AssertionError(f"units are still moved: {parts}")


@given(placed, stock)
@settings(max_examples=1500, deadline=None)
@example([(seller(10), SETS[0]), (seller(0, 12, sold=1), SETS[0])], {"A": 10, "B": 0, "C": 0})
def test_all_comes_to_rest_and_no_unit_that_fits_is_kept_back(
    given: list[tuple[Seller, frozenset[str]]], free: dict[str, int]
) -> None:
    parts = [one for one, _ in given]
    limits = regions(free, {}, [places for _, places in given])
    rest(parts, limits)
    for i, one in enumerate(parts):
        if one.most is None or max(0, one.quota.target - one.taken) < one.most:
            slack = [limit.left - sum(parts[n].held for n in limit.members) for limit in limits if i in limit.members]
            assert min(slack) < one.eaches, (slack, parts)


def whole(parts: Sequence[Seller], left: int) -> list[Region]:
    return [Region(tuple(range(len(parts))), left)]


def test_half_that_is_not_enough_for_a_case_is_not_given_to_one_that_sells_either() -> None:
    parts = [seller(5, sold=4), seller(0, 12, sold=1)]
    assert rest(parts, whole(parts, 10)) == [10, 0]


def test_a_listing_that_would_get_back_what_it_gives_keeps_it() -> None:
    """Half of its 30 is enough for the case, but it sells so fast that it is the one in need again."""
    parts = [seller(30, sold=60), seller(0, 12)]
    assert rest(parts, whole(parts, 30)) == [30, 0]
    parts = [seller(30, sold=60), seller(0, 12, sold=1)]
    assert rest(parts, whole(parts, 30)) == [30, 0]


def test_a_case_gets_half_where_it_is_enough_and_the_giver_has_the_rest() -> None:
    parts = [seller(30, sold=1), seller(0, 12, sold=4)]
    assert rest(parts, whole(parts, 30)) == [18, 12]


def test_a_bundle_that_cannot_sell_its_last_unit_gives_it_to_a_listing_that_can() -> None:
    def last(stalled: bool, other: Seller) -> list[int]:
        bundle = seller(1)
        bundle.stalled = stalled
        parts = [other, bundle]
        return rest(parts, whole(parts, 1))

    assert last(True, seller(0)) == [1, 0]
    assert last(False, seller(0)) == [0, 1]
    another = seller(0)
    another.stalled = False
    assert last(True, another) == [0, 1]  # it may be stalled as well: they would hand it to and fro


def test_nobody_gives_what_was_granted_to_it_just_now() -> None:
    parts = [seller(25), seller(0, 12, sold=9)]
    limits = whole(parts, 35)
    escrow.divide(parts, limits)
    assert [high(one.quota) for one in parts] == [35, 0]
    assert parts[0].aim == 35
    told(parts)
    escrow.divide(parts, limits)
    assert (parts[0].aim, parts[0].held) == (1, 35)
    escrow.divide(parts, limits)
    assert (parts[0].aim, parts[1].aim) == (1, 0)  # before the outcome nothing is granted
    told(parts)
    assert rest(parts, limits) == [11, 24]
