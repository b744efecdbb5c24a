"""What the parts of one channel's owner share: commits through the engine, open exceptions, back-off, waking up.

It makes no calls and knows no rules of stock or orders.
"""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import structlog
from prometheus_client import Histogram

from agents.delivery import DeliveryTables
from agents.emit import Emitter
from app import metrics
from app.connectors.errors import NotSent, PeerError, Unauthorised
from app.delivery.gate import Gate
from app.engine.api import Context, Engine
from app.settings import ProductSettingsTree
from schemas import catalogue as topics
from schemas.codec import Codecs
from tables import reconciliation
from tables.catalogue import Catalogue
from tables.deliveries import modes, pauses, troubles, work
from tables.deliveries.modes import ModeRow
from tables.deliveries.pauses import PauseRow
from tables.deliveries.troubles import TroubleRow
from tables.deliveries.work import DueRow, Kind
from tables.reconciliation import SweepRow

Result = TypeVar("Result")
Work = Callable[[Context, Emitter], Result]
"""Runs inside a cycle, perhaps more than once: everything it does is derived from its context, and what it found is its result."""
Note = Callable[[], None]


class Desk:
    """One channel's owner at work in one partition."""

    def __init__(
        self,
        channel: str,
        partition: int,
        engine: Engine,
        gate: Gate,
        catalogue: Catalogue,
        settings: ProductSettingsTree,
        codecs: Codecs,
        tables: DeliveryTables,
        clock: Callable[[], float],
        rng: random.Random,
        starts_in_shadow: bool = False,
        orders_from: int = 0,
    ) -> None:
        self.channel, self.partition, self.engine, self.gate = channel, partition, engine, gate
        self.catalogue, self.settings, self.tables, self.rng = catalogue, settings, tables, rng
        self.log = structlog.get_logger(__name__).bind(channel=channel)
        self.may_write = False
        self.failures = 0
        self.pauses: dict[str, PauseRow] = {}
        self.mode: ModeRow | None = None
        self.mode_changed = asyncio.Event()
        self.orders_from = orders_from
        self._starts_in_shadow = starts_in_shadow
        self._pauses_changed = asyncio.Event()
        self._alarms: list[Alarm] = []
        self._codecs, self._clock = codecs, clock
        self._open: set[str] = set()
        self._notes: list[Note] = []

    def now(self) -> int:
        """Our wall clock, milliseconds."""
        return int(self._clock() * 1000)

    @property
    def create_unknown(self) -> int:
        """How long the warehouse may be at work on a request whose answer was lost."""
        return max(self.settings.delivery.create_unknown, self.settings.bounds.late_max)

    async def commit(self, work: Work[Result]) -> Result:
        """Run `work` in the next cycle and return its result when that cycle is committed. Raises `PartitionLost`."""
        origin = f"{self.channel}:{self.rng.getrandbits(64):016x}"
        results: list[tuple[Result, list[Note]]] = []

        def run(context: Context) -> None:
            self._notes = []
            result = work(context, Emitter(self._codecs, context, origin, None, self.channel, context.now_ms))
            results.append((result, self._notes))

        await self.engine.submit(self.partition, run)
        result, notes = results[-1]
        for note in notes:
            note()
        return result

    # ---- measuring: inside `work`, counted when its cycle is committed ----

    def confirmed(self, kind: str, occurred_at: int) -> None:
        """A wanted state that follows from something that occurred then is confirmed at the peer; 0: nothing is said of its age."""
        self.ended(kind, "done")
        if occurred_at:
            self._aged(metrics.CAUSE_TO_CONFIRMED, occurred_at)

    def sent(self, occurred_at: int) -> None:
        """The first request for something that occurred then is about to leave."""
        if occurred_at:
            self._aged(metrics.CAUSE_TO_SENT, occurred_at)

    def began(self, kind: str) -> None:
        """A wanted state that no command asked for came to be."""
        self._notes.append(lambda: metrics.COMMANDS_IN.labels(self.channel, kind).inc())

    def ended(self, kind: str, outcome: str) -> None:
        """What became of a wanted state: done, superseded or failed."""
        self._notes.append(lambda: metrics.COMMANDS.labels(self.channel, kind, outcome).inc())

    def healed(self) -> None:
        """A judgement of drift was taken over."""
        self._notes.append(lambda: metrics.DRIFT_HEALED.labels(self.channel).inc())

    def _aged(self, histogram: Histogram, occurred_at: int) -> None:
        self._notes.append(lambda: histogram.labels(self.channel).observe(max(0, self.now() - occurred_at) / 1000))

    # ---- what is to be done, for the next owner: inside `work` ----

    def is_due(self, context: Context, kind: Kind, entity: str, since: int) -> None:
        """Something of this kind is to be done for it."""
        context.put(self.tables.due, work.due_key(self.channel, kind, entity), DueRow(since))

    def is_done(self, context: Context, kind: Kind, entity: str) -> None:
        """Nothing of this kind is to be done for it any more."""
        context.delete(self.tables.due, work.due_key(self.channel, kind, entity))

    def due(self, context: Context, kind: Kind) -> dict[str, int]:
        """Everything of this kind that is to be done, with since when."""
        prefix = work.due_prefix(self.channel, kind)
        return {key.removeprefix(prefix): row.since for key, row in context.scan(self.tables.due, prefix)}

    def alarm(self) -> "Alarm":
        """An alarm of this owner; it rings when writing is allowed."""
        alarm = Alarm(self.now)
        self._alarms.append(alarm)
        return alarm

    def allow_writes(self) -> None:
        """The start check agrees."""
        self.may_write = True
        for alarm in self._alarms:
            alarm.ring()

    # ---- operators ----

    def told(self, kind: str, key: str) -> None:
        """Something changed that concerns the channel and none of its parts."""
        match kind:
            case "pause":
                self._pauses_changed.set()
            case "retry":
                self._retry()
            case "resolved":
                self._open.discard(key)  # it is opened anew where its cause is met again
            case _:
                self.log.warning("command_for_another_kind_of_channel", kind=kind)

    def _retry(self) -> None:
        """Whatever waits for another attempt is looked at now; the rows still decide what may be sent. The start check is made again too."""
        for alarm in self._alarms:
            alarm.hasten()
        self.mode_changed.set()

    def paused(self, context: Context, sku: str = pauses.WHOLE) -> PauseRow | None:
        """The pause that the SKU at this channel (without `sku`: the channel) falls under, as this cycle sees it."""
        return pauses.in_force(lambda key: context.get(self.tables.pauses, key), self.channel, sku)

    def in_shadow(self, context: Context) -> bool:
        """Is the channel in shadow, as this cycle sees it?"""
        row = context.get(self.tables.modes, self.channel)
        return row.shadow if row is not None else self._starts_in_shadow

    def may_change(self, context: Context, sku: str = pauses.WHOLE) -> bool:
        """May a write of the SKU (without `sku`: of anything at the channel) begin, as this cycle sees it?"""
        return not self.in_shadow(context) and self.paused(context, sku) is None

    @property
    def shadow(self) -> bool:
        """Was the channel in shadow a moment ago? What decides about a write is `may_change`."""
        return self.mode.shadow if self.mode is not None else self._starts_in_shadow

    async def load_mode(self) -> None:
        """Learn the mode in force before anything is sent. A start in shadow is made durable: a later configuration does not end it."""

        def look(context: Context, _: Emitter) -> ModeRow | None:
            row = context.get(self.tables.modes, self.channel)
            if row is None and self._starts_in_shadow:
                row = modes.started(self.channel, context.now_ms)
                context.put(self.tables.modes, self.channel, row)
            return row

        self._known_mode(await self.commit(look))

    def _known_mode(self, row: ModeRow | None) -> None:
        if row != self.mode:
            self.mode = row
            self.mode_changed.set()
        self.gate.read_only = self.shadow

    async def run_pauses(self, resumed: Callable[[], None]) -> None:
        """Until cancelled: keep `pauses` (by target, for the status page) and the mode up to date; `resumed` is called whenever writes may go on."""
        prefix = pauses.key(self.channel, "")
        while True:
            self._pauses_changed.clear()
            mode, rows = await self.commit(
                lambda context, _: (
                    context.get(self.tables.modes, self.channel),
                    [row for _, row in context.scan(self.tables.pauses, prefix)],
                )
            )
            self._known_mode(mode)
            self.pauses = {row.target: row for row in rows}
            resumed()
            await self._pauses_changed.wait()

    # ---- exceptions ----

    async def load_troubles(self) -> None:
        """Learn which exceptions an earlier owner left open."""
        prefix = f"{self.channel}/"
        self._open = set(
            await self.commit(lambda context, _: [key for key, _ in context.scan(self.tables.troubles, prefix)])
        )

    def open_trouble(self, context: Context, emit: Emitter, kind: str, entity: str, detail: str) -> None:
        """Open the exception, or change its text; nothing happens where both are known."""
        key = self._trouble_key(kind, entity)
        row, news = troubles.raised(context.get(self.tables.troubles, key), kind, entity, detail, context.now_ms)
        self._open.add(key)
        if kind == "unmapped_sku":
            self.saw_difference(context, "catalogue", entity, detail)
        if news:
            context.put(self.tables.troubles, key, row)
            self._send(emit, row, context.now_ms)

    def resolve_trouble(self, context: Context, emit: Emitter, kind: str, entity: str) -> None:
        """It works again: resolve the exception where it is open."""
        key = self._trouble_key(kind, entity)
        if key not in self._open:
            return
        row = context.get(self.tables.troubles, key)
        if row is None:
            self._open.discard(key)
            return
        context.delete(self.tables.troubles, key)
        if kind == "unmapped_sku":
            self.difference_is_over(context, "catalogue", entity)
        row.handling.note(context.now_ms, "resolved")
        self._send(emit, row, context.now_ms)

    def is_open(self, kind: str, entity: str) -> bool:
        """Is (or was a moment ago) this exception open? Keys go when they are found resolved, so that an aborted cycle forgets none."""
        return self._trouble_key(kind, entity) in self._open

    def open_by_type(self) -> Counter[str]:
        """How many exceptions are open, by type."""
        return Counter(key.removeprefix(f"{self.channel}/").partition(":")[0] for key in self._open)

    def _trouble_key(self, kind: str, entity: str) -> str:
        return f"{self.channel}/{kind}:{entity}"

    def _send(self, emit: Emitter, row: TroubleRow, now: int) -> None:
        record = troubles.record(row, self.channel, now)
        emit.send(topics.INTEGRATION_EXCEPTIONS, record.exception_id, record)

    # ---- what the catalogues and settings of both sides disagree about, for the audit ----

    def saw_difference(self, context: Context, kind: str, entity: str, detail: str) -> None:
        """Inside `work`: keep that it was seen now."""
        known = context.get(self.tables.differences, reconciliation.key(self.channel, kind, entity))
        row = reconciliation.seen(known, self.channel, kind, entity, kind, detail, context.now_ms)
        context.put(self.tables.differences, row.key, row)

    def difference_is_over(self, context: Context, kind: str, entity: str) -> None:
        """Inside `work`: it was not there any more."""
        row = context.get(self.tables.differences, reconciliation.key(self.channel, kind, entity))
        if row is not None and not row.over_at:
            row.over_at = context.now_ms
            context.put(self.tables.differences, row.key, row)

    def unanswered(self, context: Context, listings: int) -> None:
        """Inside `work`: so many listings were to be read back, and the peer did not answer."""
        row = context.get(self.tables.sweeps, self.channel) or SweepRow()
        row.unanswered += listings
        row.since, row.last = row.since or context.now_ms, context.now_ms
        context.put(self.tables.sweeps, self.channel, row)

    # ---- failures ----

    @property
    def away(self) -> bool:
        """Nothing has worked for so long that the channel itself is at fault."""
        return self.failures >= self.settings.delivery.attempts

    async def failed(self, error: PeerError) -> None:
        """A call failed for a reason that is the channel's, not the entity's. After the configured attempts in a row an exception is opened."""
        if isinstance(error, NotSent):
            return
        self.failures += 1
        if (self.away or isinstance(error, Unauthorised)) and not self.is_open("delivery_failed", self.channel):
            detail = f"{error.request}: {error.detail}"
            await self.commit(
                lambda context, emit: self.open_trouble(context, emit, "delivery_failed", self.channel, detail)
            )

    async def worked(self) -> None:
        """A call worked: the channel is back."""
        self.failures = 0
        if self.is_open("delivery_failed", self.channel):
            await self.commit(
                lambda context, emit: self.resolve_trouble(context, emit, "delivery_failed", self.channel)
            )

    def backoff(self, failures: int, at_least: float | None = None) -> int:
        """Milliseconds to wait after this many failures in a row: doubling, with jitter of a half; `at_least` seconds where the peer said so."""
        delivery = self.settings.delivery
        wait = min(delivery.backoff_max, delivery.backoff * 2 ** min(max(failures, 1) - 1, 16))
        jittered = wait * self.rng.uniform(0.5, 1.0)
        return int(max(jittered, (at_least or 0.0) * 1000, 1))


