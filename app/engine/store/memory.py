"""A store that lives and dies with the process: for tests and for state that is cheap to read again."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from app.engine.store.base import Mark, Rows, Size


class MemoryStore:
    """Rows in a dict, their keys kept sorted for scans."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._mark: Mark | None = None

    @property
    def mark(self) -> Mark | None:
        return self._mark

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        keys = self._keys
        for i in range(bisect_left(keys, max(prefix, start)), len(keys)):
            if not keys[i].startswith(prefix):
                return
            yield keys[i], self._rows[keys[i]]

    def size(self) -> Size:
        return Size(len(self._rows), 0)

    def apply(self, rows: Rows, mark: Mark) -> None:
        for key, value in rows:
            if value is None:
                if self._rows.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._rows:
                    insort(self._keys, key)
                self._rows[key] = value
        self._mark = mark

    def wipe(self) -> None:
        self._rows.clear()
        self._keys.clear()
        self._mark = None

    def rest(self) -> None:
        return

    def close(self) -> None:
        self.wipe()
