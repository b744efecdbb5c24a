"""R9: who may sell beyond what it shows, how the ledger learns it, and what it then says."""

from schemas.records import ReadBack
from tables.catalogue import Mode
from tables.stock.policy import no_guarantee
from tests.unit.stock.memory import Ledger, level, line
from tests.unit.stock.test_escrow import A, B, mark, rules, shown, started


def promise(ledger: Ledger) -> list[str]:
    return no_guarantee(ledger.rules, ledger.mug, ledger.rules.catalogue.products["MUG"])


def test_a_read_tells_what_a_storefront_does_not_refuse_and_the_next_that_it_does() -> None:
    ledger = Ledger(rules())
    back_orders = shown(A, 0)
    back_orders.unguarded = "back-orders are accepted"
    ledger(level(1, 10), back_orders, shown(B, 0), mark("shop", 4000), mark("mall", 4000))
    assert promise(ledger) == [f"no guarantee: {A.id}: back-orders are accepted"]
    assert ledger.mug.listing(A.id).quota is not None  # it stays split: safer than sharing
    read = ReadBack(
        sku="MUG", listing=A.id, epoch=1, pver=1, quantity=5, at_from=6000, at_to=6000, published=5, verify=False
    )
    ledger(read)
    assert promise(ledger) == []


def test_the_newest_order_tells_how_its_storefront_sold() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    ledger(line("1", 1, of=A, at=7000, ordered_at=A.id, unguarded="mode TrackOnly"))
    assert promise(ledger) == [f"no guarantee: {A.id}: mode TrackOnly"]
    ledger(line("2", 1, of=A, at=6000, ordered_at=A.id))
    assert len(promise(ledger)) == 1  # an older one that was seen later
    ledger(line("3", 1, of=A, at=8000, ordered_at=A.id))
    assert promise(ledger) == []


def test_an_order_that_lowered_nothing_tells_of_its_listing_too() -> None:
    ledger, _ = started(rules(), 10, 0, 0)
    untracked = line("1", 1, of=B, at=7000, channel="mall", ordered_at=B.id, unguarded="mode None")
    untracked.listing, untracked.units = None, 0
    ledger(untracked)
    assert promise(ledger) == [f"no guarantee: {B.id}: mode None"]


def test_a_kind_of_channel_and_a_setting_are_reasons_of_every_listing() -> None:
    given = rules()
    given.unguarded["mall"] = "puts cancelled units back"
    ledger, _ = started(given, 10, 0, 0)
    assert promise(ledger) == [f"no guarantee: {B.id}: puts cancelled units back"]


def test_a_pool_that_is_shared_is_not_said_to_lack_a_guarantee_it_never_had() -> None:
    given = rules(mode=Mode.SHARED)
    given.unguarded["mall"] = "puts cancelled units back"
    ledger, _ = started(given, 10, 0, 0)
    assert promise(ledger) == []
