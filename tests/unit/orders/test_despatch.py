"""Despatches folded: which units each parcel stands for, what the storefront is told, and what a person must look at."""

import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import (
    ExceptionState,
    OrderSnapshot,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
    WarehouseOrder,
    WarehouseParcel,
)
from tables.orders import answers, despatch, fold, shipping
from tables.orders.demand import read
from tables.orders.despatch import Carriage
from tables.orders.effects import Effect, new_row
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Rules
from tests.unit.orders.test_fold import CATALOGUE, line, of, order

CARRIERS = {"RM": Carriage("Royal Mail", re.compile("RM[0-9]+"), "https://track.example/{tracking}?x=1")}
RULES = Rules(CATALOGUE, {"express": CarrierService("DPD", "NEXT")}, CARRIERS)
Event = OrderSnapshot | WarehouseOrder | WarehouseDespatch | ShipmentOutcome


def parcel(parcel_id: str, tracking: str = "", carrier: str = "DPD", **lines: int) -> WarehouseParcel:
    return WarehouseParcel(parcel_id=parcel_id, tracking=tracking or f"T{parcel_id}", carrier=carrier, lines=lines)


def left(read_at: int, *parcels: WarehouseParcel, complete: bool = False) -> WarehouseDespatch:
    return WarehouseDespatch(reference="shop:7", wms_id="1", read_at=read_at, complete=complete, parcels=list(parcels))


def answer(status: Any) -> WarehouseOrder:
    return WarehouseOrder(reference="shop:7", status=status, wms_id="1")


def play(*events: Event, row: OrderRow | None = None) -> tuple[OrderRow, list[Effect]]:
    row = row or new_row("shop", "7")
    effects: list[Effect] = []
    for event in events:
        match msgspec.convert(msgspec.to_builtins(event), type(event)):
            case OrderSnapshot() as body:
                effects += fold.snapshot(row, body, RULES, 5000)
            case WarehouseOrder() as body:
                effects += answers.warehouse(row, body, RULES, 5000)
            case WarehouseDespatch() as body:
                effects += shipping.despatched(row, body, RULES, 5000)
            case ShipmentOutcome() as body:
                effects += shipping.shipment(row, body, RULES, 5000)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=OrderRow)
    return row, effects


def told(effects: Sequence[Effect]) -> list[tuple[str, bool, dict[str, int], bool]]:
    return [
        (one.parcel_id, one.wanted, {line.line_id: line.units for line in one.lines}, one.whole)
        for one in of(ShipParcel, list(effects))
    ]


def outcome(command: ShipParcel, state: Any = "SHIPPED", detail: str = "") -> ShipmentOutcome:
    return ShipmentOutcome(
        parcel_id=command.parcel_id, version=command.version, state=state, peer_id="p", detail=detail
    )


def opened(effects: Sequence[Effect]) -> dict[str, str]:
    return {one.type: one.detail for one in of(ExceptionState, list(effects)) if one.state == "OPEN"}


def test_each_parcel_is_told_once_and_the_last_one_makes_the_order_whole() -> None:
    row, effects = play(order(line("M1", 2), line("C1", 1, "2")), answer("ALLOCATED"), left(10, parcel("a", MUG=2)))
    assert told(effects) == [("a", True, {"1": 2}, False)]
    row, effects = play(
        left(20, parcel("a", MUG=2), parcel("b", CARD=1), complete=True), left(20, parcel("b", CARD=1)), row=row
    )
    assert told(effects) == [("b", True, {"2": 1}, True)]
    row, effects = play(left(30, parcel("a", MUG=2), parcel("b", CARD=1), complete=True), row=row)
    assert told(effects) == [] and opened(effects) == {}


def test_a_parcel_has_carrier_link_and_a_key_of_the_storefronts_alphabet() -> None:
    _, effects = play(order(line("M1", 1)), left(1, parcel("p:1/x", "RM 1", "RM", MUG=1)))
    assert of(ShipParcel, effects) == [] and "RM 1 (RM)" in opened(effects)["invalid_tracking"]
    _, effects = play(order(line("M1", 1)), left(1, parcel("p:1/x", "RM1", "RM", MUG=1)))
    (command,) = of(ShipParcel, effects)
    assert (command.carrier, command.link, command.key) == (
        "Royal Mail",
        "https://track.example/RM1?x=1",
        "clarus-p-1-x",
    )


