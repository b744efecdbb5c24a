"""R4: the formula, its clamps, and that a storefront's own sales cancel out."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.catalogue import Policy
from tables.stock.target import Offer, offer, priority_of, units_of

NONE = Decimal(0)


@pytest.mark.parametrize(
    ("policy", "base", "eaches", "units"),
    [
        (Policy(), 10, 1, 10),
        (Policy(), 25, 12, 2),
        (Policy(share=Decimal("0.5")), 7, 1, 3),
        (Policy(percent=Decimal(10)), 9, 1, 8),
        (Policy(share=Decimal("0.5"), percent=Decimal(10), buffer=1), 10, 1, 3),
        (Policy(share=Decimal("0.3")), 10, 1, 3),
        (Policy(buffer=3), 10, 1, 7),
        (Policy(max=4), 10, 1, 4),
        (Policy(min_to_list=5), 5, 1, 5),
        (Policy(min_to_list=5), 4, 1, -1),
        (Policy(share=Decimal("0.5"), buffer=2), -3, 1, -5),
        (Policy(), -1, 12, -1),
    ],
)
def test_the_formula(policy: Policy, base: int, eaches: int, units: int) -> None:
    assert units_of(base, policy, eaches, NONE) == units


def test_velocity_is_taken_off_before_the_one_floor() -> None:
    assert units_of(10, Policy(share=Decimal("0.55")), 1, Decimal("0.5")) == 5


policies = st.builds(
    Policy,
    share=st.decimals(0, 1, places=3),
    percent=st.decimals(0, 100, places=2),
    buffer=st.integers(0, 9),
    min_to_list=st.integers(0, 9),
    max=st.none() | st.integers(0, 50),
)


@given(policy=policies, base=st.integers(-50, 200), eaches=st.integers(1, 24))
def test_the_arithmetic_is_exact(policy: Policy, base: int, eaches: int) -> None:
    x = Fraction(base)
    if base > 0:
        x = x * Fraction(policy.share) * (100 - Fraction(policy.percent)) / 100
    x -= policy.buffer
    if policy.max is not None:
        x = min(x, Fraction(policy.max))
    if x < policy.min_to_list:
        x -= policy.min_to_list
    assert units_of(base, policy, eaches, NONE) == floor(x / eaches)


@given(policy=policies, base=st.integers(-50, 200), eaches=st.integers(1, 24), taken=st.integers(-5, 50))
def test_more_stock_never_offers_less(policy: Policy, base: int, eaches: int, taken: int) -> None:
    less, more = offer(base, policy, eaches, taken, NONE), offer(base + 1, policy, eaches, taken, NONE)
    assert less.inc <= more.inc and less.dec <= more.dec and less.available <= more.available


@given(base=st.integers(-20, 100), eaches=st.integers(1, 12), taken=st.integers(0, 50), sold=st.integers(1, 9))
def test_a_storefronts_own_sale_moves_neither_figure_of_an_open_listing(
    base: int, eaches: int, taken: int, sold: int
) -> None:
    before = offer(base, Policy(), eaches, taken, NONE)
    after = offer(base - sold * eaches, Policy(), eaches, taken + sold, NONE)
    assert after.inc == before.inc
    if after.inc >= taken + sold:
        assert after.dec == before.dec


@given(policy=policies, base=st.integers(-50, 200), taken=st.integers(-5, 50))
def test_the_clamp_at_zero_limits_decreases_only(policy: Policy, base: int, taken: int) -> None:
    found = offer(base, policy, 1, taken, NONE)
    assert found.inc == units_of(base, policy, 1, NONE) + taken
    assert found.dec == max(found.inc, taken)
    assert found.to_zero == (found.dec <= taken)
    assert found.available == max(0, found.inc - taken)


def test_a_peer_that_does_not_decrement_is_told_the_figure_itself() -> None:
    assert offer(7, Policy(), 1, 0, NONE, decrements=False) == Offer(7, 7, False, 7)
    assert offer(-2, Policy(), 1, 0, NONE, decrements=False) == Offer(0, 0, True, 0)


@pytest.mark.parametrize(
    ("before", "after", "priority"),
    [
        (9, Offer(5, 5, True, 0), 1),
        (9, Offer(8, 8, False, 3), 1),
        (9, Offer(8, 8, False, 8), 4),
        (9, Offer(12, 12, False, 3), 5),
        (9, Offer(9, 9, False, 9), 5),
    ],
)
def test_urgency(before: int, after: Offer, priority: int) -> None:
    assert priority_of(before, after) == priority
