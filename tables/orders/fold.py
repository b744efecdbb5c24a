"""Orders folded event by event: one function per event, each changes the row and returns what follows. Pure.

What follows is plain records: `DemandLine` for the ledger, `ReleaseOrder` and `CancelOrder` for the warehouse, `NormalisedOrder` and `ExceptionState` for
subscribers. The caller decides topics, keys and partitions.
"""

from schemas.records import (
    CancelOrder,
    DemandLine,
    ExceptionState,
    LineState,
    NormalisedOrder,
    OrderSnapshot,
    ReleaseOrder,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
    WarehouseOrder,
)
from tables.handling import opened
from tables.orders.demand import Reading, demands_of, read, release_lines
from tables.orders.despatch import (
    commands,
    delivered,
    gap,
    invalid_tracking,
    needs_of,
    progress,
    short,
    take_in,
)
from tables.orders.lifecycle import AT_WAREHOUSE, OWNERS
from tables.orders.references import reference_of
from tables.orders.release import HINDRANCES, hindrances, release_order
from tables.orders.rows import Demand, OpenException, OrderRow, keep_times, with_state
from tables.orders.rules import Rules

Effect = DemandLine | ReleaseOrder | CancelOrder | ShipParcel | NormalisedOrder | ExceptionState


def new_row(channel: str, order_id: str) -> OrderRow:
    """The row of an order nothing is known of yet."""
    return OrderRow(channel=channel, order_id=order_id, reference=reference_of(channel, order_id))


def next_revision(row: OrderRow, version: int) -> int:
    """Rises with every change of ours and never falls behind the platform's own version, so a row that was lost does not start below its past."""
    return max(row.revision + 1, version * 1000)


def snapshot(row: OrderRow, seen: OrderSnapshot, rules: Rules, now: int) -> list[Effect]:
    """A whole order as its storefront shows it. Older ones are ignored; at an equal version only a step further along, a payment or other lines count."""
    last = row.snapshot
    if "poison_record" in seen.faults:
        row.number = row.number or seen.number
        return _exception(row, "poison_record", seen.faults["poison_record"], now)
    mended = _exception(row, "poison_record", "", now)
    if seen.created_at < rules.orders_from.get(row.channel, 0):
        seen.excluded = seen.excluded or "placed before orders_from: left to the program before this one"
    if last is not None:
        if seen.version < row.version:
            return mended
        if seen.version == row.version:
            seen.state = "CANCELLED" if "CANCELLED" in (seen.state, last.state) else "OPEN"
            seen.paid = seen.paid or last.paid
            if seen == last:
                return mended
    row.snapshot, row.version, row.number = seen, seen.version, seen.number
    row.revision = next_revision(row, seen.version)
    reading = read(seen, rules.catalogue)
    if last is None and seen.state == "CANCELLED" and seen.excluded is None and reading.mapped:
        row.released = True  # perhaps, by a row that was lost since: the warehouse is asked
    effects = [*mended, *_advance(row, seen, reading, rules, now)]
    if row.early is not None:
        early, row.early = row.early, None
        effects += [*_exception(row, "early_fulfilment", "", now), *despatched(row, early, rules, now)]
    elif row.parcels:
        effects += despatch_effects(row, rules, now)
    return effects


