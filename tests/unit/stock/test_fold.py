"""Events in, commands out: when a listing gets a target, what it says, and what subscribers are told."""

from decimal import Decimal

import pytest

from schemas.records import StockOutcome, StockTarget
from tables.catalogue import Mode, PolicyRule
from tables.stock.policy import notes
from tables.stock.speed import SPEED_MS
from tests.unit.stock.memory import (
    CASE,
    MUG,
    SLACK,
    Ledger,
    adopted,
    baseline,
    level,
    line,
    reflected,
    rules,
    shown,
    targets,
    watermark,
)


def rule(**fields: object) -> PolicyRule:
    return PolicyRule("*", "*", fields)


def test_a_product_never_read_gets_no_target() -> None:
    ledger = Ledger(rules())
    effects = ledger(baseline(), watermark(4000), line("1", 1))
    assert targets(effects) == [] and shown(effects) == []


def test_a_listing_without_a_baseline_gets_no_target_but_its_figure_is_known() -> None:
    effects = Ledger(rules())(level(1, 10))
    assert targets(effects) == []
    assert shown(effects) == [(10, "level")]
    assert shown(effects, CASE) == [(0, "level")]


def test_the_first_target_waits_for_all_orders_up_to_the_baseline() -> None:
    ledger = Ledger(rules(partitions=2))
    ledger(level(1, 10), baseline(at=5000), watermark(5000))
    assert targets(ledger(watermark(4999, 1))) == []
    assert targets(ledger(watermark(5000, 1))) == [(10, 10)]


def test_and_for_the_resolution_of_the_peers_order_times() -> None:
    ledger = Ledger(rules(bounds=SLACK))
    ledger(level(1, 10), baseline(at=5000))
    assert targets(ledger(watermark(6999))) == []
    assert targets(ledger(watermark(7000))) == [(10, 10)]


def test_an_old_watermark_changes_nothing() -> None:
    ledger = Ledger(rules())
    ledger(level(1, 10), watermark(9000), watermark(3000))
    assert targets(ledger(baseline(at=5000))) == [(10, 10)]


def test_a_storefronts_own_sale_is_no_command_but_news() -> None:
    ledger = adopted(rules())
    effects = ledger(line("1", 3))
    assert targets(effects) == []
    assert shown(effects) == [(7, "order")]


def test_another_listings_sale_lowers_this_one() -> None:
    ledger = adopted(rules(), main=30)
    effects = ledger(line("1", 1, of=CASE))
    assert targets(effects) == [(18, 18)]


def test_the_same_sale_in_the_level_changes_nothing() -> None:
    ledger = adopted(rules())
    ledger(line("1", 3))
    assert ledger(level(2, 7, 0, reflected("1", 3))) == []


def test_of_what_a_whole_read_does_not_name_nothing_is_out() -> None:
    """The reader lost its row; the pick list of order 1 was cancelled meanwhile, order 3 is over."""
    ledger = adopted(rules(), main=10)
    ledger(line("1", 3), line("2", 1), line("3", 1))
    ledger(level(2, 5, 0, reflected("1", 3), reflected("2", 1), reflected("3", 1, closed=True)))
    assert targets(ledger(level(3, 8, 0, reflected("2", 1), whole=True))) == []
    assert sum(ledger.mug.demand.values()) == 3


def test_a_cancelled_order_raises_what_was_offered() -> None:
    ledger = adopted(rules())
    ledger(line("1", 3))
    effects = ledger(line("1", 3, 2, state="CLOSED"))
    assert targets(effects) == [(13, 13)]
    assert shown(effects) == [(10, "cancel")]


def test_a_restock_by_the_storefront_itself_needs_no_command() -> None:
    ledger = adopted(rules())
    ledger(line("1", 3))
    effects = ledger(line("1", 3, 2, state="CLOSED", restocked_at=6000))
    assert targets(effects) == []
    assert shown(effects) == [(10, "restock")]


def test_oversold_stock_lowers_no_further_than_what_was_taken() -> None:
    ledger = adopted(rules())
    ledger(line("1", 3))
    (command,) = [e for e in ledger(level(2, 1)) if isinstance(e, StockTarget)]
    assert (command.inc, command.dec, command.to_zero, command.priority) == (1, 3, True, 1)


def test_versions_rise_and_commands_carry_the_epoch() -> None:
    ledger = adopted(rules())
    commands = [e for e in ledger(level(2, 9), level(3, 8)) if isinstance(e, StockTarget)]
    assert [(c.epoch, c.version, c.inc) for c in commands] == [(1, 2, 9), (1, 3, 8)]


def test_a_decrement_less_channel_is_told_the_figure_itself() -> None:
    ledger = adopted(rules(decrementless=["shop"]))
    assert targets(ledger(line("1", 3, of=CASE, eaches=3))) == [(7, 7)]


def test_policies_apply_to_each_listing() -> None:
    ledger = adopted(rules(PolicyRule("*", "MUG", {"share": Decimal("0.5"), "buffer": 1})))
    assert targets(ledger(level(2, 20))) == [(9, 9)]


def test_the_warehouses_of_the_policy_are_what_counts() -> None:
    ledger = adopted(rules(rule(warehouses=("NORTH",))))
    assert targets(ledger(level(2, 10, 4))) == [(4, 4)]


def test_velocity_covers_the_present_speed_and_ends_when_it_is_quiet() -> None:
    ledger = adopted(rules(rule(velocity=15)))
    effects = ledger(line("1", 4, at=5000))
    assert targets(effects) == [(8, 8)]
    assert targets(ledger(watermark(5000 + SPEED_MS - 1))) == []
    assert targets(ledger(watermark(5000 + SPEED_MS))) == [(10, 10)]
    assert ledger.state.waits == {}


def test_nothing_waits_when_nothing_is_due() -> None:
    ledger = adopted(rules())
    assert ledger.state.waits == {}
    assert ledger(watermark(9000)) == []


def test_an_outcome_changes_nothing_while_the_pool_is_shared() -> None:
    ledger = adopted(rules())
    outcome = StockOutcome(sku="MUG", listing=MUG.id, epoch=1, version=1, bound=10, at=5000)
    assert ledger(outcome) == []


def test_a_listing_that_is_configured_no_more_is_still_counted_and_gets_nothing() -> None:
    ledger = adopted(rules())
    gone = line("1", 3)
    gone.listing = "shop//OLD"
    assert targets(ledger(gone)) == [(7, 7)]
    assert ledger.mug.lowered == {"shop//OLD": 3}


@pytest.mark.parametrize(
    ("mode", "said"), [(Mode.SHARED, 0), (Mode.AUTO, 2), (Mode.ESCROW, 2)], ids=["shared", "auto", "escrow"]
)
def test_products_whose_pool_cannot_be_split_are_named(mode: Mode, said: int) -> None:
    assert notes(rules(rule(mode=mode)).catalogue, {}) == []
    assert len(notes(rules(rule(mode=mode, share=Decimal("0.5"))).catalogue, {})) == said
