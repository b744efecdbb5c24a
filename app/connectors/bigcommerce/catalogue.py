"""The store's variants with barcode and weight, for an audit (bigcommerce.md 2): one list, and the store's unit of weight."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from app.connectors.bigcommerce.client import Client
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.catalogue import CatalogueItem, grams
from app.connectors.contract import Priority, Transport

_UNITS: Final = {"Grams": "g", "KGS": "kg", "Ounces": "oz", "LBS": "lb", "Tonnes": "t"}
_FIELDS: Final = "sku,upc,gtin,calculated_weight"


class BigCommerceCatalogue:
    """As `catalogue.CatalogueReader`."""

    def __init__(self, name: str, settings: BigCommerceSettings, transport: Transport) -> None:
        self._client = Client(name, settings, transport)

    async def items(self, priority: Priority) -> AsyncIterator[Sequence[CatalogueItem]]:
        """Every variant; a product without variants is its base variant."""
        body = await self._client.get("/v3/settings/store/units-of-measurement", priority)
        data = body.get("data") if isinstance(body, dict) else None
        unit = _UNITS.get(str(data.get("weight_measurement")), "") if isinstance(data, dict) else ""
        listed = await self._client.list_v3("/v3/catalog/variants", priority, {"include_fields": _FIELDS})
        yield [
            CatalogueItem(
                str(row["sku"]),
                str(row.get("gtin") or row.get("upc") or "").strip(),
                grams(row.get("calculated_weight"), unit),
            )
            for row in listed.rows
            if row.get("sku")
        ]
