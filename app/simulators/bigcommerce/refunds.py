"""Refunds of the simulated store over the V3 API (bigcommerce.md 6.2): quotes, refunds and their lists.

The store reckons with what an order cost after its discount; it never gives back more than was paid, nor more units of a line than were ordered.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulators.base import Faults, Journal
from app.simulators.bigcommerce.answers import DOCS, listed, v3_error
from app.simulators.bigcommerce.orders import PRICE, Order, Orders, Refund

Item = Mapping[str, Any]


class Refunds:
    """Refunds of one store. `offline`: the gateway only lets a refund be noted, not made."""

    def __init__(self, orders: Orders, faults: Faults, journal: Journal) -> None:
        self._orders, self._faults, self._journal = orders, faults, journal
        self._next = 1
        self.offline = False
        order = "/v3/orders/{order:int}/payment_actions"
        self.routes = [
            Route(f"{order}/refund_quotes", self.quote, methods=["POST"]),
            Route(f"{order}/refunds", self.refund, methods=["POST"]),
            Route(f"{order}/refunds", self.of_order, methods=["GET"]),
            Route("/v3/orders/payment_actions/refunds", self.all, methods=["GET"]),
        ]

    async def quote(self, request: Request) -> Response:
        """What these items come to, and how it could be given back."""
        order, body = self._orders.all.get(request.path_params["order"]), await _json(request)
        if order is None:
            return v3_error(404, "The resource was not found.")
        try:
            amount = _worth(order, _items(body))
        except ValueError as error:
            return v3_error(422, str(error))
        option = {
            "provider_id": "testgateway",
            "provider_description": "Test gateway",
            "amount": amount / 100,
            "offline": self.offline,
            "offline_provider": False,
            "offline_reason": "Only offline refunds are available." if self.offline else "",
        }
        custom = {**option, "provider_id": "custom", "offline": True, "offline_provider": True, "offline_reason": "-"}
        quoted = {
            "order_id": order.id,
            "total_refund_amount": amount / 100,
            "total_refund_tax_amount": 0,
            "order_level_refund_amount": 0,
            "rounding": 0,
            "adjustment": 0,
            "tax_inclusive": True,
            "refund_methods": [[option], [custom]],
        }
        return JSONResponse({"data": quoted, "meta": {}}, 201)

    async def refund(self, request: Request) -> Response:
        """Give it back: the amounts must be those of a quote, or of the merchant's own reckoning."""
        order, body = self._orders.all.get(request.path_params["order"]), await _json(request)
        if order is None:
            return v3_error(404, "The resource was not found.")
        if self._faults.hits("conflict"):
            return v3_error(409, "Another payment action of the order is under way.")
        try:
            items = _items(body)
            override = body.get("merchant_calculated_override")
            amount = _worth(order, items)
            if override is not None:
                amount = round(override["total_amount"] * 100)
            payments = [dict(one) for one in body["payments"]]
            if sum(round(one["amount"] * 100) for one in payments) != amount:
                raise ValueError("The payments do not come to the refund's amount.")
            if amount > order.captured - order.refunded:
                raise ValueError("The refund is more than what is left of the order's payment.")
        except (ValueError, KeyError, TypeError) as error:
            return _refused(str(error))
        made = self.make(order, items, amount, payments, overrides=override is not None)
        return JSONResponse({"data": _shown(order, made), "meta": {}}, 201)

    def make(
        self,
        order: Order,
        items: Sequence[Item],
        amount: int,
        payments: list[dict[str, Any]],
        *,
        overrides: bool = False,
        by_hand: bool = False,
    ) -> Refund:
        """The refund is made, and the status follows: 4 where everything went back, else 14."""
        by_id = {line.id: line for line in order.lines}
        for item in items:
            if item["item_type"] == "PRODUCT":
                by_id[item["item_id"]].refunded += item["quantity"]
        made = Refund(
            self._next, time.time(), amount, [dict(i) for i in items], payments, overrides=overrides, by_hand=by_hand
        )
        self._next += 1
        order.refunds.append(made)
        what = "refund by hand" if by_hand else "refund"
        self._journal.note(what, order=str(order.id), amount=amount, key=str(items[0].get("reason", "")))
        status = 4 if order.refunded >= order.cost else 14
        if status != order.status_id:
            self._orders.set_status(order, status)
        else:
            self._orders.touch(order, order.status_id)
        return made

    def by_hand(self, order: Order, units: Mapping[str, int]) -> None:
        """Somebody of the store gives back what these units cost, in the control panel."""
        lines = {line.sku: line for line in order.lines}
        items = [
            {"item_type": "PRODUCT", "item_id": lines[sku].id, "quantity": n, "reason": "by hand"}
            for sku, n in units.items()
        ]
        amount = _worth(order, items)
        payment = {"provider_id": "testgateway", "amount": amount / 100, "offline": False}
        self.make(order, items, amount, [payment], by_hand=True)

    async def of_order(self, request: Request) -> Response:
        """The refunds of one order."""
        order = self._orders.all.get(request.path_params["order"])
        if order is None:
            return v3_error(404, "The resource was not found.")
        return JSONResponse({"data": [_shown(order, one) for one in order.refunds], "meta": {}})

    async def all(self, request: Request) -> Response:
        """The refunds of some orders, or of all."""
        wanted = listed(request, "order_id:in")
        orders = [o for o in self._orders.all.values() if wanted is None or str(o.id) in wanted]
        return JSONResponse({"data": [_shown(o, one) for o in orders for one in o.refunds], "meta": {}})


def _items(body: Any) -> list[dict[str, Any]]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise ValueError("items are required.")
    for item in items:
        if len(str(item.get("reason", ""))) > 1000:
            raise ValueError("The reason is too long.")
    return items


def _worth(order: Order, items: Sequence[Item]) -> int:
    """Minor units of these items: products at what they cost after the order's discount. ValueError where the order has not so much of them."""
    lines = {line.id: line for line in order.lines}
    total = 0
    for item in items:
        if item.get("item_type") != "PRODUCT":
            total += round(item["amount"] * 100)
            continue
        line, quantity = lines.get(item["item_id"]), item["quantity"]
        if line is None or not isinstance(quantity, int) or not 0 < quantity <= line.quantity - line.refunded:
            raise ValueError(f"Item {item['item_id']}: quantity {quantity} cannot be refunded.")
        total += round(PRICE * quantity * order.cost / (order.total * PRICE))
    return total


def _shown(order: Order, refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "order_id": order.id,
        "user_id": 1 if refund.by_hand else 0,
        "created": datetime.fromtimestamp(int(refund.created), UTC).isoformat(),
        "reason": "",
        "total_amount": refund.amount / 100,
        "total_tax": 0,
        "uses_merchant_override_values": refund.overrides,
        "items": [
            {name: item[name] for name in ("item_type", "item_id", "quantity", "reason") if name in item}
            for item in refund.items
        ],
        "payments": [
            {
                "id": refund.id,
                "provider_id": one["provider_id"],
                "amount": one["amount"],
                "offline": bool(one.get("offline")),
                "is_declined": False,
                "declined_message": "",
            }
            for one in refund.payments
        ],
    }


def _refused(text: str) -> Response:
    """422 to a refund, wrapped as only this operation does it (1.5)."""
    return JSONResponse({"data": [{"status": 422, "title": text, "type": DOCS}]}, 422)


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return {}
