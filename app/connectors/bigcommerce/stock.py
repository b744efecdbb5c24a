"""Stock reads at BigCommerce: levels of listings, and by which id each one is written (bigcommerce.md 2, 3.4).

Writing is in `adjustments`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.connectors.bigcommerce.client import Client
from app.connectors.bigcommerce.products import ProductFacts, Products
from app.connectors.contract import Priority, StockReading
from app.connectors.errors import Malformed
from tables.catalogue import Listing

_ITEMS = "/v3/inventory/items"
_PAGE = 1000
_FILTER_LENGTH = 4000


class StockReader:
    """Reads listings. `location_id` is the one that listings without their own use."""

    def __init__(self, client: Client, products: Products, location_id: int) -> None:
        self._client, self._products, self._location_id = client, products, location_id

    def location(self, listing: Listing) -> int | None:
        """The listing's location id; None where its location is no number."""
        if not listing.location:
            return self._location_id
        return int(listing.location) if listing.location.isdecimal() else None

    async def read(self, listings: Sequence[Listing], priority: Priority) -> dict[str, StockReading]:
        """A reading of each listing by its id. `peer_id` of a reading is how the item is addressed, `variant_id:78` or `product_id:130`."""
        readings: dict[str, StockReading] = {}
        plain = sorted({x.sku for x in listings if "," not in x.sku})
        for skus in _batches(plain):
            part = [x for x in listings if x.sku in skus]
            readings |= await self._read(part, "sku:in", ",".join(sorted(skus)), priority)
        for sku in sorted({x.sku for x in listings if "," in x.sku}):
            part = [x for x in listings if x.sku == sku]
            ids = await self._products.variant_ids(sku, priority)
            if ids:
                readings |= await self._read(part, "variant_id:in", ",".join(map(str, ids)), priority)
            else:
                at_from, at_to = self._client.peer_time()
                readings |= {x.id: _judge(x, [], {}, self.location(x), at_from, at_to) for x in part}
        return readings

    def forget(self) -> None:
        """Look up again how items are addressed."""
        self._products.forget()

    async def _read(
        self, listings: Sequence[Listing], filter_name: str, values: str, priority: Priority
    ) -> dict[str, StockReading]:
        found = await self._client.list_v3(_ITEMS, priority, {filter_name: values}, _PAGE)
        by_sku: dict[str, list[dict[str, Any]]] = {}
        for row in found.rows:
            by_sku.setdefault(str(row.get("identity", {}).get("sku", "")).casefold(), []).append(row)
        facts = await self._products.facts(_product_ids(found.rows), priority)
        try:
            return {
                x.id: _judge(x, by_sku.get(x.sku.casefold(), []), facts, self.location(x), found.at_from, found.at_to)
                for x in listings
            }
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, f"GET {_ITEMS}", f"an item lacks {error}") from error


def _batches(skus: Sequence[str]) -> Iterable[set[str]]:
    """SKUs in groups whose filter stays short enough for a URL."""
    batch, length = set[str](), 0
    for sku in skus:
        if batch and length + len(sku) + 1 > _FILTER_LENGTH:
            yield batch
            batch, length = set(), 0
        batch.add(sku)
        length += len(sku) + 1
    if batch:
        yield batch


def _product_ids(rows: Iterable[dict[str, Any]]) -> set[int]:
    return {n for row in rows if isinstance(n := row.get("identity", {}).get("product_id"), int)}


def _judge(
    listing: Listing,
    rows: Sequence[dict[str, Any]],
    facts: Mapping[int, ProductFacts],
    location: int | None,
    at_from: int,
    at_to: int,
) -> StockReading:
    """One listing from the items whose SKU is the same but for case. No level at the location yet counts as 0: the platform shows it so (3.3)."""

    def missing(reason: str) -> StockReading:
        return StockReading(listing.id, 0, at_from, at_to, missing=reason)

    if location is None:
        return missing(f"location {listing.location!r} is no location id: give the number from the inventory locations")
    exact = [row for row in rows if row["identity"]["sku"] == listing.sku]
    if not exact and rows:
        return missing(
            f"the store writes SKU {listing.sku!r} as {rows[0]['identity']['sku']!r}: write it so in the products"
        )
    if not exact:
        return missing(f"no stocked item has SKU {listing.sku!r}: create it, or turn its inventory tracking on")
    if len(exact) > 1:
        return missing(f"{len(exact)} items have SKU {listing.sku!r}: make it unique in the catalogue")
    identity = exact[0]["identity"]
    known = facts.get(identity["product_id"])
    if known is None or known.tracking == "none":
        return missing(f"the inventory of {listing.sku!r} is not tracked: set tracking to product or variant level")
    variant_id = identity.get("variant_id")
    if known.tracking == "product" and not known.simple and variant_id is not None:
        return missing(
            f"the product of {listing.sku!r} keeps one stock for all variants: set tracking to variant level"
        )
    by_variant = known.tracking == "variant" and variant_id is not None
    address = f"variant_id:{variant_id}" if by_variant else f"product_id:{identity['product_id']}"
    level = next((row for row in exact[0].get("locations") or [] if row["location_id"] == location), None)
    if level is not None and level.get("location_enabled") is False:
        return missing(f"location {location} is disabled: enable it, its stock cannot be changed")
    quantity = 0 if level is None else int(level.get("total_inventory_onhand") or 0)
    return StockReading(listing.id, quantity, at_from, at_to, peer_id=address, unguarded=unguarded(level))


def unguarded(level: Mapping[str, Any] | None) -> str:
    """Why the store may sell more than it has there (3.10): the limit of back-orders is a setting of the item at its location."""
    limit = {**(level or {}), **((level or {}).get("settings") or {})}.get("backorder_limit")
    return f"back-orders are accepted (backorder_limit {limit})" if limit else ""
