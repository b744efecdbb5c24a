"""Inventory entries: batched reads, and version-checked differences that carry our marker in the same request (ledger.md R6, fact sheet section 3).

Only `addQuantity` and `removeQuantity` are used: an absolute write would erase orders that are not visible yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import httpx

from app.connectors.commercetools.client import (
    MAX_WHERE,
    Client,
    Doc,
    encoded_length,
    error_codes,
    error_text,
    literal,
    one_of,
)
from app.connectors.contract import AnswerKind, Marker, Priority, StockAnswer, StockReading, StockRequest
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Unavailable
from app.connectors.http import retry_after
from tables.catalogue import Listing


def write_marker(marker: Marker) -> str:
    """`epoch:attempt:gross`."""
    return f"{marker.epoch}:{marker.attempt}:{marker.gross}"


def read_marker(text: object) -> Marker | None:
    """The marker in a field's value; None where it is not one of ours."""
    parts = text.split(":") if isinstance(text, str) else []
    try:
        epoch, attempt, gross = map(int, parts)
    except ValueError:
        return None
    return Marker(epoch, attempt, gross)


def predicates(wanted: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, int]]:
    """Predicates for SKUs by channel id ("" for channel-less entries), each short enough for a URL, with the number of entries it can match."""
    for channel, skus in wanted.items():
        place = f"supplyChannel(id={literal(channel)})" if channel else "supplyChannel is not defined"
        base, length, part = encoded_length(f"sku in () and {place}"), 0, list[str]()
        for sku in skus:
            size = encoded_length(literal(sku) + ",")
            if part and base + length + size > MAX_WHERE:
                yield f"{one_of('sku', part)} and {place}", len(part)
                part, length = [], 0
            part.append(sku)
            length += size
        if part:
            yield f"{one_of('sku', part)} and {place}", len(part)


def unguarded(entry: Doc, quantity: int) -> str:
    """Why the storefront may sell more of it than it shows, as far as the entry tells (fact sheet 3.6, 3.7)."""
    if "restockableInDays" in entry:
        return "its inventory entry has restockableInDays: orders are accepted beyond its stock"
    reserved = quantity - int(entry.get("availableQuantity", quantity))
    if reserved > 0:
        return f"{reserved} units are reserved by carts, whose reservations outlive a decrease"
    return ""


