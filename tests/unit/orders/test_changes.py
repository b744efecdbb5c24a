"""Edits and cancels after the release: changed at the warehouse while it waits, a person's turn from allocation on, and settled when the cause goes away."""

from typing import Any

import msgspec
import pytest

from schemas.records import (
    Address,
    CancelOrder,
    DemandLine,
    ExceptionCommand,
    ExceptionState,
    NormalisedOrder,
    OrderSnapshot,
    ReleaseOrder,
    WarehouseDespatch,
    WarehouseOrder,
    WarehouseParcel,
)
from tables.orders import answers, attention, fold, shipping
from tables.orders.changes import ON_ITS_WAY
from tables.orders.effects import Effect, new_row
from tables.orders.rows import OrderRow
from tests.unit.orders.test_fold import RULES, line, of, order

HOME = Address(name="A Buyer", line1="1 High St", city="Leeds", postcode="LS1 1AA", country="GB")
AWAY = msgspec.structs.replace(HOME, line1="2 Low St", postcode="YO1 7HU")
WITH_CONTACT = type(RULES)(RULES.catalogue, RULES.shipping, contact="the dispatch desk")


def said(status: str, detail: str = "", holds: int = 0, wms_id: str = "1", **lines: int) -> WarehouseOrder:
    return WarehouseOrder(
        reference="shop:7",
        status=status,  # type: ignore[arg-type]
        wms_id=wms_id,
        detail=detail,
        holds=holds,
        ordered=lines,
    )


def play(row: OrderRow, *events: Any) -> list[Effect]:
    effects: list[Effect] = []
    for event in events:
        match event:
            case OrderSnapshot():
                effects += fold.snapshot(row, event, WITH_CONTACT, 5000)
            case WarehouseOrder():
                effects += answers.warehouse(row, event, WITH_CONTACT, 5000)
            case WarehouseDespatch():
                effects += shipping.despatched(row, event, WITH_CONTACT, 5000)
            case ExceptionCommand():
                effects += attention.command(row, event, WITH_CONTACT, 5000)
    return effects


def released(*answers_: WarehouseOrder, **fields: Any) -> OrderRow:
    """An order of three mugs and a case, to an address, at the warehouse."""
    row = new_row("shop", "7")
    first = order(line("M1", 3), line("M12", 1, "2"), address=HOME, **fields)
    (release,) = of(ReleaseOrder, play(row, first))
    assert not release.amends
    play(row, *(answers_ or (said("PENDING"),)))
    return row


def edited(*lines: Any, version: int = 2, **fields: Any) -> OrderSnapshot:
    given = lines or (line("M1", 3), line("M12", 1, "2"))
    return order(*given, version=version, **{"address": HOME, **fields})


def eaches(effects: list[Effect]) -> dict[str, tuple[int, str]]:
    return {one.line_id: (one.eaches, one.state) for one in of(DemandLine, effects)}


def by_hand(action: str) -> ExceptionCommand:
    return ExceptionCommand(
        channel="shop", exception_id="late_change:shop:A7", action=action, actor="jo", reason="called"
    )  # type: ignore[arg-type]


# ---- while the warehouse waits --------------------------------------------------------------------------------------------------------------


def test_an_edit_changes_the_goods_out_that_waits_and_counts_the_most_until_it_is_answered() -> None:
    row = released()
    effects = play(row, edited(line("M1", 1), line("C1", 2, "3")))
    (change,) = of(ReleaseOrder, effects)
    assert change.amends and {one.sku: one.eaches for one in change.lines} == {"MUG": 1, "CARD": 2}
    assert eaches(effects) == {"1": (3, "OPEN"), "2": (12, "OPEN"), "3": (2, "OPEN")}
    assert (row.state, row.reason) == ("RELEASED", ON_ITS_WAY)
    assert {one.line_id: one.units for one in of(DemandLine, effects)} == {"1": 1, "2": 0, "3": 2}
    effects = play(row, said("PENDING", holds=change.version))
    assert eaches(effects) == {"1": (1, "OPEN"), "2": (12, "CLOSED")}
    assert (row.state, row.reason, row.held, row.asked) == ("RELEASED", "", None, None)
    assert not of(ExceptionState, effects)


@pytest.mark.parametrize(
    "fields",
    [{"address": AWAY}, {"shipping_method": "express"}, {"note": "by the door"}, {"gift": "Happy birthday"}],
    ids=lambda fields: next(iter(fields)),
)
def test_whatever_the_warehouse_would_do_otherwise_is_a_change(fields: dict[str, Any]) -> None:
    row = released()
    (change,) = of(ReleaseOrder, play(row, edited(**fields)))
    assert change.amends


