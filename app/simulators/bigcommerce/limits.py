"""The store's own request limit and the four headers that tell of it (bigcommerce.md 1.2): a fixed window of a plan, or a steady rate for rehearsals."""

import math
import time
from typing import Protocol

from app.simulators.base import TokenBucket

QUOTAS = {"standard": 150, "plus": 150, "pro": 450, "enterprise": 10_000}
WINDOW = 30.0


class Limit(Protocol):
    """Lets requests in and says what is left."""

    def take(self) -> float:
        """0 where a request is let in, else the seconds until one would be."""
        ...

    def headers(self) -> dict[str, str]:
        """The documented headers as of now."""
        ...


class Window:
    """`quota` requests in every window of 30 seconds, shared by all clients of the store."""

    def __init__(self, quota: int) -> None:
        self.quota, self.used, self.began = quota, 0, time.monotonic()

    def _left(self) -> float:
        """Seconds to the end of the window; a new one begins where it is over."""
        now = time.monotonic()
        if now - self.began >= WINDOW:
            self.began, self.used = now, 0
        return WINDOW - (now - self.began)

    def take(self) -> float:
        """0 where a request is let in, else the seconds until the window ends."""
        left = self._left()
        if self.used >= self.quota:
            return left
        self.used += 1
        return 0.0

    def headers(self) -> dict[str, str]:
        """Requests left in this window and its end."""
        left = self._left()
        return _headers(self.quota - self.used, self.quota, left, WINDOW)


class Rate:
    """A token bucket with a burst of one second, as a scenario file's `rate` asks for."""

    def __init__(self, rate: float) -> None:
        self.bucket = TokenBucket(rate)

    def take(self) -> float:
        """0 where a request is let in, else the seconds until one would be."""
        return self.bucket.take()

    def headers(self) -> dict[str, str]:
        """The bucket told in the platform's terms: a window of one second."""
        bucket = self.bucket
        level = min(bucket.rate, bucket.level + (time.monotonic() - bucket.at) * bucket.rate)
        return _headers(int(level), math.ceil(bucket.rate), (bucket.rate - level) / bucket.rate, 1.0)


def _headers(left: int, quota: int, reset: float, window: float) -> dict[str, str]:
    return {
        "X-Rate-Limit-Requests-Left": str(max(0, left)),
        "X-Rate-Limit-Requests-Quota": str(quota),
        "X-Rate-Limit-Time-Reset-Ms": str(math.ceil(reset * 1000)),
        "X-Rate-Limit-Time-Window-Ms": str(round(window * 1000)),
    }
