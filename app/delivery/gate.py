"""The one way out to a peer: every request of a channel waits here for its turn, its token and a free connection, and its failures are given a meaning.

It decides when and in which order, never what: requests come from the connectors. One gate belongs to one channel's owner.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import httpx

from app.connectors import http
from app.connectors.contract import Priority, RateHint
from app.connectors.errors import NotSent, OutcomeUnknown, PeerError, Throttled, Unauthorised
from app.delivery.breaker import Breaker
from app.delivery.bucket import Bucket

SERVICE_LEVELS: Final[Mapping[Priority, float]] = {
    Priority.DECREASE: 1.0,
    Priority.RELEASE: 5.0,
    Priority.DESPATCH: 15.0,
    Priority.OTHER_DECREASE: 15.0,
    Priority.INCREASE: 30.0,
    Priority.SWEEP: 120.0,
}
"""Seconds after which a waiting request goes before everything that is not overdue: the starvation bound of its class."""

URGENT: Final = Priority.RELEASE
"""Up to this priority the bucket's reserve may be used."""

Result = TypeVar("Result")
SIGN_IN: Final = "sign_in"
_purpose: ContextVar[str] = ContextVar("purpose", default="other")


async def doing(purpose: str, work: Awaitable[Result]) -> Result:
    """Await work whose requests are counted under this purpose; one of the few words of the code, never an entity."""
    before = _purpose.set(purpose)
    try:
        return await work
    finally:
        _purpose.reset(before)


class Observer(Protocol):
    """Told of each request of a channel."""

    def waited(self, priority: Priority, seconds: float) -> None:
        """It got its turn after so long."""
        ...

    def called(self, purpose: str, outcome: str, seconds: float | None) -> None:
        """It ended, so long after it left; None: it never did."""
        ...


@dataclass(slots=True)
class _Waiting:
    since: float
    turn: asyncio.Future[None]


