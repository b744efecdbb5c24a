"""The staff notes of a BigCommerce order (bigcommerce.md 4.3, 4.8): text of the shop's own people, which customers do not see.

The field is written as a whole and has no version, so it is read right before. Nothing else of the order is in the request: its status, lines and stock stay.
"""

from typing import Final

from app.connectors.bigcommerce.client import Client, error_text
from app.connectors.contract import Priority, ShownNote
from app.connectors.errors import Malformed, Refused, Unavailable

_LIMIT: Final = 65_535


class Notes:
    """Staff notes of one store's orders."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, order_id: str, priority: Priority) -> ShownNote | None:
        """The whole field; None for 404."""
        path = f"/v2/orders/{order_id}"
        order = await self._client.find(path, priority)
        if order is None:
            return None
        if not isinstance(order, dict):
            raise Malformed(self._client.name, f"GET {path}", "not an order")
        return ShownNote(str(order.get("staff_notes") or ""))

    async def write(self, order_id: str, text: str, priority: Priority) -> None:
        """Replace the field. 409: nothing happened, look again."""
        path = f"/v2/orders/{order_id}"
        if len(text) > _LIMIT:
            raise Refused(self._client.name, f"PUT {path}", f"its staff notes would be longer than {_LIMIT} characters")
        response = await self._client.send("PUT", path, priority, json={"staff_notes": text})
        if response.status_code == 409:
            raise Unavailable(self._client.name, f"PUT {path}", error_text(response), status=409)
        if response.status_code >= 400:
            detail = f"{response.status_code}: {error_text(response)}"
            raise Refused(self._client.name, f"PUT {path}", detail, status=response.status_code)
