"""Which orders wait for a mapping, and which are to be judged again because the mappings changed. Rows only; what a judgement is, is in `tables/orders`.

Each partition keeps under which mappings it judged last, so nothing is forgotten over a restart or a move, and nothing is judged twice for one change.
"""

from itertools import islice
from typing import Final

import msgspec

from app.engine.api import Context, Table

AT_ONCE: Final = 200
"""Orders of a partition that are judged again in one cycle."""


class HoldRow(msgspec.Struct, array_like=True, frozen=True):
    """An order that waits for a mapping, by its key."""

    order_key: str


class JudgedRow(msgspec.Struct, array_like=True, frozen=True):
    """How far a partition is: the mappings that count now, the last order judged under them; `done`: all are."""

    version: str
    after: str = ""
    done: bool = False


class Holds:
    """The two tables of one worker."""

    def __init__(self, held: Table[HoldRow], judged: Table[JudgedRow]) -> None:
        self._held, self._judged = held, judged

    def note(self, context: Context, order_key: str, *, waits: bool) -> None:
        """The order waits for a mapping, or does not."""
        if waits:
            context.put(self._held, order_key, HoldRow(order_key))
        else:
            context.delete(self._held, order_key)

    def due(self, context: Context, version: str) -> list[str]:
        """Orders to be judged in this cycle, because the mappings are these now. What this says is done with the cycle."""
        row = context.get(self._judged, "")
        if row is None or row.version != version:
            row = JudgedRow(version)
        if row.done:
            return []
        found = [key for key, _ in islice(context.scan(self._held, after=row.after), AT_ONCE)]
        after = found[-1] if found else row.after
        context.put(self._judged, "", JudgedRow(version, after, done=len(found) < AT_ONCE))
        return found
