"""The wide simulation notices when a rule for several warehouses, for bundles or for reading is missing.

Its promises are checked with all others (`tests.model.test_seeds`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from schemas.records import DemandLine
from tables.deliveries import reads
from tables.stock import bundles, lines, policy
from tests.model.removed import REMOVALS, Removal, without
from tests.model.run import judge
from tests.model.variants import VARIANTS
from tests.model.wide import WideModel

_regions = policy.regions
_upsert = lines.upsert


def _all_warehouses_alike(free: Any, demand: Any, sellers: Any) -> Any:
    return _regions({"": sum(free.values())}, {"": sum(demand.values())}, [frozenset([""]) for _ in sellers])


def _own_count_only(listing: str, row: Any) -> int:
    return row.listing(listing).taken


def _never_edited(row: Any, order: Any, demand: DemandLine, occurred_at: int) -> Any:
    known = order.lines.get(demand.line_id)
    return _upsert(row, order, demand, occurred_at) if known is None or known.eaches >= demand.eaches else None


REMOVED = [
    ("wide escrow", policy, "regions", _all_warehouses_alike),
    ("bundle bc", bundles, "taken", _own_count_only),
    ("edits bc", lines, "upsert", _never_edited),
]
"""Variant, and the rule that is taken out."""


@pytest.mark.parametrize(("name", "where", "what", "instead"), REMOVED, ids=lambda x: str(x))
def test_an_oversell_without_a_rule_is_noticed(
    name: str, where: object, what: str, instead: Callable[..., Any]
) -> None:
    with patch.object(where, what, instead):
        assert any(judge(name, seed).unexcused for seed in range(250))


@pytest.mark.parametrize("name", ["wide bc", "wide hard escrow", "wide overlapping"])
def test_all_that_is_excused_comes_of_moved_stock(name: str) -> None:
    variant = replace(VARIANTS[name].variant, moves=0)
    for seed in range(20):
        model = WideModel(seed, variant)
        model.run()
        assert not model.oversold()


@pytest.mark.parametrize("removal", [r for r in REMOVALS if r.unsettles], ids=lambda removal: removal.name)
def test_what_never_settles_without_a_rule_is_noticed(removal: Removal) -> None:
    with without(removal):
        assert any(not judge(removal.variant, seed).converged for seed in range(60))


def test_orders_reach_the_warehouse_and_leave_it() -> None:
    for seed in range(5):
        model = WideModel(seed, VARIANTS["everything"].variant)
        model.run()
        gone = [goods for goods in model.warehouse.goods.values() if goods.status == "COMPLETED"]
        assert 2 * len(gone) > sum(not order.cancelled for order in model.all_orders)


def test_lines_that_nobody_expects_are_noticed() -> None:
    with patch.object(reads, "expect", lambda row, reference: None):
        assert any(not judge("limits bc", seed).converged for seed in range(20))
