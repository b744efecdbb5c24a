"""The refund side of a storefront's owner: every inspected part of a return is refunded once, and the storefront's own return items say what became of them.

What to do about a part is decided by `tables/deliveries/refunds.py`. Here one order is worked on at a time, as storefronts want it: look, commit the intent,
write, look again; at the end the return's items are brought to their states, and only then ORDERS is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownPayments, Storefront
from app.connectors.errors import PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.order_desk import OrderDesk
from app.engine.api import Context
from schemas.records import RefundOutcome, SettleReturn
from tables.deliveries import refunds as rules
from tables.deliveries.refunds import Refund, RefundRow, Refuse, Settled, Wait

ORDERS_AT_ONCE: Final = 4
REFUNDS: Final = Priority.DESPATCH


@dataclass(frozen=True, slots=True)
class Write:
    """One request that was decided and whose intent is committed."""

    key: str
    command: SettleReturn
    step: Refund


class RefundDesk(OrderDesk[RefundRow, RefundOutcome]):
    """Refunds of one channel."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        level = desk.settings.delivery.refund_level
        super().__init__(desk, connector, "refund", desk.tables.refunds, rules, ORDERS_AT_ONCE, level)

    async def _is_late(self, order_id: str) -> None:
        detail = (
            f"a return was inspected and its refund is not confirmed after {self._level // 1000} s: it is tried on;"
            " see the payment provider and the channel in `clarus-stream doctor`"
        )
        await self._complain("refund_mismatch", self._late_entity(order_id), detail)

    def _is_over(self, context: Context, emit: Emitter, order_id: str, rows: Sequence[RefundRow]) -> None:
        self._desk.resolve_trouble(context, emit, "refund_mismatch", self._late_entity(order_id))

    def _late_entity(self, order_id: str) -> str:
        """Beside the order's own exceptions, which have its plain name."""
        return f"{self._desk.channel}:{order_id}/refund"

    async def _bring_about(self, order_id: str) -> None:
        await self._finish(order_id, await self._pay_back(order_id))

    async def _pay_back(self, order_id: str) -> list[RefundRow]:
        """Look and write until every part is settled, waits, or is held back; the rows as they are then."""
        rows = await self._desk.commit(lambda context, _: self._all(context, order_id))
        while any(row.next_at <= self._desk.now() for row in _unsettled(rows)):
            looked_at = self._desk.now()
            shown = await doing("read_payments", self._connector.payments(order_id, REFUNDS))
            write, rows = await self._desk.commit(
                partial(self._look, order_id=order_id, shown=shown, looked_at=looked_at)
            )
            if write is None or shown is None:
                break
            rows = await self._write(order_id, write, shown)
        return rows

    def _look(
        self, context: Context, emit: Emitter, order_id: str, shown: ShownPayments | None, looked_at: int
    ) -> tuple[Write | None, list[RefundRow]]:
        """Fold a look: what it shows is settled, the first write that is due begins. None: nothing is to be written now. With the rows."""
        rows, table = self._all(context, order_id), self._table
        for row in _unsettled(rows):
            if shown is None:
                self._tell(context, emit, row, rules.refused(row, "the storefront has no such order"))
                continue
            if row.next_at > context.now_ms:
                continue
            siblings = [one for one in rows if one is not row]
            step = rules.next_step(row, shown.captured, shown.refunds, siblings, looked_at, self._late, context.now_ms)
            match step:
                case Settled():
                    rules.settled(row, step)
                    context.put(table, row.key, row)
                case Wait():
                    rules.waited(row, step.until)
                    context.put(table, row.key, row)
                case Refuse():
                    self._tell(context, emit, row, rules.refused(row, step.detail, step.failed))
                case Refund() if not self._desk.may_change(context):
                    self._worklist.park(order_id)
                case Refund() if row.command is not None:
                    if row.attempts == 0:
                        self._desk.sent(row.caused_at)
                    rules.begin(row, step, context.now_ms)
                    context.put(table, row.key, row)
                    return Write(row.key, row.command, step), rows
        self._note(context, order_id, rows)
        return None, rows

    async def _write(self, order_id: str, write: Write, shown: ShownPayments) -> list[RefundRow]:
        """One request, and the rows with what its answer makes of them. Raises nothing but what the commit raises."""
        taken = 0
        failed: PeerError | None = None
        try:
            taken = await doing("refund", self._connector.refund(write.command, write.step, shown, REFUNDS))
        except PeerError as error:
            failed = error

        return await self._answered(order_id, write.key, failed, lambda row, now: rules.accepted(row, taken, now))

    async def _finish(self, order_id: str, rows: list[RefundRow]) -> None:
        """The items' states, then the answers; what still waits is looked at again when it is due."""
        ready = [row for row in rows if rules.pending(row) and row.settled == row.version]
        if ready and self._desk.shadow:
            self._worklist.park(order_id)
        elif ready:
            newest = {row.return_id: row.command for row in ready if row.command is not None}
            for command in newest.values():
                await self._settle(command)
            versions = {row.key: row.version for row in ready}
            rows = await self._desk.commit(lambda context, emit: self._told(context, emit, order_id, versions))
        self._wait(order_id, rows)

    async def _settle(self, command: SettleReturn) -> None:
        """Labels that the storefront does not take any more, of a return that somebody removed, are no reason to keep what became of the money back."""
        try:
            await doing("settle_return", self._connector.settle_return(command, REFUNDS))
        except Refused as error:
            self._desk.log.warning("return_not_labelled", return_id=command.return_id, reason=error.detail)


def _unsettled(rows: Sequence[RefundRow]) -> list[RefundRow]:
    return [row for row in rows if rules.pending(row) and row.settled < row.version]
