"""The product inside the wide simulation: every SKU's ledger is a partition of its own, the warehouse is read by the product's own rules of reading.

What the single world has already is used as it is: storefronts, delivery rows, the rules of orders, crashes (`tests.model.product`).
"""

from schemas.records import (
    Baseline,
    BundleHold,
    CancelOrder,
    ComponentStock,
    Correction,
    OrderLine,
    OrderSnapshot,
    ReadBack,
    Record,
    ReleaseOrder,
    StockOutcome,
    StockTarget,
    Watermark,
)
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Write
from tables.deliveries.reads import ReadRow
from tables.stock import fold, publish
from tests.model.peers import APPLY_MAX, LATE_MAX, Order
from tests.model.product import Delivery, Model, Rows, again
from tests.model.wide_peers import MUG, WideVariant, WideWorld
from tests.model.wide_polls import Polls
from tests.model.wide_reads import WarehouseReads
from tests.model.wide_releases import Releases
from tests.model.wide_verdict import Truth


class WideModel(WarehouseReads, Model, WideWorld):
    """One seed."""

    def __init__(self, seed: int, variant: WideVariant, trace: bool = False) -> None:
        self.ledgers: dict[str, Rows] = {}
        self.tails: dict[str, float] = {}
        self.read_rows: dict[str, ReadRow] = {}
        self.under_way: set[str] = set()
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
        self.releases = Releases(self)
        self.polls = {name: Polls(self, name) for name in self.stores}
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
        self.releases.restart()
        for polls in self.polls.values():
            polls.restart()

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
        if self.variant.lost in ("all", "short", "ledger"):
            self.ledgers = {sku: Rows() for sku in self.ledgers}
        if self.variant.lost in ("all", "short"):
            self.orders.clear()
        if self.variant.lost in ("all", "short", "warehouse"):
            self.read_rows = {sku: ReadRow(sku) for sku in self.read_rows}
            self.releases.lose()
        if self.variant.lost in ("all", "short", "delivery"):
            for polls in self.polls.values():
                polls.lose()
                if self.variant.lost != "short":
                    polls.overlap = int(self.now * 1000)
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

    def order_seen(self, order: Order) -> None:
        self.polls[order.channel].changed(order)
        super().order_seen(order)

    def poll(self, name: str, since: float) -> None:
        """The single world's first poll begins ours."""
        self.polls[name].whole()

    def release(self, command: ReleaseOrder) -> None:
        self.releases.command(command)

    def ask_to_cancel(self, command: CancelOrder) -> None:
        self.commit(self.releases.command, command)

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

    def save(self, *records: Record) -> None:
        """What waits for a watermark asks for one."""
        super().save(*records)
        for record in records:
            if isinstance(record, StockOutcome):
                self.model.polls[self.store.name].known(record.at)
            elif isinstance(record, Baseline | ReadBack):
                self.model.polls[self.store.name].known(record.at_to)

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
