"""The warehouse's answers folded: its statuses move the order by the life-cycle's table, its word on a cancel is the last, and what it does by itself is an
exception for a person. Pure.
"""

from typing import Final

from schemas.records import WarehouseOrder
from tables.orders.demand import read
from tables.orders.effects import Effect, move, next_revision, status_of
from tables.orders.exceptions import judge
from tables.orders.judgement import before_release
from tables.orders.lifecycle import AT_WAREHOUSE, Event
from tables.orders.lines import set_lines
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules

_ASKED: Final = frozenset({"REFUSED", "CANCEL_REFUSED", "UNMAPPED"})
"""Answers that are no status of a goods out."""


def warehouse(row: OrderRow, answer: WarehouseOrder, rules: Rules, now: int) -> list[Effect]:
    """One answer. Before the order itself is known it is only remembered."""
    _remember(row, answer)
    if row.snapshot is None:
        row.revision += 1
        return []
    row.revision = next_revision(row, row.version)
    before = (row.state, row.reason)
    if answer.status == "UNMAPPED":
        text = f"the warehouse's status {answer.detail!r} has no meaning here: add it to clarus.statuses"
        return judge(row, "unmapped_status", text, now)
    effects = judge(row, "unmapped_status", "", now)
    if answer.status == "REFUSED":
        effects += _refused(row, answer.detail, now)
    elif answer.status == "CANCEL_REFUSED":
        effects += _cancel_refused(row, answer.detail, rules, now)
    elif AT_WAREHOUSE[answer.status] is Event.GONE:
        effects += _gone(row, rules, now)
    else:
        effects += follow(row, rules, now)
    if (row.state, row.reason) != before:
        effects.append(status_of(row))
    return effects


def follow(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """Bring an order that may be at the warehouse to what was last seen there."""
    event = AT_WAREHOUSE[row.wms_status or "PENDING"]
    if event is Event.GONE:
        return _gone(row, rules, now)
    assert row.snapshot is not None  # noqa: S101 - every caller knows the order
    was = row.state
    if not move(row, event):
        return []
    effects = set_lines(row, "OPEN") if was in ("CANCELLED", "CANCELLING") else []
    if row.state == "MANUAL_STOP":
        row.reason = "cancelled at the storefront, but it has left"
        text = "cancelled at the storefront, but it had left the warehouse. Call the carrier or await it as a return"
        return [*effects, *judge(row, "late_change", text, now)]
    if was == "CANCELLED":
        again = "cancelled at the storefront and open again at the warehouse: have it cancelled there"
        effects += judge(row, "stuck_order", again if row.snapshot.state == "CANCELLED" else "", now)
    if event is Event.LEAVE:
        move(row, Event.TELL)
    return [*effects, *judge(row, "delivery_failed", "", now)]


def _remember(row: OrderRow, answer: WarehouseOrder) -> None:
    """What is known to be there. Gone without a number of the warehouse's: it never was there."""
    if AT_WAREHOUSE.get(answer.status) is Event.GONE and not answer.wms_id:
        row.wms_status, row.released = "", False
        return
    row.released = row.released or answer.status != "REFUSED"
    if answer.status not in _ASKED:
        row.wms_status = answer.status


def _gone(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    assert row.snapshot is not None  # noqa: S101 - as in `follow`
    effects = set_lines(row, "CLOSED")
    wanted = row.snapshot.state == "OPEN"
    move(row, Event.GONE, "cancelled by the warehouse" if wanted else "")
    effects += judge(row, "late_change", "", now)
    if not row.released:
        row.cancel_asked = False
        if wanted:
            effects += before_release(row, row.snapshot, read(row.snapshot, rules.catalogue), rules, now)
        return effects
    again = "cancelled at the warehouse, but the storefront wants it: enter it by hand, or cancel it at the storefront"
    return [*effects, *judge(row, "stuck_order", again if wanted else "", now)]


def _refused(row: OrderRow, detail: str, now: int) -> list[Effect]:
    if not move(row, Event.REFUSE, f"refused by the warehouse: {detail}"):
        return []
    row.released = False
    return judge(row, "delivery_failed", f"the warehouse refused the order: {detail}", now)


def _cancel_refused(row: OrderRow, detail: str, rules: Rules, now: int) -> list[Effect]:
    assert row.snapshot is not None  # noqa: S101 - as in `follow`
    if row.snapshot.state == "OPEN":
        row.cancel_asked = False
        return follow(row, rules, now)
    if not move(row, Event.REFUSE_CANCEL, f"cancel refused: {detail}"):
        return []
    text = f"cancelled at the storefront, the warehouse refused: {detail}. Call the warehouse"
    return [*set_lines(row, "OPEN"), *judge(row, "late_change", text, now)]
