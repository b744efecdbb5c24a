"""A custom field of a commercetools order for the shop's people (fact sheet 5.4, `setCustomField`).

An order has one custom type. One that is there stays, whatever it is, and needs our field in it; only an order without one gets the configured type. Every
write names the order's version, so it lands on what was read or not at all.
"""

from app.connectors.commercetools.client import Client, Doc, error_codes, error_text
from app.connectors.commercetools.shipments import order_path
from app.connectors.contract import Priority, ShownNote
from app.connectors.errors import Malformed, OutcomeUnknown, Unavailable


class Notes:
    """The field of one project's orders. `type_key`: of the type for orders that have none."""

    def __init__(self, client: Client, type_key: str, field: str) -> None:
        self._client, self._type, self._field = client, type_key, field

    async def read(self, order_id: str, priority: Priority) -> ShownNote | None:
        """What the field says; None for 404."""
        order = await self._client.get(order_path(order_id), priority)
        if order is None:
            return None
        custom = order.get("custom")
        try:
            text = str((custom or {}).get("fields", {}).get(self._field) or "")
            return ShownNote(text, int(order["version"]), typed=custom is not None)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, "GET orders", f"not as documented: {error!r}") from error

    async def write(self, order_id: str, text: str, shown: ShownNote, priority: Priority) -> None:
        """Set the field, with the type where the order has none. Another version: nothing happened, look again."""
        action: Doc = {"action": "setCustomField", "name": self._field, "value": text}
        if not shown.typed:
            kind = {"typeId": "type", "key": self._type}
            action = {"action": "setCustomType", "type": kind, "fields": {self._field: text}}
        path = order_path(order_id)
        body = {"version": shown.token, "actions": [action]}
        response = await self._client.send("POST", path, priority, json=body)
        if any(error.get("code") == "ConcurrentModification" for error in error_codes(response)):
            raise Unavailable(self._client.name, "POST orders", error_text(response), status=response.status_code)
        try:
            self._client.read("POST", path, response)
        except Malformed as error:
            raise OutcomeUnknown(self._client.name, "POST orders", error.detail, status=error.status) from error
