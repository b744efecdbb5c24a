"""What the pump does between its turns, without a broker."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from app.engine import EngineConfig
from app.engine.api import PartitionLost
from app.engine.partition import OwnedPartition, Phase
from app.engine.pump import Pump
from app.engine.restore import Restored, RestoreRound
from app.engine.store.memory import MemoryStore


class StillConsumer:
    """Accepts positions and remembers them."""

    def __init__(self) -> None:
        self.activated: dict[int, dict[str, int]] = {}

    def activate(self, positions: dict[int, dict[str, int]]) -> None:
        self.activated.update(positions)


@pytest.fixture
def pump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pump:
    """Owns partitions 0 to 3, all held; every restore is done by the test."""
    made = Pump(EngineConfig(bootstrap="nowhere:1", store="memory", data_dir=tmp_path, partitions=4))
    monkeypatch.setattr(made, "_consumer", StillConsumer(), raising=False)
    monkeypatch.setattr(RestoreRound, "run", lambda self: None)
    made.ownership.partitions = {number: OwnedPartition(number, MemoryStore()) for number in range(4)}
    return made


def restored(number: int, *, foreign: bool = False) -> Restored:
    return Restored(number, {"in": 10 * number}, b"", 0, foreign, 0.0)


async def turn(pump: Pump) -> None:
    """What a turn does with restored partitions, then whatever waits on the loop."""
    await pump.ownership.let_restored_run(pump._consumer, pump._committer, 0)
    await asyncio.sleep(0)


async def test_a_partition_reported_while_a_turn_takes_the_others_is_not_forgotten(pump: Pump) -> None:
    ready: list[int] = []
    pump.on_ready(ready.append)
    pump.ownership._restore(range(4))
    this: Any = pump.ownership._awaited

    def report_all() -> None:
        for number in range(4):
            this._report(restored(number))

    reporter = threading.Thread(target=report_all)
    reporter.start()
    reporter.join()
    await turn(pump)
    await turn(pump)
    assert sorted(ready) == [0, 1, 2, 3]
    assert all(partition.phase is Phase.RUNNING for partition in pump.partitions.values())
    assert pump._consumer.activated == {number: {"in": 10 * number} for number in range(4)}  # type: ignore[attr-defined]


async def test_what_a_cancelled_round_reports_late_does_not_count(pump: Pump) -> None:
    pump.ownership._restore(range(4))
    old: Any = pump.ownership._awaited
    pump.ownership._restore(range(4))
    old._report(restored(0))
    await turn(pump)
    await turn(pump)
    assert pump.owned == frozenset()


async def test_a_partition_somebody_else_wrote_to_is_lost_before_it_is_ready_again(pump: Pump) -> None:
    told: list[tuple[str, int]] = []
    pump.on_ready(lambda number: told.append(("ready", number)))
    pump.on_lost(lambda number: told.append(("lost", number)))
    for foreign in (False, False, True):
        pump.ownership._restore([1])
        this: Any = pump.ownership._awaited
        this._report(restored(1, foreign=foreign))
        await turn(pump)
        await turn(pump)
    assert told == [("ready", 1), ("lost", 1), ("ready", 1)]


async def test_work_for_a_partition_that_is_not_ready_is_refused(pump: Pump) -> None:
    with pytest.raises(PartitionLost):
        await pump.submit(1, lambda context: None)