class Gate:
    """Implements `app.connectors.contract.Transport`.

    `calls` counts by outcome: ok, refused, throttled, unauthorised, unavailable, unknown, not_sent (breaker open, or `read_only`: only reads may leave).
    """

    def __init__(
        self,
        channel: str,
        *,
        client: httpx.AsyncClient,
        bucket: Bucket,
        breaker: Breaker,
        parallel: int,
        timeout: float,
        peer_clock: http.PeerClock | None = None,
        service_levels: Mapping[Priority, float] = SERVICE_LEVELS,
        observer: Observer | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel, self.bucket, self.breaker = channel, bucket, breaker
        self.calls: Counter[str] = Counter()
        self.rate_hint: Callable[[httpx.Response], RateHint | None] | None = None
        self.under_way = 0
        self.read_only = False
        self._client, self._parallel, self._timeout = client, parallel, timeout
        self._clock = peer_clock or http.PeerClock()
        self._levels, self._observer, self._steady = service_levels, observer, steady
        self._queues: dict[Priority, deque[_Waiting]] = {priority: deque() for priority in Priority}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `Transport.request`. Credentials are the connector's business: `authorise` only says under which purpose the request is counted."""
        request = http.describe(method, url)
        if self.read_only and not http.is_read(method, options):
            self._ended("not_sent", authorise, None)
            raise NotSent(self.channel, request, "not sent, the channel is in shadow: nothing is written to it")
        asked = self._steady()
        try:
            await self._turn(priority, request)
        except NotSent:
            self._ended("not_sent", authorise, None)
            raise
        if self._observer is not None:
            self._observer.waited(priority, self._steady() - asked)
        began, outcome = self._steady(), "cancelled"
        try:
            response = await self._send(method, url, request, options)
            outcome = "ok" if response.status_code < 400 else "refused"
            return response
        except PeerError as error:
            outcome = _outcome(error)
            raise
        finally:
            self.under_way -= 1
            if outcome == "cancelled":
                self.breaker.abandoned()
            self._ended(outcome, authorise, self._steady() - began)
            self._pump()

    def peer_time(self) -> tuple[int, int]:
        """As `Transport.peer_time`."""
        return self._clock.now()

    def wait(self) -> float:
        """Seconds for which nothing at all may go out (breaker open, or the peer asked for a pause); 0 for none."""
        now = self._steady()
        return max(self.breaker.wait(now), self.bucket.paused(now))

    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(self.waiting_by_priority().values())

    def waiting_by_priority(self) -> dict[Priority, int]:
        """The same for each class."""
        return {priority: len(queue) for priority, queue in self._queues.items()}

    async def close(self) -> None:
        """Nobody gets a turn any more; close the pool."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._reject("the channel's owner stops", None)
        await self._client.aclose()

    def _ended(self, outcome: str, authorise: bool, seconds: float | None) -> None:
        self.calls[outcome] += 1
        if self._observer is not None:
            self._observer.called(_purpose.get() if authorise else SIGN_IN, outcome, seconds)

    # ---- sending ----

    async def _send(self, method: str, url: str, request: str, options: dict[str, Any]) -> httpx.Response:
        read, sent = http.is_read(method, options), self._clock.mark()
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.request(method, url, **options)
        except (httpx.HTTPError, TimeoutError) as error:
            self.breaker.failed(self._steady())
            known = error if isinstance(error, httpx.HTTPError) else httpx.ReadTimeout(f"{self._timeout:g} s are over")
            raise http.failure(self.channel, request, known, read=read) from error
        self._clock.observe(response.headers.get("Date"), sent)
        self._learn(response)
        http.check(self.channel, request, response, read=read)
        return response

    def _learn(self, response: httpx.Response) -> None:
        now = self._steady()
        if response.status_code >= 500:
            self.breaker.failed(now)
        else:
            self.breaker.succeeded()
        hint = self.rate_hint(response) if self.rate_hint is not None else None
        if hint is not None:
            self.bucket.learn(hint, now, self.under_way - 1)
        if response.status_code == 429 and not (hint is not None and hint.throttled):
            self.bucket.throttled(now, http.retry_after(response))
        elif response.status_code < 400:
            self.bucket.succeeded()

    # ---- turns ----

    async def _turn(self, priority: Priority, request: str) -> None:
        wait = self.breaker.wait(self._steady())
        if self._closed or wait > 0:
            reason = "the channel's owner stops" if self._closed else "not sent, the peer failed repeatedly"
            raise NotSent(self.channel, request, reason, retry_after=wait)
        turn = asyncio.get_running_loop().create_future()
        self._queues[priority].append(_Waiting(self._steady(), turn))
        self._pump()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.under_way -= 1
                self.breaker.abandoned()
                self._pump()
            raise
        except _NoTurnError as error:
            raise NotSent(self.channel, request, error.reason, retry_after=error.retry_after) from None

    def _pump(self) -> None:
        """Give turns while tokens and connections last; come back when the next token is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.under_way < self._parallel and not self._closed:
            now = self._steady()
            blocked = self.breaker.wait(now)
            if blocked > 0:
                self._reject("not sent, the peer failed repeatedly", blocked)
                return
            priority, overdue = self._next(now)
            if priority is None:
                return
            wait = self.bucket.wait(now, urgent=overdue or priority <= URGENT)
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._pump)
                return
            waiting = self._queues[priority].popleft()
            self.bucket.take(now)
            self.breaker.leave()
            self.under_way += 1
            waiting.turn.set_result(None)

    def _next(self, now: float) -> tuple[Priority | None, bool]:
        """Whose turn it is, and whether it is overdue: the longest overdue first, then by priority."""
        best, first, late = None, None, 0.0
        for priority, queue in self._queues.items():
            while queue and queue[0].turn.done():
                queue.popleft()
            if not queue:
                continue
            first = first or priority
            over = now - queue[0].since - self._levels[priority]
            if over >= late and over >= 0:
                best, late = priority, over
        return (best, True) if best is not None else (first, False)

    def _reject(self, reason: str, retry_after: float | None) -> None:
        for queue in self._queues.values():
            while queue:
                turn = queue.popleft().turn
                if not turn.done():
                    turn.set_exception(_NoTurnError(reason, retry_after))


class _NoTurnError(Exception):
    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


def _outcome(error: PeerError) -> str:
    match error:
        case Throttled():
            return "throttled"
        case Unauthorised():
            return "unauthorised"
        case OutcomeUnknown():
            return "unknown"
        case _:
            return "unavailable"
