"""What the cluster answers, in words: why it cannot be reached, what is missing, who is in the group, how far it is behind."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AclOperation

from app.doctor.cluster import _findings, broker, rights
from app.doctor.group import behind_by, members
from app.settings import from_mapping
from app.topics import Finding

SETTINGS = from_mapping({"settings": {"kafka": {"bootstrap": "k:9092", "topic_prefix": "p.", "partitions": 1}}})


class Away:
    """An admin client whose broker does not let it in: errors come by the callback, as librdkafka's do."""

    def __init__(self, code: int, text: str) -> None:
        self._error = KafkaError(code, text)

    def __call__(self, properties: dict[str, Any]) -> "Away":
        self._tell = properties["error_cb"]
        return self

    def list_topics(self, timeout: float) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "broker transport failure"))

    def poll(self, timeout: float) -> None:
        self._tell(self._error)


@pytest.mark.parametrize(
    ("code", "text", "remedy"),
    [
        (KafkaError._AUTHENTICATION, "SASL authentication failed", "the login is refused"),
        (KafkaError._SSL, "certificate verify failed", "TLS fails"),
        (KafkaError._TRANSPORT, "ssl://k:9092: SSL handshake failed: Disconnected", "TLS fails"),
        (KafkaError._RESOLVE, "no such host", "the host is not known"),
        (KafkaError._TRANSPORT, "Connection refused", "see that the broker runs"),
    ],
)
def test_why_a_broker_cannot_be_reached_is_said_plainly(code: int, text: str, remedy: str) -> None:
    [result] = broker(SETTINGS, Away(code, text), seconds=0.0)
    assert result.state == "fail"
    assert "k:9092" in result.detail
    assert text in result.detail
    assert remedy in result.remedy


def test_the_same_fault_of_many_topics_is_one_line() -> None:
    wrong = [Finding(f"t{n}", "wrong", ["has 4 partitions, not 8: set it to 4"]) for n in range(5)]
    [result] = _findings("topics", wrong, [])
    assert (result.detail, result.remedy) == ("t0 and 4 more: has 4 partitions, not 8", "set it to 4")


def test_missing_topics_are_counted_and_the_command_that_makes_them_is_named() -> None:
    found = [Finding("a", "ok"), *(Finding(f"t{n}", "missing", ["create it"]) for n in range(5))]
    [result] = _findings("topics", found, [])
    assert (result.detail, result.remedy) == ("5 of 6 are missing: t0, t1, t2 …", "clarus-stream topics create")


def test_what_a_broker_cannot_tell_is_a_warning_beside_what_it_can() -> None:
    results = _findings("topics", [Finding("a", "ok")], ["this broker does not say retention.ms of a topic"])
    assert [result.state for result in results] == ["ok", "warn"]


def test_lag_counts_from_the_first_record_where_nothing_is_committed() -> None:
    committed = {("p.orders.events", 0): 70, ("p.inventory.events", 0): -1}
    ends = {("p.orders.events", 0): (0, 100), ("p.inventory.events", 0): (40, 45), ("p.channel.commands", 0): (9, 9)}
    behind = behind_by(SETTINGS, committed, ends)
    assert {topic: count for topic, count in behind.items() if count} == {"orders.events": 30, "inventory.events": 5}


# ---- the group and rights, by an admin client that answers as told ----


def done(value: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


class Cluster:
    """Describes one group, and topics with what may be done to them."""

    def __init__(self, group: Any = None, operations: Any = None) -> None:
        self._group, self._operations = group, operations

    def __call__(self, properties: dict[str, Any]) -> "Cluster":
        return self

    def describe_consumer_groups(self, names: list[str], **options: Any) -> dict[str, "Future[Any]"]:
        return {name: done(self._group) for name in names}

    def describe_topics(self, names: Any, **options: Any) -> dict[str, "Future[Any]"]:
        assert options["include_authorized_operations"]
        return {
            name: done(SimpleNamespace(authorized_operations=self._operations(name)))
            for name in ("p.orders.events", "p.orders.status")
        }


def member(name: str, *partitions: int) -> SimpleNamespace:
    places = [TopicPartition("p.inventory.events", number) for number in partitions]
    return SimpleNamespace(group_instance_id=name, client_id="c", assignment=SimpleNamespace(topic_partitions=places))


FOUR = from_mapping({"settings": {"kafka": {"topic_prefix": "p.", "partitions": 4}}})


@pytest.mark.parametrize(
    ("workers", "state", "result", "text"),
    [
        ([member("w-0", 0, 1), member("w-1", 2, 3)], "STABLE", "ok", "2 workers (w-0, w-1), stable"),
        ([member("w-0", 0, 1)], "STABLE", "fail", "nobody has partitions [2, 3]"),
        ([member("w-0")], "PREPARING_REBALANCING", "warn", "preparing rebalancing"),
        ([], "EMPTY", "fail", "no worker is in it"),
        ([], "DEAD", "fail", "no worker is in it"),
        ([], "STABLE", "warn", "stable, and this broker does not tell who is in it"),
    ],
)
def test_the_group_names_its_workers_and_the_partitions_nobody_has(
    workers: list[Any], state: str, result: str, text: str
) -> None:
    [found] = members(FOUR, Cluster(SimpleNamespace(members=workers, state=SimpleNamespace(name=state))))
    assert found.state == result
    assert text in found.detail


def test_a_topic_that_may_only_be_read_is_named_with_what_is_lacking() -> None:
    both, read = [AclOperation.READ, AclOperation.WRITE], [AclOperation.READ]
    [found] = rights(FOUR, Cluster(operations=lambda name: read if name == "p.orders.status" else both))
    assert (found.state, found.detail) == ("fail", "not allowed: p.orders.status: write")
    assert rights(FOUR, Cluster(operations=lambda name: [AclOperation.ALL]))[0].state == "ok"
    assert (
        rights(FOUR, Cluster(operations=lambda name: None))[0].detail == "this broker does not tell what a user may do"
    )
