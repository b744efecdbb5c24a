"""What the stock ledger is fed by the benchmarks: 20,000 products with two listings each, opened by reads and baselines, then a sale in its log order.

Made deterministically from a seed. The product's own rules run beside it, so that outcomes and read-backs say what peers would say after the commands of this
very history. Nothing is measured here.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.connectors import storefront_type
from app.delivery.bounds import bounds_of
from app.engine import partition_of
from app.settings import Settings, from_mapping
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    Baseline,
    DemandLine,
    Event,
    InventoryEventBody,
    ReadBack,
    ReflectedLine,
    StockLevel,
    StockOutcome,
    StockTarget,
    Watermark,
)
from tables.stock import fold
from tables.stock.publish import publish
from tables.stock.rows import Rules
from tests.support.stock import Memory

START_MS = 1_700_000_000_000
WATERMARK_MS = 2_000
"""Storefront time between two order polls of a channel; the default is 10 s, so watermarks cost five times what they do in production."""


@dataclass(slots=True)
class Input:
    """One record of `inventory.events`."""

    partition: int
    key: str
    value: bytes


@dataclass(slots=True)
class Shelf:
    """What is really there of one product, and what the warehouse has not told yet."""

    stock: dict[str, int]
    read_no: int = 1
    read_due: bool = False
    pending: dict[str, ReflectedLine] = field(default_factory=dict)


def settings(products: int, partitions: int) -> Settings:
    """Two storefronts; every second product's pool is split (escrow), the others share theirs."""
    return from_mapping(
        {
            "channels": {
                "shop-eu": {"system": "commercetools", "project_key": "bench"},
                "shop-us": {"system": "bigcommerce", "store_hash": "bench"},
            },
            "warehouses": ["MAIN", "NORTH"],
            "products": [
                {"sku": sku, "channels": {"shop-eu": sku, "shop-us": f"US-{sku}"}}
                for sku in map(sku_of, range(products))
            ],
            "policies": [
                {"match": {"channel": "*", "sku": "S-*"}, "mode": "shared", "buffer": 2},
                {"match": {"channel": "*", "sku": "E-*"}, "mode": "escrow", "buffer": 1},
            ],
            "settings": {"kafka": {"partitions": partitions, "replication": 1}},
        }
    )


def sku_of(number: int) -> str:
    """Clarus product code of the product with this number."""
    return f"{'E' if number % 2 else 'S'}-{number:06}"


def rules_of(given: Settings) -> Rules:
    """The ledger's rules as the worker makes them."""
    bounds = {name: bounds_of(storefront_type(one), given.settings.bounds) for name, one in given.channels.items()}
    return Rules(given.catalogue(), given.settings.kafka.partitions, bounds)


