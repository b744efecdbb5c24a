"""The rows of a partition that were written last, in memory, so that a row that changes in cycle after cycle is not read from disk each time."""

from collections.abc import Iterable

_MOST = 4_096


class Recent:
    """Two generations: a young one with room for 4,096 rows, which then becomes the old one and is forgotten with the next change of generation.
    None stands for a deleted row."""

    def __init__(self) -> None:
        self.young: dict[bytes, bytes | None] = {}
        self.old: dict[bytes, bytes | None] = {}

    def update(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Rows that were written."""
        self.young.update(rows)
        if len(self.young) > _MOST:
            self.old, self.young = self.young, {}

    def clear(self) -> None:
        self.young.clear()
        self.old.clear()
