"""The simulated BigCommerce store as a drill uses it: customers and the merchant's people in front of the same state that the API serves.

Behaviour and its sources: bigcommerce.md 1.2 (limits), 3.3 (adjustments applied later, in order), 3.9 (orders lower stock at once), 4 (orders), 7 (webhooks).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from app.simulators.base import Asgi, Hosted, Message, Notifier, Receive, Scope, Send
from app.simulators.bigcommerce.answers import v3_error
from app.simulators.bigcommerce.inventory import Inventory, Tracking
from app.simulators.bigcommerce.limits import QUOTAS, WINDOW, Limit, Rate, Window
from app.simulators.bigcommerce.orders import FIRST_ORDER, SALES_LOCATION, Order, Orders
from app.simulators.bigcommerce.orders_api import OrdersApi
from app.simulators.bigcommerce.refunds import Refunds
from app.simulators.bigcommerce.stock_api import StockApi
from app.simulators.bigcommerce.store_api import StoreApi
from app.simulators.bigcommerce.webhooks import Webhooks
from app.simulators.contract import NewLine, NewOrder, StepRefused, StorefrontOrder

Plan = Literal["standard", "plus", "pro", "enterprise"]
SECRET_HEADER = "X-Clarus-Stream-Secret"  # noqa: S105 - the name of a header
_SCOPES = ("store/order/created", "store/order/updated")


class BigCommerceSimulator(Hosted):
    """One simulated store.

    `order_lag` delays its webhooks (seconds), `apply_max` its adjustments; `rate` replaces the plan's limit by so many requests a second;
    `silent`: a relative adjustment that would go below zero is accepted and then dropped instead of refused (None: by the seed).
    """

    def __init__(
        self,
        name: str,
        seed: int,
        *,
        plan: Plan = "plus",
        order_lag: tuple[float, float] = (0.1, 1.0),
        apply_max: float = 2.0,
        restock_on_cancel: bool = False,
        rate: float | None = None,
        silent: bool | None = None,
        first_order: int = FIRST_ORDER,
    ) -> None:
        super().__init__(name, seed)
        self._store_hash, self._token = "rehearsal", f"token-of-{name}"
        self._client_secret, self._webhook_secret = f"client-secret-of-{name}", f"webhook-secret-of-{name}"
        drawn = self.rng.random() < 0.5
        self.inventory = Inventory(self.rng, self.faults, self.journal, apply_max, drawn if silent is None else silent)
        self.settings: dict[str, Any] = {
            "product_out_of_stock_behavior": "do_nothing",
            "option_out_of_stock_behavior": "do_nothing",
            "update_stock_behavior": "order_placed",
            "edit_order_stock_adjustment": True,
            "refund_order_stock_adjustment": restock_on_cancel,
            "stock_level_display": "dont_show",
            "default_out_of_stock_message": "Currently out of stock",
            "hide_in_product_filtering": False,
            "show_pre_order_stock_levels": False,
            "show_out_of_stock_message": False,
        }
        self.notifier = Notifier(name, seed, self.faults, self.journal, order_lag)
        self.webhooks = Webhooks(self._store_hash, "1025646", "rehearsal-client", self._client_secret, self.notifier)
        self._orders = Orders(self.inventory, self.journal, self.settings, self._changed, first_order)
        self._limit: Limit = Window(QUOTAS[plan]) if rate is None else Rate(rate)
        self._budget = max(15.0, 0.9 * QUOTAS[plan] / WINDOW) if rate is None else max(1.0, 0.8 * rate)
        self.refunds = Refunds(self._orders, self.faults, self.journal)
        routes = [
            *self.refunds.routes,
            *StockApi(self.inventory).routes,
            *OrdersApi(self._orders, self.faults, lambda: f"{self.url}/stores/{self._store_hash}/v2").routes,
            *StoreApi(self.inventory, self.settings, self.webhooks).routes,
        ]
        store = Starlette(routes=[Mount(f"/stores/{self._store_hash}", routes=routes)])
        self.app = self._front(store)

    # ---- HTTP -------------------------------------------------------------------------------------------------------------------------------

    def group(self, method: str, path: str) -> str:
        """`stock`, `orders` or `other`, for the report."""
        if "/inventory/" in path and "/settings/" not in path:
            return "stock"
        return "orders" if "/v2/orders" in path or "/v3/orders" in path else "other"

    def limit(self, request: Request) -> Response | None:
        """The plan's limit, with all its headers; `X-Retry-After` in whole seconds."""
        wait = self._limit.take()
        if not wait:
            return None
        headers = {**self._limit.headers(), "X-Retry-After": str(int(wait) + 1)}
        return JSONResponse({}, 429, headers)

    def _front(self, store: Asgi) -> Asgi:
        """Credentials, and the limit's headers on every answer."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            async def with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(self._limit.headers())
                await send(message)

            request = Request(scope)
            if request.headers.get("x-auth-token") != self._token or self.faults.hits("token_expired"):
                refusal = v3_error(401, "You are not authorized to make this request")
                return await refusal(scope, receive, with_headers)
            await store(scope, receive, with_headers)

        return front

    async def stop(self) -> None:
        """Stop notifying and serving."""
        await self.notifier.stop()
        await self.webhooks.stop()
        await super().stop()

    # ---- what a drill does ------------------------------------------------------------------------------------------------------------------

    def connection(self) -> dict[str, Any]:
        """The channel's settings for the product. The rate is as a careful merchant would set it; the headers tell what is left."""
        return {
            "system": "bigcommerce",
            "api_url": self.url,
            "store_hash": self._store_hash,
            "access_token": self._token,
            "client_secret": self._client_secret,
            "webhook_secret": self._webhook_secret,
            "location_id": SALES_LOCATION,
            "rate_per_second": self._budget,
        }

    def notify_to(self, url: str) -> None:
        """Register the order hooks as a merchant would, with the custom secret header. Every change fires `updated`, so these two are enough."""
        for scope in _SCOPES:
            self.webhooks.register(scope, url, {SECRET_HEADER: self._webhook_secret})

    def add_listing(self, sku: str, location: str = "", tracking: Tracking | None = None) -> None:
        """Create a listing that was never set. By turns a simple product and a variant, which are addressed differently (bigcommerce.md 2)."""
        kind: Tracking = tracking or ("product" if len(self.inventory.items) % 2 == 0 else "variant")
        self.inventory.add(sku, _location(location), kind)

    def describe(self, sku: str, *, barcode: str = "", grams: float = 0.0) -> None:
        """What the catalogue says of a listing's SKU."""
        item = self.inventory.items[sku]
        item.barcode, item.grams = barcode, grams

    async def place(self, order: NewOrder) -> StorefrontOrder:
        """A customer checks out: status 11 where paid, 7 where the payment is awaited; both lower the stock."""
        return self._orders.place(order).truth()

    async def pay(self, number: str) -> None:
        """The payment arrives: status 11."""
        order = self._orders.get(number)
        if order.status_id != 7:
            raise StepRefused(f"order {number} awaits no payment")
        self._orders.set_status(order, 11)

    async def edit(self, number: str, lines: Sequence[NewLine] | None, address: Mapping[str, str] | None) -> None:
        """Change lines or address in the control panel."""
        self._orders.edit(self._orders.get(number), lines, address)

    async def cancel(self, number: str) -> None:
        """Status 5; stock comes back only where the store is set so."""
        order = self._orders.get(number)
        if order.status_id == 5:
            raise StepRefused(f"order {number} is cancelled already")
        self._orders.set_status(order, 5)

    async def send_back(self, number: str, lines: Sequence[NewLine]) -> bool:
        """As `StorefrontSimulator.send_back`: BigCommerce has no returns of its own."""
        order = self._orders.get(number)
        for line in lines:
            if line.qty > sum(one.quantity for one in order.lines if one.sku == line.sku):
                raise StepRefused(f"order {number} has no {line.qty} of {line.sku}")
        return False

    async def refund_by_hand(self, number: str, lines: Sequence[NewLine]) -> None:
        """As `StorefrontSimulator.refund_by_hand`."""
        try:
            self.refunds.by_hand(self._orders.get(number), {line.sku: line.qty for line in lines})
        except (KeyError, ValueError) as error:
            raise StepRefused(f"order {number}: {error}") from error

    async def set_stock(self, sku: str, qty: int, location: str = "") -> int:
        """A manual edit; it takes effect at once, before what is still queued."""
        item = self.inventory.items.get(sku)
        if item is None:
            raise StepRefused(f"no listing {sku!r}")
        level = item.level(_location(location))
        raised, level.onhand = qty - (level.onhand or 0), qty
        self.journal.note("stock set by hand", sku=sku, quantity=qty, raised=raised)
        return raised

    def quantity(self, sku: str, location: str = "") -> int:
        """The listing's quantity once everything under way is applied; never set counts as 0."""
        return self.inventory.items[sku].level(_location(location)).final()

    def orders(self) -> Mapping[str, StorefrontOrder]:
        """All orders, by number."""
        return {str(number): order.truth() for number, order in self._orders.all.items()}

    def quiet(self) -> bool:
        """No notification undelivered, no request under way, no adjustment still to be applied."""
        return not (self.notifier.pending or self.journal.under_way or self.inventory.pending)

    def _changed(self, order: Order, new: bool, before: int) -> None:
        """The webhooks of one change (bigcommerce.md 7.3): `created` or `updated`, and `statusUpdated` where the status moved."""
        entity, data = str(order.id), {"type": "order", "id": order.id}
        self.webhooks.emit("store/order/created" if new else "store/order/updated", entity, data)
        if order.status_id != before:
            status = {"previous_status_id": before, "new_status_id": order.status_id}
            self.webhooks.emit("store/order/statusUpdated", entity, {**data, "status": status})


def _location(text: str) -> int:
    return int(text) if text else SALES_LOCATION
