"""Brings the stores of assigned partitions up to date, on a thread of its own: bulk reads of the state topic, all partitions at once.

A *round* serves one assignment. What it restored it reports partition by partition, so that each starts as soon as it is ready; a later round waits for
the one before, so no store has two writers. Progress is kept in the stores, so a cancelled round was not for nothing.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from app.engine import clients, journal
from app.engine.config import EngineConfig
from app.engine.errors import EngineError, JournalDamaged
from app.engine.store import Mark, Store, StoreSet
from app.engine.topics import DAY_MS

log = structlog.get_logger(__name__)

_CHUNK = 20_000
_REPORT_EVERY_S = 2.0
_RETRY_S = 1.0
_BLOCKED_S = 1.0
"""An open transaction of a predecessor may hold a restore up for so long before it is fenced."""
_STALE_MS = 6 * DAY_MS
"""A changelog forgets its tombstones after a week, so a store that was away for longer could keep deleted rows."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition that is ready. `foreign` says that somebody else wrote its state since the store was last up to date."""

    partition: int
    positions: dict[str, int]
    epoch: bytes
    rows: int
    foreign: bool
    seconds: float


@dataclass(slots=True)
class Progress:
    """How far the restore of one partition is, in offsets of the state topic. `target` is -1 where the end is not known beforehand."""

    start: int = 0
    offset: int = 0
    target: int = -1
    rows: int = 0


@dataclass(slots=True)
class _Task:
    """One partition of a round."""

    partition: int
    store: Store
    positions: dict[str, int] = field(default_factory=dict)
    predecessors: set[str] = field(default_factory=set)
    progress: Progress = field(default_factory=Progress)
    fold: journal.JournalFold | None = None
    epoch: bytes = b""
    foreign: bool = False
    chunk: list[tuple[bytes, bytes | None]] = field(default_factory=list)


