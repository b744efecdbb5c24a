"""The stock side of the warehouse's owner: joint reads of dirty SKUs, the sweep over all of them, and the transactions feed for what no webhook told.

One read of a SKU at a time; lines that are gone are looked up before a read is told (ledger.md R1). What a read means is decided by
`tables/deliveries/reads.py`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, JointRead, LineRead, Priority, Warehouse
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.engine.api import Context
from schemas import catalogue as topics
from tables.deliveries import reads
from tables.deliveries.polls import PollRow
from tables.deliveries.reads import Found, Joint, ReadRow, SeenLine
from tables.deliveries.releases import at_work, pending

READS_AT_ONCE: Final = 3
CROWDED: Final = 50
"""Open lines from which on a SKU is read apart, one read at a time: the others wait neither for its pages nor for its lines to rest."""
LONGEST_SLEEP: Final = 5.0
SHORTEST_GAP: Final = 200
"""Milliseconds from one read of a SKU to the next: what happens in a sale is read together."""

GATHER: Final = 100
"""Milliseconds from the start of one request for a few SKUs to the next: what becomes dirty meanwhile is read together, and the budget is left to others."""

FoundOrders = Mapping[str, Sequence[GoodsOut]]
LookedUp = Callable[[Context, Emitter, FoundOrders, int], set[str]]
"""What look-ups found that began after a time, for the order side, inside the commit of their read; returns SKUs that are to be read for it."""
Unseen = Callable[[Context, str, Collection[str]], Iterable[str]]
"""Orders with a SKU that are at the warehouse and not among these references, as the order side knows them."""


@dataclass(slots=True)
class Lane:
    """Reads that go side by side, at most so many of them, and when the last one began."""

    most: int
    under_way: int = 0
    started: int = 0


@dataclass(slots=True)
class Told:
    """What a read came to: further SKUs to read, those the warehouse does not know, to read again at once or later, done; references whose status may have
    changed, and those of which other figures left than the order side knows.
    """

    touched: set[str]
    missing: list[str] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


class WarehouseStock:
    """`looked_up` is told of goods outs that were seen here, `moved` of references whose status may have changed, both for the order side."""

    def __init__(
        self,
        desk: Desk,
        connector: Warehouse,
        looked_up: LookedUp,
        moved: Callable[[Iterable[str], Iterable[str]], None],
        unseen: Unseen,
    ) -> None:
        self._desk, self._connector = desk, connector
        self._looked_up, self._moved, self._unseen = looked_up, moved, unseen
        self._alarm = desk.alarm()
        self._dirty: dict[str, Priority] = {}
        self._since: dict[str, int] = {}
        self._reading: dict[str, Priority] = {}
        self._failures: dict[str, int] = {}
        self._missing: set[str] = set()
        self._many_lines: set[str] = set()
        self._plain, self._crowded = Lane(READS_AT_ONCE), Lane(1)
        self._skus = self._read_skus()
        self._sweep_at, self._sweep_next = 0, 0

    def _read_skus(self) -> list[str]:
        return [sku for sku, product in self._desk.catalogue.products.items() if not product.bundle]

    # ---- seen from outside ----

    def changed(self, sku: str) -> None:
        """Something happened to it at the warehouse: read it."""
        self._mark(sku, Priority.RELEASE)

    def remapped(self, changed: Set[str]) -> None:
        """Other mappings are in force: of these products, or what they are made of, a read shall tell anew."""
        self._skus = self._read_skus()
        products = self._desk.catalogue.products
        known = [products[sku] for sku in changed if sku in products]
        for sku in sorted({code for product in known for code in product.bundle or (product.sku,)}):
            self._mark(sku, Priority.INCREASE)

    def pending(self) -> int:
        """SKUs that are to be read for a reason; sweeps do not count, nor what the warehouse does not know."""
        asked = {
            sku
            for state in (self._dirty, self._reading)
            for sku, priority in state.items()
            if priority is not Priority.SWEEP
        }
        return len((asked | self._failures.keys()) - self._missing)

    def queues(self) -> Queues:
        """SKUs that are to be read, sweeps among them; what the warehouse does not know has an exception and does not count."""
        found = Queues("reads")
        waiting = {**dict.fromkeys(self._failures, Priority.RELEASE), **self._dirty, **self._reading}
        for sku, priority in waiting.items():
            if sku not in self._missing:
                found.add(priority, self._since.get(sku))
        return found

    def _mark(self, sku: str, priority: Priority) -> None:
        self._since.setdefault(sku, self._desk.now())
        self._dirty[sku] = min(priority, self._dirty.get(sku, priority))
        self._alarm.ring()

    async def load(self) -> None:
        """Every SKU of the catalogue is read at the start; rows left dirty come first."""
        desk = self._desk

        def read(context: Context, _: Emitter) -> list[str]:
            return [key for key, row in context.scan(desk.tables.reads) if row.dirty]

        for sku in self._skus:
            self._mark(sku, Priority.INCREASE)
        for sku in await desk.commit(read):
            self._mark(sku, Priority.RELEASE)
        self._sweep_at = desk.now() + desk.settings.sweeps.stock // max(1, len(self._skus))

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            for sku in self._alarm.due():
                self._dirty.setdefault(sku, Priority.RELEASE)
            self._sweep()
            self._start(group)
            await self._alarm.wait(self._sleep())

    def _sweep(self) -> None:
        """Mark the next SKUs so that each is read once within the sweep time, evenly."""
        now = self._desk.now()
        if not self._skus or now < self._sweep_at:
            return
        count = max(1, min(self._connector.max_read, len(self._skus)))
        for _ in range(count):
            self._mark(self._skus[self._sweep_next % len(self._skus)], Priority.SWEEP)
            self._sweep_next += 1
        self._sweep_at = now + max(50, self._desk.settings.sweeps.stock * count // len(self._skus))

    def _sleep(self) -> float:
        blocked = self._desk.gate.wait() if self._dirty else 0.0
        now = self._desk.now()
        ends = [lane.started + GATHER for lane in (self._plain, self._crowded)] if self._dirty else []
        gathers = [(end - now) / 1000 for end in ends if end > now]
        return max(0.01, min(LONGEST_SLEEP, (self._sweep_at - now) / 1000, blocked or LONGEST_SLEEP, *gathers))

    def _start(self, group: asyncio.TaskGroup) -> None:
        if not self._desk.may_write or self._desk.gate.wait() > 0:
            return
        ready = [sku for sku in self._dirty if sku not in self._reading and sku not in self._alarm]
        ready.sort(key=self._dirty.__getitem__)
        self._begin(group, self._plain, [sku for sku in ready if sku not in self._many_lines])
        self._begin(group, self._crowded, [sku for sku in ready if sku in self._many_lines])

    def _begin(self, group: asyncio.TaskGroup, lane: Lane, ready: Sequence[str]) -> None:
        """Reads of as many as may be under way; a few wait for others to come with them."""
        size = self._connector.max_read
        for start in range(0, len(ready), size):
            few = len(ready) - start < size
            if lane.under_way >= lane.most or (few and self._desk.now() < lane.started + GATHER):
                return
            lane.started = self._desk.now()
            skus = ready[start : start + size]
            priority = min(self._dirty.pop(sku) for sku in skus)
            lane.under_way += 1
            self._reading.update(dict.fromkeys(skus, priority))
            group.create_task(self._read(lane, skus, priority))

    # ---- one read ----

    async def _read(self, lane: Lane, skus: Sequence[str], priority: Priority) -> None:
        began = self._desk.now()
        try:
            joints = await doing("read_stock", self._connector.read_stock(skus, priority))
            found = await self._look_up_absent(joints, priority)
            told = await self._desk.commit(lambda context, emit: self._told(context, emit, joints, found, began))
        except PeerError as error:
            for sku in skus:
                self._later(sku, error.retry_after)
            await self._desk.failed(error)
        else:
            self._many_lines.difference_update(joints)
            self._many_lines.update(sku for sku, joint in joints.items() if len(joint.lines) >= CROWDED)
            self._remember(told, began)
            await self._desk.worked()
        finally:
            lane.under_way -= 1
            for sku in skus:
                del self._reading[sku]
            self._alarm.ring()

    async def _look_up_absent(self, joints: Mapping[str, JointRead], priority: Priority) -> FoundOrders:
        """Goods outs of the lines that were there at the last read, or are expected, and are not among the open ones."""

        def absent(context: Context, _: Emitter) -> list[str]:
            gone: set[str] = set()
            for sku, joint in joints.items():
                row = context.get(self._desk.tables.reads, sku)
                if row is not None and not joint.missing:
                    gone.update(reads.absent(row, joint.lines))
            return sorted(gone)

        names = await self._desk.commit(absent)
        found: dict[str, list[GoodsOut]] = {}
        for start in range(0, len(names), self._connector.max_read):
            part = names[start : start + self._connector.max_read]
            found.update(await doing("find_orders", self._connector.find_orders(part, priority)))
        return {name: found.get(name, []) for name in names}

    def _told(
        self,
        context: Context,
        emit: Emitter,
        joints: Mapping[str, JointRead],
        found: FoundOrders,
        began: int,
    ) -> Told:
        """Fold the reads into their rows and tell the ledger."""
        desk = self._desk
        told = Told(touched=self._looked_up(context, emit, found, began) - joints.keys())
        told.moved.update(name for name, orders in found.items() if not orders)
        deleted, foreign = self._not_shown(context, found)
        for sku, joint in joints.items():
            if joint.missing:
                detail = f"{joint.missing}: correct the product's SKU or create it at the warehouse"
                desk.open_trouble(context, emit, "unmapped_sku", sku, detail)
                told.missing.append(sku)
                continue
            desk.resolve_trouble(context, emit, "unmapped_sku", sku)
            row = context.get(desk.tables.reads, sku) or ReadRow(sku)
            before, occurred, dirty = dict(row.lines), row.asked_at or began, row.dirty
            seen = {name: SeenLine(line.out, line.warehouse, line.closed) for name, line in joint.lines.items()}
            vanished = reads.vanished(row, joint.lines, foreign, began, desk.create_unknown)
            levels = reads.tell(
                row,
                Joint(sku, joint.balances, joint.held, seen, joint.moved),
                {name: [_found(order, sku) for order in orders] for name, orders in found.items()},
                [*deleted, *vanished],
                began,
                clean=sku not in self._dirty,
            )
            context.put(desk.tables.reads, sku, row)
            if dirty and not row.dirty:
                desk.confirmed("read", 0)
            elif row.dirty and not dirty:
                desk.began("read")
            for level in levels:
                emit.send(topics.INVENTORY_EVENTS, sku, level, occurred_at=occurred)
            told.moved.update(ref for ref in row.lines.keys() | before.keys() if row.lines.get(ref) != before.get(ref))
            told.left.update(
                ref for ref, line in joint.lines.items() if self._left_otherwise(context, sku, ref, line, before)
            )
            if self._reading[sku] is not Priority.SWEEP:
                told.moved.update(self._unseen(context, sku, joint.lines))
            (told.done if not row.dirty else told.moving if joint.moved else told.again).append(sku)
        return told

    def _left_otherwise(
        self, context: Context, sku: str, reference: str, line: LineRead, before: Mapping[str, SeenLine]
    ) -> bool:
        """Did other figures leave than were told, or does an order show that was taken for deleted?

        Only lines of which something left, and those that are (again) new, are looked at.
        """
        if not line.despatched and reference in before:
            return False
        row = context.get(self._desk.tables.releases, reference)
        return row is not None and (row.status == "DELETED" or row.despatched.get(sku, 0) != line.despatched)

    def _not_shown(self, context: Context, found: FoundOrders) -> tuple[list[str], list[str]]:
        """Of what was looked up: what was deleted, as the order side knows, and what is not there and not followed by it."""
        rows = {name: context.get(self._desk.tables.releases, name) for name in found}
        deleted = [ref for ref, row in rows.items() if row is not None and (row.deleting or row.status == "DELETED")]
        foreign = [
            ref for ref, row in rows.items() if not found[ref] and (row is None or not (at_work(row) or pending(row)))
        ]
        return deleted, foreign

    def _remember(self, told: Told, began: int) -> None:
        """The to-do list after a read was committed."""
        for sku in told.missing:
            self._missing.add(sku)
            self._later(sku, None)
        for sku in told.moving:
            self._mark(sku, Priority.RELEASE)
        for sku in (*told.moving, *told.again, *told.done):
            self._missing.discard(sku)
            if sku in self._dirty:
                self._alarm.set(sku, began + SHORTEST_GAP)
        for sku in told.again:
            if sku not in self._dirty:
                self._later(sku, None)
        for sku in told.done:
            if sku not in self._dirty:
                self._failures.pop(sku, None)
                self._since.pop(sku, None)
        for sku in told.touched:
            self.changed(sku)
        self._moved(told.moved, told.left)

    def _later(self, sku: str, retry_after: float | None) -> None:
        """Read it again after a back-off: the read failed, or a line could not be explained."""
        self._failures[sku] = self._failures.get(sku, 0) + 1
        self._alarm.set(sku, self._desk.now() + self._desk.backoff(self._failures[sku], retry_after))

    # ---- the feed ----

    async def run_feed(self) -> None:
        """Until cancelled: SKUs with transactions since the last look are read, whatever webhooks were lost."""
        desk, failures = self._desk, 0
        cursor = (await desk.commit(lambda context, _: context.get(desk.tables.polls, desk.channel))) or PollRow(
            desk.channel
        )
        feed = cursor.feed
        while True:
            try:
                skus, feed = await doing("read_feed", self._connector.changes_since(feed, Priority.SWEEP))
                await self._fed(skus, feed)
            except PeerError as error:
                failures += 1
                await desk.failed(error)
                await asyncio.sleep(desk.backoff(failures, error.retry_after) / 1000)
            else:
                failures = 0
                await desk.worked()
                await asyncio.sleep(desk.settings.sweeps.feed / 1000)

    async def _fed(self, skus: Iterable[str], feed: str) -> None:
        desk = self._desk
        known = sorted(sku for sku in skus if sku in desk.catalogue.products)

        def work(context: Context, _: Emitter) -> None:
            row = context.get(desk.tables.polls, desk.channel) or PollRow(desk.channel)
            row.feed = feed
            context.put(desk.tables.polls, desk.channel, row)
            mark_dirty(desk, context, known)

        await desk.commit(work)
        for sku in known:
            self.changed(sku)


def mark_dirty(desk: Desk, context: Context, skus: Iterable[str], expected: str = "") -> None:
    """The durable half of `WarehouseStock.changed`; with the reference of a goods out its line is expected by the next read (`reads.expect`)."""
    for sku in skus:
        row = context.get(desk.tables.reads, sku) or ReadRow(sku)
        desk.began("read")
        if row.dirty:
            desk.ended("read", "superseded")
        reads.want(row)
        if expected:
            reads.expect(row, expected)
        context.put(desk.tables.reads, sku, row)


def _found(order: GoodsOut, sku: str) -> Found:
    return Found(order.status, order.lines.get(sku, (0, 0))[1], order.warehouse)
