"""What the engine counts about itself. It measures nothing by itself."""

from dataclasses import dataclass, field

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
