"""The formulas R2 and R4 step by step, each with its numbers: applied one after the other they give the figure that was sent. Pure.

What is computed is decided in `tables/stock`; tests hold both against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from tables.catalogue import Policy
from tables.explain.report import Term, Union
from tables.stock.pool import set_of

START: Final = "="
TIMES: Final = "×"
LESS_PERCENT: Final = "less %"
LESS: Final = "−"
AT_MOST: Final = "at most"
LESS_IF_BELOW: Final = "less if below"
PER: Final = "⌊÷⌋"
PLUS: Final = "+"
AT_LEAST: Final = "at least"


def unions(free: Mapping[str, int], demand: Mapping[str, int], warehouses: Iterable[str]) -> list[Union]:
    """R2: every union of the warehouses with demand sets, the least left first: that one is the pool."""
    wanted = frozenset(warehouses)
    sets = [(set_of(key), eaches) for key, eaches in demand.items() if eaches]
    found = {wanted}
    for members, _ in sets:
        found |= {union | members for union in found}
    rows = []
    for union in found:
        there = sum(free.get(w, 0) for w in union)
        inside = sum(eaches for members, eaches in sets if members <= union)
        rows.append(Union(sorted(union), there, inside, there - inside))
    return sorted(rows, key=lambda one: (one.left, one.warehouses))


def apply(operation: str, operand: Decimal, before: Decimal) -> Decimal:
    """One step. KeyError where the operation is none of this module's."""
    match operation:
        case "=":
            return operand
        case "×":
            return before * operand
        case "less %":
            return before * (100 - operand) / 100
        case "−":
            return before - operand
        case "at most":
            return min(before, operand)
        case "less if below":
            return before - operand if before < operand else before
        case "⌊÷⌋":
            return (before / operand).to_integral_value(ROUND_FLOOR)
        case "+":
            return before + operand
        case "at least":
            return max(before, operand)
    raise KeyError(operation)


def offer_terms(
    base: int, policy: Policy, eaches: int, taken: int, velocity: Decimal, decrements: bool = True, bundle: bool = False
) -> list[Term]:
    """R4 from the pool to `ats` (units on offer), `inc` and `dec`. Steps that change nothing are there too: they say that a setting has no part in it."""
    chain = _Chain()
    chain.step("pool", START, base, "complete bundles" if bundle else "eaches that can still be promised (R2)")
    if base > 0:
        chain.step("share", TIMES, policy.share)
        chain.step("percent", LESS_PERCENT, policy.percent)
    else:
        chain.step("share", TIMES, 1, "no share of a pool at or below 0")
    chain.step("buffer", LESS, policy.buffer)
    chain.step("velocity", LESS, velocity, f"{policy.velocity} s at the present speed" if policy.velocity else "")
    if policy.max is not None:
        chain.step("max", AT_MOST, policy.max)
    chain.step("min_to_list", LESS_IF_BELOW, policy.min_to_list)
    chain.step("units", PER, eaches, "selling units")
    if not decrements:
        chain.step("inc = dec", AT_LEAST, 0, "the storefront does not decrement: what was taken does not count")
        return chain.terms
    chain.step(
        "taken = inc", PLUS, taken, "units the storefront itself lowered since the baseline: raise to this when below"
    )
    chain.step("dec", AT_LEAST, taken, "a decrease stops at 0 on offer: lower to this when above")
    return chain.terms


def quota_terms(base: int | None, policy: Policy, quota: int, taken: int, velocity: Decimal) -> list[Term]:
    """R9: what of the pool may be split, in eaches; then the listing's part of it, in selling units, in place of the pool's own figure.

    Without a base only the latter: a bundle splits what its components grant, whose pools keep back what the policies say.
    """
    terms: list[Term] = []
    if base is not None:
        pooled = replace(policy, max=None, min_to_list=0)
        terms = [term for term in offer_terms(base, pooled, 1, 0, velocity)[:-2] if term.name != "min_to_list"]
    chain = _Chain()
    chain.step("quota = inc", START, quota, "gross units given to this listing: raise to this when below (R9)")
    chain.step("dec", AT_LEAST, taken, "a decrease stops at 0 on offer: lower to this when above")
    return [*terms, *chain.terms]


class _Chain:
    def __init__(self) -> None:
        self.terms: list[Term] = []
        self._value = Decimal(0)

    def step(self, name: str, operation: str, operand: int | Decimal, note: str = "") -> None:
        self._value = apply(operation, Decimal(operand), self._value)
        self.terms.append(Term(name, operation, text(Decimal(operand)), text(self._value), note))


def text(value: Decimal) -> str:
    """A decimal without exponent and without zeros at its end."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
