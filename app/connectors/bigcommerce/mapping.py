"""From BigCommerce orders to order snapshots: statuses, payment, lines, addresses, times (bigcommerce.md 3.9, 4.2 to 4.5). Pure.

The choices, where the platform leaves one:

* What a status means stands in `statuses`. Incomplete (0) is no order yet: no stock was lowered, nothing is told of it.
* Refunded (4) is cancelled where nothing of it was shipped; archived orders are where they were not shipped or completed.
* Shipped (2) and Completed (10) keep an order that we never released from being released; one that is at the warehouse is not touched by it.
* An order to several addresses cannot be one goods out and is excluded with that reason.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from app.connectors.bigcommerce import payments
from app.connectors.bigcommerce.statuses import HOLDS, MEANINGS, RESTOCKING
from schemas.records import Address, OrderLine, OrderSnapshot, OrderState
from tables.orders.lifecycle import Meaning

_PARTLY_SHIPPED = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """An order's lines and shipping addresses; a consignment counts as an address."""

    lines: Sequence[Mapping[str, Any]]
    addresses: Sequence[Mapping[str, Any]]


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
    if sum(int(line["quantity"]) for line in lines) != int(order.get("items_total", -1)):
        return None
    return Parts(lines, shipping)


def product_ids(parts: Parts) -> set[int]:
    """The catalogue products of an order's lines."""
    return {int(line["product_id"]) for line in parts.lines if line.get("product_id")}


def is_restocked(order: Mapping[str, Any]) -> bool:
    """Is it in a status that puts stock back where the store is set so (3.9)?"""
    return order.get("status_id") in RESTOCKING


def snapshot(
    channel: str,
    order: Mapping[str, Any],
    parts: Parts,
    *,
    tracked: Collection[int],
    paid: Collection[int],
    restocks: bool,
    location: int,
    refunds: Sequence[Mapping[str, Any]] = (),
) -> OrderSnapshot:
    """The order as a snapshot. `tracked` are the products that keep stock, `paid` the paid status ids, `restocks` the store's setting for cancels and refunds.

    `refunds` are the order's refunds.

    KeyError, TypeError or ValueError where the order is not as documented.
    """
    status = int(order["status_id"])
    meaning = MEANINGS.get(status)
    created, modified = date_ms(order["date_created"]), date_ms(order["date_modified"])
    restocked_at = modified if restocks and status in RESTOCKING else None
    lines = [
        _line(line, tracked, created, modified, restocked_at, location)
        for line in parts.lines
        if int(line["quantity"]) > 0
    ]
    amounts = payments.read(order, parts.lines, paid=status in paid, refunds=refunds)
    for one in lines:
        one.price = amounts.prices.get(one.line_id, 0)
    places = {line["order_address_id"] for line in parts.lines if line.get("order_address_id")}
    address = parts.addresses[0] if parts.addresses else None
    gifts = dict.fromkeys(str(line["wrapping_message"]) for line in parts.lines if line.get("wrapping_message"))
    return OrderSnapshot(
        channel=channel,
        order_id=str(order["id"]),
        number=str(order["id"]),
        version=modified,
        state=_state(order, meaning, status),
        status=str(order.get("status") or status),
        paid=status in paid,
        excluded=_excluded(meaning, len(places)),
        hold=HOLDS.get(status, ""),
        unmapped=meaning is None,
        created_at=created,
        modified_at=modified,
        lines=lines,
        shipping_method=str(address.get("shipping_method") or "") if address else "",
        address=_address(address) if address else None,
        note=str(order.get("customer_message") or ""),
        gift="\n".join(gifts),
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


def _excluded(meaning: Meaning | None, places: int) -> str | None:
    if meaning is Meaning.SENT:
        return "shipped at the storefront already"
    if places > 1:
        return f"ships to {places} addresses: enter it at the warehouse by hand"
    return None


def _line(
    line: Mapping[str, Any],
    tracked: Collection[int],
    created: int,
    modified: int,
    restocked_at: int | None,
    location: int,
) -> OrderLine:
    """The store lowered its stock when the order left Incomplete: at the earliest when it was created, at the latest when it was last changed (3.9)."""
    keeps_stock = int(line.get("product_id") or 0) in tracked
    return OrderLine(
        line_id=str(line["id"]),
        sku=str(line.get("sku") or ""),
        location=str(location),
        quantity=int(line["quantity"]),
        name=str(line.get("name") or ""),
        tracked=keeps_stock,
        taken_from=created,
        taken_to=modified,
        restocked_at=restocked_at if keeps_stock else None,
        shippable=line.get("type", "physical") == "physical",
        unguarded="" if keeps_stock else "its inventory is not tracked",
        address=str(line.get("order_address_id") or ""),
    )


def _address(given: Mapping[str, Any]) -> Address:
    def text(name: str) -> str:
        return str(given.get(name) or "").strip()

    return Address(
        name=f"{text('first_name')} {text('last_name')}".strip(),
        company=text("company"),
        line1=text("street_1"),
        line2=text("street_2"),
        city=text("city"),
        region=text("state"),
        postcode=text("zip"),
        country=text("country_iso2"),
        phone=text("phone"),
        email=text("email"),
    )
