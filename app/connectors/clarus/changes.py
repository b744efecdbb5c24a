"""A goods out that is there, changed to what a create would have made of the order now (fact sheet 6.1 to 6.4).

Lines are told by their product, the identity that a line has at Clarus for us: those that are there are updated, others added or removed. So a change that
is repeated changes nothing more.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.clarus.client import PEER, ClarusClient, Listed
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.orders import Orders, asked_for
from app.connectors.clarus.quantities import status
from app.connectors.contract import GoodsOut, Priority
from app.connectors.errors import Malformed, Refused
from schemas.records import ReleaseOrder

_REQUEST: Final = "change of a goods out"
_NOT_BEGUN: Final = frozenset({"DRAFT", "PENDING"})
_FIXED: Final = (
    "goods_out_type",
    "account_id",
    "reference",
    "external_system_reference1",
    "external_system_reference2",
)
_ADDRESS_LINES: Final = tuple(f"address_{n}" for n in range(1, 6))


class Changes:
    """Changes of goods outs of the configured account."""

    def __init__(self, client: ClarusClient, lookups: Lookups, orders: Orders) -> None:
        self._client, self._lookups, self._orders = client, lookups, orders

    async def change(self, order: ReleaseOrder, there: GoodsOut, priority: Priority) -> GoodsOut:
        """One PATCH. Everything is looked up first, so that what certainly was not sent never counts as unknown."""
        now = await self._status(order.reference, there.wms_id, priority)
        if now not in _NOT_BEGUN:
            raise Refused(PEER, _REQUEST, f"the goods out is {now}")
        listed = Listed(
            "goods_out_lines", "id product { id }", "GoodsOutLineFilterType", {"goods_out_id": {"eq": there.wms_id}}
        )
        lines = await self._client.rows(listed, priority)
        body = await self._orders.body(order, priority)
        self._make_change(body, order, lines)
        await self._client.send("PATCH", f"/goods_outs/{there.wms_id}", body, priority)
        return GoodsOut(
            there.wms_id,
            order.reference,
            now,
            order.warehouse or there.warehouse,
            asked_for(order),
        )

    async def _status(self, reference: str, wms_id: str, priority: Priority) -> str:
        where = {"account_id": {"eq": await self._lookups.account(priority)}, "reference": {"eq": reference}}
        listed = Listed("goods_outs", "id goods_out_status { code }", "GoodsOutsFilterType", where)
        for row in await self._client.rows(listed, priority):
            if str(row["id"]) == wms_id:
                return status(row["goods_out_status"]["code"], self._client.settings)
        raise Refused(PEER, _REQUEST, "the goods out is not there any more")

    def _make_change(self, body: dict[str, Any], order: ReleaseOrder, lines: Sequence[Mapping[str, Any]]) -> None:
        """The body of a create becomes that of a change: texts that are gone are emptied, as are address lines."""
        data, given = body["data"], self._client.settings
        attributes = data["attributes"]
        attributes.update({name: "" for name, text in order.texts.items() if not text})
        attributes["lines_changes"] = line_changes(attributes["lines_changes"], lines, given.line_removal)
        if given.change_sends == "changed":
            for name in (*_FIXED, *(() if order.leave_at is not None else ("expected_date_of_dispatch",))):
                attributes.pop(name, None)
        address = data.get("relationships", {}).get("address", {}).get("data", {}).get("attributes")
        if address is not None:
            address.update({name: "" for name in _ADDRESS_LINES if name not in address})


def line_changes(
    additions: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], removal: str
) -> list[dict[str, Any]]:
    """From the lines of a create and those that are there to what is to be added, updated and removed."""
    there: dict[int, list[int]] = {}
    try:
        for line in lines:
            there.setdefault(int(line["product"]["id"]), []).append(int(line["id"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(PEER, "goods_out_lines", "a line without its id or product") from error
    changes: list[dict[str, Any]] = []
    for addition in additions:
        attributes = dict(addition["attributes"])
        known = there.get(attributes["product_id"])
        if not known:
            changes.append({"type": "ADD", "attributes": attributes})
            continue
        del attributes["product_id"]
        changes.append({"type": "UPDATE", "id": known.pop(0), "attributes": attributes})
    changes += [{"type": removal, "id": line_id} for left in there.values() for line_id in left]
    return changes
