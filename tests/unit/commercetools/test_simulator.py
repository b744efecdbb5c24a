"""The simulated project behaves as the fact sheet says: what a drill's truth rests on."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.simulators.base import Fault
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder, StepRefused
from tests.contract.storefronts import until


class Shop:
    """A running simulator and a plain HTTP client with a token."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.simulator = CommercetoolsSimulator("ct", seed, **{"visible_lag": 0.1, "rate": 1000.0, **options})
        self.http = httpx.AsyncClient()

    async def __aenter__(self) -> "Shop":
        url = await self.simulator.start()
        auth = (self.simulator.connection()["client_id"], self.simulator.connection()["client_secret"])
        issued = await self.http.post(f"{url}/oauth/token", auth=auth, data={"grant_type": "client_credentials"})
        self.http.headers["Authorization"] = f"Bearer {issued.json()['access_token']}"
        self.http.base_url = httpx.URL(f"{url}/drill/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        await self.simulator.stop()

    async def entry(self, sku: str = "A") -> dict[str, Any]:
        page = (await self.http.get("inventory", params={"where": f'sku = "{sku}"'})).json()
        return dict(page["results"][0])

    async def act(self, path: str, version: int, *actions: dict[str, Any]) -> httpx.Response:
        return await self.http.post(path, json={"version": version, "actions": list(actions)})

    async def stock(self, quantity: int, sku: str = "A") -> None:
        if self.simulator.inventory.find(sku) is None:
            self.simulator.add_listing(sku)
        await self.simulator.set_stock(sku, quantity)

    async def order(self, *lines: tuple[str, int], number: str = "", **fields: Any) -> Any:
        return await self.simulator.place(NewOrder(number, [NewLine(*line) for line in lines], **fields))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as running:
        yield running


def add(quantity: int) -> dict[str, Any]:
    return {"action": "addQuantity", "quantity": quantity}


async def test_an_order_is_decided_at_once_and_shows_after_the_lag() -> None:
    async with Shop(visible_lag=0.4) as shop:
        await shop.stock(5)
        await shop.order(("A", 3))
        assert shop.simulator.quantity("A") == 2
        assert not shop.simulator.quiet()
        with pytest.raises(StepRefused, match="out of stock"):
            await shop.order(("A", 3))
        await until(shop.simulator.quiet)
        entry = await shop.entry()
        assert (entry["quantityOnStock"], entry["availableQuantity"]) == (2, 2)


async def test_orders_sometimes_raise_the_version_and_sometimes_do_not() -> None:
    async with Shop(visible_lag=0.0) as shop:
        await shop.stock(100)
        raised = set()
        for _ in range(20):
            before = (await shop.entry())["version"]
            await shop.order(("A", 1))
            raised.add((await shop.entry())["version"] > before)
        assert raised == {True, False}


async def test_versions_rise_by_one_or_more(shop: Shop) -> None:
    await shop.stock(0)
    steps = set()
    for _ in range(40):
        before = await shop.entry()
        after = (await shop.act(f"inventory/{before['id']}", before["version"], add(1))).json()
        steps.add(after["version"] - before["version"])
    assert min(steps) == 1
    assert max(steps) > 1


async def test_a_stale_version_changes_nothing_and_usually_names_the_current_one(shop: Shop) -> None:
    await shop.stock(0)
    entry = await shop.entry()
    await shop.act(f"inventory/{entry['id']}", entry["version"], add(4))
    named = []
    for _ in range(80):
        refused = await shop.act(f"inventory/{entry['id']}", entry["version"], add(1))
        assert refused.status_code == 409
        (error,) = refused.json()["errors"]
        assert error["code"] == "ConcurrentModification"
        named.append(error.get("currentVersion"))
    assert set(named) == {None, (await shop.entry())["version"]}
    assert shop.simulator.quantity("A") == 4


async def test_the_actions_of_a_request_land_together_or_not_at_all(shop: Shop) -> None:
    await shop.stock(5)
    entry = await shop.entry()
    no_type = {"action": "setCustomField", "name": "x", "value": "y"}
    refused = await shop.act(f"inventory/{entry['id']}", entry["version"], add(4), no_type)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "InvalidOperation")
    assert await shop.entry() == entry
    assert shop.simulator.quantity("A") == 5


async def test_remove_may_go_below_zero_and_nothing_is_sold_then(shop: Shop) -> None:
    await shop.stock(1)
    entry = await shop.entry()
    await shop.act(f"inventory/{entry['id']}", entry["version"], {"action": "removeQuantity", "quantity": 3})
    assert shop.simulator.quantity("A") == -2
    with pytest.raises(StepRefused):
        await shop.order(("A", 1))


