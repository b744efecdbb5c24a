"""The rows of a partition that were committed last, in memory, so that a row that changes in cycle after cycle is neither read from disk nor written to it each
time. What of them is on disk is not known here."""

from collections.abc import Iterable

_MOST = 8_192


class Recent:
    """Two generations: a young one with room for 8,192 rows, which then becomes the old one and is forgotten with the next change of generation.
    None stands for a deleted row."""

    def __init__(self) -> None:
        self.young: dict[bytes, bytes | None] = {}
        self.old: dict[bytes, bytes | None] = {}

    def update(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Rows that were committed."""
        self.young.update(rows)

    @property
    def full(self) -> bool:
        return len(self.young) > _MOST

    def turn(self) -> None:
        """The young ones become the old ones; those must be on disk."""
        self.old, self.young = self.young, {}

    def clear(self) -> None:
        self.young.clear()
        self.old.clear()
