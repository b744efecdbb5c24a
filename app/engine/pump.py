"""The engine's heart: one cycle after another, on the event loop, with Kafka's blocking calls on a thread of their own.

A turn polls, follows what the group did, lets restored partitions run, and then makes one cycle: batches through the agents partition by partition,
submitted functions, ticks, and one commit over all of it. Between two turns nothing is uncommitted, so a rebalance never finds work half done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from app.engine.api import PartitionFunction, PartitionLost
from app.engine.appetite import Appetite
from app.engine.commit import Committer, committer
from app.engine.config import EngineConfig
from app.engine.consumer import Change, GroupConsumer, Polled, Rebalance
from app.engine.cycle import Cycle, EngineBatch, Naming, OutputRun, Sealed, Trial
from app.engine.deadletters import DeadLetterLimits
from app.engine.errors import CycleAborted, EngineError, Fenced, PoisonBatch, StoppedWaiting
from app.engine.health import EngineObserver, EngineStats, Unobserved
from app.engine.heartbeat import Heartbeat
from app.engine.memory import settle
from app.engine.ownership import Ownership
from app.engine.partition import OwnedPartition, Phase, Submission, Tick
from app.engine.patience import Patience
from app.engine.records import written_at
from app.engine.store import Mark, StoreSet
from app.engine.topics import prepare

log = structlog.get_logger(__name__)

_LAG_EVERY_S = 1.0
_WATCH_S = 0.5
_BACKOFF_S = 0.1
_BACKOFF_MOST_S = 5.0
_SHOWN = 20
Result = TypeVar("Result")
Deliver = Callable[[EngineBatch, str, int], Awaitable[None]]
"""Hands a batch to the agent of its topic (broker's name) and partition."""


class Pump:
    """Runs the cycles of one worker. `deliver` is Faust's side; everything else about Faust is elsewhere."""

    def __init__(self, config: EngineConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.stats = EngineStats()
        self.observer: EngineObserver = Unobserved()
        self.heartbeat = Heartbeat(config.session_timeout_ms / 1000)
        self.broker_away = False
        self._clock = clock
        self._naming = Naming(config.topic_prefix, config.dead_letter_topic)
        self._stores = StoreSet(config.store, config.directory)
        self._appetite = Appetite(config.poll_max, config.commit_interval_ms / 1000)
        self._limits = DeadLetterLimits(config.dead_letter_ratio, config.dead_letter_run)
        self._patience = Patience(self.heartbeat)
        self._committer: Committer = committer(config, self._patience)
        self._thread = ThreadPoolExecutor(1, "kafka")
        self.ownership = Ownership(config, self._stores, self.stats, self._kafka)
        self._ticks: list[Tick] = []
        self._batch_in_work: EngineBatch | None = None
        self._consumer: GroupConsumer
        self._topics: list[str] = []
        self._closing = False
        self._failures = 0
        self._aborts_in_a_row = 0
        self._last_cycle = 0.0
        self._last_lag = 0.0

    def observe(self, observer: EngineObserver) -> None:
        """Whom to tell from now on."""
        self.observer = self.ownership.observer = observer

    # what runtime code calls ---------------------------------------------------------------------------------------------------------------------------

    @property
    def partitions(self) -> dict[int, OwnedPartition]:
        """Assigned here, by number."""
        return self.ownership.partitions

    @property
    def joined(self) -> bool:
        return self.ownership.joined

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(number for number, partition in self.partitions.items() if partition.announced)

    def every(self, seconds: float, function: PartitionFunction) -> None:
        self._ticks.append(Tick(seconds, function))

    def on_ready(self, function: Callable[[int], None]) -> None:
        self.ownership.on_ready.append(function)

    def on_lost(self, function: Callable[[int], None]) -> None:
        self.ownership.on_lost.append(function)

    async def submit(self, number: int, function: PartitionFunction) -> None:
        partition = self.partitions.get(number)
        if partition is None or not partition.announced or self._closing:
            raise PartitionLost(f"partition {number} is not owned here")
        submission = Submission(function, asyncio.get_running_loop().create_future())
        partition.submissions.append(submission)
        await submission.done

    # life cycle ----------------------------------------------------------------------------------------------------------------------------------------

    async def open(self, topics: Iterable[str]) -> None:
        """Check the cluster, end what a predecessor left open and join the group. `topics` are the broker's names."""
        self._topics = sorted(topics)
        self._consumer = GroupConsumer(self.config, self._topics)
        self._stores.open()
        self.ownership.read(self._topics, await self._kafka(prepare, self.config, self._topics))
        await self._kafka(self._committer.open)
        await self._kafka(self._consumer.open)
        settle()

    async def run(self, deliver: Deliver) -> None:
        """Turn after turn until `close`; any exception that leaves here must end the worker."""
        watch = asyncio.create_task(self._watch_freezes())
        try:
            while not self._closing:
                await self._turn(deliver)
        finally:
            watch.cancel()
            self._closing = True
            self.ownership.give_all_up()

    async def _watch_freezes(self) -> None:
        self.heartbeat.tick()
        while True:
            await asyncio.sleep(_WATCH_S)
            self.heartbeat.tick()

    def stop(self) -> None:
        """Finish the running turn and leave `run`. A turn that waits for a broker that is away is soon given up."""
        self._closing = True
        self._patience.end_soon()

    async def close(self) -> None:
        """After `run`: leave the group and close the stores."""
        await self.ownership.close()
        if self._topics:
            await self._kafka(self._consumer.close)
        await self._kafka(self._committer.close)
        await self._kafka(self._stores.close)
        self._thread.shutdown(wait=False)

    async def _kafka(self, function: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    # one turn ------------------------------------------------------------------------------------------------------------------------------------------

    async def _turn(self, deliver: Deliver) -> None:
        interval = self.config.commit_interval_ms / 1000
        wait = min(interval, max(0.0, self._last_cycle + interval - time.monotonic()))
        polled = await self._poll(wait)
        self._last_cycle = begun = time.monotonic()
        committing = self.stats.commit_seconds
        self.broker_away = polled.unreachable or (self.broker_away and not polled.messages)
        for rebalance in polled.rebalances:
            await self.ownership.follow(rebalance)
        await self.ownership.let_restored_run(self._consumer, self._committer, len(self._ticks))
        await self._cycle(polled, deliver)
        committing = self.stats.commit_seconds - committing
        self._appetite.judge(polled.count, time.monotonic() - begun - committing)
        await self._measure_lag()

    async def _poll(self, wait: float) -> Polled:
        try:
            polled = await self._kafka(self._consumer.poll, self._appetite.most, wait)
        except Fenced as fenced:
            # After an outage a broker may shut out a member that is alone under its name: an answer that got lost changed the member's id.
            if not self.heartbeat.blames_broker():
                raise
            log.warning("shut out of the group after trouble with the broker, joining again", error=str(fenced))
            await self._kafka(self._consumer.rejoin)
            polled = Polled(rebalances=[Rebalance(Change.LOST)])
        self.heartbeat.beat()
        if polled.unreachable or any(one.change is Change.LOST for one in polled.rebalances):
            self.heartbeat.broker_trouble()
        return polled

    # one cycle -----------------------------------------------------------------------------------------------------------------------------------------

    async def _cycle(self, polled: Polled, deliver: Deliver) -> None:
        cycle = Cycle(int(self._clock() * 1000), self._naming)
        sources = sorted(
            (number, topic)
            for topic, number in polled.messages
            if number in self.partitions and self.partitions[number].phase is Phase.RUNNING
        )
        for number, topic in sources:
            batch = await self._batch(cycle, number, topic, polled.messages[topic, number], deliver)
            if not batch.succeeded:
                await self._batch_failed(batch, {one for one, _ in sources})
                return
        waiting = self._run_submitted(cycle)
        try:
            self._run_ticks(cycle)
            if cycle.touched:
                await self._commit(cycle)
                self.observer.cycled(time.monotonic() - self._last_cycle)
        except CycleAborted as aborted:
            self._put_back(waiting)
            await self._commit_failed(aborted, {one for one, _ in sources})
            return
        except StoppedWaiting as stopped:
            self._put_back(waiting)
            self._tell_unconfirmed(cycle, stopped)
            return
        except BaseException:
            self._put_back(waiting)
            raise
        self.stats.cycles += 1
        self._failures = self._aborts_in_a_row = 0
        for submissions in waiting.values():
            for submission in submissions:
                self.stats.submitted += 1
                if not submission.done.done():
                    submission.done.set_result(None)

    async def _batch(self, cycle: Cycle, number: int, topic: str, messages: list[Any], deliver: Deliver) -> EngineBatch:
        scope = cycle.scope(number, self.partitions[number].store)
        finished = asyncio.get_running_loop().create_future()
        batch = EngineBatch(scope, self.config.logical(topic), topic, messages, finished)
        self._batch_in_work = batch
        await deliver(batch, topic, number)
        await finished
        self._batch_in_work = None
        self.heartbeat.beat()
        if batch.succeeded:
            scope.positions[topic] = messages[-1].offset() + 1
            scope.records += len(messages)
            self._limits.judge(batch.topic, batch.columns[2], batch.unreadable)
            self.observer.folded(batch.topic, len(messages), written_at(messages[0]), len(batch.unreadable))
        return batch

    def agent_failed(self, error: BaseException) -> None:
        """An agent raised outside its `with batch:` block: the batch it had failed."""
        batch = self._batch_in_work
        if batch is not None and not batch.finished.done():
            batch.error = error
            batch.release()

    async def _batch_failed(self, batch: EngineBatch, numbers: set[int]) -> None:
        """Nothing of the cycle counts. Try it again a little later, and stop the worker where that does not help."""
        self._limits.forget()
        self.observer.aborted(certain=True)
        self._failures += 1
        self.stats.failed_batches += 1
        error = batch.error
        if error is None:
            error = EngineError(
                f"the agent of {batch.topic} did not take the batch in a `with batch:` block"
                if not batch.entered
                else f"the agent of {batch.topic} was interrupted"
            )
        first, last = batch.messages[0].offset(), batch.messages[-1].offset()
        place = f"{batch.topic}/{batch.partition} offsets {first}-{last}"
        if self._failures >= self.config.batch_attempts:
            raise PoisonBatch(
                f"{place} failed {self._failures} times, nothing past it is committed: {type(error).__name__}: {error}"
            ) from error
        log.error("batch failed, trying again", batch=place, attempt=self._failures, exc_info=error)
        await self._rewind(numbers)
        await asyncio.sleep(_BACKOFF_S * 2 ** (self._failures - 1))

    async def _rewind(self, numbers: Iterable[int]) -> None:
        await self._kafka(self._consumer.rewind, {number: self.partitions[number].positions for number in numbers})

    def _run_submitted(self, cycle: Cycle) -> dict[int, list[Submission]]:
        """Each function on its own; what raises fails its caller only. Returns those that wait for the commit, by partition."""
        waiting: dict[int, list[Submission]] = {}
        for number, partition in self.partitions.items():
            if partition.phase is not Phase.RUNNING or not partition.submissions:
                continue
            queue, kept = list(partition.submissions), waiting.setdefault(number, [])
            partition.submissions.clear()
            for submission in queue:
                if submission.done.done():
                    continue
                trial = Trial(cycle.scope(number, partition.store))
                try:
                    submission.function(trial)
                except Exception as error:  # noqa: BLE001 - whatever it raised belongs to its caller
                    submission.done.set_exception(error)
                else:
                    trial.merge()
                    kept.append(submission)
        return waiting

    def _run_ticks(self, cycle: Cycle) -> None:
        now = time.monotonic()
        for number, partition in self.partitions.items():
            if partition.phase is not Phase.RUNNING:
                continue
            for index, tick in enumerate(self._ticks):
                if now < partition.due.get(index, 0.0):
                    continue
                partition.due[index] = now + tick.seconds
                trial = Trial(cycle.scope(number, partition.store))
                try:
                    tick.function(trial)
                except Exception as error:  # noqa: BLE001 - repeated failures end the worker
                    self._tick_failed(partition, index, tick, error)
                else:
                    partition.tick_failures.pop(index, None)
                    trial.merge()

    def _tick_failed(self, partition: OwnedPartition, index: int, tick: Tick, error: Exception) -> None:
        self.stats.failed_ticks += 1
        failures = partition.tick_failures[index] = partition.tick_failures.get(index, 0) + 1
        name = getattr(tick.function, "__qualname__", repr(tick.function))
        if failures >= self.config.batch_attempts:
            raise PoisonBatch(
                f"tick {name} failed {failures} times in partition {partition.number}: {error}"
            ) from error
        log.error("tick failed", tick=name, partition=partition.number, attempt=failures, exc_info=error)

    # one commit ----------------------------------------------------------------------------------------------------------------------------------------

    async def _commit(self, cycle: Cycle) -> None:
        sealed = cycle.seal({number: self.partitions[number].positions for number in cycle.scopes})
        began = time.monotonic()
        await self._kafka(self._commit_blocking, sealed)
        for number, positions in sealed.positions.items():
            self.partitions[number].positions = positions
        self._limits.keep()
        stats = self.stats
        stats.commits += 1
        stats.last_commit_seconds = time.monotonic() - began
        stats.commit_seconds += stats.last_commit_seconds
        self.observer.committed(stats.last_commit_seconds)
        stats.outputs += sum(len(one.records) if isinstance(one, OutputRun) else 1 for one in sealed.outputs)
        stats.rows += sum(len(rows) for rows in sealed.rows.values())
        stats.records += sum(scope.records for scope in cycle.scopes.values())
        stats.dead_letters += sum(scope.dead_letters for scope in cycle.scopes.values())

    def _commit_blocking(self, sealed: Sealed) -> None:
        """The stores take the rows only after the broker has them."""
        marks: dict[int, Mark] = {}
        for number in sealed.rows:
            mark = self.partitions[number].store.mark
            if mark is None:
                raise EngineError(f"partition {number} runs without having been restored")
            marks[number] = mark
        membership = self._consumer.membership() if self.config.transactional else None
        for number, mark in self._committer.commit(sealed, marks, membership).items():
            self.partitions[number].store.apply(sealed.rows[number], mark)

    def _put_back(self, waiting: Mapping[int, list[Submission]]) -> None:
        for number, submissions in waiting.items():
            self.partitions[number].submissions.extendleft(reversed(submissions))

    async def _commit_failed(self, aborted: CycleAborted, numbers: set[int]) -> None:
        """The inputs are read again. Where it is not known whether the commit took place, so is the state."""
        self._limits.forget()
        self.observer.aborted(aborted.certain)
        self.stats.aborts += 1
        self._aborts_in_a_row += 1
        log.warning("commit failed, the cycle is repeated", error=str(aborted), in_a_row=self._aborts_in_a_row)
        if aborted.certain:
            await self._rewind(numbers)
        else:
            doubtful = sorted(self.partitions)
            await self._kafka(self._consumer.hold, doubtful)
            self.ownership.read_again(doubtful)
        await asyncio.sleep(min(_BACKOFF_MOST_S, _BACKOFF_S * 2 ** (self._aborts_in_a_row - 1)))

    def _tell_unconfirmed(self, cycle: Cycle, stopped: StoppedWaiting) -> None:
        inputs = [
            f"{self.config.logical(topic)}/{number} offsets {self.partitions[number].positions[topic]}-{after - 1}"
            for number, scope in cycle.scopes.items()
            for topic, after in scope.positions.items()
        ]
        log.warning(
            "stopped without the broker; nothing is lost: what it has not committed is read again at the next start",
            error=str(stopped),
            not_confirmed=inputs[:_SHOWN],
            records=sum(scope.records for scope in cycle.scopes.values()),
            partitions=sorted(cycle.scopes),
        )

    async def _measure_lag(self) -> None:
        now = time.monotonic()
        if now - self._last_lag < _LAG_EVERY_S:
            return
        self._last_lag = now
        running = {
            number: partition.positions
            for number, partition in self.partitions.items()
            if partition.phase is Phase.RUNNING
        }
        behind = await self._kafka(self._consumer.lag, running)
        self.stats.lag = {self.config.logical(topic): count for topic, count in behind.items()}
        if not self.config.transactional:
            await self._kafka(self._consumer.note_positions, running)
