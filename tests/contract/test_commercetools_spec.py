"""Everything our connector asks of commercetools and everything our simulator answers and sends is as the vendor's API description says."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.connectors.commercetools import CommercetoolsStorefront
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import AnswerKind, Priority, StockRequest
from app.connectors.errors import Unavailable
from app.connectors.http import DirectTransport
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from schemas.records import RefundLine, ReturnItem, SettleReturn, ShipmentLine, ShipParcel
from tables.catalogue import Listing
from tables.deliveries.refunds import Refund
from tests.contract.storefronts import until
from tests.support.openapi import SpecMismatch, SpecValidator, vendor_spec
from tests.support.orders import fetched

SPEC = "commercetools.openapi.yaml"
_NOT_DESCRIBED = "/oauth/token"


class Checked(DirectTransport):
    """Validates every exchange with the API description; counts them by method, kind of resource and status."""

    def __init__(self, spec: SpecValidator) -> None:
        super().__init__("shop", timeout=5)
        self._spec, self.seen = spec, set[tuple[str, str, int]]()
        self._client.event_hooks = {"response": [self._look]}

    async def _look(self, response: httpx.Response) -> None:
        await response.aread()
        request = response.request
        path = request.url.path
        if path == _NOT_DESCRIBED:
            return
        body = json.loads(request.content) if request.content else None
        self._spec.request(request.method, path, body)
        self._spec.response(request.method, path, response.status_code, response.json())
        self.seen.add((request.method, path.split("/")[2], response.status_code))


@pytest.fixture
def spec() -> SpecValidator:
    return vendor_spec(SPEC)


class Kept:
    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []

    async def deliver(self, envelope: bytes) -> bool:
        self.envelopes.append(json.loads(envelope))
        return True

    async def close(self) -> None:
        """Nothing to stop."""


@pytest.fixture
async def simulator() -> AsyncIterator[CommercetoolsSimulator]:
    running = CommercetoolsSimulator("shop", 3, order_lag=(0.0, 0.0), visible_lag=0.05, rate=1000)
    await running.start()
    yield running
    await running.stop()


async def test_what_the_connector_asks_and_the_simulator_answers(
    spec: SpecValidator, simulator: CommercetoolsSimulator
) -> None:
    transport = Checked(spec)
    storefront = CommercetoolsStorefront("shop", CommercetoolsSettings(**simulator.connection()), transport)
    assert all(finding.ok for finding in await storefront.probe())
    assert all(finding.ok for finding in await storefront.probe())
    simulator.add_listing("A", "WH")
    simulator.add_listing("B")
    a, b = Listing("shop", "A", "A", location="WH"), Listing("shop", "B", "B")
    for attempt in (1, 2):
        readings = await storefront.read_stock([a, b], Priority.SWEEP)
        for listing in (a, b):
            found = readings[listing.id]
            write = StockRequest(listing, 5, attempt, 4, 4, False, found.peer_id, found.peer_version)
            assert (await storefront.write_stock([write], Priority.INCREASE))[listing.id].kind is AnswerKind.OK
            again = (await storefront.write_stock([write], Priority.INCREASE))[listing.id]
            assert again.kind is AnswerKind.CONFLICT
    placed = await simulator.place(
        NewOrder("1", [NewLine("A", 2), NewLine("B", 1), NewLine("free", 1)], note="n", gift="g", shipping="van")
    )
    order = await fetched(storefront, placed.order_id, Priority.DESPATCH)
    assert order is not None
    parcel = ShipParcel(
        channel="shop", order_id=order.order_id, number="1", parcel_id="1", key="clarus-1", version=1, wanted=True,
        lines=[ShipmentLine(line_id=order.lines[0].line_id, units=1)], tracking="T", also=["T2"], carrier="Royal Mail",
    )  # fmt: skip
    for _ in range(2):
        shown = await storefront.shipments(order.order_id, Priority.DESPATCH)
        assert shown is not None
        delivery = await storefront.ship(parcel, "part", shown, Priority.DESPATCH)
        with pytest.raises(Unavailable):
            await storefront.ship(parcel, "part", shown, Priority.DESPATCH)
        for change in (storefront.amend, storefront.unship):
            shown = await storefront.shipments(order.order_id, Priority.DESPATCH)
            assert shown is not None
            await change(parcel, delivery, shown, Priority.DESPATCH)
    await storefront.settle(order.order_id, "whole", Priority.DESPATCH)
    await simulator.send_back("1", [NewLine("A", 1)])
    item_id = (await fetched(storefront, placed.order_id, Priority.DESPATCH)).returns[0].lines[0].item_id  # type: ignore[union-attr]
    line = RefundLine(line_id=order.lines[0].line_id, units=1, amount=1000)
    item = ReturnItem(item_id=item_id, line_id=line.line_id, condition="RESTOCKED", refunded=True)
    back = SettleReturn(
        channel="shop", order_id=order.order_id, number="1", return_id="r", part=1, key="clarus-return-r-1", version=1,
        currency="EUR", lines=[line], items=[item],
    )  # fmt: skip
    paid = await storefront.payments(order.order_id, Priority.DESPATCH)
    assert paid is not None
    await storefront.refund(back, Refund(back.key, 1000, (line,), 0, 0), paid, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await storefront.refund(back, Refund(back.key, 1000, (line,), 0, 0), paid, Priority.DESPATCH)
    await storefront.settle_return(back, Priority.DESPATCH)
    untyped = await simulator.place(NewOrder("2", [NewLine("free", 1)]))
    for order_id in (placed.order_id, untyped.order_id):
        note = await storefront.note(order_id, Priority.DESPATCH)
        assert note is not None
        await storefront.write_note(order_id, "call first", note, Priority.DESPATCH)
        with pytest.raises(Unavailable):
            await storefront.write_note(order_id, "call first", note, Priority.DESPATCH)
    await simulator.cancel("1")
    assert [page.last async for page in storefront.poll_orders(0, Priority.SWEEP)] == [True]
    assert await fetched(storefront, placed.order_id, Priority.SWEEP) is not None
    assert await fetched(storefront, "not-there", Priority.SWEEP) is None
    await transport.close()
    assert transport.seen == {
        ("GET", "inventory", 200),
        ("POST", "inventory", 200),
        ("POST", "inventory", 409),
        ("GET", "orders", 200),
        ("GET", "orders", 404),
        ("POST", "orders", 200),
        ("POST", "orders", 409),
        ("POST", "payments", 200),
        ("POST", "payments", 409),
        ("GET", "channels", 200),
        ("GET", "types", 200),
        ("GET", "types", 404),
        ("POST", "types", 201),
    }


async def test_what_the_simulator_answers_to_others(spec: SpecValidator, simulator: CommercetoolsSimulator) -> None:
    connection = simulator.connection()
    async with httpx.AsyncClient(base_url=simulator.url) as http:

        async def exchange(method: str, path: str, body: Any = None, status: int = 200, checked: bool = True) -> Any:
            if checked:
                spec.request(method, f"/drill{path}", body)
            response = await http.request(method, f"/drill{path}", json=body)
            assert response.status_code == status, response.text
            if status == 401:
                spec.schema("AuthErrorResponse", response.json())
            else:
                spec.response(method, f"/drill{path}", status, response.json())
            return response.json()

        await exchange("GET", "/inventory", status=401)
        issued = await http.post(
            "/oauth/token",
            auth=(connection["client_id"], connection["client_secret"]),
            data={"grant_type": "client_credentials"},
        )
        http.headers["Authorization"] = f"Bearer {issued.json()['access_token']}"
        await exchange("GET", "")
        await exchange("POST", "/channels", {"key": "WH", "roles": ["InventorySupply"]}, 201)
        draft = {"sku": "S", "quantityOnStock": 5, "key": "S_WH", "supplyChannel": {"typeId": "channel", "key": "WH"}}
        entry = await exchange("POST", "/inventory", draft, 201)
        await exchange("POST", "/inventory", draft, 400)
        await exchange("POST", "/inventory", {"sku": "S"}, 400, checked=False)
        actions = [
            {"action": "setRestockableInDays", "restockableInDays": 3},
            {"action": "changeQuantity", "quantity": 9},
        ]
        await exchange("POST", "/inventory/key=S_WH", {"version": entry["version"], "actions": actions})
        await exchange("GET", "/inventory/unknown", status=404)
        await exchange("GET", "/inventory?where=sku%20%3D", status=400)
        line = {
            "name": {"en": "S"},
            "variant": {"sku": "S"},
            "quantity": 1,
            "price": {"value": {"currencyCode": "EUR", "centAmount": 500}},
        }
        imported = {
            "orderNumber": "I1",
            "totalPrice": {"currencyCode": "EUR", "centAmount": 500},
            "lineItems": [line],
            "completedAt": "2026-01-01T00:00:00.000Z",
        }
        await exchange("POST", "/orders/import", imported, 201)
        await exchange("POST", "/orders/import", imported, 400)
        cart_draft = {
            "currency": "EUR",
            "inventoryMode": "TrackOnly",
            "lineItems": [{"sku": "none", "quantity": 1}],
            "shippingAddress": {"country": "GB"},
        }
        cart = await exchange("POST", "/carts", cart_draft, 201)
        by_cart = {"cart": {"typeId": "cart", "id": cart["id"]}, "version": cart["version"]}
        out = await exchange("POST", "/orders", by_cart, 400)
        assert out["errors"][0]["code"] == "OutOfStock"
        await simulator.place(NewOrder("2", [NewLine("free", 2)]))
        order = await exchange("GET", "/orders/order-number=2")
        items = [{"id": order["lineItems"][0]["id"], "quantity": 2}]
        parcel = {"trackingData": {"trackingId": "T", "carrier": "DPD"}, "items": items}
        despatch = [
            {"action": "addDelivery", "deliveryKey": "d1", "items": items, "parcels": [parcel]},
            {"action": "changeShipmentState", "shipmentState": "Shipped"},
        ]
        shipped = await exchange("POST", f"/orders/{order['id']}", {"version": order["version"], "actions": despatch})
        await exchange("POST", f"/orders/{order['id']}", {"version": order["version"], "actions": despatch}, 409)
        unknown = {"version": shipped["version"], "actions": [{"action": "setShipmentState"}]}
        await exchange("POST", f"/orders/{order['id']}", unknown, 400, checked=False)


async def test_what_the_simulator_sends(spec: SpecValidator, simulator: CommercetoolsSimulator) -> None:
    kept = Kept()
    simulator.subscribe(kept)
    await simulator.place(NewOrder("1", [NewLine("free", 2)], paid=False))
    await simulator.pay("1")
    await simulator.edit("1", [NewLine("free", 3)], {"city": "York"})
    await simulator.cancel("1")
    await until(lambda: simulator.notifier.pending == 0 and len(kept.envelopes) == 6)
    test, *messages = sorted(kept.envelopes, key=lambda e: e["notificationType"], reverse=True)
    # The description does not list subscriptions among the things that can be referred to; the vendor's pages do.
    spec.schema("ResourceCreatedDeliveryPayload", test | {"resource": messages[0]["resource"]})
    for message in messages:
        spec.schema("MessageDeliveryPayload", {name: message[name] for name in message if name in _ENVELOPE})
        if "payloadNotIncluded" not in message:
            spec.schema(
                f"{message['type']}MessagePayload", {name: message[name] for name in message if name not in _ENVELOPE}
            )
    assert {envelope.get("type", "") for envelope in kept.envelopes} == {
        "",
        "OrderCreated",
        "OrderPaymentStateChanged",
        "OrderEditApplied",
        "OrderShippingAddressSet",
        "OrderStateChanged",
    }


_ENVELOPE = frozenset(
    {
        "notificationType",
        "projectKey",
        "id",
        "version",
        "sequenceNumber",
        "resource",
        "resourceVersion",
        "resourceUserProvidedIdentifiers",
        "createdAt",
        "lastModifiedAt",
        "payloadNotIncluded",
    }
)


def test_the_description_really_refuses_what_is_wrong(spec: SpecValidator) -> None:
    body: dict[str, Any] = {"version": 1, "actions": [{"action": "addQuantity", "quantity": 1}]}
    spec.request("POST", "/drill/inventory/some-id", body)
    for wrong in (
        {"action": "setQuantity", "quantity": 1},
        {"action": "addQuantity", "quantity": "1"},
        {"quantity": 1},
    ):
        with pytest.raises(SpecMismatch):
            spec.request("POST", "/drill/inventory/some-id", {"version": 1, "actions": [wrong]})
    with pytest.raises(SpecMismatch):
        spec.response("GET", "/drill/inventory", 200, {"results": []})
    with pytest.raises(SpecMismatch):
        spec.request("GET", "/drill/stock", None)
