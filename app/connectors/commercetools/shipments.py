"""Deliveries and parcels of a commercetools order (fact sheet 5.4, 5.5): one delivery with one parcel for each of ours, under our key.

Every write names the order's version, so nothing of ours lands twice or on an order that changed meanwhile: it is read again then.
"""

from typing import Any, Final
from urllib.parse import quote

from app.connectors.commercetools.client import Client, Doc, error_codes, error_text
from app.connectors.contract import Priority, ShownOrder
from app.connectors.errors import Malformed, OutcomeUnknown, Unavailable
from schemas.records import ShipParcel
from tables.deliveries.shipments import AtStorefront, Extent, lines_of

_STATES: Final[dict[Extent, str]] = {"none": "Pending", "part": "Partial", "whole": "Shipped"}
_EXTENTS: Final[dict[str, Extent]] = {"Partial": "part", "Shipped": "whole", "Delivered": "whole"}
_MEANWHILE: Final = frozenset({"ConcurrentModification", "DuplicateField"})
"""Nothing of ours landed with this request: another version, or our key, is there already."""


class Shipments:
    """Deliveries of the orders of one project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, order_id: str, priority: Priority) -> ShownOrder | None:
        """Every delivery of an order; None for 404."""
        order = await self._client.get(order_path(order_id), priority)
        if order is None:
            return None
        try:
            shown = [_shown(delivery) for delivery in _deliveries(order)]
            return ShownOrder(shown, int(order["version"]), _extent(order))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, "GET orders", f"a delivery is not as documented: {error!r}") from error

    async def ship(self, parcel: ShipParcel, extent: Extent, shown: ShownOrder, priority: Priority) -> str:
        """`addDelivery` and the order's shipment state in one request; the delivery's id."""
        items = [{"id": line_id, "quantity": units} for line_id, units in lines_of(parcel).items()]
        first = {"key": parcel.key, "items": items, **_tracked(parcel.tracking, parcel.carrier)}
        others = [
            {"key": f"{parcel.key}-{n}", **_tracked(number, parcel.carrier)} for n, number in enumerate(parcel.also, 2)
        ]
        action = {"action": "addDelivery", "deliveryKey": parcel.key, "items": items, "parcels": [first, *others]}
        actions: list[Doc] = [action]
        if shown.extent != extent:
            actions.append(_change(extent))
        order = await self._update(parcel.order_id, shown.token, actions, priority)
        return next((one.peer_id for one in map(_shown, _deliveries(order)) if one.key == parcel.key), "")

    async def amend(self, parcel: ShipParcel, shown: ShownOrder, priority: Priority) -> None:
        """`setParcelTrackingData` of the parcel under our key."""
        action = {"action": "setParcelTrackingData", "parcelKey": parcel.key}
        await self._update(parcel.order_id, shown.token, [action | _tracked(parcel.tracking, parcel.carrier)], priority)

    async def remove(self, order_id: str, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """`removeDelivery`, its parcels with it."""
        await self._update(order_id, shown.token, [{"action": "removeDelivery", "deliveryId": peer_id}], priority)

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        """`changeShipmentState` where the order says something else; a cancelled order is left alone."""
        order = await self._client.get(order_path(order_id), priority)
        if order is None or order.get("orderState") == "Cancelled" or _extent(order) == extent:
            return
        await self._update(order_id, int(order["version"]), [_change(extent)], priority)

    async def _update(self, order_id: str, version: int, actions: list[Doc], priority: Priority) -> Doc:
        path = order_path(order_id)
        response = await self._client.send("POST", path, priority, json={"version": version, "actions": actions})
        if not response.is_success and any(error.get("code") in _MEANWHILE for error in error_codes(response)):
            raise Unavailable(self._client.name, "POST orders", error_text(response), status=response.status_code)
        try:
            return self._client.read("POST", path, response)
        except Malformed as error:
            raise OutcomeUnknown(self._client.name, "POST orders", error.detail, status=error.status) from error


def order_path(order_id: str) -> str:
    """Path of an order by its id."""
    return f"orders/{quote(order_id, safe='')}"


def _deliveries(order: Doc) -> list[Doc]:
    """Of the order's one shipping method, or of all of them (shipping mode Multiple)."""
    infos = [order.get("shippingInfo"), *(one.get("shippingInfo") for one in order.get("shipping") or [])]
    return [delivery for info in infos if info for delivery in info.get("deliveries") or []]


def _shown(delivery: Doc) -> AtStorefront:
    parcels = delivery.get("parcels") or []
    tracking = (parcels[0].get("trackingData") or {}).get("trackingId") or "" if parcels else ""
    lines: dict[str, int] = {}
    for item in delivery.get("items") or []:
        lines[str(item["id"])] = lines.get(str(item["id"]), 0) + int(item["quantity"])
    return AtStorefront(str(delivery["id"]), str(tracking), lines, str(delivery.get("key") or ""))


def _extent(order: Doc) -> Extent:
    return _EXTENTS.get(str(order.get("shipmentState") or ""), "none")


def _change(extent: Extent) -> Doc:
    return {"action": "changeShipmentState", "shipmentState": _STATES[extent]}


def _tracked(tracking: str, carrier: str) -> dict[str, Any]:
    """Nothing where there is no number: absent tracking data are none (fact sheet 5.4)."""
    if not tracking:
        return {}
    return {"trackingData": {"trackingId": tracking, **({"carrier": carrier} if carrier else {})}}