def _advance(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    effects: list[Effect] = []
    before = (row.state, row.reason)
    if seen.state == "CANCELLED":
        effects += _cancelled(row, seen, reading, rules)
    elif row.state == "CANCELLED" and row.released:
        effects += _exception(
            row,
            "stuck_order",
            "open again at the storefront after it was cancelled at the warehouse: enter it by hand",
            now,
        )
    elif not row.released:
        effects += before_release(row, seen, reading, rules, now)
    else:
        effects += _after_release(row, seen, reading, rules, now)
    if (row.state, row.reason) != before or row.revision == seen.version * 1000:
        effects.append(status_of(row))
    return effects


def before_release(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Judge an order that is not at the warehouse's door yet: ignored, held or released."""
    if seen.excluded is not None:
        row.state, row.reason = "IGNORED", seen.excluded
        return [*_tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED")), *_resolve_all(row, now)]
    effects = _tell(row, demands_of(seen, reading, rules.catalogue, "OPEN"))
    effects += _exception(row, "delivery_failed", "", now)
    effects += _judge(row, seen, reading, rules, now)
    if row.exceptions:
        row.state, row.reason = "HELD", ", ".join(sorted(row.exceptions))
    elif not (seen.paid or seen.agreed):
        row.state, row.reason = "HELD", "payment is not confirmed"
    elif not release_lines(row.demands):
        row.state, row.reason = "IGNORED", "nothing in it leaves a warehouse"
    else:
        row.state, row.reason, row.released = "RELEASING", "", True
        goods_out, row.cut = release_order(row, seen, reading, rules)
        effects.append(goods_out)
    return effects


def _judge(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    found = hindrances(seen, reading, rules)
    return [effect for kind in HINDRANCES for effect in _exception(row, kind, found.get(kind, ""), now)]


def _after_release(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Until the warehouse amends it, a released line keeps at least the eaches it was released with; what the storefront lowered follows the storefront."""
    wanted = demands_of(seen, reading, rules.catalogue, "OPEN")
    changed = False
    for line_id, old in row.demands.items():
        new = wanted.get(line_id)
        if new is None:
            kept = Demand(
                old.product,
                old.eaches,
                0,
                old.listing,
                old.state,
                old.warehouses,
                old.taken_from,
                old.taken_to,
                old.restocked_at,
            )
            wanted[line_id], changed = kept, changed or old.units > 0
        else:
            changed = changed or new.eaches != old.eaches
            new.eaches, new.state = max(new.eaches, old.eaches), old.state
    changed = changed or (bool(row.demands) and any(line_id not in row.demands for line_id in wanted))
    effects = _tell(row, wanted)
    if changed:
        effects += _exception(row, "late_change", "lines changed after the release: tell the warehouse", now)
    return effects


def _cancelled(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules) -> list[Effect]:
    if not row.released:
        row.state, row.reason = "CANCELLED", ""
        effects = _tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED"))
        return [*effects, *_resolve_all(row, seen.modified_at)]
    closing = demands_of(seen, reading, rules.catalogue, "CANCELLING")
    for line_id, old in row.demands.items():
        new = closing.setdefault(line_id, old)
        new.eaches = max(new.eaches, old.eaches)
        new.state = old.state if old.state == "CLOSED" or row.state == "CANCELLED" else "CANCELLING"
    effects = _tell(row, closing)
    if not row.cancel_asked and row.state not in ("CANCELLED", "MANUAL_STOP"):
        row.cancel_asked, row.state, row.reason = True, "CANCELLING", ""
        effects.append(CancelOrder(channel="clarus", order_key=row.key, reference=row.reference, version=row.revision))
    return effects


def warehouse(row: OrderRow, answer: WarehouseOrder, now: int) -> list[Effect]:
    """What Clarus did. Its answer decides about cancels; an order it cancelled by itself is an exception for a person."""
    row.wms_status, row.released = answer.status, answer.status != "REFUSED" or row.released
    if row.snapshot is None:
        row.revision += 1
        return []
    row.revision = next_revision(row, row.version)
    before = (row.state, row.reason)
    effects: list[Effect] = []
    if answer.status == "UNMAPPED":
        text = f"the warehouse's status {answer.detail!r} has no meaning here: add it to clarus.statuses"
        return _exception(row, "unmapped_status", text, now)
    effects += _exception(row, "unmapped_status", "", now)
    if answer.status in ("CANCELLED", "DELETED"):
        effects += _set_lines(row, "CLOSED")
        if not row.cancel_asked:
            effects += _exception(
                row,
                "stuck_order",
                "the warehouse cancelled an order that the storefront still wants: release it again by hand",
                now,
            )
        row.state, row.reason = "CANCELLED", "" if row.cancel_asked else "cancelled by the warehouse"
        if not answer.wms_id:  # it never was there: should its storefront open it again, it is released
            row.released = row.cancel_asked = False
    elif answer.status == "CANCEL_REFUSED":
        effects += _set_lines(row, "OPEN")
        row.state, row.reason = "MANUAL_STOP", f"cancel refused: {answer.detail}"
        effects += _exception(
            row,
            "late_change",
            f"cancelled at the storefront, the warehouse refused: {answer.detail}. Call the warehouse",
            now,
        )
    elif answer.status == "REFUSED":
        row.state, row.reason, row.released = "HELD", f"refused by the warehouse: {answer.detail}", False
        effects += _exception(row, "delivery_failed", f"the warehouse refused the order: {answer.detail}", now)
    elif row.state not in ("MANUAL_STOP",) and not (row.cancel_asked and answer.status != "COMPLETED"):
        if row.state == "CANCELLED":
            effects += _set_lines(row, "OPEN")
            effects += _exception(row, "stuck_order", "", now)
        row.state, row.reason = AT_WAREHOUSE[answer.status], ""
        if row.state == "DESPATCHED" and delivered(row):
            row.state = "COMPLETED"
        effects += _exception(row, "delivery_failed", "", now)
    if (row.state, row.reason) != before:
        effects.append(status_of(row))
    return effects


def despatched(row: OrderRow, seen: WarehouseDespatch, rules: Rules, now: int) -> list[Effect]:
    """What left the warehouse, as a whole. Before its order is known it is kept and joined when the order comes."""
    row.released = True
    if row.snapshot is None:
        if row.early is None or seen.read_at > row.early.read_at:
            row.early = seen
        return []
    needs = needs_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue)
    version = next_revision(row, row.version)
    if not take_in(row, seen, needs, version):
        return []
    row.revision = version
    return despatch_effects(row, rules, now)


def unmatched(row: OrderRow, now: int) -> list[Effect]:
    """The order of an early despatch did not come in time."""
    if row.early is None:
        return []
    detail = "goods left the warehouse for an order that its storefront did not tell us of: look for it there"
    return _exception(row, "early_fulfilment", detail, now)


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
    effects += _exception(row, "invalid_tracking", invalid_tracking(row, rules.carriers), now)
    effects += _exception(row, "despatch_gap", gap(row, needs), now)
    effects += _exception(row, "short_stock", short(row, needs), now)
    before = (row.state, row.reason)
    if row.state in ("DESPATCHED", "COMPLETED"):
        row.state = "COMPLETED" if delivered(row) else "DESPATCHED"
    if row.state in ("ALLOCATED", "PICKING", "DESPATCHED", "COMPLETED"):
        row.reason = progress(row, needs)
    if (row.state, row.reason) != before:
        effects.append(status_of(row))
    return effects


def _set_lines(row: OrderRow, state: LineState) -> list[Effect]:
    return _tell(row, {line_id: with_state(old, state) for line_id, old in row.demands.items()})


def _tell(row: OrderRow, wanted: dict[str, Demand]) -> list[Effect]:
    """Demand lines that changed; a line that is gone from the order is closed and its storefront decrement taken back. When it was taken is told once."""
    effects: list[Effect] = []
    for line_id, old in row.demands.items():
        if line_id not in wanted and (old.state != "CLOSED" or old.units):
            gone = Demand(
                old.product,
                old.eaches,
                0,
                old.listing,
                "CLOSED",
                old.warehouses,
                old.taken_from,
                old.taken_to,
                old.restocked_at,
            )
            wanted[line_id] = gone
    for line_id, new in wanted.items():
        known = row.demands.get(line_id)
        if known is not None:
            keep_times(new, known)
        if known != new:
            effects.append(_line(row, line_id, new))
    row.demands = wanted
    return effects


def _line(row: OrderRow, line_id: str, demand: Demand) -> DemandLine:
    return DemandLine(
        sku=demand.product,
        reference=row.reference,
        channel=row.channel,
        order_id=row.order_id,
        line_id=line_id,
        version=row.revision,
        eaches=demand.eaches,
        state=demand.state,
        warehouses=demand.warehouses,
        listing=demand.listing,
        units=demand.units,
        taken_from=demand.taken_from,
        taken_to=demand.taken_to,
        restocked_at=demand.restocked_at,
        ordered_at=demand.ordered_at,
        unguarded=demand.unguarded,
    )


def status_of(row: OrderRow) -> NormalisedOrder:
    """The public state of the order."""
    return NormalisedOrder(
        channel=row.channel,
        order_id=row.order_id,
        number=row.number,
        reference=row.reference,
        state=row.state,
        reason="; ".join(filter(None, (row.reason, row.cut if row.released else ""))),
        version=row.version,
    )


def _exception(row: OrderRow, kind: str, detail: str, now: int) -> list[Effect]:
    """Open the exception with this text, change its text, or resolve it where the text is empty."""
    known = row.exceptions.get(kind)
    if not detail:
        if known is None:
            return []
        del row.exceptions[kind]
        known.handling.note(now, "resolved")
        return [exception_state(row, known, now)]
    if known is not None and known.detail == detail:
        return []
    if known is None:
        row.exceptions[kind] = OpenException(kind, OWNERS[kind], detail, now, opened(now), row.entity)
    else:
        known.detail = detail
        known.handling.note(now, "changed")
    return [exception_state(row, row.exceptions[kind], now)]


def _resolve_all(row: OrderRow, now: int) -> list[Effect]:
    return [effect for kind in list(row.exceptions) for effect in _exception(row, kind, "", now)]


def exception_state(row: OrderRow, known: OpenException, now: int) -> ExceptionState:
    """The public state of an exception of the order."""
    handling = known.handling
    return ExceptionState(
        exception_id=f"{known.type}:{known.entity or row.entity}",
        type=known.type,
        entity=row.entity,
        owner=known.owner,
        state=handling.phase,
        detail=known.detail,
        opened_at=known.opened_at,
        changed_at=now,
        holder=f"order/{row.key}",
        actor=handling.last.actor,
        reason=handling.last.reason,
        history=list(handling.history),
    )
