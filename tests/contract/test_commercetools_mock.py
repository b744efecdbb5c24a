"""Our simulated project beside the public commercetools mock server (npm): asked the same, both answer alike in the fields both have.

The mock knows no reservations, no `addQuantity` and no lag, so stock arithmetic is not compared here. It runs under Node 24 out of .cache; without npm, or
where the packages cannot be had, these tests are skipped by name.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.connectors.commercetools import CommercetoolsStorefront
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import AnswerKind, Marker, Priority, StockRequest
from app.connectors.errors import Unauthorised
from app.connectors.http import DirectTransport
from app.simulators.commercetools import CommercetoolsSimulator
from tables.catalogue import Listing
from tests.support.orders import fetched

_HOME = Path(__file__).resolve().parents[2] / ".cache" / "commercetools-mock"
_SERVER = Path(__file__).resolve().parents[1] / "support" / "commercetools_mock.mjs"
_PACKAGES = {"private": True, "dependencies": {"node": "24", "@labdigital/commercetools-mock": "4.4.0"}}
_CLIENT = ("client", "client-secret")
_ADDRESS = {"country": "GB", "city": "Leeds", "lastName": "Lee"}


@pytest.fixture(scope="session")
def node() -> Path:
    """Node 24 with the mock beside it, installed once."""
    binary = _HOME / "node_modules" / ".bin" / "node"
    if not (_HOME / "node_modules" / "@labdigital").is_dir() or not binary.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed: the public commercetools mock cannot be set up")
        _HOME.mkdir(parents=True, exist_ok=True)
        (_HOME / "package.json").write_text(json.dumps(_PACKAGES))
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=_HOME, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"the public commercetools mock cannot be installed: {done.stderr.strip()[-200:]}")
    return binary


@dataclass
class Project:
    """One of the two servers."""

    url: str
    key: str
    client: tuple[str, str]
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10))

    async def sign_in(self) -> httpx.Response:
        answer = await self.http.post(
            f"{self.url}/oauth/token", auth=self.client, data={"grant_type": "client_credentials"}
        )
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    async def ask(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return await self.http.request(method, f"{self.url}/{self.key}/{path}", json=body, params=params or None)

    async def made(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.ask("POST", path, body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def storefront(self, secret: str = "") -> tuple[CommercetoolsStorefront, DirectTransport]:
        settings = CommercetoolsSettings.model_validate(
            {
                "system": "commercetools",
                "api_url": self.url,
                "auth_url": self.url,
                "project_key": self.key,
                "client_id": self.client[0],
                "client_secret": secret or self.client[1],
                "scopes": f"manage_project:{self.key}",
            }
        )
        transport = DirectTransport("shop", timeout=10)
        return CommercetoolsStorefront("shop", settings, transport), transport


@pytest.fixture
async def both(node: Path) -> AsyncIterator[tuple[Project, Project]]:
    """Our project and the mock's, both empty."""
    script = _HOME / "server.mjs"
    script.write_bytes(_SERVER.read_bytes())
    process = await asyncio.create_subprocess_exec(
        str(node), str(script), "drill", *_CLIENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_HOME
    )
    assert process.stdout is not None
    assert process.stdin is not None
    port = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["port"]
    simulator = CommercetoolsSimulator("shop", 5, visible_lag=0.0, rate=1000)
    await simulator.start()
    connection = simulator.connection()
    ours = Project(simulator.url, "drill", (connection["client_id"], connection["client_secret"]))
    theirs = Project(f"http://127.0.0.1:{port}", "drill", _CLIENT)
    try:
        yield ours, theirs
    finally:
        await ours.http.aclose()
        await theirs.http.aclose()
        await simulator.stop()
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 20)


_FREE = frozenset({"id", "createdAt", "lastModifiedAt", "access_token"})


