"""Workers that come and go in order, die, or freeze past their session: one owner per partition, every record once. On a real Kafka."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import TestBroker
from tests.faults.engine_rig import Feed, Rig, Worker
from tests.support.stream import PARTITIONS

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def rig(kafka: TestBroker, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(kafka, tmp_path)
    yield made
    made.close()


def two_workers(rig: Rig) -> tuple[Worker, Worker]:
    """Both own something."""
    first = rig.worker("worker-0")
    rig.until(lambda: len(first.owned) == PARTITIONS, "the first has all")
    second = rig.worker("worker-1")
    rig.until(lambda: bool(second.owned) and len(first.owned) + len(second.owned) == PARTITIONS, "both have some")
    time.sleep(1)
    return first, second


def finish(rig: Rig, feed: Feed, *workers: Worker) -> None:
    sent = feed.stop()
    rig.until_caught_up(sent)
    assert [worker.terminate() for worker in workers] == [0] * len(workers)
    rig.check(sent, once=True)


def test_a_worker_that_leaves_in_order(rig: Rig) -> None:
    feed = Feed(rig.broker).start()
    first, second = two_workers(rig)
    assert second.terminate() == 0
    rig.until(lambda: len(first.owned) == PARTITIONS, "the first has all again")
    time.sleep(1)
    finish(rig, feed, first)


def test_a_worker_that_leaves_in_order_and_is_back_before_its_session_ended(rig: Rig) -> None:
    feed = Feed(rig.broker).start()
    first, second = two_workers(rig)
    assert second.terminate() == 0
    rig.until(lambda: len(first.owned) == PARTITIONS, "the first has all again", 5)
    again = rig.worker("worker-1")
    rig.until(lambda: bool(again.owned) and len(first.owned) + len(again.owned) == PARTITIONS, "both have some again")
    time.sleep(1)
    finish(rig, feed, first, again)


def test_a_worker_that_dies(rig: Rig) -> None:
    feed = Feed(rig.broker).start()
    first, second = two_workers(rig)
    second.kill()
    rig.until(lambda: len(first.owned) == PARTITIONS, "the first has all again")
    time.sleep(1)
    finish(rig, feed, first)


def test_a_worker_that_freezes_past_its_session_and_wakes_up(rig: Rig) -> None:
    """While it sleeps the other takes over; awake again it may do no harm, and either rejoins or ends with an error for its supervisor."""
    feed = Feed(rig.broker).start()
    first, second = two_workers(rig)
    first.send(signal.SIGSTOP)
    rig.until(lambda: len(second.owned) == PARTITIONS, "the second has all")
    time.sleep(2)
    first.send(signal.SIGCONT)
    rig.until(
        lambda: (
            first.process.poll() == 70 or (bool(first.owned) and len(first.owned) + len(second.owned) == PARTITIONS)
        ),
        "the first ended or rejoined",
    )
    time.sleep(1)
    alive = [worker for worker in (first, second) if worker.process.poll() is None]
    assert second in alive
    finish(rig, feed, *alive)
