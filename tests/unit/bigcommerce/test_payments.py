"""What a BigCommerce order says was captured, by its status and its payment status."""

import pytest

from app.connectors.bigcommerce import payments


@pytest.mark.parametrize(
    ("payment", "paid", "captured"),
    [
        ("", True, 1999),
        ("authorized", True, 0),
        ("captured", True, 1999),
        ("", False, 0),
        ("pending", False, 0),
        ("void", False, 0),
        ("captured", False, 1999),
        ("Partially Refunded", False, 1999),
    ],
)
def test_a_cancelled_order_keeps_what_was_captured_until_it_is_refunded(
    payment: str, paid: bool, captured: int
) -> None:
    order = {"total_inc_tax": "19.9900", "currency_code": "GBP", "payment_status": payment}
    found = payments.read(order, [], paid=paid, refunds=())
    assert (found.captured, found.currency, found.total) == (captured, "GBP", 1999)
