"""Orders as BigCommerce shows them, as snapshots."""

from typing import Any

import pytest

from app.connectors.bigcommerce.mapping import Parts, date_ms, inline_parts, is_restocked, product_ids, snapshot
from app.connectors.bigcommerce.settings import BigCommerceSettings
from schemas.records import OrderSnapshot
from tables.deliveries.notes import MARK

CREATED, MODIFIED = 1_772_442_900_000, 1_772_442_904_000


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1042,
        "status_id": 11,
        "status": "Awaiting Fulfillment",
        "date_created": "Mon, 02 Mar 2026 09:15:00 +0000",
        "date_modified": "Mon, 02 Mar 2026 09:15:04 +0000",
        "items_total": 3,
        "items_shipped": 0,
        "customer_message": "Leave with neighbour",
        **changes,
    }


def line(**changes: Any) -> dict[str, Any]:
    return {
        "id": 5001,
        "product_id": 77,
        "order_address_id": 900,
        "name": "Tee",
        "sku": "00123-S",
        "type": "physical",
        "quantity": 3,
        "wrapping_message": "",
        **changes,
    }


ADDRESS = {
    "id": 900,
    "first_name": "Ann",
    "last_name": "Other",
    "street_1": "1 High St",
    "zip": "LS1 1AA",
    "country": "United Kingdom",
    "country_iso2": "GB",
    "shipping_method": "Flat Rate",
}


def snap(
    given: dict[str, Any] | None = None,
    *lines: dict[str, Any],
    restocks: bool = False,
    addresses: list[dict[str, Any]] | None = None,
    pickup: str = "",
    **settings: Any,
) -> OrderSnapshot:
    parts = Parts(lines or [line()], [ADDRESS] if addresses is None else addresses, pickup)
    given_settings = BigCommerceSettings(system="bigcommerce", **settings)
    return snapshot("bc", given or order(), parts, given_settings, tracked={77}, restocks=restocks)


def test_times_are_milliseconds_and_the_take_lies_between_creation_and_the_last_change() -> None:
    seen = snap()
    assert (seen.created_at, seen.modified_at, seen.version) == (CREATED, MODIFIED, MODIFIED)
    assert (seen.lines[0].taken_from, seen.lines[0].taken_to) == (CREATED, MODIFIED)


def test_dates_in_another_zone_are_the_same_moment() -> None:
    assert date_ms("Mon, 02 Mar 2026 04:15:00 -0500") == CREATED
    with pytest.raises(ValueError, match="date"):
        date_ms(None)


@pytest.mark.parametrize(
    ("status", "shipped", "state"),
    [
        (1, 0, "OPEN"),
        (7, 0, "OPEN"),
        (11, 0, "OPEN"),
        (2, 3, "OPEN"),
        (14, 0, "OPEN"),
        (4, 0, "CANCELLED"),
        (4, 1, "OPEN"),
        (5, 0, "CANCELLED"),
        (5, 3, "CANCELLED"),
        (6, 0, "CANCELLED"),
    ],
)
def test_the_state_follows_the_status(status: int, shipped: int, state: str) -> None:
    assert snap(order(status_id=status, items_shipped=shipped)).state == state


def test_an_archived_order_is_cancelled_unless_it_has_shipped() -> None:
    assert snap(order(is_deleted=True)).state == "CANCELLED"
    assert snap(order(is_deleted=True, status_id=10)).state == "OPEN"


def test_paid_is_what_the_settings_call_so() -> None:
    assert [n for n in range(15) if snap(order(status_id=n)).paid] == [2, 3, 8, 9, 10, 11, 14]


@pytest.mark.parametrize("status", [2, 10])
def test_what_has_shipped_already_is_not_to_be_released(status: int) -> None:
    assert snap(order(status_id=status)).excluded == "shipped at the storefront already"
    assert snap().excluded is None


def test_an_order_to_several_addresses_is_a_fault_of_its_address() -> None:
    seen = snap(None, line(), line(id=5002, order_address_id=901))
    assert seen.excluded is None and "2 addresses" in seen.faults["invalid_address"]


