"""From BigCommerce orders to order snapshots: statuses, payment, lines, addresses, times (bigcommerce.md 3.9, 4.2 to 4.5). Pure.

The choices, where the platform leaves one:

* What a status means stands in `statuses`. Incomplete (0) is no order yet: no stock was lowered, nothing is told of it.
* Refunded (4) is cancelled where nothing of it was shipped; archived orders are where they were not shipped or completed.
* Shipped (2) and Completed (10) keep an order that we never released from being released; one that is at the warehouse is not touched by it.
* An order to several addresses cannot be one goods out and is held with that reason.
* What the customer had written on a product (text options, gift wrap) goes with its line; facts of the order that instructions may use are `staff_notes`,
  `payment_method`, `order_source`, `external_order_id`, `wrapping` and `form.<name>` for the form fields of billing and shipping address.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from app.connectors.bigcommerce import payments
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.bigcommerce.statuses import HOLDS, MEANINGS, RESTOCKING
from app.connectors.reading import Faults, facts, several_addresses, text, word
from app.connectors.times import from_iso
from schemas.records import Address, OrderLine, OrderSnapshot, OrderState
from tables.deliveries.notes import without_note
from tables.orders.lifecycle import Meaning

_PARTLY_SHIPPED = 3
_FACTS = ("payment_method", "order_source", "external_order_id")
_WRITTEN = frozenset({"Text field", "Multi-line text field", "Date field"})
"""Option types whose value is the customer's own; the others choose a variant, which the SKU says."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An order's lines and shipping addresses; a consignment counts as an address."""

    lines: Sequence[Mapping[str, Any]]
    addresses: Sequence[Mapping[str, Any]]
    pickup: str = ""
    """How it is collected, as the store calls it; empty where it is sent, or not said."""


def date_ms(text: object) -> int:
    """An RFC 2822 date in milliseconds. ValueError where it is none."""
    if not isinstance(text, str):
        raise ValueError("a date is missing")
    return int(parsedate_to_datetime(text).timestamp()) * 1000


def inline_parts(order: Mapping[str, Any]) -> Parts | None:
    """The parts that came inside the order (4.6); None where they are only linked, or their units do not add up to the order's."""
    consignments = order.get("consignments")
    if not isinstance(consignments, Mapping) or "shipping" not in consignments:
        return None
    shipping = consignments.get("shipping") or []
    email = consignments.get("email") or {}
    groups = [
        *shipping,
        *(consignments.get("pickups") or []),
        *(consignments.get("downloads") or []),
        *(email.get("gift_certificates") or []),
    ]
    lines: list[Mapping[str, Any]] = []
    for group in groups:
        items = group.get("line_items")
        if not isinstance(items, list) or any("quantity" not in item for item in items):
            return None
        lines += items
    try:
        if sum(int(line["quantity"]) for line in lines) != int(order.get("items_total", -1)):
            return None
    except (TypeError, ValueError):
        return None
    names = (text(one.get("pickup_method_display_name")) for one in consignments.get("pickups") or [])
    return Parts(lines, shipping, next(filter(None, names), ""))


def product_ids(parts: Parts) -> set[int]:
    """The catalogue products of an order's lines."""
    found = (str(line.get("product_id") or "") for line in parts.lines)
    return {int(text) for text in found if text.isdecimal() and int(text)}


def is_restocked(order: Mapping[str, Any]) -> bool:
    """Is it in a status that puts stock back where the store is set so (3.9)?"""
    return order.get("status_id") in RESTOCKING


