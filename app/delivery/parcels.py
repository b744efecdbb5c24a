"""The parcel side of the warehouse's owner: packages of goods outs of which something left are read until they hold what left, and ORDERS is told.

When to read and what a read means is decided by `tables/deliveries/parcels.py`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Despatch, GoodsOut, Priority, Warehouse
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.delivery.worklist import Worklist
from app.engine.api import Context
from schemas import catalogue as topics
from tables.deliveries import parcels as rules
from tables.deliveries.parcels import SeenPackage

READS_AT_ONCE: Final = 2
READS: Final = Priority.RELEASE
"""The class of the reads of stock that notice a despatch: in a lower one it would wait behind all of them in a sale."""
PATIENT: Final = 3000
"""Milliseconds: what is read again later than that waits for a tracking number, and nobody waits for it."""


class ParcelReads:
    """Packages of the goods outs of one warehouse."""

    def __init__(self, desk: Desk, connector: Warehouse) -> None:
        self._desk, self._connector = desk, connector
        self._worklist = Worklist(desk)
        self._busy: set[str] = set()
        self._again: set[str] = set()  # something else left since their read began
        self._waiting: set[str] = set()
        self._since: dict[str, int] = {}
        self._known: dict[str, GoodsOut] = {}  # looked up a moment ago
        self._tasks = 0
        self._failures = 0

    # ---- seen from outside ----

    def left(self, order: GoodsOut, at: int) -> None:
        """A look-up showed that something left: only its packages are to be read, then."""
        self._known[order.reference] = order
        if order.reference in self._busy:
            self._again.add(order.reference)
        self._due(order.reference, at)

    def _due(self, reference: str, at: int) -> None:
        """Its packages are to be read then; at 0: not any more."""
        self._waiting.discard(reference)
        if at:
            self._since.setdefault(reference, self._desk.now())
            self._worklist.alarm.set(reference, at)
        else:
            self._worklist.alarm.clear(reference)
            self._since.pop(reference, None)

    def pending(self) -> int:
        """Goods outs whose packages are to be read; one that only waits for its tracking number does not count."""
        return len((self._since.keys() | self._worklist.now.keys() | self._busy) - self._waiting)

    def queues(self) -> Queues:
        """Goods outs whose packages are to be read, those that wait for a tracking number too."""
        found = Queues("parcels")
        found.add_all(READS, self._since.keys() | self._worklist.now.keys() | self._busy, self._since)
        return found

    async def load(self) -> None:
        """Take over what the last owner had to read."""
        desk = self._desk
        due = await desk.commit(
            lambda context, _: {
                key: (row.parcels_due, row.parcels_since)
                for key in desk.due(context, "parcels")
                if (row := context.get(desk.tables.releases, key)) is not None
            }
        )
        for key, (at, since) in due.items():
            self._since[key] = since
            self._worklist.alarm.set(key, at)

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            self._worklist.ripen()
            while self._worklist.now and self._tasks < READS_AT_ONCE:
                if not self._desk.may_write or self._desk.gate.wait() > 0:
                    break
                free = (name for name in self._worklist.now if name not in self._busy)
                names = list(islice(free, self._connector.max_despatches))
                if not names:
                    break
                for name in names:
                    del self._worklist.now[name]
                self._busy.update(names)
                self._tasks += 1
                group.create_task(self._read(names))
            await self._worklist.rest()

    async def _read(self, names: Sequence[str]) -> None:
        began = self._desk.now()
        known = {name: self._known.pop(name) for name in names if name in self._known}
        try:
            found = await doing("read_parcels", self._connector.read_despatches(names, READS, known))
            due = await self._desk.commit(lambda context, emit: self._fold(context, emit, names, found, began))
        except PeerError as error:
            self._failures += 1
            wait = self._desk.backoff(self._failures, error.retry_after)
            for name in names:
                self._worklist.alarm.set(name, self._desk.now() + wait)
            await self._desk.failed(error)
        else:
            self._failures = 0
            for name in names:
                if name in self._again:
                    continue
                self._due(name, due.get(name, 0))
                if due.get(name, 0) > self._desk.now() + PATIENT:
                    self._waiting.add(name)
            await self._desk.worked()
        finally:
            self._tasks -= 1
            self._busy.difference_update(names)
            self._again.difference_update(names)
            self._worklist.alarm.ring()

    def _fold(
        self, context: Context, emit: Emitter, names: Sequence[str], found: Mapping[str, Despatch], began: int
    ) -> dict[str, int]:
        """Tell ORDERS what is new; returns when each is to be read again, 0 for not. What a look-up overtook is left to the next read."""
        due: dict[str, int] = {}
        for name in names:
            if name in self._again:
                continue
            row, there = context.get(self._desk.tables.releases, name), found.get(name)
            if row is None:
                continue
            if there is None:
                row.parcels_due = 0
            else:
                packages = [
                    SeenPackage(one.package_id, one.tracking, one.carrier, one.service, one.contents)
                    for one in there.packages
                ]
                complete = there.order.status == "COMPLETED"
                wait = self._connector.tracking_wait
                told = rules.tell(row, there.order.despatched, complete, packages, began, wait, context.now_ms)
                if told is not None:
                    emit.send(topics.ORDERS_EVENTS, row.order_key, told)
            context.put(self._desk.tables.releases, name, row)
            if not row.parcels_due:
                self._desk.is_done(context, "parcels", name)
            due[name] = row.parcels_due
        return due
