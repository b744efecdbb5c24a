"""What all simulated peers share: an HTTP server with a request journal, faults, a rate limit hook, and notifications that come late, twice or never.

A simulator is the truth of a drill. It knows nothing of the product's state; it answers HTTP as the fact sheets say and writes down everything that happened.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

FaultKind = Literal[
    "status", "timeout", "slow", "reset", "malformed", "partial", "conflict", "token_expired", "webhook", "down"
]


def now_ms() -> int:
    """Wall clock, milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


_DELAY = (1.0, 1.0)
"""Seconds that a fault takes which says no delay."""


@dataclass(slots=True)
class Fault:
    """One fault of a drill step. `until` is a monotonic time; `share` the part of the requests or notifications it hits."""

    kind: FaultKind
    until: float
    share: float = 1.0
    status: int = 503
    retry_after: float | None = None
    after_effect: bool = False
    delay: tuple[float, float] | None = None
    duplicate: float = 0.0
    drop: float = 0.0
    reorder: float = 0.0
    forge: float = 0.0


class Faults:
    """The faults in force. Peer-specific kinds (`conflict`, `partial`, `token_expired`) are asked for by the peer's own code through `hits`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._active = rng, list[Fault]()
        self.injected: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        """Put a fault in force until its time is over."""
        self._active.append(fault)

    def find(self, kind: FaultKind) -> Fault | None:
        """The fault of this kind that hits now, drawn by its share; None where none does."""
        now = time.monotonic()
        self._active = [f for f in self._active if f.until > now]
        for fault in self._active:
            if fault.kind == kind and self._rng.random() < fault.share:
                self.injected[kind] += 1
                return fault
        return None

    def hits(self, kind: FaultKind) -> bool:
        """Does a fault of this kind hit now?"""
        return self.find(kind) is not None


@dataclass(slots=True)
class Call:
    """One request in the journal."""

    at: int
    group: str  # stock, orders or other
    method: str
    path: str
    status: int
    cause: str = ""  # fault or limit where the answer was one


@dataclass(slots=True)
class Journal:
    """What really happened at one peer."""

    calls: list[Call] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0  # requests that may change something
    changed_at: float = field(default_factory=time.monotonic)

    def note(self, what: str, **fields: Any) -> None:
        """Write down an event of the peer's own state."""
        self.changed_at = time.monotonic()
        self.entries.append({"at": now_ms(), "what": what, **fields})

    def requests(self) -> dict[str, int]:
        """Requests by group."""
        return dict(Counter(call.group for call in self.calls))

    def throttled(self, cause: str | None = None) -> int:
        """429 answers, of one cause or of any."""
        return sum(call.status == 429 and cause in (None, call.cause) for call in self.calls)


class Hosted:
    """An ASGI application served on loopback, with the general faults in front of it and every request in the journal.

    Subclasses give `app` (the peer's routes) and `group` (what a request counts as), and may override `limit`.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.rng = random.Random(f"{seed}:{name}")
        self.faults = Faults(random.Random(f"{seed}:{name}:faults"))
        self.journal = Journal()
        self.app: Asgi
        self.url = ""
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def group(self, method: str, path: str) -> str:
        """`stock`, `orders` or `other`, for the report."""
        return "other"

    def is_read(self, method: str, path: str) -> bool:
        """A request that changes nothing: sweeps and polls go on for ever and say nothing about quiet."""
        return method in ("GET", "HEAD") or path.endswith(("/graphql", "/oauth/token"))

    def limit(self, request: Request) -> Response | None:
        """The peer's own limit: a 429 answer, or None to let the request in."""
        return None

    async def start(self, port: int = 0) -> str:
        """Serve on loopback and return the base URL."""
        config = uvicorn.Config(
            self._guard,
            host="127.0.0.1",
            port=port,
            log_level="critical",
            lifespan="off",
            http="h11",
            access_log=False,
            interface="asgi3",
            proxy_headers=False,
            date_header=False,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve(None), name=f"simulator {self.name}")
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.01)
        bound = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{bound}"
        return self.url

    async def stop(self) -> None:
        """Stop serving."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            await asyncio.gather(self._task, return_exceptions=True)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        call = Call(now_ms(), self.group(request.method, request.url.path), request.method, request.url.path, 0)
        self.journal.calls.append(call)
        changes = not self.is_read(request.method, request.url.path)
        self.journal.under_way += changes

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"date", formatdate(usegmt=True).encode())]
            await send(message)

        try:
            await self._answer(request, call, scope, receive, counted)
        finally:
            self.journal.under_way -= changes

    async def _answer(self, request: Request, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        faults = self.faults
        if faults.find("down") or faults.find("reset"):
            call.cause = "fault"
            return self._abort(receive)
        if fault := faults.find("timeout"):
            call.cause = "fault"
            if fault.after_effect:
                await self.app(scope, receive, _discard)
            return await self._hang(receive)
        if fault := faults.find("slow"):
            await asyncio.sleep(self.rng.uniform(*(fault.delay or _DELAY)))
        if fault := faults.find("status"):
            call.cause = "fault"
            headers = {} if fault.retry_after is None else {"Retry-After": str(max(1, round(fault.retry_after)))}
            return await PlainTextResponse("injected by the drill", fault.status, headers)(scope, receive, send)
        if faults.find("malformed"):
            call.cause = "fault"
            return await Response("<html>Service Unavailable", 200, media_type="text/html")(scope, receive, send)
        if (refusal := self.limit(request)) is not None:
            call.cause = "limit"
            return await refusal(scope, receive, send)
        await self.app(scope, receive, send)

    @staticmethod
    def _abort(receive: Receive) -> None:
        """Cut the connection, as a crashed peer does; uvicorn hands the transport to nobody, so it is taken from the cycle behind `receive`."""
        cycle = receive.__self__  # type: ignore[attr-defined]
        cycle.transport.abort()

    @staticmethod
    async def _hang(receive: Receive) -> None:
        """Answer nothing until the client gives up (bounded by two minutes)."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            message = await receive()
            if message["type"] == "http.disconnect":
                return


