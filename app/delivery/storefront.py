"""The owner of one storefront channel: its stock, its orders, their shipments, refunds and notes, and its start check, side by side."""

import asyncio
from collections.abc import Set

from agents.delivery import Kind
from app.connectors.contract import Finding, Storefront
from app.delivery.bounds import bounds_of
from app.delivery.desk import Desk
from app.delivery.listings import Listings
from app.delivery.notes import NoteDesk
from app.delivery.orders import OrderIntake
from app.delivery.owner import prove
from app.delivery.queues import Queues
from app.delivery.refunds import RefundDesk
from app.delivery.shipments import ShipmentDesk


class StorefrontOwner:
    """Implements `app.delivery.owner.Owner`."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        self.desk = desk
        self.findings: list[Finding] = []
        self._connector = connector
        self._orders = OrderIntake(desk, connector)
        self._shipments = ShipmentDesk(desk, connector)
        self._refunds = RefundDesk(desk, connector)
        self._notes = NoteDesk(desk, connector)
        self._listings = Listings(
            desk, connector, bounds_of(connector, desk.settings.bounds), self._orders.known, self.findings
        )

    def changed(self, kind: Kind, key: str) -> None:
        """As `Owner.changed`."""
        match kind:
            case "listing":
                self._listings.changed(key)
            case "fetch":
                self._orders.changed(key)
            case "shipment":
                self._shipments.changed(key)
            case "refund":
                self._refunds.changed(key)
            case "note":
                self._notes.changed(key)
            case _:
                self.desk.told(kind, key)

    def backlog(self) -> dict[str, int]:
        """As `Owner.backlog`."""
        return {
            "stock": self._listings.pending(),
            "fetches": self._orders.pending(),
            "shipments": self._shipments.pending(),
            "refunds": self._refunds.pending(),
            "notes": self._notes.pending(),
        }

    def queues(self) -> list[Queues]:
        """As `Owner.queues`."""
        parts = (self._listings, self._orders, self._shipments, self._refunds, self._notes)
        return [part.queues() for part in parts]

    def uncertain(self) -> int:
        """As `Owner.uncertain`."""
        return self._listings.uncertain()

    def unguarded(self) -> int:
        """As `Owner.unguarded`."""
        return self._listings.unguarded()

    def remapped(self, changed: Set[str]) -> None:
        """As `Owner.remapped`."""
        self._listings.remapped(changed)

    async def run(self) -> None:
        """As `Owner.run`."""
        await self.desk.load_mode()
        await self.desk.load_troubles()
        await self._orders.load()
        await self._listings.load()
        await self._shipments.load()
        await self._refunds.load()
        await self._notes.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(prove(self.desk, self._connector.probe, self.findings))
            group.create_task(self.desk.run_pauses(self._resumed))
            group.create_task(self._orders.run_polls())
            group.create_task(self._orders.run_fetches(group))
            group.create_task(self._listings.run(group))
            group.create_task(self._shipments.run(group))
            group.create_task(self._shipments.run_checks())
            group.create_task(self._refunds.run(group))
            group.create_task(self._refunds.run_checks())
            group.create_task(self._notes.run(group))

    def _resumed(self) -> None:
        self._listings.resumed()
        self._shipments.resumed()
        self._refunds.resumed()
        self._notes.resumed()

    async def close(self) -> None:
        """As `Owner.close`."""
        await self._connector.close()
        await self.desk.gate.close()
