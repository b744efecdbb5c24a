"""Whatever stands at any place of an order: it is read, written, folded, and what is released of it is within Clarus' limits."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.connectors.bigcommerce import mapping as bigcommerce
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.clarus.orders import _address, _line
from app.connectors.commercetools.orders import snapshot as commercetools
from app.connectors.commercetools.orders import supply_channels
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.reading import readable
from app.simulators.clarus import rules as clarus
from schemas.codec import Codecs
from schemas.records import Event, OrderSnapshot, ReleaseOrder
from tables.catalogue import Catalogue, Listing, Product
from tables.orders import fold
from tables.orders.effects import new_row
from tables.orders.rules import Instruction, ReleaseRules, Rules

CODECS = Codecs()
CATALOGUE = Catalogue([Product("MUG", listings=(Listing("shop", "MUG", "MUG"),))], [], ["MAIN"])
INSTRUCTIONS = (Instruction("giftWrap", "packing_notes"), Instruction("form.Dock", "string1"))
RULES = Rules(CATALOGUE, {}, release={"shop": ReleaseRules(customer="C-{customer}", instructions=INSTRUCTIONS)})
CT = CommercetoolsSettings(
    system="commercetools", line_note_fields=["engraving"], requested_date_field="day", agreed_fields={"terms": ["x"]}
)
BC = BigCommerceSettings(system="bigcommerce", event_dates=True, agreed_payment_methods=["Invoice"])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud83d", "\x00", "🎉" * 99]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

CT_ORDER: dict[str, Any] = {
    "id": "o1",
    "version": 4,
    "createdAt": "2026-01-15T10:30:00.250Z",
    "lastModifiedAt": "2026-01-15T11:00:00.000Z",
    "orderNumber": "1001",
    "orderState": "Open",
    "paymentState": "Paid",
    "inventoryMode": "ReserveOnOrder",
    "customerId": "c-1",
    "customerEmail": "a@example.com",
    "purchaseOrderNumber": "PO 9",
    "totalPrice": {"currencyCode": "EUR"},
    "lineItems": [
        {
            "id": "l1",
            "name": {"en": "Mug"},
            "variant": {"id": 1, "sku": "MUG"},
            "quantity": 2,
            "totalPrice": {"currencyCode": "EUR"},
            "supplyChannel": {"typeId": "channel", "id": "c1"},
            "custom": {"fields": {"engraving": "Ann"}},
        }
    ],
    "customLineItems": [{"id": "fee", "name": {"en": "Fee"}, "quantity": 1}],
    "shipping": [],
    "shippingInfo": {"shippingMethodName": "Express", "price": {"currencyCode": "EUR"}},
    "shippingAddress": {
        "firstName": "Ann",
        "lastName": "Lee",
        "streetName": "High St",
        "streetNumber": "1",
        "city": "Leeds",
        "postalCode": "LS1 1AA",
        "country": "GB",
    },
    "billingAddress": {"country": "GB", "phone": "+44 1"},
    "custom": {"fields": {"deliveryNote": "n", "giftMessage": "g", "giftWrap": True, "day": "2026-12-24"}},
    "store": {"typeId": "store", "key": "uk"},
}
BC_ORDER: dict[str, Any] = {
    "id": 1042,
    "status_id": 11,
    "status": "Awaiting Fulfillment",
    "date_created": "Mon, 02 Mar 2026 09:15:00 +0000",
    "date_modified": "Mon, 02 Mar 2026 09:15:04 +0000",
    "items_total": 3,
    "items_shipped": 0,
    "customer_id": 7,
    "customer_message": "n",
    "payment_method": "Card",
    "billing_address": {"phone": "+44 1", "form_fields": [{"name": "Dock", "value": "4"}]},
    "consignments": {
        "shipping": [
            {
                "id": 900,
                "first_name": "Ann",
                "last_name": "Lee",
                "street_1": "1 High St",
                "city": "Leeds",
                "zip": "LS1 1AA",
                "country_iso2": "GB",
                "shipping_method": "Flat Rate",
                "line_items": [
                    {
                        "id": 5001,
                        "product_id": 77,
                        "order_address_id": 900,
                        "name": "Mug",
                        "sku": "MUG",
                        "type": "physical",
                        "quantity": 3,
                        "wrapping_message": "g",
                        "wrapping_name": "Wrap",
                        "event_date": "Thu, 24 Dec 2026 00:00:00 +0000",
                        "product_options": [{"display_name": "E", "display_value": "Ann", "type": "Text field"}],
                    }
                ],
            }
        ],
        "pickups": [],
        "downloads": [],
        "email": {"gift_certificates": []},
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The document with another value at that place."""
    result = copy.deepcopy(document)
    inner: Any = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def from_commercetools(order: dict[str, Any]) -> OrderSnapshot | None:
    try:
        supply_channels(order)
        return commercetools("shop", CT, order, {"c1": ""})
    except ValueError:
        return None  # it cannot even be named: id and time


def from_bigcommerce(order: dict[str, Any]) -> OrderSnapshot | None:
    try:
        modified = bigcommerce.date_ms(order["date_modified"])
    except ValueError:
        return None
    try:
        parts = bigcommerce.inline_parts(order)
    except (AttributeError, KeyError, TypeError):
        parts = None
    given = parts or bigcommerce.Parts([], [])
    bigcommerce.product_ids(given)
    return readable(
        "shop",
        order["id"],
        order["id"],
        modified,
        lambda: bigcommerce.snapshot("shop", order, given, BC, tracked={77}, restocks=True),
    )


@pytest.mark.parametrize(("document", "read"), [(CT_ORDER, from_commercetools), (BC_ORDER, from_bigcommerce)])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_stands_at_any_place_of_an_order_it_ends_in_a_form_that_clarus_takes(
    document: dict[str, Any], read: Any, data: st.DataObject
) -> None:
    order = document
    for path in data.draw(st.lists(st.sampled_from(places(document)), max_size=2)):
        try:
            order = changed(order, path, data.draw(JSON))
        except (KeyError, IndexError, TypeError):
            continue  # the first change took the place away
    seen = read(order)
    if seen is None:
        return
    body = CODECS["orders.events"]
    event = body.decode(body.encode(Event(event_id="1", occurred_at=0, received_at=0, source="t", body=seen)))
    effects = fold.snapshot(new_row("shop", seen.order_id), event.body, RULES, 5000)
    for release in effects:
        if isinstance(release, ReleaseOrder):
            clarus.check({"reference": release.reference, **release.texts}, clarus.ORDER)
            for line in release.lines:
                clarus.check(_line(line, 1), clarus.LINE)
            assert release.address is not None
            clarus.check(_address(release.address), clarus.ADDRESS)
            assert all(line.eaches > 0 for line in release.lines)


def test_the_documents_are_released_as_they_stand() -> None:
    for document, read in ((CT_ORDER, from_commercetools), (BC_ORDER, from_bigcommerce)):
        seen = read(document)
        assert seen is not None and not seen.faults
        effects = fold.snapshot(new_row("shop", seen.order_id), seen, RULES, 5000)
        assert any(isinstance(one, ReleaseOrder) for one in effects)
