"""Names and client properties that follow from the settings."""

from pathlib import Path

from app.engine import EngineConfig, clients, internal_topics

KAFKA = EngineConfig(
    bootstrap="b:9092", group="shop", instance="w-1", topic_prefix="pre.", client={"ssl.ca.location": "ca"}
)
BUNDLED = EngineConfig(bootstrap="b:9092", group="shop", guarantee="at_least_once")


def test_names_carry_prefix_and_group() -> None:
    assert KAFKA.group_id == "pre.shop"
    assert KAFKA.transactional_id == "pre.shop-w-1"
    assert KAFKA.directory == Path("data/pre.shop/w-1")
    assert (KAFKA.physical("in"), KAFKA.logical("pre.in")) == ("pre.in", "in")


def test_the_state_topic_is_compacted_only_with_transactions() -> None:
    assert internal_topics(KAFKA)["pre.shop-changelog"]["cleanup.policy"] == "compact"
    assert internal_topics(BUNDLED)["shop-journal"] == {"cleanup.policy": "delete", "retention.ms": "-1"}
    assert "pre.shop-dead-letters" in internal_topics(KAFKA)


def test_members_are_static_with_transactions_only_unless_told_otherwise() -> None:
    assert clients.group_consumer(KAFKA)["group.instance.id"] == "w-1"
    assert "group.instance.id" not in clients.group_consumer(BUNDLED)
    dynamic = EngineConfig(bootstrap="b", membership="dynamic")
    assert "group.instance.id" not in clients.group_consumer(dynamic)


def test_every_producer_partitions_as_java_does_and_every_client_has_the_security_settings() -> None:
    for producer in (
        clients.plain_producer(KAFKA),
        clients.claim_producer(KAFKA),
        clients.transactional_producer(KAFKA, "t"),
    ):
        assert producer["partitioner"] == "murmur2_random"
        assert producer["acks"] == "all"
    for client in (
        clients.admin(KAFKA),
        clients.group_consumer(KAFKA),
        clients.side_consumer(KAFKA, isolation="read_committed"),
        clients.plain_producer(KAFKA),
    ):
        assert client["ssl.ca.location"] == "ca"