def alike(ours: Any, theirs: Any, at: str = "$") -> None:
    """Equal in every field both have; ids and times are of the same kind only."""
    assert type(ours) is type(theirs), f"{at}: {ours!r} and {theirs!r}"
    if isinstance(ours, dict):
        for name in ours.keys() & theirs.keys():
            if name in _FREE or name.endswith("Id"):
                assert type(ours[name]) is type(theirs[name]), f"{at}.{name}"
            else:
                alike(ours[name], theirs[name], f"{at}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), at
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            alike(*pair, f"{at}[{number}]")
    else:
        assert ours == theirs, at


def shared(ours: dict[str, Any], theirs: dict[str, Any], *names: str) -> None:
    """Both have these fields, and they are alike."""
    for name in names:
        assert name in ours, f"ours has no {name}"
        assert name in theirs, f"the mock has no {name}"
        alike(ours[name], theirs[name], at=f"$.{name}")


async def test_tokens(both: tuple[Project, Project]) -> None:
    refused = [await project.ask("GET", "inventory") for project in both]
    assert [answer.status_code for answer in refused] == [401, 401]
    for answer in refused:
        assert answer.json()["errors"][0]["code"] == "invalid_token"
    issued = [await project.sign_in() for project in both]
    assert [answer.status_code for answer in issued] == [200, 200]
    shared(issued[0].json(), issued[1].json(), "token_type", "expires_in")
    assert {type(answer.json()["scope"]) for answer in issued} == {str}
    accepted = [await project.ask("GET", "inventory") for project in both]
    shared(accepted[0].json(), accepted[1].json(), "count", "results", "offset", "limit", "total")


async def test_inventory_entries_and_the_predicates_we_use(both: tuple[Project, Project]) -> None:
    for project in both:
        await project.sign_in()
        channel = await project.made("channels", {"key": "WH", "roles": ["InventorySupply"]})
        at_warehouse = {"supplyChannel": {"typeId": "channel", "id": channel["id"]}}
        for sku, quantity, place in (("A", 3, {}), ("B", 4, {}), ("A", 5, at_warehouse)):
            await project.made("inventory", {"sku": sku, "quantityOnStock": quantity, **place})
    listings = [Listing("shop", "A", "A"), Listing("shop", "B", "B"), Listing("shop", "A", "A", location="WH")]
    listings.append(Listing("shop", "none", "none"))
    seen = []
    for project in both:
        storefront, transport = project.storefront()
        readings = await storefront.read_stock(listings, Priority.SWEEP)
        await transport.close()
        seen.append({id: (r.quantity, r.peer_version, r.marker, r.missing) for id, r in readings.items()})
    assert seen[0] == seen[1]
    assert [seen[0][listing.id][0] for listing in listings] == [3, 4, 5, 0]


async def test_a_versioned_write_with_its_marker_and_a_conflict(both: tuple[Project, Project]) -> None:
    listing, answers, versions = Listing("shop", "A", "A"), [], []
    for project in both:
        await project.sign_in()
        await project.made("inventory", {"sku": "A", "quantityOnStock": 10})
        storefront, transport = project.storefront()
        bad = {finding.check for finding in await storefront.probe() if not finding.ok}
        assert bad <= {
            "write inventory",
            "write orders",
            "write payments",
        }  # the mock reads scopes from the query only and grants none
        reading = (await storefront.read_stock([listing], Priority.SWEEP))[listing.id]
        request = StockRequest(listing, 7, 1, -4, 6, False, reading.peer_id, reading.peer_version)
        first = (await storefront.write_stock([request], Priority.DECREASE))[listing.id]
        stale = StockRequest(listing, 7, 2, -1, 5, False, reading.peer_id, reading.peer_version)
        conflict = (await storefront.write_stock([stale], Priority.DECREASE))[listing.id]
        after = (await storefront.read_stock([listing], Priority.SWEEP))[listing.id]
        follow = StockRequest(listing, 7, 2, -1, 5, False, reading.peer_id, after.peer_version)
        last = (await storefront.write_stock([follow], Priority.DECREASE))[listing.id]
        end = (await storefront.read_stock([listing], Priority.SWEEP))[listing.id]
        await transport.close()
        answers.append((first.kind, conflict.kind, after.quantity, after.marker, last.kind, end.quantity, end.marker))
        versions.append((after.peer_version, first.peer_version, conflict.peer_version or first.peer_version))
    assert answers[0] == answers[1]
    assert answers[0] == (
        AnswerKind.OK,
        AnswerKind.CONFLICT,
        6,
        Marker(7, 1, 6),
        AnswerKind.OK,
        5,
        Marker(7, 2, 5),
    )
    for after_version, written, named in versions:
        assert after_version == written == named


async def test_the_shape_of_409(both: tuple[Project, Project]) -> None:
    bodies = []
    for project in both:
        await project.sign_in()
        entry = await project.made("inventory", {"sku": "A", "quantityOnStock": 10})
        body = {"version": entry["version"] + 40, "actions": [{"action": "removeQuantity", "quantity": 1}]}
        while True:
            answer = await project.ask("POST", f"inventory/{entry['id']}", body)
            if "currentVersion" in answer.json()["errors"][0]:
                break
        bodies.append((answer.status_code, json.loads(answer.text.replace(entry["id"], "ID"))))
    assert bodies[0][0] == bodies[1][0] == 409
    alike(bodies[0][1], bodies[1][1])
    assert bodies[0][1]["errors"][0].keys() == bodies[1][1]["errors"][0].keys()


async def test_not_found_and_unknown_actions(both: tuple[Project, Project]) -> None:
    codes = []
    for project in both:
        await project.sign_in()
        entry = await project.made("inventory", {"sku": "A", "quantityOnStock": 10})
        missing = await project.ask("GET", "inventory/00000000-0000-4000-8000-000000000000")
        unknown = {"version": entry["version"], "actions": [{"action": "setQuantity", "quantity": 1}]}
        refused = await project.ask("POST", f"inventory/{entry['id']}", unknown)
        codes.append(
            (
                missing.status_code,
                refused.status_code,
                refused.json()["errors"][0]["code"],
                missing.json()["statusCode"],
            )
        )
    assert codes[0] == codes[1]


def imported(number: str, sku: str, quantity: int) -> dict[str, Any]:
    """A draft of `POST /orders/import`."""
    price = {"currencyCode": "EUR", "centAmount": 1000}
    line = {"name": {"en": sku}, "variant": {"sku": sku}, "quantity": quantity, "price": {"value": price}}
    return {
        "orderNumber": number,
        "orderState": "Open",
        "paymentState": "Paid",
        "totalPrice": {"currencyCode": "EUR", "centAmount": 1000 * quantity},
        "lineItems": [line],
        "shippingAddress": _ADDRESS,
    }


async def test_imported_orders_polled_fetched_and_cancelled(both: tuple[Project, Project]) -> None:
    documents, snapshots = [], []
    for project in both:
        await project.sign_in()
        await with_product(project, "A")
        order = await project.made("orders/import", imported("1001", "A", 2))
        cancel = [{"action": "changeOrderState", "orderState": "Cancelled"}]
        changed = await project.made(f"orders/{order['id']}", {"version": order["version"], "actions": cancel})
        by_number = await project.ask("GET", "orders/order-number=1001")
        assert by_number.json()["version"] == changed["version"]
        documents.append((order, changed))
        storefront, transport = project.storefront()
        polled = [o async for page in storefront.poll_orders(0, Priority.SWEEP) for o in page.orders]
        whole = await fetched(storefront, order["id"], Priority.SWEEP)
        assert polled == [whole]
        assert await fetched(storefront, "00000000-0000-4000-8000-000000000000", Priority.SWEEP) is None
        await transport.close()
        (found,) = polled
        lines = [(line.sku, line.quantity, line.tracked, line.name) for line in found.lines]
        snapshots.append((found.number, found.state, found.status, found.paid, lines, found.address))
    assert snapshots[0] == snapshots[1]
    for ours, theirs in zip(*documents, strict=True):
        shared(ours, theirs, "orderNumber", "orderState", "paymentState", "totalPrice", "shippingMode", "syncInfo")
        shared(ours["lineItems"][0], theirs["lineItems"][0], "quantity", "name", "lineItemMode", "priceMode")
        assert ours["lineItems"][0]["variant"]["sku"] == theirs["lineItems"][0]["variant"]["sku"]
        assert ours["lineItems"][0]["totalPrice"]["centAmount"] == theirs["lineItems"][0]["totalPrice"]["centAmount"]


async def with_product(project: Project, sku: str) -> None:
    """The mock wants a product behind a SKU; our project sells whatever is asked for."""
    if (await project.ask("GET", "products")).status_code == 404:
        return
    kind = await project.made(
        "product-types", {"key": "plain", "name": "plain", "description": "plain", "attributes": []}
    )
    price = {"value": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1000, "fractionDigits": 2}}
    product = {
        "productType": {"typeId": "product-type", "id": kind["id"]},
        "name": {"en": sku},
        "slug": {"en": f"slug-{sku}"},
        "masterVariant": {"sku": sku, "prices": [price]},
        "publish": True,
    }
    await project.made("products", product)


