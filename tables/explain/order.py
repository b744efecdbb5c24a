"""An order's own rows explained: where it stands, its parcels, returns and money, what is awaited now and until when. Pure; no personal data leaves them."""

from collections.abc import Iterable, Mapping
from typing import Final

from tables.exceptions import CATALOGUE
from tables.explain.order_report import Head, Money, Open, Ordered, Parcel, Returned
from tables.explain.report import Waiting
from tables.finance.rows import MoneyRow
from tables.money import decimal, words
from tables.orders.despatch import shipped_units
from tables.orders.rows import OpenException, OrderRow
from tables.returns.rows import OrderReturns

_AT_WAREHOUSE: Final[Mapping[str, str]] = {
    "RELEASING": "makes the goods out, or refuses it",
    "RELEASED": "allocates it",
    "ALLOCATED": "picks it",
    "PICKING": "despatches it",
    "CANCELLING": "says whether the cancel comes in time: its answer decides",
}


def head(row: OrderRow) -> Head | None:
    """None before its storefront told us of it."""
    seen = row.snapshot
    if seen is None:
        return None
    shipped = shipped_units(row)
    eaches: dict[str, int] = {}
    products: dict[str, str] = {}
    for line_id, demand in row.demands.items():
        own = line_id.partition("/")[0]
        eaches[own] = eaches.get(own, 0) + demand.eaches
        if line_id == own or own not in products:
            products[own] = demand.product
    lines = [
        Ordered(
            line.line_id,
            line.sku,
            line.quantity,
            shipped.get(line.line_id, 0),
            products.get(line.line_id, ""),
            eaches.get(line.line_id, 0),
            "" if line.shippable else "not shipped",
        )
        for line in seen.lines
    ]
    words = {"address": seen.address is not None, "note": bool(seen.note), "gift message": bool(seen.gift)}
    return Head(
        channel=row.channel,
        order_id=row.order_id,
        number=row.number,
        reference=row.reference,
        state=row.state,
        reason=row.reason,
        version=row.version,
        status=seen.status,
        paid=seen.paid,
        cancelled=seen.state == "CANCELLED",
        created_at=seen.created_at,
        modified_at=seen.modified_at,
        shipping_method=seen.shipping_method,
        given=[name for name, there in words.items() if there],
        released=row.released,
        cancel_asked=row.cancel_asked,
        wms_status=row.wms_status,
        lines=lines,
    )


def skus(row: OrderRow) -> list[str]:
    """Products that the order has demand for."""
    return sorted({demand.product for demand in row.demands.values()})


def parcels(row: OrderRow) -> list[Parcel]:
    """In the order in which they were made."""
    return [
        Parcel(
            one.parcel_id,
            one.tracking,
            one.carrier,
            one.service,
            dict(one.contents),
            dict(one.units),
            one.wanted,
            one.state or ("told" if one.sent == one.version else "not told"),
            one.detail,
        )
        for one in row.parcels.values()
    ]


def returns(book: OrderReturns, order: OrderRow) -> list[Returned]:
    """Every return, and authorisations that came to nothing."""
    seen = order.snapshot
    currency, digits = (seen.currency, seen.digits) if seen is not None else ("", 2)
    found: list[Returned] = []
    for one in book.returns.values():
        units: dict[str, int] = {}
        for line in one.lines:
            units[line.line_id] = units.get(line.line_id, 0) + line.units
        refunds = []
        for part in one.parts:
            amount = part.amount + part.by_hand if part.state == "SETTLED" else part.wanted
            state = f"{part.state.lower() or 'asked for'}{f' ({part.detail})' if part.detail else ''}"
            refunds.append(f"{words(amount, currency, digits)} {state}")
        eaches = (dict(one.received), dict(one.restocked), dict(one.quarantined), dict(one.scrapped))
        receipt = one.receipt or ("told" if one.announced else "not announced yet")
        found.append(Returned(one.return_id, one.reference, units, receipt, *eaches, refunds, one.detail))
    for return_id, problem in book.problems.items():
        found.append(Returned(return_id, "", {}, "not announced", {}, {}, {}, {}, [], problem))
    return found


def return_awaits(book: OrderReturns) -> list[Waiting]:
    """What must happen before a return is over; what does not fit is an exception."""
    found: list[Waiting] = []
    for one in book.returns.values():
        if not one.over and one.receipt != "REFUSED":
            what = "what came back is inspected" if one.received else "the goods arrive"
            found.append(Waiting("warehouse", f"return {one.return_id}: {what}"))
        if any(not part.state for part in one.parts):
            found.append(Waiting("delivery", f"return {one.return_id}: its refund is made and shown"))
    return found


def money(row: MoneyRow, order: OrderRow) -> Money | None:
    """None where the storefront tells no amounts."""
    seen = order.snapshot
    if seen is None or not row.currency:
        return None

    def text(amount: int | None) -> str:
        return "not told" if amount is None else decimal(amount, row.digits)

    return Money(
        row.currency,
        text(seen.total),
        text(seen.captured),
        text(seen.refunded),
        row.status,
        list(row.reasons),
        {date: {kind: text(amount) for kind, amount in kinds.items()} for date, kinds in sorted(row.days.items())},
    )


def exceptions(opened: Iterable[OpenException], entity: str) -> list[Open]:
    """Those that the order itself, or its money, has open."""
    return [
        Open(
            f"{one.type}:{one.entity or entity}",
            one.owner,
            one.handling.phase,
            one.detail,
            one.opened_at,
            list(one.handling.history),
        )
        for one in opened
    ]


def awaits(row: OrderRow, early_due: int = 0) -> list[Waiting]:
    """Who must do what next. Empty: the order is over. `early_due`: when a despatch without its order is said to be one."""
    found = [Waiting(one.owner, f"{one.type}: {one.detail}") for one in row.exceptions.values()]
    if row.snapshot is None:
        if row.early is not None:
            found.append(Waiting("storefront", "goods left the warehouse before the order was told", early_due))
        return found
    if row.state == "HELD" and not found:
        what = "confirms the payment" if not row.snapshot.paid else row.reason
        if what in CATALOGUE:
            what = f"changes the order, which is then judged anew: it stays held by {what}, which was resolved by hand"
        found.append(Waiting("storefront", what))
    elif row.state in _AT_WAREHOUSE:
        found.append(Waiting("warehouse", f"it {_AT_WAREHOUSE[row.state]}"))
    elif row.state == "DESPATCHED" and not row.despatch_complete:
        found.append(Waiting("warehouse", "it tells what is in each parcel, or sends the rest"))
    elif row.state == "MANUAL_STOP" and not found:
        found.append(Waiting("warehouse", f"stopped by hand: {row.reason}"))
    return found
