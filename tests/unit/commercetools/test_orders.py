"""From commercetools orders to snapshots."""

from typing import Any

import pytest

from app.connectors.commercetools.orders import snapshot, supply_channels
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.times import from_iso
from schemas.records import Address

CREATED, MODIFIED = "2026-01-15T10:30:00.250Z", "2026-01-15T11:00:00.000Z"


def settings(**changed: Any) -> CommercetoolsSettings:
    return CommercetoolsSettings(system="commercetools", project_key="shop", **changed)


def line(sku: str | None = "A", quantity: int = 2, **changed: Any) -> dict[str, Any]:
    variant = {"id": 1} | ({} if sku is None else {"sku": sku})
    return {"id": f"line-{sku}", "name": {"de": "Becher"}, "variant": variant, "quantity": quantity} | changed


def order(**changed: Any) -> dict[str, Any]:
    return {
        "id": "o1",
        "version": 4,
        "createdAt": CREATED,
        "lastModifiedAt": MODIFIED,
        "orderNumber": "1001",
        "orderState": "Open",
        "inventoryMode": "ReserveOnOrder",
        "lineItems": [line()],
        "customLineItems": [],
        "shipping": [],
    } | changed


def test_the_whole_order() -> None:
    found = snapshot("ct", settings(), order(paymentState="Paid", shippingInfo={"shippingMethodName": "Express"}), {})
    assert (found.channel, found.order_id, found.number, found.version) == ("ct", "o1", "1001", 4)
    assert (found.state, found.status, found.paid, found.shipping_method) == ("OPEN", "Open", True, "Express")
    assert (found.created_at, found.modified_at) == (from_iso(CREATED), from_iso(MODIFIED))
    (only,) = found.lines
    assert (only.line_id, only.sku, only.quantity, only.name, only.tracked) == ("line-A", "A", 2, "Becher", True)
    assert only.taken_from == only.taken_to == found.created_at


def test_without_an_order_number_the_id_stands_for_it() -> None:
    given = order()
    del given["orderNumber"]
    assert snapshot("ct", settings(), given, {}).number == "o1"


@pytest.mark.parametrize(
    ("whole", "single", "tracked"),
    [
        ("ReserveOnOrder", None, True),
        ("TrackOnly", None, True),
        ("ReserveOnCart", None, True),
        ("None", None, False),
        (None, None, False),
        ("ReserveOnOrder", "None", False),
        ("None", "TrackOnly", True),
    ],
)
def test_a_line_lowered_the_stock_by_its_own_mode_or_else_the_orders(
    whole: str | None, single: str | None, tracked: bool
) -> None:
    given = order(lineItems=[line(**({} if single is None else {"inventoryMode": single}))])
    given.pop("inventoryMode")
    given |= {} if whole is None else {"inventoryMode": whole}
    assert snapshot("ct", settings(), given, {}).lines[0].tracked is tracked


@pytest.mark.parametrize(
    ("mode", "word"),
    [("ReserveOnOrder", ""), ("TrackOnly", "not refused at 0"), ("None", "do not lower"), ("ReserveOnCart", "outlive")],
)
def test_a_mode_by_which_more_than_is_shown_may_be_sold_has_its_reason(mode: str, word: str) -> None:
    (found,) = snapshot("ct", settings(), order(lineItems=[line(inventoryMode=mode)]), {}).lines
    assert bool(found.unguarded) is bool(word) and word in found.unguarded


def test_an_imported_order_says_nothing_of_how_the_storefront_sells() -> None:
    given = order(lineItems=[line(inventoryMode="None")], completedAt=CREATED)
    assert snapshot("ct", settings(), given, {}).lines[0].unguarded == ""


