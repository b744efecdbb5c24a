"""Bundles: the formula, and that a bundle never offers what a component has not counted as sold yet."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import ComponentStock, Record, StockTarget
from tables.stock import bundles
from tables.stock.pool import key_of
from tables.stock.rows import Component, SkuRow
from tests.unit.stock.memory import BOX, MUG, Ledger, baseline, level, line, reflected, rules, shown, targets, watermark

BOTH = ("MAIN", "NORTH")


def row(**pools: tuple[int, int, int]) -> SkuRow:
    """Components with their pools at MAIN, at NORTH and at both."""
    found = SkuRow("BOX")
    for name, (main, north, joint) in pools.items():
        found.components[name] = Component(1, {"MAIN": main, "NORTH": north}, {key_of(BOTH): joint}, {})
    return found


def test_a_bundle_is_packed_in_one_warehouse() -> None:
    assert bundles.base({"MUG": 2, "CARD": 1}, row(MUG=(4, 0, 4), CARD=(1, 9, 10)), BOTH) == 1


def test_what_both_warehouses_have_promised_together_is_gone_for_each() -> None:
    assert bundles.base({"MUG": 2, "CARD": 1}, row(MUG=(4, 4, 4), CARD=(9, 9, 18)), BOTH) == 2


def test_a_component_promised_beyond_what_is_there_counts_against_the_bundle() -> None:
    assert bundles.base({"MUG": 2, "CARD": 1}, row(MUG=(0, 0, -3), CARD=(9, 9, 18)), BOTH) == -2


def test_an_unknown_component_leaves_the_bundle_unknown() -> None:
    assert bundles.base({"MUG": 2, "CARD": 1}, row(MUG=(4, 4, 8)), BOTH) is None


@given(st.lists(st.integers(0, 9), min_size=6, max_size=6), st.integers(1, 3), st.integers(1, 3))
def test_the_formula(stock: list[int], mugs: int, cards: int) -> None:
    m1, m2, c1, c2, spare_m, spare_c = stock
    joint_m, joint_c = max(0, m1 + m2 - spare_m), max(0, c1 + c2 - spare_c)
    found = bundles.base({"MUG": mugs, "CARD": cards}, row(MUG=(m1, m2, joint_m), CARD=(c1, c2, joint_c)), BOTH)
    single = min(m1 // mugs, c1 // cards) + min(m2 // mugs, c2 // cards)
    assert found == min(single, joint_m // mugs, joint_c // cards)


# ---- through the fold: the bundle's row and its components' rows lie in different partitions ----


class Partitions:
    """Three ledgers; what components tell the bundle arrives when `carry` is called."""

    def __init__(self) -> None:
        self.rules = rules()
        self.of = {sku: Ledger(self.rules) for sku in ("MUG", "CARD", "BOX")}
        self.under_way: list[ComponentStock] = []

    def __call__(self, sku: str, *bodies: Record) -> list[Any]:
        effects = self.of[sku](*bodies)
        self.under_way += [e for e in effects if isinstance(e, ComponentStock)]
        return effects

    def carry(self) -> list[Any]:
        told, self.under_way = self.under_way, []
        return self.of["BOX"](*told)

    def sell(self, sku: str, order: str, units: int, version: int = 1, **fields: Any) -> list[Any]:
        eaches = {"BOX": 0, "MUG": 2 * units, "CARD": units}[sku]
        line_id = "1" if sku == "BOX" else f"1/{sku}"
        given = {"sku": sku, "line_id": line_id, "eaches": eaches, "of": BOX, **fields}
        return self(sku, line(order, units, version, **given))


def started(mugs: int = 10, cards: int = 10) -> Partitions:
    all_of = Partitions()
    all_of("MUG", level(1, mugs))
    all_of("CARD", level(1, cards, sku="CARD"))
    all_of("BOX", baseline(listing=BOX), watermark(4000))
    assert targets(all_of.carry(), BOX) == [(min(mugs // 2, cards),) * 2]
    return all_of


def test_a_bundle_is_offered_when_every_component_has_spoken() -> None:
    all_of = Partitions()
    all_of("BOX", baseline(listing=BOX), watermark(4000))
    all_of("MUG", level(1, 10))
    assert targets(all_of.carry(), BOX) == []
    all_of("CARD", level(1, 3, sku="CARD"))
    effects = all_of.carry()
    assert targets(effects, BOX) == [(3, 3)]
    assert shown(effects, BOX) == [(3, "component")]


def test_a_bundle_sold_is_never_raised_by_its_own_sale_whichever_row_sees_it_first() -> None:
    for order in (("BOX", "MUG", "CARD"), ("MUG", "CARD", "BOX"), ("MUG", "BOX", "CARD"), ("CARD", "BOX", "MUG")):
        all_of, seen = started(), list[Any]()
        for sku in order:
            seen += all_of.sell(sku, "1", 2)
            seen += all_of.carry()
        raised = [inc for inc, _ in targets(seen, BOX) if inc > 5]
        assert raised == [], order
        state = all_of.of["BOX"].state.skus["BOX"].listings[BOX.id]
        assert (state.inc, state.dec, state.available) == (5, 5, 3), order


def test_a_component_sold_alone_lowers_the_bundle() -> None:
    all_of = started()
    all_of("MUG", line("1", 3))
    assert targets(all_of.carry(), BOX) == [(3, 3)]


def test_a_bundle_sold_lowers_the_components_own_listing_by_its_eaches() -> None:
    all_of = started()
    all_of("MUG", baseline(), watermark(4000))
    assert targets(all_of.sell("MUG", "1", 2), MUG) == [(6, 6)]


def test_components_speak_only_when_something_changed() -> None:
    all_of = started()
    all_of("MUG", line("1", 3), level(2, 7, 0, reflected("1", 3)))
    assert len(all_of.under_way) == 1


def test_an_older_word_of_a_component_is_ignored() -> None:
    all_of = started()
    all_of("MUG", level(2, 8), level(3, 4))
    late, newest = all_of.under_way
    all_of.of["BOX"](newest)
    assert all_of.of["BOX"](late) == []


def test_a_component_added_later_counts_from_when_it_first_spoke() -> None:
    found = SkuRow("BOX", lowered={BOX.id: 40})
    found.listing(BOX.id).taken = 40
    bundles.fold(found, ComponentStock(sku="BOX", component="NEW", version=1, pools={}, joint={}, taken={BOX.id: 0}))
    assert bundles.taken(BOX.id, found) == 40
    found.lowered[BOX.id] += 2
    found.listing(BOX.id).taken += 2
    assert bundles.taken(BOX.id, found) == 40


class Sale:
    """A storefront that sells a bundle (and one component alone) while the three rows learn of it in any order, each its own events in order.

    Commands arrive late; the storefront carries them out as differences to the gross figure it has.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rules = rules()
        self.ledgers = {sku: Ledger(self.rules) for sku in ("MUG", "CARD", "BOX")}
        self.queues: dict[str, list[Record]] = {sku: [] for sku in (*self.ledgers, "shop")}
        self.supply = {"MUG": self.rng.randint(0, 20), "CARD": self.rng.randint(0, 10)}
        self.reads = self.orders = self.quantity = self.gross = 0
        self.open: dict[str, int] = {}
        self.read("MUG")
        self.read("CARD")
        self.queues["BOX"] += [baseline(listing=BOX), watermark(4000)]

    def read(self, sku: str) -> None:
        self.reads += 1
        self.queues[sku].append(level(self.reads, self.supply[sku], sku=sku))

    def receive(self) -> None:
        sku = self.rng.choice(["MUG", "CARD"])
        self.supply[sku] += self.rng.randint(1, 4)
        self.read(sku)

    def demand(self, order: str, units: int, version: int, **fields: Any) -> None:
        for sku, eaches in (("MUG", 2 * units), ("CARD", units), ("BOX", 0)):
            line_id = "1" if sku == "BOX" else f"1/{sku}"
            given = {"sku": sku, "line_id": line_id, "eaches": eaches, "of": BOX, **fields}
            self.queues[sku].append(line(order, units, version, **given))

    def buy(self) -> None:
        units = self.rng.randint(1, 2)
        if self.quantity >= units:
            self.orders += 1
            self.quantity -= units
            self.open[str(self.orders)] = units
            self.demand(str(self.orders), units, 1)

    def cancel(self) -> None:
        if self.open:
            order = self.rng.choice(sorted(self.open))
            self.demand(order, self.open.pop(order), 2, state="CLOSED")

    def deliver(self) -> None:
        waiting = [name for name, queue in self.queues.items() if queue]
        if not waiting:
            return
        name = self.rng.choice(waiting)
        body = self.queues[name].pop(0)
        if name != "shop":
            for effect in self.ledgers[name](body):
                if isinstance(effect, ComponentStock):
                    self.queues["BOX"].append(effect)
                elif isinstance(effect, StockTarget):
                    self.queues["shop"].append(effect)
        elif isinstance(body, StockTarget):
            change = body.dec - self.gross if body.dec < self.gross else max(0, body.inc - self.gross)
            self.gross, self.quantity = self.gross + change, self.quantity + change

    def left(self) -> int:
        sold = sum(self.open.values())
        return min((self.supply["MUG"] - 2 * sold) // 2, self.supply["CARD"] - sold)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_a_bundle_is_never_oversold_whatever_row_learns_first(first: int) -> None:
    for seed in range(first, first + 100):
        sale = Sale(seed)
        for _ in range(200):
            sale.rng.choices([sale.buy, sale.cancel, sale.receive, sale.deliver], [4, 1, 0.3, 8])[0]()
            assert sale.left() >= 0, f"seed {seed}: oversold"
        while any(sale.queues.values()):
            sale.deliver()
        assert sale.quantity == sale.left(), f"seed {seed}: shows {sale.quantity} of {sale.left()}"