def snapshot(
    channel: str,
    order: Mapping[str, Any],
    parts: Parts,
    settings: BigCommerceSettings,
    *,
    tracked: Collection[int],
    restocks: bool,
    refunds: Sequence[Mapping[str, Any]] = (),
) -> OrderSnapshot:
    """The order as a snapshot. `tracked` are the products that keep stock, `restocks` is the store's setting for cancels and refunds.

    `refunds` are the order's refunds.

    KeyError, TypeError or ValueError where the order is not as documented.
    """
    status = int(order["status_id"])
    meaning = MEANINGS.get(status)
    created, modified = date_ms(order["date_created"]), date_ms(order["date_modified"])
    faults = Faults(channel)
    frame = _Frame(
        tracked, created, modified, modified if restocks and status in RESTOCKING else None, settings, faults
    )
    lines = [_line(line, frame) for line in parts.lines if line["quantity"] not in (0, "0")]
    amounts = payments.read(order, parts.lines, paid=status in settings.paid_statuses, refunds=refunds)
    for one in lines:
        one.price = amounts.prices.get(one.line_id, 0)
    places = {line["order_address_id"] for line in parts.lines if line.get("order_address_id")}
    address = parts.addresses[0] if parts.addresses else None
    billing = order.get("billing_address") or {}
    known = facts(
        ("", {name: order.get(name) for name in _FACTS}),
        ("", {"staff_notes": without_note(text(order.get("staff_notes")))}),
        ("", {"wrapping": sorted({text(line.get("wrapping_name")) for line in parts.lines} - {""})}),
        ("form.", _form(billing)),
        ("form.", _form(address or {})),
    )
    gifts = dict.fromkeys(text(line["wrapping_message"]) for line in parts.lines if line.get("wrapping_message"))
    return OrderSnapshot(
        channel=channel,
        order_id=word(order["id"]),
        number=word(order["id"]),
        version=modified,
        state=_state(order, meaning, status),
        status=word(order.get("status")) or str(status),
        paid=status in settings.paid_statuses,
        excluded="shipped at the storefront already" if meaning is Meaning.SENT else None,
        hold=HOLDS.get(status, ""),
        unmapped=meaning is None,
        created_at=created,
        modified_at=modified,
        lines=lines,
        shipping_method=word(address.get("shipping_method")) if address else word(parts.pickup),
        address=_address(address, billing) if address else None,
        note=text(order.get("customer_message")),
        gift="\n".join(gifts),
        agreed=status in settings.agreed_statuses or known.get("payment_method") in settings.agreed_payment_methods,
        customer=word(order.get("customer_id") or ""),
        purchase_order=word(known.get(settings.purchase_order_fact)),
        requested_at=_requested(parts.lines) if settings.event_dates else None,
        collected=bool(parts.pickup) or any(line.get("order_pickup_method_id") for line in parts.lines),
        fields=known,
        faults=faults.said() | several_addresses(len(places), channel),
        currency=amounts.currency,
        digits=amounts.digits,
        total=amounts.total,
        shipping_price=amounts.shipping,
        captured=amounts.captured,
        refunded=amounts.refunded,
        payments=amounts.payments,
    )


def _state(order: Mapping[str, Any], meaning: Meaning | None, status: int) -> OrderState:
    untouched = not int(order.get("items_shipped") or 0)
    archived = bool(order.get("is_deleted")) and meaning is not Meaning.SENT and status != _PARTLY_SHIPPED
    if meaning is Meaning.CANCELLED or (meaning is Meaning.REFUNDED and untouched) or archived:
        return "CANCELLED"
    return "OPEN"


@dataclass(frozen=True, slots=True)
class _Frame:
    """What an order says for all of its lines."""

    tracked: Collection[int]
    created: int
    modified: int
    restocked_at: int | None
    settings: BigCommerceSettings
    faults: Faults


def _line(line: Mapping[str, Any], frame: _Frame) -> OrderLine:
    """The store lowered its stock when the order left Incomplete: at the earliest when it was created, at the latest when it was last changed (3.9)."""
    keeps_stock = int(line.get("product_id") or 0) in frame.tracked
    line_id = frame.faults.unique(word(line["id"]))
    return OrderLine(
        line_id=line_id,
        sku=word(line.get("sku")),
        location=str(frame.settings.location_id),
        quantity=frame.faults.quantity(line["quantity"], line_id),
        name=word(line.get("name")),
        tracked=keeps_stock,
        taken_from=frame.created,
        taken_to=frame.modified,
        restocked_at=frame.restocked_at if keeps_stock else None,
        shippable=line.get("type", "physical") == "physical",
        unguarded="" if keeps_stock else "its inventory is not tracked",
        address=word(line.get("order_address_id") or ""),
        note=_written(line),
    )


def _written(line: Mapping[str, Any]) -> str:
    """What the customer had written on it (4.4): texts and dates given to options, and a gift wrap without a message."""
    said = [
        f"{text(option.get('display_name'))}: {text(option.get('display_value') or option.get('value'))}"
        for option in line.get("product_options") or []
        if option.get("type") in _WRITTEN
    ]
    said += [f"{text(one.get('name'))}: {text(one.get('value'))}" for one in line.get("configurable_fields") or []]
    wrap = text(line.get("wrapping_name"))
    return "\n".join([*said, f"Wrap: {wrap}"] if wrap and not line.get("wrapping_message") else said)


def _form(address: Mapping[str, Any]) -> dict[str, Any]:
    return {word(one.get("name")): one.get("value") for one in address.get("form_fields") or []}


def _requested(lines: Sequence[Mapping[str, Any]]) -> int | None:
    """The earliest event date of the lines; one that cannot be read is none."""
    found = []
    for line in lines:
        for read in (date_ms, from_iso):
            try:
                found.append(read(line.get("event_date") or ""))
            except ValueError:
                continue
    return min(found, default=None)


def _address(given: Mapping[str, Any], billing: Mapping[str, Any]) -> Address:
    """The delivery address; phone and e-mail of the billing address where it has none."""

    def said(name: str) -> str:
        return text(given.get(name), 1000)

    return Address(
        name=f"{said('first_name')} {said('last_name')}".strip(),
        company=said("company"),
        line1=said("street_1"),
        line2=said("street_2"),
        city=said("city"),
        region=said("state"),
        postcode=said("zip"),
        country=said("country_iso2"),
        phone=said("phone") or text(billing.get("phone"), 1000),
        email=said("email") or text(billing.get("email"), 1000),
    )
