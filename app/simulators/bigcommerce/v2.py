"""How the V2 API shows orders (bigcommerce.md 4.3 to 4.6, 1.7): money as strings, RFC 2822 dates of one second, links to sub-resources or the lines inside."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from app.simulators.bigcommerce.orders import PRICE, STATUSES, Line, Order, Shipment

_PRICE = PRICE / 100


def date(seconds: float) -> str:
    """RFC 2822 in UTC, cut to the second."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))


def money(amount: float) -> str:
    """A decimal string with four places."""
    return f"{amount:.4f}"


def header(order: Order, base_url: str) -> dict[str, Any]:
    """An order without its lines."""
    subtotal, total, off = money(order.total * _PRICE), money(order.cost / 100), money(order.discount / 100)
    resource = f"/orders/{order.id}"
    zero = {
        name: money(0)
        for kind in ("shipping", "handling", "wrapping")
        for name in (f"base_{kind}_cost", f"{kind}_cost_ex_tax", f"{kind}_cost_inc_tax", f"{kind}_cost_tax")
    }
    shown = {
        "id": order.id,
        "customer_id": 0,
        "date_created": date(order.created),
        "date_modified": date(order.modified),
        "date_shipped": date(order.modified) if order.status_id == 2 else "",
        "status_id": order.status_id,
        "status": STATUSES[order.status_id],
        **zero,
        **{f"subtotal_{tax}": subtotal for tax in ("ex_tax", "inc_tax")},
        **{f"total_{tax}": total for tax in ("ex_tax", "inc_tax")},
        "subtotal_tax": money(0),
        "total_tax": money(0),
        "is_tax_inclusive_pricing": False,
        "items_total": order.total,
        "items_shipped": order.shipped,
        "payment_method": "Credit Card",
        "payment_provider_id": "",
        "payment_status": _payment_status(order),
        "refunded_amount": money(0),
        "order_is_digital": False,
        "store_credit_amount": money(0),
        "gift_certificate_amount": money(0),
        "currency_code": "GBP",
        "default_currency_code": "GBP",
        "staff_notes": order.staff_notes,
        "customer_message": order.customer_message,
        "discount_amount": off,
        "coupon_discount": money(0),
        "shipping_address_count": 1,
        "is_deleted": False,
        "billing_address": {
            **order.address,
            "form_fields": [{"name": name, "value": value} for name, value in order.form_fields.items()],
        },
        "order_source": "www",
        "channel_id": 1,
        "external_source": None,
        "external_id": None,
        "external_order_id": order.external_order_id,
    }
    for name, path in (
        ("products", "products"),
        ("shipping_addresses", "shippingaddresses"),
        ("coupons", "coupons"),
        ("consignments", "consignments"),
    ):
        shown[name] = {"url": f"{base_url}{resource}/{path}", "resource": f"{resource}/{path}"}
    return shown


def _payment_status(order: Order) -> str:
    if order.refunds:
        return "refunded" if order.refunded >= order.cost else "partially refunded"
    return "captured" if order.charged else ""


def product(order: Order, line: Line) -> dict[str, Any]:
    """An order product."""
    item = line.item
    prices = {name: money(_PRICE) for name in ("base_price", "price_ex_tax", "price_inc_tax")}
    totals = {
        name: money(_PRICE * line.quantity)
        for name in ("base_total", "total_ex_tax", "total_inc_tax", "discounted_total_inc_tax")
    }
    return {
        "id": line.id,
        "order_id": order.id,
        "product_id": item.product_id if item else 0,
        "variant_id": item.variant_id if item else 0,
        "order_pickup_method_id": 0,
        "order_address_id": order.address_id,
        **dict.fromkeys(("name", "name_customer", "name_merchant"), f"Product {line.sku}"),
        "sku": line.sku,
        "upc": "",
        "type": "physical",
        **prices,
        "price_tax": money(0),
        **totals,
        "total_tax": money(0),
        "weight": "0.2000",
        **dict.fromkeys(("width", "height", "depth"), "0.0000"),
        "quantity": line.quantity if line.odd is None else line.odd,
        "quantity_shipped": line.shipped,
        "quantity_refunded": line.refunded,
        "is_refunded": 0 < line.quantity <= line.refunded,
        "wrapping_id": 1 if line.wrapping_message else 0,
        "wrapping_name": "Gift wrap" if line.wrapping_message else "",
        "wrapping_message": line.wrapping_message,
        "base_wrapping_cost": money(0),
        "event_name": None,
        "event_date": None,
        "parent_order_product_id": None,
        "is_bundled_product": False,
        "bin_picking_number": "",
        "applied_discounts": [],
        "product_options": [],
        "configurable_fields": [],
    }


def shipping_address(order: Order) -> dict[str, Any]:
    """The order's one shipping address."""
    return {
        "id": order.address_id,
        "order_id": order.id,
        **order.address,
        "items_total": order.total,
        "items_shipped": order.shipped,
        "shipping_method": order.shipping_method,
        "base_cost": money(0),
        "cost_ex_tax": money(0),
        "cost_inc_tax": money(0),
        "cost_tax": money(0),
        "shipping_zone_id": 1,
        "shipping_zone_name": order.address["country"],
        "form_fields": [],
    }


def consignments(order: Order, *, lines: bool, base_url: str) -> dict[str, Any]:
    """The order's consignments as an object, with whole lines or links to them."""
    links = [
        {
            "url": f"{base_url}/orders/{order.id}/products/{line.id}",
            "resource": f"/orders/{order.id}/products/{line.id}",
        }
        for line in order.lines
    ]
    shipping = {
        "id": order.address_id,
        **order.address,
        "form_fields": [],
        "line_items": [product(order, line) for line in order.lines] if lines else links,
        "items_total": order.total,
        "items_shipped": order.shipped,
        "shipping_method": order.shipping_method,
        "base_cost": 0.0,
        "cost_ex_tax": 0.0,
        "cost_inc_tax": 0.0,
        "cost_tax": 0.0,
    }
    return {"pickups": [], "shipping": [shipping], "downloads": [], "email": {"gift_certificates": []}}


def shipment(order: Order, parcel: Shipment) -> dict[str, Any]:
    """A shipment."""
    ids = {line.id: line.item.product_id if line.item else 0 for line in order.lines}
    address = {**order.address}
    return {
        "id": parcel.id,
        "order_id": order.id,
        "customer_id": 0,
        "order_address_id": order.address_id,
        "date_created": date(parcel.created),
        "tracking_number": parcel.tracking,
        "merchant_shipping_cost": money(0),
        "shipping_method": order.shipping_method,
        "comments": parcel.fields.get("comments", ""),
        "shipping_provider": parcel.fields.get("shipping_provider", ""),
        "tracking_carrier": parcel.fields.get("tracking_carrier", ""),
        "tracking_link": parcel.fields.get("tracking_link", ""),
        "billing_address": address,
        "shipping_address": address,
        "items": [
            {"order_product_id": n, "product_id": ids[n], "quantity": quantity} for n, quantity in parcel.items.items()
        ],
        "shipping_provider_display_name": "",
        "generated_tracking_link": "",
    }
