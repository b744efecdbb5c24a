"""Orders of the simulated project: placed by customers, imported or made from carts, changed by update actions, and the messages all this produces.

Stock is taken through `inventory`; who hears of a message is the business of `destination`.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.simulators.base import Journal, now_ms
from app.simulators.commercetools import fulfilment, returns
from app.simulators.commercetools.documents import (
    ApiError,
    Collection,
    Doc,
    Factory,
    check_version,
    custom,
    duplicate,
    invalid_json,
    iso,
    not_found,
    required,
    set_custom_field,
)
from app.simulators.commercetools.inventory import Entry, Inventory
from app.simulators.contract import OddLine

Listener = Callable[[Doc, str, Doc], None]
"""Told of every message: the order as it is now, the message type, its own fields."""

_STATES: dict[str, tuple[str, frozenset[str]]] = {
    "changeOrderState": ("orderState", frozenset({"Open", "Confirmed", "Complete", "Cancelled"})),
    "changePaymentState": ("paymentState", frozenset({"BalanceDue", "Failed", "Pending", "CreditOwed", "Paid"})),
    "changeShipmentState": (
        "shipmentState",
        frozenset({"Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled"}),
    ),
}
_MESSAGES = {
    "orderState": ("OrderStateChanged", "oldOrderState"),
    "paymentState": ("OrderPaymentStateChanged", "oldPaymentState"),
    "shipmentState": ("OrderShipmentStateChanged", "oldShipmentState"),
}


PRICE = 1000
"""Of one unit, in cents and with tax, where nothing else is said."""


def money(cents: int) -> Doc:
    """An amount of the project's one currency."""
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2}


def _taxed(gross: int) -> Doc:
    """A price with 20 % tax in it."""
    net = round(gross / 1.2)
    return {"totalNet": money(net), "totalGross": money(gross), "totalTax": money(gross - net), "taxPortions": []}


def _totals(order: Mapping[str, Any]) -> Doc:
    """What an order costs: its lines and its shipping, less what is taken off the whole."""
    off = (order.get("discountOnTotalPrice") or {}).get("discountedAmount", {}).get("centAmount", 0)
    shipping = (order.get("shippingInfo") or {}).get("price", {}).get("centAmount", 0)
    total = sum(item["totalPrice"]["centAmount"] for item in order["lineItems"]) + shipping - off
    return {"totalPrice": money(total), "taxedPrice": _taxed(total)}


