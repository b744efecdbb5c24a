"""A small world of products, bundles and listings around the ledger's own rules: one log per SKU that is read in its own time, storefronts that sell.

The truth is known: what every warehouse had, what was sold where, what every listing shows. Requests land at once and are answered; everything else that
can happen between them is left to the order in which a test lets things happen. Times are milliseconds of one clock for all storefronts.
"""

from collections import deque
from dataclasses import dataclass, replace
from random import Random

import msgspec

from schemas.records import (
    Baseline,
    BundleHold,
    ComponentStock,
    DemandLine,
    Record,
    StockLevel,
    StockOutcome,
    StockTarget,
    Watermark,
)
from tables.catalogue import Catalogue, Listing
from tables.stock.rows import Rules, SkuRow
from tests.unit.stock.memory import EXACT, Ledger
from tests.unit.stock.test_pool import Demand, can_serve

BEGIN = 1000


class Shelf:
    """One listing at its storefront: gross units it was given, units it sold, the newest command that was not executed yet."""

    def __init__(self, listing: Listing) -> None:
        self.listing, self.gross, self.sold = listing, 0, 0
        self.wanted: StockTarget | None = None

    @property
    def shown(self) -> int:
        return self.gross - self.sold


@dataclass
class Order:
    """One order of one listing."""

    key: str
    number: int
    units: int
    at: int
    closed: bool = False
    restocked_at: int | None = None


