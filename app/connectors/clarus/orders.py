"""Goods outs: find by reference, create, cancel, have picks processed (fact sheet 6). Their changes are in `changes`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.connectors.clarus.bundles import InForce, parts_of
from app.connectors.clarus.client import PEER, ClarusClient, Listed
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.quantities import eaches, out, status
from app.connectors.contract import GoodsOut, Priority
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from app.connectors.times import iso
from schemas.records import Address, ReleaseLine, ReleaseOrder

_ORDER = "id reference goods_out_status { code } warehouse { id code }"
_LINE = "id order_quantity allocated_quantity pick_quantity dispatch_quantity product { id code } goods_out { id }"
_ALREADY_ALLOCATED = "59 "


@dataclass(frozen=True, slots=True)
class LineFigures:
    """Eaches of one product in an order: ordered, no longer available, left."""

    ordered: int = 0
    out: int = 0
    despatched: int = 0


class Orders:
    """Orders of the configured account."""

    def __init__(self, client: ClarusClient, lookups: Lookups, bundles: InForce) -> None:
        self._client, self._lookups, self._bundles = client, lookups, bundles

    async def find(self, references: Sequence[str], priority: Priority) -> dict[str, list[GoodsOut]]:
        """The goods outs with these references, oldest first, with their lines; an empty list where there is none."""
        found: dict[str, list[GoodsOut]] = {reference: [] for reference in references}
        size = self._client.settings.page_size
        wanted = list(found)
        for at in range(0, len(wanted), size):
            chunk = wanted[at : at + size]
            where = {
                "account_id": {"eq": await self._lookups.account(priority)},
                "reference": {"in": chunk} if len(chunk) > 1 else {"eq": chunk[0]},
            }
            rows = await self._client.rows(Listed("goods_outs", _ORDER, "GoodsOutsFilterType", where), priority)
            lines = await self._lines([str(row["id"]) for row in rows], priority)
            for row in sorted(rows, key=lambda row: _age(str(row["id"]))):
                if row["reference"] in found:
                    found[row["reference"]].append(self._goods_out(row, lines.get(str(row["id"]), {})))
        return found

    async def create(self, order: ReleaseOrder, priority: Priority) -> GoodsOut:
        """One create. Look-ups come first, so that what certainly was not sent never counts as unknown."""
        body = await self.body(order, priority)
        answer = await self._client.send("POST", "/goods_outs", body, priority)
        data = answer.get("data")
        if not isinstance(data, dict) or "id" not in data:
            raise OutcomeUnknown(PEER, "POST goods_outs", "the answer holds no id")
        status_now = self._client.settings.created_status
        return GoodsOut(str(data["id"]), order.reference, status_now, _bound(order) or "", asked_for(order))

    async def cancel(self, order: GoodsOut, priority: Priority) -> str:
        """Ask, then look: DELETED, CANCELLED or CANCEL_REFUSED. A pending order is deleted by its cancel (fact sheet 6.4)."""
        request, refused = "cancel of a goods out", ""
        try:
            await self._client.send("POST", f"/goods_outs/{order.wms_id}/cancel", None, priority)
        except Refused as error:
            refused = error.detail
        try:
            seen = (await self.find([order.reference], priority))[order.reference]
        except (Unavailable, Malformed, Refused) as error:
            raise OutcomeUnknown(PEER, request, f"asked; looking afterwards failed: {error.detail}") from error
        now = next((one for one in seen if one.wms_id == order.wms_id), None)
        if now is None:
            return "DELETED"
        if now.status == "CANCELLED":
            return "CANCELLED"
        if refused:
            return "CANCEL_REFUSED"
        raise OutcomeUnknown(PEER, request, f"accepted, but the order is still {now.status}")

    async def process_picks(self, wms_ids: Sequence[str], priority: Priority) -> list[str]:
        """Have orders allocated (fact sheet 6.5); process references to follow it by. Orders that are allocated already are fine: [] then."""
        body = {"ids": [int(wms_id) for wms_id in wms_ids]}
        try:
            answer = await self._client.send("POST", "/goods_out_processes/process_picks_async", body, priority)
        except Refused as error:
            if error.detail.startswith(_ALREADY_ALLOCATED):
                return []
            raise
        return [str(reference) for reference in answer.get("process_references") or []]

    async def _lines(self, order_ids: Sequence[str], priority: Priority) -> dict[str, dict[str, LineFigures]]:
        """Order id to product code to its figures."""
        found: dict[str, dict[str, LineFigures]] = {}
        if not order_ids:
            return found
        where = {"goods_out_id": {"in": list(order_ids)} if len(order_ids) > 1 else {"eq": order_ids[0]}}
        rows = await self._client.rows(Listed("goods_out_lines", _LINE, "GoodsOutLineFilterType", where), priority)
        bundles = self._bundles()
        for row in rows:
            try:
                lines, code = found.setdefault(str(row["goods_out"]["id"]), {}), str(row["product"]["code"])
            except (KeyError, TypeError) as error:
                raise Malformed(PEER, "goods_out_lines", "a line without its order or product") from error
            for part, n in parts_of(code, bundles).items():
                known = lines.get(part, LineFigures())
                lines[part] = LineFigures(
                    known.ordered + n * eaches(row, "order_quantity"),
                    known.out + n * out(row, self._client.settings),
                    known.despatched + n * eaches(row, "dispatch_quantity"),
                )
        return found

    def _goods_out(self, row: Mapping[str, Any], lines: Mapping[str, LineFigures]) -> GoodsOut:
        try:
            code = status(row["goods_out_status"]["code"], self._client.settings)
        except (KeyError, TypeError) as error:
            raise Malformed(PEER, "goods_outs", "an order without a status code") from error
        warehouse = row.get("warehouse") or {}
        return GoodsOut(
            str(row["id"]),
            str(row["reference"]),
            code,
            str(warehouse.get("code") or ""),
            {sku: (line.ordered, line.out) for sku, line in lines.items()},
            {sku: line.despatched for sku, line in lines.items() if line.despatched},
        )

    async def body(self, order: ReleaseOrder, priority: Priority) -> dict[str, Any]:
        """The JSON:API body (fact sheet 6.2, 6.3). `Refused` where something of it is not known to Clarus: nothing was sent then."""
        given = self._client.settings
        ids = await self._lookups.products((line.sku for line in order.lines), priority)
        unknown = [line.sku for line in order.lines if line.sku not in ids]
        if unknown:
            raise Refused(PEER, "create of a goods out", f"Clarus has no product {', '.join(unknown)}")
        now = self._client.peer_time()[1]
        leave_at = now + given.dispatch_within_s * 1000 if order.leave_at is None else max(now, order.leave_at)
        attributes: dict[str, Any] = {
            **given.order_attributes,
            "goods_out_type": given.goods_out_type,
            "account_id": int(await self._lookups.account(priority)),
            "reference": order.reference,
            "external_system_reference1": order.order_key,
            "expected_date_of_dispatch": iso(leave_at),
            **({"priority": order.priority} if order.priority else {}),
            **await self._lookups.parties(order.customer, order.order_type, priority),
            **await self._lookups.carriage(order.carrier, order.service, priority),
            **order.texts,
            "lines_changes": [{"type": "ADD", "attributes": _line(line, int(ids[line.sku]))} for line in order.lines],
        }
        bound = _bound(order)
        if bound is not None:
            warehouses = await self._lookups.warehouses(priority)
            if bound not in warehouses:
                raise Refused(PEER, "create of a goods out", f"{bound} is not one of the configured warehouses")
            attributes["warehouse_id"] = int(warehouses[bound])
        data: dict[str, Any] = {"type": "goods_outs", "attributes": {k: v for k, v in attributes.items() if v != ""}}
        address = _address(order.address) if order.address else {}
        if address:
            data["relationships"] = {"address": {"data": {"type": "addresses", "attributes": address}}}
        return {"data": data}


def asked_for(order: ReleaseOrder) -> dict[str, tuple[int, int]]:
    """The lines of a goods out just made: product code to eaches ordered, and none of them out."""
    total: dict[str, tuple[int, int]] = {}
    for line in order.lines:
        for code, n in (line.parts or {line.sku: 1}).items():
            total[code] = total.get(code, (0, 0))[0] + n * line.eaches, 0
    return total


def _bound(order: ReleaseOrder) -> str | None:
    """The one warehouse the order is for; None leaves the choice to Clarus (fact sheet 6.2)."""
    if order.warehouse:
        return order.warehouse
    named = {line.warehouse for line in order.lines}
    return named.pop() if len(named) == 1 else None


def _line(line: ReleaseLine, product_id: int) -> dict[str, Any]:
    """A line's attributes (fact sheet 6.3), with the lines of the storefront's order that it stands for."""
    given = {
        "product_id": product_id,
        "order_quantity": line.eaches,
        "external_system_reference1": line.reference,
        "alt_line_reference": line.reference,
        "alt_line_number": line.number,
        "alt_product_code": line.code,
        "alt_line_note": line.note,
    }
    return {name: value for name, value in given.items() if value != ""}


def _address(address: Address) -> dict[str, str]:
    """Clarus' address (fact sheet 3.1): the town stands in address_3. Nothing empty is sent."""
    fields = {
        "name": address.name,
        "address_1": address.line1,
        "address_2": address.line2,
        "address_3": address.city,
        "address_4": address.region,
        "address_5": address.extra,
        "postcode": address.postcode,
        "country_code": address.country,
        "email_address": address.email,
        "phone_number": address.phone,
    }
    return {name: value for name, value in fields.items() if value}


def _age(wms_id: str) -> tuple[int, str]:
    return (int(wms_id), "") if wms_id.isdigit() else (0, wms_id)
