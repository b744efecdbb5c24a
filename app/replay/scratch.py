"""Rows of the stock tables in a scratch store, reached as a worker's are: the same keys, the same encoding, the same contexts. No Kafka here."""

import time
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

import msgspec

from agents.availability import PartitionState, StockTables
from app.engine.cycle import Naming, Scope, ScopeContext
from app.engine.store import Mark, Store
from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow

Row = TypeVar("Row")
_FLUSH_AT: Final = 5_000


class ScratchTable(Generic[Row]):
    """A table as `app.engine.tables.EngineTable` lays it out, without an app around it."""

    def __init__(self, name: str, row: type[Row]) -> None:
        self.name, self.prefix = name, name.encode() + b"\x00"
        self.encode = msgspec.msgpack.Encoder().encode
        self.decode = msgspec.msgpack.Decoder(row).decode

    def key(self, key: str) -> bytes:
        """The row's key in the store."""
        return self.prefix + key.encode()


STOCK = ScratchTable("stock", SkuRow)
LINES = ScratchTable("stock_lines", OrderLines)
WATERMARKS = ScratchTable("watermarks", WatermarkRow)
SWEEPS = ScratchTable("sweeps", SweepRow)
DIFFERENCES = ScratchTable("differences", DifferenceRow)
TABLES: Final[tuple[ScratchTable[Any], ...]] = (STOCK, LINES, WATERMARKS)
"""What is compared. Sweeps and differences are counted by delivery too, so events alone do not make them."""


def is_stock_row(key: bytes) -> bool:
    """Does a key of a partition's state belong to the stock tables?"""
    return key.startswith(tuple(table.prefix for table in TABLES))


def scratch_state(scope: Scope) -> PartitionState:
    """The rules' view of the rows in a scope."""
    return PartitionState(ScopeContext(scope), StockTables(STOCK, LINES, WATERMARKS, SWEEPS, DIFFERENCES))


class ScratchRows:
    """The rows of one partition. What changes is held back and written in batches; `position` is the next input offset."""

    def __init__(self, store: Store, source: str, partition: int) -> None:
        self._store, self._source = store, source
        self._scope = Scope(partition, 0, store, Naming("", ""))
        self.state = self._fresh()
        mark = store.mark
        self.position = mark.offset if mark is not None and mark.source == source else -1
        self.changed: set[bytes] | None = None

    @property
    def empty(self) -> bool:
        """Was nothing kept here before?"""
        return self.position < 0

    def settle(self, position: int, *, now: bool = False) -> None:
        """Everything before this input offset is folded."""
        self.position = position
        if now or len(self._scope.changes) >= _FLUSH_AT:
            if self.changed is not None:
                self.changed.update(self._scope.changes)
            rows = [(k, None if row is None else table.encode(row)) for k, (table, row) in self._scope.changes.items()]
            self._store.apply(rows, self._mark())
            self._scope.changes.clear()
            self.state = self._fresh()

    def follow(self) -> set[bytes]:
        """From now on keep the keys of rows that change."""
        self.settle(self.position, now=True)
        self.changed = set()
        return self.changed

    def adopt(self, rows: Iterator[tuple[bytes, bytes]], position: int) -> int:
        """Take over rows of another store as they stand; how many."""
        self._store.wipe()
        self.state = self._fresh()
        self.position, count, part = position, 0, list[tuple[bytes, bytes | None]]()
        for row in rows:
            part.append(row)
            count += 1
            if len(part) >= _FLUSH_AT:
                self._store.apply(part, self._mark())
                part = []
        self._store.apply(part, self._mark())
        return count

    def _fresh(self) -> PartitionState:
        """A view that remembers no rows: it must not outlive the changes it was made over."""
        return scratch_state(self._scope)

    def _mark(self) -> Mark:
        return Mark(self._source, self.position, int(time.time() * 1000))

    def forget(self) -> None:
        """Begin with nothing, at no position."""
        self._store.wipe()
        self._scope.changes.clear()
        self.state = self._fresh()
        self.position = -1


def rows_of(store: Store) -> Iterator[tuple[bytes, bytes]]:
    """All stock rows, table by table, in the order of their keys."""
    for table in TABLES:
        yield from store.scan(table.prefix)


def both(one: Store, other: Store) -> Iterator[tuple[ScratchTable[Any], str, bytes | None, bytes | None]]:
    """Rows of two stores side by side: table, key, and the value of each, None where it has none. Holds one row of each at a time."""
    for table in TABLES:
        left, right = one.scan(table.prefix), other.scan(table.prefix)
        a, b = next(left, None), next(right, None)
        while a is not None or b is not None:
            key = min(pair[0] for pair in (a, b) if pair is not None)
            mine = a[1] if a is not None and a[0] == key else None
            theirs = b[1] if b is not None and b[0] == key else None
            yield table, key[len(table.prefix) :].decode(), mine, theirs
            a = next(left, None) if mine is not None else a
            b = next(right, None) if theirs is not None else b
