"""What the Clarus connector sends and what the simulator knows and answers, held against the vendor's own API description."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.connectors.contract import Priority
from app.simulators.clarus import ClarusSimulator
from app.simulators.clarus.execute import OPERATORS, Fields, Nested
from app.simulators.clarus.graphql import Query, Selection, parse
from app.simulators.clarus.model import GoodsOut
from schemas.records import AnnounceReturn, ReleaseLine
from tests.support.clarus import Clarus, clarus, until
from tests.support.openapi import SPECS_VARIABLE, SpecMismatch, load, vendor_spec

FILE = "clarus.openapi.json"
UNDOCUMENTED_ENUMS = {"EnumInputType", "SingleEnumInputType"}


class Documented:
    """Node fields, filters and argument names of every GraphQL list, read from the description's own text."""

    def __init__(self) -> None:
        vendor_spec(FILE)  # skips where the folder is not set
        document = load(Path(os.environ[SPECS_VARIABLE]) / FILE)
        self.fields: dict[str, dict[str, Any]] = {}
        self.filters: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
        self.types: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for path, operations in document["paths"].items():
            if path.startswith("/graphql#"):
                self._take(path, operations["post"])

    def _take(self, path: str, operation: dict[str, Any]) -> None:
        text = operation["requestBody"]["content"]["application/json"]["example"]["query"]
        query = parse(text)
        root = query.fields[0]
        if root.fields[0].name != "all":
            return
        self.names[root.name] = path
        self.types[root.name] = next(iter(query.types.values()), "")
        self.fields[root.name] = _tree(_find(root, "node").fields)
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \|", operation["x-mint"]["content"], re.MULTILINE)
        self.filters[root.name] = {
            name: (kind, tuple(re.findall(r"`(\w+)`", operators))) for name, kind, operators in rows
        }


def _find(selection: Selection, name: str) -> Selection:
    for one in selection.fields:
        if one.name == name:
            return one
        for inner in (one, *one.fields):
            if (found := next((x for x in inner.fields if x.name == name), None)) is not None:
                return found
    raise LookupError(name)


def _tree(fields: tuple[Selection, ...]) -> dict[str, Any]:
    return {one.name: _tree(one.fields) for one in fields}


@pytest.fixture(scope="module")
def documented() -> Documented:
    return Documented()


# ---- the simulator's schema ------------------------------------------------------------------------------------------------------------------


def roots() -> list[str]:
    return sorted(ClarusSimulator("clarus", 1, warehouses=["MAIN"])._roots)


@pytest.mark.parametrize("root", roots())
def test_the_simulator_knows_only_documented_fields_and_filters(documented: Documented, root: str) -> None:
    schema = ClarusSimulator("clarus", 1, warehouses=["MAIN"])._roots[root]
    assert schema.filter_type == documented.types[root]
    assert list(_unknown(schema.fields, documented.fields[root], root)) == []
    for name, known in schema.filters.items():
        kind, operators = documented.filters[root][name]
        assert kind == known.type or known.type in UNDOCUMENTED_ENUMS, f"{root}.{name} is {kind}"
        assert set(operators) <= set(OPERATORS[known.type]), f"{root}.{name} has {operators}"


def _unknown(fields: Fields, described: dict[str, Any], at: str) -> Iterator[str]:
    for name, known in fields.items():
        if name not in described:
            yield f"{at}.{name}"
        elif isinstance(known, Nested):
            yield from _unknown(known.fields, described[name], f"{at}.{name}")


# ---- what the connector asks ------------------------------------------------------------------------------------------------------------------


def check_query(documented: Documented, body: dict[str, Any]) -> list[str]:
    """Every selected field and every filter operator of a query is documented for its root; returns the roots."""
    query: Query = parse(body["query"])
    for selection in query.fields:
        node = _find(selection, "node")
        assert list(_undescribed(node.fields, documented.fields[selection.name], selection.name)) == []
        arguments = selection.fields[0].arguments
        assert {"filter", "first"} <= set(arguments) <= {"filter", "first", "after"}
        where = body["variables"][arguments["filter"].name]
        assert query.types[arguments["filter"].name] == documented.types[selection.name]
        for name, operators in where.items():
            known = documented.filters[selection.name][name][1]
            assert set(operators) <= set(known), f"{selection.name}.{name}: {set(operators) - set(known)}"
    return [selection.name for selection in query.fields]


