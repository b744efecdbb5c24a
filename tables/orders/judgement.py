"""Judges an order that is not at the warehouse: not for it, held with an exception that says why, or released. Pure."""

from typing import Final

from schemas.records import OrderSnapshot
from tables.goods_out import eaches_of
from tables.orders.demand import Reading, demands_of, keep_ordered, release_lines
from tables.orders.effects import Effect, move
from tables.orders.exceptions import judge, resolve_all
from tables.orders.lifecycle import Event
from tables.orders.lines import tell
from tables.orders.release import HINDRANCES, fitted_of, hindrances, release_order
from tables.orders.rows import OrderRow, most
from tables.orders.rules import Rules

_BESIDE: Final = frozenset({"refund_mismatch"})
"""Exceptions of an order's money, which say nothing about its goods."""


def before_release(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Judge an order that is not at the warehouse's door yet: ignored, held or released."""
    if seen.excluded is not None:
        move(row, Event.EXCLUDE, seen.excluded)
        return [*tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED")), *resolve_all(row, now)]
    wanted = demands_of(seen, reading, rules.catalogue, "OPEN")
    if row.ordered:
        keep_ordered(wanted, row.demands, row.ordered)
    effects = tell(row, wanted)
    effects += judge(row, "delivery_failed", "", now)
    fitted = fitted_of(seen, rules)
    found = hindrances(seen, reading, rules, fitted)
    for kind in HINDRANCES:
        effects += judge(row, kind, found.get(kind, ""), now)
    if hold := sorted(row.exceptions.keys() - _BESIDE):
        move(row, Event.HOLD, ", ".join(hold))
    elif not (seen.paid or seen.agreed):
        move(row, Event.HOLD, "payment is not confirmed")
    elif not release_lines(row.demands):
        move(row, Event.EXCLUDE, "nothing in it leaves a warehouse")
    else:
        move(row, Event.FIT)
        row.released = True
        move(row, Event.RELEASE)
        release = release_order(row, seen, reading, rules, fitted)
        row.ordered = most(row.ordered, eaches_of(release))
        effects.append(release)
    return effects