def test_a_corrected_tracking_number_sends_the_parcel_and_resolves_the_exception() -> None:
    row, _ = play(order(line("M1", 1)), left(1, parcel("a", "nonsense", "RM", MUG=1), complete=True))
    row, effects = play(left(2, parcel("a", "RM7", "RM", MUG=1), complete=True), row=row)
    assert told(effects) == [("a", True, {"1": 1}, True)]
    assert [(e.type, e.state) for e in of(ExceptionState, effects)] == [("invalid_tracking", "RESOLVED")]
    assert row.exceptions == {}


def test_half_a_case_waits_for_the_parcel_that_completes_it_and_bundles_for_their_components() -> None:
    row, effects = play(order(line("M12", 1), line("M1", 5, "2")), left(1, parcel("a", MUG=5)))
    assert told(effects) == [("a", True, {"2": 5}, False)]
    _, effects = play(left(2, parcel("a", MUG=5), parcel("b", MUG=12)), row=row)
    assert told(effects) == [("b", True, {"1": 1}, True)]
    row, effects = play(order(line("B1", 1)), left(1, parcel("a", MUG=2)))
    assert told(effects) == []
    _, effects = play(left(2, parcel("a", MUG=2), complete=True), row=row)
    assert "completes nothing that was ordered: 2 of MUG" in opened(effects)["despatch_gap"]
    _, effects = play(left(3, parcel("a", MUG=2), parcel("b", CARD=1)), row=row)
    assert told(effects) == [("b", True, {"1": 1}, True)]
    assert of(ShipParcel, effects)[0].also == ["Ta"]


def test_what_the_warehouse_takes_back_is_taken_back_at_the_storefront_and_may_go_again() -> None:
    row, effects = play(order(line("M1", 2)), answer("COMPLETED"), left(1, parcel("a", MUG=2), complete=True))
    (first,) = of(ShipParcel, effects)
    row, _ = play(outcome(first), row=row)
    assert row.state == "COMPLETED"
    row, effects = play(answer("PICK"), left(2), row=row)
    (back,) = of(ShipParcel, effects)
    assert (back.wanted, back.key, row.state) == (False, first.key, "PICKING")
    row, effects = play(
        outcome(back, "REMOVED"),
        answer("COMPLETED"),
        left(3, parcel("b", MUG=1), parcel("c", MUG=1), complete=True),
        row=row,
    )
    assert told(effects) == [("b", True, {"1": 1}, True), ("c", True, {"1": 1}, True)]
    assert row.state == "DESPATCHED" and list(row.parcels) == ["b", "c"]


def test_a_short_pick_is_said_and_an_over_pick_is_told_only_up_to_what_was_ordered() -> None:
    row, effects = play(order(line("M1", 3)), answer("COMPLETED"), left(1, parcel("a", MUG=2), complete=True))
    assert told(effects) == [("a", True, {"1": 2}, False)] and "1 of M1" in opened(effects)["short_stock"]
    assert row.reason == "2 of 3 units despatched"
    _, effects = play(order(line("M1", 3)), left(1, parcel("a", MUG=5), complete=True))
    assert told(effects) == [("a", True, {"1": 3}, True)] and "2 of MUG" in opened(effects)["despatch_gap"]


def test_a_refusal_is_an_exception_until_the_parcel_is_taken_back() -> None:
    row, effects = play(order(line("M1", 1)), left(1, parcel("a", MUG=1), complete=True))
    (command,) = of(ShipParcel, effects)
    row, effects = play(outcome(command, "REFUSED", "400: no such line"), row=row)
    assert "400: no such line" in opened(effects)["despatch_gap"]
    row, effects = play(left(2), row=row)
    assert [(e.type, e.state) for e in of(ExceptionState, effects)] == [("despatch_gap", "RESOLVED")]


def test_an_answer_to_an_older_command_says_nothing() -> None:
    row, effects = play(order(line("M1", 1)), left(1, parcel("a", MUG=1)))
    (first,) = of(ShipParcel, effects)
    row, effects = play(left(2), outcome(first), row=row)
    assert row.parcels["a"].state == ""


