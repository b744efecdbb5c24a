"""An operator acknowledges, resolves and retries an order's exception; a retry sends what is true now, once."""

from dataclasses import replace

from schemas.records import (
    Address,
    ExceptionCommand,
    ExceptionState,
    OrderLine,
    OrderSnapshot,
    ReleaseOrder,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
    WarehouseOrder,
    WarehouseParcel,
)
from tables.catalogue import Catalogue, Listing, Product
from tables.handling import KEPT
from tables.orders import answers, attention, fold, shipping
from tables.orders.effects import Effect, new_row
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Rules

CATALOGUE = Catalogue([Product("MUG", listings=(Listing("shop", "M1", "MUG"),))], [], ["MAIN"])
ADDRESS = Address(name="Ann Lee", line1="1 High St", city="Leeds", postcode="LS1 1AA", country="GB")
RULES = Rules(CATALOGUE, {"standard": CarrierService("DPD", "2D")})
MAPPED = replace(RULES, shipping={**RULES.shipping, "express": CarrierService("DPD", "NEXT")})


def order(state: str = "OPEN", version: int = 1) -> OrderSnapshot:
    line = OrderLine(line_id="1", sku="M1", quantity=2, tracked=True, taken_from=5, taken_to=5)
    return OrderSnapshot(
        channel="shop", order_id="u-7", number="A7", version=version, state=state, status="", paid=True, created_at=5,  # type: ignore[arg-type]
        modified_at=5, lines=[line], shipping_method="express", address=ADDRESS,
    )  # fmt: skip


def command(action: str, kind: str = "unmapped_shipping_method") -> ExceptionCommand:
    return ExceptionCommand(channel="", exception_id=f"{kind}:shop:A7", action=action, actor="kim", reason="looked")


def held() -> OrderRow:
    row = new_row("shop", "u-7")
    [told] = states(fold.snapshot(row, order(), RULES, 100))
    assert (told.exception_id, told.holder) == ("unmapped_shipping_method:shop:A7", "order/shop:u-7")
    return row


def states(effects: list[Effect]) -> list[ExceptionState]:
    return [one for one in effects if isinstance(one, ExceptionState)]


def releases(effects: list[Effect]) -> list[ReleaseOrder]:
    return [one for one in effects if isinstance(one, ReleaseOrder)]


def test_acknowledging_says_who_and_why_and_the_order_stays_held() -> None:
    row = held()
    [told] = states(attention.command(row, command("acknowledge"), RULES, 200))
    assert (told.state, told.actor, told.reason, told.changed_at) == ("ACKNOWLEDGED", "kim", "looked", 200)
    assert [(step.at, step.action, step.actor) for step in told.history] == [
        (100, "opened", ""),
        (200, "acknowledge", "kim"),
    ]
    assert row.state == "HELD" and list(row.exceptions) == ["unmapped_shipping_method"]


def test_a_retry_releases_once_when_the_mapping_exists() -> None:
    row = held()
    assert releases(attention.command(row, command("retry"), RULES, 200)) == []
    effects = attention.command(row, command("retry"), MAPPED, 300)
    [told], [released] = states(effects), releases(effects)
    assert (told.state, [step.action for step in told.history]) == (
        "RESOLVED",
        ["opened", "retry", "retry", "resolved"],
    )
    assert (released.carrier, released.service) == ("DPD", "NEXT")
    assert attention.command(row, command("retry"), MAPPED, 400) == []


def test_a_refused_order_is_released_again_with_a_newer_version() -> None:
    row = new_row("shop", "u-7")
    [first] = releases(fold.snapshot(row, order(), MAPPED, 100))
    refused = WarehouseOrder(reference=row.reference, status="REFUSED", detail="no such carrier")
    answers.warehouse(row, refused, MAPPED, 150)
    effects = attention.command(row, command("retry", "delivery_failed"), MAPPED, 200)
    [second] = releases(effects)
    assert second.version > first.version and second.reference == first.reference
    assert [one.state for one in states(effects)] == ["RESOLVED"] and row.state == "RELEASING"
    assert attention.command(row, command("retry", "delivery_failed"), MAPPED, 250) == []


def test_an_order_cancelled_meanwhile_is_not_released() -> None:
    row = held()
    fold.snapshot(row, order("CANCELLED", 2), RULES, 150)
    assert attention.command(row, command("retry"), MAPPED, 200) == []


def test_what_is_resolved_by_hand_is_over_and_the_order_is_not_released_for_it() -> None:
    row = held()
    [told] = attention.command(row, command("resolve"), RULES, 200)
    assert isinstance(told, ExceptionState) and told.state == "RESOLVED" and told.actor == "kim"
    assert row.exceptions == {} and row.state == "HELD"
    assert attention.command(row, command("acknowledge"), RULES, 300) == []


def test_the_history_is_bounded_and_keeps_how_it_began() -> None:
    row = held()
    for number in range(3 * KEPT):
        [told] = states(attention.command(row, command("retry"), RULES, 200 + number))
    assert len(told.history) == KEPT and told.history[0].action == "opened"
    assert told.history[-1].at == 200 + 3 * KEPT - 1


def test_a_refused_parcel_is_told_again_and_a_shipped_one_is_not() -> None:
    row = new_row("shop", "u-7")
    fold.snapshot(row, order(), MAPPED, 100)
    parcels = [
        WarehouseParcel(parcel_id=name, tracking=f"T{name}", carrier="DPD", service="", lines={"MUG": 1})
        for name in ("a", "b")
    ]
    seen = WarehouseDespatch(reference=row.reference, wms_id="1", read_at=1, complete=True, parcels=parcels)
    first = [one for one in shipping.despatched(row, seen, MAPPED, 150) if isinstance(one, ShipParcel)]
    for parcel, state in zip(first, ("SHIPPED", "REFUSED"), strict=True):
        said = ShipmentOutcome(parcel_id=parcel.parcel_id, version=parcel.version, state=state, detail="no such line")
        shipping.shipment(row, said, MAPPED, 160)
    assert list(row.exceptions) == ["despatch_gap"]
    effects = attention.command(row, command("retry", "despatch_gap"), MAPPED, 200)
    [again] = [one for one in effects if isinstance(one, ShipParcel)]
    assert again.parcel_id == "b" and again.version > first[1].version
    assert attention.command(row, command("retry", "despatch_gap"), MAPPED, 300) == []