def test_what_the_warehouse_would_not_do_otherwise_is_none() -> None:
    row = released()
    assert not of(ReleaseOrder, play(row, edited(status="Awaiting Fulfillment"), edited(version=3, paid=False)))


def test_a_text_that_is_gone_is_told_as_empty() -> None:
    row = released(said("PENDING"), note="by the door")
    (change,) = of(ReleaseOrder, play(row, edited()))
    assert change.texts["delivery_notes"] == ""


def test_an_edit_of_an_edit_is_asked_for_as_a_whole_and_only_the_last_settles() -> None:
    row = released()
    (first,) = of(ReleaseOrder, play(row, edited(line("M1", 1))))
    (second,) = of(ReleaseOrder, play(row, edited(line("M1", 2), version=3)))
    assert second.version > first.version
    play(row, said("PENDING", holds=first.version))
    assert row.held is not None
    assert eaches(play(row, said("PENDING", holds=second.version)))["1"] == (2, "OPEN")


def test_an_edit_back_while_the_first_is_on_its_way_is_asked_for_too() -> None:
    row = released()
    play(row, edited(line("M1", 1)))
    (back,) = of(ReleaseOrder, play(row, edited(version=3)))
    assert {one.sku: one.eaches for one in back.lines} == {"MUG": 15}
    play(row, said("PENDING", holds=back.version))
    assert row.held is None


def test_the_same_edit_seen_again_is_asked_for_once() -> None:
    row = released()
    effects = play(row, edited(line("M1", 1)), edited(line("M1", 1), version=3), edited(line("M1", 1), version=4))
    assert len(of(ReleaseOrder, effects)) == 1


def test_an_edit_that_cannot_be_sent_is_a_persons_turn_and_goes_on_when_it_is_mended() -> None:
    row = released()
    effects = play(row, edited(line("GHOST", 1, "9"), line("M1", 3)))
    (late,) = of(ExceptionState, effects)
    assert late.type == "late_change" and "GHOST" in late.detail and not of(ReleaseOrder, effects)
    effects = play(row, edited(line("M1", 2), version=3))
    assert of(ReleaseOrder, effects) and row.state == "MANUAL_STOP"
    effects = play(row, said("PENDING", holds=of(ReleaseOrder, effects)[0].version))
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"] and row.state == "RELEASED"


def test_an_edit_that_leaves_nothing_is_not_sent_as_an_empty_goods_out() -> None:
    row = released()
    effects = play(row, order(version=2, address=HOME))
    assert not of(ReleaseOrder, effects) and "it has no lines" in of(ExceptionState, effects)[0].detail


# ---- from allocation on ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["ALLOCATED", "PART_ALLOCATED", "PICK", "COMPLETED"])
def test_after_allocation_it_says_what_changed_from_what_to_what_and_whom_to_call(status: str) -> None:
    row = released(said("PENDING"), said(status))
    effects = play(row, edited(line("M1", 1), line("C1", 2, "3"), address=AWAY, shipping_method="express"))
    assert not of(ReleaseOrder, effects)
    (late,) = of(ExceptionState, effects)
    assert (late.type, late.owner, late.entity) == ("late_change", "warehouse", "shop:A7")
    for words in ("MUG: 15 → 1 eaches", "CARD: 0 → 2 eaches", "carrier: none → DPD NEXT", status, "shop:7"):
        assert words in late.detail
    assert "Call the dispatch desk" in late.detail
    assert "line1, postcode" in late.detail
    assert not any(private in late.detail for private in ("Low St", "High St", "YO1", "Buyer")), "it is public"
    assert row.state == "MANUAL_STOP" and of(NormalisedOrder, effects)[-1].state == "MANUAL_STOP"
    added = "CLOSED" if status == "COMPLETED" else "OPEN"  # what is finished takes nothing more
    assert eaches(effects) == {"3": (2, added), "1": (3, "OPEN"), "2": (12, "OPEN")}


def test_what_is_refused_because_the_warehouse_had_begun_is_the_same() -> None:
    row = released()
    play(row, edited(line("M1", 1)))
    effects = play(row, said("CHANGE_REFUSED", "the goods out is ALLOCATED", MUG=15), said("ALLOCATED"))
    assert "MUG: 15 → 1 eaches" in of(ExceptionState, effects)[0].detail and row.state == "MANUAL_STOP"
    assert len(row.exceptions) == 1


def test_edited_back_it_settles_itself() -> None:
    row = released(said("ALLOCATED"))
    play(row, edited(line("M1", 1)))
    effects = play(row, edited(version=3))
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]
    assert (row.state, row.held) == ("ALLOCATED", None)


