"""What agents tell whoever measures the worker: outcomes, ages, what a row adds to a sum. It is told inside cycles and counts once they are committed."""

from typing import Protocol

from tables.reconciliation import Cause
from tables.stock.figures import Parts


class Watch(Protocol):
    """Whoever measures. Every call must be cheap."""

    def batch(self, topic: str, occurred_at: int, done: int, superseded: int, failed: int) -> None:
        """A batch is folded: outcomes of its records, and when what its first record follows from occurred (0: not known)."""
        ...

    def command(self, channel: str, kind: str, occurred_at: int) -> None:
        """Delivery accepted a wanted state that follows from what occurred then."""
        ...

    def superseded(self, channel: str, kind: str) -> None:
        """A wanted state that was not confirmed gave way to a newer one."""
        ...

    def judged(self, channel: str, cause: Cause) -> None:
        """A read-back of a listing was judged."""
        ...

    def adds(self, partition: int, key: str, parts: Parts) -> None:
        """From now on the row adds this, and nothing it added before. `key` names the row among all that add to sums."""
        ...

    def watermark(self, partition: int, channel: str, at: int) -> None:
        """The channel's watermark as this partition knows it."""
        ...


class Unwatched:
    """A `Watch` for nobody."""

    def batch(self, topic: str, occurred_at: int, done: int, superseded: int, failed: int) -> None: ...
    def command(self, channel: str, kind: str, occurred_at: int) -> None: ...
    def superseded(self, channel: str, kind: str) -> None: ...
    def judged(self, channel: str, cause: Cause) -> None: ...
    def adds(self, partition: int, key: str, parts: Parts) -> None: ...
    def watermark(self, partition: int, channel: str, at: int) -> None: ...
