"""Sums over rows, kept while the worker runs, so that nobody has to look at all rows to know them. What a row adds is decided by the rules.

A sum remembers what each row of each partition adds (rows that add nothing take no room). When a partition comes, its rows are read a few at a time inside
cycles; what was folded meanwhile is newer and wins. When it goes, what its rows added is taken away.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from app.engine.api import Context, Engine, PartitionLost, Table
from tables.stock.figures import Parts

ROWS_AT_ONCE: Final = 400
"""Rows read in one cycle while the sums of a partition are made: a few milliseconds."""

Source = tuple[Table[Any], Callable[[str], str], Callable[[Any], Parts]]
"""A table, the name of its rows among all that add to sums, and what a row adds."""


class Sums:
    """Totals by sum and label."""

    def __init__(self) -> None:
        self.totals: Counter[tuple[str, str]] = Counter()
        self._rows: dict[int, dict[str, Parts]] = {}
        self._fresh: dict[int, set[str]] = {}

    def change(self, partition: int, rows: Mapping[str, Parts]) -> None:
        """From now on these rows add this."""
        if partition in self._fresh:
            self._fresh[partition].update(rows)
        for key, parts in rows.items():
            self._set(partition, key, parts)

    def begin(self, partition: int) -> None:
        """Its rows are going to be read: begin at nothing."""
        self.drop(partition)
        self._fresh[partition] = set()

    def read(self, partition: int, found: Mapping[str, Parts]) -> None:
        """Rows as they were read a moment ago; newer ones are left alone."""
        fresh = self._fresh.get(partition)
        if fresh is not None:
            for key, parts in found.items():
                if key not in fresh:
                    self._set(partition, key, parts)

    def end(self, partition: int) -> None:
        """All its rows were read."""
        self._fresh.pop(partition, None)

    def drop(self, partition: int) -> None:
        """The partition is gone."""
        for parts in self._rows.pop(partition, {}).values():
            for cell, amount in parts:
                self.totals[cell] -= amount
        self._fresh.pop(partition, None)

    def _set(self, partition: int, key: str, parts: Parts) -> None:
        rows = self._rows.get(partition)
        if rows is None:
            rows = self._rows[partition] = {}
        before = rows.get(key, ())
        if before == parts:
            return
        totals = self.totals
        for cell, amount in before[len(parts) :]:
            totals[cell] -= amount
        for cell, amount in parts[len(before) :]:
            totals[cell] += amount
        for (gone, old), (cell, new) in zip(before, parts, strict=False):
            if gone == cell:  # nearly always: rows change in amounts, not in kind
                totals[cell] += new - old
            else:
                totals[gone] -= old
                totals[cell] += new
        if parts:
            rows[key] = parts
        else:
            del rows[key]


class SumsKeeper:
    """Makes the sums of partitions that come, one after the other, and drops those of partitions that go."""

    def __init__(
        self,
        engine: Engine,
        sums: Sums,
        sources: list[Source],
        look: Callable[[Context], None],
        dropped: Callable[[int], None],
    ) -> None:
        """`look` sees each partition once when it comes; it must set, not add. `dropped` hears of those that go."""
        self._engine, self._sums, self._sources, self._look, self._dropped = engine, sums, sources, look, dropped
        self._due: dict[int, object] = {}  # each turn of a partition is an object of its own
        self._task: asyncio.Task[None] | None = None
        engine.on_partition_ready(self.again)
        engine.on_partition_lost(self._lost)

    @property
    def incomplete(self) -> int:
        """Partitions whose rows are not all in the sums."""
        return len(self._due)

    def again(self, partition: int) -> None:
        """Make the sums of the partition (again)."""
        self._sums.begin(partition)
        self._due.pop(partition, None)
        self._due[partition] = object()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="sums")

    def _lost(self, partition: int) -> None:
        self._due.pop(partition, None)
        self._sums.drop(partition)
        self._dropped(partition)

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while self._due:
            partition, turn = next(iter(self._due.items()))
            with suppress(PartitionLost):
                await self._engine.submit(partition, self._look)
                for source in self._sources:
                    await self._read(partition, turn, *source)
            if self._due.get(partition) is turn:
                self._sums.end(partition)
                del self._due[partition]

    async def _read(
        self, partition: int, turn: object, table: Table[Any], name: Callable[[str], str], adds: Callable[[Any], Parts]
    ) -> None:
        after, more = "", True
        while more:
            found: dict[str, Parts] = {}

            def look(context: Context, after: str = after, found: dict[str, Parts] = found) -> None:
                found.clear()
                found.update((key, adds(row)) for key, row in islice(context.scan(table, "", after), ROWS_AT_ONCE))

            await self._engine.submit(partition, look)
            if self._due.get(partition) is not turn:
                return
            self._sums.read(partition, {name(key): parts for key, parts in found.items() if parts})
            more = len(found) == ROWS_AT_ONCE
            after = next(reversed(found), "")
