"""The project's published variants with barcode and weight, for an audit: product projections by keyset paging. Which attributes hold them is a setting."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from app.connectors.catalogue import CatalogueItem, grams
from app.connectors.commercetools.client import Client, Doc, literal
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Priority, Transport
from app.connectors.errors import Malformed

_PAGE: Final = 100
"""Projections are long: product texts and images come along."""
_FIRST: Final = "00000000-0000-0000-0000-000000000000"


class CommercetoolsCatalogue:
    """As `catalogue.CatalogueReader`."""

    def __init__(self, name: str, settings: CommercetoolsSettings, transport: Transport) -> None:
        self._client, self._settings = Client(name, settings, transport), settings

    async def items(self, priority: Priority) -> AsyncIterator[Sequence[CatalogueItem]]:
        """Every variant with a SKU."""
        after = _FIRST
        while True:
            page = await self._client.query(
                "product-projections", priority, f"id > {literal(after)}", limit=_PAGE, sort=("id asc",)
            )
            try:
                variants = [one for product in page for one in (product["masterVariant"], *product["variants"])]
                found = [self._item(variant) for variant in variants if variant.get("sku")]
                after = str(page[-1]["id"]) if page else after
            except (KeyError, TypeError, AttributeError) as error:
                raise Malformed(
                    self._client.name, "GET product-projections", f"not as documented: {error!r}"
                ) from error
            yield found
            if len(page) < _PAGE:
                return

    def _item(self, variant: Doc) -> CatalogueItem:
        given = self._settings
        values: dict[str, Any] = {one["name"]: one["value"] for one in variant.get("attributes", [])}
        barcode = str(values.get(given.barcode_attribute) or "").strip() if given.barcode_attribute else None
        weight = values.get(given.weight_attribute) if given.weight_attribute else None
        return CatalogueItem(str(variant["sku"]), barcode, grams(weight, given.weight_unit))