async def test_restockable_entries_take_orders_beyond_their_stock(shop: Shop) -> None:
    await shop.stock(1)
    entry = await shop.entry()
    await shop.act(
        f"inventory/{entry['id']}", entry["version"], {"action": "setRestockableInDays", "restockableInDays": 0}
    )
    await shop.order(("A", 5))
    assert shop.simulator.quantity("A") == -4


async def test_a_quantity_set_by_hand_during_the_lag_swallows_or_keeps_what_is_under_way_by_seed() -> None:
    seen = set()
    for seed in range(8):
        async with Shop(seed, visible_lag=0.2) as shop:
            await shop.stock(10)
            await shop.order(("A", 3))
            raised = await shop.simulator.set_stock("A", 20)
            await until(shop.simulator.quiet)
            assert raised == shop.simulator.quantity("A") - 7
            assert (await shop.entry())["quantityOnStock"] == shop.simulator.quantity("A")
            seen.add(shop.simulator.quantity("A"))
    assert seen == {20, 17}


async def test_a_cancel_puts_nothing_back_unless_the_project_does_so() -> None:
    for restocks in (False, True):
        async with Shop(restock_on_cancel=restocks) as shop:
            await shop.stock(5)
            await shop.order(("A", 2), number="1")
            await shop.simulator.cancel("1")
            await until(shop.simulator.quiet)
            truth = shop.simulator.orders()["1"]
            assert (truth.state, truth.restocked) == ("cancelled", restocks)
            assert shop.simulator.quantity("A") == (5 if restocks else 3)
            with pytest.raises(StepRefused, match="cancelled already"):
                await shop.simulator.cancel("1")
            assert shop.simulator.quantity("A") == (5 if restocks else 3)


async def test_lines_are_edited_only_where_nothing_is_tracked(shop: Shop) -> None:
    await shop.stock(5)
    await shop.order(("A", 2), number="1")
    await shop.order(("free", 2), number="2")
    with pytest.raises(StepRefused, match="inventory mode"):
        await shop.simulator.edit("1", [NewLine("A", 1)], None)
    with pytest.raises(StepRefused, match="inventory mode"):
        await shop.simulator.edit("2", [NewLine("A", 1)], None)
    await shop.simulator.edit("2", [NewLine("free", 7)], {"city": "York"})
    order = (await shop.http.get("orders/order-number=2")).json()
    assert [item["quantity"] for item in order["lineItems"]] == [7]
    assert order["shippingAddress"]["city"] == "York"


async def test_steps_for_orders_that_are_not_there_are_refused(shop: Shop) -> None:
    for step in (shop.simulator.pay("9"), shop.simulator.cancel("9"), shop.simulator.edit("9", None, {})):
        with pytest.raises(StepRefused, match="no order 9"):
            await step


async def test_deliveries_make_the_shipments_and_the_state(shop: Shop) -> None:
    placed = await shop.order(("free", 3), number="1")
    order = (await shop.http.get(f"orders/{placed.order_id}")).json()
    item = order["lineItems"][0]["id"]

    def delivery(quantity: int, tracking: str) -> dict[str, Any]:
        items = [{"id": item, "quantity": quantity}]
        parcel = {"trackingData": {"trackingId": tracking}, "items": items}
        return {"action": "addDelivery", "deliveryKey": f"k-{tracking}", "items": items, "parcels": [parcel]}

    first = await shop.act(f"orders/{order['id']}", order["version"], delivery(1, "T1"))
    assert shop.simulator.orders()["1"].state == "part_shipped"
    version = first.json()["version"]
    again = await shop.act(f"orders/{order['id']}", version, delivery(1, "T1"))
    assert again.json()["errors"][0]["code"] == "DuplicateField"
    await shop.act(f"orders/{order['id']}", version, delivery(2, "T2"))
    truth = shop.simulator.orders()["1"]
    assert truth.state == "shipped"
    assert truth.shipments == [
        {"tracking": "T1", "lines": [{"sku": "free", "qty": 1}]},
        {"tracking": "T2", "lines": [{"sku": "free", "qty": 2}]},
    ]


