"""From a commercetools order to our snapshot (fact sheet 5.2, 5.3). Pure; what the platform leaves to the project comes from the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.connectors.commercetools import payments
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.commercetools.statuses import ORDER_STATES, PAYMENT_STATES
from app.connectors.reading import Faults, facts, one_currency, readable, several_addresses, text, whole, word
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
    lines = order.get("lineItems")
    suppliers = (
        [line.get("supplyChannel") for line in lines if isinstance(line, Mapping)] if isinstance(lines, list) else []
    )
    return {str(one["id"]) for one in suppliers if isinstance(one, Mapping) and one.get("id")}


def snapshot(channel: str, settings: CommercetoolsSettings, order: Doc, locations: Mapping[str, str]) -> OrderSnapshot:
    """The order as it is at its version. `locations` maps supply channel ids to keys.

    An order that lacks what every order has gives a snapshot that says so; ValueError only where it cannot even be named.
    """
    try:
        order_id, modified = str(order["id"]), from_iso(order["lastModifiedAt"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"order {order.get('id', '')}: not as documented: {type(error).__name__} {error}") from error
    number = order.get("orderNumber") or order_id
    return readable(channel, order_id, number, modified, lambda: _snapshot(channel, settings, order, locations))


def _snapshot(channel: str, settings: CommercetoolsSettings, order: Doc, locations: Mapping[str, str]) -> OrderSnapshot:
    created, modified = from_iso(order["createdAt"]), from_iso(order["lastModifiedAt"])
    meaning = ORDER_STATES.get(order["orderState"])
    payment: str = order.get("paymentState") or ""
    cancelled = meaning is Meaning.CANCELLED
    custom: Doc = (order.get("custom") or {}).get("fields") or {}
    imported = "completedAt" in order or bool(settings.imported_field and custom.get(settings.imported_field))
    frame = _Frame(
        order.get("inventoryMode") or "None",
        settings.imported_lower_stock or not imported,
        created,
        locations,
        settings.line_note_fields,
        Faults(channel),
    )
    lines = [_line(line, frame) for line in order["lineItems"]]
    if cancelled and settings.restocks_on_cancel:
        for line in lines:
            line.restocked_at = modified if line.tracked else None
    lines += [_custom_line(line, frame) for line in order.get("customLineItems") or []]
    money = payments.read(order)
    for line in lines:
        line.price = money.prices.get(line.line_id, 0)
    shippings: list[Doc] = order.get("shipping") or []
    shipping: Doc = next(iter(shippings), {})
    info: Doc = order.get("shippingInfo") or shipping.get("shippingInfo") or {}
    address = order.get("shippingAddress") or shipping.get("shippingAddress")
    places = [one["shippingAddress"] for one in shippings if one.get("shippingAddress")]
    known = facts(
        ("", {name: value for name, value in custom.items() if name != settings.late_change_field}),
        ("shipping.", _custom(order.get("shippingCustomFields") or shipping.get("shippingCustomFields"))),
        ("", {name: (order.get(name) or {}).get("key") for name in ("store", "businessUnit")}),
        ("", {name: order.get(name) for name in ("customerEmail", "locale")}),
    )
    paid = payment in settings.paid_states
    agreed = order["orderState"] in settings.release_states or any(
        known.get(name) in values for name, values in settings.agreed_fields.items()
    )
    return OrderSnapshot(
        channel=channel,
        order_id=word(order["id"]),
        number=word(order.get("orderNumber")) or word(order["id"]),
        version=int(order["version"]),
        state="CANCELLED" if cancelled else "OPEN",
        status=word(order["orderState"]),
        paid=paid,
        excluded="complete at the storefront already" if meaning is Meaning.SENT else None,
        hold=_hold(settings, known, failed=not (paid or agreed) and PAYMENT_STATES.get(payment) is Meaning.HOLD),
        unmapped=meaning is None or bool(payment and payment not in PAYMENT_STATES),
        created_at=created,
        modified_at=modified,
        lines=lines,
        shipping_method=word(info.get("shippingMethodName")),
        address=_address(address, order) if address else None,
        note=text(custom.get(settings.note_field)),
        gift=text(custom.get(settings.gift_field)),
        agreed=agreed,
        customer=word(custom.get(settings.customer_field) if settings.customer_field else order.get("customerId")),
        purchase_order=word(order.get("purchaseOrderNumber")),
        requested_at=_day(custom.get(settings.requested_date_field)),
        fields=known,
        faults=frame.faults.said()
        | one_currency(_currencies(order, info), channel)
        | several_addresses(len({repr(place) for place in places}), channel),
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


def _hold(settings: CommercetoolsSettings, known: Mapping[str, str], *, failed: bool) -> str:
    if failed:
        return "its payment failed"
    return "the project holds it" if known.get(settings.hold_field) not in (None, "false") else ""


def _currencies(order: Doc, info: Doc) -> Iterator[Any]:
    """The currencies of its amounts."""
    yield (order.get("totalPrice") or {}).get("currencyCode")
    yield (info.get("price") or {}).get("currencyCode")
    for line in order["lineItems"]:
        yield (line.get("totalPrice") or {}).get("currencyCode")


def _custom(given: Any) -> Doc:
    return (given or {}).get("fields") or {}


def _day(given: Any) -> int | None:
    """A Date or DateTime field; a day is its noon UTC. None where there is none, or none that can be read."""
    try:
        return from_iso(f"{given}T12:00:00Z" if isinstance(given, str) and len(given) == 10 else given)
    except (TypeError, ValueError):
        return None


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


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an order says for all of its lines: inventory mode, whether it lowered the stock, when, where from."""

    mode: str
    lowers: bool
    created: int
    locations: Mapping[str, str]
    note_fields: Sequence[str]
    faults: Faults


