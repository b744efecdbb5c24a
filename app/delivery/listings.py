"""The stock side of a storefront's owner: brings every listing of the channel to what its row wants, write by write, and reads listings back.

What to do next and what an answer means is decided by `tables/deliveries/listing.py`; here rows become batches of requests, intents are committed before they
leave, and answers are committed with the records that follow from them. State in memory is only a to-do list: everything durable is in the rows.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from agents.emit import Emitter
from app.connectors.contract import AnswerKind, Priority, StockAnswer, StockReading, StockRequest, Storefront
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import StockOutcome
from tables.deliveries import listing as rules
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Tell, Wait, Write
from tables.deliveries.peers import Bounds, PeerKind

LOOK_AT_ONCE: Final = 1000
"""Rows looked at in one cycle."""
READS_AT_ONCE: Final = 2
LONGEST_SLEEP: Final = 5.0

Purpose = Literal["look", "check", "adopt"]


@dataclass(frozen=True, slots=True)
class Due:
    """A listing that has something to send or to read."""

    listing: str
    purpose: Purpose | None  # None: a write
    zero: bool
    priority: Priority
    since: int
    sweep: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """The most urgent first, then the longest waiting."""
        return (self.priority, self.since)


@dataclass(frozen=True, slots=True)
class Reading:
    """A listing under way to be read: why, and its `pver` and our time when the read began."""

    listing: str
    purpose: Purpose
    pver: int
    began: int


@dataclass(slots=True)
class Round:
    """What one look at the rows found."""

    waits: dict[str, int] = field(default_factory=dict)
    due: list[Due] = field(default_factory=list)
    pending: dict[str, bool] = field(default_factory=dict)
    writes: list[tuple[Priority, list[StockRequest]]] = field(default_factory=list)
    reads: list[tuple[Priority, list[Reading]]] = field(default_factory=list)


class Listings:
    """`known` tells the order side that something waits for the channel's orders up to that storefront time."""

    def __init__(self, desk: Desk, connector: Storefront, bounds: Bounds, known: Callable[[int], None]) -> None:
        self._desk, self._connector, self._bounds, self._known = desk, connector, bounds, known
        self._kind: PeerKind = connector.kind
        self._alarm = desk.alarm()
        self._touched: dict[str, bool] = {}
        self._due: dict[str, Due] = {}
        self._writing: set[str] = set()
        self._reading: set[str] = set()
        self._held: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._pending: set[str] = set()
        self._parked: set[str] = set()
        self._batches = 0
        self._read_tasks = 0
        self._sweep_at = 0
        self._sweep_next = 0

    # ---- seen from outside ----

    def changed(self, listing: str) -> None:
        """Its row changed: look at it."""
        self._touched.setdefault(listing, False)
        self._alarm.ring()

    def pending(self) -> int:
        """Listings whose wanted state is not confirmed. What the storefront cannot manage (`missing`) has an exception and does not count."""
        return len((self._pending | self._writing | self._touched.keys()) - self._parked)

    async def load(self) -> None:
        """Take the channel's rows over: intents found in them are unknown outcomes; listings of the catalogue without a row get one."""
        desk = self._desk

        def take_over(context: Context, _: Emitter) -> list[str]:
            now, known = context.now_ms, set[str]()
            for key, row in context.scan(desk.tables.listings, f"{desk.channel}/"):
                known.add(key)
                if row.intent is not None:
                    rules.foreign(row, self._kind, self._bounds, now)
                    context.put(desk.tables.listings, key, row)
            for listing in desk.catalogue.of_channel(desk.channel):
                if listing.id not in known:
                    context.put(desk.tables.listings, listing.id, ListingRow(listing.id, desk.channel, listing.product))
                    known.add(listing.id)
            return sorted(known)

        for key in await desk.commit(take_over):
            self._touched.setdefault(key, False)
        self._sweep_at = desk.now()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            self._take_due()
            began = self._round_wanted()
            if began:
                await self._round(group)
            if not self._round_wanted():
                await self._alarm.wait(self._sleep())

    # ---- what is due ----

    def _take_due(self) -> None:
        for key in self._alarm.due():
            self._held.pop(key, None)
            self._touched.setdefault(key, False)
        self._sweep()

    def _sweep(self) -> None:
        """Mark the next listings for a read-back so that each is read once within the sweep time, evenly."""
        listings = self._desk.catalogue.of_channel(self._desk.channel)
        now = self._desk.now()
        if not listings or now < self._sweep_at:
            return
        count = max(1, min(self._connector.max_read, len(listings)))
        for _ in range(count):
            self._touched[listings[self._sweep_next % len(listings)].id] = True
            self._sweep_next += 1
        self._sweep_at = now + max(50, self._desk.settings.sweeps.listings * count // len(listings))

    def _sleep(self) -> float:
        sweep = (self._sweep_at - self._desk.now()) / 1000
        blocked = self._desk.gate.wait() if self._due else 0.0
        return max(0.01, min(LONGEST_SLEEP, sweep, blocked or LONGEST_SLEEP))

    def _round_wanted(self) -> bool:
        if any(key not in self._held for key in self._touched):
            return True
        free_writes, free_reads = self._slots()
        return any(
            free_reads and key not in self._reading if due.purpose else free_writes and key not in self._writing
            for key, due in self._due.items()
        )

    def _slots(self) -> tuple[int, int]:
        """Write and read requests that may start now. What must wait for the budget is not begun: a later target may replace it."""
        if self._desk.gate.wait() > 0:
            return 0, 0
        writes = self._connector.parallel_writes - self._batches if self._desk.may_write else 0
        return max(0, writes), max(0, READS_AT_ONCE - self._read_tasks)

    # ---- one round ----

    async def _round(self, group: asyncio.TaskGroup) -> None:
        ready = [key for key in self._touched if key not in self._held][:LOOK_AT_ONCE]
        looking = {key: self._touched.pop(key) for key in ready}
        before = {key: due for key, due in self._due.items() if key not in looking}
        slots = self._slots()
        found = await self._desk.commit(lambda context, emit: self._look(context, emit, looking, before, slots))
        self._due = {due.listing: due for due in found.due if due.listing not in self._held}
        for key in looking:
            self._alarm.clear(key)
        for key, at in found.waits.items():
            self._alarm.set(key, at)
        for key, pending in found.pending.items():
            (self._pending.add if pending else self._pending.discard)(key)
        for priority, requests in found.writes:
            self._batches += 1
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
        before: Mapping[str, Due],
        slots: tuple[int, int],
    ) -> Round:
        """Look at changed rows, choose what goes out next from everything due, and begin it."""
        found, at = Round(), self._desk.gate.peer_time()[1]
        due = dict(before)
        for key, sweep in looking.items():
            one = self._evaluate(context, emit, key, sweep, at, found)
            if one is not None:
                due[key] = one
        ordered = sorted(due.values(), key=lambda one: one.order)
        begun = self._begin_writes(context, [one for one in ordered if one.purpose is None], slots[0], found)
        begun |= self._begin_reads(context, [one for one in ordered if one.purpose is not None], slots[1], found)
        found.due = [one for key, one in due.items() if key not in begun]
        return found

    def _evaluate(self, context: Context, emit: Emitter, key: str, sweep: bool, at: int, found: Round) -> Due | None:
        tables, now = self._desk.tables, context.now_ms
        row = context.get(tables.listings, key)
        if row is None or key not in self._desk.catalogue.listings:
            found.pending[key] = False
            return None
        correction = context.get(tables.corrections, key)
        if correction is not None:
            context.delete(tables.corrections, key)
            self._emit(emit, rules.corrected(row, correction, self._kind, self._bounds, now, at))
        step = rules.next_step(row, self._kind, self._bounds, now, sweep)
        told = False
        while isinstance(step, Tell):
            self._emit(emit, [rules.tell(row, at, now)])
            step, told = rules.next_step(row, self._kind, self._bounds, now, sweep), True
        if correction is not None or told:
            context.put(tables.listings, key, row)
        found.pending[key] = rules.pending(row)
        if isinstance(step, Wait):
            if step.until is not None:
                found.waits[key] = step.until
            return None
        return _due(row, step, now, sweep)

    def _begin_writes(self, context: Context, due: list[Due], slots: int, found: Round) -> set[str]:
        """Fill the free requests with the most urgent writes, relative ones and zeros apart, each row looked at again."""
        begun, left = set[str](), [one for one in due if one.listing not in self._writing]
        for _ in range(slots):
            if not left:
                break
            zero, requests, rest = left[0].zero, list[StockRequest](), list[Due]()
            priority = left[0].priority
            for one in left:
                if one.zero is not zero or len(requests) >= self._connector.max_rows:
                    rest.append(one)
                    continue
                request = self._begin(context, one)
                begun.add(one.listing)
                if request is None:
                    found.waits[one.listing] = context.now_ms
                else:
                    requests.append(request)
            if requests:
                found.writes.append((priority, requests))
            left = rest
        return begun

    def _begin(self, context: Context, due: Due) -> StockRequest | None:
        """The request of one write, its intent committed with this cycle; None where the row wants something else by now."""
        tables, now = self._desk.tables, context.now_ms
        row = context.get(tables.listings, due.listing)
        if row is None:
            return None
        step = rules.next_step(row, self._kind, self._bounds, now, False)
        if not isinstance(step, Write) or step.zero is not due.zero:
            return None
        intent = rules.begin(row, step, now)
        context.put(tables.listings, due.listing, row)
        return StockRequest(
            listing=self._desk.catalogue.listings[due.listing],
            epoch=row.epoch,
            attempt=intent.attempt,
            delta=intent.delta,
            gross=intent.gross,
            zero=intent.zero,
            peer_id=row.peer_id,
            peer_version=row.peer_version,
        )

    def _begin_reads(self, context: Context, due: list[Due], slots: int, found: Round) -> set[str]:
        """Fill the free reads. A row that changed again is looked at first: a read-back too early would be judged wrongly."""
        busy = self._reading | self._touched.keys()
        begun, left = set[str](), [one for one in due if one.listing not in busy]
        size = self._connector.max_read
        for start in range(0, min(len(left), slots * size), size):
            readings = list[Reading]()
            for one in left[start : start + size]:
                row = context.get(self._desk.tables.listings, one.listing)
                begun.add(one.listing)
                if row is not None and one.purpose is not None:
                    readings.append(Reading(one.listing, one.purpose, row.pver, context.now_ms))
            if readings:
                found.reads.append((left[start].priority, readings))
        return begun

    # ---- writing ----

    async def _write(self, requests: list[StockRequest], priority: Priority) -> None:
        keys = [request.listing.id for request in requests]
        try:
            answers = await self._connector.write_stock(requests, priority)
            failed = await self._desk.commit(lambda context, emit: self._answered(context, emit, requests, answers))
        finally:
            self._batches -= 1
            self._writing.difference_update(keys)
        self._hold(keys, failed)
        if any(answer.kind not in (AnswerKind.NOT_SENT, AnswerKind.UNKNOWN) for answer in answers.values()):
            await self._desk.worked()
        else:
            await self._desk.failed(PeerError(self._desk.channel, "write stock", _details(answers)))

    def _answered(
        self, context: Context, emit: Emitter, requests: Iterable[StockRequest], answers: Mapping[str, StockAnswer]
    ) -> dict[str, float | None]:
        """Fold the answers into the rows. Returns the listings whose next attempt must wait, with the peer's own wait in seconds."""
        table, waits = self._desk.tables.listings, dict[str, float | None]()
        for request in requests:
            key = request.listing.id
            row = context.get(table, key)
            if row is None or row.intent is None or row.intent.attempt != request.attempt:
                continue
            answer = answers.get(key) or StockAnswer(key, AnswerKind.UNKNOWN, detail="no answer to this row")
            if self._fold_answer(context, emit, row, answer):
                waits[key] = answer.retry_after
            context.put(table, key, row)
        return waits

    def _fold_answer(self, context: Context, emit: Emitter, row: ListingRow, answer: StockAnswer) -> bool:
        """One answer; True where trying again at once is pointless."""
        now = context.now_ms
        match answer.kind:
            case AnswerKind.OK:
                outcomes = rules.acknowledged(row, self._kind, self._bounds, now, answer.at_to, answer.peer_version)
                self._emit(emit, outcomes)
                self._desk.resolve_trouble(context, emit, "delivery_failed", row.listing)
            case AnswerKind.CONFLICT:
                rules.conflict(row, self._kind, self._bounds, answer.peer_version, now)
            case AnswerKind.REFUSED:
                rules.refused(row, self._kind, now)
            case AnswerKind.NEEDS_ABSOLUTE:
                rules.needs_absolute(row, now)
            case AnswerKind.UNKNOWN:
                rules.unknown(row, self._kind, self._bounds, now)
                return True
            case AnswerKind.NOT_SENT:
                rules.not_sent(row, now)
                return True
            case AnswerKind.FAILED:
                rules.not_sent(row, now)
                detail = f"{answer.detail}: put it right at the storefront, or take the listing out of the products"
                self._desk.open_trouble(context, emit, "delivery_failed", row.listing, detail)
                return True
        return False

    # ---- reading ----

    async def _read(self, readings: list[Reading], priority: Priority) -> None:
        keys = [reading.listing for reading in readings]
        listings = [self._desk.catalogue.listings[key] for key in keys]
        try:
            try:
                answers = await self._connector.read_stock(listings, priority)
            except PeerError as error:
                self._hold(keys, dict.fromkeys(keys, error.retry_after))
                await self._desk.failed(error)
                return
            missing, times = await self._desk.commit(
                lambda context, emit: self._was_read(context, emit, readings, answers)
            )
        finally:
            self._read_tasks -= 1
            self._reading.difference_update(keys)
        self._parked.difference_update(keys)
        self._parked.update(missing)
        self._hold(keys, dict.fromkeys(missing))
        for at in times:
            self._known(at)
        await self._desk.worked()

    def _was_read(
        self, context: Context, emit: Emitter, readings: Iterable[Reading], answers: Mapping[str, StockReading]
    ) -> tuple[list[str], list[int]]:
        """Fold readings into the rows. Returns the listings that the storefront cannot manage, and the times up to which orders must be known now."""
        desk, missing, times = self._desk, list[str](), list[int]()
        for reading in readings:
            row, answer = context.get(desk.tables.listings, reading.listing), answers.get(reading.listing)
            if row is None:
                continue
            if answer is None or answer.missing:
                reason = answer.missing if answer is not None else "the storefront's answer leaves it out"
                detail = f"{reason}: map it to a SKU that the storefront tracks, or take it out of the products"
                desk.open_trouble(context, emit, "unmapped_sku", reading.listing, detail)
                missing.append(reading.listing)
                continue
            desk.resolve_trouble(context, emit, "unmapped_sku", reading.listing)
            times += self._fold_reading(context, emit, row, reading, answer)
            context.put(desk.tables.listings, reading.listing, row)
        return missing, times

    def _fold_reading(
        self, context: Context, emit: Emitter, row: ListingRow, reading: Reading, answer: StockReading
    ) -> list[int]:
        now = context.now_ms
        marker = (answer.marker.epoch, answer.marker.attempt, answer.marker.gross) if answer.marker else None
        match reading.purpose:
            case "look":
                if row.pver == reading.pver:
                    self._emit(
                        emit,
                        rules.looked_up(
                            row,
                            self._kind,
                            self._bounds,
                            answer.quantity,
                            marker,
                            answer.peer_version,
                            now,
                            answer.at_to,
                            reading.began,
                        ),
                    )
            case "check":
                back = rules.read_back(
                    row, self._bounds, answer.quantity, answer.at_from, answer.at_to, reading.pver, now
                )
                if back is not None:
                    emit.send(topics.INVENTORY_EVENTS, back.sku, back)
                    return [answer.at_to] if back.verify else []
            case "adopt":
                if row.epoch == 0:
                    never_set = self._kind is PeerKind.RELATIVE and answer.quantity == 0
                    baseline = rules.adopt(
                        row,
                        answer.quantity,
                        answer.at_from,
                        answer.at_to,
                        marker,
                        answer.peer_id,
                        answer.peer_version,
                        now,
                        not never_set,
                    )
                    emit.send(topics.INVENTORY_EVENTS, baseline.sku, baseline)
                    return [answer.at_to]
        return []

    # ---- shared ----

    def _emit(self, emit: Emitter, outcomes: Iterable[StockOutcome]) -> None:
        for outcome in outcomes:
            emit.send(topics.INVENTORY_EVENTS, outcome.sku, outcome)

    def _hold(self, keys: Iterable[str], failed: Mapping[str, float | None]) -> None:
        """Look at these rows again: at once, or after a back-off where they failed."""
        for key in keys:
            if key in failed:
                self._due.pop(key, None)
                self._failures[key] = self._failures.get(key, 0) + 1
                self._held[key] = self._desk.now() + self._desk.backoff(self._failures[key], failed[key])
                self._alarm.set(key, self._held[key])
            else:
                self._failures.pop(key, None)
                self.changed(key)
        self._alarm.ring()


def _due(row: ListingRow, step: Write | LookUp | CheckBack | Adopt, now: int, sweep: bool) -> Due:
    urgent = row.priority <= Priority.DECREASE
    match step:
        case Write():
            lowers = step.zero or step.delta < 0
            priority = Priority.OTHER_DECREASE if lowers else Priority.INCREASE
            if step.zero or (lowers and urgent):
                priority = Priority.DECREASE
            return Due(row.listing, None, step.zero, priority, row.changed_at or now)
        case LookUp():
            return Due(row.listing, "look", False, Priority.DECREASE if urgent else Priority.OTHER_DECREASE, now)
        case CheckBack():
            priority = Priority.INCREASE if row.verify or row.hold else Priority.SWEEP
            return Due(row.listing, "check", False, priority, now, sweep)
        case Adopt():
            return Due(row.listing, "adopt", False, Priority.INCREASE, now)


def _details(answers: Mapping[str, StockAnswer]) -> str:
    return next((answer.detail for answer in answers.values() if answer.detail), "not sent")