async def test_the_limit_answers_429_with_retry_after_and_counts_as_its_own() -> None:
    async with Shop(rate=5.0) as shop:
        answers = [await shop.http.get("inventory") for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        assert shop.simulator.journal.throttled("limit") == len(refused)


async def test_every_answer_carries_one_exact_date(shop: Shop) -> None:
    answer = await shop.http.get("inventory")
    assert len(answer.headers.get_list("date")) == 1


async def test_requests_are_counted_by_what_they_are_about(shop: Shop) -> None:
    await shop.http.get("inventory")
    await shop.http.get("orders")
    await shop.http.get("channels")
    assert shop.simulator.journal.requests() == {"stock": 1, "orders": 1, "other": 2}


async def test_an_expired_token_is_401_invalid_token(shop: Shop) -> None:
    shop.simulator.forget_tokens()
    answer = await shop.http.get("inventory")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("inventory", {"sku": "A", "quantityOnStock": 1}, "DuplicateField"),
        ("inventory", {"quantityOnStock": 1}, "RequiredField"),
        ("inventory", {"sku": "B", "quantityOnStock": "1"}, "InvalidJsonInput"),
        (
            "inventory",
            {"sku": "B", "quantityOnStock": 1, "supplyChannel": {"typeId": "channel", "key": "none"}},
            "ReferencedResourceNotFound",
        ),
        ("orders/import", {"totalPrice": {"centAmount": 1, "currencyCode": "EUR"}}, "InvalidOperation"),
    ],
)
async def test_bad_requests_are_answered_with_the_documented_code(
    shop: Shop, path: str, body: dict[str, Any], code: str
) -> None:
    await shop.stock(1)
    answer = await shop.http.post(path, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


class Kept:
    """A destination that keeps what it takes."""

    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []

    async def deliver(self, envelope: bytes) -> bool:
        self.envelopes.append(json.loads(envelope))
        return True

    async def close(self) -> None:
        """Nothing to stop."""


async def test_the_subscription_tells_first_of_itself_then_of_every_change() -> None:
    async with Shop(order_lag=(0.0, 0.0)) as shop:
        kept = Kept()
        shop.simulator.subscribe(kept)
        await until(lambda: len(kept.envelopes) == 1)
        await shop.order(("free", 1), number="1", paid=False)
        await shop.simulator.pay("1")
        await until(lambda: shop.simulator.notifier.pending == 0)
    test, created, paid = sorted(kept.envelopes, key=lambda e: e.get("sequenceNumber", 0))
    assert (test["notificationType"], test["resource"]["typeId"]) == ("ResourceCreated", "subscription")
    assert (created["type"], paid["type"], paid["paymentState"]) == ("OrderCreated", "OrderPaymentStateChanged", "Paid")
    assert created["order"]["orderNumber"] == created["resourceUserProvidedIdentifiers"]["orderNumber"] == "1"
    assert paid["resourceVersion"] > created["resourceVersion"]
    assert [note.answered for note in shop.simulator.notifier.sent] == [True, True]


async def test_dropped_and_doubled_notifications_are_as_the_fault_says() -> None:
    async with Shop(order_lag=(0.0, 0.0)) as shop:
        kept = Kept()
        shop.simulator.subscribe(kept)
        now = asyncio.get_running_loop().time()
        shop.simulator.faults.add(Fault("webhook", now + 60, duplicate=1.0))
        await shop.order(("free", 1))
        await until(lambda: shop.simulator.notifier.pending == 0)
        assert len(kept.envelopes) == 3
        shop.simulator.faults.add(Fault("webhook", now + 60, drop=1.0))
        shop.simulator.faults._active.pop(0)
        await shop.order(("free", 1))
        await until(lambda: shop.simulator.notifier.pending == 0)
        assert len(kept.envelopes) == 3


async def test_the_same_seed_gives_the_same_order_ids() -> None:
    ids = []
    for _ in range(2):
        async with Shop(seed=42) as shop:
            ids.append([(await shop.order(("free", 1))).order_id for _ in range(3)])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


async def test_an_order_from_a_cart_reserves_and_needs_the_carts_version(shop: Shop) -> None:
    await shop.stock(2)
    draft = {
        "currency": "EUR",
        "inventoryMode": "ReserveOnOrder",
        "lineItems": [{"sku": "A", "quantity": 2}],
        "shippingAddress": {"country": "GB"},
    }
    cart = (await shop.http.post("carts", json=draft)).json()
    reference = {"typeId": "cart", "id": cart["id"]}
    stale = await shop.http.post("orders", json={"cart": reference, "version": cart["version"] + 1})
    assert stale.status_code == 409
    made = await shop.http.post("orders", json={"cart": reference, "version": cart["version"], "orderNumber": "7"})
    assert (made.status_code, made.json()["orderNumber"]) == (201, "7")
    assert shop.simulator.quantity("A") == 0
    second = (await shop.http.post("carts", json=draft)).json()
    refused = await shop.http.post(
        "orders", json={"cart": {"typeId": "cart", "id": second["id"]}, "version": second["version"]}
    )
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "OutOfStock")
    assert refused.json()["errors"][0]["skus"] == ["A"]