def test_an_agreed_status_or_payment_method_is_told_from_a_payment() -> None:
    assert snap(order(status_id=7), agreed_statuses=[7]).agreed and not snap(order(status_id=7)).agreed
    given = order(status_id=7, payment_method="Purchase Order")
    seen = snap(given, agreed_payment_methods=["Purchase Order"])
    assert seen.agreed and not seen.paid


def test_what_the_warehouse_may_be_told_comes_along() -> None:
    form = [{"name": "PO Number", "value": "PO 9"}, {"name": "Dock", "value": ["4", "5"]}]
    options = [
        {"display_name": "Engraving", "display_value": "Ann", "type": "Text field"},
        {"display_name": "Size", "display_value": "S", "type": "Multiple choice"},
    ]
    seen = snap(
        order(
            customer_id=77, staff_notes="VIP", billing_address={"form_fields": form, "phone": "+44 1", "email": "a@b.c"}
        ),
        line(product_options=options, wrapping_name="Gift wrap", event_date="Thu, 24 Dec 2026 00:00:00 +0000"),
        purchase_order_fact="form.PO Number",
        event_dates=True,
    )
    assert (seen.customer, seen.purchase_order, seen.fields["form.Dock"]) == ("77", "PO 9", "4, 5")
    assert seen.fields["staff_notes"] == "VIP"
    assert snap(order(staff_notes=f"VIP\n{MARK}refused")).fields["staff_notes"] == "VIP"
    assert seen.lines[0].note == "Engraving: Ann\nWrap: Gift wrap"
    assert seen.requested_at == date_ms("Thu, 24 Dec 2026 00:00:00 +0000")
    assert seen.address is not None
    assert (seen.address.phone, seen.address.email) == ("+44 1", "a@b.c")
    assert snap(order(customer_id=0)).customer == ""


def test_an_order_that_is_collected_needs_no_address() -> None:
    seen = snap(None, line(order_address_id=0, order_pickup_method_id=3), addresses=[], pickup="Click and collect")
    assert (seen.collected, seen.address, seen.shipping_method) == (True, None, "Click and collect")
    assert not snap().collected


def test_odd_quantities_are_faults_and_lines_that_were_taken_out_are_not() -> None:
    seen = snap(None, line(quantity=1.5), line(id=2, quantity=-1), line(id=3, quantity=0))
    assert [(one.line_id, one.quantity) for one in seen.lines] == [("5001", 2), ("2", 0)]
    assert "line 5001: quantity 1.5" in seen.faults["unit_mismatch"]
    assert "line 2: quantity -1" in seen.faults["unit_mismatch"]


def test_only_lines_with_stock_count_as_taken() -> None:
    seen = snap(None, line(), line(id=2, product_id=78), line(id=3, product_id=0), line(id=4, quantity=0))
    assert [(x.line_id, x.tracked) for x in seen.lines] == [("5001", True), ("2", False), ("3", False)]
    assert [bool(x.unguarded) for x in seen.lines] == [False, True, True]


def test_digital_goods_and_gift_certificates_do_not_leave_a_warehouse() -> None:
    seen = snap(None, line(), line(id=2, type="digital"), line(id=3, type="giftcertificate"))
    assert [x.shippable for x in seen.lines] == [True, False, False]


@pytest.mark.parametrize(("status", "restocks", "at"), [(5, True, MODIFIED), (5, False, None), (11, True, None)])
def test_restocked_where_the_status_and_the_store_say_so(status: int, restocks: bool, at: int | None) -> None:
    seen = snap(order(status_id=status), line(), line(id=2, product_id=0), restocks=restocks)
    assert [x.restocked_at for x in seen.lines] == [at, None]
    assert is_restocked(order(status_id=status)) is (status == 5)


def test_words_for_the_warehouse_come_along() -> None:
    seen = snap(None, line(wrapping_message="With love"), line(id=2, wrapping_message="With love"), line(id=3))
    assert (seen.note, seen.gift, seen.shipping_method) == ("Leave with neighbour", "With love", "Flat Rate")
    assert seen.address is not None
    assert (seen.address.name, seen.address.line1, seen.address.country) == ("Ann Other", "1 High St", "GB")
    assert snap(addresses=[]).address is None


