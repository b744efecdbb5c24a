"""An explanation of a SKU's row says what the ledger sent, with every number that led to it."""

from decimal import Decimal

from schemas.records import StockTarget, Watermark
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries.peers import Bounds
from tables.explain.ledger import explain, open_lines
from tables.explain.report import Ledger as Explained
from tables.explain.report import Split, Target
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
from tests.unit.stock.network import Network

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


# ---- a split pool ----


def split(network: Network, sku: str) -> Split:
    found = explained(network.ledgers[sku], sku).split
    assert found is not None
    return found


def listing(network: Network, sku: str, key: str) -> Target:
    return next(one for one in explained(network.ledgers[sku], sku).targets if one.listing == key)


def begun(**quantities: int) -> Network:
    """MUG with a listing at each of two channels, and BOX of two MUG at one of them."""
    shop, mall, box = Listing("shop", "M", "MUG"), Listing("mall", "M", "MUG"), Listing("mall", "B", "BOX")
    products = [Product("MUG", listings=(shop, mall)), Product("BOX", bundle={"MUG": 2}, listings=(box,))]
    network = Network(Catalogue(products, [PolicyRule("*", "*", {"mode": Mode.ESCROW})], ["MAIN"]), {"MUG": quantities})
    network.start()
    return network


def test_a_shared_pool_is_not_said_to_be_split() -> None:
    assert explained(adopted(rules())).split is None


def test_a_split_pool_shows_who_is_limited_together_and_what_bundles_were_granted() -> None:
    network = begun(MAIN=20)
    found = split(network, "MUG")
    [limit] = found.limits
    assert limit.sellers == ["shop//M", "mall//M", "BOX (MAIN)"]
    assert (limit.left, limit.aimed, limit.reserved) == (20, 20, 20)
    [granted] = found.granted
    assert granted.reserved == granted.high - granted.taken > 0
    own = explained(network.ledgers["MUG"], "MUG").targets
    assert granted.target * 2 + sum(x.available or 0 for x in own) == 20
    assert (found.no_guarantee, found.awaits) == ([], [])


def test_a_bundle_shows_what_it_may_split_and_its_part_without_the_pools_own_terms() -> None:
    network = begun(MAIN=20)
    [limit] = split(network, "BOX").limits
    one = listing(network, "BOX", "mall//B")
    assert limit.sellers == ["mall//B"] and limit.left == limit.aimed == one.available
    assert [term.name for term in one.terms] == ["quota = inc", "dec"]
    assert explained(network.ledgers["BOX"], "BOX").bundles[0].granted == {"MAIN": limit.left}


def test_an_issued_quota_is_shown_until_its_outcome_is_settled() -> None:
    network = begun(MAIN=20)
    network.receive("MUG", "MAIN", 10)
    network.fold("MUG")
    quota = listing(network, "MUG", "shop//M").quota
    assert quota is not None and list(quota.issued.values()) == [quota.target] and quota.conf < quota.target
    network.write("shop//M")
    network.fold("MUG")
    quota = listing(network, "MUG", "shop//M").quota
    [wait] = listing(network, "MUG", "shop//M").awaits
    assert quota is not None and quota.issued and wait.what == "watermark" and wait.until == network.now
    network.settle()
    quota = listing(network, "MUG", "shop//M").quota
    assert quota is not None and quota.issued == {} and quota.conf == quota.target
    assert listing(network, "MUG", "shop//M").awaits == []


def test_why_a_split_pool_promises_nothing_or_waits_is_said() -> None:
    network = begun(MAIN=20)
    network.adopt("mall//B", "back-orders are accepted")
    network.settle()
    assert split(network, "MUG").no_guarantee == ["no guarantee: mall//B: back-orders are accepted"]
    shop, mall = Listing("shop", "M", "MUG"), Listing("mall", "M", "MUG")
    given = Catalogue([Product("MUG", listings=(shop, mall))], [PolicyRule("*", "*", {"mode": Mode.ESCROW})], ["MAIN"])
    ledger = Ledger(Rules(given, 1, {"shop": EXACT, "mall": EXACT}))
    ledger(level(1, 10), baseline(listing=shop), watermark(4000))
    found = explained(ledger).split
    assert found is not None and [x.what for x in found.awaits] == ["adoption"] and mall.id in found.awaits[0].detail
    assert [x.what for x in explained(ledger).targets[1].awaits] == ["baseline"]


def test_a_pool_that_was_shared_until_now_says_which_outcome_grants_wait_for() -> None:
    shop, mall = Listing("shop", "M", "MUG"), Listing("mall", "M", "MUG")
    auto = PolicyRule("*", "*", {"mode": Mode.AUTO, "escrow_floor": 10})
    ledger = Ledger(
        Rules(Catalogue([Product("MUG", listings=(shop, mall))], [auto], ["MAIN"]), 1, {"shop": EXACT, "mall": EXACT})
    )
    marks = [Watermark(channel=name, order_partition=0, up_to=4000) for name in ("shop", "mall")]
    ledger(level(1, 50), baseline(listing=shop), baseline(listing=mall), *marks)
    assert explained(ledger).split is None
    ledger(level(2, 8))
    found = explained(ledger).split
    assert found is not None and [x.what for x in found.awaits] == ["switch", "switch"]
    quota = target(ledger, shop.id).quota
    assert quota is not None and quota.unsure == 2
