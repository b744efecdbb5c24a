"""One cycle's state: overlays over the stores, outputs, and what of it is committed. No Kafka here, and nothing outlives the cycle.

A *scope* is what happened so far in one partition. Batches write to it directly (their failure ends the whole cycle); submitted functions and ticks
get a *trial* on top of it, which is merged where they succeed and dropped where they raise.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, NamedTuple, TypeVar, cast

from app.engine.api import Record, Table
from app.engine.records import InputRecord, columns
from app.engine.store import Store
from app.engine.store.ordered import Ordered
from app.engine.tables import EngineTable

Row = TypeVar("Row")


class Output(NamedTuple):
    """One record to send. `topic` is the broker's name; without `partition` the key decides."""

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None
    headers: tuple[tuple[str, bytes], ...]


class OutputRun(NamedTuple):
    """Many records to one topic, with the same headers; the key decides on the partition."""

    topic: str
    records: list[tuple[bytes, bytes | None]]
    headers: tuple[tuple[str, bytes], ...]


Change = tuple[EngineTable, Any]
"""Whose row a key is, and the row wanted; None deletes. A plain tuple, for there is one per row and cycle."""


@dataclass(slots=True)
class Naming:
    """How logical topic names become the broker's."""

    prefix: str
    dead_letters: str

    def physical(self, topic: str) -> str:
        return self.prefix + topic


@dataclass(slots=True)
class Scope:
    """One partition inside the running cycle. `positions` are the next input offsets per topic once the cycle is committed."""

    partition: int
    now_ms: int
    store: Store
    naming: Naming
    changes: dict[bytes, Change] = field(default_factory=dict)
    outputs: list[Output | OutputRun] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    records: int = 0
    dead_letters: int = 0
    ordered: Ordered[Change] = field(init=False)

    def __post_init__(self) -> None:
        self.ordered = Ordered(self.changes)

    @property
    def touched(self) -> bool:
        return bool(self.changes or self.outputs or self.positions)


class ScopeContext:
    """`api.Context` that reads and writes a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._changes: dict[bytes, Change] = scope.changes
        self._outputs: list[Output | OutputRun] = scope.outputs

    @property
    def partition(self) -> int:
        return self._scope.partition

    @property
    def now_ms(self) -> int:
        return self._scope.now_ms

    def get(self, table: Table[Row], key: str) -> Row | None:
        known = cast(EngineTable, table)
        stored = known.key(key)
        change = self._changed(stored)
        if change is not None:
            return cast("Row | None", change[1])
        value = self._scope.store.get(stored)
        return None if value is None else cast(Row, known.decode(value))

    def get_many(self, table: Table[Row], keys: Sequence[str]) -> list[Row | None]:
        known = cast(EngineTable, table)
        changed, get, decode, prefix = self._changed, self._scope.store.get, known.decode, known.prefix
        if not self._scope.changes and not self._changes:
            values = [get(prefix + key.encode()) for key in keys]
            return [None if value is None else cast(Row, decode(value)) for value in values]
        found: list[Row | None] = []
        for key in keys:
            stored = prefix + key.encode()
            change = changed(stored)
            if change is not None:
                found.append(change[1])
            else:
                value = get(stored)
                found.append(None if value is None else decode(value))
        return found

    def put(self, table: Table[Row], key: str, row: Row) -> None:
        if row is None:
            raise TypeError(f"None is no row of the table {table.name!r}; use delete")
        known = cast(EngineTable, table)
        self._changes[known.key(key)] = (known, row)

    def put_many(self, table: Table[Row], rows: Mapping[str, Row]) -> None:
        known = cast(EngineTable, table)
        prefix = known.prefix
        for key, row in rows.items():
            if row is None:
                raise TypeError(f"None is no row of the table {table.name!r}; use delete")
            self._changes[prefix + key.encode()] = (known, row)

    def delete(self, table: Table[Any], key: str) -> None:
        known = cast(EngineTable, table)
        self._changes[known.key(key)] = (known, None)

    def scan(self, table: Table[Row], prefix: str = "", after: str = "") -> Iterator[tuple[str, Row]]:
        known = cast(EngineTable, table)
        wanted = known.key(prefix)
        start = known.key(after) + b"\x00" if after else wanted
        skip = len(known.prefix)
        changed = self._changed_keys(wanted, start)
        position = 0
        for key, value in self._scope.store.scan(wanted, start):
            while position < len(changed) and changed[position] < key:
                yield from self._scanned(changed[position], skip)
                position += 1
            if position < len(changed) and changed[position] == key:
                yield from self._scanned(key, skip)
                position += 1
            else:
                yield key[skip:].decode(), cast(Row, known.decode(value))
        for key in changed[position:]:
            yield from self._scanned(key, skip)

    def send(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        physical = self._scope.naming.physical(topic)
        self._outputs.append(Output(physical, key.encode(), value, partition, _encoded(headers)))

    def send_many(
        self, topic: str, records: Iterable[tuple[str, bytes | None]], *, headers: Mapping[str, str] | None = None
    ) -> None:
        encoded = [(key.encode(), value) for key, value in records]
        if encoded:
            self._outputs.append(OutputRun(self._scope.naming.physical(topic), encoded, _encoded(headers)))

    def _changed(self, key: bytes) -> Change | None:
        return self._scope.changes.get(key)

    def _changed_keys(self, prefix: bytes, start: bytes) -> list[bytes]:
        return self._scope.ordered.keys(prefix, start)

    def _scanned(self, key: bytes, skip: int) -> Iterator[tuple[str, Any]]:
        change = self._changed(key)
        if change is not None and change[1] is not None:
            yield key[skip:].decode(), change[1]


def _encoded(headers: Mapping[str, str] | None) -> tuple[tuple[str, bytes], ...]:
    return tuple([(name, text.encode()) for name, text in headers.items()]) if headers else ()


class Trial(ScopeContext):
    """A context whose writes count only when they are merged. Rows changed earlier in the cycle are handed out as copies, so that a failing
    function that changed one in place leaves nothing behind."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._changes = {}
        self._ordered = Ordered(self._changes)
        self._outputs = []

    def merge(self) -> None:
        """The function succeeded: what it wrote belongs to the cycle."""
        self._scope.changes.update(self._changes)
        self._scope.outputs.extend(self._outputs)

    def _changed(self, key: bytes) -> Change | None:
        own = self._changes.get(key)
        if own is not None:
            return own
        earlier = self._scope.changes.get(key)
        if earlier is None or earlier[1] is None:
            return earlier
        table, row = earlier
        return table, table.copy(row)

    def _changed_keys(self, prefix: bytes, start: bytes) -> list[bytes]:
        earlier, own = super()._changed_keys(prefix, start), self._ordered.keys(prefix, start)
        return sorted({*earlier, *own}) if own else earlier


