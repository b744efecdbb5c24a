"""Rounds over a channel's orders: which are due, under way, held back or tried again later, one task for each order at a time.

What is done for an order is the desk's own (`_bring_about`).
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from app.connectors.contract import Priority, Storefront
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.queues import Queues
from tables.deliveries.peers import PeerKind
from tables.deliveries.work import Kind

LONGEST_SLEEP: Final = 5.0


class OrderRounds(ABC):
    """Orders of one channel. A versioned storefront refuses what comes late, elsewhere a lost request may still land for `bounds.late_max`."""

    def __init__(self, desk: Desk, connector: Storefront, kind: Kind, at_once: int) -> None:
        """`at_once`: orders that are worked on side by side."""
        self._desk, self._connector = desk, connector
        self._kind, self._at_once = kind, at_once
        self._late = 0 if connector.kind is PeerKind.VERSIONED else desk.settings.bounds.late_max
        self._alarm = desk.alarm()
        self._todo: dict[str, None] = {}
        self._parked: dict[str, None] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._since: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    @abstractmethod
    async def _bring_about(self, order_id: str) -> None:
        """Whatever can be done for the order now. Raises `PeerError`: it is tried again."""

    # ---- seen from outside ----

    def changed(self, order_id: str) -> None:
        """Something of the order changed: look at it."""
        if order_id in self._busy:
            self._again.add(order_id)
        self._todo.setdefault(order_id)
        self._since.setdefault(order_id, self._desk.now())
        self._alarm.ring()

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        parked, self._parked = self._parked, {}
        self._todo.update(parked)
        self._alarm.ring()

    def pending(self) -> int:
        """Orders of which something is not confirmed; in shadow what is held back does not count."""
        return len(self._waiting())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues(f"{self._kind}s")
        for order_id in self._waiting():
            found.add(Priority.DESPATCH, self._since.get(order_id))
        return found

    def _waiting(self) -> set[str]:
        held = self._parked.keys() if self._desk.shadow else set()
        return (self._since.keys() - held) | self._todo.keys() | self._busy

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk
        due = await desk.commit(lambda context, _: desk.due(context, self._kind))
        for order_id, since in due.items():
            self._todo.setdefault(order_id)
            self._since[order_id] = since

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every order with something due, a few at a time."""
        while True:
            for order_id in self._alarm.due():
                self._todo.setdefault(order_id)
            for order_id in list(self._todo):
                if len(self._busy) >= self._at_once or not self._desk.may_write or self._desk.gate.wait() > 0:
                    break
                if order_id not in self._busy:
                    del self._todo[order_id]
                    self._alarm.clear(order_id)
                    self._busy.add(order_id)
                    group.create_task(self._order(order_id))
            await self._alarm.wait(min(LONGEST_SLEEP, self._desk.gate.wait() or LONGEST_SLEEP))

    # ---- one order ----

    async def _order(self, order_id: str) -> None:
        desk = self._desk
        try:
            await self._bring_about(order_id)
        except PeerError as error:
            failures = self._failures[order_id] = self._failures.get(order_id, 0) + 1
            self._alarm.set(order_id, desk.now() + desk.backoff(failures, error.retry_after))
            await desk.failed(error)
        else:
            self._failures.pop(order_id, None)
            await desk.worked()
        finally:
            self._busy.discard(order_id)
            if order_id in self._again:
                self._again.discard(order_id)
                self._todo.setdefault(order_id)
            self._alarm.ring()
