"""Returns of the simulated orders (fact sheet 5.6): update actions that change the order in place, with the states that the platform allows."""

from collections.abc import Callable, Mapping
from typing import Any

from app.simulators.base import now_ms
from app.simulators.commercetools.documents import ApiError, Doc, Factory, iso, required

Messages = list[tuple[str, Doc]]
_STARTS = {"Advised": "NonRefundable", "Returned": "Initial"}
_ENDS = frozenset({"BackInStock", "Unusable"})
_DECIDED = frozenset({"Refunded", "NotRefunded"})


def _item(order: Doc, draft: Any, factory: Factory) -> Doc:
    given = draft if isinstance(draft, dict) else {}
    state, line_id = required(given, "shipmentState", str), required(given, "lineItemId", str)
    if state not in _STARTS:
        raise ApiError(400, "InvalidOperation", f"A return item cannot start as '{state}'.")
    line = next((one for one in order["lineItems"] if one["id"] == line_id), None)
    if line is None:
        raise ApiError(400, "InvalidOperation", f"The order has no line item '{line_id}'.")
    now = iso(now_ms())
    item: Doc = {
        "type": "LineItemReturnItem",
        "id": factory.id(),
        "quantity": required(given, "quantity", int),
        "lineItemId": line_id,
        "shipmentState": state,
        "paymentState": _STARTS[state],
        "createdAt": now,
        "lastModifiedAt": now,
    }
    return item | {name: given[name] for name in ("key", "comment", "custom") if given.get(name) is not None}


def _info(order: Doc, draft: Any, factory: Factory) -> Doc:
    given = draft if isinstance(draft, dict) else {}
    items = [_item(order, one, factory) for one in required(given, "items", list)]
    kept = {"returnTrackingId": given["returnTrackingId"]} if given.get("returnTrackingId") else {}
    return {"items": items, "returnDate": given.get("returnDate") or iso(now_ms()), **kept}


def _find(order: Doc, action: Doc) -> Doc:
    id, key = action.get("returnItemId"), action.get("returnItemKey")
    for info in order["returnInfo"]:
        for item in info["items"]:
            if (id is not None and item["id"] == id) or (key is not None and item.get("key") == key):
                found: Doc = item
                return found
    raise ApiError(400, "InvalidOperation", f"The order has no return item '{id or key}'.")


def add(order: Doc, action: Doc, factory: Factory) -> Messages:
    """`addReturnInfo`."""
    info = _info(order, action, factory)
    if not info["items"]:
        raise ApiError(400, "InvalidOperation", "A return needs at least one item.")
    order["returnInfo"].append(info)
    return [("ReturnInfoAdded", {"returnInfo": info})]


def replace(order: Doc, action: Doc, factory: Factory) -> Messages:
    """`setReturnInfo`: all returns are made anew, with new ids."""
    order["returnInfo"] = [_info(order, draft, factory) for draft in action.get("items") or []]
    return [("ReturnInfoSet", {"returnInfo": order["returnInfo"]})]


def set_shipment_state(order: Doc, action: Doc, factory: Factory) -> Messages:
    """`setReturnShipmentState`: only from Returned, to BackInStock or Unusable."""
    item, state = _find(order, action), required(action, "shipmentState", str)
    if item["shipmentState"] != "Returned" or state not in _ENDS:
        raise ApiError(400, "InvalidOperation", f"A return item does not go from {item['shipmentState']} to {state}.")
    item.update(shipmentState=state, lastModifiedAt=iso(now_ms()))
    told = {"returnItemId": item["id"], "returnShipmentState": state}
    return [("OrderReturnShipmentStateChanged", told)]


def set_payment_state(order: Doc, action: Doc, factory: Factory) -> Messages:
    """`setReturnPaymentState`: never of an item that is only advised; no message is documented."""
    item, state = _find(order, action), required(action, "paymentState", str)
    if item["paymentState"] == "NonRefundable" or state not in _DECIDED:
        raise ApiError(400, "InvalidOperation", f"A return item does not go from {item['paymentState']} to {state}.")
    item.update(paymentState=state, lastModifiedAt=iso(now_ms()))
    return []


ACTIONS: Mapping[str, Callable[[Doc, Doc, Factory], Messages]] = {
    "addReturnInfo": add,
    "setReturnInfo": replace,
    "setReturnShipmentState": set_shipment_state,
    "setReturnPaymentState": set_payment_state,
}
