"""Snapshots of orders folded: which are news, and whether what they say concerns an order before its release or after it. Pure.

Every event of an order changes its row and returns what follows as plain records: `DemandLine` for the ledger, `ReleaseOrder` and `CancelOrder` for the
warehouse, `ShipParcel` for its storefront, `NormalisedOrder` and `ExceptionState` for subscribers. The caller decides topics, keys and partitions.
The other events: `answers` of the warehouse, `shipping`, `attention` of operators.
"""

from schemas.records import OrderSnapshot
from tables.orders.changes import after_release, cancelled, wanted_again
from tables.orders.demand import Reading, read
from tables.orders.effects import Effect, next_revision, status_of
from tables.orders.exceptions import judge
from tables.orders.judgement import before_release
from tables.orders.lines import told_last
from tables.orders.rows import OrderRow, keep_money
from tables.orders.rules import Rules
from tables.orders.shipping import despatch_effects, despatched


def snapshot(row: OrderRow, seen: OrderSnapshot, rules: Rules, now: int) -> list[Effect]:
    """A whole order as its storefront shows it. Older ones are ignored; at an equal version only a step further along, a payment or other lines count."""
    last = row.snapshot
    if "poison_record" in seen.faults:
        row.number = row.number or seen.number
        return judge(row, "poison_record", seen.faults["poison_record"], now)
    mended = judge(row, "poison_record", "", now)
    if seen.created_at < rules.orders_from.get(row.channel, 0):
        seen.excluded = seen.excluded or "placed before orders_from: left to the program before this one"
    if last is not None:
        if seen.version < row.version:
            return mended
        keep_money(seen, last)
        if seen.version == row.version:
            seen.state = "CANCELLED" if "CANCELLED" in (seen.state, last.state) else "OPEN"
            seen.paid = seen.paid or last.paid
            if seen == last:
                return mended
    row.snapshot, row.version, row.number = seen, seen.version, seen.number
    row.revision = next_revision(row, seen.version)
    reading = read(seen, rules.catalogue)
    if last is None and seen.excluded is None:
        # perhaps a row that was lost released it: the warehouse is asked, to cancel it or for what it has with the reference
        row.released = seen.state == "CANCELLED" and (row.released or bool(reading.mapped))
    effects = [*mended, *_advance(row, seen, last, reading, rules, now)]
    if row.early is not None:
        early, row.early = row.early, None
        effects += [*judge(row, "early_fulfilment", "", now), *despatched(row, early, rules, now)]
    elif row.parcels:
        effects += despatch_effects(row, rules, now)
    return told_last(effects)


def _advance(
    row: OrderRow,
    seen: OrderSnapshot,
    was: OrderSnapshot | None,
    reading: Reading,
    rules: Rules,
    now: int,
) -> list[Effect]:
    effects: list[Effect] = []
    before = (row.state, row.reason)
    if seen.state == "CANCELLED":
        effects += cancelled(row, seen, was or seen, reading, rules)
    elif row.state == "CANCELLED" and row.released:
        effects += wanted_again(row, seen, was or seen, reading, rules, now)
    elif not row.released:
        effects += before_release(row, seen, reading, rules, now)
    else:
        effects += after_release(row, seen, was or seen, reading, rules, now)
    if (row.state, row.reason) != before or row.revision == seen.version * 1000:
        effects.append(status_of(row))
    return effects