class RestoreRound:
    """Restores a set of partitions; made on the event loop, run on a thread."""

    def __init__(
        self,
        config: EngineConfig,
        stores: StoreSet,
        source: str,
        topics: Sequence[str],
        partitions: Iterable[int],
        report: Callable[[Restored], None],
        after: "RestoreRound | None",
    ) -> None:
        self._config = config
        self._stores = stores
        self._source = source
        self._topics = sorted(topics)
        self._partitions = sorted(partitions)
        self._report = report
        self._after = after
        self._cancelled = threading.Event()
        self._finished = threading.Event()
        self._started = time.monotonic()
        self._reported = self._started
        self._fenced: set[str] = set()
        self.progress: dict[int, Progress] = {partition: Progress() for partition in self._partitions}

    def cancel(self) -> None:
        """Stop soon; nothing more is reported."""
        self._cancelled.set()

    def wait(self) -> None:
        """Until the thread is done with the stores."""
        self._finished.wait()

    def run(self) -> None:
        """Until all partitions are reported, or cancelled. A broker that is away is waited for."""
        try:
            if self._after is not None:
                self._after.wait()
                self._after = None
            left = set(self._partitions)
            while left and not self._cancelled.is_set():
                try:
                    self._attempt(left)
                except KafkaException as error:
                    reason = error.args[0]
                    if reason.fatal() or reason.code() in (
                        KafkaError.TOPIC_AUTHORIZATION_FAILED,
                        KafkaError.GROUP_AUTHORIZATION_FAILED,
                        KafkaError.UNKNOWN_TOPIC_OR_PART,
                    ):
                        raise EngineError(f"partitions {sorted(left)} cannot be restored: {reason}") from error
                    log.warning("restore interrupted, trying again", partitions=sorted(left), error=str(reason))
                    self._cancelled.wait(_RETRY_S)
        finally:
            self._finished.set()

    def _attempt(self, left: set[int]) -> None:
        reader = Consumer(clients.side_consumer(self._config, isolation="read_committed"), logger=clients.LOGGER)
        plain = Consumer(clients.side_consumer(self._config, isolation="read_uncommitted"), logger=clients.LOGGER)
        try:
            tasks = {partition: self._task(partition) for partition in sorted(left)}
            if self._config.transactional:
                self._committed_positions(tasks, reader, plain)
                self._read_changelog(tasks, left, reader, plain)
            else:
                self._claim(tasks)
                self._read_journal(tasks, left, reader, plain)
        finally:
            reader.close()
            plain.close()

    def _task(self, partition: int) -> _Task:
        store = self._stores.get(partition)
        mark = store.mark
        age = 0 if mark is None else int(time.time() * 1000) - mark.at_ms
        if mark is not None and mark.source != self._source:
            self._wipe(partition, store, "it belongs to another state topic")
        elif mark is not None and self._config.transactional and age > _STALE_MS:
            self._wipe(partition, store, f"it is {age // DAY_MS} days old and could keep deleted rows")
        return _Task(partition, store, progress=self.progress[partition])

    def _wipe(self, partition: int, store: Store, why: str) -> None:
        log.warning("local store wiped, rebuilding it from the broker", partition=partition, why=why)
        store.wipe()

    # exactly once: committed offsets, then the changelog up to its end -------------------------------------------------------------------------------

    def _committed_positions(self, tasks: Mapping[int, _Task], reader: Any, plain: Any) -> None:
        """The group's offsets. Reading them stably waits for open transactions; whoever holds one open for long is fenced."""
        places = [TopicPartition(topic, p) for p in tasks for topic in self._topics]
        for place in plain.committed(places, 10):
            if place.metadata:
                tasks[place.partition].predecessors.add(place.metadata)
        began = time.monotonic()
        while True:
            try:
                committed = reader.committed(places, _BLOCKED_S)
                break
            except KafkaException as error:
                if error.args[0].code() != KafkaError._TIMED_OUT or self._cancelled.is_set():
                    raise
                if time.monotonic() - began >= _BLOCKED_S:
                    self._fence(tasks.values(), "offsets")
        for place in committed:
            if place.error is not None:
                raise KafkaException(place.error)
            offset = place.offset
            if offset < 0:
                offset, _ = plain.get_watermark_offsets(TopicPartition(place.topic, place.partition), 10)
            tasks[place.partition].positions[place.topic] = offset

    def _read_changelog(self, tasks: Mapping[int, _Task], left: set[int], reader: Any, plain: Any) -> None:
        topic = self._config.state_topic
        reading: dict[int, _Task] = {}
        for partition, task in tasks.items():
            low, high = plain.get_watermark_offsets(TopicPartition(topic, partition), 10)
            mark = task.store.mark
            if mark is not None and mark.offset > high:
                self._wipe(partition, task.store, f"it is ahead of the changelog ({mark.offset} > {high})")
                mark = None
            elif mark is not None and mark.offset < low:
                self._wipe(partition, task.store, f"the changelog begins after it ({mark.offset} < {low})")
                mark = None
            start = low if mark is None else mark.offset
            task.progress.start = task.progress.offset = start
            task.progress.target = high
            if start >= high:
                self._restored(task, left)
            else:
                reading[partition] = task
        if reading:
            reader.list_topics(topic, 10)  # or the client finds the leaders by itself a second later
            reader.assign([TopicPartition(topic, p, task.progress.start) for p, task in reading.items()])
        began = time.monotonic()
        while reading and not self._cancelled.is_set():
            for message in reader.consume(_CHUNK, 0.05):
                task = tasks[message.partition()]
                error = message.error()
                if error is None:
                    task.chunk.append((message.key(), message.value()))
                    task.progress.offset = message.offset() + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    task.progress.offset = max(task.progress.offset, message.offset())
                else:
                    raise KafkaException(error)
            for partition in list(reading):
                task = reading[partition]
                self._apply_changelog(task)
                if task.progress.offset >= task.progress.target:
                    del reading[partition]
                    self._restored(task, left)
            self._log_progress(reading)
            if reading and time.monotonic() - began > _BLOCKED_S:
                self._fence(reading.values(), "changelog")

    def _apply_changelog(self, task: _Task) -> None:
        if not task.chunk:
            return
        task.progress.rows += len(task.chunk)
        task.foreign = True
        task.store.apply(task.chunk, self._mark(task.progress.offset))
        task.chunk = []

    def _restored(self, task: _Task, left: set[int]) -> None:
        if self._config.transactional:
            task.store.apply((), self._mark(task.progress.target))
        left.discard(task.partition)
        seconds = time.monotonic() - self._started
        if task.progress.rows:
            log.info("partition restored", partition=task.partition, rows=task.progress.rows, seconds=round(seconds, 3))
        if not self._cancelled.is_set():
            self._report(
                Restored(task.partition, task.positions, task.epoch, task.progress.rows, task.foreign, seconds)
            )

    def _mark(self, offset: int) -> Mark:
        return Mark(self._source, offset, int(time.time() * 1000))

    def _fence(self, tasks: Iterable[_Task], blocked: str) -> None:
        """A dead or frozen predecessor holds a transaction open: end it now instead of waiting for its time-out."""
        own = self._config.transactional_id
        for name in {name for task in tasks for name in task.predecessors} - self._fenced - {own}:
            self._fenced.add(name)
            log.warning("fencing a predecessor whose open transaction is in the way", predecessor=name, of=blocked)
            Producer(clients.transactional_producer(self._config, name), logger=clients.LOGGER).init_transactions(10)

    # at least once: claim the journal, then read it up to the claim -----------------------------------------------------------------------------------

    def _claim(self, tasks: Mapping[int, _Task]) -> None:
        """From the claim on nobody else's rows count. Its offset is the end of what has to be read."""
        producer = Producer(clients.claim_producer(self._config), logger=clients.LOGGER)
        errors: list[Any] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                errors.append(error)
            else:
                tasks[message.partition()].progress.target = message.offset() + 1

        for partition, task in tasks.items():
            task.epoch = journal.new_epoch()
            producer.produce(
                self._config.state_topic,
                journal.claim(task.epoch),
                journal.MARKER_KEY,
                partition=partition,
                on_delivery=delivered,
            )
        while producer.flush(1.0) and not self._cancelled.is_set():
            continue
        if errors:
            raise KafkaException(errors[0])

    def _read_journal(self, tasks: Mapping[int, _Task], left: set[int], reader: Any, plain: Any) -> None:
        topic = self._config.state_topic
        places = []
        for partition, task in tasks.items():
            mark = task.store.mark
            if mark is not None and mark.offset >= task.progress.target:
                self._wipe(
                    partition, task.store, f"it is ahead of the journal ({mark.offset} >= {task.progress.target})"
                )
                mark = None
            if mark is None:
                low, _ = plain.get_watermark_offsets(TopicPartition(topic, partition), 10)
                task.fold = journal.JournalFold(offset=low)
            else:
                task.fold = journal.JournalFold(mark.epoch, mark.positions, mark.offset)
            task.progress.start = task.progress.offset = task.fold.offset
            places.append(TopicPartition(topic, partition, task.fold.offset))
        reader.list_topics(topic, 10)
        reader.assign(places)
        reading = dict(tasks)
        while reading and not self._cancelled.is_set():
            for message in reader.consume(_CHUNK, 0.05):
                error = message.error()
                if error is None:
                    self._feed(tasks[message.partition()], message)
                elif error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
            for partition in list(reading):
                task = reading[partition]
                self._apply_journal(task)
                if task.fold is not None and task.fold.epoch == task.epoch:
                    del reading[partition]
                    task.positions = self._from_marker(task.fold.positions, partition, plain)
                    self._restored(task, left)
            self._log_progress(reading)

    def _feed(self, task: _Task, message: Any) -> None:
        fold = task.fold
        if fold is None or fold.epoch == task.epoch:
            return
        try:
            fold.feed(message.offset(), message.key(), message.value())
        except ValueError as error:
            raise JournalDamaged(f"{self._config.state_topic}/{task.partition}: {error}") from error
        task.progress.offset = message.offset() + 1

    def _apply_journal(self, task: _Task) -> None:
        fold = task.fold
        if fold is None:
            return
        mark = task.store.mark
        if mark is not None and mark.offset == fold.offset:
            return
        rows = fold.take()
        task.progress.rows += len(rows)
        if rows or (mark is not None and mark.positions != fold.positions):
            task.foreign = True
        task.store.apply(
            rows, Mark(self._source, fold.offset, int(time.time() * 1000), fold.epoch, dict(fold.positions))
        )

    def _from_marker(self, positions: Mapping[str, int], partition: int, plain: Any) -> dict[str, int]:
        """Where reading goes on; a topic that no marker names yet begins at its beginning."""
        found: dict[str, int] = {}
        for topic in self._topics:
            if topic in positions:
                found[topic] = positions[topic]
            else:
                found[topic], _ = plain.get_watermark_offsets(TopicPartition(topic, partition), 10)
        return found

    def _log_progress(self, reading: Mapping[int, _Task]) -> None:
        now = time.monotonic()
        if not reading or now - self._reported < _REPORT_EVERY_S:
            return
        self._reported = now
        log.info(
            "restoring",
            partitions=sorted(reading),
            rows=sum(task.progress.rows for task in reading.values()),
            left=sum(max(0, task.progress.target - task.progress.offset) for task in reading.values()),
            seconds=round(now - self._started, 1),
        )
