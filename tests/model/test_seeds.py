"""Our own ledger and delivery rows against storefronts and a warehouse that lag, lose, double, time out, and against crashes: nothing oversold, all settled.

A failing seed is named: `python -m tests.model.run NAME SEED` prints it event by event.
"""

from collections.abc import Callable
from unittest.mock import patch

import pytest

from schemas.records import Record
from tables.deliveries import listing as rules_of_one
from tables.stock import escrow, fold, policy, takes
from tables.stock.rows import WaitingOutcome
from tables.stock.target import Offer, units_of
from tests.model.product import Delivery
from tests.model.run import VARIANTS, Verdict, judge

BLOCK = 100

SAFE = {  # one seller of the pool: nothing may be oversold beyond what the warehouse shrank or the storefront put back after despatch
    "ct": 600,
    "bc": 600,
    "case ct": 200,
    "hard ct": 300,
    "hard bc": 300,
    "cold ct": 200,
    "cold bc": 200,
    "hard cold ct": 200,
    "hard cold bc": 200,
    "restock ct": 200,
    "restock bc": 200,
    "shrink ct": 200,
    "shrink bc": 200,
}
ESCROW = {  # several sellers of a split pool: nothing may be oversold either, and all that is left is on offer
    "escrow ct+bc": 300,
    "escrow ct+ct": 200,
    "escrow bc+bc": 200,
    "escrow ct+bc+ct": 200,
    "escrow each+case+bc": 200,
    "escrow cold": 200,
    "escrow faults x4": 200,
    "escrow cancels": 200,
    "escrow restock": 200,
    "escrow shrink": 200,
    "hard escrow": 300,
}
SETTLING = {  # oversold by nature (several sellers of a shared pool, no decrement, an edit by hand), but all must show what is left in the end
    "ct+bc": 500,
    "each+case": 100,
    "rm": 200,
    "hard rm": 200,
    "nd": 100,
    "manual ct": 100,
    "manual bc": 100,
    "escrow manual": 100,
    "escrow ct+bc+nd": 100,
    "auto": 200,
    "auto cold": 100,
    "hard auto": 100,
}


def blocks(variants: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, first) for name, count in variants.items() for first in range(0, count, BLOCK)]


def run(name: str, first: int, count: int = BLOCK) -> list[Verdict]:
    return [judge(name, seed) for seed in range(first, first + count)]


def show(name: str, bad: list[Verdict]) -> str:
    return "; ".join(f"python -m tests.model.run '{name}' {verdict.seed}" for verdict in bad)


@pytest.mark.parametrize(("name", "first"), blocks(SAFE | ESCROW))
def test_a_single_seller_or_a_split_pool_never_oversells_and_settles(name: str, first: int) -> None:
    verdicts = run(name, first)
    oversold = [v for v in verdicts if v.unexcused]
    assert not oversold, show(name, oversold)
    unsettled = [v for v in verdicts if not v.converged]
    assert not unsettled, show(name, unsettled)


@pytest.mark.parametrize(("name", "first"), blocks(SETTLING))
def test_every_listing_shows_what_is_left_in_the_end(name: str, first: int) -> None:
    unsettled = [v for v in run(name, first) if not v.converged]
    assert not unsettled, show(name, unsettled)


def _save_without_intent(self: Delivery, *records: Record) -> None:
    if self.row.intent is None or records:
        _save(self, *records)


_save = Delivery.save


def _clamped(*given: object) -> Offer:
    base, by, eaches, taken, velocity, _ = given
    units = max(0, units_of(base, by, eaches, velocity))  # type: ignore[arg-type]
    return Offer(units + taken, units + taken, units == 0, units)  # type: ignore[operator]


def _at_once(version: int, bound: int, at: int) -> WaitingOutcome:
    return WaitingOutcome(version, bound, 0)


REMOVALS: dict[str, tuple[str, object, str, Callable[..., object]]] = {
    "intents are not committed (R5)": ("hard bc", Delivery, "save", _save_without_intent),
    "unknown increases are forgotten (R6)": ("hard bc", rules_of_one, "_assume_unknown", lambda row, intent: None),
    "takes before the baseline count (R7)": ("hard cold ct", takes, "counts", lambda state, take, slack: True),
    "the clamp at 0 raises (R4)": ("restock ct", policy, "offer", _clamped),
    "outcomes wait for no watermark (R9)": ("hard escrow", fold, "WaitingOutcome", _at_once),
    "commands on their way are not counted (R9)": ("hard escrow", escrow, "high", lambda quota: quota.target),
}


@pytest.mark.parametrize("removed", REMOVALS)
def test_the_simulation_notices_when_a_rule_is_missing(removed: str) -> None:
    name, where, what, instead = REMOVALS[removed]
    with patch.object(where, what, instead):
        assert any(judge(name, seed).unexcused for seed in range(5000, 5400))


def test_the_simulation_notices_when_nothing_is_judged() -> None:
    with patch.object(fold, "read_back", lambda state, rules, body: fold.Folded()):
        assert any(not judge("hard bc", seed).converged for seed in range(20))


def test_every_variant_is_run() -> None:
    assert set(VARIANTS) == SAFE.keys() | ESCROW.keys() | SETTLING.keys()
