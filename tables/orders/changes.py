"""What its storefront changes of an order after its release, and cancels. Pure.

While the warehouse has not begun, the goods out that is there is changed to what the storefront wants; from allocation on a person must call the warehouse.
Its answer wins. Until it has one, every line counts with the most that either side may have of it (R3 of ledger.md).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from schemas.records import CancelOrder, LineState, OrderSnapshot, ReleaseLine, ReleaseOrder, WarehouseOrder
from tables.goods_out import eaches_of
from tables.orders.address import Fitted
from tables.orders.demand import Reading, demands_of, read
from tables.orders.differences import differences, in_words
from tables.orders.effects import Effect, move
from tables.orders.exceptions import judge, resolve_all
from tables.orders.following import follow
from tables.orders.lifecycle import AT_WAREHOUSE, Event
from tables.orders.lines import count, recount, tell
from tables.orders.release import cut_of, fitted_of, hindrances, release_order
from tables.orders.rows import Demand, OrderRow, most, with_eaches, with_state
from tables.orders.rules import Rules

ON_ITS_WAY: Final = "its change is on its way to the warehouse"
_NOT_BEGUN: Final = frozenset({"", "DRAFT", "PENDING"})
_PROGRESS: Final = {"DRAFT": 0, "PENDING": 0, "PART_ALLOCATED": 1, "ALLOCATED": 1, "PICK": 2, "COMPLETED": 3}


def changeable(row: OrderRow) -> bool:
    """Has the warehouse, as far as is known, not begun with it? From allocation on it is not changed any more (design section 6)."""
    return row.wms_status in _NOT_BEGUN


# ---- the storefront -------------------------------------------------------------------------------------------------------------------------


def after_release(
    row: OrderRow, seen: OrderSnapshot, was: OrderSnapshot, reading: Reading, rules: Rules, now: int
) -> list[Effect]:
    """The order as its storefront shows it now; `was` is what it showed before, which the warehouse has unless a change is open."""
    effects: list[Effect] = []
    if row.cancel_asked and row.state == "MANUAL_STOP":
        row.cancel_asked = False
        effects += [*judge(row, "late_change", "", now), *follow(row, rules, now)]
        if (
            row.wms_status and AT_WAREHOUSE[row.wms_status] is Event.GONE
        ):  # it had gone there before its cancel was refused
            return [*effects, *wanted_again(row, seen, was, reading, rules, now)]
    wanted = demands_of(seen, reading, rules.catalogue, "OPEN")
    if not _differs(row, seen, was, reading, rules):
        return [*effects, *tell(row, _as_they_were(row, wanted)), *recount(row)]
    effects += count(row, wanted, "CANCELLING" if row.state == "CANCELLING" else "OPEN")
    return effects + _bring(row, seen, reading, rules, now)


def cancelled(row: OrderRow, seen: OrderSnapshot, was: OrderSnapshot, reading: Reading, rules: Rules) -> list[Effect]:
    """Before the release it is closed at once; afterwards the warehouse is asked once and its answer decides."""
    if not row.released:
        move(row, Event.CANCEL)
        effects = tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED"))
        return [*effects, *resolve_all(row, seen.modified_at)]
    _differs(row, seen, was, reading, rules)
    closing = demands_of(seen, reading, rules.catalogue, "CANCELLING")
    if row.state == "CANCELLED":  # both sides agree
        effects = tell(row, {line_id: with_state(demand, "CLOSED") for line_id, demand in closing.items()})
        return [*effects, *judge(row, "stuck_order", "", seen.modified_at)]
    effects = count(row, closing, "CANCELLING")
    if not row.cancel_asked and move(row, Event.CANCEL):
        effects.append(_ask_cancel(row))
    return effects


def wanted_again(
    row: OrderRow, seen: OrderSnapshot, was: OrderSnapshot, reading: Reading, rules: Rules, now: int
) -> list[Effect]:
    """Open at the storefront, cancelled at the warehouse: it is not made anew under the same reference, so it wants a person."""
    _differs(row, seen, was, reading, rules)
    effects = tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED"))
    text = "open again at the storefront after it was cancelled at the warehouse: enter it by hand"
    return [*effects, *judge(row, "stuck_order", text, now)]


# ---- the warehouse --------------------------------------------------------------------------------------------------------------------------


def answered(row: OrderRow, answer: WarehouseOrder, rules: Rules, now: int, *, could_change: bool) -> list[Effect]:
    """What an answer means for a change that is open. `could_change`: before it, the warehouse had not begun as far as was known."""
    if row.held is None or row.snapshot is None or row.snapshot.state == "CANCELLED":
        return []
    if row.cancel_asked or row.state == "CANCELLED":
        return []
    if row.asked is not None and answer.holds >= row.asked.version:
        return _settle(row, rules, now)
    was = row.held
    if answer.ordered and (row.asked is None or answer.status == "CHANGE_REFUSED"):
        row.held = _holding(was, answer.ordered)
    reading = read(row.snapshot, rules.catalogue)
    if answer.status == "CHANGE_REFUSED":
        row.asked = None
        return _stop(
            row,
            _goods_out(row, row.snapshot, reading, rules, fitted_of(row.snapshot, rules)),
            answer.detail,
            rules,
            now,
        )
    if row.asked is not None:
        return []
    if could_change and changeable(row) and row.held == was and answer.status != "CANCEL_REFUSED":
        return []
    return _bring(row, row.snapshot, reading, rules, now)


def stepped_back(row: OrderRow, was: str) -> list[Effect]:
    """A cancel came too late, and the warehouse has taken back what stood in its way: it is asked once more. `was`: its status before."""
    return _ask_once_more(row) if _PROGRESS[row.wms_status] < _PROGRESS.get(was, 0) else []


def taken_back(row: OrderRow, left: Mapping[str, int]) -> list[Effect]:
    """The same of what had `left`, where that was a part and its status tells nothing: as long as anything is out, Clarus cancels nothing."""
    return _ask_once_more(row) if left and not what_left(row) else []


def _ask_once_more(row: OrderRow) -> list[Effect]:
    if row.state != "MANUAL_STOP" or not row.cancel_asked:
        return []
    return [_ask_cancel(row)] if move(row, Event.CANCEL) else []


# ---- people ---------------------------------------------------------------------------------------------------------------------------------


def retry(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """Ask the warehouse again: for the cancel, or for the change where it has not begun."""
    assert row.snapshot is not None  # noqa: S101 - an order with a late change is known
    if row.cancel_asked:
        return [_ask_cancel(row)] if move(row, Event.CANCEL) else []
    if row.held is None or row.snapshot.state == "CANCELLED":
        return []
    return _bring(row, row.snapshot, read(row.snapshot, rules.catalogue), rules, now)


def resolved_by_hand(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """A person saw to it: the state is the warehouse's again. What the goods out does not hold is not waited for: it was entered or refunded by hand."""
    effects = tell(row, _at_most_what_is_there(row)) if row.held is not None else []
    row.held = row.asked = None
    return effects + follow(row, rules, now)


