"""What is known of an order's money and goods now, from its rows: the sums that rules judge, and the facts that are booked. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.records import OrderLine, OrderSnapshot
from tables.catalogue import Catalogue
from tables.finance.rows import Kind, MoneyRow
from tables.orders.demand import read
from tables.orders.despatch import needs_of, shipped_units
from tables.orders.rows import OrderRow
from tables.returns.amounts import price_of
from tables.returns.rows import OrderReturns

BACK: Final = frozenset({"REFUND", "CHARGEBACK"})
REFUND: Final = "refund_mismatch"


class Fact(NamedTuple):
    """An amount of one kind under one name; `at`: its own time in milliseconds, 0 where it has none."""

    name: str
    kind: Kind
    amount: int
    at: int = 0


class Facts(msgspec.Struct, frozen=True):
    """Minor units. `told`: the storefront tells amounts; `keeps`: the value of what the customer has or will have, if nothing comes back.

    `returned`: the price of the units that were inspected; `back`: what goes back for them.
    """

    currency: str
    digits: int
    told: bool
    total: int
    captured: int
    refunded: int
    charged_back: int
    pending: int  # refunds that are asked for and not made
    despatched: int
    keeps: int
    unsent: int  # ordered, and the warehouse closed the order without it
    returned: int
    back: int
    coming: bool  # a return is on its way, or its refund
    refund_mismatch: str  # what the rules of returns say of the refunds
    agreed: bool  # to be sent before it is paid
    cancelled: bool
    state: str
    reason: str
    at_warehouse: bool
    nothing_to_send: bool
    complete: bool  # nothing more will leave
    foreign: tuple[str, ...]  # other currencies in which money moved


def standing(order: OrderRow) -> tuple[str, ...]:
    """What of the order's own state counts for its money, beside what its storefront tells: where the warehouse's word leaves it as it is, nothing changes."""
    mismatch = order.exceptions.get(REFUND)
    where = "" if _at_warehouse(order) else f"{order.state}/{order.reason}"
    return where, mismatch.detail if mismatch is not None else ""


def _at_warehouse(order: OrderRow) -> bool:
    return order.released and order.state not in ("HELD", "CANCELLED")


def facts(
    order: OrderRow, seen: OrderSnapshot, book: OrderReturns | None, money: MoneyRow, catalogue: Catalogue
) -> Facts:
    """Everything that is known now."""
    lines = {line.line_id: line for line in seen.lines}
    shipped, unsent = _shipped(order, seen, lines, catalogue)
    whole = seen.total - unsent
    despatched = (whole if order.despatch_complete else shipped) if shipped else 0
    cancelled, nothing_to_send = seen.state == "CANCELLED", order.state == "IGNORED"
    charged_back = sum(one.amount for one in seen.payments if one.kind == "CHARGEBACK" and one.state != "FAILED")
    opened = order.exceptions.get(REFUND)
    return Facts(
        currency=money.currency,
        digits=money.digits,
        told=bool(seen.currency) and seen.captured is not None,
        total=seen.total,
        captured=seen.captured or 0,
        refunded=(seen.refunded or 0) - charged_back,
        charged_back=charged_back,
        pending=sum(one.amount for one in seen.payments if one.kind == "REFUND" and one.state == "PENDING"),
        despatched=despatched,
        keeps=despatched if cancelled else whole,
        unsent=unsent,
        returned=_value(lines.values(), book.units) if book is not None else 0,
        back=_back(book),
        coming=_coming(book),
        refund_mismatch=opened.detail if opened is not None else "",
        agreed=seen.agreed,
        cancelled=cancelled,
        state=order.state,
        reason=order.reason,
        at_warehouse=_at_warehouse(order),
        nothing_to_send=nothing_to_send,
        complete=order.despatch_complete or nothing_to_send,
        foreign=_foreign(seen, money),
    )


def booked(seen: OrderSnapshot, found: Facts) -> list[Fact]:
    """What is to be in the ledger now. Payments that the storefront lists are booked one by one; the rest of its sums under the sum's own name."""
    facts = [Fact("ordered", "ordered", found.keeps if found.cancelled else found.total, seen.created_at)]
    if found.told:
        charges = [one for one in seen.payments if one.kind == "CHARGE" and one.state == "DONE"]
        back = [one for one in seen.payments if one.kind in BACK and one.state != "FAILED"]
        facts += [Fact(f"charge/{one.payment_id}", "captured", one.amount, one.at) for one in charges]
        facts.append(Fact("captured", "captured", found.captured - sum(one.amount for one in charges)))
        for one in back:
            kind: Kind = "refunded" if one.kind == "REFUND" else "charged_back"
            facts.append(Fact(f"{kind}/{one.payment_id}", kind, one.amount, one.at))
        listed = sum(one.amount for one in back if one.kind == "REFUND")
        facts.append(Fact("refunded", "refunded", found.refunded - listed))
    facts.append(Fact("despatched", "despatched", found.despatched))
    facts.append(Fact("returned", "returned", found.returned))
    return facts


def _shipped(
    order: OrderRow, seen: OrderSnapshot, lines: Mapping[str, OrderLine], catalogue: Catalogue
) -> tuple[int, int]:
    """What the parcels hold is worth, and what of the order the warehouse closed it without."""
    units = shipped_units(order)
    if not units:
        return 0, 0
    wanted = [lines[need.line_id] for need in needs_of(seen, read(seen, catalogue), catalogue)]
    shipped = _value(wanted, units)
    return shipped, sum(line.price for line in wanted) - shipped if order.despatch_complete and shipped else 0


def _value(lines: Iterable[OrderLine], units: Mapping[str, int]) -> int:
    return sum(price_of(line, units.get(line.line_id, 0)) for line in lines)


def _back(book: OrderReturns | None) -> int:
    """What was settled counts with what was refunded for it, by us or by hand."""
    parts = [part for one in book.returns.values() for part in one.parts] if book is not None else []
    return sum(part.amount + part.by_hand if part.state == "SETTLED" else part.wanted for part in parts)


def _coming(book: OrderReturns | None) -> bool:
    returns = list(book.returns.values()) if book is not None else []
    return any(not one.over or any(part.state != "SETTLED" for part in one.parts) for one in returns)


def _foreign(seen: OrderSnapshot, money: MoneyRow) -> tuple[str, ...]:
    found = {*seen.foreign, *({seen.currency} if money.currency and seen.currency else ())} - {money.currency}
    return tuple(sorted(found))
