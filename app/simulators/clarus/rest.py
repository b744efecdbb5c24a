"""The REST operations of the simulated Clarus: which path is what, and how an operation's refusal is answered (fact sheet 1.5)."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.simulators.clarus import rules
from app.simulators.clarus.office import Missing, Office, answer, problem
from app.simulators.clarus.orderbook import Denied
from app.simulators.clarus.rest_automations import AutomationDesk
from app.simulators.clarus.rest_orders import OrderDesk
from app.simulators.clarus.rest_receipts import ReceiptDesk
from app.simulators.clarus.rest_stock import StockDesk


class Rest:
    """All operations behind one prefix. `guard` checks token and tenant."""

    def __init__(self, office: Office, guard: Callable[[Request], Response | None]) -> None:
        self._office, self._guard = office, guard

    def routes(self, prefixes: Iterable[str]) -> list[Route]:
        """The routes, under each of the documented prefixes."""
        orders, stock, automations = OrderDesk(self._office), StockDesk(self._office), AutomationDesk(self._office)
        receipts = ReceiptDesk(self._office)
        table: list[tuple[str, str, Callable[[Request, Any], Response]]] = [
            ("POST", "/goods_outs", orders.create_order),
            ("PATCH", "/goods_outs/{id:int}", orders.update_order),
            ("DELETE", "/goods_outs/{id:int}", orders.delete_order),
            ("POST", "/goods_outs/{id:int}/cancel", orders.cancel_order),
            ("POST", "/goods_out_processes/process_picks_async", orders.process_picks),
            ("POST", "/goods_out_processes/short_order_lines", orders.short_lines),
            ("POST", "/goods_in_receipts", receipts.create),
            ("DELETE", "/goods_in_receipts/{id:int}", receipts.delete),
            ("POST", "/stocks/hold", stock.hold),
            ("POST", "/stocks/offhold", stock.offhold),
            ("POST", "/stocks/{id:int}/negative_adjustment", stock.lower),
            ("POST", "/stocks/{id:int}/move", stock.move),
            ("POST", "/automations", automations.create_automation),
            ("PATCH", "/automations/{id:int}", automations.update_automation),
            ("DELETE", "/automations/{id:int}", automations.delete_automation),
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