def _undescribed(fields: tuple[Selection, ...], described: dict[str, Any], at: str) -> Iterator[str]:
    for one in fields:
        if one.name not in described:
            yield f"{at}.{one.name}"
        else:
            yield from _undescribed(one.fields, described[one.name], f"{at}.{one.name}")


def check(documented: Documented, response: httpx.Response) -> set[str]:
    """Hold one exchange against its description; the roots or the path it touched."""
    spec, request = vendor_spec(FILE), response.request
    path = request.url.path
    body = json.loads(request.content) if request.content and path != "/oauth/token" else None
    answer = response.json() if response.content else None
    assert request.headers.get("X-Clarus-Subdomain") == "drill" or path == "/oauth/token"
    if path == "/oauth/token":
        return {path}
    if path != "/graphql":
        spec.request(request.method, path, body)
        spec.response(request.method, path, response.status_code, answer)
        return {path}
    touched = check_query(documented, body or {})
    for key, name in zip((answer or {})["data"], touched, strict=True):
        spec = vendor_spec(FILE, closed=False)  # the description shows neither pageInfo nor more variables than filter
        spec.request("POST", documented.names[name], body)
        plain = {"data": {name: (answer or {})["data"][key]}}
        spec.response("POST", documented.names[name], response.status_code, plain)
    return set(touched)


async def everything(tenant: Clarus) -> None:
    """Use every part of the connector."""
    simulator, connector = tenant.simulator, tenant.connector
    await connector.read_stock(["MUG", "CUP", "GHOST"], Priority.SWEEP)
    orders = [
        await tenant.order(
            ("MUG", 1), ("CUP", 2), carrier="DPD", service="NEXT", texts={"delivery_notes": "n", "packing_notes": "g"}
        )
    ]
    simulator.add_customer("WEB")
    simulator.add_order_type("B2C")
    line = ReleaseLine(sku="MUG", eaches=1, reference="L-1", number="1", code="M1", note="Engraving: Ann")
    texts = {"external_system_reference2": "A7", "pick_notes": "top shelf", "string1": "Dock 4"}
    whole = {
        "customer": "WEB",
        "order_type": "B2C",
        "priority": 5,
        "leave_at": int(time.time() * 1000) + 86_400_000,
        "texts": texts,
    }
    orders.append(await tenant.order(lines=[line], **whole))
    orders += [await tenant.order(("MUG", 1), warehouse=None, address=None) for _ in range(3)]
    changed = tenant.release(("CUP", 1), reference=orders[3].reference, amends=True)
    await connector.change_order(changed, orders[3], Priority.RELEASE)
    simulator.allocate(orders[0].reference)
    simulator.allocate(orders[1].reference)
    simulator.pick(orders[1].reference)
    await connector.read_stock(["MUG", "CUP"], Priority.SWEEP)
    await connector.find_orders([order.reference for order in orders], Priority.RELEASE)
    await connector.process_picks([orders[2]], Priority.RELEASE)
    await connector.process_picks([orders[0]], Priority.RELEASE)
    for order in orders:
        await connector.cancel_order(order, Priority.RELEASE)
        await connector.cancel_order(order, Priority.RELEASE)
    back = AnnounceReturn(
        channel="clarus", order_key="ct-eu:1", number="A1", order_reference="ct-eu:1", return_id="r", reference="ct-eu:1:r",
        version=1, lines={"MUG": 1, "CUP": 2}, tracking="T", reason="wrong size",
    )  # fmt: skip
    await connector.announce_return(back, "MAIN", Priority.DESPATCH)
    await connector.find_returns([back], Priority.DESPATCH)
    await connector.changes_since("1", Priority.SWEEP)
    await connector.probe(Priority.SWEEP)


