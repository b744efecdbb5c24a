"""What each of BigCommerce's order statuses means for an order (bigcommerce.md 4.2): the ids are fixed, merchants rename labels only. Pure.

Which of them count as paid is a setting (`paid_statuses`): some merchants capture on despatch. Sources: the table of `GET /v2/order_statuses`.
"""

from typing import Final

from tables.orders.lifecycle import Meaning

INCOMPLETE: Final = 0
"""The payment page was reached, nothing more: no order yet."""

MEANINGS: Final[dict[int, Meaning]] = {
    INCOMPLETE: Meaning.WAIT,
    1: Meaning.WAIT,
    2: Meaning.SENT,
    3: Meaning.WANTED,
    4: Meaning.REFUNDED,
    5: Meaning.CANCELLED,
    6: Meaning.CANCELLED,
    7: Meaning.WAIT,
    8: Meaning.WANTED,
    9: Meaning.WANTED,
    10: Meaning.SENT,
    11: Meaning.WANTED,
    12: Meaning.HOLD,
    13: Meaning.HOLD,
    14: Meaning.WANTED,
}

HOLDS: Final[dict[int, str]] = {
    12: "the store wants it verified by hand",
    13: "its payment is disputed",
}
"""Why an order in a status of meaning `HOLD` is held, for people."""

RESTOCKING: Final = (4, 5)
"""Statuses that put stock back where the store is set so (3.9)."""
