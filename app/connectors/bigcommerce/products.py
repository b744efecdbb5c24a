"""Which items of the store keep stock, and by which id they are addressed (bigcommerce.md 2): look-ups in the catalogue, cached for a while."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from app.connectors.bigcommerce.client import Client
from app.connectors.contract import Priority

_BATCH = 250
_KEPT = 15 * 60 * 1000


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """How a product keeps stock: `tracking` is none, product or variant; `simple` where it has one variant only."""

    tracking: str
    simple: bool


class Products:
    """Look-ups by product id; what was read counts for a quarter of an hour by the platform's clock."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: TTLCache[int, ProductFacts] = TTLCache(100_000, _KEPT, timer=lambda: client.peer_time()[1])

    async def facts(self, product_ids: Iterable[int], priority: Priority) -> dict[int, ProductFacts]:
        """Facts of these products; one that the store does not have is left out."""
        wanted = sorted(set(product_ids))
        found = {n: facts for n in wanted if (facts := self._known.get(n)) is not None}
        missing = [n for n in wanted if n not in found]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            params = {"id:in": ",".join(map(str, batch)), "include_fields": "inventory_tracking,base_variant_id"}
            for row in (await self._client.list_v3("/v3/catalog/products", priority, params)).rows:
                if isinstance(number := row.get("id"), int):
                    found[number] = self._known[number] = _facts(row)
        return found

    def forget(self) -> None:
        """Read everything again when it is asked for: an answer contradicted what was known."""
        self._known.clear()

    async def variant_ids(self, sku: str, priority: Priority) -> list[int]:
        """Variants with exactly this SKU: for SKUs that a list filter cannot express."""
        found = await self._client.list_v3("/v3/catalog/variants", priority, {"sku": sku, "include_fields": "sku"})
        return [row["id"] for row in found.rows if row.get("sku") == sku and isinstance(row.get("id"), int)]


def _facts(row: dict[str, Any]) -> ProductFacts:
    return ProductFacts(str(row.get("inventory_tracking", "none")), row.get("base_variant_id") is not None)
