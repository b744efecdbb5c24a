"""The note side of a storefront's owner: an order whose change or cancel the warehouse did not take says so to the storefront's people, once.

What to do about a note is decided by `tables/deliveries/notes.py`. Here each order is looked at, the intent committed, then the note written; a refusal is an
exception of the channel, because the order itself waits for nothing.
"""

import asyncio
from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownNote, Storefront
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.engine.api import Context
from tables.deliveries import notes as rules
from tables.deliveries.notes import NoteRow, Placed, Wait, Write
from tables.deliveries.peers import PeerKind

ORDERS_AT_ONCE: Final = 4
LONGEST_SLEEP: Final = 5.0
NOTES: Final = Priority.DESPATCH


class NoteDesk:
    """Notes of one channel. A versioned storefront refuses what comes late, elsewhere a lost request may still land for `bounds.late_max`."""

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
        """The order's note changed: look at it."""
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
        """Notes that are not confirmed; in shadow what is held back does not count."""
        return len(self._waiting())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues("notes")
        for order_id in self._waiting():
            found.add(NOTES, self._since.get(order_id))
        return found

    def _waiting(self) -> set[str]:
        held = self._parked.keys() if self._desk.shadow else set()
        return (self._since.keys() - held) | self._todo.keys() | self._busy

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk
        due = await desk.commit(lambda context, _: desk.due(context, "note"))
        for order_id, since in due.items():
            self._todo.setdefault(order_id)
            self._since[order_id] = since

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every note that is due, a few at a time."""
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

    # ---- one order ----

    async def _order(self, order_id: str) -> None:
        desk = self._desk
        try:
            await self._bring(order_id)
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

    async def _bring(self, order_id: str) -> None:
        """Look and write until the note is there, waits, or is held back."""
        key = f"{self._desk.channel}/{order_id}"
        row = await self._desk.commit(lambda context, _: context.get(self._desk.tables.notes, key))
        while row is not None and rules.pending(row) and row.next_at <= self._desk.now():
            looked_at = self._desk.now()
            shown = await doing("read_note", self._connector.note(order_id, NOTES))
            write, row = await self._desk.commit(partial(self._look, key=key, shown=shown, looked_at=looked_at))
            if write is None or shown is None:
                break
            row = await self._write(key, order_id, write, shown)
        if row is not None and rules.pending(row):
            if order_id not in self._parked:
                self._alarm.set(order_id, row.next_at)
        elif order_id not in self._again:
            self._since.pop(order_id, None)

    def _look(
        self, context: Context, emit: Emitter, key: str, shown: ShownNote | None, looked_at: int
    ) -> tuple[Write | None, NoteRow | None]:
        """Fold a look: the note stands, or its write begins. None: nothing is to be written now. With the row."""
        row = context.get(self._desk.tables.notes, key)
        if row is None or not rules.pending(row):
            return None, row
        write: Write | None = None
        if shown is None:
            self._over(context, emit, row, "it has no such order")
        else:
            match rules.next_step(row, shown.text, looked_at, self._late):
                case Placed():
                    self._over(context, emit, row)
                case Wait(until):
                    rules.waited(row, until)
                case Write() if not self._desk.may_change(context):
                    self._parked.setdefault(row.order_id)
                case Write() as write:
                    if row.attempts == 0:
                        self._desk.sent(row.caused_at)
                    rules.begin(row, context.now_ms)
        context.put(self._desk.tables.notes, key, row)
        return write, row

    async def _write(self, key: str, order_id: str, write: Write, shown: ShownNote) -> NoteRow | None:
        """One request, and the row with what its answer makes of it. Raises nothing but what the commit raises."""
        failed: PeerError | None = None
        try:
            await doing("write_note", self._connector.write_note(order_id, write.text, shown, NOTES))
        except PeerError as error:
            failed = error

        def work(context: Context, emit: Emitter) -> NoteRow | None:
            row = context.get(self._desk.tables.notes, key)
            if row is None or row.intent is None:
                return row
            match failed:
                case None:
                    if rules.accepted(row):
                        self._over(context, emit, row)
                case Refused():
                    self._over(context, emit, row, failed.detail)
                case OutcomeUnknown() | Malformed():
                    rules.unknown(row, context.now_ms)
                case _:
                    rules.not_sent(row, self._desk.backoff(row.attempts, failed.retry_after), context.now_ms)
            context.put(self._desk.tables.notes, key, row)
            return row

        row = await self._desk.commit(work)
        if failed is not None and not isinstance(failed, Refused):
            await self._desk.failed(failed)
        return row

    def _over(self, context: Context, emit: Emitter, row: NoteRow, refusal: str = "") -> None:
        """It stands there, or will not: nothing is due any more but the exception that says so."""
        entity = f"{row.channel}:{row.order_id}{rules.ENTITY}"
        caused_at = row.caused_at
        if refusal:
            if not rules.refused(row, refusal):
                return
            number = row.command.number if row.command is not None else row.order_id
            text = (
                f"order {number}: the storefront does not take the note of what `late_change` says: {refusal}."
                " Tell its people, or mend it and retry"
            )
            self._desk.ended("note", "failed")
            self._desk.open_trouble(context, emit, "delivery_failed", entity, text)
        else:
            rules.placed(row)
            self._desk.confirmed("note", caused_at)
            self._desk.resolve_trouble(context, emit, "delivery_failed", entity)
        self._desk.is_done(context, "note", row.order_id)
