"""Webhooks of the simulated Clarus: which automation fires on what, the bodies and the five headers (fact sheet 10).

Bodies are not published: records as the API shows them are sent, in one of the three envelopes a receiver must expect.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import httpx

from app.simulators.base import Notifier, now_ms
from app.simulators.clarus.model import Account, Automation, Balance, GoodsOut, Product, Transaction, iso

Envelope = Literal["bare", "data", "jsonapi"]
_ENVELOPES: tuple[Envelope, ...] = ("bare", "data", "jsonapi")
Body = Callable[[], dict[str, Any]]

EVENTS: Mapping[str, frozenset[str]] = {
    "goods_out": frozenset({"created", "completed", "updated", "processed", "cancelled"}),
    "goods_in": frozenset({"created", "completed", "cancelled", "moved_to_part"}),
    "goods_out_pick_list": frozenset({"created", "picked", "completed", "cancelled"}),
    "stock": frozenset(
        {
            "positively_adjusted",
            "negatively_adjusted",
            "placed_on_hold",
            "released_from_hold",
            "received",
            "unreceived",
            "dispatched",
            "undispatched",
            "account_transferred",
            "picked",
        }
    ),
    "stock_balance": frozenset({"updated"}),
}
"""The triggers of section 10.2 that have to do with stock and orders."""

STOCK_EVENTS: tuple[tuple[str, str], ...] = (
    ("stock", "positively_adjusted"),
    ("stock", "negatively_adjusted"),
    ("stock", "placed_on_hold"),
    ("stock", "released_from_hold"),
    ("stock", "received"),
    ("stock", "unreceived"),
    ("stock", "undispatched"),
)
ORDER_EVENTS: tuple[tuple[str, str], ...] = (
    ("goods_out", "created"),
    ("goods_out", "processed"),
    ("goods_out", "completed"),
    ("goods_out", "cancelled"),
    ("goods_out_pick_list", "picked"),
    ("goods_out_pick_list", "cancelled"),
)
DEFAULT = (
    *STOCK_EVENTS,
    ("goods_out", "completed"),
    ("goods_out", "cancelled"),
    ("goods_out_pick_list", "cancelled"),
)
"""What happens without the receiver's doing. Other order events come several times an order: hundreds of orders a second would be all webhooks."""


