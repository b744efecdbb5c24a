"""Returns at Clarus: goods-in receipts, as it has no resource of their own (fact sheet 8): find by reference, create.

How much of a line arrived and what the inspection made of it is not documented for the API: `clarus.receipt_lines` names the field of the tenant's schema that
lists a receipt's lines, `clarus.receipt_line_fields` the quantities in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.clarus.client import PEER, ClarusClient, Listed, Node
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.quantities import eaches
from app.connectors.contract import Priority
from app.connectors.errors import Malformed, OutcomeUnknown, Refused
from schemas.records import AnnounceReturn, ReceiptState
from tables.deliveries.receipts import SeenReceipt

_RECEIPT: Final = "id reference status"
_STATES: Final[Mapping[str, ReceiptState]] = {
    "announced": "ANNOUNCED",
    "received": "RECEIVED",
    "completed": "COMPLETED",
    "gone": "GONE",
}
_FIGURES: Final = ("received", "restocked", "quarantined", "scrapped")
_REQUEST: Final = "create of a goods-in receipt"


class Returns:
    """Receipts of returns of the configured account."""

    def __init__(self, client: ClarusClient, lookups: Lookups) -> None:
        self._client, self._lookups = client, lookups
        given = client.settings
        self._fields: dict[str, str] = given.receipt_line_fields.model_dump()
        lines = f" {given.receipt_lines} {{ {' '.join(self._fields.values())} product {{ code }} }}"
        self._node = _RECEIPT + (lines if given.receipt_lines else "")

    async def find(self, returns: Sequence[AnnounceReturn], priority: Priority) -> dict[str, list[SeenReceipt]]:
        """The receipts with these references, the oldest first; an empty list where there is none."""
        found: dict[str, list[SeenReceipt]] = {one.reference: [] for one in returns}
        names, size = list(found), self._client.settings.page_size
        for at in range(0, len(names), size):
            chunk = names[at : at + size]
            where = {
                "account_id": {"eq": await self._lookups.account(priority)},
                "reference": {"in": chunk} if len(chunk) > 1 else {"eq": chunk[0]},
            }
            rows = await self._client.rows(
                Listed("goods_in_receipts", self._node, "InboundGoodFilterType", where), priority
            )
            for row in sorted(rows, key=lambda row: _age(str(row["id"]))):
                if row["reference"] in found:
                    found[row["reference"]].append(self._seen(row))
        return found

    async def announce(self, given: AnnounceReturn, warehouse: str, priority: Priority) -> str:
        """One create. Look-ups come first, so that what certainly was not sent never counts as unknown."""
        ids = await self._lookups.products(given.lines, priority)
        unknown = [code for code in given.lines if code not in ids]
        if unknown:
            raise Refused(PEER, _REQUEST, f"Clarus has no product {', '.join(unknown)}")
        warehouses = await self._lookups.warehouses(priority)
        if warehouse not in warehouses:
            raise Refused(
                PEER, _REQUEST, f"{warehouse} is not one of the configured warehouses; check settings.returns"
            )
        sent = f"; tracking {given.tracking}" if given.tracking else ""
        why = f": {given.reason}" if given.reason else ""
        attributes: dict[str, Any] = {
            "account_id": int(await self._lookups.account(priority)),
            "warehouse_id": int(warehouses[warehouse]),
            "reference": given.reference,
            "external_system_reference1": given.order_key,
            "external_system_reference2": given.number,
            "external_system_reference3": given.return_id,
            "notes": f"Return of order {given.number}{why}{sent}",
            **self._client.settings.return_attributes,
            "lines_changes": [
                {"type": "ADD", "attributes": {"product_id": int(ids[code]), "expected_quantity": n}}
                for code, n in given.lines.items()
            ],
        }
        body = {"data": {"type": "goods_in_receipts", "attributes": attributes}}
        answer = await self._client.send("POST", "/goods_in_receipts", body, priority)
        data = answer.get("data")
        if not isinstance(data, dict) or "id" not in data:
            raise OutcomeUnknown(PEER, "POST goods_in_receipts", "the answer holds no id")
        return str(data["id"])

    def _seen(self, row: Node) -> SeenReceipt:
        given = self._client.settings
        meaning = given.receipt_statuses.get(str(row.get("status") or "").upper(), "received")
        if not given.receipt_lines:
            return SeenReceipt(str(row["id"]), _STATES[meaning], lines=False)
        lines = row.get(given.receipt_lines)
        if not isinstance(lines, list):
            raise Malformed(PEER, "goods_in_receipts", f"{given.receipt_lines} is no list; check clarus.receipt_lines")
        sums: dict[str, dict[str, int]] = {name: {} for name in self._fields}
        for line in lines:
            code = str((line.get("product") or {}).get("code") or "")
            for name, field in self._fields.items():
                sums[name][code] = sums[name].get(code, 0) + eaches(line, field)
        received, restocked, quarantined, scrapped = (sums[name] for name in _FIGURES)
        return SeenReceipt(str(row["id"]), _STATES[meaning], received, restocked, quarantined, scrapped)


def _age(wms_id: str) -> tuple[int, str]:
    return (int(wms_id), "") if wms_id.isdigit() else (0, wms_id)