async def test_everything_the_connector_says_and_hears_is_as_described(documented: Documented) -> None:
    whole = {"change_sends": "whole"}
    async with clarus(stock={"MUG": 50, "CUP": 50}, services=[("DPD", "NEXT")], settings=whole) as tenant:
        await everything(tenant)
        touched = set().union(*(check(documented, answer) for answer in tenant.transport.answers))
        statuses = {(a.request.url.path.rpartition("/")[2], a.status_code) for a in tenant.transport.answers}
    assert touched >= {
        "accounts",
        "warehouses",
        "products",
        "carriers",
        "carrier_services",
        "stock_balances",
        "stocks",
        "goods_outs",
        "goods_out_lines",
        "transactions",
        "automations",
        "goods_in_receipts",
        "/api/goods_in_receipts",
        "/api/goods_outs",
        "/api/goods_out_processes/process_picks_async",
    }
    assert any(a.request.method == "PATCH" for a in tenant.transport.answers)
    assert {("cancel", 200), ("cancel", 404), ("cancel", 422), ("process_picks_async", 422)} <= statuses


INVENTED = """query($first: Int, $f: StockBalancesFilterType) {
  stock_balances { all(filter: $f, first: $first) { edges { node { sellable } } } } }"""


async def test_an_invention_would_be_seen(documented: Documented) -> None:
    with pytest.raises(AssertionError):
        check_query(documented, {"query": INVENTED, "variables": {"f": {}}})
    with pytest.raises(SpecMismatch):
        vendor_spec(FILE).request("POST", "/api/goods_outs", {"data": {"type": "goods_outs", "attributes": {"x": 1}}})


# ---- the simulator's REST ---------------------------------------------------------------------------------------------------------------------


class Browser:
    """A client of the simulator that holds every exchange against the description."""

    def __init__(self, simulator: ClarusSimulator) -> None:
        self._simulator = simulator
        self._client = httpx.AsyncClient(base_url=simulator.url, trust_env=False)

    async def sign_in(self) -> None:
        given = self._simulator.connection()
        form = {"grant_type": "client_credentials", **{k: given[k] for k in ("client_id", "client_secret")}}
        answer = (await self._client.post("/oauth/token", data=form)).json()
        assert set(answer) == {"access_token", "token_type", "expires_in"}
        self._client.headers["Authorization"] = f"Bearer {answer['access_token']}"
        self._client.headers["X-Clarus-Subdomain"] = given["subdomain"]

    async def send(self, method: str, path: str, body: Any = None, *, well_formed: bool = True) -> httpx.Response:
        spec = vendor_spec(FILE)
        if well_formed:
            spec.request(method, path, body)
        response = await self._client.request(method, path, json=body)
        spec.response(method, path, response.status_code, response.json() if response.content else None)
        return response

    async def close(self) -> None:
        await self._client.aclose()


def order_of(simulator: ClarusSimulator) -> GoodsOut:
    return next(iter(simulator.book.orders.values()))


def new_order(simulator: ClarusSimulator, **attributes: Any) -> dict[str, Any]:
    product = simulator.stockroom.products["MUG"].id
    given = {
        "goods_out_type": "sales_order",
        "account_id": simulator.account.id,
        "reference": "R1",
        "expected_date_of_dispatch": "2026-09-01T16:00:00Z",
        "lines_changes": [{"type": "ADD", "attributes": {"product_id": product, "order_quantity": 3}}],
        **attributes,
    }
    return {"data": {"type": "goods_outs", "attributes": given}}


async def test_orders_are_created_changed_processed_shorted_and_deleted_as_described(documented: Documented) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        simulator, browser = tenant.simulator, Browser(tenant.simulator)
        await browser.sign_in()
        created = await browser.send("POST", "/api/goods_outs", new_order(simulator, warehouse_id=1))
        number, line = created.json()["data"]["id"], order_of(simulator).lines[0].id
        changes = [
            {"type": "UPDATE", "id": line, "attributes": {"order_quantity": 9}},
            {
                "type": "ADD",
                "attributes": {"product_id": simulator.stockroom.products["MUG"].id, "order_quantity": 1},
            },
        ]
        await browser.send("PATCH", f"/api/goods_outs/{number}", new_order(simulator, lines_changes=changes))
        assert [one.ordered for one in order_of(simulator).lines] == [9, 1]
        second = order_of(simulator).lines[1].id
        for verb, status in (("REMOVE", 422), ("DESTROY", 200)):
            body = new_order(simulator, lines_changes=[{"type": verb, "id": second}])
            answer = await browser.send("PATCH", f"/api/goods_outs/{number}", body, well_formed=verb == "DESTROY")
            assert answer.status_code == status
        answer = await browser.send("POST", "/api/goods_out_processes/process_picks_async", {"ids": [number]})
        (reference,) = answer.json()["process_references"]
        await until(lambda: simulator.pick_requests[reference].status == "completed")
        assert order_of(simulator).status == "PART_ALLOCATED"
        assert (await browser.send("DELETE", f"/api/goods_outs/{number}")).status_code == 404
        await browser.send(
            "POST", "/api/goods_out_processes/short_order_lines", {"ids": [number], "description": "none left"}
        )
        simulator.despatch("", [{"tracking": "P", "lines": [{"sku": "MUG", "qty": 5}]}])
        assert (order_of(simulator).status, order_of(simulator).lines[0].short) == ("COMPLETED", 4)
        assert (await browser.send("POST", f"/api/goods_outs/{number}/cancel")).status_code == 422
        again = await browser.send("POST", "/api/goods_outs", new_order(simulator, reference="R2"))
        assert (await browser.send("DELETE", f"/api/goods_outs/{again.json()['data']['id']}")).status_code == 204
        assert (await browser.send("DELETE", "/api/goods_outs/999")).status_code == 404
        await browser.close()


