"""What commercetools' order and payment states mean for an order (fact sheet 5.1, 7). Pure.

The payment state is a label that integrations set, absent until one does; which labels count as paid is a setting (`paid_states`). The shipment state says what
we or others told the project and decides nothing here.
"""

from typing import Final

from tables.orders.lifecycle import Meaning

ORDER_STATES: Final[dict[str, Meaning]] = {
    "Open": Meaning.WANTED,
    "Confirmed": Meaning.WANTED,
    "Complete": Meaning.SENT,
    "Cancelled": Meaning.CANCELLED,
}

PAYMENT_STATES: Final[dict[str, Meaning]] = {
    "BalanceDue": Meaning.WAIT,
    "Pending": Meaning.WAIT,
    "CreditOwed": Meaning.WAIT,
    "Paid": Meaning.WANTED,
    "Failed": Meaning.HOLD,
}
