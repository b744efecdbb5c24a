"""The order side of the warehouse's owner: releases, changes and cancels, one goods out for each order, and what became of those that are at the warehouse.

Here the rows that are due are looked at, in rounds, and intents are committed before requests leave (`app/delivery/release_writes.py`); orders are looked up by
`app/delivery/release_looks.py`. What to do next is decided by `tables/deliveries/releases.py`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, Priority, Warehouse
from app.delivery.at_work import AtWork
from app.delivery.desk import Desk
from app.delivery.queues import Queues
from app.delivery.release_answers import ReleaseAnswers, Settled
from app.delivery.release_looks import ReleaseLooks
from app.delivery.release_writes import ReleaseWrites, Writes
from app.delivery.worklist import Worklist
from app.engine.api import Context
from tables.deliveries import releases as rules
from tables.deliveries.release_row import Cancel, CancelTwin, Change, Create, Idle, LookUp, ProcessPicks, Report

ROWS_AT_ONCE: Final = 500


@dataclass(slots=True)
class Round:
    """What one look at the rows found."""

    looks: list[str] = field(default_factory=list)
    writes: Writes = field(default_factory=Writes)
    later: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    waits: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int | None] = field(default_factory=dict)  # since when; None: nothing


class Releases:
    """`touched` tells the stock side which SKUs an answer concerns, `left` the parcel side when the packages of an order are to be read."""

    def __init__(
        self, desk: Desk, connector: Warehouse, touched: Callable[[str], None], left: Callable[[GoodsOut, int], None]
    ) -> None:
        self._desk, self._connector, self._touched = desk, connector, touched
        self._worklist = Worklist(desk)
        self._writable: dict[str, None] = {}  # looked up, waits for its turn to be written
        self._busy: set[str] = set()
        self._pending: dict[str, int] = {}  # since when
        self._at_work = AtWork(desk)
        self._answers = ReleaseAnswers(desk, connector, self._at_work)
        self._writes = ReleaseWrites(desk, connector, self._answers, self._worklist.alarm, self._busy, self._settled)
        self._looks = ReleaseLooks(
            desk, connector, self._answers, self._at_work, self._worklist.alarm, self._busy, self._settled, left
        )

    # ---- seen from outside ----

    def changed(self, reference: str) -> None:
        """Its row changed: look at it."""
        self._worklist.add(reference)

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        self._worklist.resumed()

    def moved(self, references: Iterable[str], changed: Iterable[str]) -> None:
        """Lines of these orders changed at the warehouse: their status may have. Of the `changed` ones other figures left than ORDERS knows of."""
        self._looks.moved(references, changed)

    def named(self, reference: str) -> None:
        """A notification said that this goods out changed."""
        self._looks.named(reference)

    def looked_up(
        self, context: Context, emit: Emitter, orders: Mapping[str, Sequence[GoodsOut]], began: int
    ) -> set[str]:
        """Goods outs that the stock side looked up after `began`, inside its commit; returns the SKUs that this is news for.

        An order with something under way has look-ups of its own.
        """
        return self._looks.looked_up(context, emit, orders, began)

    def unseen(self, context: Context, sku: str, lines: Collection[str]) -> list[str]:
        """Some of the orders with this SKU at the warehouse whose lines a read did not show: they wait, or were despatched between two reads."""
        return self._at_work.unseen(context, sku, lines)

    def pending(self) -> int:
        """Orders whose release or cancel is not answered; in shadow what is held back does not count."""
        return len(self._waiting())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues("orders")
        found.add_all(Priority.RELEASE, self._waiting(), self._pending)
        return found

    def _waiting(self) -> set[str]:
        return (self._pending.keys() - self._worklist.held()) | self._worklist.now.keys() | self._busy

    async def load(self) -> None:
        """Take the rows over: intents found in them are unknown outcomes."""
        desk = self._desk

        def take_over(context: Context, _: Emitter) -> list[str]:
            todo = list(desk.due(context, "order"))
            for key in todo:
                row = context.get(desk.tables.releases, key)
                if row is not None:
                    rules.foreign(row, context.now_ms)
                    context.put(desk.tables.releases, key, row)
            return todo

        for key in await desk.commit(take_over):
            self._worklist.add(key)

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            self._worklist.ripen()
            if self._desk.may_write and self._desk.gate.wait() == 0:
                await self._round(group)
                self._looks.start(group)
            await self._worklist.rest()

    async def run_checks(self) -> None:
        """Until cancelled: the status of orders whose lines moved, and of all that are at the warehouse within the stock sweep."""
        await self._looks.run_checks()

    async def run_named(self) -> None:
        """Until cancelled: the status of orders that notifications named."""
        await self._looks.run_named()

    # ---- one round ----

    async def _round(self, group: asyncio.TaskGroup) -> None:
        slots = self._writes.free
        turn = list(islice(self._writable, slots))
        ready = turn + list(islice((key for key in self._worklist.now if key not in self._busy), ROWS_AT_ONCE))
        if not ready:
            return
        for key in ready:
            self._worklist.now.pop(key, None)
            self._writable.pop(key, None)
            self._worklist.alarm.clear(key)
        ready = list(dict.fromkeys(ready))
        found = await self._desk.commit(lambda context, emit: self._look(context, emit, ready, slots))
        for key, since in found.pending.items():
            self._pending.pop(key, None)
            if since is not None:
                self._pending[key] = since
        for key, at in found.waits.items():
            self._worklist.alarm.set(key, at)
        for key in found.parked:
            self._worklist.park(key)
        self._looks.want(found.looks)
        self._writable.update(dict.fromkeys(found.later))
        self._writes.start(group, found.writes)
        if self._worklist.now or (self._writable and self._writes.free > 0):
            self._worklist.alarm.ring()

    def _look(self, context: Context, emit: Emitter, keys: Sequence[str], slots: int) -> Round:
        found = Round()
        held = not self._desk.may_change(context)
        for key in keys:
            row = context.get(self._desk.tables.releases, key)
            if row is None:
                continue
            found.pending[key] = rules.pending_since(row)
            step = rules.next_step(row, context.now_ms, picks=self._connector.processes_picks)
            match step:
                case LookUp():
                    found.looks.append(key)
                case Report():
                    self._answers.answer(context, emit, row, rules.report(row, ""), opened=True)
                    found.pending[key] = None
                case Idle():
                    if step.until is not None:
                        found.waits[key] = step.until
                case Create() | Change() | Cancel() | CancelTwin() | ProcessPicks() if held:
                    found.parked.append(key)
                case CancelTwin() | ProcessPicks():
                    if slots <= 0:
                        found.later.append(key)
                        continue
                    slots -= 1
                    asked = found.writes.twins if isinstance(step, CancelTwin) else found.writes.picks
                    asked.append(GoodsOut(step.wms_id, key, row.status, row.warehouse, {}))
                case Create() | Change() | Cancel():
                    if slots <= 0:
                        found.later.append(key)
                        continue
                    slots -= 1
                    there = GoodsOut(row.wms_id, key, row.status, row.warehouse, {})
                    match step:
                        case Create():
                            found.writes.creates.append(step.order)
                        case Change():
                            found.writes.changes.append((step.order, there))
                        case Cancel():
                            found.writes.cancels.append(there)
                    if row.attempts == 0:
                        self._desk.sent(row.caused_at)
                    rules.begin(row, step, context.now_ms)
                    context.put(self._desk.tables.releases, key, row)
        return found

    def _settled(self, reference: str, settled: Settled | None) -> None:
        if settled is not None and settled.news:
            for sku in settled.skus:
                self._touched(sku)
        self.changed(reference)
