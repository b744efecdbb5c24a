"""Orders folded: what the ledger, the warehouse and subscribers are told, and what happens when events repeat, overtake each other or are taken back."""

import dataclasses
from typing import Any

import msgspec
import pytest

from schemas.records import (
    Address,
    CancelOrder,
    DemandLine,
    ExceptionState,
    OrderLine,
    OrderSnapshot,
    ReleaseOrder,
    WarehouseOrder,
)
from tables.catalogue import Catalogue, Listing, PolicyRule, Product
from tables.orders import answers, fold
from tables.orders.effects import Effect, new_row
from tables.orders.exceptions import judge
from tables.orders.references import LIMIT, reference_of
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Rules

CATALOGUE = Catalogue(
    [
        Product(
            "MUG",
            {"each": 1, "case": 12},
            {},
            (Listing("shop", "M1", "MUG"), Listing("shop", "M12", "MUG", "case", 12)),
        ),
        Product("CARD", listings=(Listing("shop", "C1", "CARD"),)),
        Product("BOX", bundle={"MUG": 2, "CARD": 1}, listings=(Listing("shop", "B1", "BOX"),)),
    ],
    [PolicyRule("*", "CARD", {"warehouses": ("NORTH",)})],
    ["MAIN", "NORTH"],
)
RULES = Rules(CATALOGUE, {"express": CarrierService("DPD", "NEXT")})
ADDRESS = Address(name="Ann Lee", line1="1 High St", city="Leeds", postcode="LS1 1AA", country="GB")


def line(sku: str, quantity: int, line_id: str = "1", **fields: Any) -> OrderLine:
    return OrderLine(
        line_id=line_id, sku=sku, quantity=quantity, tracked=True, taken_from=1000, taken_to=1000, **fields
    )


def order(*lines: OrderLine, version: int = 1, **fields: Any) -> OrderSnapshot:
    given: dict[str, Any] = {"state": "OPEN", "paid": True, "status": "", "address": ADDRESS, **fields}
    return OrderSnapshot(
        channel="shop",
        order_id="7",
        number="A7",
        version=version,
        created_at=1000,
        modified_at=1000 + version,
        lines=list(lines),
        **given,
    )


def play(*events: OrderSnapshot | WarehouseOrder, row: OrderRow | None = None) -> tuple[OrderRow, list[Effect]]:
    row = row or new_row("shop", "7")
    effects: list[Effect] = []
    for event in events:
        event = msgspec.convert(msgspec.to_builtins(event), type(event))
        if isinstance(event, OrderSnapshot):
            effects += fold.snapshot(row, event, RULES, 5000)
        else:
            effects += answers.warehouse(row, event, RULES, 5000)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=OrderRow)
    return row, effects