class Automations:
    """The webhooks of one tenant and their sending. While one for a balance is under way no second one is made: it shows the figures of its sending."""

    def __init__(
        self, account: Account, subdomain: str, notifier: Notifier, rng: random.Random, envelope: Envelope | None
    ) -> None:
        self._account, self._subdomain, self._notifier, self._rng = account, subdomain, notifier, rng
        self._envelope = envelope
        self._next = 40
        self.all: dict[int, Automation] = {}
        self._under_way: set[tuple[int, int]] = set()
        self._client: httpx.AsyncClient | None = None
        self.base_url = ""

    def add(self, name: str, resource: str, event: str, *, enabled: bool = True, url: str = "") -> Automation:
        """Set up one."""
        self._next += 1
        one = Automation(self._next, name, resource, event, enabled, now_ms(), url)
        self.all[one.id] = one
        return one

    def start(self, base_url: str) -> None:
        """Ready to send."""
        self.base_url = base_url
        self._client = httpx.AsyncClient(
            timeout=10.0, trust_env=False, limits=httpx.Limits(max_connections=16, max_keepalive_connections=16)
        )

    async def stop(self) -> None:
        """Close what sends."""
        if self._client is not None:
            await self._client.aclose()

    # ---- what fires -------------------------------------------------------------------------------------------------------------------------

    def stock(self, event: str, transaction: Transaction, balance: Balance) -> None:
        """A stock movement; the body is its transaction."""
        body = {
            "id": transaction.id,
            "created_at": iso(transaction.created_at),
            "account": self._coded(self._account),
            "product": self._coded(transaction.product),
            "warehouse": self._coded(transaction.warehouse),
            "quantity": float(abs(transaction.quantity)),
            "new_quantity": float(balance.available),
        }
        self._fire("stock", event, transaction.product.code, lambda: body)

    def balance(self, balance: Balance) -> None:
        """A balance changed."""
        key = balance.product.id, balance.warehouse.id
        if key in self._under_way or not any(self._listening("stock_balance", "updated")):
            return

        def body() -> dict[str, Any]:
            self._under_way.discard(key)
            return self._balance(balance)

        self._under_way.add(key)
        if not self._fire("stock_balance", "updated", balance.product.code, body):
            self._under_way.discard(key)

    def order(self, resource: str, event: str, order: GoodsOut) -> None:
        """An order moved on; the body is as it is now."""
        if any(self._listening(resource, event)):
            body = self._order(order)
            self._fire(resource, event, order.reference, lambda: body)

    # ---- sending ----------------------------------------------------------------------------------------------------------------------------

    def _listening(self, resource: str, event: str) -> Iterable[Automation]:
        return (a for a in self.all.values() if a.enabled and a.url and (a.resource, a.event) == (resource, event))

    def _fire(self, resource: str, event: str, entity: str, body: Body) -> bool:
        sent = False
        for automation in list(self._listening(resource, event)):
            envelope = self._rng.choice(_ENVELOPES if self._envelope is None else (self._envelope,))
            self._notifier.post(
                entity,
                partial(self._send, automation, envelope, resource, body),
                partial(self._forge, automation, envelope, resource, body),
            )
            sent = sent or not self._notifier.sent[-1].dropped
        return sent

    async def _send(self, automation: Automation, envelope: Envelope, resource: str, body: Body) -> bool:
        return await self._post(automation.url, self._headers(automation), _wrap(envelope, resource, body()))

    async def _forge(self, automation: Automation, envelope: Envelope, resource: str, body: Body) -> bool:
        """The same from somebody else: a wrong secret in the path, or another tenant in the headers."""
        url, headers = automation.url, self._headers(automation)
        if self._rng.random() < 0.5:
            url = f"{url.rstrip('/')}x"
        else:
            headers["X-ClarusWMS-Subdomain"] = "somebody-else"
        return await self._post(url, headers, _wrap(envelope, resource, body()))

    async def _post(self, url: str, headers: Mapping[str, str], body: Any) -> bool:
        if self._client is None:
            return False
        try:
            response = await self._client.post(url, json=body, headers=dict(headers))
        except httpx.HTTPError:
            return False
        return response.is_success

    def _headers(self, automation: Automation) -> dict[str, str]:
        return {
            "X-ClarusWMS-Domain": f"https://{self._subdomain}.claruswms.example",
            "X-ClarusWMS-API-Domain": self.base_url,
            "X-ClarusWMS-Subdomain": self._subdomain,
            "X-ClarusWMS-Automation-ID": str(automation.id),
            "X-ClarusWMS-Integration-ID": "1",
        }

    # ---- bodies -----------------------------------------------------------------------------------------------------------------------------

    @staticmethod
    def _coded(row: Product | Account | Any) -> dict[str, Any]:
        return {"id": row.id, "code": row.code}

    def _balance(self, balance: Balance) -> dict[str, Any]:
        return {
            "available": float(balance.available),
            "allocated": float(balance.allocated),
            "ordered": 0.0,
            "received": float(balance.received),
            "picked": float(balance.picked),
            "product": self._coded(balance.product),
            "account": self._coded(self._account),
            "warehouse": self._coded(balance.warehouse),
        }

    def _order(self, order: GoodsOut) -> dict[str, Any]:
        return {
            "id": order.id,
            "reference": order.reference,
            "goods_out_status": {"code": order.status},
            "account": self._coded(order.account),
            "warehouse": self._coded(order.warehouse) if order.warehouse else None,
            "external_system_reference1": order.upstream or None,
            "external_system_reference2": order.attributes.get("external_system_reference2"),
            "actual_date_of_dispatch": iso(order.despatched_at) if order.despatched_at else None,
            "lines": [
                {
                    "id": line.id,
                    "product": self._coded(line.product),
                    "order_quantity": float(line.ordered),
                    "allocated_quantity": float(line.allocated),
                    "pick_quantity": float(line.picked),
                    "dispatch_quantity": float(line.despatched),
                }
                for line in order.lines
            ],
        }


def _wrap(envelope: Envelope, resource: str, body: dict[str, Any]) -> dict[str, Any]:
    if envelope == "bare":
        return body
    if envelope == "data":
        return {"data": body}
    attributes = {name: value for name, value in body.items() if name != "id"}
    return {"data": {"id": body.get("id"), "type": f"{resource}s", "attributes": attributes}}
