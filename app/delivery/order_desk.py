"""What the desks of parcels and refunds share: what is late, and answers that ORDERS is told. Their rounds are `app/delivery/order_rounds.py`'s.

An order has parts, a row each: parcels, refunds. One order is worked on at a time: look, commit the intent, write, look again, and at the end tell ORDERS.
What to look at, what to write and what is said of an order that is late, is the desk's own; what a part needs next is decided by its rules in
`tables/deliveries`.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from agents.emit import Emitter
from app.connectors.contract import Storefront
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.order_rounds import OrderRounds
from app.engine.api import Context, Table
from schemas import catalogue as topics
from schemas.records import RefundOutcome, ShipmentOutcome
from tables.deliveries import looks
from tables.deliveries.work import Kind

CHECK_GAP: Final = 1.0
"""Seconds between two looks at what is late."""


class Part(Protocol):
    """The row of one part: what a desk needs of it."""

    channel: str
    order_id: str
    version: int
    intent: Any
    attempts: int
    looks: int
    next_at: int
    caused_at: int

    @property
    def key(self) -> str: ...


Row = TypeVar("Row", bound=Part)
RuledRow = TypeVar("RuledRow", bound=Part, contravariant=True)
Outcome = TypeVar("Outcome", bound=RefundOutcome | ShipmentOutcome)


class Rules(Protocol[RuledRow, Outcome]):
    """The rules of a kind of part: a module of `tables/deliveries`."""

    def prefix(self, channel: str, order_id: str) -> str: ...
    def pending(self, row: RuledRow) -> bool: ...
    def refused(self, row: RuledRow, detail: str) -> list[Outcome]: ...
    def not_sent(self, row: RuledRow, wait: int, now: int) -> None: ...
    def answer(self, row: RuledRow) -> Outcome: ...


class OrderDesk(OrderRounds, Generic[Row, Outcome]):
    """Orders of one channel whose parts are brought about and told to ORDERS."""

    def __init__(
        self,
        desk: Desk,
        connector: Storefront,
        kind: Kind,
        table: Table[Row],
        rules: Rules[Row, Outcome],
        at_once: int,
        level: int,
    ) -> None:
        """`level`: milliseconds within which an order shall be done."""
        super().__init__(desk, connector, kind, at_once)
        self._table, self._rules, self._level = table, rules, level

    # ---- a desk's own ----

    @abstractmethod
    async def _is_late(self, order_id: str) -> None:
        """The order is not done within its service level: complain."""

    @abstractmethod
    def _is_over(self, context: Context, emit: Emitter, order_id: str, rows: Sequence[Row]) -> None:
        """Inside the commit that answers the order's last part: nothing of it is late any more."""

    # ---- what is late ----

    async def run_checks(self) -> None:
        """Until cancelled: what is not confirmed within its service level is an exception."""
        while True:
            await asyncio.sleep(CHECK_GAP)
            for order_id, since in list(self._since.items()):
                if self._desk.now() - since > self._level and not self._desk.shadow:
                    await self._is_late(order_id)

    async def _complain(self, kind: str, entity: str, detail: str) -> None:
        """Open the exception where it is not open."""
        if not self._desk.is_open(kind, entity):
            await self._desk.commit(lambda context, emit: self._desk.open_trouble(context, emit, kind, entity, detail))

    # ---- one order ----

    def _take_over(self, context: Context, order_id: str) -> None:
        for row in self._all(context, order_id):
            if looks.taken_over(row, context.now_ms):
                context.put(self._table, row.key, row)

    def _all(self, context: Context, order_id: str) -> list[Row]:
        """The order's rows, in the order in which their commands came."""
        found = context.scan(self._table, self._rules.prefix(self._desk.channel, order_id))
        return sorted((row for _, row in found), key=lambda row: row.version)

    async def _answered(
        self, order_id: str, key: str, failed: PeerError | None, accepted: Callable[[Row, int], None]
    ) -> list[Row]:
        """Commit what the answer to a part's request makes of its row; returns the order's rows. Raises nothing but what the commit raises."""

        def work(context: Context, emit: Emitter) -> list[Row]:
            row = context.get(self._table, key)
            if row is not None and row.intent is not None:
                self._tell(context, emit, row, self._outcomes(row, failed, accepted, context.now_ms))
            return self._note(context, order_id, self._all(context, order_id))

        rows = await self._desk.commit(work)
        if failed is not None and not isinstance(failed, Refused):
            await self._desk.failed(failed)
        return rows

    def _outcomes(
        self, row: Row, failed: PeerError | None, accepted: Callable[[Row, int], None], now: int
    ) -> list[Outcome]:
        if failed is None:
            accepted(row, now)
        elif isinstance(failed, Refused):
            return self._rules.refused(row, failed.detail)
        elif isinstance(failed, OutcomeUnknown | Malformed):
            looks.unknown(row, now)
        else:
            self._rules.not_sent(row, self._desk.backoff(row.attempts, failed.retry_after), now)
        return []

    def _told(self, context: Context, emit: Emitter, order_id: str, versions: dict[str, int]) -> list[Row]:
        """Answer the parts (by key) that are done as those versions want them; returns the order's rows."""
        rows = self._all(context, order_id)
        for row in rows:
            if self._rules.pending(row) and versions.get(row.key) == row.version:
                self._desk.confirmed(self._kind, row.caused_at)
                self._tell(context, emit, row, [self._rules.answer(row)])
        if not any(self._rules.pending(row) for row in rows):
            self._is_over(context, emit, order_id, rows)
        return self._note(context, order_id, rows)

    def _wait(self, order_id: str, rows: Sequence[Row]) -> None:
        """What still waits is looked at again when it is due."""
        waiting = [row for row in rows if self._rules.pending(row)]
        if waiting and order_id not in self._worklist.parked:
            self._worklist.alarm.set(order_id, min(row.next_at for row in waiting))
        elif not waiting and order_id not in self._again:
            self._forget(order_id)

    def _forget(self, order_id: str) -> None:
        """Every part of the order is answered."""
        self._since.pop(order_id, None)

    def _note(self, context: Context, order_id: str, rows: list[Row]) -> list[Row]:
        """The next owner need not look at an order of which every part is answered."""
        if not any(self._rules.pending(row) for row in rows):
            self._desk.is_done(context, self._kind, order_id)
        return rows

    def _tell(self, context: Context, emit: Emitter, row: Row, outcomes: Sequence[Outcome]) -> None:
        """Commit the row and tell ORDERS."""
        for outcome in outcomes:
            emit.send(topics.ORDERS_EVENTS, f"{row.channel}:{row.order_id}", outcome)
            if outcome.state == "REFUSED":
                self._desk.ended(self._kind, "failed")
        self._keep(context, row, outcomes)

    def _keep(self, context: Context, row: Row, outcomes: Sequence[Outcome]) -> None:
        """The row as these outcomes leave it."""
        context.put(self._table, row.key, row)
