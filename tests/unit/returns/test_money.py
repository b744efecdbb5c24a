"""Money in whole minor units: what a decimal comes to, how an amount is shared out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables import money


@pytest.mark.parametrize(
    ("amount", "digits", "units"),
    [("10.0000", 2, 1000), (0.1, 2, 10), (19.99, 2, 1999), ("1.005", 2, 101), ("1200", 0, 1200), ("1.2345", 3, 1235)],
)
def test_a_decimal_is_a_whole_number_of_minor_units(amount: object, digits: int, units: int) -> None:
    assert money.minor(amount, digits) == units


@pytest.mark.parametrize("amount", ["", "ten", None, "NaN"])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(ValueError, match="no amount"):
        money.minor(amount, 2)


def test_amounts_are_written_as_people_write_them() -> None:
    assert money.words(1999, "EUR", 2) == "19.99 EUR"
    assert (money.digits_of("JPY"), money.decimal(500, 0)) == (0, "500")


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), max_size=12))
def test_an_amount_is_shared_out_to_the_last_unit_and_nobody_gets_more_than_one_above_his_part(
    amount: int, weights: list[int]
) -> None:
    shares = money.spread(amount, weights)
    total = sum(weights)
    assert sum(shares) == (amount if total else 0)
    for share, weight in zip(shares, weights, strict=True):
        assert total == 0 or amount * weight // total <= share <= amount * weight // total + 1


@given(st.lists(st.integers(0, 10**6), max_size=12), st.integers(0, 10**5), st.integers(0, 10**7))
def test_lines_and_shipping_never_cost_more_than_their_order(prices: list[int], shipping: int, total: int) -> None:
    settled = money.settle(prices, shipping, total)
    assert all(0 <= now <= before for now, before in zip(settled, prices, strict=True))
    assert sum(settled) + shipping <= max(total, shipping)
    if sum(prices) + shipping <= total:
        assert settled == prices
