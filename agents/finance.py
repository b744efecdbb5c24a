"""The ledger of money beside the orders: a row for each order, an index by day, and a time at which it is judged again. Rules are in `tables/finance`.

It is not an agent of its own: the ORDERS agent hands every event on, so that an order and its money change in one commit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from agents.watch import Watch
from app.engine.api import Context, Table
from schemas.records import ExceptionCommand, ExceptionState, OrderEventBody, ShipmentOutcome, WarehouseOrder
from tables.catalogue import Catalogue
from tables.finance import fold
from tables.finance.facts import standing
from tables.finance.judge import Waits
from tables.finance.rows import MoneyDay, MoneyDue, MoneyRow
from tables.orders.rows import OrderRow
from tables.returns.rows import OrderReturns
from tables.stock.figures import EXCEPTIONS, Parts

DUE_AT_ONCE: Final = 200
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class FinanceTables:
    """In the partition of the order."""

    money: Table[MoneyRow]  # by order key
    days: Table[MoneyDay]  # by day/order key
    due: Table[MoneyDue]  # by time/order key
    returns: Table[OrderReturns]  # by order key; read only


class Finance:
    """One worker's ledger of money."""

    def __init__(self, waits: Waits, tables: FinanceTables, watch: Watch) -> None:
        self._waits, self._tables, self._watch = waits, tables, watch

    def follow(
        self,
        context: Context,
        order: OrderRow,
        body: OrderEventBody | None,
        catalogue: Catalogue,
        now: int,
        before: tuple[str, ...] | None = None,
    ) -> list[ExceptionState]:
        """An event of the order, and of its returns, is folded (None: time passed). `before`: the order's `standing` before that.

        What becomes of a parcel at its storefront moves no money, nor does a word of the warehouse that leaves the order's standing as it was.
        """
        if isinstance(body, ShipmentOutcome) or (isinstance(body, WarehouseOrder) and standing(order) == before):
            return []
        known = context.get(self._tables.money, order.key)
        row = known or fold.new_row(order)
        days, due, encoded, opened = set(row.days), row.due, known and _encode(row), exceptions(row)
        effects = fold.command(row, body, now) if isinstance(body, ExceptionCommand) else []
        book = context.get(self._tables.returns, order.key)
        effects += fold.follow(row, order, book, body, catalogue, self._waits, now)
        if known is not None and _encode(row) == encoded:
            return effects
        if known is None and not row.days:
            return effects
        context.put(self._tables.money, order.key, row)
        for date in set(row.days) - days:
            context.put(self._tables.days, day_key(date, order.key), MoneyDay())
        if row.due != due:
            if due:
                context.delete(self._tables.due, due_key(due, order.key))
            if row.due:
                context.put(self._tables.due, due_key(row.due, order.key), MoneyDue(order.key))
        if exceptions(row) != opened:
            self._watch.adds(context.partition, sum_key(order.key), exceptions(row))
        return effects

    def due(self, context: Context) -> Iterator[str]:
        """Keys of orders that are to be judged again; `follow` does it."""
        for name, one in list(islice(context.scan(self._tables.due), DUE_AT_ONCE)):
            if name >= due_key(context.now_ms + 1, ""):
                return
            context.delete(self._tables.due, name)
            yield one.order_key


def day_key(date: str, order_key: str) -> str:
    """Keys in the order of days."""
    return f"{date}/{order_key}"


def due_key(at: int, order_key: str) -> str:
    """Keys in the order in which they are due."""
    return f"{at:013d}/{order_key}"


def exceptions(row: MoneyRow) -> Parts:
    """What an order's money adds to the sum of open exceptions."""
    return (((EXCEPTIONS, row.exception.type), 1),) if row.exception is not None else ()


def sum_key(order: str) -> str:
    """The name of a money row among all that add to sums."""
    return f"money/{order}"
