"""The returns side of the ORDERS agent: which events concern an order's returns, and where their row lies. Every rule is in `tables/returns`."""

from app.engine.api import Batch, Table
from schemas.records import (
    AnnounceReturn,
    AuthoriseReturn,
    ExceptionCommand,
    OrderSnapshot,
    Record,
    RefundOutcome,
    SettleReturn,
    WarehouseDespatch,
    WarehouseReturn,
)
from tables.orders.effects import Effect as OrderEffect
from tables.orders.exceptions import judge
from tables.orders.rows import OrderRow
from tables.returns import fold
from tables.returns.fold import ReturnRules
from tables.returns.mismatch import mismatch
from tables.returns.rows import OrderReturns

MISMATCH = "refund_mismatch"
ReturnEvent = AuthoriseReturn | WarehouseReturn | RefundOutcome
Effect = OrderEffect | AnnounceReturn | SettleReturn


class Returns:
    """Folds what concerns returns, after the order's own fold of the same event."""

    def __init__(self, rules: ReturnRules, table: Table[OrderReturns]) -> None:
        self._rules, self._table = rules, table

    def fold(self, batch: Batch, key: str, row: OrderRow, body: Record, now: int) -> list[Effect]:
        """What follows for returns and refunds; nothing, without a look at the table, for the events of an order that has none."""
        match body:
            case OrderSnapshot():
                if not (body.returns or body.refunded or MISMATCH in row.exceptions):
                    return []
            case WarehouseDespatch() | AuthoriseReturn() | WarehouseReturn() | RefundOutcome():
                pass
            case ExceptionCommand():
                if not body.exception_id.startswith(f"{MISMATCH}:"):
                    return []
            case _:
                return []
        book = batch.get(self._table, key)
        if book is None:
            if isinstance(body, WarehouseDespatch):
                return []
            book = OrderReturns()
        effects = self._apply(row, book, body, now)
        batch.put(self._table, key, book)
        return [*effects, *judge(row, MISMATCH, mismatch(row, book), now)]

    def _apply(self, row: OrderRow, book: OrderReturns, body: Record, now: int) -> list[Effect]:
        rules = self._rules
        match body:
            case AuthoriseReturn():
                return [*fold.authorise(row, book, body, rules, now)]
            case WarehouseReturn():
                return [*fold.warehouse(row, book, body, rules, now)]
            case RefundOutcome():
                fold.settled(book, body)
                return []
            case ExceptionCommand():
                if body.action == "resolve":
                    book.accepted = mismatch(row, book)
                    fold.dismiss(book)
                return [*fold.retry(row, book, rules, now)] if body.action == "retry" else []
            case _:
                return [*fold.shown(row, book, rules, now)]
