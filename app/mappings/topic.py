"""Reads and writes `reference.mappings`: from its first record to its end and on, and one import at a time. What its records mean is in `tables/mappings`."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from app import kafka
from app.errors import Problem
from app.registry import codecs_for
from app.settings import Settings
from schemas.catalogue import REFERENCE_MAPPINGS
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import Event
from schemas.records import Mapping as MappingRow
from tables.mappings.book import Entry, Key
from tables.mappings.kinds import MappingRecord, value_of
from tables.mappings.log import IMPORT, Log

log = structlog.get_logger(__name__)

SECONDS: Final = 20.0
PARTITION: Final = 0
_CHUNK: Final = 2_000
_LOOK_S: Final = 0.05
"""How long a look waits for a whole chunk: the end of a short topic is known so much later."""


class MappingsReader:
    """One consumer that joins no group; `log` is what it has read. Blocking: a worker calls it from a thread. `close` waits for a call under way."""

    def __init__(self, settings: Settings, codecs: Codecs, make: Callable[[dict[str, Any]], Any] = Consumer) -> None:
        self._given, self._codec = settings.settings.kafka, codecs[REFERENCE_MAPPINGS]
        self._topic = kafka.topic(self._given, REFERENCE_MAPPINGS.name)
        self._consumer = make(kafka.reader(self._given, "clarus-stream-mappings"))
        self._busy = threading.Lock()
        self._closed = False
        self.log = Log()

    def __enter__(self) -> "MappingsReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._closed = True
        with self._busy:
            self._consumer.close()

    def catch_up(self, steady: Callable[[], float] = time.monotonic) -> None:
        """Read from the first record to the present end. `Problem` where that cannot be done in time."""
        deadline = steady() + SECONDS
        try:
            described = self._consumer.list_topics(self._topic, timeout=SECONDS).topics[self._topic]
            if described.error is not None or not described.partitions:
                raise Problem(f"{self._topic} is missing; clarus-stream topics create")
            self._consumer.assign([TopicPartition(self._topic, PARTITION, OFFSET_BEGINNING)])
            self._to_the_end(lambda: steady() > deadline)
        except KafkaException as error:
            raise Problem(
                f"kafka: {self._given.bootstrap} cannot be read: {error.args[0].str()}; clarus-stream doctor"
            ) from error

    def _to_the_end(self, over: Callable[[], bool]) -> None:
        """A broker that is away for a moment is waited for."""
        while True:
            try:
                if self._take(_LOOK_S):
                    return
            except KafkaException:
                if over():
                    raise
            if over():
                raise Problem(
                    f"kafka: {self._given.bootstrap}: {self._topic} could not be read to its end in {SECONDS:g} s"
                )

    def follow(self, seconds: float) -> None:
        """Wait that long for more; `log` has it then. KafkaException where the broker is away."""
        with self._busy:
            if not self._closed:
                self._take(seconds)

    def _take(self, seconds: float) -> bool:
        """Is this the end for now? What came with an error counts all the same: it does not come again."""
        at_end, failed = False, None
        for message in self._consumer.consume(_CHUNK, seconds):
            error = message.error()
            if error is None:
                self._feed(message)
                at_end = False
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end = True
            else:
                failed = error
        if failed is not None:
            raise KafkaException(failed)
        return at_end

    def _feed(self, message: Any) -> None:
        try:
            event = self._codec.decode(message.value())
        except UndecodableRecord as error:
            log.warning("a record of reference.mappings cannot be read", offset=message.offset(), reason=str(error))
            return
        self.log.feed(event.body, event.occurred_at)


class MappingsWriter:
    """Writes one import: all of it or, where the broker has transactions, nothing. Only one import is under way at a time then."""

    def __init__(self, settings: Settings, make: Callable[[dict[str, Any]], Any] = Producer) -> None:
        given = settings.settings.kafka
        self._given, self._codec = given, codecs_for(settings)[REFERENCE_MAPPINGS]
        self._topic = kafka.topic(given, REFERENCE_MAPPINGS.name)
        self._transactional = settings.settings.engine.guarantee == "exactly_once"
        properties: dict[str, Any] = {"delivery.timeout.ms": int(SECONDS * 1000), "linger.ms": 0}
        if self._transactional:
            properties |= {
                "transactional.id": kafka.topic(given, "clarus-stream-mappings"),
                "transaction.timeout.ms": int(SECONDS * 1000),
            }
        self._producer = make(kafka.producer(given, properties))

    def begin(self) -> None:
        """Before the topic is read: whoever writes at this moment is ended. `Problem` where the broker does not answer."""
        if self._transactional:
            self._or_problem(lambda: self._producer.init_transactions(SECONDS))

    def write(
        self,
        before: Log,
        changed: Mapping[Key, MappingRecord | None],
        actor: str,
        reason: str,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> int:
        """Write the records (None removes one), and what an unfinished import left behind as it was before that; the version of this import."""
        version = before.newest + 1
        restored = {key: _record(before.entries.get(key)) for key in before.unfinished}
        rows = [
            MappingRow(
                kind=kind, key=key, version=version, value="" if record is None else value_of(record), actor=actor,
                reason=reason,
            )
            for (kind, key), record in {**restored, **changed}.items()
        ]  # fmt: skip
        end = json.dumps({"records": len(rows)})
        rows.append(MappingRow(kind=IMPORT, key="", version=version, value=end, actor=actor, reason=reason))
        failed: list[str] = []

        def delivered(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                failed.append(error.str())

        def send() -> None:
            if self._transactional:
                self._producer.begin_transaction()
            self._produce(rows, now(), delivered)
            left = self._producer.flush(SECONDS + 1)
            if failed or left:
                raise KafkaException(KafkaError(KafkaError._FAIL, failed[0] if failed else "no answer in time"))
            if self._transactional:
                self._producer.commit_transaction(SECONDS)

        self._or_problem(send)
        return version

    def _produce(
        self, rows: Iterable[MappingRow], at: int, delivered: Callable[[KafkaError | None, Any], None]
    ) -> None:
        for row in rows:
            event = Event(event_id=str(uuid.uuid4()), occurred_at=at, received_at=at, source="operator", body=row)
            key = f"{row.kind}/{row.key}".encode()
            while True:
                try:
                    self._producer.produce(
                        self._topic, self._codec.encode(event), key, PARTITION, on_delivery=delivered
                    )
                    break
                except BufferError:
                    self._producer.poll(0.5)

    def _or_problem(self, work: Callable[[], None]) -> None:
        try:
            work()
        except KafkaException as error:
            reason = error.args[0].str() if error.args else str(error)
            raise Problem(
                f"kafka: {self._given.bootstrap} did not confirm the mappings: {reason}; import them again: what is in force already is left as it is"
            ) from error


def _record(entry: Entry | None) -> MappingRecord | None:
    return entry.record if entry is not None else None
