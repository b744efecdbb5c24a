"""The truth of the simulation: storefronts, the warehouse, buyers and the lossy ways between them and us. It knows no rule of the product.

Times are seconds of one true clock; a storefront's own clock is off by a constant, and says its orders' times in its own resolution.
"""

import heapq
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, zip_longest
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
    sites: tuple[str, ...] = ("MAIN",)
    served: tuple[tuple[str, ...], ...] = ()  # warehouses of each listing; all where it is not said
    moves: int = 0  # stock carried from one warehouse to another, on the way for up to 10 s
    greedy: bool = False  # orders are allocated where most lies, not where it leaves others their choice
    short: float = 0.0  # share of the orders allocated in part that leave short: nothing more comes
    overpick: float = 0.0  # share of the allocations that take a unit more than was ordered
    edits: float = 0.0  # share of the orders whose quantity is changed at the storefront
    carts: bool = (
        False  # version-checked storefronts reserve for carts, which stay valid whatever is taken from the stock
    )
    limits: int = 0  # spans in which a storefront refuses every request for its rate
    losses: int = 0  # a crash in which the delivery row of a listing is lost with its disk and changelog
    policy: tuple[tuple[str, int], ...] = ()  # percent, buffer, max of the stock policy


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
    limited_until: float = 0.0
    reserved: int = 0
    served: tuple[str, ...] = ()

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

    def reserve(self, units: int) -> bool:
        """A cart takes units out of what others can order."""
        if self.quantity - self.reserved < units:
            return False
        self.reserved += units
        return True

    def buy(self, units: int, paid: bool) -> Order | None:
        if self.quantity - self.reserved < units:
            return None
        return self.sell(units, paid)

    def sell(self, units: int, paid: bool) -> Order:
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

    def change(self, order: Order, units: int) -> bool:
        """Edit the quantity of an order, which moves the stock as far as it is there."""
        if order.cancelled or units - order.units > self.quantity:
            return False
        self.quantity -= units - order.units
        self.world.log("edited at", self.name, order.id, f"{order.units} to {units}")
        order.units, order.version, order.changed = units, order.version + 1, self.world.now
        return True

    def pay(self, order: Order) -> None:
        if not order.paid:
            order.paid, order.version, order.changed = True, order.version + 1, self.world.now


