"""A worker killed at any moment, with or without its disk: every record counts once, rows, outputs and submitted work agree."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import TestBroker
from tests.faults.engine_rig import Feed, Rig
from tests.support.stream import PARTITIONS


@pytest.fixture
def rig(broker: TestBroker, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(broker, tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_kill_after_kill_nothing_is_lost_or_counted_twice(rig: Rig) -> None:
    """On Kafka 20 times, on the bundled broker (where a dead member is missed for two sessions) 6 times; every second time with a fresh disk."""
    exactly_once = rig.broker.kind != "bundled"
    chance = random.Random(7)
    feed = Feed(rig.broker).start()
    for number in range(20 if exactly_once else 6):
        worker = rig.worker()
        rig.until(lambda: len(worker.owned) == PARTITIONS, f"start {number}: all partitions run")  # noqa: B023
        time.sleep(chance.uniform(0.1, 0.9))
        worker.kill()
        if number % 2:
            rig.wipe()
    last = rig.worker()
    rig.until(lambda: len(last.owned) == PARTITIONS, "the last start: all partitions run")
    sent = feed.stop()
    rig.until_caught_up(sent)
    assert last.terminate() == 0
    rig.check(sent, once=exactly_once)
