"""The inventory API over HTTP: adjustments, items, locations (bigcommerce.md 3.1, 3.4, 3.7)."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulators.bigcommerce.answers import listed, problem, v3_page
from app.simulators.bigcommerce.inventory import Inventory, Item, Level, Unprocessable


class StockApi:
    """Routes below `/v3/inventory`."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self.routes = [
            Route("/v3/inventory/adjustments/absolute", self.absolute, methods=["PUT"]),
            Route("/v3/inventory/adjustments/relative", self.relative, methods=["POST"]),
            Route("/v3/inventory/items", self.items, methods=["GET"]),
            Route("/v3/inventory/locations", self.locations, methods=["GET"]),
            Route("/v3/inventory/locations/{location:int}/items", self.items_at, methods=["GET"]),
        ]

    async def absolute(self, request: Request) -> Response:
        """Set quantities."""
        return await self._adjust(request, absolute=True)

    async def relative(self, request: Request) -> Response:
        """Add or subtract quantities."""
        return await self._adjust(request, absolute=False)

    async def _adjust(self, request: Request, *, absolute: bool) -> Response:
        try:
            body = await request.json()
        except ValueError:
            return problem(400, "Malformed JSON")
        try:
            self._inventory.adjust(body, absolute=absolute)
        except Unprocessable as error:
            return problem(422, error.title, error.errors)
        return JSONResponse({"transaction_id": str(uuid.uuid4())})

    async def items(self, request: Request) -> Response:
        """Items with their levels at all locations."""
        wanted = listed(request, "location_id:in")
        locations = [n for n in self._inventory.locations if wanted is None or str(n) in wanted]
        rows = [
            {
                "identity": _identity(item) | {"sku_id": None if item.tracking == "product" else 400 + item.variant_id},
                "locations": [self._at(item, n) for n in locations if n in item.levels],
            }
            for item in self._matching(request)
        ]
        return v3_page(request, rows, most=1000)

    async def items_at(self, request: Request) -> Response:
        """Items with their level at one location."""
        location = request.path_params["location"]
        if location not in self._inventory.locations:
            return problem(404, f"Location not found, identities: [{location}]")
        rows = [
            {"identity": _identity(item), **_shown(item.levels[location])}
            for item in self._matching(request)
            if location in item.levels
        ]
        return v3_page(request, rows, most=1000)

    async def locations(self, request: Request) -> Response:
        """Locations."""
        wanted = listed(request, "location_id:in")
        rows = [
            {
                "id": n,
                "code": f"BC-LOCATION-{n}",
                "label": f"Location {n}",
                "description": "",
                "managed_by_external_source": False,
                "type_id": "PHYSICAL",
                "enabled": enabled,
                "storefront_visibility": True,
                "time_zone": "Etc/UTC",
            }
            for n, enabled in self._inventory.locations.items()
            if wanted is None or str(n) in wanted
        ]
        return v3_page(request, rows, most=1000)

    def _matching(self, request: Request) -> list[Item]:
        skus, variants, products = (listed(request, f"{name}:in") for name in ("sku", "variant_id", "product_id"))
        folded = None if skus is None else {sku.lower() for sku in skus}
        return [
            item
            for item in self._inventory.items.values()
            if item.tracking != "none"
            and (folded is None or item.sku.lower() in folded)
            and (variants is None or str(item.variant_id) in variants)
            and (products is None or str(item.product_id) in products)
        ]

    def _at(self, item: Item, location: int) -> dict[str, Any]:
        return {
            "location_id": location,
            "location_code": f"BC-LOCATION-{location}",
            "location_name": f"Location {location}",
            "location_enabled": self._inventory.locations[location],
            **_shown(item.levels[location]),
        }


def _identity(item: Item) -> dict[str, Any]:
    return {"sku": item.sku, "variant_id": item.variant_id, "product_id": item.product_id}


def _shown(level: Level) -> dict[str, Any]:
    """No level yet is shown as 0 (3.3)."""
    return {
        "available_to_sell": level.onhand or 0,
        "total_inventory_onhand": level.onhand or 0,
        "settings": {"safety_stock": 0, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""},
    }
