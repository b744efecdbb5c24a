"""Looks at the workers' group in the cluster: who is in it, what nobody reads, how far it is behind, what it set aside. It writes nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from app import kafka, topics
from app.doctor.checks import Result
from app.errors import Problem
from app.settings import Settings
from schemas import catalogue

AREA: Final = "kafka"
SECONDS: Final = 8.0
LAG_WARNS: Final = 5_000
"""Records that wait in one topic; a worker takes as many in a second."""
_SOURCES: Final = (
    catalogue.INGRESS_WEBHOOKS,
    catalogue.ORDERS_EVENTS,
    catalogue.INVENTORY_EVENTS,
    catalogue.CHANNEL_COMMANDS,
    catalogue.OPERATIONS_COMMANDS,
)


_COMING: Final = frozenset(
    {
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""What a cluster answers for a moment when nobody has asked for a group before, a topic was just made or a broker was lost."""
_COMES_WITHIN: Final = 3.0
_NOBODY_IN: Final = frozenset({"empty", "dead", "unknown"})
"""States of a group without members."""
Found = TypeVar("Found")


def _soon(ask: Callable[[], Found]) -> Found:
    """The answer, asked for again while it is about to come."""
    deadline = time.monotonic() + _COMES_WITHIN
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _COMING or time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def members(settings: Settings, make: Callable[[dict[str, Any]], Any] = AdminClient) -> list[Result]:
    """Who is in the workers' group, and whether every partition has somebody."""
    admin = make(kafka.client(settings.settings.kafka))
    name = topics.engine_config(settings).group_id
    try:
        found = _soon(lambda: admin.describe_consumer_groups([name], request_timeout=SECONDS)[name].result(SECONDS))
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return [Result(AREA, "group", "fail", f"{name}: {reason.str()}", "let this user use the group")]
        if reason.code() in (KafkaError.GROUP_ID_NOT_FOUND, KafkaError.INVALID_GROUP_ID):
            return [_nobody(name)]
        text = f"{name} cannot be asked for: {reason.name()} {reason.str()}"
        return [Result(AREA, "group", "warn", text, "look at /status instead")]
    workers = list(found.members)
    state = found.state.name.lower().replace("_", " ")
    if not workers:
        return [_nobody(name) if state in _NOBODY_IN else _untold(name, state)]
    names = ", ".join(sorted(member.group_instance_id or member.client_id for member in workers))
    text = f"{name}: {many(len(workers), 'worker')} ({names}), {state}"
    if state != "stable":
        return [Result(AREA, "group", "warn", text, "partitions are being handed out: ask again in some seconds")]
    source = kafka.topic(settings.settings.kafka, catalogue.INVENTORY_EVENTS.name)
    owned = {
        place.partition
        for member in workers
        for place in (member.assignment.topic_partitions if member.assignment else [])
        if place.topic == source
    }
    lacking = sorted(set(range(settings.settings.kafka.partitions)) - owned)
    if lacking and owned:
        return [Result(AREA, "group", "fail", f"{text}; nobody has partitions {lacking}", "restart the workers")]
    return [Result(AREA, "group", "ok", text)]


def _nobody(name: str) -> Result:
    return Result(AREA, "group", "fail", f"{name}: no worker is in it, nothing is done", "start clarus-stream worker")


def _untold(name: str, state: str) -> Result:
    """Apache Kafka has no member in an empty group only; the bundled broker names nobody in any, and calls one stable that a dead worker left."""
    text = f"{name}: {state}, and this broker does not tell who is in it"
    return Result(
        AREA, "group", "warn", text, "the lines of each worker below say whether it runs and which partitions it has"
    )


def lag(settings: Settings) -> list[Result]:
    """Records that no worker has taken in yet."""
    name = topics.engine_config(settings).group_id
    committed = _committed(settings, name)
    if not any(offset >= 0 for offset in committed.values()):
        return [Result(AREA, "lag", "warn", f"{name} has committed nothing yet", "start clarus-stream worker")]
    behind = behind_by(settings, committed, _ends(settings))
    text = ", ".join(f"{topic} {count}" for topic, count in behind.items() if count) or "nothing waits"
    if max(behind.values(), default=0) > LAG_WARNS:
        remedy = "see which partitions stand still in the workers' /status; more workers take more partitions"
        return [Result(AREA, "lag", "warn", f"records that wait: {text}", remedy)]
    return [Result(AREA, "lag", "ok", f"at most {text} (ends of transactions count)" if any(behind.values()) else text)]


def _places(settings: Settings) -> list[TopicPartition]:
    """Every partition of the source topics."""
    given = settings.settings.kafka
    return [
        TopicPartition(kafka.topic(given, topic.name), number)
        for topic in _SOURCES
        for number in range(given.partitions)
    ]


def _committed(settings: Settings, name: str) -> dict[tuple[str, int], int]:
    """The group's next offsets; below 0 where it has committed none."""
    consumer = Consumer(kafka.onlooker(settings.settings.kafka, name))
    try:
        return {(p.topic, p.partition): p.offset for p in consumer.committed(_places(settings), SECONDS)}
    finally:
        consumer.close()


def _ends(settings: Settings) -> dict[tuple[str, int], tuple[int, int]]:
    """First and next offset of every partition of the source topics."""
    admin, places = AdminClient(kafka.client(settings.settings.kafka)), _places(settings)
    low = admin.list_offsets(dict.fromkeys(places, OffsetSpec.earliest()), request_timeout=SECONDS)
    high = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), request_timeout=SECONDS)
    return {(p.topic, p.partition): (low[p].result(SECONDS).offset, high[p].result(SECONDS).offset) for p in places}


def behind_by(
    settings: Settings, committed: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], tuple[int, int]]
) -> dict[str, int]:
    """Offsets between position and end by logical topic. Pure."""
    given = settings.settings.kafka
    found = dict.fromkeys((topic.name for topic in _SOURCES), 0)
    for (topic, number), (low, high) in ends.items():
        at = max(low, committed.get((topic, number), -1))
        found[topic.removeprefix(given.topic_prefix)] += max(0, high - at)
    return found


def dead_letters(settings: Settings, make: Callable[[dict[str, Any]], Any] = AdminClient) -> list[Result]:
    """Records set aside in the last day."""
    admin = make(kafka.client(settings.settings.kafka))
    topic = topics.engine_config(settings).dead_letter_topic
    places = [TopicPartition(topic, number) for number in range(settings.settings.kafka.partitions)]
    day_ago = int(time.time() * 1000) - catalogue.DAY_MS

    def look() -> list[tuple[int, int]]:
        then = admin.list_offsets(dict.fromkeys(places, OffsetSpec.for_timestamp(day_ago)), request_timeout=SECONDS)
        now = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), request_timeout=SECONDS)
        return [(then[p].result(SECONDS).offset, now[p].result(SECONDS).offset) for p in places]

    try:
        spans = _soon(look)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._NOENT):
            raise Problem(f"{topic} is missing; clarus-stream topics create") from error
        raise
    count = sum(end - start for start, end in spans if start >= 0)
    if count:
        remedy = f"read the reasons in the headers of {topic}; the records are kept there for 30 days"
        return [Result(AREA, "dead letters", "warn", f"{many(count, 'record')} set aside in the last day", remedy)]
    return [Result(AREA, "dead letters", "ok", "none in the last day")]


def many(count: int, thing: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
