"""An engine in memory for tests of code that is written against `app.engine.api`: rows in dictionaries, cycles at once, outputs collected.

Rows are kept encoded, so a row that was changed but not put stays as it was. A cycle that raises leaves nothing behind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from app.engine.api import PartitionFunction, PartitionLost, Table

Group = TypeVar("Group")


@dataclass(frozen=True)
class MemoryTable:
    """A declared table."""

    name: str
    row: Any


def memory_tables(kind: type[Group]) -> Group:
    """All tables of a group (a dataclass of `Table[Row]`), each under the name of its field."""
    rows = {name: get_args(hint)[0] for name, hint in get_type_hints(kind).items()}
    return kind(**{name: MemoryTable(name, row) for name, row in rows.items()})


@dataclass(frozen=True)
class Sent:
    """One output record of a committed cycle."""

    topic: str
    key: str
    value: bytes | None
    partition: int | None
    headers: Mapping[str, str] | None


@dataclass(frozen=True)
class MemoryRecord:
    """One input record."""

    key: bytes
    value: bytes | None
    offset: int = 0
    timestamp: int = 0
    headers: Mapping[str, bytes] = field(default_factory=dict)


class MemoryContext:
    """One partition inside a cycle."""

    def __init__(self, engine: "MemoryEngine", partition: int) -> None:
        self._engine, self.partition, self.now_ms = engine, partition, engine.now_ms()
        self._rows: dict[tuple[str, str], bytes | None] = {}
        self._sent: list[Sent] = []

    def get(self, table: Table[Any], key: str) -> Any:
        """As `Context.get`."""
        place = (table.name, key)
        packed = self._rows[place] if place in self._rows else self._engine.rows[self.partition].get(place)
        return None if packed is None else msgspec.msgpack.decode(packed, type=table.row)  # type: ignore[attr-defined]

    def put(self, table: Table[Any], key: str, row: Any) -> None:
        """As `Context.put`."""
        self._rows[table.name, key] = msgspec.msgpack.encode(row)

    def delete(self, table: Table[Any], key: str) -> None:
        """As `Context.delete`."""
        self._rows[table.name, key] = None

    def scan(self, table: Table[Any], prefix: str = "", after: str = "") -> Iterator[tuple[str, Any]]:
        """As `Context.scan`."""
        keys = {key for name, key in (*self._engine.rows[self.partition], *self._rows) if name == table.name}
        for key in sorted(key for key in keys if key.startswith(prefix) and (not after or key > after)):
            row = self.get(table, key)
            if row is not None:
                yield key, row

    def send(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """As `Context.send`."""
        self._sent.append(Sent(topic, key, value, partition, headers))

    def commit(self) -> None:
        """Make it count."""
        for key, packed in self._rows.items():
            if packed is None:
                self._engine.rows[self.partition].pop(key, None)
            else:
                self._engine.rows[self.partition][key] = packed
        self._engine.sent.extend(self._sent)


class MemoryBatch(MemoryContext):
    """Records handed to an agent."""

    def __init__(self, engine: "MemoryEngine", partition: int, topic: str, records: Sequence[MemoryRecord]) -> None:
        super().__init__(engine, partition)
        self.topic, self.records = topic, records
        self.dead: list[tuple[MemoryRecord, str]] = []

    def dead_letter(self, record: MemoryRecord, reason: str) -> None:
        """As `Batch.dead_letter`."""
        self.dead.append((record, reason))

    def __enter__(self) -> "MemoryBatch":
        return self

    def __exit__(self, *exc: object) -> bool:
        if exc[0] is None:
            self.commit()
        return False


class MemoryEngine:
    """Implements `app.engine.api.Engine`. `abort_next` cycles are thrown away and run again, as after a failed commit.

    `doubt_next` cycles are committed and run again, as where nobody could tell whether the commit took place.
    """

    def __init__(self, partitions: int = 4, now_ms: Callable[[], int] = lambda: 1_700_000_000_000) -> None:
        self.partitions, self.now_ms = partitions, now_ms
        self.rows: list[dict[tuple[str, str], bytes]] = [{} for _ in range(partitions)]
        self.sent: list[Sent] = []
        self.lost: set[int] = set()
        self.abort_next = 0
        self.doubt_next = 0
        self.submitted = 0
        self.periodic: list[tuple[float, PartitionFunction]] = []
        self.ready: list[Callable[[int], None]] = []
        self.losing: list[Callable[[int], None]] = []

    @property
    def owned(self) -> frozenset[int]:
        """As `Engine.owned`."""
        return frozenset(range(self.partitions)) - self.lost

    async def submit(self, partition: int, function: PartitionFunction) -> None:
        """As `Engine.submit`, in a cycle of its own."""
        self.submitted += 1
        if partition in self.lost:
            raise PartitionLost(f"partition {partition}")
        while self.abort_next > 0:
            self.abort_next -= 1
            function(MemoryContext(self, partition))
        self.run(partition, function)
        if self.doubt_next > 0:
            self.doubt_next -= 1
            self.run(partition, function)

    def run(self, partition: int, function: Callable[[MemoryContext], Any]) -> Any:
        """A cycle without waiting, for a test's own looks; returns what the function returns."""
        context = MemoryContext(self, partition)
        result = function(context)
        context.commit()
        return result

    def fold(
        self, agent: Callable[[MemoryBatch], None], partition: int, topic: str, records: Sequence[MemoryRecord]
    ) -> MemoryBatch:
        """Hand records to an agent, in a cycle of their own."""
        batch = MemoryBatch(self, partition, topic, records)
        agent(batch)
        batch.commit()
        return batch

    def every(self, seconds: float, function: PartitionFunction) -> None:
        """As `Engine.every`; `periodic` holds them."""
        self.periodic.append((seconds, function))

    def on_partition_ready(self, function: Callable[[int], None]) -> None:
        """As `Engine.on_partition_ready`."""
        self.ready.append(function)

    def on_partition_lost(self, function: Callable[[int], None]) -> None:
        """As `Engine.on_partition_lost`."""
        self.losing.append(function)

    def lose(self, partition: int) -> None:
        """The partition goes to another worker."""
        self.lost.add(partition)
        for function in self.losing:
            function(partition)

    def give(self, partition: int) -> None:
        """The partition is restored and starts here."""
        self.lost.discard(partition)
        for function in self.ready:
            function(partition)
