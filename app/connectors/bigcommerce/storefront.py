"""The connected BigCommerce store, put together from the modules beside it. It decides nothing of its own."""

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from app.connectors.bigcommerce.adjustments import Adjuster
from app.connectors.bigcommerce.client import Client, rate_hint
from app.connectors.bigcommerce.notes import Notes
from app.connectors.bigcommerce.orders import OrderReader
from app.connectors.bigcommerce.probe import Probe
from app.connectors.bigcommerce.products import Products
from app.connectors.bigcommerce.refunds import Refunds
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.bigcommerce.shipments import Shipments
from app.connectors.bigcommerce.stock import StockReader
from app.connectors.contract import (
    Finding,
    OrderPage,
    Priority,
    RateHint,
    ShownNote,
    ShownOrder,
    ShownPayments,
    StockAnswer,
    StockReading,
    StockRequest,
    Transport,
)
from schemas.records import OrderSnapshot, SettleReturn, ShipParcel
from tables.catalogue import Listing
from tables.deliveries.peers import PeerKind
from tables.deliveries.refunds import Refund
from tables.deliveries.shipments import Extent


class BigCommerceStorefront:
    """A connected BigCommerce store (`Storefront`). One adjustment request at a time; order times have a resolution of one second."""

    kind = PeerKind.RELATIVE
    max_rows = 500
    max_read = 500
    max_fetch = 50
    parallel_writes = 1
    order_resolution_ms = 2000
    keeps_returns = False

    def __init__(self, name: str, settings: BigCommerceSettings, transport: Transport) -> None:
        client = Client(name, settings, transport)
        products = Products(client)
        reader = StockReader(client, products, settings.location_id)
        self._reader, self._adjuster = reader, Adjuster(client, reader)
        self._orders, self._probe = OrderReader(client, products, settings), Probe(client, settings)
        self._shipments = Shipments(client, settings)
        self._refunds = Refunds(client, settings)
        self._notes = Notes(client)

    async def read_stock(self, listings: Sequence[Listing], priority: Priority) -> Mapping[str, StockReading]:
        """As `Storefront.read_stock`."""
        return await self._reader.read(listings, priority)

    async def write_stock(self, requests: Sequence[StockRequest], priority: Priority) -> Mapping[str, StockAnswer]:
        """As `Storefront.write_stock`."""
        return await self._adjuster.write(requests, priority)

    def poll_orders(self, since: int, priority: Priority) -> AsyncIterator[OrderPage]:
        """As `Storefront.poll_orders`."""
        return self._orders.poll(since, priority)

    async def fetch_orders(self, order_ids: Sequence[str], priority: Priority) -> Mapping[str, OrderSnapshot]:
        """As `Storefront.fetch_orders`."""
        return await self._orders.fetch(order_ids, priority)

    async def shipments(self, order_id: str, priority: Priority) -> ShownOrder | None:
        """As `Storefront.shipments`."""
        return await self._shipments.read(order_id, priority)

    async def ship(self, parcel: ShipParcel, extent: Extent, shown: ShownOrder, priority: Priority) -> str:
        """As `Storefront.ship`."""
        return await self._shipments.ship(parcel, priority)

    async def amend(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """As `Storefront.amend`."""
        await self._shipments.amend(parcel, peer_id, priority)

    async def unship(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """As `Storefront.unship`."""
        await self._shipments.remove(parcel.order_id, peer_id, priority)

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        """As `Storefront.settle`."""
        await self._shipments.settle(order_id, extent, priority)

    async def payments(self, order_id: str, priority: Priority) -> ShownPayments | None:
        """As `Storefront.payments`."""
        return await self._refunds.read(order_id, priority)

    async def refund(self, command: SettleReturn, step: Refund, shown: ShownPayments, priority: Priority) -> int:
        """As `Storefront.refund`."""
        return await self._refunds.refund(command, step, priority)

    async def settle_return(self, command: SettleReturn, priority: Priority) -> None:
        """The platform keeps no return items (6.3)."""

    async def note(self, order_id: str, priority: Priority) -> ShownNote | None:
        """As `Storefront.note`."""
        return await self._notes.read(order_id, priority)

    async def write_note(self, order_id: str, text: str, shown: ShownNote, priority: Priority) -> None:
        """As `Storefront.write_note`."""
        await self._notes.write(order_id, text, priority)

    async def probe(self) -> list[Finding]:
        """As `Storefront.probe`."""
        return await self._probe.run()

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        """As `Storefront.rate_hint`."""
        return rate_hint(response)

    async def close(self) -> None:
        """The connector holds nothing of its own."""
