"""A trap in front of a simulated peer: one request is stopped exactly where the worker that sent it shall die. It judges nothing and kills nobody.

The worker runs as users run it, without a hook: it waits for an answer that does not come.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from app.simulators.base import Asgi, Hosted

Moment = Literal["before", "between", "after", "late"]
"""Of a request that has an effect: it did not reach the peer yet; its effect is there and its answer is not; its answer is committed; or the worker dies and
the request has its effect only afterwards, when a look of the next worker may have found nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    body: bytes


Hits = Callable[[Call], bool]


class Trap:
    """Stands between a peer's front (faults, limits, journal) and its routes. `sent` are the requests whose effect happened, by when they were let in."""

    def __init__(self, peer: Hosted) -> None:
        self._routes: Asgi = peer.app
        peer.app = self
        self._hits: Hits | None = None
        self._moment: Moment = "before"
        self._landing = asyncio.Event()
        self.caught = asyncio.Event()
        self.sent: list[Call] = []

    def arm(self, hits: Hits, moment: Moment) -> None:
        """Stop the next request that `hits` knows; `caught` is set when it is where `moment` says. `after` lets it through."""
        self._hits, self._moment = hits, moment
        self._landing = asyncio.Event()
        self.caught.clear()

    def land(self) -> None:
        """The request that is late has its effect now."""
        self._landing.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        call = Call(scope["method"], scope["path"], await _body(receive))
        if self._hits is None or not self._hits(call):
            return await self._let_in(call, scope, receive, send)
        self._hits, moment, landing = None, self._moment, self._landing
        if moment == "after":
            await self._let_in(call, scope, receive, send)
            self.caught.set()
            return None
        if moment == "between":
            await self._let_in(call, scope, receive, _nowhere)
        self.caught.set()
        if moment == "late":
            await landing.wait()
            await self._let_in(call, scope, receive, _nowhere)
        return await _until_gone(receive)

    async def _let_in(self, call: Call, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        status = 0

        async def once() -> dict[str, Any]:
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def seen(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._routes(scope, once, seen)
        if 200 <= status < 300:
            self.sent.append(call)


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _nowhere(message: MutableMapping[str, Any]) -> None:
    """The answer that nobody gets."""


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
