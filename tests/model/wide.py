"""The product inside the wide simulation: every SKU's ledger is a partition of its own, the warehouse is read by the product's own rules of reading.

What the single world has already is used as it is: storefronts, delivery rows, the rules of orders, crashes (`tests.model.product`).
"""

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
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Write
from tables.deliveries.reads import ReadRow
from tables.stock import fold, publish
from tests.model.peers import APPLY_MAX, LATE_MAX, Order
from tests.model.product import Delivery, Model, Rows, again
from tests.model.wide_peers import MUG, WideVariant, WideWorld
from tests.model.wide_reads import WarehouseReads
from tests.model.wide_verdict import Truth


class WideModel(WarehouseReads, Model, WideWorld):
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
        self.commit(self.fold_order, WarehouseOrder(reference=reference, status=status, wms_id="1"))

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