class Stock:
    """Reads and writes of one project's inventory. Keeps which custom type an entry has, as a look-up cache."""

    def __init__(self, client: Client, marker_type: str, marker_field: str) -> None:
        self._client, self._type_key, self._field = client, marker_type, marker_field
        self._type_of: dict[str, str] = {}
        self._has_field: dict[str, bool] = {}

    # ---- reading -----------------------------------------------------------------------------------------------------------------------

    async def read(self, listings: Sequence[Listing], priority: Priority) -> Mapping[str, StockReading]:
        """A reading for each listing, by listing id; `missing` where there is no entry, or its custom type has no place for our marker."""
        channels = await self._client.channel_ids((x.location for x in listings if x.location), priority)
        wanted, readings = dict[str, list[str]](), dict[str, StockReading]()
        by_place: dict[tuple[str, str], Listing] = {}
        for listing in listings:
            channel = channels.get(listing.location) if listing.location else ""
            if channel is None:
                text = (
                    f"the project has no supply channel with key {listing.location}: create it or correct the location"
                )
                readings[listing.id] = StockReading(listing.id, 0, 0, 0, missing=text)
                continue
            wanted.setdefault(channel, []).append(listing.sku)
            by_place[channel, listing.sku] = listing
        for where, count in predicates(wanted):
            before = self._client.peer_time()[0]
            entries = await self._client.query("inventory", priority, where, limit=min(count, 500))
            after = self._client.peer_time()[1]
            for entry in entries:
                key = entry.get("supplyChannel", {}).get("id", ""), entry["sku"]
                if (found := by_place.get(key)) is not None:
                    readings[found.id] = await self._reading(found, entry, before, after, priority)
        for listing in listings:
            if listing.id not in readings:
                place = f"at {listing.location}" if listing.location else "without a supply channel"
                text = f"no inventory entry for SKU {listing.sku} {place}: create it in the project"
                readings[listing.id] = StockReading(listing.id, 0, 0, 0, missing=text)
        return readings

    async def _reading(self, listing: Listing, entry: Doc, before: int, after: int, priority: Priority) -> StockReading:
        kind = self._remember(entry)
        marker = read_marker((entry.get("custom") or {}).get("fields", {}).get(self._field))
        missing = ""
        if kind and marker is None and not await self._takes_marker(kind, priority):
            missing = (
                f"the inventory entry of SKU {listing.sku} has a custom type without our field:"
                f" add a String field {self._field} to that type, or remove the type from the entry"
            )
        quantity, version = entry["quantityOnStock"], entry["version"]
        return StockReading(
            listing.id, quantity, before, after, entry["id"], version, marker, missing, unguarded(entry, quantity)
        )

    async def _takes_marker(self, type_id: str, priority: Priority) -> bool:
        if not self._has_field.get(type_id, False):
            kind = await self._client.get(f"types/{quote(type_id, safe='')}", priority) or {}
            self._has_field[type_id] = any(d["name"] == self._field for d in kind.get("fieldDefinitions", []))
        return self._has_field[type_id]

    def _remember(self, entry: Doc) -> str:
        kind: str = (entry.get("custom") or {}).get("type", {}).get("id", "")
        self._type_of[entry["id"]] = kind
        return kind

    # ---- writing -----------------------------------------------------------------------------------------------------------------------

    async def write(self, request: StockRequest, priority: Priority) -> StockAnswer:
        """One version-checked difference with its marker; raises nothing but cancellation."""
        listing = request.listing.id
        if request.zero or request.delta == 0 or not request.peer_id:
            return StockAnswer(
                listing, AnswerKind.FAILED, detail="commercetools takes differences to a known entry only"
            )
        path = f"inventory/{quote(request.peer_id, safe='')}"
        try:
            actions = await self._actions(request, path, priority)
        except PeerError as error:
            gone = error.status == 404
            kind = AnswerKind.FAILED if gone else AnswerKind.NOT_SENT
            return StockAnswer(listing, kind, detail=str(error), retry_after=error.retry_after)
        before = self._client.peer_time()[0]
        try:
            body = {"version": request.peer_version, "actions": actions}
            response = await self._client.send("POST", path, priority, json=body)
            return self._answer(request, response, before)
        except Unavailable as error:
            return StockAnswer(listing, AnswerKind.NOT_SENT, detail=str(error), retry_after=error.retry_after)
        except (OutcomeUnknown, Malformed) as error:
            after = self._client.peer_time()[1]
            return StockAnswer(listing, AnswerKind.UNKNOWN, before, after, 0, str(error), error.retry_after)

    async def _actions(self, request: StockRequest, path: str, priority: Priority) -> list[Doc]:
        kind = self._type_of.get(request.peer_id)
        if kind is None:
            entry = self._client.read("GET", path, await self._client.send("GET", path, priority))
            kind = self._remember(entry)
        change = {"action": "addQuantity" if request.delta > 0 else "removeQuantity", "quantity": abs(request.delta)}
        marker = write_marker(Marker(request.epoch, request.attempt, request.gross))
        if kind:
            return [change, {"action": "setCustomField", "name": self._field, "value": marker}]
        ours = {"typeId": "type", "key": self._type_key}
        return [change, {"action": "setCustomType", "type": ours, "fields": {self._field: marker}}]

    def _answer(self, request: StockRequest, response: httpx.Response, before: int) -> StockAnswer:
        listing, status, after = request.listing.id, response.status_code, self._client.peer_time()[1]
        if response.is_success:
            entry = self._client.read("POST", "inventory", response)
            version = entry.get("version")
            if not isinstance(version, int):
                raise Malformed(self._client.name, "POST inventory", "the updated entry has no version")
            self._remember(entry)
            return StockAnswer(listing, AnswerKind.OK, before, after, version)
        if not self._type_of.get(request.peer_id):
            # Without a type the next write sets one: look again first, somebody else may have set theirs.
            self._type_of.pop(request.peer_id, None)
        if status == 409:
            current = next((e["currentVersion"] for e in error_codes(response) if "currentVersion" in e), 0)
            version = current if isinstance(current, int) else 0
            return StockAnswer(listing, AnswerKind.CONFLICT, before, after, version, error_text(response))
        self._type_of.pop(request.peer_id, None)
        kind = AnswerKind.UNKNOWN if status == 408 else AnswerKind.FAILED
        return StockAnswer(listing, kind, before, after, 0, error_text(response), retry_after(response))
