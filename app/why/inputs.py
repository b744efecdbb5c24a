"""The last events of a SKU, read from the end of its partition of `inventory.events` backwards, by a consumer outside of every group and for a bounded time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app import kafka, registry
from app.engine import partition_of
from app.errors import Problem
from app.settings import Settings
from schemas.catalogue import INVENTORY_EVENTS
from schemas.codec import TopicCodec, UndecodableRecord
from tables.explain.inputs import Input, describe

FIRST_WINDOW: Final = 2_000
"""Offsets before the end that are looked at first; each further look goes back four times as far."""


@dataclass(slots=True)
class Tail:
    """The newest inputs found, oldest first. `back_to`: offset from which on the partition was read; `whole`: nothing lies before it."""

    inputs: list[Input] = field(default_factory=list)
    back_to: int = 0
    end: int = 0
    whole: bool = False


def last_inputs(
    settings: Settings,
    sku: str,
    count: int,
    seconds: float,
    make: Callable[[dict[str, Any]], Any] = Consumer,
    steady: Callable[[], float] = time.monotonic,
) -> Tail:
    """The last `count` events of the SKU, found within `seconds`. `Problem` where the broker cannot be asked."""
    given = settings.settings.kafka
    codec = registry.codecs_for(settings)[INVENTORY_EVENTS]
    place = TopicPartition(kafka.topic(given, INVENTORY_EVENTS.name), partition_of(sku, given.partitions))
    consumer = make(kafka.reader(given, "clarus-stream-why"))
    deadline = steady() + seconds
    try:
        low, end = consumer.get_watermark_offsets(place, timeout=seconds)
        tail, window = Tail(back_to=end, end=end), FIRST_WINDOW
        while tail.back_to > low and len(tail.inputs) < count and steady() < deadline:
            start = max(low, tail.back_to - window)
            found = _read(consumer, place, start, tail.back_to, sku, codec, lambda: deadline - steady())
            if found is None:
                break
            tail.inputs, tail.back_to, window = [*found, *tail.inputs], start, window * 4
        tail.whole = tail.back_to <= low
        tail.inputs = tail.inputs[-count:] if count else []
        return tail
    except KafkaException as error:
        text = error.args[0].str() if error.args else str(error)
        raise Problem(
            f"kafka: {given.bootstrap} cannot be asked for the last inputs: {text}; leave them out with --inputs 0"
        ) from error
    finally:
        consumer.close()


def _read(
    consumer: Any,
    place: TopicPartition,
    start: int,
    end: int,
    sku: str,
    codec: TopicCodec,
    left: Callable[[], float],
) -> list[Input] | None:
    """The SKU's events of one span of offsets; None where the time was over before its end."""
    consumer.assign([TopicPartition(place.topic, place.partition, start)])
    found: list[Input] = []
    key = sku.encode()
    while left() > 0:
        for message in consumer.consume(500, timeout=min(0.5, max(0.01, left()))):
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return found
                raise KafkaException(error)
            if message.offset() >= end:
                return found
            if message.key() == key:
                found += _input(message, codec)
            if message.offset() == end - 1:
                return found
    return None


def _input(message: Any, codec: TopicCodec) -> list[Input]:
    try:
        event = codec.decode(message.value())
    except UndecodableRecord:
        return []
    return [
        Input(
            INVENTORY_EVENTS.name,
            message.partition(),
            message.offset(),
            event.occurred_at,
            event.source,
            type(event.body).__name__,
            describe(event.body),
        )
    ]
