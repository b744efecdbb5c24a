"""The circuit breaker of one channel: after some failures in a row nothing goes out for a while, then one request tries. Steady seconds, handed in."""

_LONGEST_PAUSE = 60.0


class Breaker:
    """Opens after `failures` in a row for `pause` seconds; each failed trial doubles the pause, up to a minute."""

    def __init__(self, failures: int, pause: float) -> None:
        self._limit, self._first = failures, pause
        self._pause = pause
        self._failed = 0
        self._open_until: float | None = None
        self._trial = False
        self.opened = 0

    @property
    def state(self) -> str:
        """`closed`, `open` or `trial` (one request may try, or tries)."""
        if self._open_until is None:
            return "closed"
        return "trial" if self._trial else "open"

    def wait(self, now: float) -> float:
        """Seconds until a request may go, 0 for now. While a trial is under way the rest waits as long as a pause at most."""
        if self._open_until is None:
            return 0.0
        if self._trial:
            return self._first
        return max(0.0, self._open_until - now)

    def leave(self) -> None:
        """A request goes out; it is the trial where the breaker was open."""
        if self._open_until is not None:
            self._trial = True

    def succeeded(self) -> None:
        """The peer answered."""
        self._failed, self._open_until, self._trial, self._pause = 0, None, False, self._first

    def abandoned(self) -> None:
        """A request ended without saying anything of the peer: another one may try."""
        self._trial = False

    def failed(self, now: float) -> None:
        """The peer did not answer, or with a server error."""
        self._failed += 1
        if self._trial:
            self._trial, self._pause = False, min(_LONGEST_PAUSE, self._pause * 2)
        elif self._open_until is not None or self._failed < self._limit:
            return
        self._open_until = now + self._pause
        self.opened += 1