# ---- steps ----------------------------------------------------------------------------------------------------------------------------------


def _differs(row: OrderRow, seen: OrderSnapshot, was: OrderSnapshot, reading: Reading, rules: Rules) -> bool:
    """Is a change open, or does one open with this? Both sides are read by the rules of now, so that a mapping that changed is no edit."""
    if row.held is not None:
        return True
    before = _goods_out(row, was, read(was, rules.catalogue), rules, fitted_of(was, rules))
    if not differences(before, _goods_out(row, seen, reading, rules, fitted_of(seen, rules))):
        return False
    row.held = _holding(before, what_left(row) if row.despatch_complete else row.ordered or eaches_of(before))
    return True


def _bring(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Bring the goods out to what the storefront wants: nothing to do, on its way, asked for, or a person's turn."""
    assert row.held is not None  # noqa: S101 - every caller found a difference
    fitted = fitted_of(seen, rules)
    target = _goods_out(row, seen, reading, rules, fitted)
    if not differences(row.asked or row.held, target):
        return [] if row.asked is not None else _settle(row, rules, now)
    if row.cancel_asked:
        return []
    hindered = hindrances(seen, reading, rules, fitted)
    if hindered:
        return _stop(row, target, "; ".join(hindered.values()), rules, now)
    if not target.lines:
        return _stop(row, target, "nothing of it is left to send", rules, now)
    if not changeable(row):
        return _stop(row, target, f"the goods out is {row.wms_status}", rules, now)
    texts = dict.fromkeys(row.held.texts, "") | target.texts
    row.asked = msgspec.structs.replace(target, version=row.revision, amends=True, texts=texts)
    row.cut = cut_of(seen, rules, fitted)
    row.ordered = most(row.ordered or eaches_of(row.held), eaches_of(target))
    if row.state != "MANUAL_STOP":
        row.reason = ON_ITS_WAY
    return [row.asked]


def _settle(row: OrderRow, rules: Rules, now: int) -> list[Effect]:
    """The warehouse has what the storefront wants."""
    assert row.snapshot is not None  # noqa: S101 - a change of an order that is not known is none
    row.held = row.asked = None
    state: LineState = "CANCELLING" if row.cancel_asked else "OPEN"
    wanted = demands_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue, state)
    effects = tell(row, wanted)
    if row.cancel_asked:
        return effects
    row.reason = "" if row.reason == ON_ITS_WAY else row.reason
    effects += judge(row, "late_change", "", now)
    return [*effects, *follow(row, rules, now)] if row.state == "MANUAL_STOP" else effects