class Network:
    """Everything that has happened, and what is on its way."""

    def __init__(self, catalogue: Catalogue, stock: dict[str, dict[str, int]]) -> None:
        self.catalogue, self.supply = catalogue, {sku: dict(free) for sku, free in stock.items()}
        channels = {listing.channel for listing in catalogue.listings.values()}
        self.rules = Rules(catalogue, 1, dict.fromkeys(channels, EXACT))
        self.ledgers = {sku: Ledger(self.rules) for sku in catalogue.products}
        self.logs: dict[str, deque[Record]] = {sku: deque() for sku in catalogue.products}
        self.shelves = {key: Shelf(listing) for key, listing in catalogue.listings.items()}
        self.now, self.reads = BEGIN, 0
        self.orders: list[Order] = []
        self.words: list[ComponentStock | BundleHold] = []

    # ---- what may happen ----

    def adopt(self, key: str, unguarded: str = "") -> None:
        listing = self.shelves[key].listing
        self._append(
            Baseline(
                sku=listing.product,
                listing=key,
                epoch=self.now,
                quantity=0,
                at_from=self.now,
                at_to=self.now,
                unguarded=unguarded,
            )
        )

    def read(self, sku: str) -> None:
        """The warehouse takes nothing out of its balances here: demand stays open."""
        self.reads += 1
        balances = dict(self.supply[sku])
        self._append(
            StockLevel(sku=sku, read_no=self.reads, chunk=0, chunks=1, balances=balances, lines=[], read_at=self.now)
        )

    def receive(self, sku: str, warehouse: str, eaches: int) -> None:
        self.supply[sku][warehouse] += eaches
        self.read(sku)

    def sell(self, key: str, units: int) -> bool:
        shelf = self.shelves[key]
        if shelf.shown < units:
            return False
        self.now += 10
        shelf.sold += units
        self.orders.append(Order(key, len(self.orders), units, self.now))
        self._tell(self.orders[-1])
        return True

    def cancel(self, order: Order, restock: bool) -> None:
        """Before the warehouse has seen it. The storefront may put the units back by itself."""
        if order.closed:
            return
        self.now += 10
        order.closed, order.restocked_at = True, self.now if restock else None
        self.shelves[order.key].sold -= order.units if restock else 0
        self._tell(order)

    def write(self, key: str) -> None:
        """Delivery executes the newest command: what lies between has no outcome of its own."""
        shelf = self.shelves[key]
        wanted, shelf.wanted = shelf.wanted, None
        if wanted is None:
            return
        self.now += 10
        shelf.gross = (
            min(max(shelf.gross, wanted.inc), max(wanted.dec, wanted.inc)) if shelf.gross <= wanted.dec else wanted.dec
        )
        self._append(
            StockOutcome(
                sku=wanted.sku,
                listing=key,
                epoch=wanted.epoch,
                version=wanted.version,
                bound=max(shelf.gross, wanted.inc),
                at=self.now,
            )
        )

    def poll(self, channel: str) -> None:
        """All orders of the channel are in the logs: the watermark follows them in each."""
        self.now += 10
        for sku in self.logs:
            self.logs[sku].append(Watermark(channel=channel, order_partition=0, up_to=self.now))

    def fold(self, sku: str) -> None:
        """The next record of one SKU's log."""
        if not self.logs[sku]:
            return
        for effect in self.ledgers[sku](self.logs[sku].popleft()):
            match effect:
                case StockTarget():
                    self.shelves[effect.listing].wanted = effect
                case ComponentStock() | BundleHold():
                    self.words.append(effect)
                    self._append(effect)

    def restart(self) -> None:
        """Every SKU's row through its bytes."""
        for ledger in self.ledgers.values():
            rows = ledger.state.skus
            rows.update(
                {key: msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=SkuRow) for key, row in rows.items()}
            )

    def restarted(self, catalogue: Catalogue) -> "Network":
        """The same world when its workers come back with another configuration."""
        found = Network(catalogue, self.supply)
        found.shelves, found.now, found.reads = self.shelves, self.now, self.reads
        found.logs, found.ledgers = self.logs, self.ledgers
        found.orders = [
            replace(order, closed=True) for order in self.orders
        ]  # they are at the warehouse: out of its balances
        for order in self.orders:
            for sku in self.supply:
                eaches = 0 if order.closed else self.catalogue.eaches(self.shelves[order.key].listing, sku)
                found.supply[sku]["MAIN"] -= eaches * order.units
        for ledger in found.ledgers.values():
            ledger.rules = found.rules
        return found

    # ---- the truth ----

    def demand(self, sku: str) -> Demand:
        """What open orders want of it, by the warehouses that may serve them."""
        found: Demand = []
        for order in self.orders:
            listing = self.shelves[order.key].listing
            eaches = 0 if order.closed else self.catalogue.eaches(listing, sku) * order.units
            found.append((frozenset(self.catalogue.policy(listing).warehouses), eaches))
        return found

    def servable(self) -> bool:
        """Can all that was sold, and all that the listings show, be served?"""
        for sku, free in self.supply.items():
            shown = self.demand(sku)
            for shelf in self.shelves.values():
                eaches = self.catalogue.eaches(shelf.listing, sku)
                warehouses = frozenset(self.catalogue.policy(shelf.listing).warehouses)
                shown.append((warehouses, max(0, shelf.shown) * eaches))
            if not can_serve(dict(free), shown):
                return False
        return True

    # ---- ways ----

    def start(self) -> None:
        """All SKUs are read, all listings adopted, in one go."""
        for sku in self.supply:
            self.read(sku)
        for key in self.shelves:
            self.adopt(key)
        self.settle()

    def settle(self, rounds: int = 60) -> None:
        """Everything on its way arrives, again and again, until nothing happens any more."""
        for _ in range(rounds):
            for channel in sorted({shelf.listing.channel for shelf in self.shelves.values()}):
                self.poll(channel)
            while any(self.logs.values()):
                for sku in self.logs:
                    self.fold(sku)
            if not any(shelf.wanted for shelf in self.shelves.values()):
                return
            for key in self.shelves:
                self.write(key)
        raise AssertionError("it never comes to rest")

    def wait(self, milliseconds: int = 40_000) -> None:
        """Time without a sale."""
        self.now += milliseconds
        self.settle()

    def anything(self, random: Random) -> None:
        """One thing happens."""
        keys, skus = sorted(self.shelves), sorted(self.logs)
        chance = random.randrange(10)
        if chance < 3:
            self.sell(random.choice(keys), random.randint(1, 3))
        elif chance < 7:
            self.fold(random.choice(skus))
        elif chance < 8:
            self.write(random.choice(keys))
        elif chance < 9:
            self.poll(random.choice(sorted({shelf.listing.channel for shelf in self.shelves.values()})))
        elif random.random() < 0.3 and self.words:
            self._append(random.choice(self.words))  # an at-least-once worker says it again
        elif random.random() < 0.3 and self.orders:
            self.cancel(random.choice(self.orders), random.random() < 0.5)
        elif random.random() < 0.3:
            self.restart()
        elif random.random() < 0.3:
            sku = random.choice(sorted(self.supply))
            self.receive(sku, random.choice(sorted(self.supply[sku])), random.randint(1, 4))

    def _append(self, body: Record) -> None:
        self.logs[body.sku].append(body)  # type: ignore[attr-defined]

    def _tell(self, order: Order) -> None:
        """Its lines in the log of every SKU concerned."""
        listing = self.shelves[order.key].listing
        bundle = self.catalogue.products[listing.product].bundle
        parts = {**bundle, listing.product: 0} if bundle else {listing.product: listing.eaches}
        for sku, eaches in parts.items():
            self._append(
                DemandLine(
                    sku=sku,
                    reference=f"{listing.channel}:{order.number}",
                    channel=listing.channel,
                    order_id=str(order.number),
                    line_id="1",
                    version=2 if order.closed else 1,
                    eaches=eaches * order.units,
                    state="CLOSED" if order.closed else "OPEN",
                    warehouses=list(self.catalogue.policy(listing).warehouses),
                    listing=listing.id,
                    units=order.units,
                    taken_from=order.at,
                    taken_to=order.at,
                    restocked_at=order.restocked_at,
                )
            )
