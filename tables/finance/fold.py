"""The ledger of money folded: after every event of an order its facts are booked on their days, and what does not fit becomes an exception. Pure.

Booking is by difference: a fact that is known with another amount adds what changed, on the day on which that happened. So whatever comes in whatever order,
the days of a kind always come to what is known of it.
"""

from datetime import date
from functools import lru_cache
from typing import Final

from schemas.records import (
    ExceptionCommand,
    ExceptionState,
    OrderEventBody,
    OrderSnapshot,
    WarehouseDespatch,
    WarehouseReturn,
)
from tables.catalogue import Catalogue
from tables.finance.facts import Fact, booked, facts
from tables.finance.judge import TYPE, Waits, judge
from tables.finance.rows import MoneyRow
from tables.orders import exceptions
from tables.orders.rows import OpenException, OrderRow
from tables.returns.rows import OrderReturns

OWNER: Final = "finance"
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


def new_row(order: OrderRow) -> MoneyRow:
    """Of an order nothing was booked for yet."""
    return MoneyRow(order.channel, order.order_id, order.number, order.reference)


def follow(
    row: MoneyRow,
    order: OrderRow,
    book: OrderReturns | None,
    body: OrderEventBody | None,
    catalogue: Catalogue,
    waits: Waits,
    now: int,
) -> list[ExceptionState]:
    """Bring the row up to date after an event of the order (None: time passed). Nothing is booked before the storefront told of the order."""
    seen = order.snapshot
    if seen is None:
        return []
    row.number, row.reference = seen.number, order.reference
    if not row.currency:
        row.currency, row.digits = seen.currency, seen.digits
    row.days.setdefault(day(seen.created_at), {})
    found = facts(order, seen, book, row, catalogue)
    if seen.currency == row.currency:
        _book(row, booked(seen, found), _time(body, now))
    verdict = judge(row, found, waits, now)
    row.status, row.reasons, row.due = verdict.status, verdict.reasons, verdict.due
    return _exception(row, verdict.exception, now)


def command(row: MoneyRow, given: ExceptionCommand, now: int) -> list[ExceptionState]:
    """An operator did something about finance's exception. What is resolved by hand is accepted: the same text is not opened again."""
    known = row.exception
    if known is None or given.exception_id.partition(":")[0] != TYPE:
        return []
    known.handling.note(now, given.action, given.actor, given.reason)
    if given.action == "resolve":
        row.exception, row.accepted = None, known.detail
    return [_state(row, known, now)]


def day(at: int) -> str:
    """The UTC date of a time in milliseconds."""
    return _date(at // _DAY_MS)


@lru_cache(1024)
def _date(number: int) -> str:
    return date.fromordinal(_EPOCH + number).isoformat()


def _time(body: OrderEventBody | None, now: int) -> int:
    """When what the event tells happened."""
    match body:
        case OrderSnapshot():
            return body.modified_at
        case WarehouseDespatch() | WarehouseReturn():
            return body.read_at
        case _:
            return now


def _book(row: MoneyRow, wanted: list[Fact], at: int) -> None:
    known = {fact.name: fact for fact in wanted}
    for name in [*known, *(name for name in row.booked if name not in known)]:
        fact = known.get(name)
        amount, before = fact.amount if fact is not None else 0, row.booked.get(name)
        if amount == (before or 0):
            continue
        own = fact.at if fact is not None and before is None else 0
        kind = fact.kind if fact is not None else _kind(name)
        _add(row, day(own or at), kind, amount - (before or 0))
        if fact is None:
            del row.booked[name]
        else:
            row.booked[name] = amount


def _kind(name: str) -> str:
    head = name.partition("/")[0]
    return "captured" if head == "charge" else head


def _add(row: MoneyRow, date: str, kind: str, amount: int) -> None:
    kinds = row.days.setdefault(date, {})
    kinds[kind] = kinds.get(kind, 0) + amount
    if not kinds[kind]:
        del kinds[kind]


def _exception(row: MoneyRow, detail: str, now: int) -> list[ExceptionState]:
    """Open it with this text, change its text, or resolve it where the text is empty."""
    news = exceptions.follow(row.exception, TYPE, OWNER, row.entity, detail, now)
    if news is None:
        return []
    row.exception = news if detail else None
    return [_state(row, news, now)]


def _state(row: MoneyRow, known: OpenException, now: int) -> ExceptionState:
    """It keeps the name that its order had when it was opened."""
    return exceptions.public_state(known, row.key, known.entity, now)
