"""Stock actions over REST in the simulated Clarus (fact sheet 5.3): hold, release, lower, move."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.simulators.clarus import rules
from app.simulators.clarus.model import Stock
from app.simulators.clarus.office import Office, answer
from app.simulators.clarus.orderbook import Denied


class StockDesk:
    """The operations on stock records."""

    def __init__(self, office: Office) -> None:
        self._office = office

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
        stock = self._stock(request.path_params["id"])
        known = {"quantity": rules.number, "reason_code_id": rules.number, **more}
        given = rules.check(rules.envelope(body, "stocks")["attributes"], known, ("quantity", *more))
        if given["quantity"] <= 0:
            raise rules.invalid("quantity", "must be greater than 0")
        return stock, rules.whole(given["quantity"]), given

    def _stock(self, stock_id: int) -> Stock:
        stock = self._office.stockroom.stocks.get(stock_id)
        if stock is None:
            raise Denied(f"stock {stock_id} does not exist", 37, "invalid_ids_provided")
        return stock

    @staticmethod
    def _stocked(stock: Stock) -> Response:
        attributes = {"quantity": float(stock.quantity), "status": stock.status}
        return answer({"data": {"id": stock.id, "type": "stocks", "attributes": attributes}})
