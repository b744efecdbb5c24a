"""The truth of the simulation: storefronts, the warehouse, buyers and the lossy ways between them and us. It knows no rule of the product.

Times are seconds of one true clock; a storefront's own clock is off by a constant, and says its orders' times in its own resolution.
"""

import heapq
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VISIBLE_LAG, APPLY_MAX, LATE_MAX, TIMEOUT = 10.0, 2.0, 6.0, 2.0
"""Bounds the product assumes, seconds; requests are given up after `TIMEOUT`."""

START = 1000.0
"""The first moment: not 0, so that a missing time is never mistaken for a time."""

LOAD_FROM = 25.0
"""Buyers come so long after the start; by then listings that nobody sold from are adopted and filled."""


@dataclass(frozen=True)
class Variant:
    """Who sells, and which faults happen. A listing is name, kind and eaches of its selling unit.

    Kinds: `ct` version-checked with a marker, `bc` relative and applied later, `rm` decrements but takes figures only, `nd` does not decrement.
    """

    listings: tuple[tuple[str, str, int], ...]
    stock: tuple[int, int] = (5, 30)
    orders: int = 60
    load_s: float = 90.0
    max_units: int = 3
    faults: float = 1.0  # scale of losses, duplicates, time-outs and crashes
    cancels: float = 0.10
    unpaid: float = 0.3  # share of the orders whose payment comes later
    dealloc: float = 0.05  # pick list cancelled: allocated goes back to pending
    receipts: int = 1
    shrinks: int = 0
    manual: int = 0
    cold: bool = False  # listings sell before they are adopted, one after the other
    restock: bool = False  # storefronts put cancelled units back by themselves
    skew: float = 2.0  # a storefront's clock against ours, plus or minus
    poll_s: float = 8.0
    sweep_s: float = 25.0
    quiet_s: float = 260.0
    weights: tuple[float, ...] = ()  # how the buyers divide over the listings; evenly where it is not said
    mode: str = "shared"  # what is done with the pool: shared, escrow, auto


@dataclass
class Order:
    """An order at its storefront; times by the storefront's clock."""

    id: int
    channel: str
    units: int
    created: float
    version: int = 1
    cancelled: bool = False
    paid: bool = True
    restocked: float | None = None
    changed: float = 0.0  # true clock


@dataclass(frozen=True)
class Reading:
    """A listing as a read shows it."""

    quantity: int
    version: int
    marker: tuple[int, int, int] | None


@dataclass(frozen=True)
class Request:
    """One write as it leaves us."""

    epoch: int
    attempt: int
    delta: int
    gross: int
    zero: bool
    version: int


@dataclass
class Store:
    """One listing at a storefront: the truth about what can be bought there."""

    world: "World"
    name: str
    kind: str
    eaches: int
    quantity: int = 0
    version: int = 1
    marker: tuple[int, int, int] | None = None
    ever_set: bool = True
    hidden: list[tuple[float, int]] = field(
        default_factory=list
    )  # (visible at, units): decrements reads do not show yet
    orders: list[Order] = field(default_factory=list)
    busy_until: float = 0.0

    def __post_init__(self) -> None:
        rng = self.world.rng
        self.bumps = rng.random() < 0.5  # does an order raise the entry's version? undocumented: both
        self.silent = rng.random() < 0.5  # does an asynchronous peer refuse below 0 with or without a word?
        self.skew = rng.uniform(-self.world.variant.skew, self.world.variant.skew)
        if rng.random() < 0.5:
            self.marker = (0, 0, 0)  # the mark is there from the start, or comes with the first write
        self.ever_set = self.kind != "bc" or self.world.variant.cold

    def time(self) -> float:
        """Now, by this storefront's clock."""
        return self.world.now + self.skew

    def stamp(self, time: float) -> int:
        """A time as this storefront says it, milliseconds: whole seconds where that is its resolution."""
        return int(time) * 1000 if self.kind == "bc" else int(time * 1000)

    def buy(self, units: int, paid: bool) -> Order | None:
        if self.quantity < units:
            return None
        if self.kind != "nd":
            self.quantity -= units
        if self.kind == "ct":
            lag = self.world.rng.uniform(0, VISIBLE_LAG)
            self.hidden.append((self.world.now + lag, units))
            if self.bumps:
                self.world.at(lag, self.bump)
        order = Order(len(self.world.all_orders), self.name, units, self.time(), paid=paid, changed=self.world.now)
        self.world.all_orders.append(order)
        self.orders.append(order)
        self.world.log("sold", self.name, units, "order", order.id)
        return order

    def bump(self) -> None:
        self.version += 1

    def read(self) -> Reading:
        self.hidden = [h for h in self.hidden if h[0] > self.world.now]
        return Reading(self.quantity + sum(units for _, units in self.hidden), self.version, self.marker)

    def write(self, request: Request) -> str:
        """One request as it reaches the peer: ok, conflict, refused or needs_absolute."""
        result = self._write(request)
        self.world.log("peer", self.name, request.delta, "zero" if request.zero else "", result)
        return result

    def _write(self, request: Request) -> str:
        if self.kind == "nd":
            self.quantity = request.gross
            return "ok"
        if self.kind == "rm":  # the connector's own round trip: what is ordered between its read and its write is lost
            self.world.at(self.world.rng.uniform(0.01, 0.1), self.overwrite, max(0, self.quantity + request.delta))
            return "ok"
        if self.kind == "ct":
            if request.version != self.version:
                return "conflict"
            self.quantity += request.delta
            self.version += 1
            self.marker = (request.epoch, request.attempt, request.gross)
            return "ok"
        if not self.ever_set and not request.zero:
            return "needs_absolute"
        if self.quantity + request.delta < 0 and not self.silent and not request.zero:
            return "refused"
        self.ever_set = True
        self.busy_until = max(self.busy_until, self.world.now + self.world.rng.uniform(0, APPLY_MAX))
        self.world.at(self.busy_until - self.world.now, self.apply, request)  # strictly in order of arrival
        return "ok"

    def apply(self, request: Request) -> None:
        if request.zero:
            self.quantity = 0
        elif self.quantity + request.delta >= 0:  # an asynchronous peer drops what would go below 0 without a word
            self.quantity += request.delta
        self.world.log("applied at", self.name, request.delta)

    def overwrite(self, quantity: int) -> None:
        self.quantity = quantity
        self.world.log("overwritten at", self.name)

    def edit(self, quantity: int) -> None:
        self.quantity, self.version = quantity, self.version + 1
        self.world.log("edited by hand", self.name, quantity)

    def cancel(self, order: Order) -> None:
        if not order.cancelled:
            order.cancelled, order.version, order.changed = True, order.version + 1, self.world.now
            if self.world.variant.restock and self.kind != "nd":
                self.quantity += order.units
                order.restocked = self.time()
            self.world.log("cancelled at", self.name, order.id)

    def pay(self, order: Order) -> None:
        if not order.paid:
            order.paid, order.version, order.changed = True, order.version + 1, self.world.now


