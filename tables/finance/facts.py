"""What is known of an order's money and goods now, from its row: the sums that rules judge, and the facts that are booked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.records import OrderLine, OrderSnapshot
from tables.catalogue import Catalogue
from tables.finance.rows import Kind, MoneyRow, ReturnMoney
from tables.orders.demand import read
from tables.orders.despatch import Need, needs_of, shipped_units
from tables.orders.rows import OrderRow

BACK: Final = frozenset({"REFUND", "CHARGEBACK"})


class Fact(NamedTuple):
    """An amount of one kind under one name; `at`: its own time in milliseconds, 0 where it has none."""

    name: str
    kind: Kind
    amount: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Minor units. `told`: the storefront tells amounts; `keeps`: the value of what the customer has or will have, if nothing comes back.

    `returned` arrived at the warehouse; `back` of it is to be refunded, or was settled otherwise; `coming` is authorised and did not arrive.
    """

    currency: str
    digits: int
    told: bool
    total: int
    shipping: int
    captured: int
    refunded: int
    charged_back: int
    pending: int  # refunds that are asked for and not made
    despatched: int
    keeps: int
    unsent: int  # ordered, and the warehouse closed the order without it
    returned: int
    back: int
    coming: int
    cancelled: bool
    state: str
    reason: str
    at_warehouse: bool
    nothing_to_send: bool
    complete: bool  # nothing more will leave
    foreign: tuple[str, ...]  # other currencies in which money moved


def facts(row: OrderRow, seen: OrderSnapshot, money: MoneyRow, catalogue: Catalogue) -> Facts:
    """Everything that is known now."""
    needs = needs_of(seen, read(seen, catalogue), catalogue)
    lines = {line.line_id: line for line in seen.lines}
    wanted = [lines[need.line_id] for need in needs]
    shipped = value(wanted, shipped_units(row))
    unsent = sum(line.price for line in wanted) - shipped if row.despatch_complete and shipped else 0
    whole = seen.total - unsent
    despatched = (whole if row.despatch_complete else shipped) if shipped else 0
    nothing_to_send = row.state == "IGNORED"
    cancelled = seen.state == "CANCELLED"
    returns = list(money.returns.values())
    open_returns = [one for one in returns if not one.settled]
    settled = sum(amount for one in returns for amount in one.settled.values())
    charged_back = sum(one.amount for one in seen.payments if one.kind == "CHARGEBACK" and one.state != "FAILED")
    return Facts(
        currency=money.currency or seen.currency,
        digits=money.digits,
        told=bool(seen.currency) and seen.captured is not None,
        total=seen.total,
        shipping=seen.shipping_price,
        captured=seen.captured or 0,
        refunded=(seen.refunded or 0) - charged_back,
        charged_back=charged_back,
        pending=sum(one.amount for one in seen.payments if one.kind == "REFUND" and one.state == "PENDING"),
        despatched=despatched,
        keeps=despatched if cancelled else whole,
        unsent=unsent,
        returned=value(wanted, arrived(needs, returns)),
        back=settled + value(wanted, arrived(needs, open_returns)),
        coming=value(wanted, _coming(seen, money)),
        cancelled=cancelled,
        state=row.state,
        reason=row.reason,
        at_warehouse=row.released and row.state not in ("HELD", "CANCELLED"),
        nothing_to_send=nothing_to_send,
        complete=row.despatch_complete or nothing_to_send,
        foreign=_foreign(seen, money),
    )


def booked(row: OrderRow, seen: OrderSnapshot, found: Facts) -> list[Fact]:
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


def value(lines: Sequence[OrderLine], units: Mapping[str, int]) -> int:
    """What so many units of the lines cost the customer: exact for whole lines, rounded down for a part of one."""
    return sum(
        line.price * min(line.quantity, units.get(line.line_id, 0)) // line.quantity
        for line in lines
        if line.quantity > 0
    )


def arrived(needs: Sequence[Need], returns: Sequence[ReturnMoney]) -> dict[str, int]:
    """Selling units by line that the eaches of these returns complete."""
    left: dict[str, int] = {}
    for one in returns:
        for code, eaches in one.received.items():
            left[code] = left.get(code, 0) + eaches
    units: dict[str, int] = {}
    for need in needs:
        whole = min((left.get(code, 0) // each for code, each in need.eaches.items()), default=0)
        units[need.line_id] = taken = max(0, min(need.units, whole))
        for code, each in need.eaches.items():
            left[code] = left.get(code, 0) - taken * each
    return units


def _coming(seen: OrderSnapshot, money: MoneyRow) -> dict[str, int]:
    """Units by line that are authorised to come back and did not arrive."""
    units: dict[str, int] = {}
    for authorised in seen.returns:
        known = money.returns.get(authorised.return_id)
        if authorised.open and (known is None or not known.received):
            for line in authorised.lines:
                units[line.line_id] = units.get(line.line_id, 0) + line.units
    by_sku = {line.sku: line.line_id for line in reversed(seen.lines)}
    for one in money.returns.values():
        for sku, count in one.authorised.items() if not one.received else ():
            line_id = by_sku.get(sku, "")
            units[line_id] = units.get(line_id, 0) + count
    return units


def _foreign(seen: OrderSnapshot, money: MoneyRow) -> tuple[str, ...]:
    found = {*seen.foreign, *({seen.currency} if money.currency and seen.currency else ())} - {money.currency}
    return tuple(sorted(found))
