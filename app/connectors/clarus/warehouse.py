"""The connected Clarus as `app.connectors.contract.Warehouse`: joins the parts of this folder, decides nothing itself."""

from collections.abc import Mapping, Sequence

import httpx

from app.connectors.clarus.bundles import InForce
from app.connectors.clarus.changes import Changes
from app.connectors.clarus.client import ClarusClient
from app.connectors.clarus.feed import Feed
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.materials import Materials
from app.connectors.clarus.orders import Orders
from app.connectors.clarus.parcels import AT_ONCE, Parcels
from app.connectors.clarus.probe import Probe
from app.connectors.clarus.returns import Returns
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.clarus.stock import StockReader
from app.connectors.contract import Despatch, Finding, GoodsOut, JointRead, Priority, RateHint, Transport
from schemas.records import AnnounceReturn, ReleaseOrder
from tables.deliveries.receipts import SeenReceipt


class ClarusWarehouse:
    """One Clarus tenant, account and set of warehouses (their codes). Bundles are those of the mappings in force."""

    def __init__(
        self, settings: ClarusSettings, transport: Transport, warehouses: Sequence[str], bundles: InForce = dict
    ) -> None:
        parent = settings.bundles == "parent"
        whole: InForce = bundles if parent else dict
        self._client = ClarusClient(settings, transport)
        lookups = Lookups(self._client, warehouses)
        self._stock = StockReader(self._client, lookups, len(warehouses), whole)
        self._orders = Orders(self._client, lookups, whole)
        self._changes = Changes(self._client, lookups, self._orders)
        self._returns = Returns(self._client, lookups)
        self._parcels = Parcels(self._client, self._orders, whole)
        self._feed = Feed(self._client, lookups)
        self._probe = Probe(self._client, lookups, Materials(self._client, bundles, needed=parent))
        self.max_read = self._stock.max_read
        self.max_despatches = AT_ONCE
        self.processes_picks = settings.process_picks == "adapter"
        self.tracking_wait = settings.tracking_wait_s * 1000

    async def read_stock(self, skus: Sequence[str], priority: Priority) -> Mapping[str, JointRead]:
        """As `Warehouse.read_stock`."""
        return await self._stock.read(skus, priority)

    async def find_orders(self, references: Sequence[str], priority: Priority) -> Mapping[str, list[GoodsOut]]:
        """As `Warehouse.find_orders`."""
        return await self._orders.find(references, priority)

    async def read_despatches(
        self, references: Sequence[str], priority: Priority, known: Mapping[str, GoodsOut]
    ) -> Mapping[str, Despatch]:
        """As `Warehouse.read_despatches`."""
        return await self._parcels.read(references, priority, known)

    async def create_order(self, order: ReleaseOrder, priority: Priority) -> GoodsOut:
        """As `Warehouse.create_order`."""
        return await self._orders.create(order, priority)

    async def change_order(self, order: ReleaseOrder, there: GoodsOut, priority: Priority) -> GoodsOut:
        """As `Warehouse.change_order`."""
        return await self._changes.change(order, there, priority)

    async def cancel_order(self, order: GoodsOut, priority: Priority) -> str:
        """As `Warehouse.cancel_order`."""
        return await self._orders.cancel(order, priority)

    async def process_picks(self, orders: Sequence[GoodsOut], priority: Priority) -> list[str]:
        """As `Warehouse.process_picks`."""
        return await self._orders.process_picks([order.wms_id for order in orders], priority)

    async def find_returns(
        self, returns: Sequence[AnnounceReturn], priority: Priority
    ) -> Mapping[str, Sequence[SeenReceipt]]:
        """As `Warehouse.find_returns`."""
        return await self._returns.find(returns, priority)

    async def announce_return(self, given: AnnounceReturn, warehouse: str, priority: Priority) -> str:
        """As `Warehouse.announce_return`."""
        return await self._returns.announce(given, warehouse, priority)

    async def changes_since(self, cursor: str, priority: Priority) -> tuple[set[str], str]:
        """As `Warehouse.changes_since`."""
        return await self._feed.since(cursor, priority)

    async def probe(self, priority: Priority) -> list[Finding]:
        """As `Warehouse.probe`."""
        return await self._probe.run(priority)

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        """As `Warehouse.rate_hint`."""
        return self._client.rate_hint(response)

    async def close(self) -> None:
        """Nothing is held but caches; the transport is its owner's."""
