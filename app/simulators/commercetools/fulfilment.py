"""Deliveries and parcels of the simulated orders (fact sheet 5.4, 5.5): update actions that change the order in place, and what they amount to.

Quantities are not checked against the order, as at the platform.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.simulators.base import now_ms
from app.simulators.commercetools.documents import ApiError, Doc, Factory, duplicate, iso, required

Messages = list[tuple[str, Doc]]


def _deliveries(doc: Doc) -> list[Doc]:
    if "shippingInfo" not in doc:
        raise ApiError(400, "InvalidOperation", "The order has no shippingInfo.")
    deliveries: list[Doc] = doc["shippingInfo"].setdefault("deliveries", [])
    return deliveries


def _find(docs: list[Doc], kind: str, action: Doc) -> Doc:
    id, key = action.get(f"{kind}Id"), action.get(f"{kind}Key")
    for doc in docs:
        if (id is not None and doc["id"] == id) or (key is not None and doc.get("key") == key):
            return doc
    raise ApiError(400, "InvalidOperation", f"The order has no {kind} '{id or key}'.")


def _parcel(draft: Any, factory: Factory) -> Doc:
    given = draft if isinstance(draft, dict) else {}
    key = given.get("key", given.get("parcelKey"))
    parcel = {"id": factory.id(), "createdAt": iso(now_ms()), "items": given.get("items") or []}
    kept = {name: given[name] for name in ("trackingData", "measurements") if given.get(name) is not None}
    return parcel | kept | ({} if key is None else {"key": key})


def add_delivery(doc: Doc, action: Doc, factory: Factory) -> Messages:
    """`addDelivery`: a delivery with its parcels. A key that is taken: DuplicateField (a gap in the documentation)."""
    deliveries, key = _deliveries(doc), action.get("deliveryKey")
    if key is not None and any(delivery.get("key") == key for delivery in deliveries):
        raise duplicate("deliveryKey", key)
    parcels = [_parcel(draft, factory) for draft in action.get("parcels") or []]
    delivery = {"id": factory.id(), "createdAt": iso(now_ms()), "items": action.get("items") or [], "parcels": parcels}
    delivery |= {} if key is None else {"key": key}
    deliveries.append(delivery)
    told: Messages = [("DeliveryAdded", {"delivery": {**delivery, "parcels": []}})]
    return told + [("ParcelAddedToDelivery", {"delivery": delivery, "parcel": parcel}) for parcel in parcels]


def add_parcel(doc: Doc, action: Doc, factory: Factory) -> Messages:
    """`addParcelToDelivery`."""
    delivery, parcel = _find(_deliveries(doc), "delivery", action), _parcel(action, factory)
    delivery["parcels"].append(parcel)
    return [("ParcelAddedToDelivery", {"delivery": delivery, "parcel": parcel})]


def set_tracking(doc: Doc, action: Doc, factory: Factory) -> Messages:
    """`setParcelTrackingData`; without data it is removed."""
    parcels = [(delivery, parcel) for delivery in _deliveries(doc) for parcel in delivery["parcels"]]
    parcel = _find([parcel for _, parcel in parcels], "parcel", action)
    delivery = next(delivery for delivery, one in parcels if one is parcel)
    parcel.pop("trackingData", None)
    data = action.get("trackingData")
    parcel.update({} if data is None else {"trackingData": data})
    told = {"deliveryId": delivery["id"], "parcelId": parcel["id"]}
    return [("ParcelTrackingDataUpdated", told | ({} if data is None else {"trackingData": data}))]


def remove_delivery(doc: Doc, action: Doc, factory: Factory) -> Messages:
    """`removeDelivery`."""
    delivery = _find(_deliveries(doc), "delivery", action)
    _deliveries(doc).remove(delivery)
    return [("DeliveryRemoved", {"delivery": delivery})]


ACTIONS: Mapping[str, Callable[[Doc, Doc, Factory], Messages]] = {
    "addDelivery": add_delivery,
    "addParcelToDelivery": add_parcel,
    "setParcelTrackingData": set_tracking,
    "removeDelivery": remove_delivery,
}


def shipments(doc: Doc) -> list[dict[str, Any]]:
    """Parcels as the storefront holds them: {"tracking", "lines": [{"sku", "qty"}]}. A delivery's items count for its parcels where none has its own."""
    skus = {item["id"]: item["variant"]["sku"] for item in doc["lineItems"]}
    found = []
    for delivery in doc.get("shippingInfo", {}).get("deliveries", []):
        told = any(parcel["items"] for parcel in delivery["parcels"])
        for parcel in delivery["parcels"]:
            items = parcel["items"] if told else delivery["items"]
            lines = [{"sku": skus.get(required(item, "id", str), ""), "qty": item["quantity"]} for item in items]
            found.append({"tracking": parcel.get("trackingData", {}).get("trackingId", ""), "lines": lines})
    return found


def state(doc: Doc) -> str:
    """The state of an order for people: open, part_shipped, shipped or cancelled, by what its deliveries hold."""
    if doc["orderState"] == "Cancelled":
        return "cancelled"
    shipped: dict[str, int] = {}
    for delivery in doc.get("shippingInfo", {}).get("deliveries", []):
        for item in delivery["items"]:
            shipped[item["id"]] = shipped.get(item["id"], 0) + item["quantity"]
    if not shipped:
        return "open"
    whole = all(shipped.get(item["id"], 0) >= item["quantity"] for item in doc["lineItems"])
    return "shipped" if whole else "part_shipped"
