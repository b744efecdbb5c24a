"""Makes a cycle durable: one transaction (`exactly_once`), or outputs, rows and marker in this order (`at_least_once`). Runs on the Kafka thread.

It writes; what happens to partitions and stores after a failure is the pump's business. How long it waits for a broker is for `Patience` to say.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from app.engine import clients, journal
from app.engine.config import EngineConfig
from app.engine.cycle import Output, OutputRun, Sealed
from app.engine.errors import BrokerUnavailable, CycleAborted, Fenced, OutputRefused, StoppedWaiting
from app.engine.guard import GuardedCalls, HungCall
from app.engine.patience import Patience
from app.engine.store import Mark

log = structlog.get_logger(__name__)

_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_HOPELESS = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
_GRACE_S = 5.0
"""How much longer than asked for a call may take before its thread is given up."""
_PAUSE_S = 0.2
_SLOW_S = 2.0


class Committer(Protocol):
    """How a cycle is made durable."""

    def open(self) -> None: ...

    def claim(self, partition: int, epoch: bytes) -> None:
        """The partition was restored under this epoch (`at_least_once`)."""
        ...

    def commit(self, cycle: Sealed, marks: dict[int, Mark], membership: Any) -> dict[int, Mark]:
        """Write the cycle and return the new marks of the partitions in it. Raises CycleAborted, OutputRefused, Fenced or StoppedWaiting."""
        ...

    def close(self) -> None: ...


class _Sender:
    """Puts records into a producer's queue, waiting where it is full."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def batch(self, topic: str, items: list[dict[str, Any]], partition: int | None, **options: Any) -> None:
        """One topic without headers: a single call into the client, repeated for what its queue could not take."""
        if partition is not None:
            options["partition"] = partition
        while items:
            if self._producer.produce_batch(topic, items, **options) == len(items):
                return
            refused = []
            for item in items:
                error = item.pop("_error", None)
                if error is not None:
                    if error.code() != KafkaError._QUEUE_FULL:
                        raise KafkaException(error)
                    refused.append(item)
            items = refused
            self._producer.poll(0.01)

    def outputs(self, outputs: Iterable[Output | OutputRun], **options: Any) -> None:
        """In order per topic, one topic after the other: what agents send by turns goes out in runs as long as can be."""
        by_topic: dict[str, list[Output | OutputRun]] = {}
        for output in outputs:
            by_topic.setdefault(output.topic, []).append(output)
        for found in by_topic.values():
            self._topic(found, **options)

    def _topic(self, outputs: Iterable[Output | OutputRun], **options: Any) -> None:
        """Runs without headers go out as batches."""
        run: list[dict[str, Any]] = []
        target: tuple[str, int | None] | None = None
        for output in outputs:
            if isinstance(output, OutputRun):
                if target is not None and run:
                    self.batch(target[0], run, target[1], **options)
                run, target = [], None
                self._run(output, **options)
                continue
            if not output.headers and (output.topic, output.partition) == target:
                run.append({"key": output.key, "value": output.value})
                continue
            if target is not None and run:
                self.batch(target[0], run, target[1], **options)
            run, target = [], None
            if output.headers:
                self._one(output, **options)
            else:
                target = (output.topic, output.partition)
                run = [{"key": output.key, "value": output.value}]
        if target is not None and run:
            self.batch(target[0], run, target[1], **options)

    def _run(self, run: OutputRun, **options: Any) -> None:
        if not run.headers:
            self.batch(run.topic, [{"key": key, "value": value} for key, value in run.records], None, **options)
            return
        produce = partial(self._producer.produce, run.topic, headers=list(run.headers), **options)
        for key, value in run.records:
            try:
                produce(value, key)
            except BufferError:
                self._wait(partial(produce, value, key))

    def _one(self, output: Output, **options: Any) -> None:
        if output.partition is not None:
            options["partition"] = output.partition
        headers = list(output.headers)
        try:
            self._producer.produce(output.topic, output.value, output.key, headers=headers, **options)
        except BufferError:
            self._wait(
                partial(self._producer.produce, output.topic, output.value, output.key, headers=headers, **options)
            )

    def _wait(self, produce: Callable[[], None]) -> None:
        """Until the queue takes it."""
        while True:
            try:
                produce()
                return
            except BufferError:
                self._producer.poll(0.05)


