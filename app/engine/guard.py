"""Runs calls into the Kafka client that have been seen to hang, on a thread that can be given up.

After an outage librdkafka's transactional calls sometimes never return, whatever time-out they were given. Nothing can end such a call; the thread it sits
on is left behind (a daemon, so it keeps no process alive) together with the client it belongs to.
"""

import queue
import threading
from collections.abc import Callable


class HungCall(Exception):
    """The call did not come back in time. Its client must not be used again."""


class GuardedCalls:
    """One thread, one call at a time. `waiting` is called about every second while a call runs; where it raises, the call is given up as well."""

    def __init__(self, name: str, waiting: Callable[[], None]) -> None:
        self._name = name
        self._waiting = waiting
        self._calls: queue.SimpleQueue[tuple[Callable[[], None], queue.SimpleQueue[BaseException | None]] | None]
        self._calls = queue.SimpleQueue()
        self._running = False

    def run(self, call: Callable[[], None], limit_s: float) -> None:
        """Run it; raises what it or `waiting` raised, or HungCall after the limit."""
        if not self._running:
            self._running = True
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True).start()
        answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._calls.put((call, answer))
        try:
            error = self._answered(answer, limit_s)
        except BaseException:
            self.close()
            raise
        if error is not None:
            raise error

    def _answered(self, answer: "queue.SimpleQueue[BaseException | None]", limit_s: float) -> BaseException | None:
        left = limit_s
        while True:
            step = min(1.0, left)
            try:
                return answer.get(timeout=step)
            except queue.Empty:
                left -= step
                if left <= 0:
                    raise HungCall(f"a call of {self._name} did not return within {limit_s:g} s") from None
                self._waiting()

    def close(self) -> None:
        """End the thread as soon as it is idle."""
        if self._running:
            self._running = False
            self._calls.put(None)


def _serve(
    calls: "queue.SimpleQueue[tuple[Callable[[], None], queue.SimpleQueue[BaseException | None]] | None]",
) -> None:
    while (item := calls.get()) is not None:
        call, answer = item
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was asked for
            answer.put(error)
        else:
            answer.put(None)
        del item, call, answer
