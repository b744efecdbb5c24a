"""What agents and delivery see of the engine. Domain code is written against this module; the rest of the package makes it true.

One *cycle* of a worker takes everything polled since the last one, runs it through the agents partition by partition, runs what was submitted and what
is due by time, and commits outputs, changed rows and input positions together. A function that runs inside a cycle must not block or await.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

Row = TypeVar("Row")
RowOfTable = TypeVar("RowOfTable", covariant=True)


class Table(Protocol[RowOfTable]):
    """A declared table: typed rows by string key, in the store of each partition. Made by `EngineApp.Table(name, row=RowType)`."""

    name: str


class PartitionLost(Exception):
    """The partition went to another worker (or this one stops) before the cycle was committed: nothing of it happened."""


class Record(Protocol):
    """One input record. `value` is what the producer sent, byte for byte."""

    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, bytes]: ...


class Context(Protocol):
    """State and outputs of one partition inside the running cycle. Everything done here is committed together or not at all."""

    @property
    def partition(self) -> int: ...

    @property
    def now_ms(self) -> int:
        """Our clock at the start of the cycle. Rules that must replay alike use record times instead."""
        ...

    def get(self, table: Table[Row], key: str) -> Row | None:
        """The row as this cycle sees it. It may be changed in place; `put` makes the change count."""
        ...

    def put(self, table: Table[Row], key: str, row: Row) -> None:
        """Insert or replace."""
        ...

    def get_many(self, table: Table[Row], keys: Sequence[str]) -> list[Row | None]:
        """As `get` of every key, in that order, for less than single calls cost."""
        ...

    def put_many(self, table: Table[Row], rows: Mapping[str, Row]) -> None:
        """As `put` of every row."""
        ...

    def delete(self, table: Table[Any], key: str) -> None:
        """Remove; nothing happens where there is none."""
        ...

    def scan(self, table: Table[Row], prefix: str = "", after: str = "") -> Iterator[tuple[str, Row]]:
        """All rows whose key starts with `prefix`, in key order, as this cycle sees them; with `after` those behind that key only."""
        ...

    def send(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """One output record to a topic of the catalogue (its logical name). Without `partition` murmur2 of the key decides."""
        ...

    def send_many(
        self, topic: str, records: Iterable[tuple[str, bytes | None]], *, headers: Mapping[str, str] | None = None
    ) -> None:
        """As `send` of every key and value, with the same headers on all."""
        ...


class Batch(Context, Protocol):
    """All records of one partition of one poll, in order. Used as a context manager: an exception inside aborts the cycle, which is tried again."""

    @property
    def topic(self) -> str: ...

    @property
    def records(self) -> Sequence[Record]: ...

    @property
    def columns(self) -> tuple[list[bytes], list[bytes | None], list[int]]:
        """Keys, values and offsets of the records: what most agents need, for less than an object per record costs."""
        ...

    def dead_letter(self, record: Record, reason: str) -> None:
        """Set a record aside with its bytes and the reason; the partition goes on. Past the limits the worker stops instead."""
        ...

    def __enter__(self) -> "Batch": ...
    def __exit__(self, *exc: object) -> bool: ...


PartitionFunction = Callable[[Context], None]


class Engine(Protocol):
    """What runtime code asks of the running engine (`EngineApp` implements it on top of `faust.App`)."""

    @property
    def partitions(self) -> int:
        """Number of partitions of every source topic and table."""
        ...

    @property
    def owned(self) -> frozenset[int]:
        """Partitions that are restored and run here."""
        ...

    async def submit(self, partition: int, function: PartitionFunction) -> None:
        """Run `function` once in the next cycle of a partition owned here; return when that cycle is committed.

        The function may run again where a commit fails and is repeated: it must derive everything from its context. Raises `PartitionLost`, or
        what the function raised (its cycle then goes on without it).
        """
        ...

    def every(self, seconds: float, function: PartitionFunction) -> None:
        """Run `function` about every `seconds` for every owned partition, inside a cycle."""
        ...

    def on_partition_ready(self, function: Callable[[int], None]) -> None:
        """Called on the event loop when a partition is restored and starts; `submit` works from then on."""
        ...

    def on_partition_lost(self, function: Callable[[int], None]) -> None:
        """Called on the event loop before a partition's state is closed; it must return at once."""
        ...
