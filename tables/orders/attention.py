"""What operators do about an order's exceptions: acknowledge, resolve by hand, send again. Pure.

Sending again is the ordinary path with what is known now: the order as its storefront last showed it, with the mappings of now. It is released once,
because an order that is released is not judged again; of its parcels those are told again that the storefront refused; a late change or cancel is asked again.
"""

from collections.abc import Callable
from typing import Final

from schemas.records import ExceptionCommand, ExceptionState, ExceptionStep, OrderSnapshot
from tables.mappings.force import OrdersForce
from tables.mappings.statuses import meant
from tables.orders import changes
from tables.orders.demand import read
from tables.orders.effects import Effect, next_revision, status_of
from tables.orders.exceptions import exception_state
from tables.orders.fold import snapshot
from tables.orders.judgement import before_release
from tables.orders.lines import told_last
from tables.orders.rows import OpenException, OrderRow
from tables.orders.rules import Rules
from tables.orders.shipping import despatch_effects

MAPPED: Final = frozenset(
    {"unmapped_sku", "unmapped_shipping_method", "unmapped_status", "unmapped_location", "unit_mismatch"}
)
"""Exceptions that a mapping can mend."""


def waits_for_mappings(row: OrderRow) -> bool:
    """Can a mapping get the order on? At the warehouse's door at the latest it cannot any more."""
    return not row.released and not MAPPED.isdisjoint(row.exceptions)


def judge_again(row: OrderRow, force: OrdersForce, now: int) -> list[Effect]:
    """The order as its storefront last showed it, under the mappings of now. Nothing follows where they say the same as before. Histories name the import."""
    last = row.snapshot
    if last is None or not waits_for_mappings(row):
        return []
    seen, rules = meant(last, force.meanings), force.rules_of(row.channel)
    effects = snapshot(row, seen, rules, now) if seen != last else _release(row, last, rules, now)
    for effect in effects:
        if isinstance(effect, ExceptionState) and effect.state == "RESOLVED" and force.actor:
            effect.actor, effect.reason = force.actor, f"mappings {force.version}: {force.reason}"
            step = effect.history[-1]
            effect.history[-1] = ExceptionStep(at=step.at, action=step.action, actor=effect.actor, reason=effect.reason)
    return effects


def command(row: OrderRow, given: ExceptionCommand, rules: Rules, now: int) -> list[Effect]:
    """Carry the command out. Nothing follows where its exception is not open any more: it was resolved meanwhile."""
    kind = given.exception_id.partition(":")[0]
    known = row.exceptions.get(kind)
    if known is None:
        return []
    if given.action == "retry":
        return _retry(row, known, given, rules, now)
    known.handling.note(now, given.action, given.actor, given.reason)
    if given.action != "resolve":
        return [exception_state(row, known, now)]
    del row.exceptions[kind]
    told: list[Effect] = [exception_state(row, known, now)]
    if kind == "late_change":
        told += _moving(row, lambda: changes.resolved_by_hand(row, rules, now))
    return told


def _retry(row: OrderRow, known: OpenException, given: ExceptionCommand, rules: Rules, now: int) -> list[Effect]:
    known.handling.note(now, "retry", given.actor, given.reason)
    effects: list[Effect] = []
    seen = row.snapshot
    if known.type == "late_change":
        effects = _moving(row, lambda: changes.retry(row, rules, now))
    elif seen is not None and row.parcels:
        effects = _tell_parcels_again(row, rules, now)
    elif seen is not None and not row.released and seen.state != "CANCELLED":
        effects = _release(row, seen, rules, now)
    if row.exceptions.get(known.type) is known:
        effects.append(exception_state(row, known, now))
    return effects


def _release(row: OrderRow, seen: OrderSnapshot, rules: Rules, now: int) -> list[Effect]:
    return _moving(row, lambda: before_release(row, seen, read(seen, rules.catalogue), rules, now))


def _moving(row: OrderRow, act: Callable[[], list[Effect]]) -> list[Effect]:
    """What follows from the act, under a revision of its own, and the state where it moved."""
    before = (row.state, row.reason)
    row.revision = next_revision(row, row.version)
    effects = told_last(act())
    return [*effects, status_of(row)] if (row.state, row.reason) != before else effects


def _tell_parcels_again(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """Parcels that the storefront refused, and those that the carriers of now allow. It looks for each before it is entered."""
    refused = [parcel for parcel in row.parcels.values() if parcel.state == "REFUSED"]
    if refused:
        row.revision = next_revision(row, row.version)
    for parcel in refused:
        parcel.version = row.revision
    return despatch_effects(row, rules, now)
