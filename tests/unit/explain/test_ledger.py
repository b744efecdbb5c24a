"""An explanation of a SKU's row says what the ledger sent, with every number that led to it."""

from decimal import Decimal

from schemas.records import StockTarget
from tables.catalogue import PolicyRule
from tables.deliveries.peers import Bounds
from tables.explain.ledger import explain, open_lines
from tables.explain.report import Ledger as Explained
from tables.explain.report import Target
from tables.stock.rows import Quota, Rules, SkuRow, WaitingOutcome
from tests.unit.stock.memory import (
    BOX,
    CASE,
    EXACT,
    MUG,
    Ledger,
    adopted,
    baseline,
    level,
    line,
    read_back,
    reflected,
    rules,
    targets,
    watermark,
)

HALF = PolicyRule("shop", "MUG", {"share": Decimal("0.5"), "buffer": 1})


def explained(ledger: Ledger, sku: str = "MUG") -> Explained:
    row = ledger.state.sku(sku) or SkuRow(sku)
    return explain(ledger.state, ledger.rules, row, ledger.rules.catalogue.products[sku])


def target(ledger: Ledger, listing: str = MUG.id, sku: str = "MUG") -> Target:
    return next(one for one in explained(ledger, sku).targets if one.listing == listing)


def orders(ledger: Ledger, sku: str = "MUG") -> list[tuple[str, object]]:
    return [(reference, order) for (one, reference), order in ledger.state.orders.items() if one == sku]


def test_the_explained_figures_are_those_last_sent() -> None:
    ledger = adopted(rules(HALF), main=21)
    sent = ledger(line("1", 3), line("2", 1, at=6000), level(2, 21, 4, reflected("1", 2)))
    one = target(ledger)
    assert (one.inc, one.dec) == (one.told_inc, one.told_dec) == targets(sent)[-1]
    assert {term.name: term.operand for term in one.terms} | {"share": "0.5"} == {
        "pool": "23",
        "share": "0.5",
        "percent": "0",
        "buffer": "1",
        "velocity": "0",
        "min_to_list": "0",
        "units": "1",
        "taken = inc": "4",
        "dec": "4",
    }
    assert (one.unions[0].free, one.unions[0].demand) == (25, 2)


def test_selling_units_divide_the_same_pool() -> None:
    ledger = adopted(rules(), main=30)
    case = target(ledger, CASE.id)
    assert (case.available, case.unit, case.terms[-3].operand, case.terms[-3].result) == (2, "case", "12", "2")
    assert case.awaits[0].what == "baseline"


def test_what_was_never_read_has_no_figures_and_says_so() -> None:
    one = target(Ledger(rules()))
    assert (one.inc, one.available, one.terms) == (None, None, [])
    assert [x.what for x in one.awaits] == ["stock", "baseline"]


def test_a_baseline_and_a_read_back_wait_for_the_watermark() -> None:
    ledger = Ledger(rules(bounds=Bounds(0, 0, 0, 500)))
    ledger(level(1), baseline(at=1000))
    [wait] = target(ledger).awaits
    assert (wait.what, wait.until) == ("watermark", 1500)
    ledger(watermark(1500))
    assert target(ledger).awaits == []
    ledger(read_back(0, 9000, 0))
    assert [x.what for x in target(ledger).awaits] == ["watermark"]


def test_the_open_lines_sum_up_to_the_demand() -> None:
    ledger = adopted(rules(), main=50)
    for number in range(30):
        ledger(line(str(number), 2, warehouses=["MAIN"] if number % 2 else ["MAIN", "NORTH"]))
    ledger(line("3", 2, version=2, state="CLOSED"), level(2, 50, 0, reflected("4", 1), reflected("5", 2)))
    found = open_lines(orders(ledger), 20)  # type: ignore[arg-type]
    assert found.eaches == sum(ledger.mug.demand.values()) == 55
    assert (found.count, len(found.first), found.complete) == (28, 20, True)
    part = next(one for one in found.first if one.reference == "shop:4")
    assert (part.eaches, part.reflected, part.counts, part.warehouses) == (2, 1, 1, ["MAIN", "NORTH"])


def test_an_order_the_warehouse_is_done_with_counts_no_more() -> None:
    ledger = adopted(rules())
    ledger(line("1", 2), level(2, 8, 0, reflected("1", 0, closed=True, warehouse="MAIN")))
    assert open_lines(orders(ledger), 20).count == 0  # type: ignore[arg-type]


def test_a_bundle_shows_the_words_of_its_components_and_they_show_what_they_told() -> None:
    ledger = adopted(rules(), main=9)
    for effect in ledger(level(2, 9), level(1, 3, sku="CARD")):
        if not isinstance(effect, StockTarget) and hasattr(effect, "component"):
            ledger(effect)
    mug = explained(ledger).bundles
    assert [(x.bundle, x.component, x.eaches) for x in mug] == [("BOX", "MUG", 2)]
    box = explained(ledger, "BOX")
    assert {x.component for x in box.bundles} == {"MUG", "CARD"}
    assert target(ledger, BOX.id, "BOX").listing == BOX.id


def test_a_split_pool_shows_the_listings_quota_and_what_it_waits_for() -> None:
    ledger = adopted(rules(), main=20)
    known = ledger.mug.listings[MUG.id]
    known.taken = 3
    known.quota = Quota(target=8, conf=6, issued={4: 8, 5: 9}, waiting=[WaitingOutcome(4, 8, 9000)])
    one = target(ledger)
    assert (one.inc, one.dec, one.to_zero, one.available) == (8, 8, False, 5)
    assert one.quota is not None
    assert (one.quota.high, one.quota.reserved, one.quota.issued) == (9, 6, {"4": 8, "5": 9})
    [wait] = one.awaits
    assert (wait.what, wait.until) == ("watermark", 9000)
    assert [term.result for term in one.terms][-2:] == ["8", "8"]


def test_a_listing_that_does_not_decrement_has_one_figure() -> None:
    given = rules(decrementless=["shop"])
    assert isinstance(given, Rules) and given.bound("shop") == EXACT
    one = target(adopted(given))
    assert one.inc == one.dec == 10
    assert one.terms[-1].name == "inc = dec"