def _line(line: Doc, frame: _Frame) -> OrderLine:
    """Stock falls when the order is placed (fact sheet 3.7): the take's time is the order's creation, exactly. Gift lines ship like all others."""
    effective = mode_of(line, frame.mode)
    supplier = word((line.get("supplyChannel") or {}).get("id"))
    custom, line_id = _custom(line.get("custom")), frame.faults.unique(word(line["id"]))
    notes = ((name, text(custom.get(name))) for name in frame.note_fields)
    return OrderLine(
        line_id=line_id,
        sku=word(line["variant"].get("sku")),
        location=frame.locations.get(supplier, supplier),
        quantity=frame.faults.quantity(line["quantity"], line_id),
        name=word(line.get("name")),
        tracked=frame.lowers and effective in _LOWERS_STOCK,
        taken_from=frame.created,
        taken_to=frame.created,
        unguarded=UNGUARDED_MODES.get(effective, "") if frame.lowers else "",
        note="\n".join(f"{name}: {said}" for name, said in notes if said),
    )


def _custom_line(line: Doc, frame: _Frame) -> OrderLine:
    """A fee, a wrap: no product, nothing to pick."""
    return OrderLine(
        line_id=frame.faults.unique(word(line["id"])),
        sku="",
        quantity=whole(line["quantity"])[0],
        name=word(line.get("name")),
        tracked=False,
        taken_from=frame.created,
        taken_to=frame.created,
        shippable=False,
    )


def _address(given: Doc, order: Doc) -> Address:
    """The delivery address; phone and e-mail of the billing address or the customer where it has none."""

    def said(*names: str) -> str:
        for name in names:
            if name in given and (found := text(given[name], 1000)):
                return found
        return ""

    def joined(*names: str) -> str:
        return ", ".join(filter(None, (said(name) for name in names)))

    street = ("streetNumber", "streetName") if given.get("country") in _NUMBER_FIRST else ("streetName", "streetNumber")
    billing: Doc = order.get("billingAddress") or {}
    return Address(
        name=" ".join(filter(None, (said("firstName"), said("lastName")))),
        company=said("company"),
        line1=" ".join(filter(None, (said(name) for name in street))),
        line2=joined("additionalStreetInfo", "building", "apartment", "pOBox"),
        city=said("city"),
        region=said("region", "state"),
        postcode=said("postalCode"),
        country=said("country"),
        phone=said("phone", "mobile") or text(billing.get("phone") or billing.get("mobile"), 1000),
        email=said("email") or text(billing.get("email") or order.get("customerEmail"), 1000),
        extra=joined("department", "additionalAddressInfo"),
    )