class Warehouse:
    """`free` is net of allocated, by site. `out[reference]` is what the goods out took of it, `took[reference]` from which sites.

    An order that was allocated whole at one site is bound to it (`site`), whatever becomes of the pick list; one that no site has whole is taken from several.
    """

    def __init__(self, world: "World", stock: int, sites: tuple[str, ...]) -> None:
        self.world = world
        self.free = dict.fromkeys(sites, 0)
        self.free[sites[0]] = stock
        for site in sites[1:]:
            part = world.rng.randint(0, stock // 2)
            self.free[site], self.free[sites[0]] = part, self.free[sites[0]] - part
            stock -= part
        self.qty: dict[str, int] = {}
        self.out: dict[str, int] = {}
        self.state: dict[str, str] = {}
        self.allowed: dict[str, tuple[str, ...]] = {}
        self.site: dict[str, str] = {}
        self.took: dict[str, dict[str, int]] = {}

    @property
    def available(self) -> int:
        """Of all sites."""
        return sum(self.free.values())

    def create(self, reference: str, eaches: int, allowed: tuple[str, ...]) -> None:
        if reference not in self.qty:
            self.qty[reference], self.out[reference], self.state[reference] = eaches, 0, "pending"
            self.allowed[reference] = allowed
            self.world.at(self.world.rng.uniform(0.1, 40), self.allocate, reference)

    def allocate(self, reference: str) -> None:
        if self.state[reference] != "pending":
            return
        rng, variant = self.world.rng, self.world.variant
        site = self.site.get(reference) or self.world.place(reference)
        wanted = self.qty[reference] - self.out[reference]
        take = min(self.free[site], wanted)
        if take > 0:
            if take == wanted and variant.overpick and self.free[site] > take and rng.random() < variant.overpick:
                take, self.world.shrunk = take + 1, self.world.shrunk + 1
            self.free[site] -= take
            self.out[reference] += take
            took = self.took.setdefault(reference, {})
            took[site] = took.get(site, 0) + take
            if len(took) == 1 and take >= wanted:
                self.site[reference] = site
            self.world.log("allocated", reference, take, site)
            self.world.warehouse_changed()
        if self.out[reference] < self.qty[reference]:
            if variant.short and self.out[reference] and rng.random() < variant.short:
                self.state[reference] = "short"
                self.world.log("left short", reference, self.out[reference])
                self.world.warehouse_changed()
                return
            elsewhere = any(self.free[x] for x in self.allowed[reference]) and reference not in self.site
            self.world.at(0.5 if elsewhere else 30, self.allocate, reference)
        else:
            self.state[reference] = "allocated"
            back = rng.random() < variant.dealloc
            self.world.at(rng.uniform(1, 20), self.deallocate if back else self.despatch, reference)

    def deallocate(self, reference: str) -> None:
        if self.state[reference] == "allocated":
            self._back(reference, "pending")
            self.world.log("pick list cancelled", reference)
            self.world.at(self.world.rng.uniform(5, 40), self.allocate, reference)

    def despatch(self, reference: str) -> None:
        if self.state[reference] == "allocated":
            self.state[reference] = "despatched"

    def cancel(self, reference: str) -> bool:
        """False where it left already, whole or short."""
        if self.state[reference] in ("despatched", "short"):
            return False
        if self.state[reference] in ("pending", "allocated"):
            self._back(reference, "cancelled")
        return True

    def _back(self, reference: str, state: str) -> None:
        for site, eaches in self.took.pop(reference, {}).items():
            self.free[site] += eaches
        self.out[reference], self.state[reference] = 0, state
        self.world.warehouse_changed()

    def adjust(self, eaches: int) -> None:
        site = next(iter(self.free)) if len(self.free) == 1 else self.world.rng.choice(list(self.free))
        eaches = max(eaches, -self.free[site])
        self.world.shrunk -= min(eaches, 0)
        self.free[site] += eaches
        self.world.log("warehouse adjusts", site, eaches)
        self.world.warehouse_changed()

    def move(self, eaches: int, way_s: float) -> None:
        """Carry stock from one site to another. For who sells from the first alone it is as good as lost, and for everybody while it is on its way."""
        source, target = self.world.rng.sample(list(self.free), 2)
        eaches = min(eaches, self.free[source])
        self.world.shrunk += eaches
        self.free[source] -= eaches
        self.world.log("leaves", source, eaches, "for", target)
        self.world.warehouse_changed()
        self.world.at(way_s, self.arrive, target, eaches)

    def arrive(self, site: str, eaches: int) -> None:
        self.free[site] += eaches
        self.world.log("arrives at", site, eaches)
        self.world.warehouse_changed()


class World(ABC):
    """Clock, heap, transport and buyers; `tests.model.product` adds the product."""

    def __init__(self, seed: int, variant: Variant, trace: bool = False) -> None:
        self.rng, self.variant, self.trace = random.Random(seed), variant, trace
        self.now, self._count = START, 0
        self.heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.all_orders: list[Order] = []
        self.shrunk = 0
        self.warehouse = Warehouse(self, self.rng.randint(*variant.stock), variant.sites)
        self.stores = {name: Store(self, name, kind, eaches) for name, kind, eaches in variant.listings}
        for store, sites in zip_longest(self.stores.values(), variant.served, fillvalue=variant.sites):
            store.served = sites

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
        for _ in range(variant.moves):
            when = rng.uniform(first, first + variant.load_s)
            self.at(when, self.warehouse.move, rng.randint(1, 6), rng.choice((0.0, rng.uniform(0, 10))))
        for _ in range(variant.limits):
            store = self.stores[rng.choice(names)]
            self.at(rng.uniform(0, first + variant.load_s), self.limit, store, rng.uniform(2, 25))
        self.end = START + first + variant.load_s + variant.quiet_s

    def limit(self, store: Store, seconds: float) -> None:
        """From now on every request is refused for its rate."""
        store.limited_until = self.now + seconds
        self.log("limited", store.name, round(seconds, 1))

    def shop(self, name: str) -> None:
        store = self.stores[name]
        paid = self.rng.random() >= self.variant.unpaid
        units = self.rng.randint(1, self.variant.max_units)
        if self.variant.carts and store.kind == "ct":
            if store.reserve(units):
                self.at(self.rng.uniform(1, 60), self.check_out, store, units, paid)
        elif (order := store.buy(units, paid)) is not None:
            self.ordered(store, order)

    def check_out(self, store: Store, units: int, paid: bool) -> None:
        """The cart is left, or becomes an order: it holds its units whatever the stock is by now."""
        store.reserved -= units
        if self.rng.random() < 0.8:
            self.ordered(store, store.sell(units, paid))

    def ordered(self, store: Store, order: Order) -> None:
        """What follows an order: it is told of, paid, cancelled, changed."""
        paid = order.paid
        self.order_seen(order)
        if not paid:
            self.at(self.rng.uniform(0.2, 15), self.pays, order)
        if self.rng.random() < self.variant.cancels:
            self.at(self.rng.uniform(0.5, 60), self.cancels, order)
        if self.variant.edits and self.rng.random() < self.variant.edits:
            self.at(self.rng.uniform(0.5, 60), self.changes, order, self.rng.randint(1, self.variant.max_units))

    def changes(self, order: Order, units: int) -> None:
        if self.stores[order.channel].change(order, units):
            self.order_seen(order)

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
        return not order.cancelled or self.warehouse.state.get(self.reference(order)) in ("despatched", "short")

    def sold(self, order: Order) -> int:
        """Eaches that its buyer gets or is owed: what was released, where an edit lowered it later; what left, where it left short."""
        wms, reference = self.warehouse, self.reference(order)
        if wms.state.get(reference) == "short":
            return wms.out[reference]
        return max(order.units * self.stores[order.channel].eaches, wms.qty.get(reference, 0))

    def due(self, order: Order) -> int:
        """Eaches of it that the warehouse has not taken out yet."""
        wms, reference = self.warehouse, self.reference(order)
        if not self.counts(order) or wms.state.get(reference) == "cancelled":
            return 0
        return max(0, self.sold(order) - wms.out.get(reference, 0))

    def sites_of(self, order: Order) -> tuple[str, ...]:
        """Where it can still be taken from."""
        site = self.warehouse.site.get(self.reference(order))
        return (site,) if site else self.stores[order.channel].served

    def slack(self, *without: Order) -> dict[frozenset[str], int]:
        """Of every set of sites: what lies there less what can be taken from nowhere else."""
        wms = self.warehouse
        dues = [(frozenset(self.sites_of(o)), self.due(o)) for o in self.all_orders if o not in without]
        return {some: sum(wms.free[x] for x in some) - sum(n for of, n in dues if of <= some) for some in self.sets()}

    def sets(self) -> list[frozenset[str]]:
        """Every set of sites."""
        sites = self.warehouse.free
        return [frozenset(some) for n in range(1, len(sites) + 1) for some in combinations(sites, n)]

    def place(self, reference: str) -> str:
        """The site that an order is allocated at: where it leaves the others the most room; `greedy`: where most lies."""
        wms = self.warehouse
        allowed = [site for site in wms.allowed[reference] if wms.free[site]] or list(wms.allowed[reference])
        if len(allowed) == 1:
            return allowed[0]
        if self.variant.greedy:
            return max(allowed, key=lambda site: wms.free[site])
        order = next(o for o in self.all_orders if self.reference(o) == reference)
        room, owed = self.slack(order), self.due(order)
        return max(
            allowed, key=lambda site: (min(n - owed for some, n in room.items() if site in some), wms.free[site])
        )

    def oversold(self) -> int:
        """Eaches sold beyond what there ever was where they could be taken from. Which site the warehouse then took them from is its own choice."""
        wms = self.warehouse
        there = {site: wms.free[site] + sum(took.get(site, 0) for took in wms.took.values()) for site in wms.free}
        sold = [(frozenset(self.stores[o.channel].served), self.sold(o)) for o in self.all_orders if self.counts(o)]
        return max(
            0, *(sum(n for of, n in sold if of <= some) - sum(there[site] for site in some) for some in self.sets())
        )

    def unexcused(self) -> int:
        """Oversold eaches that nothing explains which happened without us: shrinkage (a unit picked too many or moved away counts as such), a restock
        after despatch, and an edit that puts units back on the storefront's shelf while the warehouse still sends them."""
        back = 0
        for order in filter(self.counts, self.all_orders):
            eaches = order.units * self.stores[order.channel].eaches
            back += (
                eaches
                if order.restocked is not None
                else max(0, self.warehouse.qty.get(self.reference(order), 0) - eaches)
            )
        return max(0, self.oversold() - self.shrunk - back)

    def offer(self, left: int) -> int:
        """What the policy offers of it, in eaches."""
        policy = dict(self.variant.policy)
        return int(max(0, left) * (1 - Fraction(policy.get("percent", 0), 100))) - policy.get("buffer", 0)

    def converged(self) -> bool:
        """Does every listing show what is left, or all together where the pool is split?"""
        room = self.slack()
        most = dict(self.variant.policy).get("max")
        if self.split():
            return self._split_well({some: max(0, self.offer(n)) for some, n in room.items()}, most)
        for store in self.stores.values():
            left = self.offer(min(n for some, n in room.items() if some >= set(store.served)))
            units = max(0, left) // store.eaches
            if max(store.quantity, 0) != (units if most is None else min(units, most)):
                return False
        return True

    def _split_well(self, room: dict[frozenset[str], int], most: int | None) -> bool:
        """Is no more on offer anywhere than is there, and is nothing held back that one more unit of some listing could offer?"""
        stores = self.stores.values()
        for some in room:
            room[some] -= sum(max(s.quantity, 0) * s.eaches for s in stores if set(s.served) <= some)
        if min(room.values()) < 0:
            return False
        return not any(
            all(n >= s.eaches for some, n in room.items() if some >= set(s.served))
            for s in stores
            if most is None or s.quantity < most
        )
