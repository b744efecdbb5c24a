"""The demand lines of one order, told to the ledger when they change (R3 of ledger.md). Pure."""

from schemas.records import DemandLine, LineState
from tables.orders.demand import keep_ordered
from tables.orders.effects import Effect
from tables.orders.rows import Demand, OrderRow, gone, keep_times, with_eaches, with_state, without_surplus


def set_lines(row: OrderRow, state: LineState) -> list[Effect]:
    """All lines in this state."""
    return tell(row, _recounted(row, state))


def recount(row: OrderRow) -> list[Effect]:
    """The same lines, by what the warehouse's order asks for now."""
    return tell(row, _recounted(row))


def count(row: OrderRow, wanted: dict[str, Demand], state: LineState) -> list[Effect]:
    """What its storefront wants, all in this state, and what the warehouse's order asks for beyond it; a line that is not shown any more wants nothing."""
    for new in wanted.values():
        new.state = state
    for line_id, old in row.demands.items():
        same = wanted.get(line_id)
        if old.state != "CLOSED" and (same is None or same.product != old.product):
            wanted[line_id if same is None else f"{line_id}~{old.product}"] = with_eaches(gone(old, state), 0)
    keep_ordered(wanted, row.demands, row.ordered)
    return tell(row, wanted)


def _recounted(row: OrderRow, state: LineState | None = None) -> dict[str, Demand]:
    demands: dict[str, Demand] = {}
    for line_id, old in row.demands.items():
        to = state or old.state
        demands[line_id] = with_state(old if to == "CLOSED" else without_surplus(old), to)
    keep_ordered(demands, row.demands, row.ordered)
    return demands


def tell(row: OrderRow, wanted: dict[str, Demand]) -> list[Effect]:
    """Demand lines that changed; a line that is gone from the order is closed and its storefront decrement taken back. When it was taken is told once."""
    effects: list[Effect] = []
    for line_id, old in row.demands.items():
        if line_id not in wanted and (old.state != "CLOSED" or old.units):
            effects.append(_line(row, line_id, gone(old, "CLOSED")))
    for line_id, new in wanted.items():
        known = row.demands.get(line_id)
        if known is not None:
            keep_times(new, known)
            if known.product != new.product:
                effects.append(_line(row, line_id, gone(known, "CLOSED")))
        if known != new:
            effects.append(_line(row, line_id, new))
    row.demands = wanted
    return effects


def told_last(effects: list[Effect]) -> list[Effect]:
    """Of a line that one event moved twice only the last is told: both have the event's revision, and the ledger would ignore the second."""
    last = {(one.sku, one.line_id): one for one in effects if isinstance(one, DemandLine)}
    return [one for one in effects if not isinstance(one, DemandLine) or last[one.sku, one.line_id] is one]


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
