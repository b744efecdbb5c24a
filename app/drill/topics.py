"""What a drill reads from Kafka: the exceptions, from the public topic, and how far the product's group is behind. It joins no group."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from app import kafka, registry
from app.settings import Settings
from schemas.catalogue import INTEGRATION_EXCEPTIONS, TOPICS
from schemas.codec import UndecodableRecord
from schemas.records import ExceptionState

_SECONDS = 10.0


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


def _read_all(settings: Settings, topic: str) -> list[bytes]:
    """Every value from the beginning to the present end, partition by partition in their order."""
    consumer = Consumer(
        {
            **kafka.client(settings.settings.kafka),
            "group.id": "clarus-stream-drill-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
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


def group_lag(settings: Settings) -> int:
    """Records between the committed positions of the product's group and the ends of its topics. Blocks; KafkaException where it cannot be told."""
    given = settings.settings.kafka
    admin = AdminClient(kafka.client(given))
    group = kafka.topic(given, settings.settings.engine.group)
    future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=_SECONDS)[group]
    committed: Sequence[Any] = future.result().topic_partitions
    ours = {kafka.topic(given, topic.name) for topic in TOPICS}
    watched = [p for p in committed if p.topic in ours]
    consumer = Consumer({**kafka.client(given), "group.id": "clarus-stream-drill-reader", "enable.auto.commit": False})
    try:
        return sum(
            max(
                0,
                consumer.get_watermark_offsets(TopicPartition(p.topic, p.partition), timeout=_SECONDS)[1]
                - max(0, p.offset),
            )
            for p in watched
        )
    finally:
        consumer.close()