class Sale:
    """A history of `inventory.events`. 20 % of the products get 80 % of the order lines; one event in `1 / per_second` s of storefront time."""

    def __init__(self, given: Settings, per_second: int, seed: int = 4) -> None:
        self.rules = rules_of(given)
        self.mix: Counter[str] = Counter()
        self.open_lines = 0
        self._partitions = given.settings.kafka.partitions
        self._encode = Codecs()[topics.INVENTORY_EVENTS].encode
        self._random = random.Random(seed)
        self._step = 1000 / per_second
        self._now = float(START_MS)
        self._skus = list(self.rules.catalogue.products)
        self._random.shuffle(self._skus)
        self._shelves = {
            sku: Shelf({"MAIN": 1500, "NORTH": 500} if sku[0] == "S" else {"MAIN": 45, "NORTH": 15})
            for sku in self._skus
        }
        self._state = Memory()
        self._due: list[tuple[float, int, Any]] = []
        self._unwritten: dict[str, StockTarget] = {}
        self._pver: Counter[str] = Counter()
        self._count = 0

    def opening(self) -> Iterator[Input]:
        """Every product read at the warehouse, every listing adopted and written once, all channels known up to the start."""
        for sku, shelf in self._shelves.items():
            yield from self._tell(self._level(sku, shelf))
            for listing in self.rules.catalogue.products[sku].listings:
                base = Baseline(
                    sku=sku,
                    listing=listing.id,
                    epoch=1,
                    quantity=20,
                    at_from=START_MS - 60_000,
                    at_to=START_MS - 60_000,
                )
                yield from self._tell(base)
        yield from self._watermarks()
        for told in list(self._unwritten):
            yield from self._written(told)
        self._due.clear()
        self.mix.clear()
        self._at(WATERMARK_MS, self._watermarks)

    def events(self, count: int) -> Iterator[Input]:
        """So many records of the sale, in the order of the log."""
        made = 0
        while made < count:
            self._now += self._step
            if self._due and self._due[0][0] <= self._now:
                found = heapq.heappop(self._due)[2]()
            elif self._random.random() < 0.08:
                found = self._read_back()
            else:
                found = self._order()
            for one in found:
                made += 1
                yield one

    def _at(self, after_ms: float, action: Any) -> None:
        self._count += 1
        heapq.heappush(self._due, (self._now + after_ms, self._count, action))

    def _pick(self) -> str:
        hot = len(self._skus) // 5
        return self._skus[
            self._random.randrange(hot) if self._random.random() < 0.8 else self._random.randrange(hot, len(self._skus))
        ]

    def _order(self) -> Iterator[Input]:
        """One order line; it is allocated and later despatched, or cancelled before the warehouse has it."""
        sku = self._pick()
        listing = self._random.choice(self.rules.catalogue.products[sku].listings)
        units = self._random.choice((1, 1, 1, 2, 3))
        self._count += 1
        order_id = f"{self._count:012x}"
        at = int(self._now)
        line = DemandLine(
            sku=sku,
            reference=f"{listing.channel}:{order_id}",
            channel=listing.channel,
            order_id=order_id,
            line_id="1",
            version=1001,
            eaches=units,
            state="OPEN",
            warehouses=["MAIN", "NORTH"],
            listing=listing.id,
            units=units,
            taken_from=at if listing.channel == "shop-eu" else at // 1000 * 1000,
            taken_to=at if listing.channel == "shop-eu" else at // 1000 * 1000,
        )
        self.open_lines += 1
        if self._random.random() < 0.1:
            self._at(self._random.uniform(500, 3000), partial(self._cancel, line))
        else:
            self._at(self._random.uniform(1500, 4000), partial(self._allocate, line))
        return self._tell(line)

    def _cancel(self, line: DemandLine) -> Iterator[Input]:
        closed = DemandLine(
            **{f: getattr(line, f) for f in line.__struct_fields__} | {"version": 2001, "state": "CLOSED"}
        )
        self.open_lines -= 1
        return self._tell(closed)

    def _allocate(self, line: DemandLine) -> Iterator[Input]:
        """The warehouse takes it out of its balance; the SKU is dirty and will be read."""
        shelf = self._shelves[line.sku]
        place = "MAIN" if shelf.stock["MAIN"] >= line.eaches else "NORTH"
        if shelf.stock[place] < line.eaches:
            shelf.stock[place] += 100
        shelf.stock[place] -= line.eaches
        told = ReflectedLine(reference=line.reference, out=line.eaches, closed=False, warehouse=place)
        self._at(self._random.uniform(2000, 6000), partial(self._despatch, line.sku, told))
        return self._dirty(line.sku, shelf, told)

    def _despatch(self, sku: str, told: ReflectedLine) -> Iterator[Input]:
        self.open_lines -= 1
        closed = ReflectedLine(reference=told.reference, out=told.out, closed=True, warehouse=told.warehouse)
        return self._dirty(sku, self._shelves[sku], closed)

    def _dirty(self, sku: str, shelf: Shelf, told: ReflectedLine) -> Iterator[Input]:
        """One joint read of a SKU at a time: what changes until it is made is told by it."""
        shelf.pending[told.reference] = told
        if not shelf.read_due:
            shelf.read_due = True
            self._at(1000, partial(self._read, sku, shelf))
        return iter(())

    def _read(self, sku: str, shelf: Shelf) -> Iterator[Input]:
        shelf.read_due = False
        shelf.read_no += 1
        return self._tell(self._level(sku, shelf))

    def _level(self, sku: str, shelf: Shelf) -> StockLevel:
        lines, shelf.pending = list(shelf.pending.values()), {}
        return StockLevel(
            sku=sku,
            read_no=shelf.read_no,
            chunk=0,
            chunks=1,
            balances=dict(shelf.stock),
            lines=lines,
            read_at=int(self._now),
        )

    def _read_back(self) -> Iterator[Input]:
        listing = self._random.choice(self.rules.catalogue.products[self._pick()].listings)
        known = self._state.skus[listing.product].listing(listing.id)
        self._pver[listing.id] += 1
        return self._tell(
            ReadBack(
                sku=listing.product,
                listing=listing.id,
                epoch=1,
                pver=self._pver[listing.id],
                quantity=known.inc - known.taken,
                at_from=int(self._now),
                at_to=int(self._now) + 50,
                published=known.inc,
                verify=listing.channel == "shop-us",
            )
        )

    def _watermarks(self) -> Iterator[Input]:
        """Of every channel and order partition, through every partition."""
        self._at(WATERMARK_MS, self._watermarks)
        for channel in ("shop-eu", "shop-us"):
            for order_partition in range(self._partitions):
                mark = Watermark(channel=channel, order_partition=order_partition, up_to=int(self._now) - 500)
                self._fold(mark)
                for partition in range(self._partitions):
                    yield self._input(partition, f"watermark/{channel}", mark)

    def _tell(self, body: Any) -> Iterator[Input]:
        self._fold(body)
        yield self._input(partition_of(body.sku, self._partitions), body.sku, body)

    def _input(self, partition: int, key: str, body: InventoryEventBody) -> Input:
        self.mix[type(body).__name__] += 1
        self._count += 1
        event = Event(
            event_id=f"orders.events:3:{self._count}:0",
            occurred_at=int(self._now),
            received_at=int(self._now) + 40,
            source="orders",
            trace=None,
            body=body,
        )
        return Input(partition, key, self._encode(event))

    def _fold(self, body: InventoryEventBody) -> None:
        """The ledger's own answer; commands wait a few seconds for the budget of their peer, the newest of each listing only."""
        folded = fold.apply(self._state, self.rules, body, int(self._now))
        for sku, cause in folded.touched.items():
            for effect in publish(self._state, self.rules, sku, cause):
                if isinstance(effect, StockTarget):
                    if effect.listing not in self._unwritten:
                        self._at(self._random.uniform(3000, 6000), partial(self._written, effect.listing))
                    self._unwritten[effect.listing] = effect

    def _written(self, listing: str) -> Iterator[Input]:
        told = self._unwritten.pop(listing)
        return self._tell(
            StockOutcome(
                sku=told.sku, listing=listing, epoch=told.epoch, version=told.version, bound=told.inc, at=int(self._now)
            )
        )
