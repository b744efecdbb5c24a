"""What happened to an order, as the logs have it: its events, the states that followed, its exceptions and who did what about them. Read-only and bounded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException

from app import registry
from app.engine import partition_of
from app.exceptions.reader import EVERY, Wanted
from app.exceptions.reader import read as read_exceptions
from app.settings import Settings
from app.why.inputs import unreadable
from app.why.log import LogReader, Make, Tail
from schemas.catalogue import ORDERS_EVENTS, ORDERS_STATUS
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import ExceptionState, OrderSnapshot
from tables.exceptions import CATALOGUE
from tables.explain.order_events import decision, describe
from tables.explain.order_report import Told

SECONDS = 10.0
EARLIER_MS = 3_600_000
"""So much before the storefront's time of the order nothing about it can lie in the log: clocks differ less."""


@dataclass(slots=True)
class Story:
    """The newest lines, the oldest first. `gaps` say what was not looked at."""

    told: list[Told] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def read_story(
    settings: Settings, key: str, names: Sequence[str], count: int, created_at: int, make: Make = Consumer
) -> Story:
    """The newest `count` events with what followed from them. `names`: what exceptions call the order. `Problem` where the broker cannot be asked."""
    given = settings.settings.kafka
    codecs = registry.codecs_for(settings)
    partition = partition_of(key, given.partitions)
    since = max(0, created_at - EARLIER_MS) if created_at else None
    reader = LogReader(given, "clarus-stream-why", SECONDS, make)
    try:
        events = reader.tail(ORDERS_EVENTS.name, partition, {key.encode()}, count, since)
        states = reader.tail(ORDERS_STATUS.name, partition, {key.encode()}, count, since)
        ids = frozenset(f"{kind}:{name}" for kind in CATALOGUE for name in names)
        exceptions = read_exceptions(settings, Wanted(EVERY, ids=ids), make)
    except KafkaException as error:
        raise unreadable(given.bootstrap, error) from error
    finally:
        reader.close()
    told = [
        *events_told(events.messages, codecs),
        *states_told(states.messages, codecs),
        *steps_told(exceptions.states.values()),
    ]
    gaps = [*_gap(ORDERS_EVENTS.name, partition, events), *_gap(ORDERS_STATUS.name, partition, states)]
    if not exceptions.whole:
        gaps.append("not all exceptions could be read: run it again")
    return Story(in_order(told), gaps)


def _gap(topic: str, partition: int, tail: Tail) -> list[str]:
    if tail.whole:
        return []
    return [f"{topic}:{partition} from offset {tail.unread} to {tail.back_to} was not looked at (--inputs takes more)"]


def events_told(messages: Iterable[Any], codecs: Codecs) -> list[Told]:
    """Events in the order of the log: a snapshot is told by what it changed."""
    found: list[Told] = []
    before: OrderSnapshot | None = None
    for message in messages:
        try:
            event = codecs[ORDERS_EVENTS].decode(message.value())
        except UndecodableRecord as error:
            found.append(Told(0, 0, "event", "", "unreadable", str(error), _place(ORDERS_EVENTS.name, message)))
            continue
        text = describe(event.body, before)
        before = event.body if isinstance(event.body, OrderSnapshot) else before
        what, place = type(event.body).__name__, _place(ORDERS_EVENTS.name, message)
        cause = event.event_id.rpartition(":")[0]
        found.append(Told(event.received_at, event.occurred_at, "event", event.source, what, text, place, cause))
    return found


def states_told(messages: Iterable[Any], codecs: Codecs) -> list[Told]:
    """What the order's state became, by the event that it followed from. What says the same again, of a newer version, is no change."""
    found: list[Told] = []
    for message in messages:
        try:
            event = codecs[ORDERS_STATUS].decode(message.value())
        except UndecodableRecord:
            continue
        place, cause = _place(ORDERS_STATUS.name, message), event.event_id.rpartition(":")[0]
        text = decision(event.body)
        if found and found[-1].text == text:
            continue
        found.append(Told(event.received_at, event.occurred_at, "decision", "orders", "state", text, place, cause))
    return found


def steps_told(states: Iterable[ExceptionState]) -> list[Told]:
    """Every step of every exception."""
    found: list[Told] = []
    for one in states:
        for step in one.history:
            words = one.detail if step.action in ("opened", "changed") else step.reason
            who = step.actor or one.owner
            text = f"{one.type} {step.action}{f': {words}' if words else ''}"
            found.append(Told(step.at, step.at, "exception", who, step.action, text, one.exception_id))
    return found


def in_order(told: Iterable[Told]) -> list[Told]:
    """By when we knew. What followed from an event comes right after it."""
    told = list(told)
    order = {one.place: number for number, one in enumerate(told) if one.kind == "event"}
    rank = {"event": 0, "exception": 2, "decision": 1}

    def place(one: Told) -> tuple[int, int, int]:
        number = order.get(one.place if one.kind == "event" else one.cause, len(order))
        return one.at, number, rank[one.kind]

    return sorted(told, key=place)


def _place(topic: str, message: Any) -> str:
    return f"{topic}:{message.partition()}:{message.offset()}"
