"""Counts the open exceptions by type, from the public topic. Only ids of what is open are kept, and reading ends in time: then it says how far it came."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from app import kafka, registry
from app.doctor.checks import Check, Result
from app.errors import Problem
from app.settings import Settings
from schemas.catalogue import INTEGRATION_EXCEPTIONS
from schemas.codec import UndecodableRecord
from schemas.records import ExceptionState

AREA: Final = "exceptions"
SECONDS: Final = 15.0
_AT_MOST: Final = 100_000


def check(settings: Settings) -> Check:
    """The look at the open exceptions."""
    return Check(AREA, "open", lambda: look(settings), SECONDS + 10, "see the checks of kafka")


def look(
    settings: Settings,
    make: Callable[[dict[str, Any]], Any] = Consumer,
    steady: Callable[[], float] = time.monotonic,
) -> list[Result]:
    """What is open, newest state of each id."""
    given = settings.settings.kafka
    topic = kafka.topic(given, INTEGRATION_EXCEPTIONS.name)
    codec = registry.codecs_for(settings)[INTEGRATION_EXCEPTIONS]
    opened: dict[str, ExceptionState] = {}
    consumer = make(
        {
            **kafka.client(given),
            "group.id": "clarus-stream-doctor",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    deadline = steady() + SECONDS
    try:
        described = consumer.list_topics(topic, timeout=SECONDS).topics[topic]
        if described.error is not None:
            raise Problem(f"{topic} is missing; clarus-stream topics create")
        waiting = set(described.partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in waiting])
        while waiting and steady() < deadline and len(opened) < _AT_MOST:
            for message in consumer.consume(1_000, timeout=0.5):
                if (error := message.error()) is None:
                    try:
                        body = codec.decode(message.value()).body
                    except UndecodableRecord:
                        continue
                    _fold(opened, body)
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
    return summed(opened, whole=not waiting)


def _fold(opened: dict[str, ExceptionState], body: Any) -> None:
    if body.state == "RESOLVED":
        opened.pop(body.exception_id, None)
    else:
        opened[body.exception_id] = body


def summed(opened: dict[str, ExceptionState], *, whole: bool) -> list[Result]:
    """One line a type, with the oldest of them. Pure."""
    results = []
    if not whole:
        text = "not all could be read in time: there may be others, and some of these may be resolved"
        results.append(Result(AREA, "open", "warn", text, "ask again when the cluster is quieter"))
    for kind, count in sorted(Counter(one.type for one in opened.values()).items()):
        oldest = min((one for one in opened.values() if one.type == kind), key=lambda one: one.opened_at)
        since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(oldest.opened_at / 1000))
        text = f"{count} open, the oldest since {since}: {oldest.entity}: {oldest.detail[:160]}"
        results.append(
            Result(AREA, kind, "warn", text, f"for {oldest.owner}; all are in {INTEGRATION_EXCEPTIONS.name}")
        )
    return results or [Result(AREA, "open", "ok", "none")]
