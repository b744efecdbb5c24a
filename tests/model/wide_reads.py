"""Joint reads of the warehouse in the wide simulation, step by step in virtual time; what they mean is for the rules of `tables.deliveries.reads`."""

from collections.abc import Iterator

from tables.deliveries import reads
from tables.deliveries.reads import Found, Joint, ReadRow, SeenLine
from tests.model.wide_peers import OPEN, WideWorld
from tests.model.wide_releases import Releases

Lines = dict[str, tuple[int, str]]
"""Open lines of a SKU: reference to eaches out and warehouse."""

REPEATS = 3
"""A joint read is repeated so often while lines move."""


class WarehouseReads(WideWorld):
    """Who reads, when, and what is told; a part of `tests.model.wide.WideModel`."""

    read_rows: dict[str, ReadRow]
    releases: Releases
    under_way: set[str]
    down: bool
    generation: int

    def goods_changed(self, reference: str) -> None:
        skus = list(self.warehouse.goods[reference].lines)
        self.lossy(lambda: [self.want(sku) for sku in skus])

    def shelf_changed(self, sku: str) -> None:
        self.lossy(lambda: self.want(sku))

    def want(self, sku: str) -> None:
        reads.want(self.read_rows[sku])
        self.start(sku)

    def read_warehouse(self, repeat: int = 0) -> None:
        for sku in self.read_rows:
            self.want(sku)

    def sweep(self) -> None:
        """The single world's sweep; the status of everything that is at the warehouse is looked up."""
        self.releases.moved(self.releases.at_work())
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
        known = {}
        for reference in reads.absent(row, shown):
            known[reference] = self.releases.there(reference)
            goods = self.warehouse.goods[reference]
            found[reference] = [Found(one.status, goods.out[sku], one.warehouse) for one in known[reference]]
        told_before = dict(row.lines)
        levels = reads.tell(
            row,
            Joint(sku, balances, {}, shown, moved),
            found,
            self.releases.deleting() & found.keys(),
            began,
            clean=row.wanted == wanted,
        )
        for level in levels:
            self.inventory(level, began)
        self.releases.looked_up(known, began)
        changed = {ref for ref in told_before.keys() | row.lines.keys() if told_before.get(ref) != row.lines.get(ref)}
        self.releases.moved(changed | set(self.releases.unseen(sku, shown)))
        self.under_way.discard(sku)
        if row.dirty:
            self.at(self.rng.uniform(0.1, 1), self.start, sku)