def test_amended_by_the_warehouse_it_settles_itself() -> None:
    row = released(said("ALLOCATED"))
    play(row, edited(line("M1", 1), line("B1", 2, "3")))
    effects = play(row, said("ALLOCATED", MUG=5))
    assert "CARD: 0 → 2" in of(ExceptionState, effects)[0].detail and "MUG" not in of(ExceptionState, effects)[0].detail
    effects = play(row, said("ALLOCATED", MUG=5, CARD=2))
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"] and row.state == "ALLOCATED"
    assert {line_id: demand.eaches for line_id, demand in row.demands.items()} == {
        "1": 1,
        "3": 0,
        "3/MUG": 4,
        "3/CARD": 2,
    }


def test_with_its_pick_list_cancelled_the_change_goes_through_by_itself() -> None:
    row = released(said("ALLOCATED"))
    play(row, edited(address=AWAY))
    (change,) = of(ReleaseOrder, play(row, said("PENDING")))
    assert change.amends and change.address == AWAY
    assert not of(ReleaseOrder, play(row, said("PENDING"))), "it is asked for once"
    effects = play(row, said("PENDING", holds=change.version))
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"] and row.state == "RELEASED"


def test_resolved_by_hand_the_state_is_the_warehouses_and_what_it_does_not_hold_is_not_waited_for() -> None:
    row = released(said("PICK"))
    play(row, edited(line("M1", 3), line("M12", 2, "2"), line("C1", 2, "3")))
    effects = play(row, by_hand("resolve"))
    assert row.state == "PICKING"
    assert eaches(effects) == {"2": (12, "OPEN"), "3": (2, "CLOSED")}
    assert not of(DemandLine, play(row, edited(line("M1", 3), line("M12", 2, "2"), line("C1", 2, "3"), version=3)))


def test_a_retry_asks_again_once_the_warehouse_waits() -> None:
    row = released()
    play(row, edited(line("M1", 1)), said("CHANGE_REFUSED", "postcode is not valid"))
    (again,) = of(ReleaseOrder, play(row, by_hand("retry")))
    assert again.amends


def test_after_despatch_an_edit_to_what_left_settles_itself() -> None:
    row = released(said("COMPLETED"))
    parcel = WarehouseParcel(parcel_id="1", tracking="T", lines={"MUG": 3})
    play(row, WarehouseDespatch(reference="shop:7", wms_id="1", read_at=9, complete=True, parcels=[parcel]))
    effects = play(row, edited(line("M1", 2)))
    assert "MUG: 3 → 2" in of(ExceptionState, effects)[0].detail and "has left" in of(ExceptionState, effects)[0].detail
    play(row, edited(line("M1", 3), version=3))
    assert "late_change" not in row.exceptions and row.state == "DESPATCHED"


# ---- cancels --------------------------------------------------------------------------------------------------------------------------------


def test_a_cancel_of_a_changed_order_is_asked_for_once_and_ends_the_change() -> None:
    row = released(said("ALLOCATED"))
    play(row, edited(line("M1", 1)))
    effects = play(row, edited(version=3, state="CANCELLED"), edited(version=4, state="CANCELLED"))
    assert len(of(CancelOrder, effects)) == 1 and row.state == "CANCELLING"
    effects = play(row, said("CANCELLED"))
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"] and row.state == "CANCELLED"
    assert all(one.state == "CLOSED" for one in row.demands.values())


def test_a_cancel_that_crosses_the_despatch_is_a_persons_turn() -> None:
    row = released(said("PICK"))
    effects = play(row, edited(state="CANCELLED"), said("COMPLETED"))
    (late,) = of(ExceptionState, effects)
    assert late.type == "late_change" and "had left" in late.detail and row.state == "MANUAL_STOP"


def test_a_despatch_that_is_taken_back_after_a_late_cancel_is_cancelled_without_a_person() -> None:
    row = released(said("PICK"))
    play(row, edited(state="CANCELLED"), said("COMPLETED"))
    effects = play(row, said("PICK"), said("PICK"))
    assert len(of(CancelOrder, effects)) == 1 and row.state == "CANCELLING"
    effects = play(row, said("CANCELLED"))
    assert row.state == "CANCELLED" and [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]
    assert all(one.state == "CLOSED" for one in row.demands.values())


def left(read_at: int, **parcels: dict[str, int]) -> WarehouseDespatch:
    there = [WarehouseParcel(parcel_id=name, tracking=name, carrier="", lines=lines) for name, lines in parcels.items()]
    return WarehouseDespatch(reference="shop:7", wms_id="1", read_at=read_at, complete=False, parcels=there)


