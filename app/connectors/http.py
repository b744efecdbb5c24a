"""HTTP to a peer without any budget: what a failed request means, and which time it is at the peer.

Delivery builds its gate from these parts; tests and probes use `DirectTransport` as it stands. Nothing here waits, repeats or knows a peer's API; who we are
at the peer is the business of `app.connectors.auth`.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import msgspec

from app.connectors.contract import Priority
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Throttled, Unauthorised, Unavailable
from app.connectors.pool import Pool

READ: Final[Mapping[str, bool]] = {"clarus_stream_read": True}
"""`extensions=READ` on a POST that changes nothing (GraphQL queries, tokens): its failures are those of a GET."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_DRIFT_PPM = 200
_UNKNOWN_MS = 60_000


def make_client(timeout: float, connections: int) -> httpx.AsyncClient:
    """A pooled client: `timeout` seconds for each phase of a request, at most `connections` at a time. Loopback never goes through a proxy."""
    return httpx.AsyncClient(timeout=timeout, transport=Pool(connections))


def describe(method: str, url: str) -> str:
    """A request for people and logs: method and path, never the query."""
    return f"{method} {httpx.URL(url).path}"


def is_read(method: str, options: Mapping[str, Any]) -> bool:
    """Does this request change nothing at the peer?"""
    return method.upper() in ("GET", "HEAD") or (options.get("extensions") or {}).get("clarus_stream_read") is True


def failure(peer: str, request: str, error: httpx.HTTPError, *, read: bool) -> PeerError:
    """What a request without an answer means. Reads and what never left are `Unavailable`, all else `OutcomeUnknown`."""
    kind = Unavailable if read or isinstance(error, _NOT_SENT) else OutcomeUnknown
    return kind(peer, request, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def check(peer: str, request: str, response: httpx.Response, *, read: bool) -> None:
    """Raise what an answer's status means: `Throttled` (429), `Unauthorised` (401, 403), `Unavailable` or `OutcomeUnknown` (5xx).

    All other answers are for the connector to read.
    """
    status = response.status_code
    wait = retry_after(response)
    if status == 429:
        raise Throttled(peer, request, "429, too many requests", retry_after=wait, status=status)
    if status in (401, 403):
        remedy = "renew the credentials" if status == 401 else "check the scopes of the API client"
        raise Unauthorised(peer, request, f"{status}, {remedy}", retry_after=wait, status=status)
    if status >= 500:
        kind = Unavailable if read else OutcomeUnknown
        raise kind(peer, request, f"answered {status}", retry_after=wait, status=status)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date; None where there is none that can be read."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        at = _http_date(value)
        return None if at is None else max(0.0, at / 1000 - time.time())


def decoded(response: httpx.Response) -> Any:
    """The body as JSON, for a fifth of what `Response.json` costs. ValueError where it is none."""
    return msgspec.json.decode(response.content)


def json_object(peer: str, request: str, response: httpx.Response) -> dict[str, Any]:
    """The body as a JSON object. `Malformed` where it is none: what stands in front of an API may answer in HTML."""
    try:
        body = decoded(response)
    except ValueError as error:
        raise Malformed(peer, request, f"{response.status_code} without JSON", status=response.status_code) from error
    if not isinstance(body, dict):
        raise Malformed(peer, request, "the body is not a JSON object", status=response.status_code)
    return body


def _http_date(value: str) -> int | None:
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


class PeerClock:
    """Bounds of a peer's clock, from the Date headers of its answers.

    An answer stamped D (whole seconds, and up to `stale` ms old: servers refresh it once a second) was made between sending and receiving, so the peer's time
    less our steady time lies in [D − received, D + 1 s + stale − sent]. Every answer narrows the interval; age widens it (clock rates differ); an answer that
    contradicts it (a clock was set, or another server answers) replaces it. Our own wall clock counts only before the first answer, ± 1 minute.
    """

    def __init__(
        self,
        stale: int = 1000,
        steady: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._stale, self._steady, self._wall = stale, steady, wall
        self._low = self._high = 0.0
        self._at: float | None = None

    def mark(self) -> float:
        """Our steady time, milliseconds: take it before a request leaves."""
        return self._steady() * 1000

    def observe(self, date: str | None, sent: float) -> None:
        """Take in the Date header of an answer whose request left at `sent` (`mark`). Unreadable ones are passed over."""
        stamped = _http_date(date) if date else None
        if stamped is None:
            return
        received = self.mark()
        low, high = stamped - received, stamped + 1000 + self._stale - sent
        if self._at is not None:
            known_low, known_high = self._bounds(received)
            if max(low, known_low) <= min(high, known_high):
                low, high = max(low, known_low), min(high, known_high)
        self._low, self._high, self._at = low, high, received

    def now(self) -> tuple[int, int]:
        """Earliest and latest time it can be at the peer, milliseconds since 1970 UTC."""
        mark = self.mark()
        if self._at is None:
            wall = int(self._wall() * 1000)
            return wall - _UNKNOWN_MS, wall + _UNKNOWN_MS
        low, high = self._bounds(mark)
        return int(mark + low), int(mark + high) + 1

    def _bounds(self, mark: float) -> tuple[float, float]:
        widening = (mark - self._at) * _DRIFT_PPM / 1e6 if self._at is not None else 0.0
        return self._low - widening, self._high + widening


class DirectTransport:
    """A `Transport` without budget, priorities or breaker: for probes before delivery runs, and for tests."""

    def __init__(
        self,
        peer: str,
        *,
        timeout: float = 20.0,
        connections: int = 20,
        clock: PeerClock | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._peer, self._client = peer, client or make_client(timeout, connections)
        self.clock = clock or PeerClock()

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `Transport.request`."""
        request, read, sent = describe(method, url), is_read(method, options), self.clock.mark()
        try:
            response = await self._client.request(method, url, **options)
        except httpx.HTTPError as error:
            raise failure(self._peer, request, error, read=read) from error
        self.clock.observe(response.headers.get("Date"), sent)
        check(self._peer, request, response, read=read)
        return response

    def peer_time(self) -> tuple[int, int]:
        """As `Transport.peer_time`."""
        return self.clock.now()

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()
