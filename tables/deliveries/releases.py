"""The rules of one order at the warehouse (`release_row`): exactly one goods out for it, whatever is lost, repeated or killed (design section 6). Pure.

Clarus has no idempotency key (findings 29 and 30 of ledger.md). So the reference is looked up before any create; an intent is committed before a
request leaves; a create whose outcome is unknown is looked up again and again until it is found or Clarus cannot be working on it any more; and a cancel
that comes meanwhile waits for that. A change of a goods out that is there is held to the same: repeated too early, it could add a line twice. It is asked for
only while Clarus has not begun with the order. Times are our milliseconds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast, get_args

from schemas.records import CancelOrder, ReleaseOrder, WarehouseOrder, WarehouseStatus
from tables.deliveries import absence, looks, twins
from tables.deliveries.looks import lands_until, look_wait
from tables.deliveries.release_row import (
    FINAL,
    GONE,
    AtWarehouse,
    Cancel,
    CancelTwin,
    Change,
    Create,
    Idle,
    Intent,
    LookUp,
    ProcessPicks,
    ReleaseRow,
    Report,
    Step,
)
from tables.deliveries.twins import NOT_BEGUN
from tables.goods_out import eaches_of

_KNOWN: Final = frozenset(get_args(WarehouseStatus))
_HOUR: Final = 3_600_000


# ---- commands -------------------------------------------------------------------------------------------------------------------------------


def want_release(row: ReleaseRow, command: ReleaseOrder, now: int) -> bool:
    """The order shall be at the warehouse. False where the command is not newer: it is answered again. An intent whose outcome is open survives."""
    if command.version <= row.version:
        _again(row, now)
        return False
    _newer(row, command.order_key, command.version, now)
    row.order, row.cancel = command, False
    row.skus = sorted(eaches_of(command).keys() | set(row.skus if row.wms_id else ()))
    return True


def want_cancel(row: ReleaseRow, command: CancelOrder, now: int) -> bool:
    """The order shall not be at the warehouse. False where the command is not newer: it is answered again. An intent whose outcome is open survives."""
    if command.version <= row.version:
        _again(row, now)
        return False
    _newer(row, command.order_key, command.version, now)
    row.cancel = True
    return True


def _again(row: ReleaseRow, now: int) -> None:
    """ORDERS lost its row, and with it the answer; its new one counts from the storefront's version, as the lost one did."""
    row.answered = min(row.answered, row.version - 1)
    if row.intent is None:
        row.looked, row.next_at = False, now


def _newer(row: ReleaseRow, order_key: str, version: int, now: int) -> None:
    row.order_key, row.version, row.since = order_key, version, now
    row.attempts, row.looked = 0, False
    if row.intent is None:
        row.next_at = now
        row.status = "" if row.status == "REFUSED" or not row.wms_id else row.status


def hasten(row: ReleaseRow, now: int) -> None:
    """An operator asks for another attempt now. What an open intent waits for is not shortened."""
    if row.intent is None:
        row.next_at = min(row.next_at, now)


# ---- what to do next ------------------------------------------------------------------------------------------------------------------------


def next_step(row: ReleaseRow, now: int, *, picks: bool = False) -> Step:
    """What to do now. The caller keeps one request per row. `picks`: having picks processed is our business."""
    if row.intent is None and row.answered >= row.version:
        return _afterwards(row, now, row.picks_at if picks else None)
    if now < row.next_at:
        return Idle(row.next_at)
    if row.intent is not None:
        return LookUp()
    if row.order is not None and owes_change(row):
        return Change(row.order) if row.looked else LookUp()
    if row.status and not (row.cancel and at_work(row)):
        return Report()
    if not row.looked:
        return LookUp()
    if row.cancel or row.order is None:
        return Cancel() if row.status else Report()
    return Create(row.order)