async def test_orders_from_carts(both: tuple[Project, Project]) -> None:
    orders, refusals = [], []
    for project in both:
        await project.sign_in()
        await with_product(project, "A")
        draft = {"currency": "EUR", "lineItems": [{"sku": "A", "quantity": 2}], "shippingAddress": _ADDRESS}
        cart = await project.made("carts", draft)
        body = {"cart": {"typeId": "cart", "id": cart["id"]}, "orderNumber": "2002"}
        stale = await project.ask("POST", "orders", {**body, "version": cart["version"] + 7})
        refusals.append(stale.status_code)
        orders.append(await project.made("orders", {**body, "version": cart["version"]}))
    ours, theirs = orders
    shared(ours, theirs, "orderNumber", "orderState", "origin", "shippingMode", "refusedGifts", "syncInfo")
    shared(ours["lineItems"][0], theirs["lineItems"][0], "quantity", "name", "lineItemMode", "priceMode")
    assert ours["totalPrice"]["centAmount"] == theirs["totalPrice"]["centAmount"] == 2000
    assert refusals[0] == 409


async def test_a_wrong_secret_is_named_by_our_connector(both: tuple[Project, Project]) -> None:
    ours, _ = both
    storefront, transport = ours.storefront(secret="wrong")
    with pytest.raises(Unauthorised):
        await fetched(storefront, "x", Priority.SWEEP)
    await transport.close()