def of(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def answer(status: str, detail: str = "", **ordered: int) -> WarehouseOrder:
    return WarehouseOrder(reference="shop:7", status=status, wms_id="1", detail=detail, ordered=ordered)  # type: ignore[arg-type]


def counted(row: OrderRow) -> dict[str, int]:
    """Eaches that the ledger was told last, by line."""
    return {line_id: demand.eaches for line_id, demand in row.demands.items() if demand.state != "CLOSED"}


def test_a_paid_order_is_demand_in_eaches_and_one_release_line_per_product() -> None:
    row, effects = play(order(line("M1", 2), line("M12", 1, "2"), shipping_method="express"))
    demands = {d.line_id: (d.sku, d.eaches, d.units, d.listing) for d in of(DemandLine, effects)}
    assert demands == {"1": ("MUG", 2, 2, "shop//M1"), "2": ("MUG", 12, 1, "shop//M12")}
    (release,) = of(ReleaseOrder, effects)
    assert [(x.sku, x.eaches) for x in release.lines] == [("MUG", 14)]
    assert (release.carrier, release.service, release.reference, release.order_key) == (
        "DPD",
        "NEXT",
        "shop:7",
        "shop:7",
    )
    assert row.state == "RELEASING"


def test_an_unpaid_order_counts_against_stock_and_is_released_once_when_it_is_paid() -> None:
    row, effects = play(order(line("M1", 2), paid=False))
    assert [d.eaches for d in of(DemandLine, effects)] == [2] and not of(ReleaseOrder, effects) and row.state == "HELD"
    row, effects = play(
        order(line("M1", 2), version=2), order(line("M1", 2), version=2), order(line("M1", 2), version=3), row=row
    )
    assert len(of(ReleaseOrder, effects)) == 1


def test_an_order_of_the_program_before_this_one_is_never_released_however_it_changes() -> None:
    rules = dataclasses.replace(RULES, orders_from={"shop": 1001})
    row = new_row("shop", "7")
    for version in (1, 2):
        effects = fold.snapshot(row, order(line("M1", version), version=version), rules, 5000)
        assert not of(ReleaseOrder, effects) and not of(ExceptionState, effects)
        assert [demand.state for demand in of(DemandLine, effects)] == ["CLOSED"]
    assert (row.state, row.reason) == ("IGNORED", "placed before orders_from: left to the program before this one")
    row = new_row("shop", "7")
    assert of(
        ReleaseOrder,
        fold.snapshot(row, order(line("M1", 1)), dataclasses.replace(rules, orders_from={"shop": 1000}), 5000),
    )


def test_a_bundle_is_demand_of_its_components_and_a_line_of_nothing_under_its_own_code() -> None:
    _, effects = play(order(line("B1", 3)))
    demands = {(d.sku, d.line_id): (d.eaches, d.units, d.listing) for d in of(DemandLine, effects)}
    assert demands == {
        ("MUG", "1/MUG"): (6, 3, "shop//B1"),
        ("CARD", "1/CARD"): (3, 3, "shop//B1"),
        ("BOX", "1"): (0, 3, "shop//B1"),
    }
    assert {(x.sku, x.eaches) for x in of(ReleaseOrder, effects)[0].lines} == {("MUG", 6), ("CARD", 3)}


@pytest.mark.parametrize(
    ("tracked", "unguarded", "at"),
    [(True, "", "shop//B1"), (True, "mode TrackOnly", "shop//B1"), (False, "mode None", "shop//B1"), (False, "", "")],
    ids=["refuses at 0", "does not refuse", "does not lower", "imported: says nothing"],
)
def test_how_its_storefront_sold_it_goes_with_the_line_to_its_listing(tracked: bool, unguarded: str, at: str) -> None:
    given = line("B1", 3, unguarded=unguarded)
    given.tracked = tracked
    _, effects = play(order(given))
    told = {(d.sku, d.ordered_at, d.unguarded, d.listing is not None) for d in of(DemandLine, effects)}
    assert told == {(sku, at, unguarded, tracked) for sku in ("MUG", "CARD", "BOX")}


def test_lines_with_one_common_warehouse_bind_the_order_to_it() -> None:
    _, effects = play(order(line("M1", 1), line("C1", 1, "2")))
    assert of(ReleaseOrder, effects)[0].warehouse == "NORTH"
    assert {tuple(d.warehouses) for d in of(DemandLine, effects)} == {("NORTH",)}
    _, effects = play(order(line("M1", 1)))
    assert of(ReleaseOrder, effects)[0].warehouse is None


def test_what_is_said_of_its_money_holds_no_order() -> None:
    row = new_row("shop", "7")
    judge(row, "refund_mismatch", "a return that came before the order", 1)
    assert of(ReleaseOrder, fold.snapshot(row, order(line("M1", 2)), RULES, 5)) and row.state == "RELEASING"


def test_an_unknown_sku_is_held_with_an_exception_that_goes_away_when_it_is_mapped() -> None:
    row, effects = play(order(line("GHOST", 1), line("M1", 1, "2")))
    (opened,) = of(ExceptionState, effects)
    assert (opened.type, opened.owner, opened.state, opened.entity) == ("unmapped_sku", "ecommerce", "OPEN", "shop:A7")
    assert "GHOST" in opened.detail and not of(ReleaseOrder, effects)
    assert [d.sku for d in of(DemandLine, effects)] == ["MUG"], "the mapped line counts meanwhile"
    _, effects = play(order(line("M1", 1, "2"), version=2), row=row)
    assert [e.state for e in of(ExceptionState, effects)] == ["RESOLVED"] and of(ReleaseOrder, effects)


def test_an_unknown_shipping_method_holds_the_order() -> None:
    _, effects = play(order(line("M1", 1), shipping_method="drone"))
    assert [e.type for e in of(ExceptionState, effects)] == ["unmapped_shipping_method"] and not of(
        ReleaseOrder, effects
    )


def test_a_cancel_before_the_release_closes_the_demand_at_once_and_keeps_what_the_storefront_took() -> None:
    _, effects = play(order(line("M1", 2), paid=False), order(line("M1", 2), version=2, state="CANCELLED"))
    last = of(DemandLine, effects)[-1]
    assert (last.state, last.units) == ("CLOSED", 2) and not of(CancelOrder, effects)


def test_a_cancel_after_the_release_counts_until_the_warehouse_confirms() -> None:
    row, effects = play(order(line("M1", 2)), answer("PENDING"), order(line("M1", 2), version=2, state="CANCELLED"))
    assert of(DemandLine, effects)[-1].state == "CANCELLING" and len(of(CancelOrder, effects)) == 1
    row, effects = play(answer("DELETED"), row=row)
    assert of(DemandLine, effects)[-1].state == "CLOSED" and row.state == "CANCELLED"


def test_a_refused_cancel_counts_on_and_calls_a_person() -> None:
    row, effects = play(
        order(line("M1", 2)),
        order(line("M1", 2), version=2, state="CANCELLED"),
        answer("CANCEL_REFUSED", "already dispatched"),
    )
    assert of(DemandLine, effects)[-1].state == "OPEN" and row.state == "MANUAL_STOP"
    assert of(ExceptionState, effects)[-1].type == "late_change"


def test_an_order_first_seen_cancelled_still_tells_what_the_storefront_took() -> None:
    row, effects = play(order(line("M1", 2), state="CANCELLED", version=4))
    assert [(d.state, d.units) for d in of(DemandLine, effects)] == [("CANCELLING", 2)]
    _, effects = play(answer("DELETED"), row=row)
    assert [(d.state, d.units) for d in of(DemandLine, effects)] == [("CLOSED", 2)] and row.state == "CANCELLED"


def test_an_order_first_seen_cancelled_is_cancelled_at_the_warehouse_too() -> None:
    """A row that was lost may have released it: the warehouse would ship what is for sale again."""
    row, effects = play(order(line("M1", 2), state="CANCELLED", version=4))
    assert [c.reference for c in of(CancelOrder, effects)] == [row.reference]
    row, effects = play(answer("CANCEL_REFUSED", "already dispatched"), row=row)
    assert of(DemandLine, effects)[-1].state == "OPEN" and row.state == "MANUAL_STOP"


def test_an_order_first_seen_cancelled_that_never_was_at_the_warehouse_is_released_when_it_is_opened_again() -> None:
    nothing_there = WarehouseOrder(reference="shop:7", status="DELETED")
    row, _ = play(order(line("M1", 2), state="CANCELLED", version=4), nothing_there)
    row, effects = play(order(line("M1", 2), version=5), row=row)
    assert of(ReleaseOrder, effects) and of(DemandLine, effects)[-1].state == "OPEN"
    row, effects = play(order(line("M1", 2), version=6, state="CANCELLED"), row=row)
    assert of(CancelOrder, effects)


def test_what_was_never_to_be_released_is_not_asked_for_at_the_warehouse() -> None:
    for seen in (order(line("M1", 2), state="CANCELLED", excluded="test order"), order(state="CANCELLED")):
        row, effects = play(seen)
        assert not of(CancelOrder, effects) and row.state == "CANCELLED"


def test_an_order_that_is_excluded_from_release_counts_only_what_the_storefront_took() -> None:
    row, effects = play(order(line("M1", 2), excluded="test order"))
    assert [(d.state, d.units) for d in of(DemandLine, effects)] == [("CLOSED", 2)] and row.state == "IGNORED"


def test_an_edit_before_the_release_replaces_and_after_it_never_lowers_the_demand() -> None:
    row, effects = play(order(line("M1", 3), paid=False), order(line("M1", 1), version=2, paid=False))
    assert [(d.eaches, d.units) for d in of(DemandLine, effects)] == [(3, 3), (1, 1)]
    row, effects = play(order(line("M1", 1), version=3), order(version=4), row=row)
    assert (of(DemandLine, effects)[-1].eaches, of(DemandLine, effects)[-1].units) == (1, 0)
    assert [e.type for e in of(ExceptionState, effects)] == ["late_change"]


def test_an_edit_lowers_the_demand_when_the_warehouse_has_amended_its_order() -> None:
    row, _ = play(order(line("M1", 2)), answer("ALLOCATED", MUG=2), order(line("M1", 1), version=2))
    assert counted(row) == {"1": 2}
    row, effects = play(answer("ALLOCATED", MUG=1), row=row)
    (told,) = of(DemandLine, effects)
    assert (told.eaches, told.units, told.state) == (1, 1, "OPEN") and counted(row) == {"1": 1}
    row, effects = play(answer("ALLOCATED", MUG=1), answer("ALLOCATED"), order(line("M1", 1), version=3), row=row)
    assert not of(DemandLine, effects), "nothing is told twice, nor does an answer without quantities change them"


def test_an_edit_that_is_taken_back_counts_as_before_once_the_warehouse_cannot_have_it_any_more() -> None:
    row, effects = play(order(line("M1", 1)), order(line("M1", 3), version=2), order(line("M1", 1), version=3))
    assert [(d.eaches, d.units) for d in of(DemandLine, effects)] == [(1, 1), (3, 3), (3, 1)]
    assert row.asked is not None
    told = msgspec.structs.replace(answer("PENDING", MUG=1), holds=row.asked.version)
    assert [(d.eaches, d.units) for d in of(DemandLine, play(told, row=row)[1])] == [(1, 1)]


def test_what_the_warehouse_adds_to_its_order_counts_before_the_storefront_says_so() -> None:
    row, effects = play(order(line("M1", 1)), answer("PENDING", MUG=3))
    assert [(d.eaches, d.units) for d in of(DemandLine, effects)] == [(1, 1), (3, 1)]
    row, effects = play(order(line("M1", 3), version=2), row=row)
    assert [(d.eaches, d.units) for d in of(DemandLine, effects)] == [(3, 3)]


def test_lines_of_one_product_count_together_as_one_line_at_the_warehouse() -> None:
    row, _ = play(order(line("M1", 3), line("M12", 1, "2"), line("C1", 1, "3")), answer("ALLOCATED", MUG=15, CARD=1))
    row, _ = play(order(line("M1", 1), line("C1", 1, "3"), version=2), row=row)
    assert counted(row) == {"1": 3, "2": 12, "3": 1}
    row, _ = play(answer("ALLOCATED", MUG=4, CARD=1), row=row)
    assert sum(counted(row).values()) == 4 + 1 and counted(row)["3"] == 1
    row, _ = play(answer("ALLOCATED", MUG=1, CARD=1), row=row)
    assert counted(row) == {"1": 1, "3": 1}


def test_a_refused_cancel_of_an_amended_order_counts_for_what_the_warehouse_ships() -> None:
    row, _ = play(order(line("M1", 2)), order(line("M1", 1), version=2, state="CANCELLED"))
    assert counted(row) == {"1": 2}
    row, effects = play(answer("CANCEL_REFUSED", "picked", MUG=3), row=row)
    assert [(d.state, d.eaches) for d in of(DemandLine, effects)] == [("OPEN", 3)]
    row, effects = play(answer("PICK", MUG=1), row=row)
    assert [(d.state, d.eaches) for d in of(DemandLine, effects)] == [("OPEN", 1)]


def test_an_order_of_which_only_the_warehouse_told_is_released_so_that_it_is_followed() -> None:
    """Its rows were lost, those of delivery too perhaps: the look-up by reference before any create rules out a second goods out."""
    row, effects = play(answer("PENDING", MUG=2), order(line("M1", 1)))
    assert len(of(ReleaseOrder, effects)) == 1 and counted(row) == {"1": 2}
    row, effects = play(order(line("M1", 1), version=2), answer("PENDING", MUG=2), row=row)
    assert not of(ReleaseOrder, effects) and counted(row) == {"1": 2}


def test_a_cancel_at_equal_version_wins_over_open() -> None:
    row, _ = play(order(line("M1", 1), state="CANCELLED"), order(line("M1", 1)), answer("DELETED"))
    assert row.state == "CANCELLED"


def test_storefront_times_stay_as_they_were_first_seen() -> None:
    later = order(line("M1", 1), version=2)
    later.lines[0].taken_to = 9000
    _, effects = play(order(line("M1", 1), paid=False), later)
    assert {(d.taken_from, d.taken_to) for d in of(DemandLine, effects)} == {(1000, 1000)}


def test_references_are_unique_and_short_enough() -> None:
    long = reference_of("a-very-long-channel-name", "5f0c2c1e-9f3a-4d7e-8a53-0f6d1f6f2b7c")
    assert len(long) <= LIMIT and long != reference_of(
        "a-very-long-channel-name", "5f0c2c1e-9f3a-4d7e-8a53-0f6d1f6f2b7d"
    )
    assert reference_of("shop", "7") == "shop:7"


@pytest.mark.parametrize("status", ["PENDING", "ALLOCATED", "PART_ALLOCATED", "PICK", "COMPLETED"])
def test_every_status_of_a_goods_out_is_shown_to_subscribers(status: str) -> None:
    row, effects = play(order(line("M1", 1)), answer(status))
    assert effects[-1].state == row.state  # type: ignore[union-attr]


def test_an_order_its_storefront_holds_waits_and_goes_on_by_itself() -> None:
    row, effects = play(order(line("M1", 1), hold="its payment is disputed"))
    (opened,) = of(ExceptionState, effects)
    assert (row.state, opened.type, opened.owner) == ("HELD", "payment_hold", "customer service")
    assert not of(ReleaseOrder, effects)
    row, effects = play(order(line("M1", 1), version=2), row=row)
    assert len(of(ReleaseOrder, effects)) == 1
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]


def test_a_status_without_a_meaning_holds_the_order_and_is_named() -> None:
    row, effects = play(order(line("M1", 1), status="Limbo", unmapped=True))
    (opened,) = of(ExceptionState, effects)
    assert (row.state, opened.type, opened.owner) == ("HELD", "unmapped_status", "ecommerce")
    assert "Limbo" in opened.detail


def test_a_status_of_the_warehouse_without_a_meaning_changes_nothing_until_a_known_one_comes() -> None:
    row, effects = play(order(line("M1", 1)), answer("PENDING"), answer("UNMAPPED", "QC"))
    opened = of(ExceptionState, effects)[-1]
    assert (row.state, opened.type) == ("RELEASED", "unmapped_status")
    assert "'QC'" in opened.detail and "`status` of channel clarus" in opened.detail
    row, effects = play(answer("PICK"), row=row)
    assert row.state == "PICKING"
    assert [one.state for one in of(ExceptionState, effects)] == ["RESOLVED"]
