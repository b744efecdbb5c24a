"""What a partition's store must do, and the mark that is written with every batch. It knows neither tables nor Kafka."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

Rows = Sequence[tuple[bytes, bytes | None]]
"""Key and value in the order to apply; None deletes."""


class Mark(msgspec.Struct, frozen=True):
    """How far a store reaches: the next offset of the state topic to read, and what a journal's last marker said.

    `source` names the state topic and its identity at the broker: a store of another topic (or of one deleted and made anew) is worthless.
    `epoch` and `positions` (topic to next input offset) are used with `at_least_once` only. `at_ms` is our clock.
    """

    source: str
    offset: int
    at_ms: int
    epoch: bytes = b""
    positions: dict[str, int] = {}


class Size(NamedTuple):
    """About how many rows a store holds, and how many bytes they take on disk and in its write buffers; 0 for a store in memory."""

    rows: int
    bytes: int


class Store(Protocol):
    """Committed rows of one partition. One thread at a time may write; reads and writes of different threads do not overlap."""

    @property
    def mark(self) -> Mark | None:
        """As last applied; None for an empty store."""
        ...

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys that start with `prefix`, in byte order; those before `start` are left out."""
        ...

    def size(self) -> Size: ...

    def apply(self, rows: Rows, mark: Mark) -> None:
        """Rows and mark in one atomic write."""
        ...

    def wipe(self) -> None:
        """Back to an empty store."""
        ...

    def rest(self) -> None:
        """The partition went away: give memory back, keep what is on disk."""
        ...

    def close(self) -> None: ...
