"""When is everything quiet? For three seconds nothing undelivered, no request under way, nothing new in any journal, no lag, no delivery pending,
nothing that the ledger counts only when it knows the orders before it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from confluent_kafka import KafkaException

from app.drill.peers import Peers
from app.drill.product import Product

QUIET_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_GLANCES = 5
_GLANCE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to be done, as far as it can be seen; `None`: nobody could be asked."""

    notifications: int = 0
    pending: int | None = None
    waits: int = 0
    lag: int | None = None
    restless: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing is left, and everybody could be asked."""
        return not (self.notifications or self.waits or self.restless) and self.pending == 0 and self.lag == 0

    def __str__(self) -> str:
        if self.pending is None:
            return "a worker does not answer or is not ready"
        if self.lag is None:
            return "Kafka does not answer"
        parts = [
            f"{self.notifications} notifications undelivered" if self.notifications else "",
            f"{self.pending} deliveries pending" if self.pending else "",
            f"{self.waits} outcomes or baselines waiting for their channel's orders" if self.waits else "",
            f"{self.lag} records behind" if self.lag else "",
            f"still busy: {', '.join(self.restless)}" if self.restless else "",
        ]
        return "; ".join(part for part in parts if part) or "changes in the journals"


Lag = Callable[[], Awaitable[int]]


async def look(peers: Peers, product: Product, lag: Lag) -> Backlog:
    """One look. What a sweep or a poll asks is answered a moment later, so only what stays busy over a few glances counts."""
    found = await _glance(peers, product)
    for _ in range(_GLANCES):
        if not (found.restless or found.pending):
            break
        await asyncio.sleep(_GLANCE_SECONDS)
        found = await _glance(peers, product)
    try:
        return replace(found, lag=await lag())
    except KafkaException:
        return found  # the broker is away: so is quiet


async def _glance(peers: Peers, product: Product) -> Backlog:
    busy = tuple(peer.name for peer in peers.all() if not peer.quiet())
    notifications = sum(peer.notifier.pending for peer in peers.all())
    status = await product.status()
    if len(status) < len(product.workers):
        return Backlog(notifications, restless=busy)
    pending, waits = (
        sum(sum(one.get(name, {}).values()) for one in status.values()) for name in ("pending", "watermark_waits")
    )
    return Backlog(notifications, pending, waits, restless=busy)


class Settling:
    """Watches for quiet. `seconds` bounds the whole wait; quiet does not count before `least` seconds are over."""

    def __init__(self, peers: Peers, product: Product, lag: Lag) -> None:
        self._peers, self._product, self._lag = peers, product, lag
        self.backlog = Backlog()
        self.looked = False

    async def look(self) -> Backlog:
        """What is still to be done now."""
        self.backlog, self.looked = await look(self._peers, self._product, self._lag), True
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
