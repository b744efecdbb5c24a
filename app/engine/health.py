"""What the engine counts about itself, and what it tells an observer while it runs. It measures nothing by itself."""

from dataclasses import dataclass, field
from typing import Protocol

from app.engine.restore import Progress


@dataclass(slots=True)
class EngineStats:
    """Counters since the start, and the last known state. Times are seconds, `lag` is records per logical topic."""

    cycles: int = 0
    commits: int = 0
    aborts: int = 0
    records: int = 0
    rows: int = 0
    outputs: int = 0
    submitted: int = 0
    dead_letters: int = 0
    failed_batches: int = 0
    failed_ticks: int = 0
    rebalances: int = 0
    restored_rows: int = 0
    commit_seconds: float = 0.0
    last_commit_seconds: float = 0.0
    lag: dict[str, int] = field(default_factory=dict)
    restoring: dict[int, Progress] = field(default_factory=dict)


class EngineObserver(Protocol):
    """Told on the event loop what happens, as it happens; it must return at once. Times are seconds."""

    def folded(self, topic: str, number: int, written: int, unreadable: int) -> None:
        """A batch of so many records went through its agent; the first was written then (milliseconds, 0: not known). It counts once its cycle is committed."""
        ...

    def committed(self, seconds: float) -> None:
        """The cycle is committed; the commit took so long."""
        ...

    def aborted(self, certain: bool) -> None:
        """Nothing of the cycle counts. Not `certain`: it may have been committed after all."""
        ...

    def cycled(self, seconds: float) -> None:
        """A cycle that had work is over."""
        ...

    def running(self, partition: int, silent: float, restoring: float) -> None:
        """The partition runs (again) after it stood still for so long, of which so long was its restore."""
        ...


class Unobserved:
    """An `EngineObserver` for nobody."""

    def folded(self, topic: str, number: int, written: int, unreadable: int) -> None: ...
    def committed(self, seconds: float) -> None: ...
    def aborted(self, certain: bool) -> None: ...
    def cycled(self, seconds: float) -> None: ...
    def running(self, partition: int, silent: float, restoring: float) -> None: ...
