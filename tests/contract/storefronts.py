"""The connectors under contract: for each, its simulator and a way to hear its notifications. A new connector is one more entry of `CASES`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import TypeAdapter

from app.connectors import intake_for, storefront_for
from app.connectors.contract import AnswerKind, Intake, Priority, StockAnswer, StockRequest, Storefront
from app.connectors.http import DirectTransport
from app.settings import ChannelSettings, Settings
from app.simulators.base import Fault, FaultKind
from app.simulators.bigcommerce import BigCommerceSimulator
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import StorefrontSimulator
from schemas.records import OrderSnapshot, RawNotification
from tables.catalogue import Listing

NAME = "shop"
Heard = list[RawNotification]


@dataclass(frozen=True)
class Case:
    """One connector: `simulator` makes its peer, `listen` lets a list hear what the peer sends, `secret` is the setting that holds its credential."""

    name: str
    simulator: Callable[[], Any]
    listen: Callable[[Any, Heard], None]
    secret: str


class _Sink:
    def __init__(self, heard: Heard, route: str) -> None:
        self._heard, self._route = heard, route

    async def deliver(self, envelope: bytes) -> bool:
        self._heard.append(RawNotification(channel=NAME, route=self._route, headers={}, body=envelope))
        return True

    async def close(self) -> None:
        """Nothing to stop."""


def _hear_webhooks(simulator: BigCommerceSimulator, heard: Heard) -> None:
    """Registers the order hooks, and takes their callbacks without a socket."""

    def take(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard.append(RawNotification(channel=NAME, route="webhook", headers=headers, body=request.content))
        return httpx.Response(200)

    simulator.webhooks.client = httpx.AsyncClient(transport=httpx.MockTransport(take))
    simulator.notify_to("http://shop.test/hooks")


CASES = [
    Case(
        "commercetools",
        lambda: CommercetoolsSimulator(NAME, 7, order_lag=(0.0, 0.05), rate=1000, visible_lag=0.2),
        lambda simulator, heard: simulator.subscribe(_Sink(heard, "kafka")),
        "client_secret",
    ),
    Case(
        "bigcommerce",
        lambda: BigCommerceSimulator(NAME, 7, order_lag=(0.0, 0.05), rate=1000, apply_max=0.05, silent=False),
        _hear_webhooks,
        "access_token",
    ),
]


@dataclass
class Shop:
    """A running simulator with our connector connected to it."""

    case: Case
    simulator: StorefrontSimulator
    storefront: Storefront
    intake: Intake
    transport: DirectTransport
    heard: Heard = field(default_factory=list)
    attempt: int = 0

    def listing(self, sku: str, location: str = "") -> Listing:
        """A listing that exists at the peer."""
        self.simulator.add_listing(sku, location)
        return Listing(NAME, sku, sku, location=location)

    async def request(self, listing: Listing, delta: int, *, zero: bool = False) -> StockRequest:
        """The next write to a listing, as of a fresh read."""
        reading = (await self.storefront.read_stock([listing], Priority.SWEEP))[listing.id]
        self.attempt += 1
        gross = reading.quantity + delta
        return StockRequest(listing, 1, self.attempt, delta, gross, zero, reading.peer_id, reading.peer_version)

    async def write(self, request: StockRequest) -> StockAnswer:
        """One write and its answer."""
        return (await self.storefront.write_stock([request], Priority.INCREASE))[request.listing.id]

    async def stock(self, listing: Listing, quantity: int) -> None:
        """Bring a fresh listing to a quantity, the way the contract prescribes, and wait until it is so."""
        if (await self.write(await self.request(listing, quantity))).kind is AnswerKind.NEEDS_ABSOLUTE:
            zeroed = await self.write(await self.request(listing, 0, zero=True))
            assert zeroed.kind is AnswerKind.OK
            await self.quiet()
            assert (await self.write(await self.request(listing, quantity))).kind is AnswerKind.OK
        await self.quiet()
        assert self.simulator.quantity(listing.sku, listing.location) == quantity

    async def quiet(self) -> None:
        """Wait until all lags of the peer are over."""
        await until(self.simulator.quiet)

    def fault(self, kind: FaultKind, **fields: Any) -> None:
        """From now on every request is hit by this fault."""
        self.simulator.faults.add(Fault(kind, time.monotonic() + 60, **fields))

    async def poll(self, since: int = 0) -> Sequence[OrderSnapshot]:
        """All orders of one poll."""
        return [order async for page in self.storefront.poll_orders(since, Priority.SWEEP) for order in page.orders]


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition; fails where it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition belongs to a simulator, which tells nobody
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(case: Case, *, timeout: float = 5.0, **changed: Any) -> AsyncIterator[Shop]:
    """A shop of this case, with its settings `changed`."""
    simulator = case.simulator()
    await simulator.start()
    transport = DirectTransport(NAME, timeout=timeout)
    try:
        settings = TypeAdapter(ChannelSettings).validate_python({**simulator.connection(), **changed})
        storefront = storefront_for(NAME, settings, transport)
        intake = intake_for(NAME, Settings(channels={NAME: settings}))
        shop = Shop(case, simulator, storefront, intake, transport)
        case.listen(simulator, shop.heard)
        yield shop
        await storefront.close()
    finally:
        await transport.close()
        await simulator.stop()
