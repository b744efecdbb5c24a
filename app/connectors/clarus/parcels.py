"""What left of a goods out: its shipments and their packages (fact sheet 7.3).

A shipment does not show its order, so each order has a list of its own in the one request. What is in a package is not documented: `clarus.package_contents`
names the field of the tenant's schema that tells it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.clarus.bundles import InForce, parts_of
from app.connectors.clarus.client import PEER, ClarusClient, Listed, Node
from app.connectors.clarus.orders import Orders
from app.connectors.clarus.quantities import eaches
from app.connectors.contract import Despatch, GoodsOut, Package, Priority
from app.connectors.errors import Malformed

AT_ONCE: Final = 20
"""Orders in one request: each is a list of its own there."""
_SHIPMENT: Final = "id carrier { id code } carrier_service { id code }"
_PACKAGE: Final = "id tracking_number shipment { id }"


class Parcels:
    """Packages of goods outs."""

    def __init__(self, client: ClarusClient, orders: Orders, bundles: InForce) -> None:
        self._client, self._orders, self._bundles = client, orders, bundles
        contents = client.settings.package_contents
        self._node = f"{_PACKAGE} {contents} {{ quantity product {{ id code }} }}" if contents else _PACKAGE

    async def read(
        self, references: Sequence[str], priority: Priority, known: Mapping[str, GoodsOut]
    ) -> dict[str, Despatch]:
        """Orders first, packages afterwards: a package may be ahead of the order's figures, never behind what is said of them to be complete."""
        asked = [name for name in references if name not in known]
        found = await self._orders.find(asked, priority) if asked else {}
        orders = {**known, **{name: there[-1] for name, there in found.items() if there}}
        shipments = await self._shipments({name: order.wms_id for name, order in orders.items()}, priority)
        packages = await self._packages(shipments, priority)
        return {name: Despatch(order, packages.get(name, [])) for name, order in orders.items()}

    async def _shipments(self, ids: Mapping[str, str], priority: Priority) -> dict[str, tuple[str, Node]]:
        """Shipment id to reference and shipment."""
        names = {f"o{n}": name for n, name in enumerate(ids)}
        lists = {
            alias: Listed("shipments", _SHIPMENT, "ShipmentFilterType", {"goods_out_id": {"eq": ids[name]}})
            for alias, name in names.items()
        }
        found: dict[str, tuple[str, Node]] = {}
        async for alias, rows, _ in self._client.pages(lists, priority):
            for row in rows:
                found[str(row["id"])] = names[alias], row
        return found

    async def _packages(
        self, shipments: Mapping[str, tuple[str, Node]], priority: Priority
    ) -> dict[str, list[Package]]:
        """Reference to its packages, the oldest first."""
        found: dict[str, list[Package]] = {}
        if not shipments:
            return found
        ids = list(shipments)
        where = {"shipment_id": {"in": ids} if len(ids) > 1 else {"eq": ids[0]}}
        rows = await self._client.rows(Listed("packages", self._node, "PackageFilterType", where), priority)
        unique = {str(row["id"]): row for row in rows}
        for package_id, row in sorted(unique.items(), key=lambda pair: _age(pair[0])):
            try:
                name, shipment = shipments[str(row["shipment"]["id"])]
            except (KeyError, TypeError) as error:
                raise Malformed(
                    PEER, "packages", "a package without one of the shipments that were asked for"
                ) from error
            found.setdefault(name, []).append(
                Package(
                    package_id,
                    str(row.get("tracking_number") or "").strip(),
                    _code(shipment, "carrier"),
                    _code(shipment, "carrier_service"),
                    self._contents(row),
                )
            )
        return found

    def _contents(self, row: Node) -> dict[str, int] | None:
        name = self._client.settings.package_contents
        if not name:
            return None
        listed = row.get(name)
        if not isinstance(listed, list):
            raise Malformed(PEER, "packages", f"{name} is not a list; check clarus.package_contents")
        contents: dict[str, int] = {}
        bundles = self._bundles()
        for one in listed:
            code = _code(one, "product") if isinstance(one, dict) else ""
            if not code:
                raise Malformed(PEER, "packages", f"{name} without a product code; check clarus.package_contents")
            for part, n in parts_of(code, bundles).items():
                contents[part] = contents.get(part, 0) + n * eaches(one, "quantity")
        return contents


def _code(row: Mapping[str, Any], name: str) -> str:
    inner = row.get(name)
    return str(inner.get("code") or "") if isinstance(inner, dict) else ""


def _age(package_id: str) -> tuple[int, str]:
    return (int(package_id), "") if package_id.isdigit() else (0, package_id)