class Orders:
    """All orders of the project."""

    def __init__(
        self,
        rng: random.Random,
        factory: Factory,
        inventory: Inventory,
        channels: Collection,
        types: Collection,
        journal: Journal,
        listener: Listener,
        restock_on_cancel: bool,
    ) -> None:
        self._rng, self.factory, self._inventory = rng, factory, inventory
        self._channels, self._types, self._journal = channels, types, journal
        self._tell, self._restock = listener, restock_on_cancel
        self.docs: dict[str, Doc] = {}
        self._ids: dict[str, str] = {}
        self._drawn: dict[str, list[tuple[Entry, int]]] = {}
        self.restocked: set[str] = set()
        self._product_type = factory.id()
        self._product_ids: dict[str, str] = {}
        self._initial_state = factory.id()

    # ---- reading -----------------------------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Doc:
        """By id. 404 where there is none."""
        if id not in self.docs:
            raise not_found(id)
        return self.docs[id]

    def by_number(self, number: str) -> Doc:
        """By order number. 404 where there is none."""
        return self.get(self._ids.get(number, number))

    # ---- making ------------------------------------------------------------------------------------------------------------------------

    def place(self, fields: Mapping[str, Any], lines: Sequence[Doc], mode: str, message: str = "OrderCreated") -> Doc:
        """A new order. `lines` are line item drafts {sku, quantity, supplyChannel?, inventoryMode?}; OutOfStock where ReserveOnOrder has not enough."""
        number = fields.get("orderNumber")
        if number is not None and number in self._ids:
            raise duplicate("orderNumber", number)
        items = [self.line_item(draft) for draft in lines]
        taken = self._reserve(items, mode)
        doc = self.factory.resource(
            **{
                "lineItems": items,
                "customLineItems": [],
                **_totals({**fields, "lineItems": items}),
                "inventoryMode": mode,
                "shippingMode": "Single",
                "shipping": [],
                "syncInfo": [],
                "returnInfo": [],
                "refusedGifts": [],
                "origin": "Customer",
                "orderState": "Open",
                **fields,
            }
        )
        self.docs[doc["id"]] = doc
        if number is not None:
            self._ids[number] = doc["id"]
        self._drawn[doc["id"]] = taken
        for entry, units in taken:
            self._inventory.shift(entry, -units)
        self._journal.note(
            "order placed",
            order=number or doc["id"],
            lines=[{"sku": item["variant"]["sku"], "qty": item["quantity"]} for item in items],
        )
        if message:
            self._tell(doc, message, {"order": copy.deepcopy(doc)})
        return doc

    def import_order(self, draft: Doc) -> Doc:
        """`POST /orders/import` (fact sheet 5.8): prices are taken as given, stock is left alone."""
        total = required(draft, "totalPrice", dict)
        lines = []
        for given in draft.get("lineItems") or []:
            variant = required(given, "variant", dict)
            lines.append({**given, "sku": variant.get("sku", ""), "inventoryMode": "None"})
        if not lines and not draft.get("customLineItems"):
            raise ApiError(400, "InvalidOperation", "An order import needs line items.")
        kept = (
            "orderNumber",
            "orderState",
            "paymentState",
            "shipmentState",
            "shippingAddress",
            "completedAt",
            "country",
        )
        fields = {name: draft[name] for name in kept if draft.get(name) is not None}
        price = money(required(total, "centAmount", int)) | {"currencyCode": required(total, "currencyCode", str)}
        fields.update(totalPrice=price, origin="Merchant", custom=custom(self._types, "order", draft.get("custom")))
        return self.place(fields, lines, draft.get("inventoryMode") or "None", "OrderImported")

    def line_item(self, draft: Doc) -> Doc:
        sku, quantity = required(draft, "sku", str), required(draft, "quantity", int)
        product = self._product_ids.setdefault(sku, self.factory.id())
        price = draft.get("price") or {}
        value = (price.get("value") or {}).get("centAmount", PRICE)
        item = {
            "id": self.factory.id(),
            "productId": product,
            "name": draft.get("name") or {"en": sku},
            "productType": {"typeId": "product-type", "id": self._product_type},
            "variant": {"id": 1, "sku": sku, "prices": [], "images": [], "attributes": []},
            "price": {"id": self.factory.id(), "value": money(value)},
            "quantity": quantity,
            "totalPrice": money(value * quantity),
            "taxedPrice": _taxed(value * quantity),
            "discountedPricePerQuantity": [],
            "perMethodTaxRate": [],
            "taxedPricePortions": [],
            "state": [{"quantity": quantity, "state": {"typeId": "state", "id": self._initial_state}}],
            "priceMode": "Platform",
            "lineItemMode": "Standard",
        }
        if draft.get("supplyChannel"):
            item["supplyChannel"] = self._channels.reference(self._channels.resolve(draft["supplyChannel"]))
        if draft.get("inventoryMode"):
            item["inventoryMode"] = draft["inventoryMode"]
        return item

    def enter(self, fields: Mapping[str, Any], lines: Sequence[OddLine]) -> Doc:
        """An order that another program entered and nobody checked: no stock is taken, quantities and currencies are as they are."""
        doc = self.place(fields, [], "None", "")
        for line in lines:
            item = self.line_item({"sku": line.sku or "?", "quantity": 1})
            item["quantity"], item["id"] = line.shown, line.id or item["id"]
            if line.currency:
                item["totalPrice"] = item["totalPrice"] | {"currencyCode": line.currency}
            if not line.sku:
                del item["variant"]["sku"]
            doc["lineItems"].append(item)
        self._tell(doc, "OrderCreated", {"order": copy.deepcopy(doc)})
        return doc

    def _reserve(self, items: Sequence[Doc], mode: str) -> list[tuple[Entry, int]]:
        """What the lines take from which entries, decided as a whole (fact sheet 3.6)."""
        wanted: dict[str, tuple[Entry, int]] = {}
        short: list[Doc] = []
        for item in items:
            kind = item.get("inventoryMode", mode)
            if kind == "None":
                continue
            channel = item.get("supplyChannel")
            location = self._channels.get(channel["id"])["key"] if channel else ""
            entry = self._inventory.find(item["variant"]["sku"], location)
            if entry is None:
                short.append(item)
                continue
            units = wanted.get(entry.doc["id"], (entry, 0))[1] + item["quantity"]
            if kind != "TrackOnly" and not self._inventory.orderable(entry, units):
                short.append(item)
            wanted[entry.doc["id"]] = entry, units
        if short:
            raise ApiError(
                400,
                "OutOfStock",
                "Some line items are out of stock.",
                lineItems=[item["id"] for item in short],
                skus=[item["variant"]["sku"] for item in short],
            )
        return list(wanted.values())

    # ---- changing ----------------------------------------------------------------------------------------------------------------------

    def update(self, doc: Doc, body: Doc) -> None:
        """A versioned update, all actions or none (fact sheet 5.4). 409 where another version is there."""
        check_version(doc, body.get("version"), self._rng)
        self.apply(doc, required(body, "actions", list))

    def apply(self, doc: Doc, actions: Sequence[Any]) -> None:
        """The actions without a version check, as the shop's own people make them."""
        before, messages = copy.deepcopy(doc), list[tuple[str, Doc]]()
        try:
            for action in actions:
                if not isinstance(action, dict):
                    raise invalid_json("actions")
                messages += self._act(doc, required(action, "action", str), action)
        except ApiError:
            doc.clear()
            doc.update(before)
            raise
        self.factory.touch(doc)
        if doc["orderState"] == "Cancelled" and before["orderState"] != "Cancelled":
            self._put_back(doc)
        self._journal.note(
            "order changed",
            order=doc.get("orderNumber", doc["id"]),
            version=doc["version"],
            actions=[action["action"] for action in actions],
        )
        for action in actions:
            for parcel in action.get("parcels") or []:
                tracking = (parcel.get("trackingData") or {}).get("trackingId", "")
                self._journal.note("shipment", order=doc.get("orderNumber", doc["id"]), tracking=tracking)
        for name, fields in messages:
            self._tell(doc, name, fields)

    def replace_lines(self, doc: Doc, lines: Sequence[Doc]) -> None:
        """An order edit (fact sheet 5.7): only where the order and all its lines have the mode None."""
        tracked = [item for item in doc["lineItems"] if item.get("inventoryMode", doc["inventoryMode"]) != "None"]
        if tracked or doc["inventoryMode"] != "None" or any(self._inventory.supplier(d["sku"], 0) for d in lines):
            raise ApiError(
                400, "InvalidOperation", "Order edits need the inventory mode None on the order and its lines."
            )
        doc["lineItems"] = [self.line_item(draft) for draft in lines]
        doc.update(_totals(doc))
        self.factory.touch(doc)
        excerpt = {"totalPrice": doc["totalPrice"], "version": doc["version"]}
        result = {
            "type": "Applied",
            "appliedAt": iso(now_ms()),
            "excerptBeforeEdit": excerpt,
            "excerptAfterEdit": excerpt,
        }
        self._journal.note("order edited", order=doc.get("orderNumber", doc["id"]), version=doc["version"])
        reference = {"typeId": "order", "id": doc["id"]}
        edit = self.factory.resource(resource=reference, stagedActions=[], result=result)
        self._tell(doc, "OrderEditApplied", {"edit": edit, "result": result})

    def _act(self, doc: Doc, name: str, action: Doc) -> list[tuple[str, Doc]]:
        if name in _STATES:
            return self._change_state(doc, *_STATES[name], action)
        if name == "setCustomField":
            field = required(action, "name", str)
            set_custom_field(self._types, doc, field, action.get("value"))
            return [("OrderCustomFieldChanged", {"name": field, "value": action.get("value")})]
        if name == "setCustomType":
            given = custom(self._types, "order", action)
            doc.pop("custom", None)
            doc.update({} if given is None else {"custom": given})
            return []
        if name == "setShippingAddress":
            doc["shippingAddress"] = required(action, "address", dict)
            return [("OrderShippingAddressSet", {"address": doc["shippingAddress"]})]
        if name == "setOrderNumber":
            number = required(action, "orderNumber", str)
            if "orderNumber" in doc:
                raise ApiError(400, "InvalidOperation", "The order number is set already.")
            if number in self._ids:
                raise duplicate("orderNumber", number)
            self._ids[number] = doc["id"]
            doc["orderNumber"] = number
            return []
        if name == "updateSyncInfo":
            channel = self._channels.resolve(required(action, "channel", dict))
            info = {"channel": self._channels.reference(channel), "syncedAt": action.get("syncedAt") or iso(now_ms())}
            doc["syncInfo"].append(info | ({"externalId": action["externalId"]} if "externalId" in action else {}))
            return []
        for actions in (fulfilment.ACTIONS, returns.ACTIONS):
            if name in actions:
                return actions[name](doc, action, self.factory)
        raise ApiError(400, "InvalidInput", f"The update action '{name}' is not supported.")

    @staticmethod
    def _change_state(doc: Doc, field: str, allowed: frozenset[str], action: Doc) -> list[tuple[str, Doc]]:
        value, before = required(action, field, str), doc.get(field)
        if value not in allowed:
            raise ApiError(400, "InvalidField", f"'{value}' is no {field}.", field=field, invalidValue=value)
        doc[field] = value
        message, old = _MESSAGES[field]
        return [(message, {field: value} | ({} if before is None else {old: before}))]

    def _put_back(self, doc: Doc) -> None:
        if not self._restock:
            return
        for entry, units in self._drawn.pop(doc["id"], []):
            self._inventory.shift(entry, units)
        self.restocked.add(doc["id"])
