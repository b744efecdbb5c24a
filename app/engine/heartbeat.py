"""Whether the engine moves, and whose fault it is when it does not: the base of liveness, and of what an exclusion from the group means."""

import math
import time
from collections.abc import Callable

_RECENT_S = 60.0


class Heartbeat:
    """When something last moved, and whose fault it was that it did not. Waiting for a broker that is away counts as moving: a restart would not help."""

    def __init__(self, freeze_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`freeze_s`: a silence of ours longer than this means that the group has given our place away."""
        self._freeze_s = freeze_s
        self._clock = clock
        self._last = self._ticked = clock()
        self._frozen = self._trouble = -math.inf

    def beat(self) -> None:
        """A turn, or a step of one, is done."""
        self._last = self._clock()

    def tick(self) -> None:
        """The event loop runs. Called often; a gap means that the whole process stood still."""
        now = self._clock()
        if now - self._ticked > self._freeze_s:
            self._frozen = now
        self._ticked = now

    def broker_trouble(self) -> None:
        """The broker did not answer, or ended our session."""
        self._trouble = self._clock()

    def age_ms(self) -> int:
        return int((self._clock() - self._last) * 1000)

    def blames_broker(self) -> bool:
        """Whether the last minute's trouble was the broker's and not a freeze of this process."""
        now = self._clock()
        return now - self._trouble < _RECENT_S <= now - self._frozen
