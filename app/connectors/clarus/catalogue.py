"""The account's products at Clarus with barcode and units in a case, for an audit (fact sheet 2.2, 4.2). A weight is told by a field of the tenant only."""

from collections.abc import AsyncIterator, Sequence

from app.connectors.catalogue import CatalogueItem, grams
from app.connectors.clarus.client import ClarusClient, Listed, Node
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import Priority, Transport


class ClarusCatalogue:
    """As `catalogue.CatalogueReader`."""

    def __init__(self, settings: ClarusSettings, transport: Transport, warehouses: Sequence[str]) -> None:
        self._client, self._weight = ClarusClient(settings, transport), settings.product_weight
        self._unit = settings.product_weight_unit
        self._lookups = Lookups(self._client, warehouses)

    async def items(self, priority: Priority) -> AsyncIterator[Sequence[CatalogueItem]]:
        """Every product of the account."""
        where = {"account_id": {"eq": await self._lookups.account(priority)}}
        node = f"id code barcode units_per_case {self._weight}".rstrip()
        async for _, rows, _ in self._client.pages(
            {"products": Listed("products", node, "ProductsFilterType", where)}, priority
        ):
            yield [self._item(row) for row in rows if row.get("code")]

    def _item(self, row: Node) -> CatalogueItem:
        case = str(row.get("units_per_case") or "").removesuffix(".0")
        return CatalogueItem(
            str(row["code"]),
            str(row.get("barcode") or "").strip(),
            grams(row.get(self._weight), self._unit) if self._weight else None,
            int(case) if case.isdecimal() and int(case) > 0 else None,
        )
