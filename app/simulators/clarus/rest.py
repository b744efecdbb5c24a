"""The REST operations of the simulated Clarus (fact sheet 5.3, 6.1 and 10.1): reading requests, refusing what does not fit, answering as documented."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.simulators.base import Faults, now_ms
from app.simulators.clarus import rules
from app.simulators.clarus.automations import EVENTS, Automations
from app.simulators.clarus.floor import Floor
from app.simulators.clarus.model import (
    Account,
    Carrier,
    CarrierService,
    GoodsOut,
    PickRequest,
    Product,
    Stock,
    Warehouse,
)
from app.simulators.clarus.orderbook import Denied, OrderBook
from app.simulators.clarus.stockroom import Stockroom

_LOCKED = frozenset({"PICK", "COMPLETED", "CANCELLED"})
_REMOVALS = frozenset({"DESTROY", "REMOVE"})


class Missing(Exception):
    """No such record."""


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def problem(error: Denied | Missing) -> Response:
    """The error list of fact sheet 1.5."""
    code, symbol, status = (
        (error.code, error.symbol, 422) if isinstance(error, Denied) else (9004, "record_not_found", 404)
    )
    one = {"code": code, "symbol": symbol, "details": str(error), "source": "simulator", "context": {}}
    return answer({"errors": [one]}, status)


class Office(Protocol):
    """What the operations work on."""

    account: Account
    stockroom: Stockroom
    book: OrderBook
    floor: Floor
    faults: Faults
    webhooks: Automations
    carriers: dict[str, Carrier]
    services: dict[tuple[str, str], CarrierService]
    pick_requests: dict[str, PickRequest]
    unique_references: bool
    accept_remove: bool


class Rest:
    """All operations behind one prefix. `guard` checks token and tenant."""

    def __init__(self, office: Office, guard: Callable[[Request], Response | None]) -> None:
        self._office, self._guard = office, guard

    def routes(self, prefixes: Iterable[str]) -> list[Route]:
        """The routes, under each of the documented prefixes."""
        table: list[tuple[str, str, Callable[[Request, Any], Response]]] = [
            ("POST", "/goods_outs", self.create_order),
            ("PATCH", "/goods_outs/{id:int}", self.update_order),
            ("DELETE", "/goods_outs/{id:int}", self.delete_order),
            ("POST", "/goods_outs/{id:int}/cancel", self.cancel_order),
            ("POST", "/goods_out_processes/process_picks_async", self.process_picks),
            ("POST", "/goods_out_processes/short_order_lines", self.short_lines),
            ("POST", "/stocks/hold", self.hold),
            ("POST", "/stocks/offhold", self.offhold),
            ("POST", "/stocks/{id:int}/negative_adjustment", self.lower),
            ("POST", "/stocks/{id:int}/move", self.move),
            ("POST", "/automations", self.create_automation),
            ("PATCH", "/automations/{id:int}", self.update_automation),
            ("DELETE", "/automations/{id:int}", self.delete_automation),
        ]
        return [
            Route(prefix + path, self._endpoint(act), methods=[verb])
            for prefix in prefixes
            for verb, path, act in table
        ]

    def _endpoint(self, act: Callable[[Request, Any], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if (refusal := self._guard(request)) is not None:
                return refusal
            raw = await request.body()
            if self._office.faults.hits("conflict"):
                conflict = {"code": 9409, "symbol": "conflict", "details": "another change is under way"}
                return answer({"errors": [conflict]}, 409)
            try:
                return act(request, msgspec.json.decode(raw) if raw else None)
            except msgspec.DecodeError:
                return problem(rules.invalid("body", "is not JSON"))
            except (Denied, Missing) as error:
                return problem(error)

        return endpoint

    # ---- goods outs -------------------------------------------------------------------------------------------------------------------------

    def create_order(self, request: Request, body: Any) -> Response:
        data = rules.envelope(body, "goods_outs")
        attributes = rules.check(data["attributes"], rules.ORDER, rules.ORDER_REQUIRED)
        office = self._office
        if attributes["account_id"] != office.account.id:
            raise rules.invalid("account_id", "is not known")
        if office.unique_references and any(office.book.with_reference([attributes["reference"]])):
            raise rules.invalid("reference", "has already been taken")
        lines = [self._addition(change) for change in attributes.pop("lines_changes", [])]
        order = office.book.create(
            office.account,
            self._warehouse(attributes.get("warehouse_id")),
            *self._carriage(attributes),
            attributes,
            self._address(data),
            lines,
        )
        office.floor.created(order)
        return self._order(order)

    def update_order(self, request: Request, body: Any) -> Response:
        order, data = self._found(request), rules.envelope(body, "goods_outs")
        attributes = rules.check(data["attributes"], rules.ORDER)
        changes = attributes.pop("lines_changes", [])
        if order.status in _LOCKED:
            raise Denied(f"goods out {order.reference} is {order.status} and cannot be changed", 9020)
        if changes and order.status not in ("DRAFT", "PENDING"):
            raise Denied(f"goods out {order.reference} is {order.status}: its lines cannot be changed", 9021)
        additions = [self._addition(c) for c in changes if c.get("type") == "ADD"]
        for change in changes:
            if change.get("type") != "ADD":
                self._change_line(order, change)
        for product, quantity, given in additions:
            self._office.book.add_line(order, product, quantity, given)
        order.attributes.update({name: value for name, value in attributes.items() if name != "reference"})
        if "warehouse_id" in attributes:
            order.warehouse = self._warehouse(attributes["warehouse_id"])
        if "carrier_id" in attributes:
            order.carrier, order.service = self._carriage(order.attributes)
        if data.get("relationships"):
            order.address = self._address(data)
        self._office.book.touched(order, "order updated")
        if order.status == "PENDING":
            self._office.floor.created(order)
        return self._order(order)

    def delete_order(self, request: Request, body: Any) -> Response:
        self._office.book.delete(self._found(request))
        return Response(status_code=204)

    def cancel_order(self, request: Request, body: Any) -> Response:
        order = self._found(request)
        self._office.book.cancel(order)
        return self._order(order)

    def process_picks(self, request: Request, body: Any) -> Response:
        orders = [self._known(n) for n in rules.identifiers(body)]
        for order in orders:
            if order.status != "PENDING":
                raise Denied(f"goods out {order.reference} is {order.status}", 59, "goods_out_already_allocated")
        references = [self._request_picks(order) for order in orders]
        return answer({"process_references": references})

    def short_lines(self, request: Request, body: Any) -> Response:
        orders = [self._known(n) for n in rules.identifiers(body)]
        if not isinstance(body.get("description"), str) or not body["description"]:
            raise rules.invalid("description", "is required")
        for order in orders:
            if not self._office.book.short(order):
                self._office.floor.allocated(order)
        return Response(status_code=204)

    def _request_picks(self, order: GoodsOut) -> str:
        office = self._office
        request = PickRequest(f"PPR-{len(office.pick_requests) + 1:08d}", order, now_ms(), now_ms())
        office.pick_requests[request.reference] = request
        fails = office.faults.hits("partial")

        def process() -> None:
            if order.status == "PENDING" and not fails and office.book.allocate(order):
                office.floor.allocated(order)
            request.status = "completed" if order.status in ("ALLOCATED", "PART_ALLOCATED", "PICK") else "failed"
            request.message = None if request.status == "completed" else "not enough stocks for picking"
            request.updated_at = now_ms()

        office.floor.after(office.floor.speed.allocate or 0.1, process)
        return request.reference

    def _addition(self, change: Any) -> tuple[Product, int, dict[str, Any]]:
        if not isinstance(change, dict) or change.get("type") != "ADD":
            raise rules.invalid("lines_changes", "of a new line must have type ADD")
        given = rules.check(change.get("attributes"), rules.LINE, ("product_id", "order_quantity"))
        product = self._office.stockroom.products_by_id.get(given["product_id"])
        if product is None:
            raise rules.invalid("product_id", "is not known")
        return product, self._whole(given["order_quantity"]), given

    def _change_line(self, order: GoodsOut, change: Any) -> None:
        line = next((one for one in order.lines if one.id == change.get("id")), None)
        if line is None:
            raise rules.invalid("lines_changes", "names a line that is not there")
        kind = change.get("type")
        if kind == "DESTROY" or (kind in _REMOVALS and self._office.accept_remove):
            self._office.book.remove_line(line)
        elif kind == "UPDATE":
            given = rules.check(change.get("attributes"), rules.LINE)
            line.ordered = self._whole(given.get("order_quantity", line.ordered))
            line.attributes.update(given)
        else:
            raise rules.invalid("lines_changes", "has an unknown type")

    @staticmethod
    def _whole(quantity: float) -> int:
        if int(quantity) != quantity:
            raise rules.invalid("order_quantity", "must be whole here: the simulated products are counted")
        return int(quantity)

    def _known(self, order_id: int) -> GoodsOut:
        order = self._office.book.orders.get(order_id)
        if order is None:
            raise Denied(f"goods out {order_id} does not exist", 37, "invalid_ids_provided")
        return order

    def _found(self, request: Request) -> GoodsOut:
        order = self._office.book.orders.get(request.path_params["id"])
        if order is None:
            raise Missing(f"goods out {request.path_params['id']} does not exist")
        return order

    def _warehouse(self, warehouse_id: int | None) -> Warehouse | None:
        if warehouse_id is None:
            return None
        for warehouse in self._office.stockroom.warehouses.values():
            if warehouse.id == warehouse_id:
                return warehouse
        raise rules.invalid("warehouse_id", "is not known")

    def _carriage(self, attributes: dict[str, Any]) -> tuple[Carrier | None, CarrierService | None]:
        carrier_id, service_id = attributes.get("carrier_id"), attributes.get("carrier_service_id")
        carrier = next((c for c in self._office.carriers.values() if c.id == carrier_id), None)
        service = next((s for s in self._office.services.values() if s.id == service_id), None)
        if carrier_id is not None and carrier is None:
            raise rules.invalid("carrier_id", "is not known")
        if service_id is not None and (service is None or service.carrier is not carrier):
            raise rules.invalid("carrier_service_id", "is not a service of the carrier")
        return carrier, service

    @staticmethod
    def _address(data: dict[str, Any]) -> dict[str, Any]:
        relationships = data.get("relationships") or {}
        if not isinstance(relationships, dict) or set(relationships) - {"address"}:
            raise rules.invalid("relationships", "may hold an address only")
        if not relationships:
            return {}
        given = relationships["address"].get("data") if isinstance(relationships["address"], dict) else None
        if not isinstance(given, dict) or given.get("type") != "addresses":
            raise rules.invalid("relationships.address", "must have type addresses")
        return rules.check(given.get("attributes"), rules.ADDRESS)

    @staticmethod
    def _order(order: GoodsOut) -> Response:
        return answer({"data": {"id": order.id, "type": "goods_outs", "attributes": order.attributes}})

    # ---- stock ------------------------------------------------------------------------------------------------------------------------------

    def hold(self, request: Request, body: Any) -> Response:
        return self._flip(body, "available", self._office.stockroom.hold)

    def offhold(self, request: Request, body: Any) -> Response:
        return self._flip(body, "held", self._office.stockroom.release)

    def _flip(self, body: Any, status: str, act: Callable[..., int]) -> Response:
        stocks = [self._stock(n) for n in rules.identifiers(body)]
        if not isinstance(body.get("description"), str) or not body["description"]:
            raise rules.invalid("description", "is required")
        for stock in stocks:
            if stock.status != status:
                raise Denied(f"stock {stock.id} is {stock.status}", 9030)
            if status == "available" and stock.quantity > self._office.stockroom.balance_of(stock).available:
                raise Denied(f"stock {stock.id} is allocated in part", 9031)
        for stock in stocks:
            act(self._office.stockroom.balance_of(stock), stock.quantity, stock)
        return answer({"data": {"id": stocks[0].id, "type": "stocks", "attributes": {"status": stocks[0].status}}})

    def lower(self, request: Request, body: Any) -> Response:
        stock, quantity, _ = self._movement(request, body, {})
        balance = self._office.stockroom.balance_of(stock)
        if stock.status != "available" or quantity > min(stock.quantity, balance.available):
            raise rules.invalid("quantity", "is more than what is available")
        self._office.stockroom.adjust(balance, -quantity, stock)
        return self._stocked(stock)

    def move(self, request: Request, body: Any) -> Response:
        stock, quantity, given = self._movement(request, body, {"to_location_id": rules.ORDER["location_id"]})
        location = self._office.stockroom.locations.get(given.get("to_location_id", 0))
        if location is None or location.warehouse is not stock.location.warehouse:
            raise rules.invalid("to_location_id", "is not a location of this warehouse")
        free = self._office.stockroom.balance_of(stock).available if stock.status == "available" else stock.quantity
        if quantity > min(stock.quantity, free):
            raise rules.invalid("quantity", "is more than what is available")
        self._office.stockroom.relocate(stock, location, quantity)
        return self._stocked(stock)

    def _movement(self, request: Request, body: Any, more: dict[str, rules.Rule]) -> tuple[Stock, int, dict[str, Any]]:
        stock = self._office.stockroom.stocks.get(request.path_params["id"])
        if stock is None:
            raise Missing(f"stock {request.path_params['id']} does not exist")
        known = {"quantity": rules.number, "reason_code_id": rules.number, **more}
        given = rules.check(rules.envelope(body, "stocks")["attributes"], known, ("quantity", *more))
        if given["quantity"] <= 0:
            raise rules.invalid("quantity", "must be greater than 0")
        return stock, self._whole(given["quantity"]), given

    def _stock(self, stock_id: int) -> Stock:
        stock = self._office.stockroom.stocks.get(stock_id)
        if stock is None:
            raise Denied(f"stock {stock_id} does not exist", 37, "invalid_ids_provided")
        return stock

    @staticmethod
    def _stocked(stock: Stock) -> Response:
        attributes = {"quantity": float(stock.quantity), "status": stock.status}
        return answer({"data": {"id": stock.id, "type": "stocks", "attributes": attributes}})

    # ---- automations ------------------------------------------------------------------------------------------------------------------------

    def create_automation(self, request: Request, body: Any) -> Response:
        given = rules.envelope(body, "automations")["attributes"]
        resource, event = given.get("resource_name"), given.get("event")
        if resource not in EVENTS or event not in EVENTS[resource] or not isinstance(given.get("enabled"), bool):
            raise rules.invalid("resource_name, event or enabled", "is not valid")
        one = self._office.webhooks.add(str(given.get("name", "")), resource, event, enabled=given["enabled"])
        one.url = _webhook_url(given.get("actions_changes")) or ""
        return self._automation(one.id)

    def update_automation(self, request: Request, body: Any) -> Response:
        one = self._office.webhooks.all.get(request.path_params["id"])
        if one is None:
            raise Missing(f"automation {request.path_params['id']} does not exist")
        given = rules.envelope(body, "automations")["attributes"]
        event, enabled = given.get("event") or one.event, given.get("enabled")
        if event not in EVENTS[one.resource] or enabled not in (None, True, False):
            raise rules.invalid("event or enabled", "is not valid")
        one.event, one.name = event, given.get("name") or one.name
        one.enabled = one.enabled if enabled is None else enabled
        one.url = _webhook_url(given.get("actions_changes")) or one.url
        return self._automation(one.id)

    def delete_automation(self, request: Request, body: Any) -> Response:
        if self._office.webhooks.all.pop(request.path_params["id"], None) is None:
            raise Missing(f"automation {request.path_params['id']} does not exist")
        return Response(status_code=204)

    def _automation(self, automation_id: int) -> Response:
        one = self._office.webhooks.all[automation_id]
        attributes = {"resource_name": one.resource, "event": one.event, "enabled": one.enabled}
        return answer({"data": {"id": one.id, "type": "automations", "attributes": attributes}})


def _webhook_url(actions: Any) -> str | None:
    """The URL of the webhook action among these changes; None where there is none."""
    for action in actions or []:
        given = action.get("attributes") or {}
        if given.get("destination_type") != "webhook":
            continue
        for parameter in given.get("parameters_changes") or []:
            inner = parameter.get("attributes") or {}
            if inner.get("parameter_code") == "webhook_url":
                return str(inner.get("value", ""))
    return None
