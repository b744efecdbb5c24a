"""The simulated peers of one drill: made from the file, filled with its products and stock, asked for their truth. It starts no process of the product."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from app.drill.checks import stock_failures
from app.drill.file import BigCommerceChannel, CommercetoolsChannel, DrillFile, Floor
from app.drill.model import Offers, Truth, truth_of
from app.drill.split import state
from app.simulators.base import now_ms
from app.simulators.contract import (
    FloorSpeed,
    StorefrontOrder,
    StorefrontSimulator,
    WarehouseOrder,
    WarehouseReturn,
    WarehouseSimulator,
)

SPEED_SECONDS = 36.0
"""Selling speed is that of the last 30 s of a storefront's time; with that time's own resolution, and the next poll."""


class PeerFactory(Protocol):
    """Makes the simulators; tests make their own."""

    def warehouse(self, file: DrillFile) -> WarehouseSimulator: ...
    def storefront(self, name: str, file: DrillFile) -> StorefrontSimulator: ...


@runtime_checkable
class Hooked(Protocol):
    """A peer that sends webhooks to an address; the others notify through Kafka."""

    def notify_to(self, url: str) -> None: ...


@runtime_checkable
class Streaming(Protocol):
    """A peer that notifies through a Kafka cluster of its own."""

    def connect_kafka(self, bootstrap: str, topic: str, security: Mapping[str, str]) -> None: ...


class Peers:
    """All peers of a drill."""

    def __init__(self, file: DrillFile, factory: PeerFactory) -> None:
        self.file, self.offers = file, Offers(file)
        self.clarus = factory.warehouse(file)
        self.storefronts: dict[str, StorefrontSimulator] = {
            name: factory.storefront(name, file) for name in file.channels
        }
        self.in_shadow = {name for name, channel in file.channels.items() if channel.shadow}
        self.opening = 0
        """Length of Clarus' journal when the opening stock was in."""

    def all(self) -> Sequence[StorefrontSimulator | WarehouseSimulator]:
        """Clarus and every storefront."""
        return [self.clarus, *self.storefronts.values()]

    async def start(self) -> None:
        """Serve, create products and listings, book the opening stock."""
        for peer in self.all():
            await peer.start()
        for product in self.file.products:
            if not product.bundle:
                self.clarus.add_product(product.sku)
            elif self.file.bundles == "parent":
                self.clarus.add_bundle(product.sku, product.bundle)
            for channel, listing in product.listed():
                self.storefronts[channel].add_listing(listing.sku, listing.location)
            for warehouse, stock in product.opening().items():
                if total := stock.available + stock.held:
                    self.clarus.receive(product.sku, warehouse, total)
                if stock.held:
                    self.clarus.hold(product.sku, warehouse, stock.held)
        self.opening = len(self.clarus.journal.entries)

    async def stop(self) -> None:
        """End them all."""
        for peer in self.all():
            await peer.stop()

    def notify(self, address: Callable[[str], str]) -> None:
        """Tell every peer with webhooks where they go; `address` gives the URL of a channel."""
        for name, peer in (("clarus", self.clarus), *self.storefronts.items()):
            if isinstance(peer, Hooked):
                peer.notify_to(address(name))

    def streaming(self) -> dict[str, Streaming]:
        """The storefronts that notify through Kafka."""
        return {name: peer for name, peer in self.storefronts.items() if isinstance(peer, Streaming)}

    def connections(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """What the product needs to reach them: `clarus`, and the channels by name."""
        return self.clarus.connection(), {name: s.connection() for name, s in self.storefronts.items()}

    def truth(self) -> Truth:
        """Stock and open demand now."""
        return truth_of(self.offers, self.orders(), self.clarus.orders(), self.clarus.stock())

    def orders(self) -> dict[str, list[StorefrontOrder]]:
        """All storefront orders by channel."""
        return {name: list(peer.orders().values()) for name, peer in self.storefronts.items()}

    def goods_outs(self) -> dict[str, list[WarehouseOrder]]:
        """All goods outs by order key `channel:order id`."""
        found: dict[str, list[WarehouseOrder]] = {}
        for goods_out in self.clarus.orders():
            found.setdefault(goods_out.upstream, []).append(goods_out)
        return found

    def returns(self) -> dict[str, list[WarehouseReturn]]:
        """All goods-in receipts of returns by order key."""
        found: dict[str, list[WarehouseReturn]] = {}
        for one in self.clarus.returns():
            found.setdefault(one.upstream, []).append(one)
        return found

    def selling(self) -> float:
        """Seconds for which a product with a velocity buffer still counts as selling; 0 where there is none."""
        if not any(offer.velocity for offer in self.offers.all):
            return 0.0
        last = max((order.placed_at for orders in self.orders().values() for order in orders), default=0)
        return max(0.0, last / 1000 + SPEED_SECONDS - now_ms() / 1000)

    def shown(self) -> Mapping[str, int]:
        """Every listing's own quantity, by its name."""
        return {o.name: self.storefronts[o.channel].quantity(o.sku, o.location) for o in self.offers.all}

    def wrong(self) -> list[str]:
        """Listings that do not show what the policies give now; those in shadow need not."""
        shadowed = {offer.name for offer in self.offers.all if offer.channel in self.in_shadow}
        failures = stock_failures(self.offers, self.truth(), self.shown())
        return [str(failure["entity"]) for failure in failures if failure["entity"] not in shadowed]

    def ambiguous(self) -> bool:
        """Does a bundle sell from a split pool? Nothing on offer is right there too, so figures alone do not say that the product has published."""
        truth = self.truth()
        return any(
            state(self.offers, truth, code) != "shared"
            for offer in self.offers.all
            if offer.bundle
            for code, _ in offer.parts
        )

    def writes(self, channel: str) -> list[str]:
        """Requests to the storefront that may change something there; tokens are none."""
        calls = self.storefronts[channel].journal.calls
        return [f"{c.method} {c.path}" for c in calls if c.method not in ("GET", "HEAD") and "oauth" not in c.path]


def floor_speed(file: DrillFile) -> FloorSpeed:
    """The speed of the simulated floor as the file has it."""
    if not isinstance(file.floor, Floor):
        return FloorSpeed(None, None, None)
    return FloorSpeed(file.floor.allocate / 1000, file.floor.pick / 1000, file.floor.despatch / 1000)


def lag_seconds(channel: CommercetoolsChannel | BigCommerceChannel) -> tuple[float, float]:
    """How late notifications come."""
    return channel.order_lag[0] / 1000, channel.order_lag[1] / 1000
