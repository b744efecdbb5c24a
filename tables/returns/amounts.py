"""How much of a line's price goes back for what an inspection found. Exact whole minor units; never more in all than the line cost. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from schemas.records import OrderLine, RefundLine
from tables.orders.despatch import Need
from tables.returns.rows import PartRow, ReturnRow

KINDS: Final = ("restocked", "quarantined", "scrapped")


@dataclass(frozen=True, slots=True)
class Shares:
    """Part of a unit's price that goes back, by what the inspection made of it; `shipping`: that too, once everything of the order came back."""

    of: Mapping[str, Fraction] = field(default_factory=lambda: dict.fromkeys(KINDS, Fraction(1)))
    shipping: bool = False


def next_part(
    one: ReturnRow, needs: Sequence[Need], lines: Mapping[str, OrderLine], units: dict[str, int], shares: Shares
) -> PartRow | None:
    """What was inspected since the last part and completes units of the return's lines; None for nothing. It is taken off what is free, and onto `units`."""
    found: list[RefundLine] = []
    wanted = {line.line_id: 0 for line in one.lines}
    for given in one.lines:
        wanted[given.line_id] += given.units
    for need in needs:
        if need.line_id not in wanted:
            continue
        open_units = wanted[need.line_id] - one.done.get(need.line_id, 0)
        complete = min((sum(_free(one, code)) // n for code, n in need.eaches.items()), default=0)
        taken = max(0, min(open_units, complete))
        if not taken:
            continue
        share, sold_again = _take(one, need, taken, shares)
        line = lines[need.line_id]
        before = units.get(need.line_id, 0)
        worth = price_of(line, before + taken) - price_of(line, before)
        found.append(RefundLine(line_id=need.line_id, units=taken, amount=int(worth * share)))
        units[need.line_id] = before + taken
        one.done[need.line_id] = one.done.get(need.line_id, 0) + taken
        one.unusable[need.line_id] = one.unusable.get(need.line_id, True) and not sold_again
    return PartRow(len(one.parts) + 1, 0, found) if found else None


def price_of(line: OrderLine, units: int) -> int:
    """What the first so many units of a line cost; all of them cost its price to the last minor unit."""
    return line.price * min(units, line.quantity) // line.quantity if line.quantity > 0 else 0


def _free(one: ReturnRow, code: str) -> list[int]:
    used = one.used.get(code, [0, 0, 0])
    there = (one.restocked, one.quarantined, one.scrapped)
    return [max(0, eaches.get(code, 0) - gone) for eaches, gone in zip(there, used, strict=True)]


def _take(one: ReturnRow, need: Need, units: int, shares: Shares) -> tuple[Fraction, bool]:
    """The eaches of these units, the best first; the share of the price that they are worth, and whether any of them is sold again."""
    total = weighed = Fraction(0)
    sold_again = False
    for code, n in need.eaches.items():
        left = units * n
        used = one.used.setdefault(code, [0, 0, 0])
        for at, (kind, free) in enumerate(zip(KINDS, _free(one, code), strict=True)):
            step = min(left, free)
            used[at] += step
            left -= step
            weighed += step * shares.of[kind]
            sold_again = sold_again or (kind == "restocked" and step > 0)
        total += units * n
    return weighed / total, sold_again
