"""The returns side of the warehouse's owner: one goods-in receipt for each announced return, looked at until it is complete; ORDERS is told what came of it.

What to do next and what an answer means is decided by `tables/deliveries/receipts.py`; here intents are committed before requests leave.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, Warehouse
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.delivery.worklist import Worklist
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import AnnounceReturn, WarehouseReturn
from tables.deliveries import looks
from tables.deliveries import receipts as rules
from tables.deliveries.receipts import ReceiptRow, SeenReceipt

AT_ONCE: Final = 100
RETURNS: Final = Priority.DESPATCH


@dataclass(frozen=True, slots=True)
class Announcement:
    """A create that was decided and whose intent is committed."""

    command: AnnounceReturn
    warehouse: str


class ReturnDesk:
    """Returns at one warehouse, many in one look: they are rare, and none of them is urgent."""

    def __init__(self, desk: Desk, connector: Warehouse) -> None:
        self._desk, self._connector = desk, connector
        self._worklist = Worklist(desk)
        self._pending: dict[str, int] = {}  # since when
        self._failures = 0

    # ---- seen from outside ----

    def changed(self, reference: str) -> None:
        """Its row changed: look at it."""
        self._worklist.add(reference)
        self._pending.setdefault(reference, self._desk.now())

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        self._worklist.resumed()

    def pending(self) -> int:
        """Returns that are not announced; in shadow what is held back does not count."""
        return len(self._pending.keys() - self._worklist.held())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues("returns")
        found.add_all(RETURNS, self._pending.keys() - self._worklist.held(), self._pending)
        return found

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk

        def read(context: Context, _: Emitter) -> dict[str, tuple[int, int | None]]:
            found: dict[str, tuple[int, int | None]] = {}
            for key in desk.due(context, "return"):
                row = context.get(desk.tables.receipts, key)
                if row is not None:
                    rules.foreign(row, context.now_ms)
                    context.put(desk.tables.receipts, key, row)
                    found[key] = row.next_at, row.since if rules.pending(row) else None
            return found

        for reference, (at, since) in (await desk.commit(read)).items():
            self._worklist.alarm.set(reference, at)
            if since is not None:
                self._pending[reference] = since

    async def run(self) -> None:
        """Until cancelled: whatever is due is looked up, and announced where it is certainly not there."""
        while True:
            self._worklist.ripen()
            names = list(islice(self._worklist.now, AT_ONCE))
            if names and self._desk.may_write and self._desk.gate.wait() == 0:
                for name in names:
                    del self._worklist.now[name]
                await self._round(names)
            else:
                await self._worklist.rest()

    # ---- one round ----

    async def _round(self, names: Sequence[str]) -> None:
        desk, began = self._desk, self._desk.now()
        try:
            given = await desk.commit(lambda context, _: self._commands(context, names))
            seen = await doing("find_returns", self._connector.find_returns(given, RETURNS)) if given else {}
            created = await desk.commit(lambda context, emit: self._look(context, emit, names, seen, began))
            await asyncio.gather(*(self._announce(one) for one in created))
        except PeerError as error:
            self._failures += 1
            for name in names:
                self._worklist.alarm.set(name, desk.now() + desk.backoff(self._failures, error.retry_after))
            await desk.failed(error)
        else:
            self._failures = 0
            await desk.worked()

    def _commands(self, context: Context, names: Sequence[str]) -> list[AnnounceReturn]:
        rows = [context.get(self._desk.tables.receipts, name) for name in names]
        return [row.command for row in rows if row is not None and row.command is not None and rules.is_open(row)]

    def _look(
        self,
        context: Context,
        emit: Emitter,
        names: Sequence[str],
        seen: Mapping[str, Sequence[SeenReceipt]],
        began: int,
    ) -> list[Announcement]:
        """Fold a look; returns the creates that begin with this commit."""
        desk, created = self._desk, list[Announcement]()
        for name in names:
            row = context.get(desk.tables.receipts, name)
            if row is None or row.command is None or name not in seen:
                self._pending.pop(name, None)
                continue
            opened, every = rules.pending(row), desk.settings.sweeps.returns
            told = rules.found(row, seen[name], began, desk.create_unknown, every, context.now_ms)
            self._tell(context, emit, row, told, opened)
            if not rules.may_announce(row, context.now_ms):
                continue
            if not desk.may_change(context):
                self._worklist.park(name)
                self._worklist.alarm.clear(name)
                continue
            rules.begin(row, context.now_ms)
            context.put(desk.tables.receipts, name, row)
            created.append(Announcement(row.command, self._warehouse(context, row.command)))
        return created

    def _warehouse(self, context: Context, command: AnnounceReturn) -> str:
        """Where it comes in: as configured, else where its order left."""
        release = context.get(self._desk.tables.releases, command.order_reference)
        left = release.warehouse if release is not None else ""
        return self._desk.settings.returns.warehouse or left or self._desk.catalogue.warehouses[0]

    async def _announce(self, one: Announcement) -> None:
        made: str | PeerError
        try:
            created = self._connector.announce_return(one.command, one.warehouse, RETURNS)
            made = await doing("announce_return", created)
        except PeerError as error:
            made = error
        await self._desk.commit(partial(self._answered, reference=one.command.reference, made=made))
        if isinstance(made, PeerError) and not isinstance(made, Refused):
            await self._desk.failed(made)

    def _answered(self, context: Context, emit: Emitter, reference: str, made: str | PeerError) -> None:
        row = context.get(self._desk.tables.receipts, reference)
        if row is None or row.intent is None:
            return
        told: list[WarehouseReturn] = []
        now = context.now_ms
        if isinstance(made, str):
            told = rules.announced(row, made, now)
        elif isinstance(made, Refused):
            told = rules.refused(row, made.detail, now)
        elif isinstance(made, OutcomeUnknown | Malformed):
            looks.unknown(row, now)
        else:
            rules.not_sent(row, self._desk.backoff(row.attempts, made.retry_after), now)
        self._tell(context, emit, row, told, opened=True)

    def _tell(
        self, context: Context, emit: Emitter, row: ReceiptRow, told: Sequence[WarehouseReturn], opened: bool
    ) -> None:
        """Commit the row, tell ORDERS what is new, look again when it is due. `opened`: an answer was owed before."""
        context.put(self._desk.tables.receipts, row.reference, row)
        for one in told:
            emit.send(topics.ORDERS_EVENTS, row.order_key, one)
        if rules.pending(row):
            self._pending.setdefault(row.reference, row.since)
        else:
            self._pending.pop(row.reference, None)
            if opened:
                refused = row.told is not None and row.told.state == "REFUSED"
                self._desk.ended("receipt", "failed" if refused else "done")
        if rules.is_open(row):
            self._worklist.alarm.set(row.reference, row.next_at)
        else:
            self._desk.is_done(context, "return", row.reference)