class Warehouse:
    """`available` is net of allocated. `out[reference]` is what the goods out took of it."""

    def __init__(self, world: "World", stock: int) -> None:
        self.world, self.available, self.supply = world, stock, stock
        self.qty: dict[str, int] = {}
        self.out: dict[str, int] = {}
        self.state: dict[str, str] = {}

    def create(self, reference: str, eaches: int) -> None:
        if reference not in self.qty:
            self.qty[reference], self.out[reference], self.state[reference] = eaches, 0, "pending"
            self.world.at(self.world.rng.uniform(0.1, 40), self.allocate, reference)

    def allocate(self, reference: str) -> None:
        if self.state[reference] != "pending":
            return
        take = min(self.available, self.qty[reference] - self.out[reference])
        if take > 0:
            self.available -= take
            self.out[reference] += take
            self.world.log("allocated", reference, take)
            self.world.warehouse_changed()
        if self.out[reference] < self.qty[reference]:
            self.world.at(30, self.allocate, reference)
        else:
            self.state[reference] = "allocated"
            back = self.world.rng.random() < self.world.variant.dealloc
            self.world.at(self.world.rng.uniform(1, 20), self.deallocate if back else self.despatch, reference)

    def deallocate(self, reference: str) -> None:
        if self.state[reference] == "allocated":
            self.available += self.out[reference]
            self.out[reference], self.state[reference] = 0, "pending"
            self.world.log("pick list cancelled", reference)
            self.world.warehouse_changed()
            self.world.at(self.world.rng.uniform(5, 40), self.allocate, reference)

    def despatch(self, reference: str) -> None:
        if self.state[reference] == "allocated":
            self.state[reference] = "despatched"

    def cancel(self, reference: str) -> bool:
        """False where it is despatched already."""
        if self.state[reference] == "despatched":
            return False
        if self.state[reference] in ("pending", "allocated"):
            self.available += self.out[reference]
            self.out[reference], self.state[reference] = 0, "cancelled"
            self.world.warehouse_changed()
        return True

    def adjust(self, eaches: int) -> None:
        eaches = max(eaches, -self.available)
        self.world.shrunk -= min(eaches, 0)
        self.available += eaches
        self.supply += eaches
        self.world.log("warehouse adjusts", eaches)
        self.world.warehouse_changed()