def test_a_despatch_before_its_order_waits_and_is_joined() -> None:
    row, effects = play(left(1, parcel("a", MUG=2), complete=True))
    assert effects == []
    unmatched = shipping.unmatched(row, 9000)
    assert "early_fulfilment" in opened(unmatched)
    row, effects = play(order(line("M1", 2)), row=row)
    states = [one for one in [*unmatched, *effects] if isinstance(one, ExceptionState)]
    assert [one.state for one in states] == ["OPEN", "RESOLVED"] and len({one.exception_id for one in states}) == 1
    assert told(effects) == [("a", True, {"1": 2}, True)] and row.early is None and row.exceptions == {}


def test_a_storefront_that_cancelled_the_order_is_told_nothing_of_its_parcels() -> None:
    row, _ = play(order(line("M1", 2)), answer("PICK"), order(line("M1", 2), version=2, state="CANCELLED"))
    _, effects = play(answer("CANCEL_REFUSED"), left(1, parcel("a", MUG=2), complete=True), row=row)
    assert told(effects) == []


PARCELS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=6)


@given(st.lists(PARCELS, min_size=1, max_size=5))
def test_units_and_eaches_are_conserved_whatever_comes_goes_and_comes_again(reads: list[list[tuple[int, int]]]) -> None:
    """Parcel n of a read has its own contents: a parcel of the same name with other contents is another despatch."""
    row, _ = play(order(line("M12", 1), line("M1", 4, "2"), line("B1", 2, "3"), line("C1", 1, "4")))
    assert row.snapshot is not None
    needs = despatch.needs_of(row.snapshot, read(row.snapshot, CATALOGUE), CATALOGUE)
    each = {need.line_id: need for need in needs}
    for at, left_then in enumerate(reads, 1):
        parcels = [parcel(str(n), MUG=mugs, CARD=cards) for n, (mugs, cards) in enumerate(left_then) if mugs or cards]
        row, _ = play(left(at, *parcels), row=row)
        shipped = despatch.shipped_units(row)
        for line_id, units in shipped.items():
            assert 0 <= units <= each[line_id].units
        for code in ("MUG", "CARD"):
            sent = sum(one.lines.get(code, 0) for one in parcels)
            stands_for = sum(units * each[line_id].eaches.get(code, 0) for line_id, units in shipped.items())
            assert stands_for + row.spare.get(code, 0) == sent
        wanted = {name for name, one in row.parcels.items() if one.wanted}
        assert wanted == {one.parcel_id for one in parcels}


def test_an_edit_that_makes_a_sent_order_incomplete_tells_its_last_parcel_again() -> None:
    row, effects = play(order(line("M1", 2)), left(10, parcel("a", MUG=2)))
    (first,) = of(ShipParcel, effects)
    assert first.whole
    row, effects = play(order(line("M1", 2), line("C1", 1, "2"), version=2), row=row)
    (again,) = of(ShipParcel, effects)
    assert (again.parcel_id, again.whole, again.lines) == ("a", False, first.lines) and again.version > first.version
    row, effects = play(order(line("M1", 2), line("C1", 1, "2"), version=3), row=row)
    assert not of(ShipParcel, effects)
    row, effects = play(order(line("M1", 2), version=4), row=row)
    assert [one.whole for one in of(ShipParcel, effects)] == [True]


def test_a_despatch_of_a_line_that_was_edited_away_can_be_taken_back() -> None:
    row, _ = play(order(line("M1", 2)), left(10, parcel("a", MUG=2)), order(line("C1", 1, "2"), version=2))
    row, _ = play(left(20), left(30, parcel("b", CARD=1)), row=row)
    assert row.spare == {} and row.parcels["b"].units == {"2": 1}


def test_what_the_warehouse_allocates_in_part_is_short_stock_until_it_is_allocated_or_gone() -> None:
    row, effects = play(order(line("M1", 3)), answer("PENDING"), answer("PART_ALLOCATED"))
    assert "could not allocate all of goods out shop:7" in opened(effects)["short_stock"]
    assert play(answer("PART_ALLOCATED"), row=deepcopy(row))[1] == []
    assert "short_stock" not in play(answer("ALLOCATED"), row=deepcopy(row))[0].exceptions
    assert "short_stock" not in play(answer("CANCELLED"), row=deepcopy(row))[0].exceptions
    closed, effects = play(answer("COMPLETED"), left(9, parcel("a", MUG=2), complete=True), row=row)
    assert "closed the order without 1 of M1" in closed.exceptions["short_stock"].detail
