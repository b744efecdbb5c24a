"""The truth of the wide simulation: several warehouses and SKUs, goods that leave in parts, edited orders, reserving carts. It knows no rule of the product."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.model.peers import Order, Store, Variant, World

MUG = "MUG"
OPEN = ("ALLOCATED", "PART_ALLOCATED", "PICK")
"""States in which the warehouse lists the lines of an order."""


@dataclass(frozen=True)
class WideVariant(Variant):
    """What there is beyond one SKU in one warehouse. Mappings by listing name where nothing else is said."""

    warehouses: tuple[str, ...] = ("MAIN",)
    serves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # all warehouses where it is not said
    bundles: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # bundle code to components
    sells: Mapping[str, str] = field(default_factory=dict)  # MUG where it is not said
    policies: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by a glob on listing names
    moves: int = 0  # times that stock is moved between warehouses
    parts: float = 0.0  # share of the partly allocated orders that are despatched in parts
    overpicks: float = 0.0  # share of the orders of which one unit too many leaves
    edits: float = 0.0  # share of the orders whose quantity is edited, up or down
    amends: float = 0.7  # share of the edits that somebody tells the warehouse
    lost: str = ""  # rows lost in the middle: all, ledger, delivery of the storefronts, warehouse (its delivery); short: all, old orders are not polled again
    waits: bool = True  # the product starts again when no request of its earlier life can land any more
    spans: int = 0  # times that a storefront, or the warehouse, refuses every call
    stale: float = 0.0  # seconds that the warehouse's balances may be older than its lines
    carts: bool = False  # a cart reserves, an order comes later or never

    @property
    def skus(self) -> list[str]:
        """Everything that lies in a warehouse."""
        return list(dict.fromkeys([MUG, *(sku for parts in self.bundles.values() for sku in parts)]))

    def set_of(self, listing: str) -> tuple[str, ...]:
        return self.serves.get(listing, self.warehouses)

    def uses(self, listing: str) -> Mapping[str, int]:
        """SKUs in one selling unit; a listing of several eaches says so itself."""
        product = self.sells.get(listing, MUG)
        eaches = next(n for name, _, n in self.listings if name == listing)
        return self.bundles.get(product, {product: eaches})


class WideStore(Store):
    """A storefront whose orders can be edited; where carts reserve, what is on stock and what can be bought are two figures."""

    reserved = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beyond: dict[int, int] = {}
        """Units that a cart bought although the quantity had been lowered below its reservation, by order."""

    def edit_order(self, order: Order, units: int) -> None:
        """It lowers, or puts back, the difference by itself; more than there is cannot be had."""
        more = units - order.units
        if order.cancelled or self.quantity < more:
            return
        self.quantity -= more
        order.units, order.version, order.changed = units, order.version + 1, self.world.now
        self.world.log("edited order", order.id, "by", more)

    def reserve(self, units: int) -> bool:
        if self.quantity - self.reserved < units:
            return False
        self.reserved += units
        return True

    def check_out(self, units: int) -> Order:
        """A reservation holds whatever became of the quantity since."""
        self.reserved -= units
        beyond = units - max(0, self.quantity)
        order = self.sell(units, True)
        if beyond > 0:
            self.beyond[order.id] = beyond
        return order


@dataclass
class Goods:
    """One order at the warehouse. `out` is what left `available` for it, `sent` what left the house."""

    lines: dict[str, int]
    allowed: tuple[str, ...]
    status: str = "PENDING"
    warehouse: str = ""
    out: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    deleted: bool = False  # cancelled while it was PENDING: it cannot be found any more
    over: dict[str, int] = field(default_factory=dict)


class Floor:
    """All warehouses. `available` is net of allocated."""

    def __init__(self, world: "WideWorld") -> None:
        variant = world.variant
        self.world = world
        self.free = {w: dict.fromkeys(variant.skus, 0) for w in variant.warehouses}
        self.goods: dict[str, Goods] = {}
        self.doubled: list[str] = []
        self.came = {w: dict.fromkeys(variant.skus, 0) for w in variant.warehouses}
        self.shrunk = {w: dict.fromkeys(variant.skus, 0) for w in variant.warehouses}
        self.moved: list[tuple[str, str, str, int]] = []  # SKU, giver, taker, eaches
        for warehouse in variant.warehouses:
            for sku in variant.skus:
                share = world.rng.randint(*variant.stock) // len(variant.warehouses)
                self.free[warehouse][sku] = self.came[warehouse][sku] = share

    @property
    def available(self) -> dict[str, dict[str, int]]:
        return self.free

    def create(self, reference: str, lines: dict[str, int], allowed: tuple[str, ...]) -> None:
        """It has no idempotency key: what is created twice is there twice, and `doubled` here. What was deleted can be created again."""
        if reference in self.goods and not self.goods[reference].deleted:
            self.doubled.append(reference)
            return
        self.goods[reference] = Goods(lines, allowed, out=dict.fromkeys(lines, 0))
        self.world.log("created", reference, lines)
        self.world.at(self.world.rng.uniform(0.1, 40), self.allocate, reference)

    def allocate(self, reference: str) -> None:
        goods, rng = self.goods[reference], self.world.rng
        if goods.status not in ("PENDING", "PART_ALLOCATED"):
            return
        if not any(goods.out.values()):
            some = [w for w in goods.allowed if any(self.free[w][sku] > 0 for sku in goods.lines)]
            if not some:
                self.world.at(30, self.allocate, reference)
                return
            goods.warehouse = rng.choice(some)
        shelf, moved = self.free[goods.warehouse], 0
        for sku, wanted in goods.lines.items():
            take = max(0, min(shelf[sku], wanted - goods.out[sku]))
            shelf[sku] -= take
            goods.out[sku] += take
            moved += take
        if all(goods.out[sku] >= wanted for sku, wanted in goods.lines.items()):
            goods.status = "ALLOCATED"
            back = not goods.sent and rng.random() < self.world.variant.dealloc
            self.world.at(rng.uniform(1, 10), self.deallocate if back else self.pick, reference)
        else:
            goods.status = "PART_ALLOCATED"
            if moved and rng.random() < self.world.variant.parts:
                self.world.at(rng.uniform(1, 20), self.send_part, reference)
            self.world.at(30, self.allocate, reference)
        self.world.log("allocated", reference, goods.warehouse, goods.out, goods.status)
        self.world.goods_changed(reference)

    def send_part(self, reference: str) -> None:
        goods = self.goods[reference]
        if goods.status == "PART_ALLOCATED":
            goods.sent = sum(goods.out.values())
            self.world.goods_changed(reference)

    def deallocate(self, reference: str) -> None:
        goods = self.goods[reference]
        if goods.status == "ALLOCATED":
            self._put_back(goods)
            goods.status = "PENDING"
            self.world.log("pick list cancelled", reference)
            self.world.goods_changed(reference)
            self.world.at(self.world.rng.uniform(5, 40), self.allocate, reference)

    def _put_back(self, goods: Goods) -> None:
        for sku, out in goods.out.items():
            self.free[goods.warehouse][sku] += out
            goods.out[sku] = 0

    def pick(self, reference: str) -> None:
        goods = self.goods[reference]
        if goods.status == "ALLOCATED":
            goods.status = "PICK"
            self.world.goods_changed(reference)
            self.world.at(self.world.rng.uniform(1, 10), self.despatch, reference)

    def despatch(self, reference: str) -> None:
        goods = self.goods[reference]
        if goods.status != "PICK":
            return
        for sku in goods.lines:
            if self.world.rng.random() < self.world.variant.overpicks and self.free[goods.warehouse][sku] > 0:
                self.free[goods.warehouse][sku] -= 1
                goods.out[sku] += 1
                goods.over[sku] = 1
        goods.status, goods.sent = "COMPLETED", sum(goods.out.values())
        self.world.log("despatched", reference, goods.out)
        self.world.goods_changed(reference)

    def cancel(self, reference: str) -> bool:
        """False where goods have left already, in part too."""
        goods = self.goods[reference]
        if goods.sent or goods.status == "PICK":
            return False
        if goods.status != "CANCELLED":
            goods.deleted = goods.status == "PENDING"
            if goods.warehouse:
                self._put_back(goods)
            goods.status = "CANCELLED"
            self.world.goods_changed(reference)
        return True

    def amend(self, reference: str, lines: dict[str, int]) -> None:
        """Somebody enters the edit of an order by hand, while the warehouse still takes it."""
        goods = self.goods.get(reference)
        if goods is None or goods.sent or goods.status not in ("PENDING", "ALLOCATED", "PART_ALLOCATED"):
            return
        if goods.warehouse:
            self._put_back(goods)
        goods.lines, goods.status = dict(lines), "PENDING"
        self.world.log("amended", reference, lines)
        self.world.goods_changed(reference)
        self.world.at(self.world.rng.uniform(0.1, 5), self.allocate, reference)

    def adjust(self, eaches: int) -> None:
        """Receipts, or shrinkage by at most what is there."""
        rng = self.world.rng
        warehouse, sku = rng.choice(self.world.variant.warehouses), rng.choice(self.world.variant.skus)
        eaches = max(eaches, -self.free[warehouse][sku])
        self.free[warehouse][sku] += eaches
        (self.came if eaches > 0 else self.shrunk)[warehouse][sku] += abs(eaches)
        self.world.log("warehouse adjusts", warehouse, sku, eaches)
        self.world.shelf_changed(sku)

    def move(self) -> None:
        """Some of what is free goes to another warehouse, and is on its way for a while."""
        rng = self.world.rng
        giver, taker = rng.sample(self.world.variant.warehouses, 2)
        sku = rng.choice(self.world.variant.skus)
        eaches = min(rng.randint(1, 5), self.free[giver][sku])
        self.free[giver][sku] -= eaches
        self.moved.append((sku, giver, taker, eaches))
        self.world.log("moved", eaches, "from", giver)
        self.world.shelf_changed(sku)

        def arrive() -> None:
            self.free[taker][sku] += eaches
            self.world.shelf_changed(sku)

        self.world.at(rng.choice([0.0, rng.uniform(0, 10)]), arrive)


class WideWorld(World):
    """Buyers and people of the wider world."""

    variant: WideVariant

    def build(self) -> None:
        self.warehouse = Floor(self)
        self.stores = {name: WideStore(self, name, kind, eaches) for name, kind, eaches in self.variant.listings}
        self.refusing: dict[str, float] = {}

    def plan(self) -> None:
        super().plan()
        variant, rng = self.variant, self.rng
        first = 3.0 if variant.cold else 25.0
        for _ in range(variant.moves):
            self.at(rng.uniform(first, first + variant.load_s), self.warehouse.move)
        for _ in range(variant.spans):
            self.at(
                rng.uniform(5, first + variant.load_s), self.refuse, rng.choice([*self.stores, ""]), rng.uniform(2, 25)
            )

    @abstractmethod
    def goods_changed(self, reference: str) -> None:
        """The warehouse's notification of an order, about to travel."""

    @abstractmethod
    def shelf_changed(self, sku: str) -> None:
        """The warehouse's notification of a movement, about to travel."""

    def refuse(self, name: str, span: float) -> None:
        """A storefront (or the warehouse, without a name) refuses every call for a while."""
        self.refusing[name] = max(self.refusing.get(name, 0), self.now + span)
        self.log("refuses", name or "warehouse", round(span, 1))

    def pause(self, name: str) -> float:
        """Seconds until it takes calls again."""
        return max(0.0, self.refusing.get(name, 0) - self.now)

    def shop(self, name: str) -> None:
        store, rng, variant = self.stores[name], self.rng, self.variant
        if variant.carts and store.kind == "ct":
            units = rng.randint(1, variant.max_units)
            if store.reserve(units):
                self.at(rng.uniform(0.5, 20), self.check_out, store, units, rng.random() < 0.7)
            return
        before = len(self.all_orders)
        super().shop(name)
        for order in self.all_orders[before:]:
            self.may_edit(order)

    def may_edit(self, order: Order) -> None:
        rng, variant = self.rng, self.variant
        if rng.random() < variant.edits:
            self.at(rng.uniform(0.5, 60), self.edit_order, order, rng.randint(1, variant.max_units + 1))

    def check_out(self, store: WideStore, units: int, buys: bool) -> None:
        if not buys:
            store.reserved -= units
            return
        order = store.check_out(units)
        self.order_seen(order)
        if self.rng.random() < self.variant.cancels:
            self.at(self.rng.uniform(0.5, 60), self.cancels, order)
        self.may_edit(order)

    def edit_order(self, order: Order, units: int) -> None:
        self.stores[order.channel].edit_order(order, units)
        self.order_seen(order)
        if order.units == units and self.rng.random() < self.variant.amends:
            self.at(self.rng.uniform(1, 30), self.amend, order)

    def amend(self, order: Order) -> None:
        """What the storefront says by now."""
        if not order.cancelled:
            lines = {sku: n * order.units for sku, n in self.variant.uses(order.channel).items()}
            self.warehouse.amend(self.reference(order), lines)
