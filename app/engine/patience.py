"""How long the Kafka thread waits for a broker that is away: as long as it takes while the worker runs, a few seconds more once it is to stop."""

import math
import time
from collections.abc import Callable

from app.engine.errors import StoppedWaiting
from app.engine.heartbeat import Heartbeat

_STOPPING_S = 5.0
"""A commit that began before the stop may still end well. Leaving the group comes after it, and supervisors usually kill after 30 s."""


class Patience:
    """Asked about every second while something waits."""

    def __init__(self, heartbeat: Heartbeat, clock: Callable[[], float] = time.monotonic) -> None:
        self._heartbeat = heartbeat
        self._clock = clock
        self._until = math.inf

    def end_soon(self) -> None:
        """The worker is to stop."""
        self._until = min(self._until, self._clock() + _STOPPING_S)

    def wait_on(self) -> None:
        """The broker has not answered yet. Raises StoppedWaiting where the worker has no time left for it."""
        self._heartbeat.beat()
        self._heartbeat.broker_trouble()
        if self._clock() > self._until:
            raise StoppedWaiting("the broker did not answer before the worker had to stop")