@pytest.mark.parametrize(
    ("changed", "fields", "tracked"),
    [
        ({}, {"completedAt": CREATED}, False),
        ({"imported_lower_stock": True}, {"completedAt": CREATED}, True),
        ({"imported_field": "legacy"}, {"custom": {"fields": {"legacy": "x"}}}, False),
        ({"imported_field": "legacy"}, {"custom": {"fields": {"other": "x"}}}, True),
    ],
)
def test_imported_orders_lower_the_stock_only_where_the_settings_say_so(
    changed: dict[str, Any], fields: dict[str, Any], tracked: bool
) -> None:
    assert snapshot("ct", settings(**changed), order(**fields), {}).lines[0].tracked is tracked


def test_a_cancelled_order_put_stock_back_only_where_the_settings_say_so() -> None:
    given = order(orderState="Cancelled", lineItems=[line(), line("B", inventoryMode="None")])
    assert [x.restocked_at for x in snapshot("ct", settings(), given, {}).lines] == [None, None]
    restocking = snapshot("ct", settings(restocks_on_cancel=True), given, {})
    assert restocking.state == "CANCELLED"
    assert [x.restocked_at for x in restocking.lines] == [from_iso(MODIFIED), None]


@pytest.mark.parametrize(
    ("changed", "fields", "paid", "agreed"),
    [
        ({}, {}, False, False),
        ({}, {"paymentState": "Pending"}, False, False),
        ({"paid_states": ["Paid", "Pending"]}, {"paymentState": "Pending"}, True, False),
        ({"release_states": ["Confirmed"]}, {"orderState": "Confirmed"}, False, True),
        ({"agreed_fields": {"terms": ["invoice"]}}, {"custom": {"fields": {"terms": {"key": "invoice"}}}}, False, True),
        ({"agreed_fields": {"terms": ["invoice"]}}, {"custom": {"fields": {"terms": "card"}}}, False, False),
        ({"agreed_fields": {"businessUnit": ["acme"]}}, {"businessUnit": {"key": "acme"}}, False, True),
    ],
)
def test_when_it_counts_as_paid_or_agreed_is_a_setting(
    changed: dict[str, Any], fields: dict[str, Any], paid: bool, agreed: bool
) -> None:
    found = snapshot("ct", settings(**changed), order(**fields), {})
    assert (found.paid, found.agreed) == (paid, agreed)


def test_lines_know_their_location_and_an_unknown_channel_stays_visible() -> None:
    lines = [line(supplyChannel={"typeId": "channel", "id": "c1"}), line("B", supplyChannel={"id": "c2"}), line("C")]
    given = order(lineItems=lines)
    assert supply_channels(given) == {"c1", "c2"}
    assert [x.location for x in snapshot("ct", settings(), given, {"c1": "WH"}).lines] == ["WH", "c2", ""]


def test_gift_lines_ship_and_custom_lines_do_not() -> None:
    fee = {"id": "fee", "name": {"en": "Gift wrap"}, "quantity": 1}
    given = order(lineItems=[line(lineItemMode="GiftLineItem"), line(None)], customLineItems=[fee])
    gift, nameless, wrap = snapshot("ct", settings(), given, {}).lines
    assert (gift.shippable, nameless.shippable, nameless.sku) == (True, True, "")
    assert (wrap.shippable, wrap.sku, wrap.tracked, wrap.name) == (False, "", False, "Gift wrap")


def test_several_shippings_give_the_first_ones_method_and_address() -> None:
    first = {"shippingInfo": {"shippingMethodName": "Van"}, "shippingAddress": {"country": "NL", "city": "Delft"}}
    found = snapshot("ct", settings(), order(shippingMode="Multiple", shipping=[first]), {})
    assert found.shipping_method == "Van"
    assert found.address == Address(city="Delft", country="NL")


