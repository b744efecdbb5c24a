"""The last events of a SKU, read from the end of its partition of `inventory.events` backwards, by a consumer outside of every group and for a bounded time."""

import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException

from app import registry
from app.engine import partition_of
from app.errors import Problem
from app.settings import Settings
from app.why.log import LogReader, Make, Steady
from schemas.catalogue import INVENTORY_EVENTS
from schemas.codec import TopicCodec, UndecodableRecord
from tables.explain.inputs import Input, describe


@dataclass(slots=True)
class Tail:
    """The newest inputs found, oldest first. `back_to`: offset from which on the partition was read; `whole`: nothing lies before it."""

    inputs: list[Input] = field(default_factory=list)
    back_to: int = 0
    end: int = 0
    whole: bool = False


def last_inputs(
    settings: Settings, sku: str, count: int, seconds: float, make: Make = Consumer, steady: Steady = time.monotonic
) -> Tail:
    """The last `count` events of the SKU, found within `seconds`. `Problem` where the broker cannot be asked."""
    given = settings.settings.kafka
    codec = registry.codecs_for(settings)[INVENTORY_EVENTS]
    reader = LogReader(given, "clarus-stream-why", seconds, make, steady)
    try:
        found = reader.tail(INVENTORY_EVENTS.name, partition_of(sku, given.partitions), {sku.encode()}, count)
    except KafkaException as error:
        raise unreadable(given.bootstrap, error) from error
    finally:
        reader.close()
    inputs = [one for message in found.messages for one in _input(message, codec)]
    return Tail(inputs, found.back_to, found.end, found.whole)


def unreadable(bootstrap: str, error: KafkaException) -> Problem:
    """The broker does not answer."""
    text = error.args[0].str() if error.args else str(error)
    return Problem(f"kafka: {bootstrap} cannot be asked for the last inputs: {text}; leave them out with --inputs 0")


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