class TransactionalCommitter:
    """`exactly_once`: outputs, changelog rows and input positions in one transaction."""

    def __init__(self, config: EngineConfig, patience: Patience) -> None:
        self._config = config
        self._patience = patience
        self._producer: Any = None
        self._sender: _Sender
        self._inspecting = False
        self._undelivered: list[str] = []
        self._limit_s = config.transaction_timeout_ms / 1000
        self._guard = GuardedCalls("transactions", patience.wait_on)

    def open(self) -> None:
        """Ends what a predecessor of the same name left open."""
        try:
            self._begin_session(self._config.broker_wait_ms / 1000)
        except (KafkaException, HungCall, StoppedWaiting) as error:
            raise BrokerUnavailable(f"transactions cannot be set up at {self._config.bootstrap}: {error}") from error

    def _begin_session(self, give_up_s: float) -> None:
        properties = clients.transactional_producer(self._config, self._config.transactional_id)
        began = time.monotonic()
        while True:
            producer = Producer(properties, logger=clients.LOGGER)
            try:
                self._guarded("start", lambda: producer.init_transactions(self._limit_s))  # noqa: B023
                break
            except (KafkaException, HungCall) as error:
                again = isinstance(error, HungCall) or error.args[0].retriable()
                if not again or time.monotonic() - began > give_up_s:
                    raise
                self._patience.wait_on()
        self._producer = producer
        self._sender = _Sender(producer)

    def claim(self, partition: int, epoch: bytes) -> None:
        return

    def commit(self, cycle: Sealed, marks: dict[int, Mark], membership: Any) -> dict[int, Mark]:
        begun = time.monotonic()
        producer = self._producer
        self._undelivered.clear()
        ends: dict[int, int] = {}
        try:
            producer.begin_transaction()
            for partition, rows in cycle.rows.items():
                self._rows(partition, rows, ends)
            self._sender.outputs(cycle.outputs, **self._watched())
            offsets = [
                TopicPartition(topic, partition, offset, metadata=self._config.transactional_id)
                for partition, positions in cycle.positions.items()
                for topic, offset in positions.items()
            ]
            limit = self._limit_s
            self._guarded("offsets", lambda: producer.send_offsets_to_transaction(offsets, membership, limit))
            self._guarded("commit", lambda: producer.commit_transaction(limit))
        except HungCall as hung:
            raise self._renewed(str(hung)) from hung
        except KafkaException as error:
            raise self._abort(error.args[0], begun) from error
        producer.poll(0)
        self._inspecting = False
        now = int(time.time() * 1000)
        missing = [partition for partition, rows in cycle.rows.items() if rows and partition not in ends]
        if missing:
            raise CycleAborted(f"committed, but the changelog offsets of {missing} were not told", certain=False)
        return {partition: Mark(marks[partition].source, end, now) for partition, end in ends.items()}

    def _rows(self, partition: int, rows: Sequence[tuple[bytes, bytes | None]], ends: dict[int, int]) -> None:
        if not rows:
            return
        items: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in rows]

        def delivered(error: Any, message: Any) -> None:
            if error is None:
                ends[partition] = message.offset() + 1

        items[-1]["callback"] = delivered
        self._sender.batch(self._config.state_topic, items, partition, **self._watched())

    def _watched(self) -> dict[str, Any]:
        """Delivery reports cost too much for every record; a cycle that is repeated is watched, because only they say which record is refused."""
        if not self._inspecting:
            return {}

        def delivered(error: Any, message: Any) -> None:
            if error is not None and error.code() in _HOPELESS:
                self._undelivered.append(
                    f"a record of {len(message.value() or b'')} bytes to {message.topic()}: {error}"
                )

        return {"on_delivery": delivered}

    def _guarded(self, doing: str, call: Callable[[], None]) -> None:
        """One transactional call, repeated where the client says that this may help, within the time a transaction may last.

        Past it the broker has ended the transaction one way or the other, so there is no use in asking on.
        """
        began = time.monotonic()
        try:
            while True:
                try:
                    self._guard.run(call, self._limit_s + _GRACE_S)
                    return
                except KafkaException as error:
                    if not error.args[0].retriable() or time.monotonic() - began > self._limit_s:
                        raise
                    self._patience.wait_on()
                    time.sleep(_PAUSE_S)
        finally:
            took = time.monotonic() - began
            if took > _SLOW_S:
                log.warning("the broker was slow or away", doing=doing, seconds=round(took, 1))

    def _abort(self, error: Any, begun: float) -> Exception:
        """End the transaction and say what the failure means. Aborted for certain where the broker confirmed it."""
        if not error.fatal() and error.code() not in _FENCED and not error.retriable():
            try:
                self._guarded("abort", lambda: self._producer.abort_transaction(self._limit_s))
                self._producer.poll(0)
                if error.code() in _HOPELESS or self._undelivered:
                    return OutputRefused(_refused(error, self._undelivered))
                self._inspecting = True
                return CycleAborted(f"transaction aborted: {error}", certain=True)
            except KafkaException as second:
                error = second.args[0]
            except HungCall as hung:
                return self._renewed(str(hung))
        # A transaction that was open for longer than its time-out was ended by the broker, which then refuses this producer. Nobody took our name:
        # a new session of the producer may go on, and the group tells whether the partitions are still ours. Sooner than that, somebody fenced us.
        if time.monotonic() - begun < self._limit_s * 0.9:
            return Fenced(
                f"the broker refuses {self._config.transactional_id}: {error}. "
                "Another worker runs under this name or took over its partitions"
            )
        return self._renewed(str(error))

    def _renewed(self, why: str) -> CycleAborted:
        """A new producer session ends the old transaction at the broker, whatever became of it."""
        log.warning("a transaction was open too long; a new producer session begins", error=why)
        self._begin_session(math.inf)
        return CycleAborted(f"transaction ended by the broker: {why}", certain=False)

    def close(self) -> None:
        self._guard.close()
        self._producer = None


