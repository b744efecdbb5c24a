"""How many unreadable records are still an accident: a share of the last thousand and a run length. Where they are written is not decided here."""

from collections import deque
from collections.abc import Sequence, Set

from app.engine.errors import DeadLetterLimit

WINDOW = 1_000


class _History:
    """Unreadable records of one topic, by their place in the order of all records seen."""

    def __init__(self) -> None:
        self.seen = 0
        self.bad: deque[int] = deque()
        self.run = 0

    def copy(self) -> "_History":
        other = _History()
        other.seen, other.bad, other.run = self.seen, deque(self.bad), self.run
        return other


class DeadLetterLimits:
    """Judges batches. What was judged counts when the cycle is committed (`keep`) and is forgotten when it is not (`forget`)."""

    def __init__(self, ratio: float, run: int) -> None:
        self._most = ratio * WINDOW
        self._longest = run
        self._kept: dict[str, _History] = {}
        self._open: dict[str, _History] = {}

    def judge(self, topic: str, offsets: Sequence[int], unreadable: Set[int]) -> None:
        """Count the records of one batch, in order. Raises DeadLetterLimit where a limit is passed."""
        history = self._open.get(topic)
        if history is None:
            history = self._open[topic] = self._kept.get(topic, _History()).copy()
        if not unreadable:
            history.seen += len(offsets)
            if offsets:
                history.run = 0
            return
        for offset in offsets:
            history.seen += 1
            if offset not in unreadable:
                history.run = 0
                continue
            history.run += 1
            history.bad.append(history.seen)
            while history.bad[0] <= history.seen - WINDOW:
                history.bad.popleft()
            if history.run > self._longest:
                raise DeadLetterLimit(
                    f"{history.run} unreadable records of {topic} in a row (up to offset {offset}), more than "
                    f"settings.engine.dead_letter_run = {self._longest}: look at the topic before starting again"
                )
            if len(history.bad) > self._most:
                raise DeadLetterLimit(
                    f"{len(history.bad)} of the last {WINDOW} records of {topic} unreadable (up to offset {offset}), more than "
                    f"settings.engine.dead_letter_ratio = {self._most / WINDOW:g}: look at the topic before starting again"
                )

    def keep(self) -> None:
        self._kept.update(self._open)
        self._open.clear()

    def forget(self) -> None:
        self._open.clear()
