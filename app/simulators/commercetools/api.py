"""The HTTP side of the simulated project: token, inventory, channels, types, orders and carts, answered as the fact sheet says (sections 1-3, 5)."""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulators.base import Faults
from app.simulators.commercetools.carts import Carts
from app.simulators.commercetools.documents import (
    ApiError,
    Collection,
    Doc,
    Query,
    check_version,
    invalid_json,
    required,
)
from app.simulators.commercetools.inventory import Entry, Inventory
from app.simulators.commercetools.orders import Orders
from app.simulators.commercetools.payments import Payments

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Routes of one project."""

    def __init__(
        self,
        project: str,
        client: tuple[str, str],
        faults: Faults,
        inventory: Inventory,
        orders: Orders,
        channels: Collection,
        types: Collection,
        products: Collection,
        payments: Payments,
    ) -> None:
        self._project, self._client, self._faults, self._payments = project, client, faults, payments
        self._inventory, self._orders, self._channels, self._types = inventory, orders, channels, types
        self._products, self._carts = products, Carts(orders)
        self.tokens: dict[str, float] = {}
        p = "/{project}"
        routes = [
            self._route("/oauth/token", "POST", self._token, open=True),
            self._route(p, "GET", self._get_project),
            self._route(f"{p}/inventory", "GET", self._query_inventory),
            self._route(f"{p}/inventory", "POST", self._create_inventory),
            self._route(f"{p}/inventory/key={{key}}", "GET", self._get_inventory),
            self._route(f"{p}/inventory/key={{key}}", "POST", self._update_inventory),
            self._route(f"{p}/inventory/{{id}}", "GET", self._get_inventory),
            self._route(f"{p}/inventory/{{id}}", "POST", self._update_inventory),
            *self._collection("channels", channels, self._create_channel),
            *self._collection("types", types, self._create_type),
            self._route(f"{p}/types/{{id}}", "POST", self._update_type),
            self._route(f"{p}/product-projections", "GET", self._query_products),
            self._route(f"{p}/orders", "GET", self._query_orders),
            self._route(f"{p}/orders", "POST", self._create_order),
            self._route(f"{p}/orders/import", "POST", self._import_order),
            self._route(f"{p}/orders/order-number={{number}}", "GET", self._get_order),
            self._route(f"{p}/orders/order-number={{number}}", "POST", self._update_order),
            self._route(f"{p}/orders/{{id}}", "GET", self._get_order),
            self._route(f"{p}/orders/{{id}}", "POST", self._update_order),
            self._route(f"{p}/payments/{{id}}", "GET", self._get_payment),
            self._route(f"{p}/payments/{{id}}", "POST", self._update_payment),
            self._route(f"{p}/carts", "POST", self._create_cart),
        ]
        self.app = Starlette(routes=routes)

    def _route(self, path: str, method: str, handler: Handler, *, open: bool = False) -> Route:
        async def answer(request: Request) -> Response:
            try:
                if not open:
                    self._authorise(request)
                return await handler(request)
            except ApiError as error:
                body = error.body()
                if error.status == 401:
                    body["error"] = error.code
                return JSONResponse(body, error.status)

        return Route(path, answer, methods=[method])

    # ---- who is asking -----------------------------------------------------------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = secret = ""
        if kind.lower() != "basic" or (name, secret) != self._client:
            raise ApiError(
                401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication."
            )
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()} | dict(request.query_params)
        if form.get("grant_type") != "client_credentials":
            raise ApiError(400, "unsupported_grant_type", "grant_type must be client_credentials")
        scope = form.get("scope") or f"manage_project:{self._project}"
        token, lifetime = secrets.token_urlsafe(24), 172_800
        self.tokens[token] = time.monotonic() + lifetime
        body = {"access_token": token, "expires_in": lifetime, "scope": scope, "token_type": "Bearer"}
        return JSONResponse(body)

    def _authorise(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._faults.hits("token_expired"):
            self.tokens.pop(token, None)
        if self.tokens.get(token, 0.0) <= time.monotonic():
            raise ApiError(401, "invalid_token", "invalid_token")
        if request.path_params["project"] != self._project:
            raise ApiError(404, "ResourceNotFound", "URI not found")

    async def _get_project(self, request: Request) -> Response:
        return JSONResponse(
            {
                "version": 1,
                "key": self._project,
                "name": self._project,
                "countries": ["GB"],
                "currencies": ["EUR"],
                "languages": ["en"],
                "createdAt": "2026-01-01T00:00:00.000Z",
                "messages": {"enabled": False},
                "carts": {"countryTaxRateFallbackEnabled": False, "deleteDaysAfterLastModification": 90},
                "inventory": {"releaseExpiredReservations": True},
                "discounts": {"discountCombinationMode": "Stacking"},
            }
        )

    # ---- inventory ---------------------------------------------------------------------------------------------------------------------

    async def _query_inventory(self, request: Request) -> Response:
        query = Query.read(request.query_params.multi_items())
        return JSONResponse(query.page(self._inventory.visible(query.only("sku"))))

    async def _create_inventory(self, request: Request) -> Response:
        return JSONResponse(self._inventory.create(await _body(request)).doc, 201)

    async def _get_inventory(self, request: Request) -> Response:
        return JSONResponse(self._entry(request).doc)

    async def _update_inventory(self, request: Request) -> Response:
        entry, body = self._entry(request), await _body(request)
        if self._faults.hits("conflict"):
            self._inventory.disturb(entry)
        self._inventory.update(entry, body)
        return JSONResponse(entry.doc)

    def _entry(self, request: Request) -> Entry:
        params = request.path_params
        return self._inventory.get_key(params["key"]) if "key" in params else self._inventory.get(params["id"])

    # ---- channels and types ------------------------------------------------------------------------------------------------------------

    def _collection(self, path: str, collection: Collection, create: Handler) -> list[Route]:
        async def query(request: Request) -> Response:
            return JSONResponse(Query.read(request.query_params.multi_items()).page(collection.docs.values()))

        async def by_id(request: Request) -> Response:
            return JSONResponse(collection.get(request.path_params["id"]))

        async def by_key(request: Request) -> Response:
            return JSONResponse(collection.get_key(request.path_params["key"]))

        base = f"/{{project}}/{path}"
        return [
            self._route(base, "GET", query),
            self._route(base, "POST", create),
            self._route(f"{base}/key={{key}}", "GET", by_key),
            self._route(f"{base}/{{id}}", "GET", by_id),
        ]

    async def _create_channel(self, request: Request) -> Response:
        draft = await _body(request)
        roles = draft.get("roles") or ["InventorySupply"]
        return JSONResponse(self._channels.create(key=required(draft, "key", str), roles=roles), 201)

    async def _create_type(self, request: Request) -> Response:
        draft = await _body(request)
        made = self._types.create(
            key=required(draft, "key", str),
            name=required(draft, "name", dict),
            resourceTypeIds=required(draft, "resourceTypeIds", list),
            fieldDefinitions=[self._definition(d) for d in draft.get("fieldDefinitions") or []],
        )
        return JSONResponse(made, 201)

    async def _update_type(self, request: Request) -> Response:
        kind, body = self._types.get(request.path_params["id"]), await _body(request)
        check_version(kind, body.get("version"), self._types.factory.rng)
        for action in required(body, "actions", list):
            if action.get("action") != "addFieldDefinition":
                raise ApiError(400, "InvalidInput", f"The update action '{action.get('action')}' is not supported.")
            kind["fieldDefinitions"].append(self._definition(required(action, "fieldDefinition", dict)))
        self._types.factory.touch(kind)
        return JSONResponse(kind)

    @staticmethod
    def _definition(draft: Doc) -> Doc:
        return {
            "name": required(draft, "name", str),
            "label": required(draft, "label", dict),
            "type": required(draft, "type", dict),
            "required": bool(draft.get("required", False)),
            "inputHint": draft.get("inputHint", "SingleLine"),
        }

    # ---- products ----------------------------------------------------------------------------------------------------------------------

    async def _query_products(self, request: Request) -> Response:
        return JSONResponse(Query.read(request.query_params.multi_items()).page(self._products.docs.values()))

    # ---- orders ------------------------------------------------------------------------------------------------------------------------

    async def _query_orders(self, request: Request) -> Response:
        query = Query.read(request.query_params.multi_items())
        return JSONResponse(query.page(self._orders.docs.values(), lambda order: self._shown(request, order)))

    async def _get_order(self, request: Request) -> Response:
        return JSONResponse(self._shown(request, self._order(request)))

    def _shown(self, request: Request, order: Doc) -> Doc:
        return self._payments.shown(order, request.query_params.getlist("expand"))

    async def _get_payment(self, request: Request) -> Response:
        return JSONResponse(self._payments.get(request.path_params["id"]))

    async def _update_payment(self, request: Request) -> Response:
        payment = self._payments.get(request.path_params["id"])
        self._payments.update(payment, await _body(request))
        return JSONResponse(payment)

    async def _update_order(self, request: Request) -> Response:
        order, body = self._order(request), await _body(request)
        self._orders.update(order, body)
        return JSONResponse(order)

    async def _create_order(self, request: Request) -> Response:
        return JSONResponse(self._carts.order(await _body(request)), 201)

    async def _import_order(self, request: Request) -> Response:
        return JSONResponse(self._orders.import_order(await _body(request)), 201)

    async def _create_cart(self, request: Request) -> Response:
        return JSONResponse(self._carts.create(await _body(request)), 201)

    def _order(self, request: Request) -> Doc:
        params = request.path_params
        return self._orders.by_number(params["number"]) if "number" in params else self._orders.get(params["id"])


async def _body(request: Request) -> Doc:
    try:
        body: Any = json.loads(await request.body())
    except ValueError as error:
        raise invalid_json(str(error)) from error
    if not isinstance(body, dict):
        raise invalid_json("an object is expected")
    return body
