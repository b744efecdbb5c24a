"""What is wanted of the cluster, what is done about differences, and what is said. The cluster is a fake; the contract suite uses real brokers."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic

from app import topics
from app.config import load
from app.errors import Problem
from app.settings import Settings
from schemas.catalogue import TOPICS


def settings(**variables: str) -> Settings:
    environ = {f"CLARUS_STREAM__{name}": value for name, value in variables.items()}
    return load(
        None, {"CLARUS_STREAM__KAFKA__PARTITIONS": "6", "CLARUS_STREAM__KAFKA__REPLICATION": "1", **environ}
    ).settings


def done(value: Any = None) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


class Cluster:
    """A broker's admin side. `refuse` by request name."""

    def __init__(self, **refuse: int) -> None:
        self.there: dict[str, tuple[int, int, dict[str, str]]] = {}
        self.refuse = refuse

    def _refused(self, request: str) -> Exception | None:
        return KafkaException(KafkaError(self.refuse[request])) if request in self.refuse else None

    def list_topics(self, timeout: float = -1) -> Any:
        if refused := self._refused("list"):
            raise refused
        return SimpleNamespace(
            topics={
                name: SimpleNamespace(
                    error=None, partitions={p: SimpleNamespace(replicas=list(range(replicas))) for p in range(number)}
                )
                for name, (number, replicas, _) in self.there.items()
            }
        )

    def create_topics(self, new_topics: list[NewTopic], **options: Any) -> dict[str, "Future[None]"]:
        answers: dict[str, Future[None]] = {}
        for new in new_topics:
            refused = self._refused("create" if new.config else "create without config")
            if refused is None:
                self.there[new.topic] = (new.num_partitions, new.replication_factor, dict(new.config))
            answers[new.topic] = done(refused)
        return answers

    def describe_configs(self, resources: list[ConfigResource], **options: Any) -> dict[ConfigResource, Any]:
        return {
            r: done(
                self._refused("describe")
                or {key: SimpleNamespace(value=value) for key, value in self.there[r.name][2].items()}
            )
            for r in resources
        }

    def incremental_alter_configs(self, resources: list[ConfigResource], **options: Any) -> dict[ConfigResource, Any]:
        refused = self._refused("alter")
        if refused is None:
            for resource in resources:
                for entry in resource.incremental_configs:
                    self.there[resource.name][2][entry.name] = entry.value
        return {resource: done(refused) for resource in resources}


def states(report: topics.Report) -> dict[str, str]:
    return {finding.name: finding.state for finding in report.topics}


def test_the_catalogue_and_the_engines_own_topics_are_wanted_with_their_promises() -> None:
    found = {w.name: w for w in topics.wanted(settings(KAFKA__TOPIC_PREFIX="shop.", KAFKA__REPLICATION="3"))}
    assert set(found) == {f"shop.{t.name}" for t in TOPICS} | {
        "shop.clarus-stream-changelog",
        "shop.clarus-stream-dead-letters",
    }
    assert {w.partitions for w in found.values()} == {6}
    assert {w.replication for w in found.values()} == {3}
    assert {w.config["min.insync.replicas"] for w in found.values()} == {"2"}
    assert found["shop.orders.events"].config["retention.ms"] == str(30 * 86_400_000)
    assert found["shop.channel.commands"].config["cleanup.policy"] == "compact"
    assert found["shop.clarus-stream-changelog"].config["cleanup.policy"] == "compact"


def test_without_transactions_the_state_is_a_journal_that_is_never_cut() -> None:
    found = {w.name: w.config for w in topics.wanted(settings(ENGINE__GUARANTEE="at_least_once"))}
    assert "clarus-stream-changelog" not in found
    assert (found["clarus-stream-journal"]["cleanup.policy"], found["clarus-stream-journal"]["retention.ms"]) == (
        "delete",
        "-1",
    )