def test_the_address_is_written_as_its_country_does() -> None:
    given = {
        "firstName": "Ann",
        "lastName": "Lee",
        "company": "Lee Ltd",
        "streetName": "High Street",
        "streetNumber": "1",
        "additionalStreetInfo": "Rear",
        "apartment": "2b",
        "postalCode": "LS1",
        "city": "Leeds",
        "state": "Yorks",
        "country": "GB",
        "mobile": "123",
        "email": "a@b.c",
    }
    british = snapshot("ct", settings(), order(shippingAddress=given), {}).address
    assert british == Address(
        name="Ann Lee",
        company="Lee Ltd",
        line1="1 High Street",
        line2="Rear, 2b",
        city="Leeds",
        region="Yorks",
        postcode="LS1",
        country="GB",
        phone="123",
        email="a@b.c",
    )
    german = snapshot("ct", settings(), order(shippingAddress={**given, "country": "DE"}), {}).address
    assert german is not None
    assert german.line1 == "High Street 1"


def test_note_and_gift_come_from_the_custom_fields_of_the_settings() -> None:
    custom = {"type": {}, "fields": {"dn": "side door", "giftMessage": "Hi"}}
    found = snapshot("ct", settings(note_field="dn"), order(custom=custom), {})
    assert (found.note, found.gift) == ("side door", "Hi")


@pytest.mark.parametrize("name", ["createdAt", "version", "lineItems", "orderState"])
def test_an_order_without_what_every_order_has_says_so_by_name(name: str) -> None:
    given = order()
    del given[name]
    found = snapshot("ct", settings(), given, {})
    assert (found.order_id, found.number, found.lines) == ("o1", "1001", [])
    assert name in found.faults["poison_record"]


@pytest.mark.parametrize("name", ["id", "lastModifiedAt"])
def test_an_order_that_cannot_even_be_named_is_refused(name: str) -> None:
    given = order()
    del given[name]
    with pytest.raises(ValueError, match=name):
        snapshot("ct", settings(), given, {})


def test_what_the_warehouse_may_be_told_comes_along() -> None:
    given = order(
        customerId="c-1",
        customerEmail="ann@example.com",
        purchaseOrderNumber="PO 9",
        custom={"fields": {"day": "2026-12-24", "giftWrap": True, "customerNo": 77, "note": {"de": "bitte"}}},
        shippingCustomFields={"fields": {"dock": "4"}},
        store={"typeId": "store", "key": "uk"},
        billingAddress={"country": "GB", "phone": "+44 1"},
        shippingAddress={"country": "GB", "department": "Goods in"},
        lineItems=[line(custom={"fields": {"engraving": "Ann", "colour": "red"}})],
    )
    given_settings = settings(
        customer_field="customerNo", requested_date_field="day", line_note_fields=["engraving", "date"]
    )
    found = snapshot("ct", given_settings, given, {})
    assert (found.customer, found.purchase_order) == ("77", "PO 9")
    assert found.requested_at == from_iso("2026-12-24T12:00:00Z")
    assert found.fields["giftWrap"] == "true" and found.fields["shipping.dock"] == "4" and found.fields["store"] == "uk"
    assert found.address is not None
    assert (found.address.phone, found.address.email, found.address.extra) == ("+44 1", "ann@example.com", "Goods in")
    assert found.lines[0].note == "engraving: Ann"
    assert snapshot("ct", settings(), given, {}).customer == "c-1"


def test_a_hold_field_holds_until_it_is_false_or_gone() -> None:
    for value, held in ((True, True), ("limit", True), (False, False), (None, False)):
        given = order(custom={"fields": {"creditHold": value}})
        assert bool(snapshot("ct", settings(hold_field="creditHold"), given, {}).hold) is held


def test_an_order_to_several_addresses_is_a_fault_of_its_address() -> None:
    shipping = [{"shippingAddress": {"country": "NL", "city": city}} for city in ("Delft", "Leiden", "Delft")]
    found = snapshot("ct", settings(), order(shippingMode="Multiple", shipping=shipping), {})
    assert "2 addresses" in found.faults["invalid_address"]


