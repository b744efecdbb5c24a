"""The bridge commits in the foreign cluster only what is durable in ours. The foreign cluster is a fake; the real client's interface is checked on a broker."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from app.connectors.commercetools.settings import CommercetoolsSettings
from app.ingress.bridge import Bridge, consumer_config
from schemas.catalogue import INGRESS_WEBHOOKS
from schemas.codec import Codecs
from schemas.records import RawNotification
from tests.support.sinks import MemorySink

CODEC = Codecs()[INGRESS_WEBHOOKS]
SETTINGS = CommercetoolsSettings(
    system="commercetools",
    kafka_bootstrap="confluent:9092",
    kafka_topic="orders",
    kafka_api_key="key",
    kafka_api_secret="hush",
)


class Entity:
    """An intake of which the bridge asks the entity only."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        raise AssertionError("the bridge has its own proof: the cluster's login")

    def parse(self, notification: RawNotification) -> list[Any]:
        raise AssertionError("the bridge reads no body")

    def entity(self, body: bytes) -> str:
        return body.decode().split("/")[0]


class Message:
    def __init__(self, offset: int, value: bytes | None, error: KafkaError | None = None) -> None:
        self._offset, self._value, self._error = offset, value, error

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000 + self._offset

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_id", b"x"), ("content-type", b"application/json"), ("authorization", b"hush")]


class Cluster:
    """The foreign consumer: hands out batches once, remembers commits and how many of our records were durable then."""

    def __init__(self, batches: list[list[Message]], sink: MemorySink) -> None:
        self.batches, self.sink = batches, sink
        self.commits: list[int] = []
        self.loop = asyncio.get_running_loop()
        self.fail_commits = 0
        self.closed = False
        self.committed = asyncio.Event()

    def make(self, config: dict[str, Any]) -> Any:
        return self

    def subscribe(self, topics: list[str]) -> None:
        assert topics == ["orders"]

    def consume(self, number: int, timeout: float) -> list[Message]:
        if not self.batches:
            return []
        taken, self.batches[0] = self.batches[0][:number], self.batches[0][number:]
        if timeout == 0:
            self.batches.pop(0)
        return taken

    def commit(self, asynchronous: bool) -> None:
        if self.fail_commits:
            self.fail_commits -= 1
            raise KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
        self.commits.append(len(self.sink.records))
        if not self.batches:
            self.loop.call_soon_threadsafe(self.committed.set)

    def close(self) -> None:
        self.closed = True


async def run(cluster: Cluster, sink: MemorySink) -> None:
    """Until the last batch is committed."""
    bridge = Bridge("ct-eu", SETTINGS, Entity(), sink, CODEC, make=cluster.make, now_ms=lambda: 5)
    task = asyncio.create_task(bridge.run())
    async with asyncio.timeout(10):
        await cluster.committed.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert cluster.closed


async def test_every_record_is_durable_before_its_position_is_committed() -> None:
    sink = MemorySink()
    cluster = Cluster([[Message(0, b"o1/a"), Message(1, b"o2/b")], [Message(2, b"o1/c")]], sink)
    await run(cluster, sink)
    assert cluster.commits == [2, 3]
    assert [key for key, _ in sink.records] == ["ct-eu:o1", "ct-eu:o2", "ct-eu:o1"]
    event = CODEC.decode(sink.records[2][1])
    assert event.event_id == "ct-eu/orders/2/2"
    assert (event.occurred_at, event.received_at) == (1_700_000_000_002, 5)
    assert (event.body.route, event.body.body) == ("kafka", b"o1/c")
    assert event.body.headers == {"ce_id": "x", "content-type": "application/json"}


async def test_what_our_cluster_refuses_is_offered_again_before_anything_is_committed() -> None:
    sink = MemorySink()
    sink.refuse = 2
    cluster = Cluster([[Message(n, b"o/%d" % n) for n in range(4)]], sink)
    await run(cluster, sink)
    assert cluster.commits == [4]
    assert {CODEC.decode(value).body.body for _, value in sink.records} == {b"o/%d" % n for n in range(4)}


async def test_tombstones_and_errors_are_passed_over() -> None:
    sink = MemorySink()
    broken = Message(0, None, KafkaError(KafkaError._TRANSPORT))
    cluster = Cluster([[broken], [Message(1, None), Message(2, b"o/x")]], sink)
    await run(cluster, sink)
    assert [CODEC.decode(value).body.body for _, value in sink.records] == [b"o/x"]


async def test_a_commit_that_fails_does_not_end_the_bridge() -> None:
    sink = MemorySink()
    cluster = Cluster([[Message(0, b"o/a")], [Message(1, b"o/b")]], sink)
    cluster.fail_commits = 1
    await run(cluster, sink)
    assert cluster.commits == [2]


def test_the_login_is_what_the_destination_is_documented_to_want() -> None:
    config = consumer_config(SETTINGS)
    assert (config["security.protocol"], config["sasl.mechanism"]) == ("SASL_SSL", "PLAIN")
    assert (config["sasl.username"], config["sasl.password"]) == ("key", "hush")
    assert config["enable.auto.commit"] is False


@pytest.mark.parametrize("more", [{"security.protocol": "PLAINTEXT"}])
def test_a_cluster_without_login_can_be_read(more: dict[str, str]) -> None:
    plain = SETTINGS.model_copy(update={"kafka_security": more, "kafka_api_key": ""})
    config = consumer_config(plain)
    assert config["security.protocol"] == "PLAINTEXT"
    assert "sasl.username" not in config
