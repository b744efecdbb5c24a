"""How long a commit waits for a broker that is away."""

from pathlib import Path

import pytest

from app.engine import EngineConfig
from app.engine.commit import JournalCommitter
from app.engine.cycle import Sealed
from app.engine.errors import StoppedWaiting
from app.engine.heartbeat import Heartbeat
from app.engine.patience import Patience
from app.engine.store import Mark
from app.ports import free_port


class Clock:
    """Set by the test."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_waits_as_long_as_it_takes_and_not_much_longer_once_it_is_to_stop() -> None:
    clock = Clock()
    patience = Patience(Heartbeat(6.0, clock), clock)
    clock.now += 86_400
    patience.wait_on()
    patience.end_soon()
    clock.now += 4
    patience.wait_on()
    patience.end_soon()
    clock.now += 2
    with pytest.raises(StoppedWaiting):
        patience.wait_on()


def test_waiting_for_a_broker_counts_as_life_and_is_the_brokers_fault() -> None:
    clock = Clock()
    heartbeat = Heartbeat(6.0, clock)
    clock.now += 60
    Patience(heartbeat, clock).wait_on()
    assert heartbeat.age_ms() == 0
    assert heartbeat.blames_broker()


def test_an_at_least_once_commit_without_a_broker_ends_with_the_workers_time(tmp_path: Path) -> None:
    clock = Clock()
    patience = Patience(Heartbeat(6.0, clock), clock)
    nobody = EngineConfig(bootstrap=f"127.0.0.1:{free_port()}", guarantee="at_least_once", data_dir=tmp_path)
    committer = JournalCommitter(nobody, patience)
    committer.open()
    committer.claim(0, b"epoch")
    patience.end_soon()
    clock.now += 60
    with pytest.raises(StoppedWaiting):
        committer.commit(Sealed({0: [(b"k", b"v")]}, [], {0: {"in": 1}}), {0: Mark("state", 0, 0)}, None)
    committer.close()