@pytest.mark.parametrize(
    ("fields", "excluded", "hold", "unmapped"),
    [
        ({}, False, False, False),
        ({"orderState": "Complete"}, True, False, False),
        ({"paymentState": "Failed"}, False, True, False),
        ({"paymentState": "Paid"}, False, False, False),
        ({"orderState": "Parked"}, False, False, True),
        ({"paymentState": "Promised"}, False, False, True),
    ],
)
def test_what_the_states_say_beside_open_and_cancelled(
    fields: dict[str, Any], excluded: bool, hold: bool, unmapped: bool
) -> None:
    found = snapshot("ct", settings(), order(**fields), {})
    assert (found.excluded is not None, bool(found.hold), found.unmapped) == (excluded, hold, unmapped)


# ---- money and returns ----------------------------------------------------------------------------------------------------------------------


def eur(cents: int) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2}


def taxed(gross: int) -> dict[str, Any]:
    return {"totalNet": eur(round(gross / 1.2)), "totalGross": eur(gross), "taxPortions": []}


def transaction(kind: str, cents: int, state: str = "Success", **more: Any) -> dict[str, Any]:
    return {"id": f"{kind}-{cents}", "type": kind, "amount": eur(cents), "state": state} | more


def paid(*transactions: dict[str, Any], **changed: Any) -> dict[str, Any]:
    payment = {"typeId": "payment", "id": "p1", "obj": {"id": "p1", "version": 1, "transactions": list(transactions)}}
    lines = [line("A", 3, totalPrice=eur(2500), taxedPrice=taxed(3000)), line("B", 1, totalPrice=eur(1000))]
    return order(
        lineItems=lines,
        totalPrice=eur(3700),
        taxedPrice=taxed(4100),
        shippingInfo={"shippingMethodName": "van", "price": eur(400), "taxedPrice": taxed(500)},
        paymentInfo={"payments": [payment]},
        **changed,
    )


def test_a_line_costs_what_the_customer_paid_for_it_with_tax_and_its_share_of_the_orders_discount() -> None:
    found = snapshot("ct", settings(), paid(), {})
    assert (found.currency, found.digits, found.total, found.shipping_price) == ("EUR", 2, 4100, 500)
    assert [one.price for one in found.lines] == [2700, 900]


def test_captures_and_refunds_are_summed_by_what_became_of_them() -> None:
    found = snapshot(
        "ct",
        settings(),
        paid(
            transaction("Authorization", 4100),
            transaction("Charge", 4100),
            transaction("Charge", 999, "Failure"),
            transaction("Refund", 500, interactionId="clarus-return-x-1"),
            transaction("Refund", 300, "Initial"),
            transaction("Refund", 200, "Failure"),
            transaction("Chargeback", 100),
        ),
        {},
    )
    assert (found.captured, found.refunded) == (4100, 900)
    assert [(one.kind, one.state, one.key) for one in found.payments][2:4] == [
        ("REFUND", "DONE", "clarus-return-x-1"),
        ("REFUND", "PENDING", ""),
    ]


def test_payments_that_were_not_shown_are_not_known() -> None:
    given = paid()
    del given["paymentInfo"]["payments"][0]["obj"]
    found = snapshot("ct", settings(), given, {})
    assert (found.captured, found.refunded, found.payments) == (None, None, [])
    assert snapshot("ct", settings(), order(), {}).currency == ""


def test_a_return_is_named_by_its_first_item_and_open_until_it_is_settled() -> None:
    def item(id: str, shipment: str, payment: str, **more: Any) -> dict[str, Any]:
        states = {"shipmentState": shipment, "paymentState": payment}
        return {"id": id, "lineItemId": "line-A", "quantity": 1, "createdAt": CREATED, **states, **more}

    infos = [
        {"items": [item("1", "Advised", "NonRefundable")], "returnTrackingId": "T", "returnDate": CREATED},
        {"items": [item("2", "BackInStock", "Refunded", key="k")]},
    ]
    first, second = snapshot("ct", settings(), order(returnInfo=infos), {}).returns
    assert (first.return_id, first.open, first.tracking, first.at) == ("1", True, "T", from_iso(CREATED))
    assert [(one.line_id, one.units, one.item_id) for one in first.lines] == [("line-A", 1, "1")]
    assert (second.return_id, second.open) == ("k", False)
