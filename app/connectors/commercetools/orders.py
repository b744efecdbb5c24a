"""From a commercetools order to our snapshot (fact sheet 5.2, 5.3). Pure; what the platform leaves to the project comes from the settings."""

from collections.abc import Mapping
from typing import Any

from app.connectors.commercetools import payments
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.commercetools.statuses import ORDER_STATES, PAYMENT_STATES
from app.connectors.times import from_iso
from schemas.records import Address, OrderLine, OrderSnapshot, ReturnLine, StorefrontReturn
from tables.orders.lifecycle import Meaning

Doc = Mapping[str, Any]

_LOWERS_STOCK = frozenset({"TrackOnly", "ReserveOnOrder", "ReserveOnCart"})
UNGUARDED_MODES = {
    "None": "orders in inventory mode None do not lower its quantity",
    "TrackOnly": "orders in inventory mode TrackOnly are not refused at 0",
    "ReserveOnCart": "reservations of carts (inventory mode ReserveOnCart) outlive a decrease",
}
"""Modes by which a storefront may sell beyond what it shows; ReserveOnOrder refuses."""
_RETURN_OPEN = frozenset({"Advised", "Returned"})
_NUMBER_FIRST = frozenset({"AU", "CA", "FR", "GB", "IE", "LU", "NZ", "US"})


def supply_channels(order: Doc) -> set[str]:
    """Ids of the supply channels its lines draw from."""
    return {line["supplyChannel"]["id"] for line in order.get("lineItems", []) if line.get("supplyChannel")}


def snapshot(channel: str, settings: CommercetoolsSettings, order: Doc, locations: Mapping[str, str]) -> OrderSnapshot:
    """The order as it is at its version. `locations` maps supply channel ids to keys. ValueError where something that every order has is missing."""
    try:
        return _snapshot(channel, settings, order, locations)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"order {order.get('id', '')}: not as documented: {type(error).__name__} {error}") from error


def _snapshot(channel: str, settings: CommercetoolsSettings, order: Doc, locations: Mapping[str, str]) -> OrderSnapshot:
    created, modified = from_iso(order["createdAt"]), from_iso(order["lastModifiedAt"])
    meaning = ORDER_STATES.get(order["orderState"])
    payment: str = order.get("paymentState", "")
    cancelled = meaning is Meaning.CANCELLED
    custom = (order.get("custom") or {}).get("fields", {})
    imported = "completedAt" in order or bool(settings.imported_field and custom.get(settings.imported_field))
    lowers = settings.imported_lower_stock or not imported
    paid = payment in settings.paid_states or order["orderState"] in settings.release_states
    lines = [_line(line, order.get("inventoryMode", "None"), lowers, created, locations) for line in order["lineItems"]]
    if cancelled and settings.restocks_on_cancel:
        for line in lines:
            line.restocked_at = modified if line.tracked else None
    lines += [
        OrderLine(
            line_id=line["id"],
            sku="",
            quantity=line["quantity"],
            name=_text(line.get("name")),
            tracked=False,
            taken_from=created,
            taken_to=created,
            shippable=False,
        )
        for line in order.get("customLineItems", [])
    ]
    money = payments.read(order)
    for line in lines:
        line.price = money.prices.get(line.line_id, 0)
    shipping: Doc = next(iter(order.get("shipping", [])), {})
    info = order.get("shippingInfo") or shipping.get("shippingInfo") or {}
    address = order.get("shippingAddress") or shipping.get("shippingAddress")
    return OrderSnapshot(
        channel=channel,
        order_id=order["id"],
        number=order.get("orderNumber") or order["id"],
        version=order["version"],
        state="CANCELLED" if cancelled else "OPEN",
        status=order["orderState"],
        paid=paid,
        excluded="complete at the storefront already" if meaning is Meaning.SENT else None,
        hold="" if paid or PAYMENT_STATES.get(payment) is not Meaning.HOLD else "its payment failed",
        unmapped=meaning is None or bool(payment and payment not in PAYMENT_STATES),
        created_at=created,
        modified_at=modified,
        lines=lines,
        shipping_method=info.get("shippingMethodName", ""),
        address=_address(address) if address else None,
        note=str(custom.get(settings.note_field) or ""),
        gift=str(custom.get(settings.gift_field) or ""),
        currency=money.currency,
        digits=money.digits,
        total=money.total,
        shipping_price=money.shipping,
        captured=money.captured,
        refunded=money.refunded,
        payments=money.payments,
        foreign=money.foreign,
        returns=[returned(info) for info in order.get("returnInfo") or [] if info.get("items")],
    )


def returned(info: Doc) -> StorefrontReturn:
    """One entry of `returnInfo` (fact sheet 5.6). It has no id: its first item names it, by key where it has one, as ids change when returns are set anew."""
    items = info["items"]
    return StorefrontReturn(
        return_id=item_name(items[0]),
        at=from_iso(info.get("returnDate") or items[0]["createdAt"]),
        tracking=str(info.get("returnTrackingId") or ""),
        lines=[
            ReturnLine(
                line_id=item.get("lineItemId") or item["customLineItemId"],
                units=item["quantity"],
                item_id=item_name(item),
            )
            for item in items
        ],
        open=any(
            item["shipmentState"] in _RETURN_OPEN and item["paymentState"] in payments.RETURN_UNDECIDED
            for item in items
        ),
    )


def item_name(item: Doc) -> str:
    """How a return item is known: its key, else its id."""
    return str(item.get("key") or item["id"])


def mode_of(line: Doc, whole: str) -> str:
    """The inventory mode of a line: its own, or else the order's (fact sheet 3.6)."""
    return str(line.get("inventoryMode", whole))


def _line(line: Doc, mode: str, lowers: bool, created: int, locations: Mapping[str, str]) -> OrderLine:
    """Stock falls when the order is placed (fact sheet 3.7): the take's time is the order's creation, exactly. Gift lines ship like all others."""
    effective = mode_of(line, mode)
    supplier = (line.get("supplyChannel") or {}).get("id", "")
    return OrderLine(
        line_id=line["id"],
        sku=line["variant"].get("sku") or "",
        location=locations.get(supplier, supplier),
        quantity=line["quantity"],
        name=_text(line.get("name")),
        tracked=lowers and effective in _LOWERS_STOCK,
        taken_from=created,
        taken_to=created,
        unguarded=UNGUARDED_MODES.get(effective, "") if lowers else "",
    )


def _text(localized: Any) -> str:
    if not isinstance(localized, Mapping) or not localized:
        return ""
    return str(localized.get("en") or next(iter(localized.values())))


def _address(given: Doc) -> Address:
    street, number = given.get("streetName", ""), given.get("streetNumber", "")
    parts = (number, street) if given.get("country") in _NUMBER_FIRST else (street, number)
    second = (given.get(name, "") for name in ("additionalStreetInfo", "building", "apartment", "pOBox"))
    return Address(
        name=_join(given.get("firstName", ""), given.get("lastName", "")),
        company=given.get("company", ""),
        line1=_join(*parts),
        line2=", ".join(filter(None, second)),
        city=given.get("city", ""),
        region=given.get("region") or given.get("state", ""),
        postcode=given.get("postalCode", ""),
        country=given.get("country", ""),
        phone=given.get("phone") or given.get("mobile", ""),
        email=given.get("email", ""),
    )


def _join(*parts: str) -> str:
    return " ".join(filter(None, parts))