async def _discard(message: Message) -> None:
    """The answer of a request whose effect happened and whose answer was lost."""


class TokenBucket:
    """A peer's own limit: `rate` a second, a burst of one second's worth."""

    def __init__(self, rate: float) -> None:
        self.rate, self.level, self.at = rate, rate, time.monotonic()

    def take(self) -> float:
        """0 where a request is let in, else seconds until one would be."""
        now = time.monotonic()
        self.level = min(self.rate, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.rate


@dataclass(slots=True)
class Notification:
    """One notification and what became of it. `deliver` sends it once and says whether it was taken (2xx, or acknowledged by the broker)."""

    entity: str
    deliver: Callable[[], Awaitable[bool]]
    answered: bool = False
    dropped: bool = False
    tries: int = 0


class Notifier:
    """Sends notifications after a lag, with the webhook faults of a drill.

    Refused ones are tried again for as long as the drill lasts, unless `retry` is off."""

    def __init__(
        self, name: str, seed: int, faults: Faults, journal: Journal, lag: tuple[float, float], *, retry: bool = True
    ) -> None:
        self._rng, self._faults, self._journal, self._lag, self._retry = (
            random.Random(f"{seed}:{name}:notify"),
            faults,
            journal,
            lag,
            retry,
        )
        self.sent: list[Notification] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Notifications not yet delivered."""
        return len(self._tasks)

    def post(
        self, entity: str, deliver: Callable[[], Awaitable[bool]], forged: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        """Send `deliver` after the lag; `forged` is the same with a wrong signature, sent besides where the fault says so."""
        lag, copies = self._rng.uniform(*self._lag), 1
        note = Notification(entity, deliver)
        self.sent.append(note)
        if fault := self._faults.find("webhook"):
            if self._rng.random() < fault.drop:
                note.dropped = True
                self._journal.note("notification dropped", entity=entity)
                return
            copies += self._rng.random() < fault.duplicate
            if self._rng.random() < fault.reorder or fault.delay is not None:
                lag += self._rng.uniform(*(fault.delay or _DELAY))
            if forged is not None and self._rng.random() < fault.forge:
                self._spawn(self._once(forged, lag))
        for _ in range(copies):
            self._spawn(self._deliver(note, lag))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _once(self, send: Callable[[], Awaitable[bool]], lag: float) -> None:
        await asyncio.sleep(lag)
        await send()

    async def _deliver(self, note: Notification, lag: float) -> None:
        await asyncio.sleep(lag)
        pause = 0.2
        while True:
            note.tries += 1
            if await note.deliver():
                note.answered = True
                self._journal.changed_at = time.monotonic()
                return
            if not self._retry:
                note.dropped = True
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def stop(self) -> None:
        """Give up what is still to be sent."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