def consigned(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    shipping = {**ADDRESS, "line_items": list(lines)}
    empty = {"pickups": [], "downloads": [], "email": {"gift_certificates": []}}
    return order(consignments={"shipping": [shipping], **empty}, **changes)


def test_lines_inside_the_order_are_taken_where_they_are_complete() -> None:
    parts = inline_parts(consigned(line()))
    assert parts is not None
    assert [x["id"] for x in parts.lines] == [5001]
    assert product_ids(parts) == {77}


@pytest.mark.parametrize(
    "given",
    [
        order(),
        order(consignments={"url": "https://x.example", "resource": "/orders/1/consignments"}),
        consigned({"url": "https://x.example", "resource": "/orders/1/products/2"}),
        consigned(line(), items_total=5),
    ],
    ids=["none", "link", "line links", "incomplete"],
)
def test_lines_inside_the_order_are_not_trusted_where_something_is_missing(given: dict[str, Any]) -> None:
    assert inline_parts(given) is None


@pytest.mark.parametrize(
    ("status", "hold", "unmapped"), [(11, "", False), (12, "verified", False), (13, "disputed", False), (15, "", True)]
)
def test_a_store_may_hold_an_order_and_a_new_status_is_seen(status: int, hold: str, unmapped: bool) -> None:
    found = snap(order(status_id=status))
    assert (bool(hold), unmapped) == (bool(found.hold), found.unmapped)
    assert hold in found.hold


# ---- money ----------------------------------------------------------------------------------------------------------------------------------

MONEY = {
    "currency_code": "GBP",
    "total_inc_tax": "26.9900",
    "shipping_cost_inc_tax": "4.9900",
    "payment_status": "captured",
}


def priced(number: int, total: str, quantity: int = 1) -> dict[str, Any]:
    return line(id=number, quantity=quantity, total_inc_tax=total)


def refund(number: int, amount: float, reason: str = "", declined: bool = False, **lines: int) -> dict[str, Any]:
    items = [
        {"item_type": "PRODUCT", "item_id": int(name[1:]), "quantity": n, "reason": reason} for name, n in lines.items()
    ]
    items = items or [{"item_type": "ORDER", "item_id": 1042, "reason": reason}]
    payments = [{"id": 1, "amount": amount, "is_declined": declined}]
    return {"id": number, "order_id": 1042, "total_amount": amount, "items": items, "payments": payments}


def test_a_line_costs_what_the_customer_paid_for_it_after_the_orders_discount() -> None:
    found = snap(order(**MONEY), priced(1, "20.0000", 2), priced(2, "5.0000"))
    assert (found.currency, found.total, found.shipping_price, found.captured) == ("GBP", 2699, 499, 2699)
    assert [one.price for one in found.lines] == [1760, 440]


@pytest.mark.parametrize("status", ["authorized", "Pending", "void", "declined"])
def test_a_payment_that_is_only_authorised_is_not_captured(status: str) -> None:
    assert snap(order(**MONEY | {"payment_status": status}), priced(1, "20.0000")).captured == 0


def test_refunds_are_summed_and_ours_is_known_by_the_mark_in_its_reason() -> None:
    found = snapshot(
        "bc",
        order(**MONEY),
        Parts([priced(1, "20.0000", 2)], []),
        BigCommerceSettings(system="bigcommerce"),
        tracked=(),
        restocks=False,
        refunds=[
            refund(7, 8.8, "clarus-stream clarus-return-x-1: wrong size", _1=1),
            refund(8, 1.5, "sorry"),
            refund(9, 2.0, declined=True),
        ],
    )
    assert found.refunded == 1030
    assert [(one.key, one.amount, one.state, one.lines) for one in found.payments] == [
        ("clarus-return-x-1", 880, "DONE", {"1": 1}),
        ("", 150, "DONE", {}),
        ("", 200, "FAILED", {}),
    ]


def test_an_order_without_amounts_tells_none() -> None:
    found = snap(order(), line())
    assert (found.currency, found.captured, found.refunded) == ("", None, None)
