"""The broker goes away and comes back: the same worker process, or the one after it, goes on, and every record counts once. On a Kafka of this test's own."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import KafkaServer, NoKafka, TestBroker, random_prefix
from tests.faults.engine_rig import Feed, Rig
from tests.support.stream import PARTITIONS

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    try:
        made = KafkaServer(tmp_path)
        made.start()
    except NoKafka as reason:
        pytest.skip(f"needs a Kafka it may stop: {reason}")
    yield made
    made.stop()


@pytest.fixture
def rig(server: KafkaServer, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(TestBroker("maven", server.bootstrap, random_prefix(), server.stop), tmp_path)
    yield made
    made.close()


def test_the_broker_is_restarted_killed_and_frozen_under_a_worker(server: KafkaServer, rig: Rig) -> None:
    feed = Feed(rig.broker, rate=300).start()
    worker = rig.worker()
    rig.until(lambda: len(worker.owned) == PARTITIONS, "all partitions run")

    def away(seconds: float) -> None:
        time.sleep(seconds)
        server.start()
        rig.until(lambda: len(worker.owned) == PARTITIONS and worker.process.poll() is None, "all partitions run again")
        time.sleep(2)

    server.stop()
    away(1)
    server.kill()
    away(15)
    server.freeze()
    time.sleep(12)
    server.thaw()
    time.sleep(2)
    rig.until(lambda: len(worker.owned) == PARTITIONS and worker.process.poll() is None, "all partitions run once more")
    sent = feed.stop()
    rig.until_caught_up(sent, 90)
    assert worker.terminate() == 0
    rig.check(sent, once=True)


def test_a_worker_told_to_stop_while_its_broker_is_away_stops_and_its_successor_loses_nothing(
    server: KafkaServer, rig: Rig
) -> None:
    feed = Feed(rig.broker, rate=300).start()
    worker = rig.worker()
    rig.until(lambda: len(worker.owned) == PARTITIONS, "all partitions run")
    server.kill()
    rig.until(lambda: "a new producer session begins" in worker.log(), "a commit waits for the broker")
    assert worker.terminate() == 0
    assert "stopped without the broker" in worker.log()
    server.start()
    successor = rig.worker()
    sent = feed.stop()
    rig.until_caught_up(sent, 90)
    assert successor.terminate() == 0
    rig.check(sent, once=True)
