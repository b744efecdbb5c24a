"""Brings an order to what was last seen of it at the warehouse: its state, its lines, and what a person must look at because the two sides disagree. Pure."""

from tables.orders.demand import read
from tables.orders.effects import Effect, move
from tables.orders.exceptions import judge
from tables.orders.judgement import before_release
from tables.orders.lifecycle import AT_WAREHOUSE, Event
from tables.orders.lines import set_lines
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules


def follow(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """By the warehouse's last status; an order that may be there and of which none is known waits there."""
    event = AT_WAREHOUSE[row.wms_status or "PENDING"]
    if event is Event.GONE:
        return gone_there(row, rules, now)
    assert row.snapshot is not None  # noqa: S101 - every caller knows the order
    was = row.state
    if event is Event.LEAVE and row.snapshot.state == "OPEN":
        row.cancel_asked = False  # the cancel is out of date on both sides
    if not move(row, event):
        return []
    effects = set_lines(row, "OPEN") if was in ("CANCELLED", "CANCELLING") else []
    if row.state == "MANUAL_STOP":
        row.reason = "cancelled at the storefront, but it has left"
        text = f"cancelled at the storefront, but goods out {row.reference} had left. Call {rules.contact}: stop it at the carrier, or await it as a return"
        return [*effects, *judge(row, "late_change", text, now)]
    if was == "CANCELLED":
        again = f"cancelled at the storefront, and goods out {row.reference} is open again at the warehouse: have it cancelled there"
        effects += judge(row, "stuck_order", again if row.snapshot.state == "CANCELLED" else "", now)
    if event is Event.LEAVE:
        move(row, Event.TELL)
    return [*effects, *judge(row, "delivery_failed", "", now)]


def gone_there(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """The warehouse has it no more. One that never was there and is wanted now is judged anew."""
    assert row.snapshot is not None  # noqa: S101 - as in `follow`
    effects = set_lines(row, "CLOSED")
    wanted = row.snapshot.state == "OPEN"
    move(row, Event.GONE, "cancelled by the warehouse" if wanted else "")
    row.ordered, row.asked = {}, None
    effects += judge(row, "late_change", "", now)
    if not row.released:
        row.cancel_asked, row.held = False, None
        if wanted:
            effects += before_release(row, row.snapshot, read(row.snapshot, rules.catalogue), rules, now)
        return effects
    how = "deleted" if row.wms_status == "DELETED" else "cancelled"
    again = (
        f"goods out {row.reference} was {how} at the warehouse, but the storefront wants the order. One reference makes one goods out, "
        "so it is not sent again: enter it by hand, or cancel it at the storefront"
    )
    return [*effects, *judge(row, "stuck_order", again if wanted else "", now)]
