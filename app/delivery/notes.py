"""The note side of a storefront's owner: an order whose change or cancel the warehouse did not take says so to the storefront's people, once.

What to do about a note is decided by `tables/deliveries/notes.py`. Here each order is looked at, the intent committed, then the note written; a refusal is an
exception of the channel, because the order itself waits for nothing.
"""

from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownNote, Storefront
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.order_rounds import OrderRounds
from app.engine.api import Context
from tables.deliveries import looks
from tables.deliveries import notes as rules
from tables.deliveries.notes import NoteRow, Placed, Wait, Write

ORDERS_AT_ONCE: Final = 4
NOTES: Final = Priority.DESPATCH


class NoteDesk(OrderRounds):
    """Notes of one channel."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        super().__init__(desk, connector, "note", ORDERS_AT_ONCE)

    def _key(self, order_id: str) -> str:
        return f"{self._desk.channel}/{order_id}"

    def _take_over(self, context: Context, order_id: str) -> None:
        key, table = self._key(order_id), self._desk.tables.notes
        row = context.get(table, key)
        if row is not None and looks.taken_over(row, context.now_ms):
            context.put(table, key, row)

    async def _bring_about(self, order_id: str) -> None:
        """Look and write until the note is there, waits, or is held back."""
        key = self._key(order_id)
        row = await self._desk.commit(lambda context, _: context.get(self._desk.tables.notes, key))
        while row is not None and rules.pending(row) and row.next_at <= self._desk.now():
            looked_at = self._desk.now()
            shown = await doing("read_note", self._connector.note(order_id, NOTES))
            write, row = await self._desk.commit(partial(self._look, key=key, shown=shown, looked_at=looked_at))
            if write is None or shown is None:
                break
            row = await self._write(key, order_id, write, shown)
        if row is not None and rules.pending(row):
            if order_id not in self._worklist.parked:
                self._worklist.alarm.set(order_id, row.next_at)
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
                    self._worklist.park(row.order_id)
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
                    looks.unknown(row, context.now_ms)
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
