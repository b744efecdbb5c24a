"""When is everything quiet? For three seconds nothing undelivered, no request under way, nothing new in any journal, no lag, no delivery pending."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.drill.peers import Peers
from app.drill.product import Product

QUIET_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_GLANCES = 4


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to be done, as far as it can be seen; `None`: nobody could be asked."""

    notifications: int = 0
    pending: int | None = None
    lag: int | None = None
    restless: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing is left, and everybody could be asked."""
        return self.notifications == 0 and self.pending == 0 and self.lag == 0 and not self.restless

    def __str__(self) -> str:
        if self.pending is None or self.lag is None:
            return "a worker does not answer"
        parts = [
            f"{self.notifications} notifications undelivered" if self.notifications else "",
            f"{self.pending} deliveries pending" if self.pending else "",
            f"{self.lag} records behind" if self.lag else "",
            f"still busy: {', '.join(self.restless)}" if self.restless else "",
        ]
        return "; ".join(part for part in parts if part) or "changes in the journals"


Lag = Callable[[], Awaitable[int]]


async def look(peers: Peers, product: Product, lag: Lag) -> Backlog:
    """One look. A request that a sweep makes is over a moment later, so a peer counts as busy only where it stays so."""
    busy = [peer.name for peer in peers.all() if not peer.quiet()]
    for _ in range(_GLANCES):
        if not busy:
            break
        await asyncio.sleep(0.02)
        busy = [peer.name for peer in peers.all() if peer.name in busy and not peer.quiet()]
    notifications = sum(peer.notifier.pending for peer in peers.all())
    status = await product.status()
    if len(status) < len(product.workers):
        return Backlog(notifications, restless=tuple(busy))
    pending = sum(sum(one.get("pending", {}).values()) for one in status.values())
    told = [one.get("lag") for one in status.values()]
    behind = sum(n for n in told if isinstance(n, int)) if all(isinstance(n, int) for n in told) else await lag()
    return Backlog(notifications, pending, behind, tuple(busy))


class Settling:
    """Watches for quiet. `seconds` bounds the whole wait; quiet does not count before `least` seconds are over."""

    def __init__(self, peers: Peers, product: Product, lag: Lag) -> None:
        self._peers, self._product, self._lag = peers, product, lag
        self.backlog = Backlog()

    async def look(self) -> Backlog:
        """What is still to be done now."""
        self.backlog = await look(self._peers, self._product, self._lag)
        return self.backlog

    def _written(self) -> int:
        return sum(len(peer.journal.entries) for peer in self._peers.all())

    async def wait(self, seconds: float, least: float = 0.0, also: Callable[[], bool] = lambda: True) -> bool:
        """True once it has been quiet, and `also` true, for three seconds; False where the time is over first."""
        started = since = time.monotonic()
        written = self._written()
        while (now := time.monotonic()) - started < seconds:
            await self.look()
            if (more := self._written()) != written or not self.backlog.empty or not also():
                written, since = more, time.monotonic()
            elif now - since >= QUIET_SECONDS and now - started >= least:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False
