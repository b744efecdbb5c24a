"""The keys of rows that wait in memory, table by table and in order, so that a scan need not look at the rows of all tables."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")
SEPARATOR: Final = b"\x00"
"""Ends a table's name at the beginning of a row's key."""


class Ordered(Generic[Value]):
    """Over `rows`, a dict whose keys may be set again but never go: a new dict needs a new one of these.

    A put costs nothing; what is new since the last look is sorted in when a table is looked at.
    """

    def __init__(self, rows: Mapping[bytes, Value]) -> None:
        self._rows = rows
        self._seen = 0
        self._tables: dict[bytes, list[bytes]] = {}

    def keys(self, prefix: bytes, start: bytes) -> list[bytes]:
        """Those that begin with `prefix` and are not before `start`, in order."""
        if SEPARATOR not in prefix:
            return sorted(key for key in self._rows if key.startswith(prefix) and key >= start)
        if len(self._rows) > self._seen:
            self._take_in()
        known = self._tables.get(prefix[: prefix.index(SEPARATOR) + 1])
        if known is None:
            return []
        known.sort()  # sorted already, but for what was taken in since
        return known[bisect_left(known, max(prefix, start)) : bisect_left(known, _after(prefix))]

    def _take_in(self) -> None:
        tables = self._tables
        for key in islice(self._rows, self._seen, None):
            table = key[: key.find(SEPARATOR) + 1]
            if table in tables:
                tables[table].append(key)
            else:
                tables[table] = [key]
        self._seen = len(self._rows)


def merged(
    stored: Iterator[tuple[bytes, Value]], changed: list[bytes], rows: Mapping[bytes, Value | None]
) -> Iterator[tuple[bytes, Value]]:
    """Stored rows in the order of their keys, with those of `changed` as `rows` has them (None: deleted)."""
    position = 0
    for key, value in stored:
        while position < len(changed) and changed[position] < key:
            row = rows[changed[position]]
            if row is not None:
                yield changed[position], row
            position += 1
        if position < len(changed) and changed[position] == key:
            row = rows[key]
            position += 1
            if row is not None:
                yield key, row
        else:
            yield key, value
    for key in changed[position:]:
        row = rows[key]
        if row is not None:
            yield key, row


def _after(prefix: bytes) -> bytes:
    """The first key that no longer begins with the prefix, which ends in no 0xFF: names and keys are UTF-8."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