def _afterwards(row: ReleaseRow, now: int, picks_at: int | None) -> Step:
    """What is left to do for an order whose command is answered."""
    if row.absent_from:
        return LookUp() if now >= row.next_at else Idle(row.next_at)
    if row.twin:
        return CancelTwin(row.twin) if now >= row.next_at else Idle(row.next_at)
    turn = twins.due(row)
    if turn is not None and now >= turn:
        return LookUp() if now >= row.next_at else Idle(row.next_at)
    if picks_at is not None and now >= picks_at:
        return ProcessPicks(row.wms_id)
    return Idle(min((at for at in (turn, picks_at) if at is not None), default=None))


def begin(row: ReleaseRow, step: Create | Change | Cancel, now: int) -> Intent:
    """An attempt: the caller commits the row before the request leaves."""
    row.attempts += 1
    row.looks, row.looked = 0, False
    match step:
        case Cancel():
            row.deleting = row.deleting or row.status in NOT_BEGUN
            row.intent = Intent("cancel", now, row.version)
        case Create():
            row.intent = Intent("create", now, step.order.version)
        case Change():
            lines = eaches_of(step.order)
            row.intent = Intent("change", now, step.order.version, None if lines == row.ordered else lines)
    row.requested_at = now
    return row.intent


# ---- answers --------------------------------------------------------------------------------------------------------------------------------


def created(row: ReleaseRow, made: AtWarehouse, now: int) -> list[WarehouseOrder]:
    """Clarus made it."""
    row.holds = row.intent.version if row.intent is not None else row.holds
    row.intent, row.requested_at = None, now
    return _seen(row, made, now)


def changed(row: ReleaseRow, there: AtWarehouse, now: int) -> list[WarehouseOrder]:
    """Clarus changed it to what the intent was for."""
    return created(row, there, now)


def change_refused(row: ReleaseRow, detail: str) -> list[WarehouseOrder]:
    """Clarus said no to the change: over until a newer command. Where one is there already, that one is tried."""
    intent, row.intent = row.intent, None
    if intent is not None and intent.version < row.version:
        return []
    row.answered = row.version
    return [_answer(row, "CHANGE_REFUSED", detail)]


def refused(row: ReleaseRow, detail: str) -> list[WarehouseOrder]:
    """Clarus said no to the create: over until a newer command. Where one is there already, that one is tried."""
    if row.intent is not None and row.intent.version < row.version:
        row.intent = None
        return []
    row.intent, row.status, row.wms_id, row.order = None, "REFUSED", "", None
    return report(row, detail)


def cancelled(row: ReleaseRow, answer: str, detail: str, now: int) -> list[WarehouseOrder]:
    """Clarus' answer to a cancel: DELETED, CANCELLED or CANCEL_REFUSED. It decides."""
    row.intent, row.next_at, row.requested_at = None, now, now
    if answer in GONE:
        return _gone(row, answer, detail)
    row.answered, row.deleting = row.version, False
    return [_answer(row, "CANCEL_REFUSED", detail)]


def not_sent(row: ReleaseRow, wait: int, now: int) -> None:
    """It certainly had no effect: the same step again after `wait`."""
    row.intent = None
    row.next_at = now + wait


def unknown(row: ReleaseRow, now: int) -> None:
    """It may have had its effect: the intent stays, look-ups follow."""
    _watch(row)
    looks.unknown(row, now)


def foreign(row: ReleaseRow, now: int) -> None:
    """Taken over from another owner or an earlier life: an intent is an unknown outcome, and its request may still be on its way (`found` waits for that)."""
    row.looked = False
    _watch(row)
    looks.taken_over(row, now)
    if row.intent is not None:
        row.next_at = now


