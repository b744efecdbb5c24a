"""The despatch side of a storefront's owner: every parcel of every order is at the storefront once, and the order there says how much of it was sent.

What to do about a parcel is decided by `tables/deliveries/shipments.py`. Here one order is worked on at a time: look, commit the intent, write, look again;
at the end the order's own state is settled, and only then ORDERS is told.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownOrder, Storefront
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import ShipmentOutcome
from tables.deliveries import shipments as rules
from tables.deliveries.peers import PeerKind
from tables.deliveries.shipments import Amend, Extent, Placed, Remove, Ship, ShipmentRow, Wait

ORDERS_AT_ONCE: Final = 32
LONGEST_SLEEP: Final = 5.0
CHECK_GAP: Final = 1.0
"""Seconds between two looks at what is late."""
DESPATCH: Final = Priority.DESPATCH


@dataclass(frozen=True, slots=True)
class Write:
    """One request that was decided and whose intent is committed. `extent`: how much of the order is sent when it is done."""

    key: str
    step: Ship | Amend | Remove
    extent: Extent


class ShipmentDesk:
    """Parcels of one channel. A versioned storefront refuses what comes late, elsewhere a lost request may still land for `bounds.late_max`."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        self._desk, self._connector = desk, connector
        self._late = 0 if connector.kind is PeerKind.VERSIONED else desk.settings.bounds.late_max
        self._alarm = desk.alarm()
        self._todo: dict[str, None] = {}
        self._parked: dict[str, None] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._since: dict[str, int] = {}
        self._numbers: dict[str, str] = {}
        self._failures: dict[str, int] = {}

    # ---- seen from outside ----

    def changed(self, order_id: str) -> None:
        """A parcel of the order changed: look at it."""
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
        """Orders with a parcel that the storefront does not show as it shall; in shadow what is held back does not count."""
        held = self._parked.keys() if self._desk.shadow else set()
        return len((self._since.keys() - held) | self._todo.keys() | self._busy)

    def queues(self) -> Queues:
        """The same, by age."""
        held = self._parked.keys() if self._desk.shadow else set()
        found = Queues("shipments")
        for order_id in (self._since.keys() - held) | self._todo.keys() | self._busy:
            found.add(DESPATCH, self._since.get(order_id))
        return found

    async def load(self) -> None:
        """Take the rows over: an intent in them is an unknown outcome."""
        desk = self._desk
        due = await desk.commit(lambda context, _: desk.due(context, "shipment"))
        for order_id, since in due.items():
            self._todo.setdefault(order_id)
            self._since[order_id] = since

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every order with something due, a few at a time."""
        while True:
            for order_id in self._alarm.due():
                self._todo.setdefault(order_id)
            for order_id in list(self._todo):
                if len(self._busy) >= ORDERS_AT_ONCE or not self._desk.may_write or self._desk.gate.wait() > 0:
                    break
                if order_id not in self._busy:
                    del self._todo[order_id]
                    self._alarm.clear(order_id)
                    self._busy.add(order_id)
                    group.create_task(self._order(order_id))
            await self._alarm.wait(min(LONGEST_SLEEP, self._desk.gate.wait() or LONGEST_SLEEP))

    async def run_checks(self) -> None:
        """Until cancelled: what is not at the storefront within its service level is an exception."""
        level = self._desk.settings.delivery.despatch_level
        while True:
            await asyncio.sleep(CHECK_GAP)
            for order_id, since in list(self._since.items()):
                if self._desk.now() - since > level and not self._desk.shadow:
                    await self._late_parcels(order_id)

    async def _late_parcels(self, order_id: str) -> None:
        if order_id not in self._numbers:
            self._note_number(order_id, await self._desk.commit(lambda context, _: self._all(context, order_id)))
        entity = f"{self._desk.channel}:{self._numbers.get(order_id, order_id)}"
        if self._desk.is_open("despatch_gap", entity):
            return
        seconds = self._desk.settings.delivery.despatch_level // 1000
        detail = (
            f"a parcel left the warehouse and is not at the storefront after {seconds} s: it is tried on;"
            " see the channel in `clarus-stream doctor`, or enter it there by hand"
        )
        await self._desk.commit(
            lambda context, emit: self._desk.open_trouble(context, emit, "despatch_gap", entity, detail)
        )

    # ---- one order ----

    async def _order(self, order_id: str) -> None:
        desk = self._desk
        try:
            await self._settle(order_id, *await self._place(order_id))
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

    async def _place(self, order_id: str) -> tuple[list[ShipmentRow], Extent | None]:
        """Look and write until every parcel is placed, waits, or is held back; the rows, and how much the order itself says was sent, where that is known."""
        said: Extent | None = None
        rows = await self._desk.commit(lambda context, _: self._all(context, order_id))
        self._note_number(order_id, rows)
        while any(row.next_at <= self._desk.now() for row in _unplaced(rows)):
            looked_at = self._desk.now()
            shown = await doing("read_shipments", self._connector.shipments(order_id, DESPATCH))
            write, rows = await self._desk.commit(
                partial(self._look, order_id=order_id, shown=shown, looked_at=looked_at)
            )
            said = shown.extent if shown is not None else None
            if write is None or shown is None:
                break
            rows, done = await self._write(order_id, write, shown)
            if said is not None and isinstance(write.step, Ship):
                said = write.extent if done else None
        return rows, said

    def _note_number(self, order_id: str, rows: Sequence[ShipmentRow]) -> None:
        for row in rows:
            if row.command is not None:
                self._numbers[order_id] = row.command.number

    def _all(self, context: Context, order_id: str) -> list[ShipmentRow]:
        """The order's rows, in the order in which their commands came."""
        found = context.scan(self._desk.tables.shipments, rules.prefix(self._desk.channel, order_id))
        return sorted((row for _, row in found), key=lambda row: row.version)

    def _look(
        self, context: Context, emit: Emitter, order_id: str, shown: ShownOrder | None, looked_at: int
    ) -> tuple[Write | None, list[ShipmentRow]]:
        """Fold a look: what it shows is placed, the first write that is due begins. None: nothing is to be written now. With the rows."""
        rows, table = self._all(context, order_id), self._desk.tables.shipments
        for row in _unplaced(rows):
            if shown is None:
                self._tell(context, emit, row, rules.refused(row, "it has no such order"))
                continue
            if row.next_at > context.now_ms:
                continue
            siblings = [one for one in rows if one is not row]
            step = rules.next_step(row, shown.shipments, siblings, looked_at, self._late)
            match step:
                case Placed():
                    rules.placed(row, step.peer_id)
                    context.put(table, row.key, row)
                case Wait():
                    rules.waited(row, step.until)
                    context.put(table, row.key, row)
                case _ if not self._desk.may_change(context):
                    self._parked.setdefault(order_id)
                case Ship() | Amend() | Remove():
                    if row.attempts == 0:
                        self._desk.sent(row.caused_at)
                    rules.begin(row, step, context.now_ms)
                    context.put(table, row.key, row)
                    return Write(row.key, step, rules.extent(rows, row if isinstance(step, Ship) else None)), rows
        self._note(context, order_id, rows)
        return None, rows

    async def _write(self, order_id: str, write: Write, shown: ShownOrder) -> tuple[list[ShipmentRow], bool]:
        """One request; the rows with what its answer makes of them, and whether it was done. Raises nothing but what the commit raises."""
        peer_id = ""
        failed: PeerError | None = None
        connector = self._connector
        try:
            match write.step:
                case Ship(command):
                    peer_id = await doing("ship", connector.ship(command, write.extent, shown, DESPATCH))
                case Amend(command, peer_id):
                    await doing("ship", connector.amend(command, peer_id, shown, DESPATCH))
                case Remove(command, gone):
                    await doing("unship", connector.unship(command, gone, shown, DESPATCH))
        except PeerError as error:
            failed = error

        def work(context: Context, emit: Emitter) -> list[ShipmentRow]:
            row = context.get(self._desk.tables.shipments, write.key)
            if row is not None and row.intent is not None:
                outcomes = self._answered(row, peer_id, failed, context.now_ms)
                self._tell(context, emit, row, outcomes)
            return self._note(context, order_id, self._all(context, order_id))

        rows = await self._desk.commit(work)
        if failed is not None and not isinstance(failed, Refused):
            await self._desk.failed(failed)
        return rows, failed is None

    def _answered(self, row: ShipmentRow, peer_id: str, failed: PeerError | None, now: int) -> list[ShipmentOutcome]:
        if failed is None:
            rules.accepted(row, peer_id)
        elif isinstance(failed, Refused):
            return rules.refused(row, failed.detail)
        elif isinstance(failed, OutcomeUnknown | Malformed):
            rules.unknown(row, now)
        else:
            rules.not_sent(row, self._desk.backoff(row.attempts, failed.retry_after), now)
        return []

    async def _settle(self, order_id: str, rows: list[ShipmentRow], said: Extent | None) -> None:
        """The order's own state, then the answers; what still waits is looked at again when it is due."""
        if any(rules.pending(row) and row.placed == row.version for row in rows):
            if said != (extent := rules.extent(rows)):
                await doing("settle_order", self._connector.settle(order_id, extent, DESPATCH))
            versions = {row.key: row.version for row in rows if row.placed == row.version}
            rows = await self._desk.commit(lambda context, emit: self._told(context, emit, order_id, versions))
        waiting = [row for row in rows if rules.pending(row)]
        if waiting and order_id not in self._parked:
            self._alarm.set(order_id, min(row.next_at for row in waiting))
        elif not waiting and order_id not in self._again:
            self._since.pop(order_id, None)
            self._numbers.pop(order_id, None)

    def _told(self, context: Context, emit: Emitter, order_id: str, versions: dict[str, int]) -> list[ShipmentRow]:
        """Answer what was settled; returns the rows."""
        rows = self._all(context, order_id)
        for row in rows:
            if rules.pending(row) and versions.get(row.key) == row.version:
                self._desk.confirmed("shipment", row.caused_at)
                self._tell(context, emit, row, [rules.answer(row)])
        command = next((row.command for row in rows if row.command is not None), None)
        if command is not None and not any(rules.pending(row) for row in rows):
            entity = f"{self._desk.channel}:{command.number}"
            self._desk.resolve_trouble(context, emit, "despatch_gap", entity)
        return self._note(context, order_id, rows)

    def _note(self, context: Context, order_id: str, rows: list[ShipmentRow]) -> list[ShipmentRow]:
        """The next owner need not look at an order of which every parcel is answered."""
        if not any(rules.pending(row) for row in rows):
            self._desk.is_done(context, "shipment", order_id)
        return rows

    def _tell(self, context: Context, emit: Emitter, row: ShipmentRow, outcomes: Sequence[ShipmentOutcome]) -> None:
        """Commit the row and tell ORDERS. A parcel that was removed leaves no row."""
        table = self._desk.tables.shipments
        for outcome in outcomes:
            emit.send(topics.ORDERS_EVENTS, f"{row.channel}:{row.order_id}", outcome)
            if outcome.state == "REFUSED":
                self._desk.ended("shipment", "failed")
        if any(outcome.state == "REMOVED" for outcome in outcomes):
            context.delete(table, row.key)
        else:
            context.put(table, row.key, row)


def _unplaced(rows: Sequence[ShipmentRow]) -> list[ShipmentRow]:
    return [row for row in rows if rules.pending(row) and row.placed < row.version]
