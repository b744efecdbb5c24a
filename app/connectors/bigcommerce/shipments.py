"""Shipments of a BigCommerce order and the status that follows from them (bigcommerce.md 5): one shipment for each of our parcels.

A shipment has no reference of ours: which one is which is told by its id, or by tracking number and items.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.connectors.bigcommerce.client import Client, error_text
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import Priority, ShownOrder
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from schemas.records import ShipParcel
from tables.deliveries.shipments import AtStorefront, Extent, lines_of

_SHIPPED: Final = 2
_STATUSES: Final[dict[Extent, frozenset[int]]] = {"whole": frozenset({2, 10}), "part": frozenset({3})}
_LEFT_ALONE: Final = frozenset({4, 5, 6, 13, 14})
"""Refunded, cancelled, declined, disputed: what people decided is not overwritten."""
_TRACKING_LIMIT: Final = 50


class Shipments:
    """Shipments of one store."""

    def __init__(self, client: Client, settings: BigCommerceSettings) -> None:
        self._client, self._settings = client, settings

    async def read(self, order_id: str, priority: Priority) -> ShownOrder | None:
        """Every shipment of an order; None for 404."""
        path = f"/v2/orders/{order_id}/shipments"
        try:
            rows = await self._client.list_v2(path, priority)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        try:
            return ShownOrder([_shown(row) for row in rows])
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, f"GET {path}", f"a shipment is not as documented: {error!r}") from error

    async def ship(self, parcel: ShipParcel, priority: Priority) -> str:
        """Create a shipment; its id."""
        path = f"/v2/orders/{parcel.order_id}/shipments"
        address = parcel.address or await self._address(parcel.order_id, priority)
        items = [{"order_product_id": int(line_id), "quantity": n} for line_id, n in lines_of(parcel).items()]
        body = {"order_address_id": int(address), "items": items, **self._label(parcel, path)}
        answer = await self._write("POST", path, body, priority)
        if "id" not in answer:
            raise OutcomeUnknown(self._client.name, f"POST {path}", "the answer holds no id")
        return str(answer["id"])

    async def amend(self, parcel: ShipParcel, peer_id: str, priority: Priority) -> None:
        """Change everything but the items."""
        path = f"/v2/orders/{parcel.order_id}/shipments/{peer_id}"
        await self._write("PUT", path, self._label(parcel, path), priority)

    async def remove(self, order_id: str, peer_id: str, priority: Priority) -> None:
        """Delete a shipment; 404: it is gone already."""
        await self._write("DELETE", f"/v2/orders/{order_id}/shipments/{peer_id}", None, priority)

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        """The status follows from shipments by itself where the store does so; else, and after a shipment was deleted, it is written."""
        path = f"/v2/orders/{order_id}"
        order = await self._client.find(path, priority)
        if order is None:
            return
        try:
            status = int(order["status_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, f"GET {path}", "an order without its status") from error
        sent = _STATUSES["whole"] | _STATUSES["part"]
        agrees = status in _STATUSES[extent] if extent in _STATUSES else status not in sent
        if agrees or status in _LEFT_ALONE:
            return
        wanted = {"whole": _SHIPPED, "part": 3, "none": self._settings.reopened_status}[extent]
        await self._write("PUT", path, {"status_id": wanted}, priority)

    def _label(self, parcel: ShipParcel, path: str) -> dict[str, str]:
        if len(parcel.tracking) > _TRACKING_LIMIT:
            detail = f"a tracking number of {len(parcel.tracking)} characters; BigCommerce takes {_TRACKING_LIMIT}"
            raise Refused(self._client.name, f"POST {path}", detail)
        label = {
            "tracking_number": parcel.tracking,
            "shipping_provider": self._settings.shipping_providers.get(parcel.carrier, ""),
            "tracking_carrier": self._settings.tracking_carriers.get(parcel.carrier, ""),
        }
        if parcel.link:
            label["tracking_link"] = parcel.link
        if parcel.also:
            label["comments"] = f"Further parcels: {', '.join(parcel.also)}"
        return label

    async def _address(self, order_id: str, priority: Priority) -> str:
        path = f"/v2/orders/{order_id}/shipping_addresses"
        rows = await self._client.list_v2(path, priority)
        if not rows or "id" not in rows[0]:
            raise Refused(self._client.name, f"GET {path}", "the order has no shipping address")
        return str(rows[0]["id"])

    async def _write(self, method: str, path: str, body: Any, priority: Priority) -> Mapping[str, Any]:
        """The answer's object; {} where there is none. What is gone is deleted; 409 means: nothing happened, look again."""
        response = await self._client.send(method, path, priority, json=body)
        request, status = f"{method} {path}", response.status_code
        if status == 409:
            raise Unavailable(self._client.name, request, error_text(response), status=status)
        if status >= 400 and not (method == "DELETE" and status == 404):
            raise Refused(self._client.name, request, f"{status}: {error_text(response)}", status=status)
        if method == "DELETE" or not response.content:
            return {}
        try:
            answer = response.json()
        except ValueError as error:
            raise OutcomeUnknown(self._client.name, request, "the answer is not JSON", status=status) from error
        return answer if isinstance(answer, dict) else {}


def _shown(row: Mapping[str, Any]) -> AtStorefront:
    lines: dict[str, int] = {}
    for item in row["items"]:
        line_id = str(item["order_product_id"])
        lines[line_id] = lines.get(line_id, 0) + int(item["quantity"])
    return AtStorefront(str(row["id"]), str(row.get("tracking_number") or ""), lines)