def found(
    row: ReleaseRow, there: Sequence[AtWarehouse], looked_at: int, create_unknown: int, now: int
) -> list[WarehouseOrder]:
    """What the look-up that began at `looked_at` showed. `create_unknown`: how long Clarus may still be working on a lost create.

    A look-up that began before our last request was answered shows the past and is made again.
    """
    if looked_at < row.requested_at:
        return []
    row.looks += 1
    twins.looked(row, looked_at)
    if there:
        row.absent_from = 0
        alive = [one for one in there if one.status not in GONE]
        if twins.is_late(row, alive):
            return []
        kept = twins.sort(row, alive) if alive else there[0]
        ordered: Counter[str] = Counter()
        for one in alive or [kept]:
            ordered.update(one.ordered)
        return _there(row, replace(kept, ordered=ordered), looked_at, create_unknown, now)
    row.twin, row.doubled = "", []
    if row.intent is None and row.answered >= row.version and row.status in FINAL:
        row.absent_from = 0
        return []
    if row.intent is not None and row.intent.kind == "create":
        over = lands_until(row.intent, create_unknown)
        if looked_at < over:
            row.next_at = min(now + look_wait(row.looks), over)
            return []
        row.intent, row.looked, row.next_at = None, True, now
        return report(row, "") if row.cancel else []
    if (row.intent is not None and row.intent.kind == "cancel") or (row.cancel and row.deleting):
        return _gone(row)
    if not row.wms_id:
        row.looked = True
        return report(row, "") if row.cancel else []
    if not absence.is_over(row, looked_at, create_unknown):
        row.next_at = now + look_wait(row.looks)
        return []
    twins.watch(row, looked_at)  # should it show again, it counts again
    return _gone(row)


def _gone(row: ReleaseRow, status: str = "DELETED", detail: str = "") -> list[WarehouseOrder]:
    row.intent, row.status, row.order = None, status, None
    row.absent_from, row.picks_at = 0, None
    return report(row, detail)


def _there(row: ReleaseRow, one: AtWarehouse, looked_at: int, unknown_for: int, now: int) -> list[WarehouseOrder]:
    intent = row.intent
    if intent is not None and intent.kind == "change" and not _landed(intent, one):
        over = lands_until(intent, unknown_for)
        if looked_at < over and one.status not in FINAL and not row.cancel:
            row.next_at = min(now + look_wait(row.looks), over)
            return []
    elif intent is not None and intent.kind != "cancel":
        row.holds = intent.version
    elif row.order is not None and not row.holds and not row.order.amends:
        row.holds = row.order.version  # made in an earlier life of the row
    row.intent = None
    if row.cancel and one.status not in FINAL and row.answered < row.version:
        _take(row, one, now)
        row.looked = True
        if intent is not None and intent.kind == "cancel" and row.status in NOT_BEGUN:
            row.deleting = True  # the pick list was taken back since: a cancel that is still on its way deletes it
        if intent is not None:  # what others look up meanwhile does not put the next attempt off
            row.next_at = now + look_wait(row.looks)
        return []
    turn = row.next_at if row.looked and intent is None else None
    return _seen(row, one, now, turn)


def _landed(intent: Intent, one: AtWarehouse) -> bool:
    return intent.lines is not None and intent.lines == dict(one.ordered)


def _seen(row: ReleaseRow, one: AtWarehouse, now: int, turn: int | None = None) -> list[WarehouseOrder]:
    """`turn`: when a change that was looked at before is to be asked for."""
    news = (one.status, one.wms_id, one.ordered) != (row.status, row.wms_id, row.ordered) or row.answered < row.version
    _take(row, one, now)
    row.next_at = now
    if owes_change(row):
        return _before_change(row, now, turn)
    if row.status in FINAL:
        row.order = None
    if row.status != "PENDING" or row.cancel:
        row.picks_at = None
    elif row.picks_at is None:
        row.picks_at = _picks_at(row, now)
    if row.cancel and row.status not in FINAL and row.answered < row.version:
        return []
    return report(row, "") if news else []


def _before_change(row: ReleaseRow, now: int, turn: int | None) -> list[WarehouseOrder]:
    """It was looked at for a change: that is asked for, or comes too late. What others look up meanwhile does not put it off."""
    row.looked = True
    if row.status in NOT_BEGUN:
        row.next_at = turn if turn is not None else now + (look_wait(row.looks) if row.attempts else 0)
        return []
    late = change_refused(row, f"the goods out is {row.status}")
    row.order = None if row.status in FINAL else row.order
    return [*late, *report(row, "")]


