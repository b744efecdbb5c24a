"""The owner of the warehouse's channel: stock reads, the feed, releases and their status, what left and what comes back, and the start check, side by side."""

import asyncio
from collections.abc import Set

from agents.delivery import Kind
from app.connectors.contract import Finding, Priority, Warehouse
from app.delivery.desk import Desk
from app.delivery.owner import prove
from app.delivery.parcels import ParcelReads
from app.delivery.queues import Queues
from app.delivery.releases import Releases
from app.delivery.returns import ReturnDesk
from app.delivery.stock import WarehouseStock


class WarehouseOwner:
    """Implements `app.delivery.owner.Owner`."""

    def __init__(self, desk: Desk, connector: Warehouse) -> None:
        self.desk = desk
        self.findings: list[Finding] = []
        self._connector = connector
        self._parcels = ParcelReads(desk, connector)
        self._returns = ReturnDesk(desk, connector)
        self._releases = Releases(desk, connector, lambda sku: self._stock.changed(sku), self._parcels.left)
        self._stock = WarehouseStock(
            desk, connector, self._releases.looked_up, self._releases.moved, self._releases.unseen
        )

    def changed(self, kind: Kind, key: str) -> None:
        """As `Owner.changed`."""
        match kind:
            case "read":
                self._stock.changed(key)
            case "release":
                self._releases.changed(key)
            case "status":
                self._releases.named(key)
            case "receipt":
                self._returns.changed(key)
            case _:
                self.desk.told(kind, key)

    def backlog(self) -> dict[str, int]:
        """As `Owner.backlog`."""
        return {
            "reads": self._stock.pending(),
            "orders": self._releases.pending(),
            "parcels": self._parcels.pending(),
            "returns": self._returns.pending(),
        }

    def queues(self) -> list[Queues]:
        """As `Owner.queues`."""
        return [self._stock.queues(), self._releases.queues(), self._parcels.queues(), self._returns.queues()]

    def uncertain(self) -> int:
        """As `Owner.uncertain`: the warehouse lists nothing."""
        return 0

    def unguarded(self) -> int:
        """As `Owner.unguarded`: a warehouse lists nothing."""
        return 0

    def remapped(self, changed: Set[str]) -> None:
        """As `Owner.remapped`: a fresh read of a product makes the ledger publish it anew."""
        self._stock.remapped(changed)

    async def run(self) -> None:
        """As `Owner.run`."""
        await self.desk.load_mode()
        await self.desk.load_troubles()
        await self._stock.load()
        await self._releases.load()
        await self._parcels.load()
        await self._returns.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(prove(self.desk, lambda: self._connector.probe(Priority.INCREASE), self.findings))
            group.create_task(self.desk.run_pauses(self._resumed))
            group.create_task(self._stock.run(group))
            group.create_task(self._stock.run_feed())
            group.create_task(self._releases.run(group))
            group.create_task(self._releases.run_checks())
            group.create_task(self._releases.run_named())
            group.create_task(self._parcels.run(group))
            group.create_task(self._returns.run())

    def _resumed(self) -> None:
        self._releases.resumed()
        self._returns.resumed()

    async def close(self) -> None:
        """As `Owner.close`."""
        await self._connector.close()
        await self.desk.gate.close()