def _stop(row: OrderRow, target: ReleaseOrder, why: str, rules: Rules, now: int) -> list[Effect]:
    """Say what a person must have changed, and whom to call."""
    assert row.held is not None  # noqa: S101 - as in `_bring`
    if not move(row, Event.STOP, "changed at the storefront too late"):
        return []
    row.asked = None
    over = row.wms_status == "COMPLETED"
    do = f"have goods out {row.reference} amended"
    if over:
        do = f"goods out {row.reference} has left: reach the carrier, or settle it with the customer"
    elif not changeable(row):
        do += ", or its pick list cancelled: then the change goes through by itself"
    text = f"changed at the storefront: {in_words(differences(row.held, target))}. Not changed at the warehouse: {why}. Call {rules.contact}: {do}"
    assert row.snapshot is not None  # noqa: S101 - as in `_bring`
    wanted = demands_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue, "OPEN")
    counted = tell(row, _at_most_what_is_there(row)) if over else count(row, wanted, "OPEN")
    return [*counted, *judge(row, "late_change", text, now)]


def _ask_cancel(row: OrderRow) -> CancelOrder:
    row.cancel_asked, row.asked = True, None
    return CancelOrder(channel="clarus", order_key=row.key, reference=row.reference, version=row.revision)


def _goods_out(
    row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, fitted: Fitted | None
) -> ReleaseOrder:
    """What the warehouse would be told were it released as this."""
    fresh = msgspec.structs.replace(row, demands=demands_of(seen, reading, rules.catalogue, "OPEN"))
    return release_order(fresh, seen, reading, rules, fitted)


def _holding(order: ReleaseOrder, eaches: Mapping[str, int]) -> ReleaseOrder:
    return msgspec.structs.replace(order, lines=[ReleaseLine(sku=sku, eaches=n) for sku, n in eaches.items() if n])


def what_left(row: OrderRow) -> dict[str, int]:
    """Eaches by product that parcels hold."""
    total: dict[str, int] = {}
    for parcel in row.parcels.values():
        for code, eaches in parcel.contents.items() if parcel.wanted else ():
            total[code] = total.get(code, 0) + eaches
    return total


def _as_they_were(row: OrderRow, wanted: dict[str, Demand]) -> dict[str, Demand]:
    """Nothing that concerns the warehouse changed: only what the storefront took and put back may have."""
    for line_id, new in wanted.items():
        old = row.demands.get(line_id)
        if old is not None:
            new.eaches, new.state, new.surplus = old.eaches, old.state, old.surplus
    return wanted


def _at_most_what_is_there(row: OrderRow) -> dict[str, Demand]:
    """Of every line what the goods out holds of it: the rest of an order that is over, or that a person saw to, closes (R3)."""
    assert row.held is not None  # noqa: S101 - the callers know a difference
    left = eaches_of(row.held)
    limited: dict[str, Demand] = {}
    for line_id, demand in row.demands.items():
        if demand.state == "CLOSED" or not demand.eaches:
            limited[line_id] = demand
            continue
        eaches = min(demand.eaches, left.get(demand.product, 0))
        left[demand.product] = left.get(demand.product, 0) - eaches
        limited[line_id] = with_eaches(demand, eaches) if eaches else with_state(demand, "CLOSED")
        limited[line_id].surplus = 0
    return limited