@pytest.mark.parametrize(
    "attributes",
    [
        {"reference": "x" * 51},
        {"reference": None},
        {"goods_out_type": "present"},
        {"account_id": 99},
        {"warehouse_id": 99},
        {"carrier_id": 99},
        {"expected_date_of_dispatch": "2026-09-01"},
        {"packing_notes": "x" * 256},
        {"priority": 100},
        {"colour": "red"},
        {"lines_changes": [{"type": "ADD", "attributes": {"product_id": 1, "order_quantity": 1}}]},
        {"lines_changes": [{"type": "ADD", "attributes": {"order_quantity": 1}}]},
        {"lines_changes": [{"type": "UPDATE", "attributes": {"order_quantity": 1}}]},
    ],
)
async def test_orders_that_do_not_fit_are_refused_with_the_described_error_list(
    documented: Documented, attributes: dict[str, Any]
) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        browser = Browser(tenant.simulator)
        await browser.sign_in()
        body = new_order(tenant.simulator, **attributes)
        assert (await browser.send("POST", "/api/goods_outs", body, well_formed=False)).status_code == 422
        assert tenant.simulator.orders() == []
        await browser.close()


@pytest.mark.parametrize(
    "address",
    [
        {"address_1": "x" * 81},
        {"postcode": "x" * 11},
        {"country_code": "England"},
        {"email_address": "nobody"},
        {"phone_number": "1" * 51},
        {"town": "Leeds"},
    ],
)
async def test_addresses_that_do_not_fit_are_refused(documented: Documented, address: dict[str, str]) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        browser = Browser(tenant.simulator)
        await browser.sign_in()
        body = new_order(tenant.simulator)
        body["data"]["relationships"] = {"address": {"data": {"type": "addresses", "attributes": address}}}
        assert (await browser.send("POST", "/api/goods_outs", body, well_formed=False)).status_code == 422
        await browser.close()


async def test_receipts_are_created_and_deleted_as_described(documented: Documented) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        simulator, browser = tenant.simulator, Browser(tenant.simulator)
        await browser.sign_in()
        line = {"product_id": simulator.stockroom.products["MUG"].id, "expected_quantity": 2}
        attributes = {
            "account_id": simulator.account.id,
            "warehouse_id": 1,
            "reference": "RET1",
            "external_system_reference1": "shop:1",
            "notes": "n",
            "lines_changes": [{"type": "ADD", "attributes": line}],
        }
        body = {"data": {"type": "goods_in_receipts", "attributes": attributes}}
        made = await browser.send("POST", "/api/goods_in_receipts", body)
        assert isinstance(made.json()["data"]["id"], int)
        strange = {"data": {"type": "goods_in_receipts", "attributes": attributes | {"warehouse_id": 99}}}
        assert (await browser.send("POST", "/api/goods_in_receipts", strange)).status_code == 422
        simulator.receive_return("shop:1", [])
        path = f"/api/goods_in_receipts/{made.json()['data']['id']}"
        assert (await browser.send("DELETE", path)).status_code == 404
        other = await browser.send("POST", "/api/goods_in_receipts", body)
        path = f"/api/goods_in_receipts/{other.json()['data']['id']}"
        assert (await browser.send("DELETE", path)).status_code == 204
        assert (await browser.send("DELETE", path)).status_code == 404
        await browser.close()


