"""The warehouse's answers folded: its statuses move the order by the life-cycle's table, and its word on a release, a change or a cancel is the last. Pure."""

from typing import Final

from schemas.records import WarehouseOrder
from tables.goods_out import eaches_of
from tables.orders import changes
from tables.orders.demand import demands_of, read
from tables.orders.despatch import unallocated
from tables.orders.effects import Effect, move, next_revision, status_of
from tables.orders.exceptions import judge
from tables.orders.following import follow, gone_there
from tables.orders.lifecycle import AT_WAREHOUSE, Event
from tables.orders.lines import recount, set_lines, tell, told_last
from tables.orders.rows import OrderRow, most
from tables.orders.rules import Rules

_NO_STATUS: Final = frozenset({"REFUSED", "CANCEL_REFUSED", "CHANGE_REFUSED", "UNMAPPED"})


def warehouse(row: OrderRow, answer: WarehouseOrder, rules: Rules, now: int) -> list[Effect]:
    """One answer. Before the order itself is known it is only remembered."""
    could_change, status_before = changes.changeable(row), row.wms_status
    _remember(row, answer)
    if row.snapshot is None:
        row.revision += 1
        return []
    row.revision = next_revision(row, row.version)
    before = (row.state, row.reason)
    if answer.status == "UNMAPPED":
        text = f"the warehouse's status {answer.detail!r} has no meaning here: map it (clarus-stream mappings import: `status` of channel clarus)"
        return judge(row, "unmapped_status", text, now)
    effects = judge(row, "unmapped_status", "", now)
    if answer.status == "REFUSED":
        effects += _refused(row, answer.detail, rules, now)
    elif answer.status == "CANCEL_REFUSED":
        effects += _cancel_refused(row, answer.detail, rules, now)
    elif AT_WAREHOUSE.get(answer.status) is Event.GONE:
        effects += gone_there(row, rules, now)
    elif answer.status != "CHANGE_REFUSED":
        effects += [*follow(row, rules, now), *changes.stepped_back(row, status_before)]
    effects += [*changes.answered(row, answer, rules, now, could_change=could_change), *recount(row)]
    if not row.despatch_complete:
        effects += judge(row, "short_stock", unallocated(row), now)
    if (row.state, row.reason) != before:
        effects.append(status_of(row))
    return told_last(effects)


def _remember(row: OrderRow, answer: WarehouseOrder) -> None:
    """What is known to be there. Gone without a number of the warehouse's: it never was there."""
    if AT_WAREHOUSE.get(answer.status) is Event.GONE and not answer.wms_id:
        row.wms_status, row.released = "", False
        return
    if row.asked is not None and answer.holds >= row.asked.version:
        row.ordered = answer.ordered or eaches_of(row.asked)
    elif row.asked is None or answer.status == "CHANGE_REFUSED":
        row.ordered = answer.ordered or row.ordered
    else:  # what was asked for may land still
        row.ordered = most(row.ordered, answer.ordered)
    row.released = row.released or answer.status != "REFUSED"
    if answer.status not in _NO_STATUS:
        row.wms_status = answer.status


def _refused(row: OrderRow, detail: str, rules: Rules, now: int) -> list[Effect]:
    assert row.snapshot is not None  # noqa: S101 - the caller knows the order
    if not move(row, Event.REFUSE, f"refused by the warehouse: {detail}"):
        return []
    row.released, row.ordered, row.held, row.asked = False, {}, None, None
    wanted = demands_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue, "OPEN")
    return [*tell(row, wanted), *judge(row, "delivery_failed", f"the warehouse refused the order: {detail}", now)]


def _cancel_refused(row: OrderRow, detail: str, rules: Rules, now: int) -> list[Effect]:
    assert row.snapshot is not None  # noqa: S101 - as in `_refused`
    if row.snapshot.state == "OPEN":
        row.cancel_asked = False
        return follow(row, rules, now)
    if not move(row, Event.REFUSE_CANCEL, f"cancel refused: {detail}"):
        return []
    why = f": {detail}" if detail else ""
    text = f"cancelled at the storefront, the warehouse refused{why}. Call {rules.contact}: stop goods out {row.reference}, or await it as a return"
    return [*set_lines(row, "OPEN"), *judge(row, "late_change", text, now)]
