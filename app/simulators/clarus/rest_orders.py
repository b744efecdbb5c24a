"""Goods outs over REST in the simulated Clarus (fact sheet 6.1 to 6.5): create, change, delete, cancel, process picks, short lines."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.simulators.base import now_ms
from app.simulators.clarus import rules
from app.simulators.clarus.model import Carrier, CarrierService, GoodsOut, PickRequest, Product, Warehouse
from app.simulators.clarus.office import Missing, Office, answer
from app.simulators.clarus.orderbook import Denied

_LOCKED = frozenset({"PICK", "COMPLETED", "CANCELLED"})
_REMOVALS = frozenset({"DESTROY", "REMOVE"})


class OrderDesk:
    """The operations on goods outs."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def create_order(self, request: Request, body: Any) -> Response:
        data = rules.envelope(body, "goods_outs")
        attributes = rules.check(data["attributes"], rules.ORDER, rules.ORDER_REQUIRED)
        office = self._office
        if attributes["account_id"] != office.account.id:
            raise rules.invalid("account_id", "is not known")
        if office.unique_references and any(office.book.with_reference([attributes["reference"]])):
            raise rules.invalid("reference", "has already been taken")
        self._check_parties(attributes)
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
        if not all(isinstance(change, dict) for change in changes):
            raise rules.invalid("lines_changes", "must hold objects")
        if order.status in _LOCKED:
            raise Denied(f"goods out {order.reference} is {order.status} and cannot be changed", 9020)
        self._check_parties(attributes)
        if changes and order.status not in ("DRAFT", "PENDING"):
            raise Denied(f"goods out {order.reference} is {order.status}: its lines cannot be changed", 9021)
        additions = [self._addition(c) for c in changes if c.get("type") == "ADD"]
        for change in changes:
            if change.get("type") != "ADD":
                self._change_line(order, change)
        for product, quantity, given in additions:
            self._office.book.add_line(order, product, quantity, given)
        self._office.book.describe(order, {name: value for name, value in attributes.items() if name != "reference"})
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
        try:
            self._office.book.delete(self._found(request))
        except Denied as error:
            raise Missing(error.details) from error  # no 422 is described for this operation
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
        return product, rules.whole(given["order_quantity"]), given

    def _change_line(self, order: GoodsOut, change: Any) -> None:
        line = next((one for one in order.lines if one.id == change.get("id")), None)
        if line is None:
            raise rules.invalid("lines_changes", "names a line that is not there")
        kind = change.get("type")
        if kind == "DESTROY" or (kind in _REMOVALS and self._office.accept_remove):
            self._office.book.remove_line(line)
        elif kind == "UPDATE":
            given = rules.check(change.get("attributes"), rules.LINE)
            line.ordered = rules.whole(given.get("order_quantity", line.ordered))
            line.attributes.update(given)
        else:
            raise rules.invalid("lines_changes", "has an unknown type")

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

    def _check_parties(self, attributes: dict[str, Any]) -> None:
        office = self._office
        for name, known in (("customer_id", office.customers), ("order_type_id", office.order_types)):
            if name in attributes and all(one.id != attributes[name] for one in known.values()):
                raise rules.invalid(name, "is not known")

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
