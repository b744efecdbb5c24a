"""The stock side of a storefront's owner: brings every listing of the channel to what its row wants, write by write, and reads listings back.

Here is decided when and in which order requests go out and how they are batched; what is done to the rows is `app/delivery/listing_rows.py`. State in memory
is only a to-do list: everything durable is in the rows, and an intent is committed before its request leaves.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import count, islice
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import AnswerKind, Finding, Priority, StockAnswer, StockRequest, Storefront
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.listing_rows import Due, ListingRows, Pending, Reading, Round
from app.delivery.queues import Queues
from app.engine.api import Context
from tables.deliveries.peers import Bounds

LOOK_AT_ONCE: Final = 1000
"""Rows looked at in one cycle."""
READS_AT_ONCE: Final = 2
LONGEST_SLEEP: Final = 5.0


class DueQueue:
    """What is due, by deadline; at most one entry for each listing."""

    def __init__(self) -> None:
        self._due: dict[str, Due] = {}
        self._heap: list[tuple[int, int, Due]] = []
        self._count = count()

    def put(self, due: Due) -> None:
        """In place of what the listing had."""
        self._due[due.listing] = due
        heapq.heappush(self._heap, (due.deadline, next(self._count), due))
        if len(self._heap) > 2 * len(self._due) + 100:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2].listing) is entry[2]]
            heapq.heapify(self._heap)

    def drop(self, listing: str) -> Due | None:
        """Nothing is due there any more, as far as is known; returns what was."""
        return self._due.pop(listing, None)

    def take(self, most: int) -> list[Due]:
        """Take the most urgent ones out."""
        taken: list[Due] = []
        while self._heap and len(taken) < most:
            due = heapq.heappop(self._heap)[2]
            if self._due.get(due.listing) is due:
                del self._due[due.listing]
                taken.append(due)
        return taken

    def __len__(self) -> int:
        return len(self._due)


class Listings:
    """`known` tells the order side that something waits for the channel's orders up to that storefront time; `findings` are the start check's."""

    def __init__(
        self,
        desk: Desk,
        connector: Storefront,
        bounds: Bounds,
        known: Callable[[int], None],
        findings: Sequence[Finding],
    ) -> None:
        self._desk, self._connector, self._known = desk, connector, known
        self._rows = ListingRows(desk, connector.kind, bounds, known, findings)
        self._alarm = desk.alarm()
        self._touched: dict[str, bool] = {}  # to be looked at; True: its sweep is due
        self._to_write, self._to_read = DueQueue(), DueQueue()
        self._writing: set[str] = set()
        self._reading: set[str] = set()
        self._held: set[str] = set()  # backing off
        self._failures: dict[str, int] = {}
        self._pending: dict[str, Pending] = {}
        self._uncertain: dict[str, int] = {}
        self._missing: set[str] = set()
        self._write_tasks = self._read_tasks = 0
        self._sweep_at = self._sweep_next = 0
        self._remapped: set[str] = set()  # products whose listings may be new, or another product's

    # ---- seen from outside ----

    def changed(self, listing: str) -> None:
        """Its row changed: look at it, at once or when its back-off is over."""
        if listing not in self._held:
            self._touched.setdefault(listing, False)
            self._alarm.ring()

    def resumed(self) -> None:
        """A pause ended: every listing of the channel may have something to write."""
        for listing in self._desk.catalogue.of_channel(self._desk.channel):
            self.changed(listing.id)

    def remapped(self, changed: Set[str]) -> None:
        """Other mappings are in force: listings of these products may be new, another product's, or gone."""
        self._remapped |= changed
        self._alarm.ring()

    def pending(self) -> int:
        """Listings whose wanted state is not confirmed. What the storefront cannot manage has an exception and does not count."""
        return len((self._pending.keys() | self._writing | self._touched.keys()) - self._missing)

    def queues(self) -> Queues:
        """The pending ones by priority; what was not looked at yet counts as an increase."""
        found = Queues("stock")
        for key in (self._pending.keys() | self._writing | self._touched.keys()) - self._missing:
            one = self._pending.get(key)
            found.add(*((one.priority, one.since) if one is not None else (Priority.INCREASE, None)))
        return found

    def uncertain(self) -> int:
        """Units that listings of the channel may show beyond those they certainly have."""
        return sum(self._uncertain.values())

    def unguarded(self) -> int:
        """As `Owner.unguarded`."""
        return len(self._rows.unguarded)

    async def load(self) -> None:
        """Take the channel's rows over."""
        for key in await self._desk.commit(self._rows.take_over):
            self._touched.setdefault(key, False)
        self._sweep_at = self._desk.now()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            if self._remapped:
                await self._follow_catalogue()
            for key in self._alarm.due():
                self._held.discard(key)
                self._touched.setdefault(key, False)
            self._sweep()
            if self._round_wanted():
                await self._round(group)
            else:
                await self._alarm.wait(self._sleep())

    async def _follow_catalogue(self) -> None:
        changed, self._remapped = self._remapped, set()
        listings = [x for x in self._desk.catalogue.of_channel(self._desk.channel) if x.product in changed]
        for start in range(0, len(listings) or 1, LOOK_AT_ONCE):
            part = listings[start : start + LOOK_AT_ONCE]
            await self._desk.commit(lambda context, emit, part=part: self._rows.follow_catalogue(context, emit, part))  # type: ignore[misc]
            for listing in part:
                self.changed(listing.id)

    # ---- what is due ----

    def _sweep(self) -> None:
        """Mark the next listings for a read-back so that each is read once within the sweep time, evenly."""
        listings = self._desk.catalogue.of_channel(self._desk.channel)
        now = self._desk.now()
        if not listings or now < self._sweep_at:
            return
        share = max(1, min(self._connector.max_read, len(listings)))
        for _ in range(share):
            key = listings[self._sweep_next % len(listings)].id
            self._sweep_next += 1
            if key not in self._held:
                self._touched[key] = True
        self._sweep_at = now + max(50, self._desk.settings.sweeps.listings * share // len(listings))

    def _sleep(self) -> float:
        sweep = (self._sweep_at - self._desk.now()) / 1000
        blocked = self._desk.gate.wait() if self._to_write or self._to_read else 0.0
        return max(0.01, min(LONGEST_SLEEP, sweep, blocked or LONGEST_SLEEP))

    def _slots(self) -> tuple[int, int]:
        """Write and read requests that may start now. What must wait for the budget is not begun: a later target may replace it."""
        if self._desk.gate.wait() > 0:
            return 0, 0
        writes = self._connector.parallel_writes - self._write_tasks if self._desk.may_write else 0
        return max(0, writes), max(0, READS_AT_ONCE - self._read_tasks)

    def _round_wanted(self) -> bool:
        writes, reads = self._slots()
        return bool(self._touched or (writes and self._to_write) or (reads and self._to_read))

    # ---- one round ----

    async def _round(self, group: asyncio.TaskGroup) -> None:
        """Look at what changed, begin what is most urgent, send it."""
        looking = {key: self._touched.pop(key) for key in list(islice(self._touched, LOOK_AT_ONCE))}
        waited: dict[str, int] = {}
        for key in looking:
            self._alarm.clear(key)
            before = (self._to_write.drop(key), self._to_read.drop(key))
            waited.update({due.listing: due.since for due in before if due is not None})
        writes, reads = self._slots()
        waiting = self._to_write.take(2 * writes * self._connector.max_rows)
        waiting += self._to_read.take(reads * self._connector.max_read)
        found = await self._desk.commit(
            lambda context, emit: self._look(context, emit, looking, waited, waiting, writes, reads)
        )
        for key, at in found.waits.items():
            self._alarm.set(key, at)
        for key, one in found.pending.items():
            self._pending.pop(key, None)
            if one is not None:
                self._pending[key] = one
        for key, units in found.uncertain.items():
            self._uncertain.pop(key, None)
            if units:
                self._uncertain[key] = units
        for due in found.due:
            if due.listing not in self._held:
                (self._to_read if due.purpose else self._to_write).put(due)
        for priority, requests in found.writes:
            self._write_tasks += 1
            self._writing.update(request.listing.id for request in requests)
            group.create_task(self._write(requests, priority))
        for priority, readings in found.reads:
            self._read_tasks += 1
            self._reading.update(reading.listing for reading in readings)
            group.create_task(self._read(readings, priority))

    def _look(
        self,
        context: Context,
        emit: Emitter,
        looking: Mapping[str, bool],
        waited: Mapping[str, int],
        waiting: Iterable[Due],
        writes: int,
        reads: int,
    ) -> Round:
        found, due = Round(), list(waiting)
        for key, sweep in looking.items():
            one = self._rows.evaluate(context, emit, key, sweep, key in self._writing, found)
            if one is not None and key not in (self._reading if one.purpose else self._writing):
                due.append(replace(one, since=min(one.since, waited.get(key, one.since))))
        due.sort(key=lambda one: one.deadline)
        self._begin_writes(context, [one for one in due if one.purpose is None], writes, found)
        self._begin_reads(context, [one for one in due if one.purpose is not None], reads, found)
        return found

    def _begin_writes(self, context: Context, due: list[Due], slots: int, found: Round) -> None:
        """Fill the free requests with the most urgent writes, relative ones and zeros apart, each row looked at again."""
        while due and slots > 0:
            first, requests, rest = due[0], list[StockRequest](), list[Due]()
            for one in due:
                if one.zero is not first.zero or len(requests) >= self._connector.max_rows:
                    rest.append(one)
                    continue
                request = self._rows.begin_write(context, one)
                if request is None:
                    found.waits[one.listing] = context.now_ms
                else:
                    requests.append(request)
            if requests:
                found.writes.append((first.priority, requests))
                slots -= 1
            due = rest
        found.due += due

    def _begin_reads(self, context: Context, due: list[Due], slots: int, found: Round) -> None:
        """Fill the free reads. A row that changed again is looked at first: a read-back too early would be judged wrongly."""
        due = [one for one in due if one.listing not in self._touched]
        size = self._connector.max_read
        for start in range(0, min(len(due), slots * size), size):
            begun = [self._rows.begin_read(context, one) for one in due[start : start + size]]
            found.reads.append((due[start].priority, [one for one in begun if one is not None]))
        found.due += due[slots * size :]

    # ---- requests ----

    async def _write(self, requests: list[StockRequest], priority: Priority) -> None:
        keys = [request.listing.id for request in requests]
        try:
            answers = await doing("write_stock", self._connector.write_stock(requests, priority))
            waits = await self._desk.commit(lambda context, emit: self._rows.answered(context, emit, requests, answers))
        finally:
            self._write_tasks -= 1
            self._writing.difference_update(keys)
        self._again(keys, waits)
        kinds = {answer.kind for answer in answers.values()}
        if kinds - {AnswerKind.NOT_SENT, AnswerKind.UNKNOWN}:
            await self._desk.worked()
        elif AnswerKind.UNKNOWN in kinds or self._desk.gate.wait() == 0:
            await self._desk.failed(PeerError(self._desk.channel, "write stock", _detail(answers)))

    async def _read(self, readings: list[Reading], priority: Priority) -> None:
        keys = [reading.listing for reading in readings]
        known = self._desk.catalogue.listings
        readings = [reading for reading in readings if reading.listing in known]
        listings = [known[reading.listing] for reading in readings]
        try:
            answers = await doing("read_stock", self._connector.read_stock(listings, priority))
            missing, times = await self._desk.commit(
                lambda context, emit: self._rows.was_read(context, emit, readings, answers)
            )
        except PeerError as error:
            checks = sum(one.purpose == "check" for one in readings)
            if checks:
                await self._desk.commit(lambda context, _: self._desk.unanswered(context, checks))
            self._again(keys, dict.fromkeys(keys, error.retry_after))
            await self._desk.failed(error)
            return
        finally:
            self._read_tasks -= 1
            self._reading.difference_update(keys)
        self._missing.difference_update(keys)
        self._missing.update(missing)
        self._again(keys, dict.fromkeys(missing))
        for at in times:
            self._known(at)
        await self._desk.worked()

    def _again(self, keys: Iterable[str], waits: Mapping[str, float | None]) -> None:
        """Look at these rows again: at once, or after a back-off where they are among `waits` (with the peer's own wait in seconds)."""
        for key in keys:
            if key not in waits:
                self._failures.pop(key, None)
                self.changed(key)
                continue
            self._failures[key] = self._failures.get(key, 0) + 1
            self._held.add(key)
            self._touched.pop(key, None)
            self._to_write.drop(key)
            self._to_read.drop(key)
            self._alarm.set(key, self._desk.now() + self._desk.backoff(self._failures[key], waits[key]))
        self._alarm.ring()


def _detail(answers: Mapping[str, StockAnswer]) -> str:
    return next((answer.detail for answer in answers.values() if answer.detail), "not sent")
