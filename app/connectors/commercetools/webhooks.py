"""Notifications of a commercetools subscription, from its Kafka destination: whole orders where a message holds one, else what to fetch (fact sheet section 6).

They come late, twice and in any order; what is newer is decided by the order's version, elsewhere.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.connectors.commercetools.orders import snapshot, supply_channels
from app.connectors.commercetools.settings import CommercetoolsSettings
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ReadStock

_WHOLE_ORDER = frozenset({"OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"})
_CHANGES = frozenset({"ResourceCreated", "ResourceUpdated", "ResourceDeleted"})


class CommercetoolsIntake:
    """As `contract.Intake`, for the Platform format and the same wrapped as CloudEvents."""

    def __init__(self, name: str, settings: CommercetoolsSettings) -> None:
        self._name, self._settings = name, settings
        self._locations = {id: key for key, id in settings.supply_channels.items()}

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        """commercetools signs nothing: who may write to the destination's topic is decided by that cluster."""
        return True

    def parse(self, notification: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        """The order, or what to fetch; nothing for other resources, test notifications and other projects. ValueError where it cannot be read."""
        envelope = _envelope(notification.body)
        resource = envelope.get("resource")
        if not isinstance(resource, dict) or envelope.get("projectKey") != self._settings.project_key:
            return []
        if resource.get("typeId") != "order":
            return []
        order_id = resource.get("id")
        if not isinstance(order_id, str) or not order_id:
            raise ValueError("a notification about an order without its id")
        kind = envelope.get("notificationType")
        if kind == "Message" and envelope.get("type") in _WHOLE_ORDER and isinstance(envelope.get("order"), dict):
            order = envelope["order"]
            if supply_channels(order) <= self._locations.keys():
                return [snapshot(self._name, self._settings, order, self._locations)]
        if kind == "Message" or kind in _CHANGES:
            return [FetchOrder(channel=self._name, order_id=order_id)]
        return []

    def entity(self, body: bytes) -> str:
        """The id of the resource it is about."""
        try:
            resource = _envelope(body).get("resource")
        except ValueError:
            return ""
        return str(resource.get("id", "")) if isinstance(resource, dict) else ""


def _envelope(body: bytes) -> dict[str, Any]:
    """The Platform envelope, taken out of a CloudEvent where it is in one."""
    try:
        envelope = msgspec.json.decode(body)
    except ValueError as error:
        raise ValueError(f"a notification that is not JSON: {error}") from error
    if isinstance(envelope, dict) and "specversion" in envelope:
        envelope = envelope.get("data")
    if not isinstance(envelope, dict):
        raise ValueError("a notification that is not a JSON object")
    return envelope
