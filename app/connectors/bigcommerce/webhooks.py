"""BigCommerce webhooks: is it from the store, and which order is to be fetched (bigcommerce.md 7). Thin: the order itself is never in them. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from app.connectors.bigcommerce.settings import BigCommerceSettings
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ReadStock

_ORDER_SCOPE = re.compile(r"^store/(channel/\d+/)?order/")


class BigCommerceIntake:
    """The pure side of a BigCommerce channel."""

    def __init__(self, name: str, settings: BigCommerceSettings) -> None:
        self._name = name
        self._producer = f"stores/{settings.store_hash}"
        self._key = settings.client_secret.get_secret_value().encode()
        self._header = settings.webhook_header.lower()
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._window_ms = settings.webhook_window * 1000

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        """Where it is signed and the client secret is configured, the signature decides (Standard Webhooks, 7.4); else the custom secret header does."""
        if "webhook-signature" in headers and self._key:
            return self._signed(headers, body, now_ms)
        given = headers.get(self._header, "").encode()
        return bool(self._secret) and hmac.compare_digest(given, self._secret)

    def _signed(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        timestamp = headers.get("webhook-timestamp", "")
        if not timestamp.isdecimal() or abs(now_ms - int(timestamp) * 1000) > self._window_ms:
            return False
        wanted = signature(self._key, headers.get("webhook-id", ""), timestamp, body)
        return any(hmac.compare_digest(wanted, digest) for digest in _digests(headers["webhook-signature"]))

    def parse(self, notification: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        """Every event about an order means: fetch it. Other events mean nothing. ValueError where it cannot be read or is another store's."""
        try:
            payload = json.loads(notification.body)
        except ValueError as error:
            raise ValueError("the body is not JSON") from error
        if not isinstance(payload, dict):
            raise ValueError("the body is not a JSON object")
        if payload.get("producer", self._producer) != self._producer:
            raise ValueError("it is another store's")
        scope = str(payload.get("scope"))
        if not _ORDER_SCOPE.match(scope):
            return []
        order_id = _order_id(payload)
        if not order_id:
            raise ValueError(f"{scope} without an order id")
        return [FetchOrder(channel=self._name, order_id=order_id)]

    def entity(self, body: bytes) -> str:
        """The order's id; empty where it cannot be told."""
        try:
            payload = json.loads(body)
        except ValueError:
            return ""
        return _order_id(payload) if isinstance(payload, dict) else ""


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    """HMAC-SHA256 over id, timestamp and the raw body, as Standard Webhooks says."""
    return hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()


def _order_id(payload: Mapping[str, Any]) -> str:
    """An order's id: `id` of an order, `order_id` of a transaction or a channel's event, `resource_id` of an order's metafield (7.3)."""
    data = payload.get("data")
    if not isinstance(data, dict):
        return ""
    names = ("order_id", "resource_id", "id") if data.get("type") != "order" else ("id",)
    found = next((data[name] for name in names if data.get(name) is not None), "")
    text = str(found)
    return text if text.isdecimal() else ""


def _digests(header: str) -> list[bytes]:
    """The `v1` signatures of the header, which may hold several, separated by blanks."""
    digests = []
    for entry in header.split():
        version, _, encoded = entry.partition(",")
        if version == "v1":
            try:
                digests.append(base64.b64decode(encoded, validate=True))
            except binascii.Error:
                continue
    return digests
