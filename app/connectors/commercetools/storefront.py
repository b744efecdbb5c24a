"""A connected commercetools project, as delivery sees it: puts client, stock, orders and probe together."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

import httpx

from app.connectors.commercetools.client import Client, Doc, rate_hint
from app.connectors.commercetools.notes import Notes
from app.connectors.commercetools.orders import snapshot, supply_channels
from app.connectors.commercetools.payments import EXPAND
from app.connectors.commercetools.probe import Probe
from app.connectors.commercetools.refunds import Refunds
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.commercetools.shipments import Shipments
from app.connectors.commercetools.stock import Stock
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
from app.connectors.errors import Malformed
from app.connectors.times import iso
from schemas.records import OrderSnapshot, SettleReturn, ShipParcel
from tables.catalogue import Listing
from tables.deliveries.peers import PeerKind
from tables.deliveries.refunds import Refund
from tables.deliveries.shipments import Extent


class CommercetoolsStorefront:
    """As `contract.Storefront`. Writes are version-checked differences with a marker, one entry per request."""

    kind = PeerKind.VERSIONED
    max_rows = 1
    max_read = 200
    max_fetch = 1
    order_resolution_ms = 0
    keeps_returns = True

    def __init__(self, name: str, settings: CommercetoolsSettings, transport: Transport) -> None:
        self._name, self._settings = name, settings
        self.parallel_writes = settings.parallel_writes
        self._client = Client(name, settings, transport)
        self._stock = Stock(self._client, settings.marker_type, settings.marker_field)
        self._shipments = Shipments(self._client)
        self._refunds = Refunds(self._client, settings.refund_state)
        self._notes = Notes(self._client, settings.late_change_type, settings.late_change_field)

    async def read_stock(self, listings: Sequence[Listing], priority: Priority) -> Mapping[str, StockReading]:
        """As `Storefront.read_stock`; compares `quantityOnStock`. The errors of the transport, `Refused` or `Malformed`."""
        return await self._stock.read(listings, priority)

    async def write_stock(self, requests: Sequence[StockRequest], priority: Priority) -> Mapping[str, StockAnswer]:
        """As `Storefront.write_stock`."""
        answers = await asyncio.gather(*(self._stock.write(request, priority) for request in requests))
        return {answer.listing: answer for answer in answers}

    async def poll_orders(self, since: int, priority: Priority) -> AsyncIterator[OrderPage]:
        """As `Storefront.poll_orders`: keyset paging on `lastModifiedAt` and id (fact sheet 6.5)."""
        started = self._client.peer_time()[0]
        since_then = iso(max(0, since))
        async for page, last in self._client.all("orders", priority, "lastModifiedAt", since_then, self._expand()):
            orders = [await self._snapshot(order, priority) for order in page]
            yield OrderPage(orders, started, last)

    async def fetch_orders(self, order_ids: Sequence[str], priority: Priority) -> Mapping[str, OrderSnapshot]:
        """As `Storefront.fetch_orders`, one by one: new orders come whole with their message."""
        params = {"expand": expand} if (expand := self._expand()) else None
        found = {}
        for order_id in order_ids:
            order = await self._client.get(f"orders/{quote(order_id, safe='')}", priority, params)
            if order is not None:
                found[order_id] = await self._snapshot(order, priority)
        return found

    def _expand(self) -> str:
        """Orders come with their payments where we may see them."""
        return EXPAND if self._client.may("view_payments", "manage_payments") else ""

    async def shipments(self, order_id: str, priority: Priority) -> ShownOrder | None:
        """As `Storefront.shipments`."""
        return await self._shipments.read(order_id, priority)

    async def ship(self, parcel: ShipParcel, extent: Extent, shown: ShownOrder, priority: Priority) -> str:
        """As `Storefront.ship`."""
        return await self._shipments.ship(parcel, extent, shown, priority)

    async def amend(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """As `Storefront.amend`."""
        await self._shipments.amend(parcel, shown, priority)

    async def unship(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """As `Storefront.unship`."""
        await self._shipments.remove(parcel.order_id, peer_id, shown, priority)

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        """As `Storefront.settle`."""
        await self._shipments.settle(order_id, extent, priority)

    async def payments(self, order_id: str, priority: Priority) -> ShownPayments | None:
        """As `Storefront.payments`."""
        return await self._refunds.read(order_id, priority)

    async def refund(self, command: SettleReturn, step: Refund, shown: ShownPayments, priority: Priority) -> int:
        """As `Storefront.refund`."""
        return await self._refunds.refund(command, step, shown, priority)

    async def settle_return(self, command: SettleReturn, priority: Priority) -> None:
        """As `Storefront.settle_return`."""
        await self._refunds.settle(command, priority)

    async def note(self, order_id: str, priority: Priority) -> ShownNote | None:
        """As `Storefront.note`."""
        return await self._notes.read(order_id, priority)

    async def write_note(self, order_id: str, text: str, shown: ShownNote, priority: Priority) -> None:
        """As `Storefront.write_note`."""
        await self._notes.write(order_id, text, shown, priority)

    async def probe(self) -> list[Finding]:
        """As `Storefront.probe`; makes our custom type where the project has none."""
        return await Probe(self._client, self._settings).run()

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        """As `Storefront.rate_hint`."""
        return rate_hint(response)

    async def close(self) -> None:
        """Nothing is held: the transport belongs to delivery."""

    async def _snapshot(self, order: Doc, priority: Priority) -> OrderSnapshot:
        locations = dict[str, str]()
        for id in supply_channels(order):
            if key := await self._client.channel_key(id, priority):
                locations[id] = key
        try:
            return snapshot(self._name, self._settings, order, locations)
        except ValueError as error:
            raise Malformed(self._name, "GET orders", str(error)) from error
