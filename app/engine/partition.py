"""What the event loop knows of one partition that is assigned here. Only the pump changes it."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from app.engine.api import PartitionFunction
from app.engine.store import Store


class Phase(Enum):
    """`HELD`: a rebalance is under way, or the state is being restored or read again; nothing runs."""

    HELD = "held"
    RUNNING = "running"


@dataclass(slots=True)
class Submission:
    """A function that waits for its cycle, and who waits for it."""

    function: PartitionFunction
    done: "asyncio.Future[None]"


@dataclass(slots=True)
class Tick:
    """A function that is due every `seconds`."""

    seconds: float
    function: PartitionFunction


@dataclass(slots=True)
class OwnedPartition:
    """`announced`: `on_partition_ready` was called, and `on_partition_lost` was not yet. `positions` are the next input offsets by topic."""

    number: int
    store: Store
    phase: Phase = Phase.HELD
    held_since: float = field(default_factory=time.monotonic)
    announced: bool = False
    repeating: bool = False
    positions: dict[str, int] = field(default_factory=dict)
    submissions: deque[Submission] = field(default_factory=deque)
    due: dict[int, float] = field(default_factory=dict)
    tick_failures: dict[int, int] = field(default_factory=dict)

    def hold(self) -> None:
        """Nothing runs from now on."""
        if self.phase is Phase.RUNNING:
            self.phase, self.held_since = Phase.HELD, time.monotonic()

    def let_run(self) -> float:
        """It runs from now on; returns for how many seconds it stood still."""
        self.phase = Phase.RUNNING
        return time.monotonic() - self.held_since