class JournalCommitter:
    """`at_least_once`: outputs, then rows and a marker per partition in the journal. Outputs of a cycle that fails may be seen twice."""

    def __init__(self, config: EngineConfig, patience: Patience) -> None:
        self._config = config
        self._patience = patience
        self._producer: Any = None
        self._sender: _Sender
        self._epochs: dict[int, bytes] = {}
        self._cycle = 0

    def open(self) -> None:
        self._producer = Producer(clients.plain_producer(self._config), logger=clients.LOGGER)
        self._sender = _Sender(self._producer)

    def claim(self, partition: int, epoch: bytes) -> None:
        self._epochs[partition] = epoch

    def commit(self, cycle: Sealed, marks: dict[int, Mark], membership: Any) -> dict[int, Mark]:
        self._cycle += 1
        errors: list[Any] = []
        ends: dict[int, int] = {}

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                errors.append(error)

        try:
            if cycle.outputs:
                self._sender.outputs(cycle.outputs, on_delivery=delivered)
                self._flush(errors)
            for partition, rows in cycle.rows.items():
                self._journal(partition, rows, cycle.positions[partition], delivered, ends, errors)
            self._flush(errors)
        except KafkaException as error:
            self._producer.purge()
            self.open()
            if error.args[0].code() in _HOPELESS:
                raise OutputRefused(_refused(error.args[0], [])) from error
            raise CycleAborted(f"the broker did not take the cycle: {error.args[0]}", certain=False) from error
        now = int(time.time() * 1000)
        return {
            partition: Mark(
                marks[partition].source, ends[partition], now, self._epochs[partition], cycle.positions[partition]
            )
            for partition in cycle.rows
        }

    def _journal(
        self,
        partition: int,
        rows: Sequence[tuple[bytes, bytes | None]],
        positions: dict[str, int],
        delivered: Callable[[Any, Any], None],
        ends: dict[int, int],
        errors: list[Any],
    ) -> None:
        prefix = journal.prefix(self._epochs[partition], self._cycle)
        items: list[dict[str, Any]] = [{"key": key, "value": journal.row(prefix, value)} for key, value in rows]

        def ended(error: Any, message: Any) -> None:
            if error is not None:
                errors.append(error)
            else:
                ends[partition] = message.offset() + 1

        items.append(
            {"key": journal.MARKER_KEY, "value": journal.marker(prefix, len(rows), positions), "callback": ended}
        )
        self._sender.batch(self._config.state_topic, items, partition, on_delivery=delivered)

    def _flush(self, errors: list[Any]) -> None:
        while self._producer.flush(1.0):
            self._patience.wait_on()
        if errors:
            raise KafkaException(errors[0])

    def close(self) -> None:
        self._producer = None


def _refused(error: Any, records: Sequence[str]) -> str:
    detail = "; ".join(records[:3]) or str(error)
    return f"the broker will never take this cycle: {detail}. Put it right at the broker (topic, permission, max.message.bytes) and start again"


def committer(config: EngineConfig, patience: Patience) -> Committer:
    """The one that keeps the configured guarantee."""
    return TransactionalCommitter(config, patience) if config.transactional else JournalCommitter(config, patience)
