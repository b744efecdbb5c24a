"""Despatch folded: what left the warehouse becomes commands to the storefront, and the storefront's answers the order's state. Pure.

How eaches of parcels become units of order lines is `despatch`.
"""

from schemas.records import ShipmentOutcome, WarehouseDespatch
from tables.orders.changes import taken_back, what_left
from tables.orders.demand import read
from tables.orders.despatch import commands, gap, invalid_tracking, needs_of, progress, short, take_in
from tables.orders.effects import Effect, move, next_revision, status_of
from tables.orders.exceptions import judge
from tables.orders.lifecycle import Event
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules


def despatched(row: OrderRow, seen: WarehouseDespatch, rules: Rules, now: int) -> list[Effect]:
    """What left the warehouse, as a whole. Before its order is known it is kept and joined when the order comes."""
    row.released = True
    if row.snapshot is None:
        if row.early is None or seen.read_at > row.early.read_at:
            row.early = seen
        return []
    needs = needs_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue)
    version, left = next_revision(row, row.version), what_left(row)
    if not take_in(row, seen, needs, version):
        return []
    row.revision = version
    asked = taken_back(row, left)
    return [*asked, *despatch_effects(row, rules, now), *([status_of(row)] if asked else [])]


def unmatched(row: OrderRow, now: int) -> list[Effect]:
    """The order of an early despatch did not come in time."""
    if row.early is None:
        return []
    detail = "goods left the warehouse for an order that its storefront did not tell us of: look for it there"
    return judge(row, "early_fulfilment", detail, now)


def shipment(row: OrderRow, outcome: ShipmentOutcome, rules: Rules, now: int) -> list[Effect]:
    """What became of a parcel at its storefront. An answer to an older command than the newest one says nothing."""
    parcel = row.parcels.get(outcome.parcel_id)
    if parcel is None or outcome.version != parcel.sent or parcel.state:
        return []
    if outcome.state == "REMOVED" and not parcel.wanted:
        del row.parcels[outcome.parcel_id]
    else:
        parcel.state, parcel.detail = outcome.state, outcome.detail
    return despatch_effects(row, rules, now)


def despatch_effects(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """Commands for what is new, the exceptions as they are now, the state. A storefront that cancelled the order is told nothing of its parcels."""
    assert row.snapshot is not None  # noqa: S101 - both callers know the order
    needs = needs_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue)
    effects: list[Effect] = []
    if row.snapshot.state != "CANCELLED":
        effects += commands(row, needs, rules.carriers)
    effects += judge(row, "invalid_tracking", invalid_tracking(row, rules.carriers), now)
    effects += judge(row, "despatch_gap", gap(row, needs), now)
    effects += judge(row, "short_stock", short(row, needs), now)
    before = (row.state, row.reason)
    move(row, Event.TELL)
    if row.state in ("ALLOCATED", "PICKING", "DESPATCHED", "COMPLETED"):
        row.reason = progress(row, needs)
    if (row.state, row.reason) != before:
        effects.append(status_of(row))
    return effects