async def test_stock_is_held_released_lowered_and_moved_as_described(documented: Documented) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        simulator, browser = tenant.simulator, Browser(tenant.simulator)
        await browser.sign_in()
        (stock,) = simulator.stockroom.stocks
        target = next(n for n, x in simulator.stockroom.locations.items() if x.code == "MAIN-RACK-02")
        elsewhere = next(n for n, x in simulator.stockroom.locations.items() if x.code == "NORTH-RACK-01")
        hold = {"ids": [stock], "description": "damp"}

        def main() -> dict[str, int]:
            return dict(simulator.stock()["MUG"]["MAIN"])

        def data(**attributes: float) -> dict[str, Any]:
            return {"data": {"type": "stocks", "attributes": attributes}}

        await browser.send("POST", "/api/stocks/hold", hold)
        assert main() == {"available": 0, "held": 5}
        assert (await browser.send("POST", "/api/stocks/hold", hold)).status_code == 422
        refused = await browser.send("POST", f"/api/stocks/{stock}/negative_adjustment", data(quantity=1))
        assert refused.status_code == 422
        await browser.send("POST", "/api/stocks/offhold", hold)
        assert main() == {"available": 5, "held": 0}
        await browser.send("POST", f"/api/stocks/{stock}/negative_adjustment", data(quantity=2))
        assert main() == {"available": 3, "held": 0}
        await browser.send("POST", f"/api/stocks/{stock}/move", data(quantity=1, to_location_id=target))
        assert sorted(s.quantity for s in simulator.stockroom.stocks.values()) == [1, 2]
        for path, body, status in (
            (f"/api/stocks/{stock}/move", data(quantity=1, to_location_id=elsewhere), 422),
            (f"/api/stocks/{stock}/negative_adjustment", data(quantity=4), 422),
            ("/api/stocks/77/negative_adjustment", data(quantity=1), 422),
        ):
            assert (await browser.send("POST", path, body)).status_code == status
        assert (await browser.send("POST", "/api/stocks/hold", {"ids": []}, well_formed=False)).status_code == 422
        await browser.close()


async def test_automations_are_created_changed_listed_and_deleted_as_described(documented: Documented) -> None:
    async with clarus(stock={"MUG": 5}, events=()) as tenant:
        simulator, browser = tenant.simulator, Browser(tenant.simulator)
        await browser.sign_in()
        parameter = {"type": "ADD", "attributes": {"parameter_code": "webhook_url", "value": "http://127.0.0.1:9/"}}
        action = {
            "type": "ADD",
            "attributes": {
                "destination_type": "webhook",
                "destination_code": "default",
                "parameters_changes": [parameter],
            },
        }
        attributes = {
            "resource_name": "stock",
            "event": "received",
            "name": "goods in",
            "enabled": True,
            "conditions_changes": [],
            "actions_changes": [action],
        }
        body = {"data": {"type": "automations", "attributes": attributes}}
        number = (await browser.send("POST", "/api/automations", body)).json()["data"]["id"]
        simulator.receive("MUG", "MAIN", 1)
        assert len(simulator.notifier.sent) == 1
        off = {"data": {"type": "automations", "attributes": {"enabled": False}}}
        await browser.send("PATCH", f"/api/automations/{number}", off)
        simulator.receive("MUG", "MAIN", 1)
        assert len(simulator.notifier.sent) == 1
        attributes["event"] = "exploded"
        assert (await browser.send("POST", "/api/automations", body)).status_code == 422
        assert (await browser.send("DELETE", f"/api/automations/{number}")).status_code == 204
        assert (await browser.send("DELETE", f"/api/automations/{number}")).status_code == 404
        await browser.close()


async def test_no_token_and_no_tenant_are_answered_401_as_described(documented: Documented) -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        browser = Browser(tenant.simulator)
        body = {"ids": [1], "description": "x"}
        assert (await browser.send("POST", "/api/stocks/hold", body)).status_code == 401
        await browser.sign_in()
        browser._client.headers["X-Clarus-Subdomain"] = "somebody-else"
        assert (await browser.send("POST", "/api/stocks/hold", body)).status_code == 401
        await browser.close()
