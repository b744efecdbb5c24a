"""Just enough of carts to create an order the way a shop does (fact sheet 5.8): a cart with lines, and an order from one of its versions."""

from typing import Any

from app.simulators.commercetools.documents import ApiError, Doc, check_version, not_found, required
from app.simulators.commercetools.orders import Orders, money


class Carts:
    """Carts of the project; each makes one order."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._carts: dict[str, tuple[Doc, Doc]] = {}

    def create(self, draft: Doc) -> Doc:
        """`POST /carts`."""
        required(draft, "currency", str)
        items = [self._orders.line_item(line) for line in draft.get("lineItems") or []]
        fields: dict[str, Any] = {
            "cartState": "Active",
            "lineItems": items,
            "customLineItems": [],
            "totalPrice": money(sum(item["totalPrice"]["centAmount"] for item in items)),
            "inventoryMode": draft.get("inventoryMode") or "None",
            "taxMode": "Platform",
            "taxRoundingMode": "HalfEven",
            "taxCalculationMode": "LineItemLevel",
            "priceRoundingMode": "HalfEven",
            "shippingMode": "Single",
            "shipping": [],
            "itemShippingAddresses": [],
            "discountCodes": [],
            "directDiscounts": [],
            "refusedGifts": [],
            "origin": "Customer",
            "shippingAddress": draft.get("shippingAddress"),
        }
        cart = self._orders.factory.resource(**fields)
        self._carts[cart["id"]] = cart, draft
        return cart

    def order(self, body: Doc) -> Doc:
        """`POST /orders` from a cart at a version: 409 for another one, OutOfStock, InvalidOperation without a shipping address."""
        given = required(body, "cart", dict) if "cart" in body else {"id": required(body, "id", str)}
        cart, draft = self._carts.get(given.get("id", ""), (None, {}))
        if cart is None:
            raise not_found(str(given.get("id", "")))
        check_version(cart, body.get("version"), self._orders.factory.rng)
        if cart["cartState"] != "Active":
            raise ApiError(400, "InvalidOperation", "The cart has been ordered already.")
        if "shippingAddress" not in cart:
            raise ApiError(400, "InvalidOperation", "The cart has no shipping address.")
        kept = ("orderNumber", "orderState", "paymentState", "shipmentState")
        fields = {name: body[name] for name in kept if body.get(name) is not None}
        fields |= {"shippingAddress": cart["shippingAddress"], "cart": {"typeId": "cart", "id": cart["id"]}}
        order = self._orders.place(fields, draft.get("lineItems") or [], cart["inventoryMode"])
        cart["cartState"] = "Ordered"
        self._orders.factory.touch(cart)
        return order
