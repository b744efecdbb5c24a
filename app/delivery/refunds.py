"""The refund side of a storefront's owner: every inspected part of a return is refunded once, and the storefront's own return items say what became of them.

What to do about a part is decided by `tables/deliveries/refunds.py`. Here one order is worked on at a time, as storefronts want it: look, commit the intent,
write, look again; at the end the return's items are brought to their states, and only then ORDERS is told.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownPayments, Storefront
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import RefundOutcome, SettleReturn
from tables.deliveries import refunds as rules
from tables.deliveries.peers import PeerKind
from tables.deliveries.refunds import Refund, RefundRow, Refuse, Settled, Wait

ORDERS_AT_ONCE: Final = 4
LONGEST_SLEEP: Final = 5.0
CHECK_GAP: Final = 1.0
"""Seconds between two looks at what is late."""
REFUNDS: Final = Priority.DESPATCH


@dataclass(frozen=True, slots=True)
class Write:
    """One request that was decided and whose intent is committed."""

    key: str
    command: SettleReturn
    step: Refund


class RefundDesk:
    """Refunds of one channel. A versioned storefront refuses what comes late, elsewhere a lost request may still land for `bounds.late_max`."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        self._desk, self._connector = desk, connector
        self._late = 0 if connector.kind is PeerKind.VERSIONED else desk.settings.bounds.late_max
        self._alarm = desk.alarm()
        self._todo: dict[str, None] = {}
        self._parked: dict[str, None] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._since: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    # ---- seen from outside ----

    def changed(self, order_id: str) -> None:
        """A part of a return of the order changed: look at it."""
        if order_id in self._busy:
            self._again.add(order_id)
        self._todo.setdefault(order_id)
        self._since.setdefault(order_id, self._desk.now())
        self._alarm.ring()

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        parked, self._parked = self._parked, {}
        self._todo.update(parked)
        self._alarm.ring()

    def pending(self) -> int:
        """Orders with a refund that is not confirmed; in shadow what is held back does not count."""
        return len(self._waiting())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues("refunds")
        for order_id in self._waiting():
            found.add(REFUNDS, self._since.get(order_id))
        return found

    def _waiting(self) -> set[str]:
        held = self._parked.keys() if self._desk.shadow else set()
        return (self._since.keys() - held) | self._todo.keys() | self._busy

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk
        due = await desk.commit(lambda context, _: desk.due(context, "refund"))
        for order_id, since in due.items():
            self._todo.setdefault(order_id)
            self._since[order_id] = since

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every order with something due, a few at a time."""
        while True:
            for order_id in self._alarm.due():
                self._todo.setdefault(order_id)
            for order_id in list(self._todo):
                if len(self._busy) >= ORDERS_AT_ONCE or not self._desk.may_write or self._desk.gate.wait() > 0:
                    break
                if order_id not in self._busy:
                    del self._todo[order_id]
                    self._alarm.clear(order_id)
                    self._busy.add(order_id)
                    group.create_task(self._order(order_id))
            await self._alarm.wait(min(LONGEST_SLEEP, self._desk.gate.wait() or LONGEST_SLEEP))

    async def run_checks(self) -> None:
        """Until cancelled: what is not confirmed within its service level is an exception."""
        level = self._desk.settings.delivery.refund_level
        while True:
            await asyncio.sleep(CHECK_GAP)
            for order_id, since in list(self._since.items()):
                entity = self._late_entity(order_id)
                late = self._desk.now() - since > level and not self._desk.shadow
                if late and not self._desk.is_open("refund_mismatch", entity):
                    await self._desk.commit(partial(self._complain, entity=entity))

    def _late_entity(self, order_id: str) -> str:
        """Beside the order's own exceptions, which have its plain name."""
        return f"{self._desk.channel}:{order_id}/refund"

    def _complain(self, context: Context, emit: Emitter, entity: str) -> None:
        seconds = self._desk.settings.delivery.refund_level // 1000
        detail = (
            f"a return was inspected and its refund is not confirmed after {seconds} s: it is tried on; see the payment"
            " provider and the channel in `clarus-stream doctor`"
        )
        self._desk.open_trouble(context, emit, "refund_mismatch", entity, detail)

    # ---- one order ----

    async def _order(self, order_id: str) -> None:
        desk = self._desk
        try:
            await self._finish(order_id, await self._pay_back(order_id))
        except PeerError as error:
            failures = self._failures[order_id] = self._failures.get(order_id, 0) + 1
            self._alarm.set(order_id, desk.now() + desk.backoff(failures, error.retry_after))
            await desk.failed(error)
        else:
            self._failures.pop(order_id, None)
            await desk.worked()
        finally:
            self._busy.discard(order_id)
            if order_id in self._again:
                self._again.discard(order_id)
                self._todo.setdefault(order_id)
            self._alarm.ring()

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

    def _all(self, context: Context, order_id: str) -> list[RefundRow]:
        """The order's rows, in the order in which their commands came."""
        found = context.scan(self._desk.tables.refunds, rules.prefix(self._desk.channel, order_id))
        return sorted((row for _, row in found), key=lambda row: row.version)

    def _look(
        self, context: Context, emit: Emitter, order_id: str, shown: ShownPayments | None, looked_at: int
    ) -> tuple[Write | None, list[RefundRow]]:
        """Fold a look: what it shows is settled, the first write that is due begins. None: nothing is to be written now. With the rows."""
        rows, table = self._all(context, order_id), self._desk.tables.refunds
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
                    self._parked.setdefault(order_id)
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

        def work(context: Context, emit: Emitter) -> list[RefundRow]:
            row = context.get(self._desk.tables.refunds, write.key)
            if row is not None and row.intent is not None:
                self._tell(context, emit, row, self._answered(row, taken, failed, context.now_ms))
            return self._note(context, order_id, self._all(context, order_id))

        rows = await self._desk.commit(work)
        if failed is not None and not isinstance(failed, Refused):
            await self._desk.failed(failed)
        return rows

    def _answered(self, row: RefundRow, taken: int, failed: PeerError | None, now: int) -> list[RefundOutcome]:
        if failed is None:
            rules.accepted(row, taken, now)
        elif isinstance(failed, Refused):
            return rules.refused(row, failed.detail)
        elif isinstance(failed, OutcomeUnknown | Malformed):
            rules.unknown(row, now)
        else:
            rules.not_sent(row, self._desk.backoff(row.attempts, failed.retry_after), now)
        return []

    async def _finish(self, order_id: str, rows: list[RefundRow]) -> None:
        """The items' states, then the answers; what still waits is looked at again when it is due."""
        ready = [row for row in rows if rules.pending(row) and row.settled == row.version]
        if ready and self._desk.shadow:
            self._parked.setdefault(order_id)
        elif ready:
            newest = {row.return_id: row.command for row in ready if row.command is not None}
            for command in newest.values():
                await self._settle(command)
            versions = {row.key: row.version for row in ready}
            rows = await self._desk.commit(lambda context, emit: self._told(context, emit, order_id, versions))
        waiting = [row for row in rows if rules.pending(row)]
        if waiting and order_id not in self._parked:
            self._alarm.set(order_id, min(row.next_at for row in waiting))
        elif not waiting and order_id not in self._again:
            self._since.pop(order_id, None)

    async def _settle(self, command: SettleReturn) -> None:
        """Labels that the storefront does not take any more, of a return that somebody removed, are no reason to keep what became of the money back."""
        try:
            await doing("settle_return", self._connector.settle_return(command, REFUNDS))
        except Refused as error:
            self._desk.log.warning("return_not_labelled", return_id=command.return_id, reason=error.detail)

    def _told(self, context: Context, emit: Emitter, order_id: str, versions: dict[str, int]) -> list[RefundRow]:
        """Answer what was finished; returns the rows."""
        rows = self._all(context, order_id)
        for row in rows:
            if rules.pending(row) and versions.get(row.key) == row.version:
                self._desk.confirmed("refund", row.caused_at)
                self._tell(context, emit, row, [rules.answer(row)])
        if not any(rules.pending(row) for row in rows):
            self._desk.resolve_trouble(context, emit, "refund_mismatch", self._late_entity(order_id))
        return self._note(context, order_id, rows)

    def _note(self, context: Context, order_id: str, rows: list[RefundRow]) -> list[RefundRow]:
        """The next owner need not look at an order of which every part is answered."""
        if not any(rules.pending(row) for row in rows):
            self._desk.is_done(context, "refund", order_id)
        return rows

    def _tell(self, context: Context, emit: Emitter, row: RefundRow, outcomes: Sequence[RefundOutcome]) -> None:
        """Commit the row and tell ORDERS."""
        for outcome in outcomes:
            emit.send(topics.ORDERS_EVENTS, f"{row.channel}:{row.order_id}", outcome)
            if outcome.state == "REFUSED":
                self._desk.ended("refund", "failed")
        context.put(self._desk.tables.refunds, row.key, row)


def _unsettled(rows: Sequence[RefundRow]) -> list[RefundRow]:
    return [row for row in rows if rules.pending(row) and row.settled < row.version]
