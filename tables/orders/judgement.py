"""Judges an order that is not at the warehouse: not for it, held with an exception that says why, or released. Pure."""

from schemas.records import OrderSnapshot
from tables.orders.demand import Reading, demands_of, release_lines
from tables.orders.effects import Effect, move
from tables.orders.exceptions import judge
from tables.orders.lifecycle import Event
from tables.orders.lines import tell
from tables.orders.release import release_order
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules


def before_release(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Judge an order that is not at the warehouse's door yet: ignored, held or released."""
    if seen.excluded is not None:
        move(row, Event.EXCLUDE, seen.excluded)
        return tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED"))
    effects = tell(row, demands_of(seen, reading, rules.catalogue, "OPEN"))
    effects += judge(row, "delivery_failed", "", now)
    effects += _judge_mappings(row, seen, reading, rules, now)
    if row.exceptions:
        move(row, Event.HOLD, ", ".join(sorted(row.exceptions)))
    elif not seen.paid:
        move(row, Event.HOLD, "payment is not confirmed")
    elif not release_lines(row.demands):
        move(row, Event.EXCLUDE, "nothing in it leaves a warehouse")
    else:
        move(row, Event.FIT)
        row.released = True
        move(row, Event.RELEASE)
        effects.append(release_order(row, seen, reading, rules))
    return effects


def _judge_mappings(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    effects: list[Effect] = []
    skus = ", ".join(sorted(set(reading.unmapped)))
    effects += judge(
        row,
        "unmapped_sku",
        f"no listing for SKU {skus} at {row.channel}: add it to the products and the order goes on"
        if reading.unmapped
        else "",
        now,
    )
    method = seen.shipping_method
    unknown = bool(method) and bool(rules.shipping) and method not in rules.shipping
    effects += judge(
        row,
        "unmapped_shipping_method",
        f"shipping method {method!r} has no carrier and service: add it under `shipping` and the order goes on"
        if unknown
        else "",
        now,
    )
    effects += judge(row, "payment_hold", seen.hold and f"{seen.hold}: decide at {row.channel}", now)
    unknown_status = (
        f"{row.channel} shows the order in status {seen.status!r}, which has no meaning here: tell it a known one"
        if seen.unmapped
        else ""
    )
    return [*effects, *judge(row, "unmapped_status", unknown_status, now)]
