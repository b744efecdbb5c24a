"""R3: one order's demand lines for one SKU, upserted by version; their demand by warehouse set and what their storefront lowered. Pure."""

from dataclasses import dataclass

from schemas.records import DemandLine, LineState
from tables.stock.pool import key_of
from tables.stock.rows import Line, OrderLines, SkuRow, Take

_ALONG: dict[LineState, int] = {"OPEN": 0, "CANCELLING": 1, "CLOSED": 2}


@dataclass(frozen=True, slots=True)
class Lowered:
    """Units a storefront lowered (negative: put back) by itself at one listing."""

    listing: str
    take: Take


def upsert(row: SkuRow, order: OrderLines, demand: DemandLine, occurred_at: int) -> list[Lowered] | None:
    """Fold one demand line. What its storefront lowered by itself since; None where an older version or the same is ignored."""
    known = order.lines.get(demand.line_id)
    if known is not None and not _newer(known, demand):
        return None
    lowered = _lowered(known, demand, occurred_at)
    before = demand_of(order)
    closed = demand.state == "CLOSED"
    order.lines[demand.line_id] = Line(
        version=demand.version,
        eaches=demand.eaches,
        state=demand.state,
        warehouses=[] if closed else demand.warehouses,
        listing=demand.listing,
        took=_took(demand),
        put_back=_took(demand) if demand.restocked_at is not None else 0,
    )
    spread(order)
    apply_difference(row, before, demand_of(order))
    return lowered


def _newer(known: Line, demand: DemandLine) -> bool:
    if demand.version != known.version:
        return demand.version > known.version
    return _ALONG[demand.state] > _ALONG[known.state]


def _took(demand: DemandLine) -> int:
    return demand.units if demand.listing is not None else 0


def _lowered(known: Line | None, demand: DemandLine, occurred_at: int) -> list[Lowered]:
    """Differences to what was counted before. The time of an edit is only known to lie between the order's first sight and the event."""
    found: list[Lowered] = []
    edited = Take(demand.taken_from, max(demand.taken_to, occurred_at), 0)
    if known is None:
        if demand.listing is not None and demand.units:
            found.append(Lowered(demand.listing, Take(demand.taken_from, demand.taken_to, demand.units)))
        back_before = 0
    elif known.listing != demand.listing:
        if known.listing is not None and known.took != known.put_back:
            found.append(Lowered(known.listing, Take(edited.at_from, edited.at_to, known.put_back - known.took)))
        if demand.listing is not None and demand.units:
            found.append(Lowered(demand.listing, Take(demand.taken_from, demand.taken_to, demand.units)))
        back_before = 0
    else:
        back_before = known.put_back
        if demand.listing is not None and demand.units != known.took:
            found.append(Lowered(demand.listing, Take(edited.at_from, edited.at_to, demand.units - known.took)))
    if demand.listing is not None:
        at = demand.restocked_at
        back = demand.units if at is not None else 0
        if back != back_before:
            when = Take(at, at, 0) if at is not None else edited
            found.append(Lowered(demand.listing, Take(when.at_from, when.at_to, back_before - back)))
    return found


def spread(order: OrderLines) -> None:
    """What the warehouse has taken out, over the order's lines in line order; closed lines were never released or need nothing more."""
    left = order.out
    for line_id in sorted(order.lines):
        line = order.lines[line_id]
        line.reflected = 0 if line.state == "CLOSED" else min(line.eaches, left)
        left -= line.reflected


def demand_of(order: OrderLines) -> dict[str, int]:
    """Eaches still wanted of the warehouses, by warehouse set: the one warehouse once the order is bound to it."""
    wanted: dict[str, int] = {}
    if order.closed:
        return wanted
    for line in order.lines.values():
        if line.state != "CLOSED" and line.eaches > line.reflected:
            key = order.warehouse or key_of(line.warehouses)
            wanted[key] = wanted.get(key, 0) + line.eaches - line.reflected
    return wanted


def apply_difference(row: SkuRow, before: dict[str, int], after: dict[str, int]) -> None:
    """Move the SKU's demand by what one order's demand moved: the cost of an event does not depend on the number of lines."""
    for key in before.keys() | after.keys():
        total = row.demand.get(key, 0) + after.get(key, 0) - before.get(key, 0)
        if total:
            row.demand[key] = total
        else:
            row.demand.pop(key, None)