def test_a_part_despatch_that_is_taken_back_after_a_refused_cancel_is_cancelled_without_a_person() -> None:
    row = released(said("PICK"))
    events = left(1, a={"MUG": 1}, b={"MUG": 1}), edited(state="CANCELLED"), said("CANCEL_REFUSED", "left in part")
    (refused,) = of(CancelOrder, play(row, *events))
    assert not of(CancelOrder, play(row, left(2, b={"MUG": 1}))) and row.state == "MANUAL_STOP", "one is still out"
    effects = play(row, left(3), said("PICK"), left(4))
    (asked,) = of(CancelOrder, effects)
    assert asked.version > refused.version
    assert [one.state for one in of(NormalisedOrder, effects)] == ["CANCELLING"] and row.state == "CANCELLING"
    effects = play(row, said("CANCELLED"))
    assert row.state == "CANCELLED" and [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]


def test_what_goes_on_at_the_warehouse_after_a_refused_cancel_asks_for_no_other() -> None:
    row = released(said("ALLOCATED"))
    play(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "no"))
    assert not of(CancelOrder, play(row, said("PICK"), said("COMPLETED")))
    assert row.state == "MANUAL_STOP"


def test_a_refused_cancel_names_the_goods_out_and_whom_to_call_and_a_retry_asks_again() -> None:
    row = released(said("PICK"))
    effects = play(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "despatched in part"))
    (late,) = of(ExceptionState, effects)
    assert all(words in late.detail for words in ("despatched in part", "shop:7", "the dispatch desk"))
    effects = play(row, by_hand("retry"))
    assert len(of(CancelOrder, effects)) == 1 and row.state == "CANCELLING"


def test_what_the_warehouse_cancels_after_it_refused_is_cancelled() -> None:
    row = released(said("PICK"))
    play(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "no"))
    effects = play(row, said("CANCELLED"))
    assert row.state == "CANCELLED" and [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]


def test_opened_again_after_a_refused_cancel_it_goes_on() -> None:
    row = released(said("PICK"))
    play(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "no"))
    effects = play(row, edited(version=3))
    assert (row.state, row.cancel_asked) == ("PICKING", False)
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]
    assert len(of(CancelOrder, play(row, edited(version=4, state="CANCELLED")))) == 1


def test_opened_again_before_the_answer_it_goes_on_if_the_warehouse_kept_it_and_asks_for_a_person_if_not() -> None:
    for answer, state in ((said("CANCEL_REFUSED", "no"), "PICKING"), (said("COMPLETED"), "DESPATCHED")):
        row = released(said("PICK"))
        effects = play(row, edited(state="CANCELLED"), edited(version=3), answer)
        assert row.state == state and not of(ExceptionState, effects)
        assert all(one.state == "OPEN" for one in row.demands.values())
    row = released(said("PICK"))
    effects = play(row, edited(state="CANCELLED"), edited(version=3), said("CANCELLED"))
    assert row.state == "CANCELLED" and of(ExceptionState, effects)[-1].type == "stuck_order"


def test_what_the_warehouse_cancelled_by_itself_needs_nobody_once_the_storefront_cancels_it_too() -> None:
    row = released(said("ALLOCATED"), said("CANCELLED"))
    assert list(row.exceptions) == ["stuck_order"]
    effects = play(row, edited(state="CANCELLED"))
    assert not row.exceptions and [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]


def test_opened_again_with_another_line_after_it_was_gone_at_the_warehouse_it_counts_for_nothing() -> None:
    row = new_row("shop", "7")
    play(row, said("CANCELLED"), edited(state="CANCELLED"), said("CANCEL_REFUSED", "no"))
    effects = play(row, edited(line("M1", 1, "new"), version=3))
    assert row.state == "CANCELLED" and "stuck_order" in row.exceptions
    assert all(one.state == "CLOSED" for one in row.demands.values()) and not of(ReleaseOrder, effects)


def test_opened_again_and_never_there_it_is_released_at_once() -> None:
    row = released(said("UNMAPPED", "QC"))
    play(row, edited(state="CANCELLED"), edited(version=3))
    effects = play(row, said("DELETED", wms_id=""))
    (release,) = of(ReleaseOrder, effects)
    assert not release.amends and row.state == "RELEASING"


def test_a_line_that_is_mapped_to_another_product_leaves_the_first_ones_stock_alone() -> None:
    row = new_row("shop", "7")
    play(row, order(line("M1", 2), paid=False))
    effects = play(row, order(line("C1", 2), version=2, paid=False))
    told = {(one.sku, one.line_id): (one.state, one.eaches, one.units) for one in of(DemandLine, effects)}
    assert told == {("MUG", "1"): ("CLOSED", 2, 0), ("CARD", "1"): ("OPEN", 2, 2)}
