"""The rest of the simulated store's API: catalogue look-ups, inventory settings, hooks, the store itself (bigcommerce.md 2, 3.9, 7.1)."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulators.bigcommerce.answers import listed, v3_error, v3_page
from app.simulators.bigcommerce.inventory import Inventory, Item
from app.simulators.bigcommerce.webhooks import Hook, Webhooks


class StoreApi:
    """Routes below `/v3/catalog`, `/v3/settings/inventory`, `/v3/hooks`, `/v2/store` and `/v2/time`."""

    def __init__(self, inventory: Inventory, settings: dict[str, Any], webhooks: Webhooks) -> None:
        self._inventory, self._settings, self._webhooks = inventory, settings, webhooks
        self.routes = [
            Route("/v3/catalog/products", self.products, methods=["GET"]),
            Route("/v3/catalog/variants", self.variants, methods=["GET"]),
            Route("/v3/settings/store/units-of-measurement", self.units, methods=["GET"]),
            Route("/v3/settings/inventory", self.get_settings, methods=["GET"]),
            Route("/v3/settings/inventory", self.put_settings, methods=["PUT"]),
            Route("/v3/hooks", self.list_hooks, methods=["GET"]),
            Route("/v3/hooks", self.create_hook, methods=["POST"]),
            Route("/v3/hooks/{hook:int}", self.hook, methods=["GET", "PUT", "DELETE"]),
            Route("/v2/store", self.store, methods=["GET"]),
            Route("/v2/time", self.time, methods=["GET"]),
        ]

    async def products(self, request: Request) -> Response:
        """Products, by id or SKU."""
        ids, skus = listed(request, "id:in"), listed(request, "sku:in")
        sku = request.query_params.get("sku")
        rows = [
            {
                "id": item.product_id,
                "name": f"Product {item.sku}",
                "type": "physical",
                "sku": item.sku if item.tracking != "variant" else "",
                "inventory_tracking": item.tracking,
                "base_variant_id": item.variant_id if item.tracking != "variant" else None,
                "inventory_level": item.level(1).onhand or 0,
            }
            for item in self._inventory.items.values()
            if (ids is None or str(item.product_id) in ids)
            and (skus is None or item.sku in skus)
            and (sku is None or item.sku.lower() == sku.lower())
        ]
        return v3_page(request, [_fields(request, row) for row in rows])

    async def variants(self, request: Request) -> Response:
        """Variants, by SKU or product."""
        products, sku = listed(request, "product_id:in"), request.query_params.get("sku")
        rows = [
            _variant(item)
            for item in self._inventory.items.values()
            if (products is None or str(item.product_id) in products)
            and (sku is None or item.sku.lower() == sku.lower())
        ]
        return v3_page(request, [_fields(request, row) for row in rows])

    async def units(self, request: Request) -> Response:
        """What weights and lengths are in."""
        data = {
            "weight_measurement": "KGS",
            "length_measurement": "Centimeters",
            "decimal_token": ".",
            "thousands_token": ",",
            "decimal_places": 4,
            "factoring_dimension": "depth",
        }
        return JSONResponse({"data": data, "meta": {}})

    async def get_settings(self, request: Request) -> Response:
        """The inventory settings."""
        return JSONResponse({"data": self._settings, "meta": {}})

    async def put_settings(self, request: Request) -> Response:
        """Change inventory settings that exist."""
        try:
            body = await request.json()
            unknown = [name for name in body if name not in self._settings]
        except (ValueError, TypeError):
            return v3_error(422, "The body must be a JSON object")
        if unknown:
            return v3_error(422, "Provided settings could not be applied", dict.fromkeys(unknown, "unknown setting"))
        self._settings.update(body)
        return await self.get_settings(request)

    async def list_hooks(self, request: Request) -> Response:
        """The account's hooks."""
        query = request.query_params
        rows = [
            self._show(hook)
            for hook in self._webhooks.hooks.values()
            if query.get("scope") in (None, hook.scope)
            and query.get("destination") in (None, hook.destination)
            and query.get("is_active") in (None, str(hook.is_active).lower())
        ]
        return v3_page(request, rows)

    async def create_hook(self, request: Request) -> Response:
        """Register a hook: one per scope and destination."""
        try:
            body = await request.json()
            scope, destination = str(body["scope"]), str(body["destination"])
        except (ValueError, KeyError, TypeError):
            return v3_error(422, "scope and destination are required")
        if any((h.scope, h.destination) == (scope, destination) for h in self._webhooks.hooks.values()):
            return v3_error(422, "There is a hook for this scope and destination already")
        headers = {str(k): str(v) for k, v in (body.get("headers") or {}).items()}
        hook = self._webhooks.register(scope, destination, headers, bool(body.get("is_active", True)))
        return JSONResponse({"data": self._show(hook), "meta": {}})

    async def hook(self, request: Request) -> Response:
        """Read, change or delete one hook."""
        number = request.path_params["hook"]
        hook = self._webhooks.hooks.get(number)
        if hook is None:
            return v3_error(404, f"Webhook with id [{number}] not found")
        if request.method == "PUT":
            try:
                body = await request.json()
            except ValueError:
                return v3_error(400, "Malformed JSON")
            for name in ("scope", "destination", "is_active", "headers"):
                if name in body:
                    setattr(hook, name, body[name])
            hook.updated_at = int(time.time())
        elif request.method == "DELETE":
            del self._webhooks.hooks[number]
        return JSONResponse({"data": self._show(hook), "meta": {}})

    async def store(self, request: Request) -> Response:
        """What the store says of itself."""
        return JSONResponse({"id": self._webhooks.store_hash, "name": "Rehearsal store", "currency": "GBP"})

    async def time(self, request: Request) -> Response:
        """The platform's clock, Unix seconds."""
        return JSONResponse({"time": int(time.time())})

    def _show(self, hook: Hook) -> dict[str, Any]:
        return {
            "id": hook.id,
            "client_id": self._webhooks.client_id,
            "store_hash": self._webhooks.store_hash,
            "scope": hook.scope,
            "destination": hook.destination,
            "headers": hook.headers,
            "is_active": hook.is_active,
            "created_at": hook.created_at,
            "updated_at": hook.updated_at,
        }


def _variant(item: Item) -> dict[str, Any]:
    return {
        "id": item.variant_id,
        "product_id": item.product_id,
        "sku": item.sku,
        "sku_id": None if item.tracking != "variant" else 400 + item.variant_id,
        "inventory_level": item.level(1).onhand or 0,
        "upc": item.barcode,
        "gtin": "",
        "weight": None,
        "calculated_weight": item.grams / 1000,
    }


def _fields(request: Request, row: dict[str, Any]) -> dict[str, Any]:
    """`include_fields`: the id and what was asked for."""
    wanted = listed(request, "include_fields")
    return row if wanted is None else {name: row[name] for name in ("id", *wanted) if name in row}
