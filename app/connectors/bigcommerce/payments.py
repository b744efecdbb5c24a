"""Money of a BigCommerce order: what its lines cost the customer, what was captured, what was refunded (bigcommerce.md 4.3, 4.4, 6). Pure.

The store keeps no list of charges beside the order that could be read with it: what was captured is the order's total once its status counts as paid and its
payment status does not say otherwise. `refunded_amount` of an order is always 0: refunds are summed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.times import from_iso
from schemas.records import Payment
from tables import money
from tables.money import Amounts

Row = Mapping[str, Any]

NOT_CAPTURED: Final = frozenset(
    {"authorized", "capture pending", "declined", "held for review", "pending", "void", "void pending"}
)
_CAPTURED: Final = frozenset({"captured", "paid", "partially refunded", "refunded"})
"""An order that was cancelled or declined keeps the money until it is refunded."""
_REFUNDED_STATUSES: Final = frozenset({4, 14})
_REFUNDED_PAYMENTS: Final = frozenset({"refunded", "partially refunded"})
MARK: Final = "clarus-stream "
"""Stands before our key in the reason of a refund's items: the only text of ours that a refund keeps."""


def read(order: Row, lines: Sequence[Row], *, paid: bool, refunds: Sequence[Row]) -> Amounts:
    """The money of an order; without a total no amount is told. ValueError where an amount is none."""
    if "total_inc_tax" not in order:
        return Amounts()
    currency = str(order.get("currency_code") or order.get("default_currency_code") or "")
    digits = money.digits_of(currency)

    def amount(of: Row, name: str) -> int:
        return money.minor(of.get(name) or 0, digits)

    total, shipping = amount(order, "total_inc_tax"), amount(order, "shipping_cost_inc_tax")
    beside = shipping + amount(order, "handling_cost_inc_tax") + amount(order, "wrapping_cost_inc_tax")
    costs = [amount(line, "total_inc_tax") for line in lines]
    prices = money.settle(costs, beside, total)
    found = [movement(row, digits) for row in refunds]
    return Amounts(
        currency,
        digits,
        total,
        shipping,
        {str(line["id"]): price for line, price in zip(lines, prices, strict=True)},
        captured(order, total) if paid or refunds or _payment_status(order) in _CAPTURED else 0,
        sum(one.amount for one in found if one.state != "FAILED"),
        found,
    )


def captured(order: Row, total: int) -> int:
    """Of a paid order."""
    return 0 if _payment_status(order) in NOT_CAPTURED else total


def has_refunds(order: Row) -> bool:
    """May the order have refunds? Only then they are asked for."""
    return order.get("status_id") in _REFUNDED_STATUSES or _payment_status(order) in _REFUNDED_PAYMENTS


def _payment_status(order: Row) -> str:
    return str(order.get("payment_status") or "").lower()


def movement(refund: Row, digits: int) -> Payment:
    """One refund. Every payment of it declined: nothing went back."""
    paid_back = refund.get("payments") or []
    declined = bool(paid_back) and all(one.get("is_declined") for one in paid_back)
    items = refund.get("items") or []
    lines: dict[str, int] = {}
    for item in items:
        if item.get("item_type") == "PRODUCT" and item.get("quantity"):
            name = str(item["item_id"])
            lines[name] = lines.get(name, 0) + int(item["quantity"])
    return Payment(
        payment_id=str(refund["id"]),
        kind="REFUND",
        state="FAILED" if declined else "DONE",
        amount=money.minor(refund["total_amount"], digits),
        at=from_iso(str(refund["created"])) if refund.get("created") else 0,
        key=next((key for item in items if (key := key_in(item.get("reason")))), "") or key_in(refund.get("reason")),
        lines=lines,
    )


def key_in(reason: object) -> str:
    """Our key in a reason; empty where there is none."""
    text = str(reason or "")
    return text.removeprefix(MARK).split(" ", 1)[0].rstrip(":") if text.startswith(MARK) else ""
