"""The demand lines of one order, told to the ledger when they change (R3 of ledger.md). Pure."""

from schemas.records import DemandLine, LineState
from tables.orders.effects import Effect
from tables.orders.rows import Demand, OrderRow, gone, keep_times, with_state


def set_lines(row: OrderRow, state: LineState) -> list[Effect]:
    """All lines in this state."""
    return tell(row, {line_id: with_state(old, state) for line_id, old in row.demands.items()})


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
