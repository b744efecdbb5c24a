"""Rounds over a channel's orders: which are due, under way, held back or tried again later, one task for each order at a time.

What is done for an order is the desk's own (`_bring_about`).
"""

import asyncio
from abc import ABC, abstractmethod

from agents.emit import Emitter
from app.connectors.contract import Priority, Storefront
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.queues import Queues
from app.delivery.worklist import Worklist
from app.engine.api import Context
from tables.deliveries.peers import PeerKind
from tables.deliveries.work import Kind


class OrderRounds(ABC):
    """Orders of one channel. A versioned storefront refuses what comes late, elsewhere a lost request may still land for `bounds.late_max`."""

    def __init__(self, desk: Desk, connector: Storefront, kind: Kind, at_once: int) -> None:
        """`at_once`: orders that are worked on side by side."""
        self._desk, self._connector = desk, connector
        self._kind, self._at_once = kind, at_once
        self._late = 0 if connector.kind is PeerKind.VERSIONED else desk.settings.bounds.late_max
        self._worklist = Worklist(desk)
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._since: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    @abstractmethod
    async def _bring_about(self, order_id: str) -> None:
        """Whatever can be done for the order now. Raises `PeerError`: it is tried again."""

    @abstractmethod
    def _take_over(self, context: Context, order_id: str) -> None:
        """Inside the commit that takes the order over: what is under way for it was sent by another owner."""

    # ---- seen from outside ----

    def changed(self, order_id: str) -> None:
        """Something of the order changed: look at it."""
        if order_id in self._busy:
            self._again.add(order_id)
        self._worklist.add(order_id)
        self._since.setdefault(order_id, self._desk.now())

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        self._worklist.resumed()

    def pending(self) -> int:
        """Orders of which something is not confirmed; in shadow what is held back does not count."""
        return len(self._waiting())

    def queues(self) -> Queues:
        """The same, by age."""
        found = Queues(f"{self._kind}s")
        found.add_all(Priority.DESPATCH, self._waiting(), self._since)
        return found

    def _waiting(self) -> set[str]:
        return (self._since.keys() - self._worklist.held()) | self._worklist.now.keys() | self._busy

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk

        def take_over(context: Context, _: Emitter) -> dict[str, int]:
            due = desk.due(context, self._kind)
            for order_id in due:
                self._take_over(context, order_id)
            return due

        for order_id, since in (await desk.commit(take_over)).items():
            self._worklist.add(order_id)
            self._since[order_id] = since

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every order with something due, a few at a time."""
        while True:
            self._worklist.ripen()
            for order_id in list(self._worklist.now):
                if len(self._busy) >= self._at_once or not self._desk.may_write or self._desk.gate.wait() > 0:
                    break
                if order_id not in self._busy:
                    del self._worklist.now[order_id]
                    self._worklist.alarm.clear(order_id)
                    self._busy.add(order_id)
                    group.create_task(self._order(order_id))
            await self._worklist.rest()

    # ---- one order ----

    async def _order(self, order_id: str) -> None:
        desk = self._desk
        try:
            await self._bring_about(order_id)
        except PeerError as error:
            failures = self._failures[order_id] = self._failures.get(order_id, 0) + 1
            self._worklist.alarm.set(order_id, desk.now() + desk.backoff(failures, error.retry_after))
            await desk.failed(error)
        else:
            self._failures.pop(order_id, None)
            await desk.worked()
        finally:
            self._busy.discard(order_id)
            if order_id in self._again:
                self._again.discard(order_id)
                self._worklist.add(order_id)
            self._worklist.alarm.ring()
