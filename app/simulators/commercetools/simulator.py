"""The simulated commercetools project as a drill uses it: what customers and the shop's people do, and the truth afterwards."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.simulators.base import Hosted, Notifier, TokenBucket
from app.simulators.commercetools import fulfilment
from app.simulators.commercetools.api import Api
from app.simulators.commercetools.destination import Destination, KafkaDestination, Subscription
from app.simulators.commercetools.documents import ApiError, Collection, Doc, Factory, milliseconds
from app.simulators.commercetools.inventory import Inventory
from app.simulators.commercetools.orders import PRICE, Orders, money
from app.simulators.commercetools.payments import Payments
from app.simulators.contract import NewLine, NewOrder, OddLine, SoldLine, StepRefused, StorefrontOrder

_NOTE, _GIFT, _STAFF = "deliveryNote", "giftMessage", "warehouseSays"
_SECRET = "drill-secret"  # noqa: S105 - of a simulated project that nobody else can reach
_ADDRESS = {"name": "Ann Example", "line1": "1 High Street", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}
_ADDRESS_FIELDS = {
    "company": "company",
    "line1": "streetName",
    "line2": "additionalStreetInfo",
    "city": "city",
    "region": "region",
    "postcode": "postalCode",
    "country": "country",
    "phone": "phone",
    "email": "email",
}


def _address(given: Mapping[str, str]) -> Doc:
    """A commercetools address from a drill file's: `name`, `company`, `line1`, `line2`, `city`, `region`, `postcode`, `country`, `phone`, `email`."""
    source = {**_ADDRESS, **given}
    first, _, last = source["name"].rpartition(" ")
    doc = {theirs: source[ours] for ours, theirs in _ADDRESS_FIELDS.items() if source.get(ours)}
    return doc | {"lastName": last} | ({"firstName": first} if first else {})


