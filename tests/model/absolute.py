"""For comparison: how stock is commonly kept in step, an absolute figure written to every storefront whenever it changes.

It knows the orders and the warehouse as well as the product does (the same rows, the same joint reads), it writes one request at a time, and always the newest
figure. `unallocated` takes off the orders that the warehouse has not allocated yet; without, the warehouse's figure is written as it is.
"""

from schemas.records import Record
from tables.stock import fold
from tables.stock.pool import pool
from tests.model.peers import APPLY_MAX, TIMEOUT, Store, Variant
from tests.model.product import SKU, Model


class AbsoluteWriter(Model):
    """One seed of it."""

    def __init__(self, seed: int, variant: Variant, unallocated: bool) -> None:
        self.unallocated = unallocated
        self.wanted: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.busy: set[str] = set()
        super().__init__(seed, variant)

    def begin(self) -> None:
        self.plan()
        self.read_warehouse()
        for name in self.stores:
            self.at(self.rng.uniform(0, self.variant.poll_s), self.poll, name, self.now - 5)
        self.at(self.rng.uniform(5, 15), self.sweep)

    def sweep(self) -> None:
        self.read_warehouse()
        self.at(self.variant.sweep_s * self.rng.uniform(0.8, 1.2), self.sweep)

    def split(self) -> bool:
        return False

    def fold(self, body: Record, at: int) -> None:
        assert self.ledger is not None
        fold.apply(self.ledger, self.rules, body, at)
        row = self.ledger.sku(SKU)
        if row is None or not row.read_no:
            return
        left = pool(row.free, row.demand if self.unallocated else {}, ["MAIN"])
        for name, store in self.stores.items():
            self.wanted[name] = max(0, left) // store.eaches
            self.write(store)

    def write(self, store: Store) -> None:
        """The newest figure, where it is another than the last one written and no request is under way."""
        name, figure = store.name, self.wanted[store.name]
        if name in self.busy or self.written.get(name) == figure:
            return
        self.busy.add(name)
        self.writes += 1
        rng, faults, latency = self.rng, self.variant.faults, self.rng.uniform(0.03, 0.3)
        chance = rng.random()
        if chance >= 0.04 * faults:
            self.at(latency, self.arrive, store, figure)
        if chance < 0.07 * faults:
            self.at(TIMEOUT, self.answer, store, None)
        else:
            self.at(latency + rng.uniform(0.03, 0.3), self.answer, store, figure)

    def arrive(self, store: Store, figure: int) -> None:
        """Some storefronts set it at once, others a little later, in order."""
        store.busy_until = max(
            store.busy_until, self.now + (self.rng.uniform(0, APPLY_MAX) if store.kind == "bc" else 0)
        )
        self.at(store.busy_until - self.now, store.edit, figure)

    def answer(self, store: Store, figure: int | None) -> None:
        self.busy.discard(store.name)
        if figure is not None:
            self.written[store.name] = figure
        self.write(store)