def test_a_webhook_of_the_largest_size_fits_its_topic() -> None:
    found = {w.name: w.config for w in topics.wanted(settings(INGRESS__MAX_BODY="3000000"))}
    assert int(found["ingress.webhooks"]["max.message.bytes"]) > 3_000_000


def test_what_is_missing_is_created_and_then_in_order() -> None:
    cluster = Cluster()
    assert set(states(topics.check(settings(), cluster)).values()) == {"missing"}
    assert set(states(topics.ensure(settings(), cluster)).values()) == {"created"}
    report = topics.check(settings(), cluster)
    assert report.ok
    assert set(states(report).values()) == {"ok"}
    assert report.as_text().endswith("everything is as it should be")


def test_other_partitions_are_never_changed_and_the_remedy_is_told() -> None:
    cluster = Cluster()
    topics.ensure(settings(), cluster)
    report = topics.ensure(settings(KAFKA__PARTITIONS="8"), cluster)
    assert not report.ok
    assert {number for number, _, _ in cluster.there.values()} == {6}
    assert "has 6 partitions, settings.kafka.partitions is 8" in report.topics[0].problems[0]
    assert "set settings.kafka.partitions to 6" in report.topics[0].problems[0]


def test_other_retention_is_told_by_check_and_mended_by_create() -> None:
    cluster = Cluster()
    topics.ensure(settings(), cluster)
    cluster.there["orders.events"][2]["retention.ms"] = "1000"
    report = topics.check(settings(), cluster)
    assert states(report)["orders.events"] == "wrong"
    assert cluster.there["orders.events"][2]["retention.ms"] == "1000"
    mended = topics.ensure(settings(), cluster)
    assert states(mended)["orders.events"] == "changed"
    assert next(f for f in mended.topics if f.name == "orders.events").detail == "retention.ms 1000 → 2592000000"
    assert topics.check(settings(), cluster).ok


def test_fewer_replicas_are_told() -> None:
    cluster = Cluster()
    topics.ensure(settings(), cluster)
    report = topics.check(settings(KAFKA__REPLICATION="3"), cluster)
    assert any("has 1 replicas, settings.kafka.replication is 3" in p for p in report.topics[0].problems)


def test_more_replicas_than_brokers_are_refused_with_the_remedy() -> None:
    report = topics.ensure(settings(), Cluster(create=KafkaError.INVALID_REPLICATION_FACTOR))
    assert not report.ok
    assert "set settings.kafka.replication (1) to at most the number of brokers" in report.topics[0].problems[0]


def test_a_broker_that_cannot_describe_is_named_in_a_note_and_still_served() -> None:
    cluster = Cluster(describe=KafkaError.UNSUPPORTED_VERSION, alter=KafkaError.UNSUPPORTED_VERSION)
    report = topics.ensure(settings(), cluster)
    assert report.ok
    assert [n for n in report.notes if n.startswith("settings of topics cannot be read here")]


def test_a_broker_that_takes_no_settings_at_creation_gets_the_topics_all_the_same() -> None:
    cluster = Cluster(create=KafkaError.INVALID_REQUEST)
    report = topics.ensure(settings(), cluster)
    assert set(cluster.there) == {w.name for w in topics.wanted(settings())}
    assert "this broker does not take settings of topics when they are created" in report.notes


def test_no_broker_is_one_line_that_says_what_to_look_at() -> None:
    with pytest.raises(Problem, match=r"localhost:9092 cannot be asked: .*; check settings\.kafka\.bootstrap"):
        topics.check(settings(), Cluster(list=KafkaError._TRANSPORT))


def test_a_broker_that_learns_late_of_a_new_topic_is_waited_for() -> None:
    class Late(Cluster):
        looks = 0

        def list_topics(self, timeout: float = -1) -> Any:
            self.looks += 1
            return super().list_topics(timeout) if self.looks > 4 else SimpleNamespace(topics={})

    late = Late()
    report = topics.ensure(settings(), late)
    assert report.ok
    assert {finding.state for finding in report.topics} == {"created"}
    assert late.looks > 4