class Alarm:
    """Keys that are due at a time (milliseconds), and an event that wakes who waits for the next of them or for `ring`."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._event = asyncio.Event()
        self._heap: list[tuple[int, str]] = []
        self._at: dict[str, int] = {}

    def ring(self) -> None:
        """Wake up at once."""
        self._event.set()

    def hasten(self) -> None:
        """Everything is due now."""
        now = self._now()
        self._at = dict.fromkeys(self._at, now)
        self._heap = [(now, key) for key in self._at]
        heapq.heapify(self._heap)
        self._event.set()

    def set(self, key: str, at: int) -> None:
        """`key` is due at `at`; the time given last counts."""
        self._at[key] = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._at) + 100:
            self._heap = [(due, name) for name, due in self._at.items()]
            heapq.heapify(self._heap)
        self._event.set()

    def clear(self, key: str) -> None:
        """`key` is not due any more."""
        self._at.pop(key, None)

    def due(self) -> Iterator[str]:
        """Keys whose time has come; each once."""
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                yield key

    def __contains__(self, key: object) -> bool:
        return key in self._at

    async def wait(self, longest: float) -> None:
        """Until something is due, somebody rings, or `longest` seconds are over."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._heap:
            longest = min(longest, max(0.0, (self._heap[0][0] - self._now()) / 1000))
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await self._event.wait()
        self._event.clear()
