"""The product inside the wide simulation: every SKU's ledger is a partition of its own, the warehouse is read by the product's own rules of reading.

What the single world has already is used as it is: storefronts, delivery rows, the rules of orders, crashes (`tests.model.product`).
"""

from collections.abc import Iterator

from schemas.records import (
    BundleHold,
    ComponentStock,
    Correction,
    OrderLine,
    OrderSnapshot,
    Record,
    ReleaseOrder,
    StockTarget,
    WarehouseOrder,
    WarehouseStatus,
    Watermark,
)
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries import reads
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Write
from tables.deliveries.reads import Found, Joint, ReadRow, SeenLine
from tables.stock import fold, publish
from tests.model.peers import APPLY_MAX, LATE_MAX, Order
from tests.model.product import Delivery, Model, Rows, again
from tests.model.wide_peers import MUG, OPEN, WideVariant, WideWorld
from tests.model.wide_verdict import Truth

Lines = dict[str, tuple[int, str]]
"""Open lines of a SKU: reference to eaches out and warehouse."""

REPEATS = 3
"""A joint read is repeated so often while lines move."""


class WideModel(Model, WideWorld):
    """One seed."""

    def __init__(self, seed: int, variant: WideVariant, trace: bool = False) -> None:
        self.ledgers: dict[str, Rows] = {}
        self.tails: dict[str, float] = {}
        self.read_rows: dict[str, ReadRow] = {}
        self.told_over: set[tuple[str, str]] = set()
        self.asked_to_delete: set[str] = set()
        self.under_way: set[str] = set()
        self.look_back: set[str] = set()
        self.armed = False
        super().__init__(seed, variant, trace)

    def catalogue(self) -> Catalogue:
        variant = self.variant
        made = [
            Listing(name, variant.sells.get(name, MUG), variant.sells.get(name, MUG), f"of {s.eaches}", s.eaches)
            for name, s in self.stores.items()
        ]
        products = [
            Product(sku, bundle=variant.bundles.get(sku, {}), listings=tuple(x for x in made if x.product == sku))
            for sku in [*variant.skus, *variant.bundles]
        ]
        self.ledgers = {product.sku: Rows() for product in products}
        self.read_rows = {sku: ReadRow(sku) for sku in variant.skus}
        rules = [PolicyRule("*", "*", {"mode": Mode(variant.mode), "escrow_floor": 12})]
        rules += [PolicyRule(name, "*", {"warehouses": set_}) for name, set_ in variant.serves.items()]
        rules += [PolicyRule(name, "*", fields) for name, fields in variant.policies.items()]
        return Catalogue(products, rules, variant.warehouses)

    def deliver_to(self, listing: Listing) -> Delivery:
        return WideDelivery(self, listing)

    def begin(self) -> None:
        super().begin()
        if self.variant.lost:
            self.at(self.rng.uniform(20, 25 + self.variant.load_s), self.arm)

    def arm(self) -> None:
        """Rows are lost while the next write is under way, or after a while without one."""
        self.armed = True
        self.at(15, self.lose)

    def believed(self) -> str:
        return " ".join(
            f"{sku}: free {row.free} demand {row.demand} "
            + str({k: (x.inc, x.taken, x.quota and x.quota.target) for k, x in row.listings.items()})
            for sku, ledger in self.ledgers.items()
            if (row := ledger.sku(sku)) is not None
        )

    # ---- the log: one partition a SKU, each in its own time ----
    def inventory(self, body: Record, at: int) -> None:
        for partition in self.ledgers if isinstance(body, Watermark) else [body.sku]:
            tail = max(self.tails.get(partition, 0) + 1e-6, self.now + self.rng.uniform(0.005, 0.1))
            self.tails[partition] = tail
            self.at(tail - self.now, self.deliver, self.fold_in, (partition, body, at))

    def fold_in(self, partition: str, body: Record, at: int) -> None:
        ledger = self.ledgers[partition]
        folded = fold.apply(ledger, self.rules, body, at)
        effects = list(folded.effects)
        for sku, cause in folded.touched.items():
            effects += publish.publish(ledger, self.rules, sku, cause)
        for effect in effects:
            if isinstance(effect, StockTarget | Correction):
                self.commit(self.delivery[effect.channel].command, effect)
            elif isinstance(effect, ComponentStock | BundleHold):
                self.inventory(effect, at)

    def reload(self) -> None:
        for ledger in self.ledgers.values():
            ledger.reload()
        self.orders = {key: again(row) for key, row in self.orders.items()}
        self.under_way.clear()
        for sku in self.read_rows:
            self.start(sku)

    def lose(self) -> None:
        """Rows are gone; what was sent before still arrives. Orders are polled anew: all, or where it is `short` only the newest."""
        if not self.armed:
            return
        if self.down:
            self.at(1, self.lose)
            return
        self.armed = False
        self.log("LOST", self.variant.lost)
        self.crash(LATE_MAX + APPLY_MAX if self.variant.waits else None)
        if self.variant.lost != "delivery":
            self.ledgers = {sku: Rows() for sku in self.ledgers}
        if self.variant.lost in ("all", "short"):
            self.orders.clear()
            self.released.clear()
            self.told_over.clear()
            self.asked_to_delete.clear()
            self.read_rows = {sku: ReadRow(sku) for sku in self.read_rows}
        if self.variant.lost == "all":
            self.look_back = set(self.stores)
        if self.variant.lost != "ledger":
            for delivery in self.delivery.values():
                old = delivery.row
                delivery.row = ListingRow(old.listing, old.channel, old.sku)
                delivery.save()

    # ---- orders ----
    def snapshot(self, order: Order) -> OrderSnapshot:
        seen = super().snapshot(order)
        line: OrderLine = seen.lines[0]
        line.sku = self.variant.sells.get(order.channel, MUG)
        if self.variant.carts and self.stores[order.channel].kind == "ct":
            line.unguarded = "ReserveOnCart: a cart's reservation outlives a decrease"
        return seen

    def poll(self, name: str, since: float) -> None:
        if wait := self.pause(name):
            self.at(wait, self.poll, name, since)
            return
        if name in self.look_back and not self.down:
            self.look_back.discard(name)
            since = 0.0
        super().poll(name, since)

    def release(self, command: ReleaseOrder) -> None:
        lines = {line.sku: line.eaches for line in command.lines}
        allowed = self.variant.set_of(command.order_key.partition(":")[0])

        def create() -> None:
            if wait := self.pause(""):
                self.at(wait, create)
                return
            self.warehouse.create(command.reference, lines, allowed)
            self.heard(command.reference)

        self.at(self.rng.uniform(0.05, 5), create)

    def cancel_at_warehouse(self, reference: str) -> None:
        unknown = reference not in self.warehouse.goods
        if self.pause("") or (unknown and reference in self.released):
            self.at(2, self.cancel_at_warehouse, reference)
            return
        if unknown:
            self.commit(self.fold_order, WarehouseOrder(reference=reference, status="DELETED"))
            return
        self.asked_to_delete.add(reference)
        status: WarehouseStatus = "CANCELLED" if self.warehouse.cancel(reference) else "CANCEL_REFUSED"
        self.commit(self.fold_order, WarehouseOrder(reference=reference, status=status))

    # ---- joint reads ----
    def goods_changed(self, reference: str) -> None:
        self.lossy(lambda: self.heard(reference))

    def shelf_changed(self, sku: str) -> None:
        self.lossy(lambda: self.want(sku))

    def heard(self, reference: str) -> None:
        """What a look-up of the order tells: past PENDING its lines are expected in the next read."""
        goods = self.warehouse.goods[reference]
        for sku in goods.lines:
            if goods.status != "PENDING":
                reads.expect(self.read_rows[sku], reference)
            self.want(sku)

    def want(self, sku: str) -> None:
        reads.want(self.read_rows[sku])
        self.start(sku)

    def read_warehouse(self, repeat: int = 0) -> None:
        for sku in self.read_rows:
            self.want(sku)

    def sweep(self) -> None:
        """The single world's sweep; orders that went on and were not heard of are looked up."""
        for reference, goods in self.warehouse.goods.items():
            for sku in goods.lines:
                if goods.status != "PENDING" and (sku, reference) not in self.told_over:
                    reads.expect(self.read_rows[sku], reference)
        super().sweep()

    def start(self, sku: str) -> None:
        if sku in self.under_way or self.down:
            return
        if wait := self.pause(""):
            self.at(wait, self.start, sku)
            return
        self.under_way.add(sku)
        self.go_on(self.joint_read(sku), self.generation)

    def go_on(self, steps: Iterator[float], generation: int) -> None:
        """A read is many requests; a crash ends it."""
        if generation == self.generation and (pause := next(steps, None)) is not None:
            self.at(pause, self.go_on, steps, generation)

    def lines(self, sku: str) -> Iterator[float]:
        """One list a warehouse, one after another."""
        found: Lines = {}
        for warehouse in self.variant.warehouses:
            yield self.rng.uniform(0.02, 0.2)
            for reference, goods in self.warehouse.goods.items():
                if goods.status in OPEN and goods.warehouse == warehouse and sku in goods.lines:
                    found.setdefault(reference, (goods.out[sku], warehouse))
        return found

    def balances(self, sku: str) -> dict[str, int]:
        return {w: shelf[sku] for w, shelf in self.warehouse.free.items()}

    def joint_read(self, sku: str) -> Iterator[float]:
        """Lines, the balances of all warehouses, lines (R1); then look-ups of what is gone from the lines."""
        row = self.read_rows[sku]
        began, wanted = int(self.now * 1000), row.wanted
        old = self.balances(sku)
        if self.variant.stale:
            yield self.rng.uniform(0, self.variant.stale)
        before = yield from self.lines(sku)
        for repeat in range(REPEATS + 1):
            yield self.rng.uniform(0.02, 0.2)
            new = self.balances(sku)
            balances, old = (old, new) if self.variant.stale else (new, new)
            after = yield from self.lines(sku)
            moved = before != after
            if not moved or repeat == REPEATS:
                break
            before = after
        shown = {
            reference: SeenLine(min(out, before[reference][0] if reference in before else 0), warehouse)
            for reference, (out, warehouse) in after.items()
        }
        yield self.rng.uniform(0.02, 0.2)
        found: dict[str, list[Found]] = {}
        for reference in reads.absent(row, shown):
            goods = self.warehouse.goods[reference]
            found[reference] = []
            if goods.status != "CANCELLED" or goods.warehouse:  # a PENDING one is deleted
                found[reference] = [Found(goods.status, goods.out[sku], goods.warehouse)]
        levels = reads.tell(
            row,
            Joint(sku, balances, {}, shown, moved),
            found,
            self.asked_to_delete & found.keys(),
            began,
            clean=row.wanted == wanted,
        )
        for level in levels:
            self.told_over |= {(sku, line.reference) for line in level.lines if line.closed}
            self.inventory(level, began)
        self.under_way.discard(sku)
        if row.dirty:
            self.at(self.rng.uniform(0.1, 1), self.start, sku)

    # ---- the verdict ----
    def oversold(self) -> int:
        return Truth(self).oversold()[0]

    def unexcused(self) -> int:
        return Truth(self).oversold()[1]

    def converged(self) -> bool:
        return not Truth(self).wrong()


class WideDelivery(Delivery):
    """The same, where a storefront may refuse every call for a while: nothing leaves before it said that calls are taken again."""

    model: WideModel

    def write(self, step: Write) -> None:
        if not self._waits():
            if self.model.armed:
                self.model.at(self.model.rng.uniform(0, 3), self.model.lose)
            super().write(step)

    def read(self, step: LookUp | Adopt | CheckBack) -> None:
        if not self._waits():
            super().read(step)
            return
        self.busy = self.reading = False
        self.sweep_due = self.sweep_due or isinstance(step, CheckBack)

    def _waits(self) -> bool:
        wait = self.model.pause(self.store.name)
        if wait:
            self.later(wait + 0.001)
        return bool(wait)