class World(ABC):
    """Clock, heap, transport and buyers; `tests.model.product` adds the product."""

    def __init__(self, seed: int, variant: Variant, trace: bool = False) -> None:
        self.rng, self.variant, self.trace = random.Random(seed), variant, trace
        self.now, self._count = START, 0
        self.heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.all_orders: list[Order] = []
        self.shrunk = 0
        self.warehouse = Warehouse(self, self.rng.randint(*variant.stock))
        self.stores = {name: Store(self, name, kind, eaches) for name, kind, eaches in variant.listings}

    # ---- what the product adds ----
    @abstractmethod
    def order_seen(self, order: Order) -> None:
        """A storefront's notification of an order as it is now, about to travel."""

    @abstractmethod
    def warehouse_changed(self) -> None:
        """The warehouse's notification that something moved, about to travel."""

    @abstractmethod
    def believed(self) -> str:
        """What the product believes, for the trace."""

    @abstractmethod
    def split(self) -> bool:
        """Is the pool split now?"""

    # ---- clock and transport ----
    def log(self, *what: object) -> None:
        if self.trace:
            shown = {name: store.quantity for name, store in self.stores.items()}
            print(  # noqa: T201
                f"{self.now - START:8.2f}", *what, "| wms", self.warehouse.available, "on offer", shown, self.believed()
            )

    def at(self, delay: float, function: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self.heap, (self.now + delay, self._count, function, arguments))

    def lossy(self, function: Callable[[], None], scale: float = 1.0) -> None:
        """A notification: late, doubled, lost, overtaken."""
        faults, rng = self.variant.faults, self.rng
        if rng.random() < 0.05 * faults:
            return
        for _ in range(2 if rng.random() < 0.1 * faults else 1):
            late = rng.uniform(0, 20) if rng.random() < 0.05 * faults else 0
            self.at(rng.expovariate(1 / scale) + late, function)

    # ---- buyers and people ----
    def plan(self) -> None:
        """Everything buyers and people will do."""
        variant, rng = self.variant, self.rng
        names = list(self.stores)
        first = 3.0 if variant.cold else LOAD_FROM
        for _ in range(variant.orders):
            when = rng.uniform(first, first + variant.load_s)
            self.at(when, self.shop, rng.choices(names, variant.weights)[0] if variant.weights else rng.choice(names))
        for _ in range(variant.receipts):
            self.at(rng.uniform(first, first + variant.load_s), self.warehouse.adjust, rng.randint(1, 8))
        for _ in range(variant.shrinks):
            self.at(rng.uniform(first, first + variant.load_s), self.warehouse.adjust, -rng.randint(1, 6))
        for _ in range(variant.manual):
            store = self.stores[rng.choice(names)]
            self.at(rng.uniform(first, first + variant.load_s), store.edit, rng.randint(0, 12))
        self.end = START + first + variant.load_s + variant.quiet_s

    def shop(self, name: str) -> None:
        store = self.stores[name]
        paid = self.rng.random() >= self.variant.unpaid
        order = store.buy(self.rng.randint(1, self.variant.max_units), paid)
        if order is None:
            return
        self.order_seen(order)
        if not paid:
            self.at(self.rng.uniform(0.2, 15), self.pays, order)
        if self.rng.random() < self.variant.cancels:
            self.at(self.rng.uniform(0.5, 60), self.cancels, order)

    def pays(self, order: Order) -> None:
        if not order.cancelled:
            self.stores[order.channel].pay(order)
            self.order_seen(order)

    def cancels(self, order: Order) -> None:
        self.stores[order.channel].cancel(order)
        self.order_seen(order)

    def run(self) -> None:
        """To the end of the quiet time."""
        while self.heap and self.heap[0][0] < self.end:
            time, _, function, arguments = heapq.heappop(self.heap)
            self.now = time
            function(*arguments)

    # ---- the verdict ----
    def reference(self, order: Order) -> str:
        return f"{order.channel}:{order.id}"

    def counts(self, order: Order) -> bool:
        """Is it owed to, or gone to, its buyer?"""
        return not order.cancelled or self.warehouse.state.get(self.reference(order)) == "despatched"

    def oversold(self) -> int:
        """Eaches sold beyond what there ever was."""
        sold = sum(o.units * self.stores[o.channel].eaches for o in self.all_orders if self.counts(o))
        return max(0, sold - self.warehouse.supply)

    def unexcused(self) -> int:
        """Oversold eaches that no shrinkage and no restock after despatch explains."""
        back = sum(
            o.units * self.stores[o.channel].eaches
            for o in self.all_orders
            if o.restocked is not None and self.counts(o)
        )
        return max(0, self.oversold() - self.shrunk - back)

    def free(self) -> int:
        """What is left to promise."""
        wms = self.warehouse
        due = sum(
            o.units * self.stores[o.channel].eaches - wms.out.get(self.reference(o), 0)
            for o in self.all_orders
            if self.counts(o) and wms.state.get(self.reference(o)) != "cancelled"
        )
        return wms.available - due

    def converged(self) -> bool:
        """Does every listing show what is left, or all together where the pool is split?"""
        free = self.free()
        if self.split():
            offered = sum(max(s.quantity, 0) * s.eaches for s in self.stores.values())
            return 0 <= max(free, 0) - offered < min(s.eaches for s in self.stores.values())
        return all(max(s.quantity, 0) == max(free, 0) // s.eaches for s in self.stores.values())
