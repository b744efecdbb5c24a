"""Start-up checks of a BigCommerce store: credentials, the settings that the stock rules rely on, the location, the hooks (bigcommerce.md 3.7, 3.9, 7)."""

from collections.abc import Awaitable, Callable
from typing import Any

from app.connectors.bigcommerce.client import Client
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import Finding, Priority
from app.connectors.errors import Malformed, PeerError, Unauthorised

_SWEEP = Priority.SWEEP


class Probe:
    """Looks once; changes nothing."""

    def __init__(self, client: Client, settings: BigCommerceSettings) -> None:
        self._client, self._settings = client, settings

    async def run(self) -> list[Finding]:
        """All findings; where the token is refused, only that."""
        token = await self._look("token", self._token)
        if not token[0].ok:
            return token
        findings = [*token]
        for check, look in (
            ("inventory settings", self._inventory),
            ("location", self._location),
            ("webhooks", self._hooks),
        ):
            findings += await self._look(check, look)
        return findings

    async def _look(self, check: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
        try:
            return await look()
        except Unauthorised as error:
            return [Finding(check, False, error.detail, "give the API account this scope, or renew its token")]
        except PeerError as error:
            return [Finding(check, False, error.detail, "see that the store can be reached, then start again")]

    async def _token(self) -> list[Finding]:
        body = await self._client.find("/v2/store", _SWEEP)
        if body is None:
            return [Finding("token", False, "no such store", "check store_hash and api_url")]
        return [Finding("token", True, "the store answers")]

    async def _inventory(self) -> list[Finding]:
        body = await self._client.get("/v3/settings/inventory", _SWEEP)
        data = self._dict(body, "/v3/settings/inventory")
        restock, moment = data.get("refund_order_stock_adjustment"), data.get("update_stock_behavior")
        return [
            Finding(
                "restock",
                not restock,
                "the store puts stock back by itself on cancels and refunds"
                if restock
                else "only the warehouse restocks",
                "turn refund_order_stock_adjustment off: returned units may be gone or not sellable" if restock else "",
                blocking=False,
                unguarded="the store puts units back on sale by itself (refund_order_stock_adjustment)"
                if restock
                else "",
            ),
            Finding(
                "stock moment",
                moment == "order_placed",
                f"update_stock_behavior is {moment}",
                "" if moment == "order_placed" else "set it to order_placed: the stock rules count on it",
            ),
        ]

    async def _location(self) -> list[Finding]:
        number = self._settings.location_id
        rows = (await self._client.list_v3("/v3/inventory/locations", _SWEEP, {"location_id:in": number})).rows
        row = next((row for row in rows if row.get("id") == number), None)
        if row is None:
            return [
                Finding("location", False, f"no location {number}", "set location_id to one of the store's locations")
            ]
        enabled = bool(row.get("enabled"))
        return [
            Finding(
                "location",
                enabled,
                f"location {number} is {'enabled' if enabled else 'disabled'}",
                "" if enabled else "enable it: its stock cannot be changed",
            )
        ]

    async def _hooks(self) -> list[Finding]:
        rows = (await self._client.list_v3("/v3/hooks", _SWEEP, {"is_active": "true"})).rows
        active = sorted({str(row.get("scope")) for row in rows if row.get("is_active")})
        orders = [scope for scope in active if scope.startswith("store/order/")]
        whole = "store/order/*" in orders or {"store/order/created", "store/order/updated"} <= set(orders)
        return [
            Finding(
                "webhooks",
                whole,
                f"active: {', '.join(orders) or 'none'}",
                "" if whole else "register store/order/*: until then orders come with the next poll",
                blocking=False,
            )
        ]

    def _dict(self, body: Any, path: str) -> dict[str, Any]:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            raise Malformed(self._client.name, f"GET {path}", "no data in the answer")
        return data
