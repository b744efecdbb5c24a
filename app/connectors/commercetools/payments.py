"""Money of a commercetools order: what its lines cost the customer, what was captured and refunded (fact sheet 5.2, 7). Pure.

Payments are resources of their own; they are known where the order was read with `EXPAND`. The order's `paymentState` is a label and no money.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.times import from_iso
from schemas.records import Payment, PaymentKind, PaymentState
from tables import money
from tables.money import Amounts

Doc = Mapping[str, Any]

EXPAND: Final = "paymentInfo.payments[*]"
RETURN_UNDECIDED: Final = frozenset({"NonRefundable", "Initial"})
"""Payment states of a return item that nobody has decided about."""
_KINDS: Final[Mapping[str, PaymentKind]] = {"Charge": "CHARGE", "Refund": "REFUND", "Chargeback": "CHARGEBACK"}
"""Authorisations move no money."""
_STATES: Final[Mapping[str, PaymentState]] = {
    "Initial": "PENDING",
    "Pending": "PENDING",
    "Success": "DONE",
    "Failure": "FAILED",
}


def read(order: Doc) -> Amounts:
    """The money of an order; without a total no amount is told. KeyError or TypeError where it is not as documented."""
    total = order.get("totalPrice")
    if not total:
        return Amounts()
    currency, digits = str(total["currencyCode"]), int(total.get("fractionDigits", 2))
    whole = _gross(order, total)
    lines = [*order.get("lineItems", []), *order.get("customLineItems", [])]
    costs = [_gross(line, line.get("totalPrice") or {}) for line in lines]
    shipping = sum(_shipping(info) for info in _shipping_infos(order))
    prices = money.settle(costs, shipping, whole)
    found = movements(shown(order), currency)
    return Amounts(
        currency,
        digits,
        whole,
        shipping,
        {str(line["id"]): price for line, price in zip(lines, prices, strict=True)},
        None if found is None else captured(found),
        None if found is None else gone_back(found),
        found or [],
        foreign(shown(order), currency),
    )


def shown(order: Doc) -> list[Doc] | None:
    """The order's payments as resources; None where it has none or they were not expanded."""
    given = (order.get("paymentInfo") or {}).get("payments") or []
    expanded = [payment["obj"] for payment in given if payment.get("obj")]
    return expanded if expanded and len(expanded) == len(given) else None


def movements(payments: Sequence[Doc] | None, currency: str) -> list[Payment] | None:
    """Every movement of money of these payments in this currency."""
    if payments is None:
        return None
    return [
        Payment(
            payment_id=str(one["id"]),
            kind=_KINDS[one["type"]],
            state=_STATES[one["state"]],
            amount=int(one["amount"]["centAmount"]),
            at=from_iso(one["timestamp"]) if one.get("timestamp") else 0,
            key=str(one.get("interactionId") or ""),
        )
        for payment in payments
        for one in payment["transactions"]
        if one["type"] in _KINDS and one["amount"]["currencyCode"] == currency
    ]


def foreign(payments: Sequence[Doc] | None, currency: str) -> list[str]:
    """Other currencies in which money moved."""
    moved = (one for payment in payments or () for one in payment["transactions"] if one["type"] in _KINDS)
    return sorted({str(one["amount"]["currencyCode"]) for one in moved} - {currency})


def captured(found: Sequence[Payment]) -> int:
    """What was captured for certain."""
    return sum(one.amount for one in found if one.kind == "CHARGE" and one.state == "DONE")


def gone_back(found: Sequence[Payment]) -> int:
    """What went back to the customer or is on its way."""
    return sum(one.amount for one in found if one.kind != "CHARGE" and one.state != "FAILED")


def _gross(of: Doc, plain: Doc) -> int:
    """With tax where the tax was calculated, else as it stands."""
    taxed = (of.get("taxedPrice") or {}).get("totalGross")
    return int((taxed or plain).get("centAmount", 0))


def _shipping_infos(order: Doc) -> list[Doc]:
    infos = [order.get("shippingInfo"), *(one.get("shippingInfo") for one in order.get("shipping") or [])]
    return [info for info in infos if info]


def _shipping(info: Doc) -> int:
    discounted = (info.get("discountedPrice") or {}).get("value")
    return _gross(info, discounted or info.get("price") or {})
