"""Refunds and return items of a commercetools order (fact sheet 5.6, 7).

A refund is a transaction of the order's payment under our mark (`interactionId`); the project's payment connector makes it. Every write names a version, so
nothing of ours lands twice or on a payment that changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.commercetools import payments
from app.connectors.commercetools.client import Client, Doc, error_codes, error_text
from app.connectors.commercetools.orders import item_name
from app.connectors.commercetools.shipments import order_path
from app.connectors.contract import Priority, ShownPayments
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from app.connectors.times import iso
from schemas.records import ReturnItem, SettleReturn
from tables.deliveries.refunds import Refund

_MEANWHILE: Final = "ConcurrentModification"
_CONDITIONS: Final = {"RESTOCKED": "BackInStock", "UNUSABLE": "Unusable"}


class Refunds:
    """Payments and returns of one project's orders. `state` is the one in which a refund is handed to the payment connector."""

    def __init__(self, client: Client, state: str) -> None:
        self._client, self._state = client, state

    async def read(self, order_id: str, priority: Priority) -> ShownPayments | None:
        """The order's payments; the token is the payments as they were read."""
        order = await self._client.get(order_path(order_id), priority, {"expand": payments.EXPAND})
        if order is None:
            return None
        try:
            shown = payments.shown(order) or []
            found = payments.movements(shown, str(order["totalPrice"]["currencyCode"])) or []
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, "GET orders", f"a payment is not as documented: {error!r}") from error
        return ShownPayments(payments.captured(found), [one for one in found if one.kind != "CHARGE"], shown)

    async def refund(self, command: SettleReturn, step: Refund, shown: ShownPayments, priority: Priority) -> int:
        """One transaction on the first payment that has something left; what it took."""
        for payment in shown.token:
            found = payments.movements([payment], command.currency) or []
            amount = min(step.amount, payments.captured(found) - payments.gone_back(found))
            if amount > 0:
                await self._add(payment, command, step.key, amount, priority)
                return amount
        raise Refused(self._client.name, "POST payments", "no payment of the order has so much left")

    async def _add(self, payment: Doc, command: SettleReturn, key: str, amount: int, priority: Priority) -> None:
        transaction = {
            "type": "Refund",
            "amount": {"currencyCode": command.currency, "centAmount": amount},
            "state": self._state,
            "interactionId": key,
            "timestamp": iso(self._client.peer_time()[1]),
        }
        action = {"action": "addTransaction", "transaction": transaction}
        await self._update(f"payments/{payment['id']}", int(payment["version"]), [action], priority)

    async def settle(self, command: SettleReturn, priority: Priority) -> None:
        """Bring the return's items to their states, all in one request; nothing is sent where they are there."""
        if not command.items:
            return
        path = order_path(command.order_id)
        order = await self._client.get(path, priority)
        if order is None:
            return
        try:
            actions = _actions(order, {item.item_id: item for item in command.items})
        except (KeyError, TypeError) as error:
            raise Malformed(self._client.name, "GET orders", f"a return is not as documented: {error!r}") from error
        if actions:
            await self._update(path, int(order["version"]), actions, priority)

    async def _update(self, path: str, version: int, actions: Sequence[Doc], priority: Priority) -> None:
        request = f"POST {path.partition('/')[0]}"
        body = {"version": version, "actions": list(actions)}
        response = await self._client.send("POST", path, priority, json=body)
        if any(error.get("code") == _MEANWHILE for error in error_codes(response)) and not response.is_success:
            raise Unavailable(self._client.name, request, error_text(response), status=response.status_code)
        try:
            self._client.read("POST", path, response)
        except Malformed as error:
            raise OutcomeUnknown(self._client.name, request, error.detail, status=error.status) from error


def _actions(order: Doc, wanted: Mapping[str, ReturnItem]) -> list[Doc]:
    """What makes the items so. An item that is only advised never moves on (5.6): then all returns are set anew, and the states of the others with them."""
    infos = order.get("returnInfo") or []
    items = [item for info in infos for item in info["items"]]
    anew = any(item["shipmentState"] == "Advised" and item_name(item) in wanted for item in items)
    actions: list[Doc] = (
        [{"action": "setReturnInfo", "items": [_draft(info, wanted) for info in infos]}] if anew else []
    )
    for item in items:
        name, own = item_name(item), wanted.get(item_name(item))
        started = "Advised" if item["shipmentState"] == "Advised" and own is None else "Returned"
        shipment, payment = (started, "") if anew else (item["shipmentState"], item["paymentState"])
        goal, paid = _CONDITIONS.get(own.condition, "") if own else "", own.refunded if own else None
        goal = goal or (item["shipmentState"] if item["shipmentState"] in _CONDITIONS.values() else "")
        money = item["paymentState"] if paid is None else "Refunded" if paid else "NotRefunded"
        which = {"returnItemKey": name} if anew or item.get("key") else {"returnItemId": name}
        if goal and shipment == "Returned":
            actions.append({"action": "setReturnShipmentState", **which, "shipmentState": goal})
        if money in ("Refunded", "NotRefunded") and money != payment and started == "Returned":
            actions.append({"action": "setReturnPaymentState", **which, "paymentState": money})
    return actions


def _draft(info: Doc, wanted: Mapping[str, ReturnItem]) -> Doc:
    """A return as it is set anew: each item keeps its name as its key."""
    drafts = []
    for item in info["items"]:
        name = item_name(item)
        waits = item["shipmentState"] == "Advised" and name not in wanted
        draft: dict[str, Any] = {"key": name, "quantity": item["quantity"]}
        draft["shipmentState"] = "Advised" if waits else "Returned"
        kept = ("lineItemId", "customLineItemId", "comment", "custom")
        drafts.append(draft | {field: item[field] for field in kept if item.get(field) is not None})
    beside = {field: info[field] for field in ("returnTrackingId", "returnDate") if info.get(field)}
    return {"items": drafts, **beside}
