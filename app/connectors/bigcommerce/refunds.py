"""Refunds of a BigCommerce order (bigcommerce.md 6.2): read, quote, refund. The platform has no returns: nothing else is told it of one.

A refund keeps no reference of ours but the reason of its items, where our mark stands. The store's quote says how money can go back and bounds how much; where
it reckons otherwise than we do, our lower figure is sent as the merchant's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.connectors.bigcommerce import payments
from app.connectors.bigcommerce.client import Client, error_text
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import Priority, ShownPayments
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unavailable
from app.connectors.http import READ
from schemas.records import SettleReturn
from tables import money
from tables.deliveries.refunds import Refund

_REASON_LIMIT: Final = 1000


class Refunds:
    """Refunds of one store."""

    def __init__(self, client: Client, settings: BigCommerceSettings) -> None:
        self._client, self._settings = client, settings

    async def read(self, order_id: str, priority: Priority) -> ShownPayments | None:
        """What was captured and refunded; None for 404."""
        order = await self._client.find(f"/v2/orders/{order_id}", priority)
        if order is None:
            return None
        path = f"/v3/orders/{order_id}/payment_actions/refunds"
        listed = await self._client.list_v3(path, priority, {})
        try:
            digits = money.digits_of(str(order.get("currency_code") or ""))
            total = money.minor(order["total_inc_tax"], digits)
            unique = {str(row["id"]): row for row in listed.rows}
            refunds = [payments.movement(row, digits) for row in unique.values()]
            paid = int(order["status_id"]) in self._settings.paid_statuses or bool(refunds)
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, f"GET {path}", f"a refund is not as documented: {error!r}") from error
        return ShownPayments(payments.captured(order, total) if paid else 0, refunds)

    async def refund(self, command: SettleReturn, step: Refund, priority: Priority) -> int:
        """Quote, then refund the quote, or less of it; what went back."""
        base = f"/v3/orders/{command.order_id}/payment_actions"
        items = await self._items(command, step, priority)
        quote = await self._send(f"{base}/refund_quotes", {"items": items}, priority, read=True)
        try:
            worth = money.minor(quote["total_refund_amount"], command.digits)
            tax = money.minor(quote.get("total_refund_tax_amount") or 0, command.digits)
            methods = [list(method) for method in quote["refund_methods"]]
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(self._client.name, f"POST {base}/refund_quotes", f"no quote: {error!r}") from error
        if worth < step.amount:
            shown, wanted = (money.words(n, command.currency, command.digits) for n in (worth, step.amount))
            raise Refused(
                self._client.name, f"POST {base}/refund_quotes", f"the store gives back {shown}, not {wanted}"
            )
        body: dict[str, Any] = {"items": items, "payments": self._method(methods, step.amount, command, base)}
        if worth > step.amount:
            amount = float(money.decimal(step.amount, command.digits))
            ours = float(money.decimal(tax * step.amount // worth, command.digits))
            body["merchant_calculated_override"] = {"total_amount": amount, "total_tax": ours}
        made = await self._send(f"{base}/refunds", body, priority)
        if "id" not in made:
            raise OutcomeUnknown(self._client.name, f"POST {base}/refunds", "the answer holds no id")
        return step.amount

    async def _items(self, command: SettleReturn, step: Refund, priority: Priority) -> list[dict[str, Any]]:
        why = f": {command.reason}" if command.reason else ""
        reason = f"{payments.MARK}{step.key}{why}"[:_REASON_LIMIT]
        items: list[dict[str, Any]] = [
            {"item_type": "PRODUCT", "item_id": int(line.line_id), "quantity": line.units, "reason": reason}
            for line in step.lines
        ]
        if step.shipping:
            path = f"/v2/orders/{command.order_id}/shipping_addresses"
            addresses = await self._client.list_v2(path, priority)
            amount = float(money.decimal(step.shipping, command.digits))
            items += [
                {"item_type": "SHIPPING", "item_id": int(one["id"]), "amount": amount, "reason": reason}
                for one in addresses[:1]
            ]
        return items

    def _method(
        self, methods: Sequence[Sequence[Mapping[str, Any]]], amount: int, command: SettleReturn, base: str
    ) -> list[dict[str, Any]]:
        """The first way that gives money back by itself; its parts are filled in their order."""
        online = next((m for m in methods if m and not any(part.get("offline") for part in m)), None)
        chosen = online or next((m for m in methods if m), None)
        if chosen is None or (online is None and not self._settings.offline_refunds):
            detail = "the store can only note a refund of this payment, not make it: refund it by hand"
            raise Refused(self._client.name, f"POST {base}/refunds", detail)
        parts, rest = [], amount
        for part in chosen:
            step = min(rest, money.minor(part["amount"], command.digits))
            if step > 0:
                value = float(money.decimal(step, command.digits))
                parts.append(
                    {"provider_id": part["provider_id"], "amount": value, "offline": bool(part.get("offline"))}
                )
                rest -= step
        return parts

    async def _send(self, path: str, body: Any, priority: Priority, *, read: bool = False) -> Mapping[str, Any]:
        """`data` of the answer. 409 means: nothing happened, look again."""
        extensions = READ if read else None
        response = await self._client.send("POST", path, priority, json=body, extensions=extensions)
        request, status = f"POST {path}", response.status_code
        if status == 409:
            raise Unavailable(self._client.name, request, error_text(response), status=status)
        if status >= 400:
            raise Refused(self._client.name, request, f"{status}: {error_text(response)}", status=status)
        try:
            data = response.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            kind = Malformed if read else OutcomeUnknown
            raise kind(self._client.name, request, "the answer holds no data", status=status) from error
        return data if isinstance(data, dict) else {}
