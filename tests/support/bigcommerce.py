"""A simulated BigCommerce store with a connector in front of it, and a record of what went over the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.connectors.bigcommerce import BigCommerceStorefront
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import OrderPage, Priority, StockAnswer, StockReading, StockRequest
from app.connectors.http import DirectTransport
from app.simulators.bigcommerce import BigCommerceSimulator
from schemas.records import OrderSnapshot
from tables.catalogue import Listing

NAME = "bc"


class RecordingTransport(DirectTransport):
    """Keeps every answer that the connector saw."""

    def __init__(self) -> None:
        super().__init__(NAME, timeout=5)
        self.answers: list[httpx.Response] = []

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `DirectTransport.request`."""
        response = await super().request(method, url, priority=priority, authorise=authorise, **options)
        self.answers.append(response)
        return response


@dataclass
class Store:
    """One store under test."""

    simulator: BigCommerceSimulator
    connector: BigCommerceStorefront
    transport: RecordingTransport
    settings: BigCommerceSettings
    readings: dict[str, StockReading] = field(default_factory=dict)

    def add(self, *skus: str, location: str = "", **options: Any) -> list[Listing]:
        """Create listings at the store."""
        for sku in skus:
            self.simulator.add_listing(sku, location, **options)
        return [Listing(NAME, sku, sku, location=location) for sku in skus]

    async def read(self, *listings: Listing) -> list[StockReading]:
        """Read listings, in the order given."""
        self.readings |= await self.connector.read_stock(listings, Priority.SWEEP)
        return [self.readings[x.id] for x in listings]

    async def write(self, deltas: dict[Listing, int], *, zero: bool = False) -> dict[str, StockAnswer]:
        """Write listings: by delta, or zero. Answers by SKU."""
        requests = [
            StockRequest(
                x, 1, 1, 0 if zero else d, 0, zero, self.readings[x.id].peer_id if x.id in self.readings else "", 0
            )
            for x, d in deltas.items()
        ]
        answers = await self.connector.write_stock(requests, Priority.INCREASE)
        assert set(answers) == {x.id for x in deltas}
        return {x.sku: answers[x.id] for x in deltas}

    async def stock(self, listing: Listing, quantity: int) -> None:
        """Set a listing to a quantity through the API, and wait until that is applied."""
        await self.write({listing: 0}, zero=True)
        await self.settled()
        if quantity:
            await self.write({listing: quantity})
            await self.settled()

    async def settled(self) -> None:
        """Wait until no adjustment is under way."""
        await until(lambda: not self.simulator.inventory.pending)

    async def poll(self, since: int = 0) -> list[OrderSnapshot]:
        """All orders of one poll; the last page, and only that, says so."""
        pages: list[OrderPage] = [page async for page in self.connector.poll_orders(since, Priority.SWEEP)]
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert len({page.started_at for page in pages}) == 1
        return [order for page in pages for order in page.orders]

    def requests(self, part: str) -> list[httpx.Request]:
        """What the connector sent to paths that hold `part`."""
        return [answer.request for answer in self.transport.answers if part in answer.request.url.path]


@asynccontextmanager
async def store(*, settings: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Store]:
    """A running store; adjustments are applied at once and refusals are said aloud unless `options` say otherwise."""
    simulator = BigCommerceSimulator(NAME, 1, **{"apply_max": 0.0, "order_lag": (0.0, 0.0), "silent": False, **options})
    await simulator.start()
    transport = RecordingTransport()
    try:
        given = BigCommerceSettings.model_validate({**simulator.connection(), **(settings or {})})
        yield Store(simulator, BigCommerceStorefront(NAME, given, transport), transport, given)
    finally:
        await transport.close()
        await simulator.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0.01)