class CommercetoolsSimulator(Hosted):
    """One project on loopback.

    `order_lag` (seconds, from and to) delays notifications, `rate` is its limit in requests a second, `visible_lag` (seconds) the time in which an order's
    decrement becomes visible at the latest.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        *,
        order_lag: tuple[float, float] = (0.0, 0.5),
        rate: float = 100.0,
        visible_lag: float = 2.0,
        restock_on_cancel: bool = False,
    ) -> None:
        super().__init__(name, seed)
        self._restock, self._rate = restock_on_cancel, rate
        self._bucket = TokenBucket(rate)
        self.project = "drill"
        factory = Factory(self.rng)
        self._channels, self._types = Collection(factory, "channel"), Collection(factory, "type")
        self._products = Collection(factory, "product")
        self.notifier = Notifier(name, seed, self.faults, self.journal, order_lag)
        self._subscription = Subscription(name, self.project, factory, self.notifier)
        self.inventory = Inventory(
            random.Random(f"{seed}:{name}:inventory"), factory, self._channels, self._types, self.journal, visible_lag
        )
        self._orders = Orders(
            random.Random(f"{seed}:{name}:orders"),
            factory,
            self.inventory,
            self._channels,
            self._types,
            self.journal,
            self._subscription.message,
            restock_on_cancel,
        )
        self._order_type = self._types.create(
            key="order-notes",
            name={"en": "Order notes"},
            resourceTypeIds=["order"],
            fieldDefinitions=[
                {"name": field, "label": {"en": field}, "required": False, "type": {"name": "String"}}
                for field in (_NOTE, _GIFT, _STAFF)
            ],
        )
        self.payments = Payments(random.Random(f"{seed}:{name}:payments"), factory, self.journal)
        client = (f"{name}-client", _SECRET)
        self._client = client
        self._api = Api(
            self.project,
            client,
            self.faults,
            self.inventory,
            self._orders,
            self._channels,
            self._types,
            self._products,
            self.payments,
        )
        self.app = self._api.app
        self._truth: dict[str, StorefrontOrder] = {}
        self._destination: dict[str, Any] = {}

    # ---- serving -----------------------------------------------------------------------------------------------------------------------

    def group(self, method: str, path: str) -> str:
        """As `Hosted.group`."""
        kind = path.removeprefix(f"/{self.project}/").partition("/")[0]
        return {"inventory": "stock", "orders": "orders", "payments": "orders"}.get(kind, "other")

    def limit(self, request: Request) -> Response | None:
        """The project's own limit. Tokens come from another host, which has none."""
        if request.url.path.startswith("/oauth/") or not (wait := self._bucket.take()):
            return None
        body = {"statusCode": 429, "message": "Too many requests."}
        return JSONResponse(body, 429, {"Retry-After": str(max(1, math.ceil(wait)))})

    def connect_kafka(self, bootstrap: str, topic: str, security: Mapping[str, str]) -> None:
        """Subscribe a topic of a foreign cluster to the project's orders. To be called inside the running event loop."""
        self._destination = {"kafka_bootstrap": bootstrap, "kafka_topic": topic, "kafka_security": dict(security)}
        self.subscribe(KafkaDestination(bootstrap, topic, security))

    def subscribe(self, destination: Destination) -> None:
        """Send the project's notifications there. To be called inside the running event loop."""
        self._subscription.connect(destination)

    def forget_tokens(self) -> None:
        """Every token issued so far is refused from now on."""
        self._api.tokens.clear()

    async def stop(self) -> None:
        """Stop serving and notifying."""
        await self.notifier.stop()
        await self._subscription.close()
        await super().stop()

    def connection(self) -> dict[str, Any]:
        """As `StorefrontSimulator.connection`. The budget stays a fifth below the limit: commercetools publishes none, so a careful merchant would too."""
        return {
            "system": "commercetools",
            "api_url": self.url,
            "auth_url": self.url,
            "project_key": self.project,
            "client_id": self._client[0],
            "client_secret": self._client[1],
            "rate_per_second": self._rate * 0.8,
            "restocks_on_cancel": self._restock,
            "note_field": _NOTE,
            "gift_field": _GIFT,
            "late_change_field": _STAFF,
            "late_change_type": self._order_type["key"],
            **self._destination,
        }

    # ---- what happens there ------------------------------------------------------------------------------------------------------------

    def add_listing(self, sku: str, location: str = "") -> None:
        """As `StorefrontSimulator.add_listing`: an entry of quantity 0; a supply channel where it is the first of its location."""
        draft: Doc = {"sku": sku, "quantityOnStock": 0}
        if location:
            if self._channels.by_key(location) is None:
                self._channels.create(key=location, roles=["InventorySupply"])
            draft["supplyChannel"] = {"typeId": "channel", "key": location}
        self.inventory.create(draft)
        if self._products.by_key(sku) is None:
            master = {"id": 1, "sku": sku, "attributes": [], "prices": [], "images": []}
            self._products.create(key=sku, name={"en": sku}, published=True, masterVariant=master, variants=[])

    def describe(self, sku: str, *, barcode: str = "", grams: float = 0.0) -> None:
        """What the catalogue says of a listing's SKU: the attributes `ean` and `weight`."""
        product = self._products.get_key(sku)
        values: Doc = {"ean": barcode, "weight": grams}
        attributes = [{"name": name, "value": value} for name, value in values.items() if value]
        product["masterVariant"]["attributes"] = attributes

    async def place(self, order: NewOrder) -> StorefrontOrder:
        """As `StorefrontSimulator.place`: tracked lines reserve on order, untracked ones have the mode None."""
        number = order.number or self._next_number()
        if number in self._truth:
            raise StepRefused(f"{self.name}: the order number {number} is taken")
        if order.entered is not None:
            return self._entered(number, order, order.entered)
        lines = [self._draft(line) for line in order.lines]
        tracked = [line.get("inventoryMode") != "None" for line in lines]
        try:
            doc = self._orders.place(
                self._header(number, order, sum(line.qty for line in order.lines)),
                lines,
                "ReserveOnOrder" if any(tracked) else "None",
            )
        except ApiError as error:
            raise StepRefused(f"{self.name}: order {number}: {error.message} {error.extra.get('skus', '')}") from error
        sold = [
            SoldLine(line.sku, line.qty, is_tracked, PRICE * line.qty)
            for line, is_tracked in zip(order.lines, tracked, strict=True)
        ]
        placed_at = milliseconds(doc["createdAt"])
        truth = self._truth[number] = StorefrontOrder(
            doc["id"], number, placed_at, sold, order.paid, discount=order.discount
        )
        return truth

    async def pay(self, number: str) -> None:
        """As `StorefrontSimulator.pay`."""
        for payment in self._doc(number)["paymentInfo"]["payments"]:
            self.payments.charge(payment)
        self._change(number, {"action": "changePaymentState", "paymentState": "Paid"})
        self._truth[number].paid = True

    async def edit(self, number: str, lines: Sequence[NewLine] | None, address: Mapping[str, str] | None) -> None:
        """As `StorefrontSimulator.edit`: lines by an order edit, which takes untracked lines only; the address by an update."""
        doc = self._doc(number)
        if lines is not None:
            try:
                self._orders.replace_lines(doc, [{"sku": line.sku, "quantity": line.qty} for line in lines])
            except ApiError as error:
                raise StepRefused(f"{self.name}: order {number}: {error.message}") from error
            self._truth[number].lines = [SoldLine(line.sku, line.qty, False, PRICE * line.qty) for line in lines]
        if address is not None:
            self._change(number, {"action": "setShippingAddress", "address": _address(address)})

    async def cancel(self, number: str) -> None:
        """As `StorefrontSimulator.cancel`."""
        if self._doc(number)["orderState"] == "Cancelled":
            raise StepRefused(f"{self.name}: order {number} is cancelled already")
        self._change(number, {"action": "changeOrderState", "orderState": "Cancelled"})

    async def send_back(self, number: str, lines: Sequence[NewLine]) -> bool:
        """As `StorefrontSimulator.send_back`: return items that are advised."""
        doc = self._doc(number)
        items = []
        for line in lines:
            item = next((one for one in doc["lineItems"] if one["variant"]["sku"] == line.sku), None)
            if item is None or item["quantity"] < line.qty:
                raise StepRefused(f"{self.name}: order {number} has no {line.qty} of {line.sku}")
            items.append({"lineItemId": item["id"], "quantity": line.qty, "shipmentState": "Advised"})
        self._change(number, {"action": "addReturnInfo", "items": items})
        return True

    async def refund_by_hand(self, number: str, lines: Sequence[NewLine]) -> None:
        """As `StorefrontSimulator.refund_by_hand`: a transaction of the payment; it says nothing of lines."""
        (payment,) = self._doc(number)["paymentInfo"]["payments"]
        for line in lines:
            self.payments.refund_by_hand(payment, PRICE * line.qty)
            self._truth[number].by_hand.append((line.sku, line.qty, PRICE * line.qty))

    async def set_stock(self, sku: str, qty: int, location: str = "") -> int:
        """As `StorefrontSimulator.set_stock`."""
        entry = self.inventory.find(sku, location)
        if entry is None:
            raise StepRefused(f"{self.name}: {sku} has no inventory entry at {location or 'the default location'}")
        return self.inventory.set_by_hand(entry, qty)

    # ---- the truth ---------------------------------------------------------------------------------------------------------------------

    def quantity(self, sku: str, location: str = "") -> int:
        """As `StorefrontSimulator.quantity`: `quantityOnStock` once all lags are over. KeyError where there is no such listing."""
        entry = self.inventory.find(sku, location)
        if entry is None:
            raise KeyError(f"{self.name}/{location}/{sku}")
        return entry.stock

    def orders(self) -> Mapping[str, StorefrontOrder]:
        """As `StorefrontSimulator.orders`."""
        for truth in self._truth.values():
            doc = self._orders.get(truth.order_id)
            truth.state, truth.shipments = fulfilment.state(doc), fulfilment.shipments(doc)
            truth.restocked = truth.order_id in self._orders.restocked
            truth.paid = doc.get("paymentState") == "Paid"
            truth.staff_note = (doc.get("custom") or {}).get("fields", {}).get(_STAFF, "")
            found = self.payments.refunds(doc)
            truth.captured = self.payments.captured(doc)
            truth.refunds = [one["amount"]["centAmount"] for one in found if one.get("interactionId")]
            total = sum(one["amount"]["centAmount"] for one in found)
            truth.refunded = f"{total / 100:.2f}"
            goods = doc["totalPrice"]["centAmount"] - doc["shippingInfo"]["price"]["centAmount"]
            if total and total >= goods and truth.state != "cancelled":
                truth.state = "refunded"
        return self._truth

    def quiet(self) -> bool:
        """As `StorefrontSimulator.quiet`."""
        return (
            not self.notifier.pending
            and not self.journal.under_way
            and not self.inventory.lagging()
            and not self.payments.busy
        )

    # ---- helpers -----------------------------------------------------------------------------------------------------------------------

    def _header(self, number: str, order: NewOrder, units: int) -> Doc:
        fields: Doc = {
            "orderNumber": number,
            "paymentState": "Paid" if order.paid else "Pending",
            "shippingAddress": _address(order.address),
            "shippingInfo": self._shipping(order.shipping or "standard"),
        }
        if order.discount:
            fields["discountOnTotalPrice"] = {"discountedAmount": money(order.discount), "includedDiscounts": []}
        amount = money(PRICE * units + fields["shippingInfo"]["price"]["centAmount"] - order.discount)
        fields["paymentInfo"] = {"payments": [self.payments.create(number, amount, paid=order.paid)]}
        notes = {_NOTE: order.note, _GIFT: order.gift, **order.fields}
        for name in order.fields:
            self._define(name)
        if any(notes.values()):
            given = {name: said for name, said in notes.items() if said}
            fields["custom"] = {"type": self._types.reference(self._order_type), "fields": given}
        return fields

    def _define(self, name: str) -> None:
        """A custom field of orders; the shop has those that its orders use."""
        known = self._order_type["fieldDefinitions"]
        if all(one["name"] != name for one in known):
            known.append({"name": name, "label": {"en": name}, "required": False, "type": {"name": "String"}})

    def _entered(self, number: str, order: NewOrder, lines: Sequence[OddLine]) -> StorefrontOrder:
        doc = self._orders.enter(self._header(number, order, sum(line.counted for line in lines)), lines)
        sold = [SoldLine(line.sku, line.counted, False) for line in lines]
        truth = StorefrontOrder(doc["id"], number, milliseconds(doc["createdAt"]), sold, order.paid)
        self._truth[number] = truth
        return truth

    def _next_number(self) -> str:
        number = len(self._truth) + 1
        while f"O-{number}" in self._truth:
            number += 1
        return f"O-{number}"

    def _draft(self, line: NewLine) -> Doc:
        draft: Doc = {"sku": line.sku, "quantity": line.qty}
        entry = self.inventory.supplier(line.sku, line.qty)
        if entry is None:
            draft["inventoryMode"] = "None"
        elif entry.location:
            draft["supplyChannel"] = {"typeId": "channel", "key": entry.location}
        return draft

    @staticmethod
    def _shipping(method: str) -> Doc:
        price = money(500)
        return {
            "shippingMethodName": method,
            "price": price,
            "shippingRate": {"price": price, "tiers": []},
            "shippingMethodState": "MatchesCart",
            "deliveries": [],
        }

    def _doc(self, number: str) -> Doc:
        if number not in self._truth:
            raise StepRefused(f"{self.name}: there is no order {number}")
        return self._orders.get(self._truth[number].order_id)

    def _change(self, number: str, action: Doc) -> None:
        self._orders.apply(self._doc(number), [action])