class EngineBatch(ScopeContext):
    """`api.Batch`: the records of one topic and partition. `finished` tells the pump; `error` says why where the agent raised."""

    def __init__(
        self, scope: Scope, topic: str, physical: str, messages: Sequence[Any], finished: "asyncio.Future[None]"
    ) -> None:
        super().__init__(scope)
        self.topic = topic
        self.messages = messages
        self.finished = finished
        self.entered = False
        self.succeeded = False
        self.error: BaseException | None = None
        self.unreadable: set[int] = set()
        self._physical = physical

    @cached_property
    def records(self) -> Sequence[Record]:
        return [InputRecord(message) for message in self.messages]

    @cached_property
    def columns(self) -> tuple[list[bytes], list[bytes | None], list[int]]:
        return columns(self.messages)

    def dead_letter(self, record: Record, reason: str) -> None:
        if record.offset in self.unreadable:
            return
        self.unreadable.add(record.offset)
        headers = (
            ("topic", self._physical.encode()),
            ("partition", str(self.partition).encode()),
            ("offset", str(record.offset).encode()),
            ("reason", reason.encode()),
        )
        self._scope.dead_letters += 1
        self._scope.outputs.append(Output(self._scope.naming.dead_letters, record.key, record.value, None, headers))

    def release(self) -> None:
        """Faust is done with the event. Where no `with` block ended before, the batch counts as failed."""
        if not self.finished.done():
            self.finished.set_result(None)

    def __enter__(self) -> "EngineBatch":
        self.entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.succeeded = error is None
        self.error = error
        self.release()
        return isinstance(error, Exception)


class Sealed(NamedTuple):
    """What is committed for one cycle, as bytes. `rows` and `positions` by partition; `positions` are complete for every partition named."""

    rows: dict[int, list[tuple[bytes, bytes | None]]]
    outputs: list[Output | OutputRun]
    positions: dict[int, dict[str, int]]


class Cycle:
    """Everything that happens between two commits."""

    def __init__(self, now_ms: int, naming: Naming) -> None:
        self.now_ms = now_ms
        self._naming = naming
        self._scopes: dict[int, Scope] = {}

    @property
    def scopes(self) -> Mapping[int, Scope]:
        return self._scopes

    @property
    def touched(self) -> bool:
        return any(scope.touched for scope in self._scopes.values())

    def scope(self, partition: int, store: Store) -> Scope:
        """The scope of a partition, made when first asked for."""
        scope = self._scopes.get(partition)
        if scope is None:
            scope = self._scopes[partition] = Scope(partition, self.now_ms, store, self._naming)
        return scope

    def seal(self, positions: Mapping[int, Mapping[str, int]]) -> Sealed:
        """Rows become bytes here, on the thread that made them. `positions` are those before the cycle."""
        rows: dict[int, list[tuple[bytes, bytes | None]]] = {}
        outputs: list[Output | OutputRun] = []
        after: dict[int, dict[str, int]] = {}
        for partition, scope in self._scopes.items():
            if not scope.touched:
                continue
            rows[partition] = [
                (key, None if row is None else table.encode(row)) for key, (table, row) in scope.changes.items()
            ]
            outputs.extend(scope.outputs)
            after[partition] = {**positions[partition], **scope.positions}
        return Sealed(rows, outputs, after)
