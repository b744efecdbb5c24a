"""What a drill reads from Kafka: the exceptions, from the public topic, and how far the product's group is behind. It joins no group."""

import time
from collections import deque
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from app import kafka, registry
from app.settings import Settings
from schemas.catalogue import INTEGRATION_EXCEPTIONS, TOPICS
from schemas.codec import UndecodableRecord
from schemas.records import ExceptionState

_SECONDS = 10.0
_COMMITTED_WITHIN = 2.0
_FEW = 50


@dataclass(frozen=True, slots=True)
class OpenedException:
    """One exception in its last state."""

    type: str
    entity: str
    owner: str
    state: str
    detail: str

    @property
    def is_open(self) -> bool:
        """Does somebody still have to look at it?"""
        return self.state != "resolved"

    def as_dict(self) -> dict[str, str]:
        """For the report."""
        return {
            "type": self.type,
            "entity": self.entity,
            "owner": self.owner,
            "state": self.state,
            "detail": self.detail,
        }


def read_exceptions(settings: Settings) -> list[OpenedException]:
    """All exceptions that were opened, in the order of their ids. Blocks for some seconds at most; KafkaException where the broker does not answer."""
    codec = registry.codecs_for(settings)[INTEGRATION_EXCEPTIONS]
    states: dict[str, OpenedException] = {}
    for value in _read_all(settings, kafka.topic(settings.settings.kafka, INTEGRATION_EXCEPTIONS.name)):
        try:
            body = codec.decode(value).body
        except UndecodableRecord:
            continue  # a foreign record in a public topic; the checks go by what can be read
        if isinstance(body, ExceptionState):
            states[body.exception_id] = OpenedException(
                body.type, body.entity, body.owner, body.state.lower(), body.detail
            )
    return [states[key] for key in sorted(states)]


def _reader(settings: Settings) -> Consumer:
    """A consumer outside of every group that sees committed records only and tells the end of a partition."""
    return Consumer(
        {
            **kafka.client(settings.settings.kafka),
            "group.id": "clarus-stream-drill-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )


def _read_all(settings: Settings, topic: str) -> list[bytes]:
    """Every value from the beginning to the present end, partition by partition in their order."""
    consumer = _reader(settings)
    try:
        waiting = set(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in waiting])
        values: list[bytes] = []
        deadline = time.monotonic() + 2 * _SECONDS
        while waiting:
            message = consumer.poll(1.0)
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic} could not be read to its end"))
            if message is None:
                continue
            if (error := message.error()) is None:
                if (value := message.value()) is not None:
                    values.append(value)
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
            else:
                raise KafkaException(error)
        return values
    finally:
        consumer.close()


class GroupLag:
    """How far the product's group is behind what was there two seconds ago.

    Sweeps and polls write a trickle of records for ever and positions are committed about once a second, so some record is always on its way; behind is a
    group that has not taken in what was there a while ago.
    """

    def __init__(self, settings: Settings) -> None:
        given = settings.settings.kafka
        self._admin = AdminClient(kafka.client(given))
        self._reader = _reader(settings)
        self._onlooker = Consumer(kafka.onlooker(given, kafka.topic(given, settings.settings.engine.group)))
        self._partitions = [
            TopicPartition(kafka.topic(given, topic.name), partition)
            for topic in TOPICS
            for partition in range(given.partitions)
        ]
        self._seen: deque[tuple[float, dict[tuple[str, int], int]]] = deque()

    def look(self) -> int:
        """Records that were there two seconds ago (or at the first look) and are not committed now. Blocks; KafkaException where it cannot be told."""
        known = self._onlooker.committed(self._partitions, _SECONDS)
        committed = {(p.topic, p.partition): p.offset for p in known if p.offset >= 0}
        ends = self._admin.list_offsets(dict.fromkeys(self._partitions, OffsetSpec.latest()), request_timeout=_SECONDS)
        now = time.monotonic()
        self._seen.append((now, {(p.topic, p.partition): ends[p].result().offset for p in self._partitions}))
        while len(self._seen) > 1 and self._seen[1][0] <= now - _COMMITTED_WITHIN:
            self._seen.popleft()
        behind = {
            key: (max(0, committed[key]), end)
            for key, end in self._seen[0][1].items()
            if key in committed and committed[key] < end
        }
        return self._unread(behind)

    def _unread(self, behind: dict[tuple[str, int], tuple[int, int]]) -> int:
        """How many records really lie between position and end: the ends of transactions take an offset each and are no records."""
        few = {key: span for key, span in behind.items() if span[1] - span[0] <= _FEW}
        count = sum(end - at for key, (at, end) in behind.items() if key not in few)
        if count or not few:
            return count
        self._reader.assign([TopicPartition(topic, p, at) for (topic, p), (at, _) in few.items()])
        deadline = time.monotonic() + _SECONDS
        while few and time.monotonic() < deadline:
            message = self._reader.poll(0.2)
            if message is None:
                continue
            key = message.topic(), message.partition()
            if (error := message.error()) is None:
                if key in few and message.offset() < few[key][1]:
                    count += 1
                    continue
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            few.pop(key, None)
        self._reader.unassign()
        return count + len(few)

    def close(self) -> None:
        """Close the connections."""
        self._onlooker.close()
        self._reader.close()
