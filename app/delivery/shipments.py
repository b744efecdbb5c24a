"""The despatch side of a storefront's owner: every parcel of every order is at the storefront once, and the order there says how much of it was sent.

What to do about a parcel is decided by `tables/deliveries/shipments.py`. Here one order is worked on at a time: look, commit the intent, write, look again;
at the end the order's own state is settled, and only then ORDERS is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import Priority, ShownOrder, Storefront
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.order_desk import OrderDesk
from app.engine.api import Context
from schemas.records import ShipmentOutcome
from tables.deliveries import shipments as rules
from tables.deliveries.shipments import Amend, Extent, Placed, Remove, Ship, ShipmentRow, Wait

ORDERS_AT_ONCE: Final = 32
DESPATCH: Final = Priority.DESPATCH


@dataclass(frozen=True, slots=True)
class Write:
    """One request that was decided and whose intent is committed. `extent`: how much of the order is sent when it is done."""

    key: str
    step: Ship | Amend | Remove
    extent: Extent


class ShipmentDesk(OrderDesk[ShipmentRow, ShipmentOutcome]):
    """Parcels of one channel."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        level = desk.settings.delivery.despatch_level
        super().__init__(desk, connector, "shipment", desk.tables.shipments, rules, ORDERS_AT_ONCE, level)
        self._numbers: dict[str, str] = {}

    async def _is_late(self, order_id: str) -> None:
        if order_id not in self._numbers:
            self._note_number(order_id, await self._desk.commit(lambda context, _: self._all(context, order_id)))
        detail = (
            f"a parcel left the warehouse and is not at the storefront after {self._level // 1000} s: it is tried on;"
            " see the channel in `clarus-stream doctor`, or enter it there by hand"
        )
        entity = f"{self._desk.channel}:{self._numbers.get(order_id, order_id)}"
        await self._complain("despatch_gap", entity, detail)

    def _is_over(self, context: Context, emit: Emitter, order_id: str, rows: Sequence[ShipmentRow]) -> None:
        command = next((row.command for row in rows if row.command is not None), None)
        if command is not None:
            entity = f"{self._desk.channel}:{command.number}"
            self._desk.resolve_trouble(context, emit, "despatch_gap", entity)

    def _forget(self, order_id: str) -> None:
        super()._forget(order_id)
        self._numbers.pop(order_id, None)

    async def _bring_about(self, order_id: str) -> None:
        await self._settle(order_id, *await self._place(order_id))

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

    def _look(
        self, context: Context, emit: Emitter, order_id: str, shown: ShownOrder | None, looked_at: int
    ) -> tuple[Write | None, list[ShipmentRow]]:
        """Fold a look: what it shows is placed, the first write that is due begins. None: nothing is to be written now. With the rows."""
        rows, table = self._all(context, order_id), self._table
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
                    self._worklist.park(order_id)
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

        rows = await self._answered(order_id, write.key, failed, lambda row, _: rules.accepted(row, peer_id))
        return rows, failed is None

    async def _settle(self, order_id: str, rows: list[ShipmentRow], said: Extent | None) -> None:
        """The order's own state, then the answers; what still waits is looked at again when it is due."""
        if any(rules.pending(row) and row.placed == row.version for row in rows):
            if said != (extent := rules.extent(rows)):
                await doing("settle_order", self._connector.settle(order_id, extent, DESPATCH))
            versions = {row.key: row.version for row in rows if row.placed == row.version}
            rows = await self._desk.commit(lambda context, emit: self._told(context, emit, order_id, versions))
        self._wait(order_id, rows)

    def _keep(self, context: Context, row: ShipmentRow, outcomes: Sequence[ShipmentOutcome]) -> None:
        """A parcel that was removed leaves no row."""
        if any(outcome.state == "REMOVED" for outcome in outcomes):
            context.delete(self._table, row.key)
        else:
            super()._keep(context, row, outcomes)


def _unplaced(rows: Sequence[ShipmentRow]) -> list[ShipmentRow]:
    return [row for row in rows if rules.pending(row) and row.placed < row.version]
