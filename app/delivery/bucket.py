"""The budget of one channel: a token bucket that obeys the peer's own rate headers, shrinks when the peer throttles and grows back slowly (AIMD).

It neither waits nor sends: the gate asks how long to wait and takes tokens. All times are steady seconds, handed in.
"""

from app.connectors.contract import RateHint

_SHRINK = 0.5
_SLOWEST = 0.02  # of the ceiling
_RECOVERY_SECONDS = 30.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_RESET_MARGIN = 0.05
_RESERVED = 0.1
_ROUNDING = 1e-6


class Bucket:
    """At most `ceiling` requests a second and `burst` at once. A tenth (at least one request) is kept for what matters most.

    `ceiling` is the configured rate; the rate in force lies below it after a 429 and where the peer's window has less left.
    """

    def __init__(self, ceiling: float, burst: float | None = None) -> None:
        self.ceiling = ceiling
        self.burst = max(1.0, burst if burst is not None else ceiling)
        self.rate = ceiling
        self.throttles = 0
        self._tokens = self.burst
        self._at = 0.0
        self._paused_until = 0.0
        self._pause = _FIRST_PAUSE
        self._left: float | None = None
        self._quota = 0.0
        self._pace = ceiling
        self._reset_at = 0.0

    def wait(self, now: float, *, urgent: bool) -> float:
        """Seconds until a request may go, 0 for now. What is not `urgent` leaves the reserve alone."""
        self._refill(now)
        if now < self._paused_until:
            return self._paused_until - now
        need = 1.0 if urgent else 1.0 + (max(1.0, self.burst * _RESERVED) if self.burst >= 2 else 0.0)
        wait = 0.0 if self._tokens + _ROUNDING >= need else (need - self._tokens) / min(self.rate, self._pace)
        if self._left is not None:
            window_need = 1.0 if urgent else 1.0 + (self._quota * _RESERVED if self._quota >= 10 else 0.0)
            if self._left < window_need:
                wait = max(wait, self._reset_at - now)
        return wait

    def take(self, now: float) -> None:
        """One request goes out now; `wait` said that it may."""
        self._refill(now)
        self._tokens -= 1
        if self._left is not None:
            self._left -= 1

    def paused(self, now: float) -> float:
        """Seconds for which the peer wants nothing at all (Retry-After), 0 for none."""
        return max(0.0, self._paused_until - now)

    def left(self, now: float) -> int:
        """Requests that may go out at once."""
        self._refill(now)
        if now < self._paused_until:
            return 0
        return int(self._tokens if self._left is None else min(self._tokens, self._left))

    def learn(self, hint: RateHint, now: float, under_way: int) -> None:
        """Take in what a response says; `under_way` requests left after the peer counted and are not in its figure yet."""
        self._refill(now)
        if hint.throttled:
            self.throttled(now, hint.retry_after)
        elif hint.retry_after is not None:
            self._paused_until = max(self._paused_until, now + hint.retry_after)
        if hint.remaining is None:
            return
        self._left = max(0.0, float(hint.remaining - under_way))
        self._quota = float(hint.quota) if hint.quota is not None else max(self._quota, self._left)
        if hint.reset_after is not None:
            self._reset_at = now + hint.reset_after + _RESET_MARGIN
            self._pace = max(self._left, 1.0) / max(hint.reset_after, 0.1)
        elif self._reset_at <= now:
            self._reset_at = now + 1.0

    def throttled(self, now: float, retry_after: float | None) -> None:
        """A 429: half the rate, and a pause as long as the peer says, or ours, doubling while it goes on."""
        self.throttles += 1
        self.rate = max(self.ceiling * _SLOWEST, self.rate * _SHRINK)
        self._tokens = min(self._tokens, 1.0)
        pause = retry_after if retry_after is not None else self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._paused_until = max(self._paused_until, now + pause)

    def succeeded(self) -> None:
        """The peer took a request: the next pause of ours starts small again."""
        self._pause = _FIRST_PAUSE

    def _refill(self, now: float) -> None:
        passed, self._at = max(0.0, now - max(self._at, self._paused_until)), max(self._at, now)
        self.rate = min(self.ceiling, self.rate + self.ceiling * min(passed, 5.0) / _RECOVERY_SECONDS)
        if self._left is not None and now >= self._reset_at:
            self._left, self._pace = None, self.ceiling
        self._tokens = min(self.burst, self._tokens + passed * min(self.rate, self._pace))
