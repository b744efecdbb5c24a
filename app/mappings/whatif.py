"""An import tried over the last order events: which orders would become something else, and what. It writes nothing and joins no group."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app import kafka
from app.errors import Problem
from app.mappings.force import in_force
from app.mappings.importing import Plan
from app.registry import codecs_for
from app.settings import Settings
from schemas.catalogue import ORDERS_EVENTS
from schemas.codec import UndecodableRecord
from schemas.records import OrderSnapshot, WarehouseOrder
from tables.mappings.whatif import Outcome, differences, outcome

SECONDS: Final = 60.0
_CHUNK: Final = 2_000
_NOT_THERE: Final = ("REFUSED", "DELETED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class Changed:
    """One order that would become something else. `at_warehouse`: it is there already, so only orders like it would."""

    order: str
    at_warehouse: bool
    now: Outcome
    then: Outcome
    what: list[str]


@dataclass(slots=True)
class Seen:
    """The newest state of each order among the events that were read. `whole`: all that were asked for could be read in time."""

    orders: dict[str, OrderSnapshot] = field(default_factory=dict)
    at_warehouse: set[str] = field(default_factory=set)
    events: int = 0
    whole: bool = True


@dataclass(slots=True)
class Trial:
    """What came of it."""

    seen: Seen
    changed: list[Changed]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "events": self.seen.events,
            "orders_seen": len(self.seen.orders),
            "whole": self.seen.whole,
            "orders": [asdict(one) for one in self.changed],
        }


def what_if(settings: Settings, plan: Plan, last: int) -> Trial:
    """Judge the orders of the last events by what is in force and by what would be."""
    now = in_force(settings, plan.before.entries, plan.before.version)
    then = in_force(settings, plan.then, plan.before.version + 1)
    seen = last_orders(settings, last)
    found: list[Changed] = []
    for key, order in seen.orders.items():
        before, after = outcome(order, now.orders), outcome(order, then.orders)
        if what := differences(before, after):
            name = f"{order.channel}:{order.number or order.order_id}"
            found.append(Changed(name, key in seen.at_warehouse, before, after, what))
    return Trial(seen, sorted(found, key=lambda one: (one.at_warehouse, one.order)))


def last_orders(
    settings: Settings,
    last: int,
    make: Callable[[dict[str, Any]], Any] = Consumer,
    steady: Callable[[], float] = time.monotonic,
) -> Seen:
    """The orders of about the last so many events, evenly over the partitions."""
    given, codec = settings.settings.kafka, codecs_for(settings)[ORDERS_EVENTS]
    topic, seen = kafka.topic(given, ORDERS_EVENTS.name), Seen()
    consumer = make(kafka.reader(given, "clarus-stream-what-if"))
    try:
        for message in _tails(consumer, topic, last, steady() + SECONDS, seen, steady):
            seen.events += 1
            try:
                body, key = codec.decode(message.value()).body, message.key().decode()
            except (UndecodableRecord, UnicodeDecodeError):
                continue
            if isinstance(body, OrderSnapshot):
                known = seen.orders.get(key)
                if known is None or body.version >= known.version:
                    seen.orders[key] = body
            elif isinstance(body, WarehouseOrder):
                (seen.at_warehouse.discard if body.status in _NOT_THERE else seen.at_warehouse.add)(key)
    except KafkaException as error:
        raise Problem(
            f"kafka: {given.bootstrap} cannot be read: {error.args[0].str()}; clarus-stream doctor"
        ) from error
    finally:
        consumer.close()
    return seen


def _tails(
    consumer: Any, topic: str, last: int, deadline: float, seen: Seen, steady: Callable[[], float]
) -> Iterator[Any]:
    described = consumer.list_topics(topic, timeout=SECONDS).topics[topic]
    if described.error is not None:
        raise Problem(f"{topic} is missing; clarus-stream topics create")
    waiting = set(described.partitions)
    each = -(-last // max(1, len(waiting)))
    places = []
    for number in waiting:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=SECONDS)
        places.append(TopicPartition(topic, number, max(low, high - each)))
    consumer.assign(places)
    while waiting:
        if steady() > deadline:
            seen.whole = False
            return
        for message in consumer.consume(_CHUNK, 0.5):
            if (error := message.error()) is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
            else:
                raise KafkaException(error)
