"""The printed steps of a formula, done one after the other, come to the figure that the rules compute."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.catalogue import Policy
from tables.explain.report import Term
from tables.explain.terms import apply, offer_terms, quota_terms, text, unions
from tables.stock.pool import key_of, pool
from tables.stock.target import offer

EACHES = st.integers(-500, 500)
WAREHOUSES = st.frozensets(st.sampled_from(["A", "B", "C", "D"]), min_size=1)


def recompute(terms: list[Term]) -> dict[str, int]:
    """What a person with pen and paper comes to, from operation and operand alone; every step's own result must agree."""
    value, found = Decimal(0), dict[str, int]()
    for term in terms:
        value = apply(term.operation, Decimal(term.operand), value)
        assert text(value) == term.result, term.name
        if value == value.to_integral_value():
            found[term.name] = int(value)
    return found


@given(
    base=EACHES,
    share=st.decimals(0, 1, places=3),
    percent=st.decimals(0, 100, places=2),
    buffer=st.integers(0, 50),
    seconds=st.integers(0, 600),
    speed=st.integers(0, 40),
    least=st.integers(0, 30),
    most=st.none() | st.integers(0, 200),
    eaches=st.integers(1, 24),
    taken=st.integers(0, 300),
    decrements=st.booleans(),
)
def test_the_steps_come_to_the_offer(
    base: int,
    share: Decimal,
    percent: Decimal,
    buffer: int,
    seconds: int,
    speed: int,
    least: int,
    most: int | None,
    eaches: int,
    taken: int,
    decrements: bool,
) -> None:
    policy = Policy(share=share, percent=percent, buffer=buffer, velocity=seconds, min_to_list=least, max=most)
    velocity = Decimal(seconds * speed * 1000) / 30_000
    figures = offer(base, policy, eaches, taken, velocity, decrements)
    found = recompute(offer_terms(base, policy, eaches, taken, velocity, decrements))
    if decrements:
        assert (found["taken = inc"], found["dec"]) == (figures.inc, figures.dec)
    else:
        assert found["inc = dec"] == figures.inc == figures.dec
    assert max(0, found["units"]) == figures.available


def test_a_quota_stands_in_place_of_the_pools_figure() -> None:
    policy = Policy(percent=Decimal(10), buffer=2, max=5)
    found = recompute(quota_terms(40, policy, 9, 11, Decimal(0)))
    assert (found["units"], found["quota = inc"], found["dec"]) == (34, 9, 11), (
        "of 40: 10 % and 2 kept back once; then the listing's part"
    )


@given(
    free=st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), EACHES),
    demand=st.dictionaries(st.frozensets(st.sampled_from(["A", "B", "C", "D"])).map(key_of), st.integers(0, 90)),
    wanted=WAREHOUSES,
)
def test_the_least_union_is_the_pool(free: dict[str, int], demand: dict[str, int], wanted: frozenset[str]) -> None:
    rows = unions(free, demand, wanted)
    assert rows[0].left == pool(free, demand, wanted)
    for row in rows:
        assert row.left == row.free - row.demand
        assert wanted <= set(row.warehouses)


def test_an_operation_nobody_knows_is_no_step() -> None:
    with pytest.raises(KeyError):
        apply("plus", Decimal(1), Decimal(1))


@pytest.mark.parametrize(
    ("value", "shown"), [("10", "10"), ("1E+2", "100"), ("1.500", "1.5"), ("-0.10", "-0.1"), ("0", "0")]
)
def test_decimals_are_written_out(value: str, shown: str) -> None:
    assert text(Decimal(value)) == shown
