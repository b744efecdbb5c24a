"""Our own ledger and delivery rows against storefronts and a warehouse that lag, lose, double, time out, and against crashes: nothing oversold, all settled.

A failing seed is named: `python -m tests.model.run NAME SEED` prints it event by event.
"""

from unittest.mock import patch

import pytest

from tables.stock import fold
from tests.model.absolute import AbsoluteWriter
from tests.model.product import Model
from tests.model.removed import REMOVALS, Removal, without
from tests.model.run import Verdict, command, judge
from tests.model.simulate import Block, Sums, failures, run_block
from tests.model.variants import BLOCK, VARIANTS, Promise


def blocks(promise: Promise) -> list[tuple[str, int, int]]:
    return [
        (name, first, min(BLOCK, named.tested - first))
        for name, named in VARIANTS.items()
        if named.promise is promise
        for first in range(0, named.tested, BLOCK)
    ]


def run(name: str, first: int, count: int) -> list[Verdict]:
    return [judge(name, seed) for seed in range(first, first + count)]


def show(name: str, bad: list[Verdict]) -> str:
    return "; ".join(command(name, verdict.seed) for verdict in bad)


@pytest.mark.parametrize(("name", "first", "count"), blocks(Promise.NEVER_OVERSELLS))
def test_a_single_seller_or_a_split_pool_never_oversells_and_settles(name: str, first: int, count: int) -> None:
    verdicts = run(name, first, count)
    oversold = [v for v in verdicts if v.unexcused]
    assert not oversold, show(name, oversold)
    unsettled = [v for v in verdicts if not v.converged]
    assert not unsettled, show(name, unsettled)


@pytest.mark.parametrize(("name", "first", "count"), blocks(Promise.SETTLES))
def test_every_listing_shows_what_is_left_in_the_end(name: str, first: int, count: int) -> None:
    unsettled = [v for v in run(name, first, count) if not v.converged]
    assert not unsettled, show(name, unsettled)


@pytest.mark.parametrize("removal", [r for r in REMOVALS if r.oversells], ids=lambda removal: removal.name)
def test_the_simulation_notices_when_a_rule_is_missing(removal: Removal) -> None:
    with without(removal):
        assert any(judge(removal.variant, seed).unexcused for seed in range(5000, 5400))


def test_the_simulation_notices_when_nothing_is_judged() -> None:
    with patch.object(fold, "read_back", lambda state, rules, body: fold.Folded()):
        assert any(not judge("hard bc", seed).converged for seed in range(20))


def test_an_absolute_writer_oversells_the_pool_that_a_split_does_not_but_settles_too() -> None:
    sales = [AbsoluteWriter(seed, VARIANTS["ct+bc"].variant, unallocated=True) for seed in range(40)]
    for sale in sales:
        sale.run()
    assert any(sale.unexcused() for sale in sales)
    assert all(sale.converged() for sale in sales)


def test_a_promise_that_is_broken_is_named_with_the_command_that_replays_it() -> None:
    number = next(n for n, removal in enumerate(REMOVALS) if removal.name.startswith("takes before"))
    _, sums = run_block(Block("hard cold ct", 5000, 20, number))
    assert 0 < sums.unexcused_seeds == len(sums.failed)
    found: dict[tuple[str, int | None], Sums] = {("hard cold ct", None): sums}
    seed = sums.failed[0][0]
    assert failures(found)[0][0] == f"python -m tests.model.run 'hard cold ct' {seed}"


def test_orders_reach_the_warehouse_and_leave_it() -> None:
    """Were all of them held for something, nothing could go wrong and nothing would be shown."""
    sales = [Model(seed, VARIANTS["ct"].variant) for seed in range(5)]
    for sale in sales:
        sale.run()
        gone = [reference for reference, state in sale.warehouse.state.items() if state == "despatched"]
        assert 2 * len(gone) > sum(not order.cancelled for order in sale.all_orders)


def test_seeds_that_are_promised_are_enough_in_make_test_and_in_make_simulate() -> None:
    promised = [v for v in VARIANTS.values() if v.promise is Promise.NEVER_OVERSELLS]
    assert sum(named.tested for named in promised) >= 2000
    assert sum(named.weight for named in promised) * BLOCK >= 20_000