def _take(row: ReleaseRow, one: AtWarehouse, now: int) -> None:
    if not row.stands_from or (one.status, one.ordered) != (row.status, row.ordered):
        row.stands_from = now
    row.wms_id, row.status, row.warehouse = one.wms_id, one.status, one.warehouse or row.warehouse
    row.ordered = dict(one.ordered)
    row.skus = row.skus or sorted(row.ordered)


def standing(row: ReleaseRow, level: int, now: int) -> str:
    """That the order is at the warehouse without a step on for longer than `level`; empty where it is not. One that shall leave later has so much longer."""
    begun = max(row.stands_from, (row.order.leave_at or 0) if row.order is not None else 0)
    if not at_work(row) or not row.stands_from or now - begun <= level:
        return ""
    return (
        f"goods out {row.reference} is {row.status} at the warehouse without a step on for more than {level / _HOUR:.3g} h: "
        "see there what it waits for, or whether somebody put it aside"
    )


def report(row: ReleaseRow, detail: str) -> list[WarehouseOrder]:
    """The answer to the newest command, as the row shows it: nothing there counts as deleted."""
    row.answered = row.version
    status = row.status or "DELETED"
    if status not in _KNOWN:
        return [_answer(row, "UNMAPPED", status)]
    if not row.status:
        row.status, row.order = status, None
    return [_answer(row, cast(WarehouseStatus, status), detail)]


def _answer(row: ReleaseRow, status: WarehouseStatus, detail: str) -> WarehouseOrder:
    return WarehouseOrder(
        reference=row.reference,
        status=status,
        wms_id=row.wms_id,
        detail=detail,
        ordered=row.ordered,
        holds=row.holds,
    )


def _watch(row: ReleaseRow) -> None:
    if row.intent is not None and row.intent.kind == "create":
        twins.watch(row, row.intent.at)


def _picks_at(row: ReleaseRow, now: int) -> int:
    """At once; after a create of unknown outcome only when a twin had time to show."""
    turn = twins.due(row)
    return now if turn is None or row.twin_looks else max(now, turn)


def picks_processed(row: ReleaseRow, again_at: int) -> None:
    """They are asked for. An order that waits then still, for stock or because its pick list was cancelled, is asked for again."""
    row.picks_at = None if row.picks_at is None else again_at


def twin_cancelled(row: ReleaseRow, answer: str) -> None:
    """Clarus' answer. Where it is gone, another look shows whether there are more."""
    row.twin = ""
    if answer in GONE:
        twins.again(row)


def twin_not_cancelled(row: ReleaseRow, wait: int, now: int) -> None:
    """There was no answer: the same again after `wait`."""
    row.next_at = now + wait


def owes_change(row: ReleaseRow) -> bool:
    """Is there a goods out that is to become another, and does the ORDERS agent wait for that?"""
    if row.order is None or row.cancel or row.answered >= row.version or not row.wms_id or row.status in GONE:
        return False
    return row.order.amends and row.holds < row.order.version


def pending(row: ReleaseRow) -> bool:
    """Is an answer still owed, an outcome open, a twin to be cancelled, or is it looked for because it did not show?"""
    return row.intent is not None or row.answered < row.version or bool(row.twin or row.absent_from)


def pending_since(row: ReleaseRow) -> int | None:
    """Since when it is pending; None where it is not."""
    if not pending(row):
        return None
    return row.absent_from if row.absent_from and row.answered >= row.version else row.since


def watched(row: ReleaseRow, *, picks: bool = False) -> bool:
    """Is it to be looked at again at a time of its own? `picks` as in `next_step`."""
    return pending(row) or twins.due(row) is not None or (picks and row.picks_at is not None)


def moves_stock(row: ReleaseRow) -> bool:
    """Has the warehouse begun to take its units, or is it past that?"""
    return bool(row.wms_id) and row.status not in NOT_BEGUN and row.status not in ("DELETED", "REFUSED")


def at_work(row: ReleaseRow) -> bool:
    """Is it at the warehouse and not over: does its status still change?"""
    return bool(row.wms_id) and row.status not in FINAL
