"""The V2 orders API over HTTP: lists with filters, single orders, products, addresses, shipments, statuses (bigcommerce.md 4.1, 5)."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulators.base import Faults
from app.simulators.bigcommerce import v2
from app.simulators.bigcommerce.answers import number, v2_error, v2_page
from app.simulators.bigcommerce.orders import STATUSES, Order, Orders, Shipment

_WRITABLE = {"status_id", "staff_notes", "customer_message", "external_order_id"}
_SORTS: dict[str, Callable[[Order], int]] = {
    "id": lambda o: o.id,
    "date_created": lambda o: int(o.created),
    "date_modified": lambda o: int(o.modified),
    "status_id": lambda o: o.status_id,
}


class OrdersApi:
    """Routes below `/v2`. `base_url` gives the links their beginning."""

    def __init__(self, orders: Orders, faults: Faults, base_url: Callable[[], str]) -> None:
        self._orders, self._faults, self._base_url = orders, faults, base_url
        self.routes = [
            Route("/v2/orders", self.list, methods=["GET"]),
            Route("/v2/orders/{order:int}", self.get, methods=["GET"]),
            Route("/v2/orders/{order:int}", self.put, methods=["PUT"]),
            Route("/v2/orders/{order:int}/products", self.products, methods=["GET"]),
            Route("/v2/orders/{order:int}/shipping_addresses", self.addresses, methods=["GET"]),
            Route("/v2/orders/{order:int}/consignments", self.consignments, methods=["GET"]),
            Route("/v2/orders/{order:int}/shipments", self.shipments, methods=["GET"]),
            Route("/v2/orders/{order:int}/shipments", self.ship, methods=["POST"]),
            Route("/v2/orders/{order:int}/shipments/{shipment:int}", self.amend, methods=["PUT"]),
            Route("/v2/orders/{order:int}/shipments/{shipment:int}", self.unship, methods=["DELETE"]),
            Route("/v2/order_statuses", self.statuses, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """Orders that match the filters; 204 where none does."""
        query = request.query_params
        try:
            checks = [_bound(text, sign, key) for name, sign, key in _DATES if (text := query.get(name)) is not None]
            candidates = self._between(query.get("min_id"), query.get("max_id"))
        except ValueError:
            return v2_error(400, "A filter has an invalid value.")
        status = query.get("status_id")
        rows = [
            order
            for order in candidates
            if (status is None or str(order.status_id) == status) and all(check(order) for check in checks)
        ]
        name, _, direction = query.get("sort", "id").partition(":")
        if name not in _SORTS or direction not in ("", "asc", "desc"):
            return v2_error(400, "The sort is not valid.")
        rows.sort(key=lambda o: o.id)
        rows.sort(key=_SORTS[name], reverse=direction == "desc")
        limit, page = min(number(request, "limit", 50), 250), number(request, "page", 1)
        shown = rows[(page - 1) * limit : page * limit]
        if not shown:
            return Response(status_code=204)
        return JSONResponse([self._show(request, order) for order in shown])

    def _between(self, least: str | None, most: str | None) -> Iterable[Order]:
        """The orders whose id is in the bounds."""
        orders = self._orders.all
        low = int(least) if least is not None else min(orders, default=0)
        high = int(most) if most is not None else max(orders, default=0)
        if high - low < len(orders):
            return [orders[n] for n in range(low, high + 1) if n in orders]
        return [order for order in orders.values() if low <= order.id <= high]

    async def get(self, request: Request) -> Response:
        """One order."""
        order = self._find(request)
        return _missing() if order is None else JSONResponse(self._show(request, order))

    async def put(self, request: Request) -> Response:
        """Change the status or a text field; everything else is read-only here."""
        order = self._find(request)
        if order is None:
            return _missing()
        if self._faults.hits("conflict"):
            return v2_error(409, "The order was changed by another request.")
        body = await _json(request)
        if body is None:
            return v2_error(400, "The body must be a JSON object.")
        for name in body:
            if name not in _WRITABLE:
                return v2_error(
                    400,
                    f"The field '{name}' cannot be written to. Please remove it from your request before trying again.",
                )
        status = body.pop("status_id", order.status_id)
        if status not in STATUSES:
            return v2_error(400, "The field 'status_id' is invalid.")
        for name, value in body.items():
            setattr(order, name, str(value))
        if status != order.status_id:
            self._orders.set_status(order, status)
        else:
            self._orders.touch(order, order.status_id)
        return JSONResponse(self._show(request, order))

    async def products(self, request: Request) -> Response:
        """The order's lines, 50 a page unless asked otherwise."""
        order = self._find(request)
        return _missing() if order is None else v2_page(request, [v2.product(order, line) for line in order.lines])

    async def addresses(self, request: Request) -> Response:
        """The order's shipping addresses."""
        order = self._find(request)
        return _missing() if order is None else v2_page(request, [v2.shipping_address(order)])

    async def consignments(self, request: Request) -> Response:
        """The order's consignments, with whole lines where `include` asks for them."""
        order = self._find(request)
        if order is None:
            return _missing()
        whole = "consignments.line_items" in request.query_params.get("include", "").split(",")
        return JSONResponse(v2.consignments(order, lines=whole, base_url=self._base_url()))

    async def shipments(self, request: Request) -> Response:
        """The order's shipments; 204 where there is none."""
        order = self._find(request)
        return _missing() if order is None else v2_page(request, [v2.shipment(order, s) for s in order.shipments])

    async def ship(self, request: Request) -> Response:
        """Create a shipment."""
        order = self._find(request)
        if order is None:
            return _missing()
        if self._faults.hits("conflict"):
            return v2_error(409, "The order was changed by another request.")
        body = await _json(request)
        items = body.get("items") if body else None
        if not body or not isinstance(items, list) or not items:
            return v2_error(400, "The field 'items' is required.")
        if str(body.get("order_address_id")) != str(order.address_id):
            return v2_error(400, "The field 'order_address_id' is invalid.")
        if any("product_id" in row for row in items):
            return v2_error(
                400,
                "The field 'product_id' cannot be written to. Please remove it from your request before trying again.",
            )
        try:
            wanted = {int(row["order_product_id"]): int(row["quantity"]) for row in items}
            fields = {name: str(value) for name, value in body.items() if isinstance(value, str)}
            parcel = self._orders.ship(order, wanted, str(body.get("tracking_number", "")), fields)
        except (KeyError, TypeError, ValueError) as error:
            return v2_error(400, f"The field 'items' is invalid: {error}")
        return JSONResponse(v2.shipment(order, parcel), 201)

    async def amend(self, request: Request) -> Response:
        """Change anything of a shipment but its items."""
        order = self._find(request)
        shipment = self._shipment(order, request)
        if order is None or shipment is None:
            return _missing()
        body = await _json(request)
        if body is None:
            return v2_error(400, "The body must be a JSON object.")
        if "items" in body:
            return v2_error(
                400, "The field 'items' cannot be written to. Please remove it from your request before trying again."
            )
        shipment.tracking = str(body.get("tracking_number", shipment.tracking))
        shipment.fields |= {name: str(value) for name, value in body.items() if isinstance(value, str)}
        self._orders.touch(order, order.status_id)
        return JSONResponse(v2.shipment(order, shipment))

    async def unship(self, request: Request) -> Response:
        """Delete a shipment."""
        order = self._find(request)
        shipment = self._shipment(order, request)
        if order is None or shipment is None:
            return _missing()
        self._orders.unship(order, shipment)
        return Response(status_code=204)

    @staticmethod
    def _shipment(order: Order | None, request: Request) -> Shipment | None:
        wanted = request.path_params["shipment"]
        return next((s for s in order.shipments if s.id == wanted), None) if order is not None else None

    async def statuses(self, request: Request) -> Response:
        """The fixed statuses."""
        rows = [
            {"id": n, "name": name, "system_label": name, "custom_label": name, "system_description": ""}
            for n, name in STATUSES.items()
        ]
        return JSONResponse(rows)

    def _find(self, request: Request) -> Order | None:
        return self._orders.all.get(request.path_params["order"])

    def _show(self, request: Request, order: Order) -> dict[str, Any]:
        shown = v2.header(order, self._base_url())
        include = request.query_params.get("include", "").split(",")
        whole = "consignments.line_items" in include
        if (whole or "consignments" in include) and request.query_params.get("consignment_structure") == "object":
            shown["consignments"] = v2.consignments(order, lines=whole, base_url=self._base_url())
        return shown


_DATES: tuple[tuple[str, int, Callable[[Order], float]], ...] = (
    ("min_date_created", 1, lambda o: int(o.created)),
    ("max_date_created", -1, lambda o: int(o.created)),
    ("min_date_modified", 1, lambda o: int(o.modified)),
    ("max_date_modified", -1, lambda o: int(o.modified)),
)


def _bound(text: str, sign: int, key: Callable[[Order], float]) -> Callable[[Order], bool]:
    """A filter on a date given in RFC 2822 or ISO 8601; the orders' own dates have whole seconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
    limit = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return lambda order: sign * key(order) >= sign * limit


async def _json(request: Request) -> dict[str, Any] | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _missing() -> Response:
    return v2_error(404, "The requested resource was not found.")
