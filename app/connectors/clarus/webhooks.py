"""What a Clarus automation tells us (fact sheet 10): whether it is ours, and which SKUs to read again. Pure.

Bodies are undocumented and unsigned, so they are hints only: nothing in them but product codes and an order's reference is used.
"""

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.connectors.clarus.client import PEER
from app.connectors.clarus.settings import ClarusSettings
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ReadStock

SUBDOMAIN = "x-claruswms-subdomain"
AUTOMATION = "x-claruswms-automation-id"

_LISTS = ("lines", "goods_out_lines", "stocks", "stock_balances", "dispatch_transactions", "transactions")
_PARTS = ("transaction_source", "transaction_target", "stock", "stock_balance", "goods_out")
_DEPTH = 6
_LONGEST = 100


class ClarusIntake:
    """The pure side of Clarus."""

    def __init__(self, settings: ClarusSettings) -> None:
        self._settings = settings

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        """Nothing is signed: the tenant must be ours and the automation one of the configured ones; the path's secret does the rest."""
        ours = hmac.compare_digest(headers.get(SUBDOMAIN, "").encode(), self._settings.subdomain.encode())
        known = self._settings.automations
        return ours and (not known or headers.get(AUTOMATION, "") in known)

    def parse(self, notification: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        """The SKUs to read again; none where the body names no product. ValueError where it is no JSON object."""
        record = _record(notification.body)
        codes = dict.fromkeys(_codes(record, _DEPTH))
        reference = _order(record)
        return [ReadStock(channel=PEER, sku=code, reason="webhook", reference=reference) for code in codes]

    def entity(self, body: bytes) -> str:
        """The product code, else the reference or id of the record; empty where there is none."""
        try:
            record = _record(body)
        except ValueError:
            return ""
        for found in (_product(record), record.get("reference"), record.get("id")):
            if isinstance(found, (str, int)) and not isinstance(found, bool) and found != "":
                return str(found)
        return ""


def _record(body: bytes) -> dict[str, Any]:
    """The record in `{…}`, `{"data": {…}}` or `{"data": {"id", "attributes": {…}}}`."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is not JSON") from error
    if isinstance(given, dict) and isinstance(given.get("data"), dict):
        given = given["data"]
    if not isinstance(given, dict):
        raise ValueError("the body is not a JSON object")
    attributes = given.get("attributes")
    return {**given, **attributes} if isinstance(attributes, dict) else given


def _product(record: Mapping[str, Any]) -> str | None:
    """The product's code: `product` as object or as text, or `product_code`. A number is an id, which only Clarus could resolve."""
    product = record.get("product")
    found = product.get("code") if isinstance(product, dict) else product
    if found is None:
        found = record.get("product_code")
    return found if isinstance(found, str) and found else None


def _order(record: Mapping[str, Any]) -> str:
    """The reference of the goods out that the record is or belongs to; empty where none is named. Another record's own reference is nobody's."""
    inner = record.get("goods_out")
    found = inner.get("reference") if isinstance(inner, dict) else record.get("reference")
    return found if isinstance(found, str) and len(found) <= _LONGEST else ""


def _codes(record: Mapping[str, Any], depth: int) -> Iterator[str]:
    code = _product(record)
    if code is not None:
        yield code
    if depth == 0:
        return
    for name in _PARTS:
        if isinstance(record.get(name), dict):
            yield from _codes(record[name], depth - 1)
    for name in _LISTS:
        many = record.get(name)
        for one in many if isinstance(many, list) else ():
            if isinstance(one, dict):
                yield from _codes(one, depth - 1)
