"""What the start-up probe finds in a project."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.connectors.commercetools import CommercetoolsStorefront
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Finding, Priority
from app.connectors.http import DirectTransport

OUR_FIELD = {"name": "clarusStream", "type": {"name": "String"}}
OUR_TYPE = {"id": "t1", "version": 2, "resourceTypeIds": ["inventory-entry"], "fieldDefinitions": [OUR_FIELD]}


class Project:
    """Answers as told, otherwise as an empty project with our type would."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        self.scope = "manage_products:shop manage_orders:shop manage_payments:shop"
        self.posted: list[tuple[str, Any]] = []
        self.settings: dict[str, Any] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/shop/")
        where = request.url.params.get("where", "")
        for key in (f"{request.method} {path}", f"{path} {where}".strip(), path):
            if key in self.answers:
                return self.answers[key](request)
        if path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 100, "scope": self.scope})
        if request.method == "POST":
            self.posted.append((path, request.content.decode()))
            return httpx.Response(201, json={})
        if path == "types/key=clarus-stream":
            return httpx.Response(200, json=OUR_TYPE)
        return httpx.Response(200, json={"results": []})

    async def probe(self) -> dict[str, Finding]:
        transport = DirectTransport("ct", client=httpx.AsyncClient(transport=httpx.MockTransport(self.answer)))
        settings = CommercetoolsSettings(system="commercetools", project_key="shop", **self.settings)
        return {f.check: f for f in await CommercetoolsStorefront("ct", settings, transport).probe()}


def fixed(status: int, body: Any = None) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body)


async def test_a_project_with_everything_is_fine_and_is_not_changed() -> None:
    project = Project()
    findings = await project.probe()
    assert all(finding.ok for finding in findings.values())
    assert project.posted == []


async def test_without_credentials_nothing_else_is_looked_at() -> None:
    project = Project()
    project.answers["/oauth/token"] = fixed(401)
    assert [(f.check, f.ok, f.blocking) for f in (await project.probe()).values()] == [("credentials", False, True)]


@pytest.mark.parametrize(("resource", "scope"), [("orders", "view_orders"), ("inventory", "view_products")])
async def test_a_missing_scope_is_named(resource: str, scope: str) -> None:
    project = Project()
    project.answers[resource] = fixed(403, {"statusCode": 403, "message": "insufficient_scope"})
    finding = (await project.probe())[f"read {resource}"]
    assert not finding.ok
    assert f"{scope}:shop" in finding.remedy


async def test_a_token_that_may_not_write_blocks() -> None:
    project = Project()
    project.scope = "view_products:shop"
    finding = (await project.probe())["write inventory"]
    assert (finding.ok, finding.blocking) == (False, True)
    assert "manage_products:shop" in finding.remedy


async def test_a_token_that_may_not_write_orders_is_named_and_stock_still_goes_out() -> None:
    project = Project()
    project.scope = "manage_products:shop view_orders:shop"
    finding = (await project.probe())["write orders"]
    assert (finding.ok, finding.blocking) == (False, False)
    assert "manage_orders:shop" in finding.remedy


async def test_a_token_that_may_not_see_payments_is_named_and_orders_are_read_without_them() -> None:
    project = Project()
    project.scope = "manage_products:shop manage_orders:shop"
    finding = (await project.probe())["write payments"]
    assert (finding.ok, finding.blocking) == (False, False)
    assert "manage_payments:shop" in finding.remedy
    asked: list[str] = []

    def orders(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("expand", ""))
        return httpx.Response(200, json={"results": []})

    project.answers["orders"] = orders
    transport = DirectTransport("ct", client=httpx.AsyncClient(transport=httpx.MockTransport(project.answer)))
    for scope in ("manage_orders:shop", "view_payments:shop manage_orders:shop"):
        project.scope = scope
        storefront = CommercetoolsStorefront(
            "ct", CommercetoolsSettings(system="commercetools", project_key="shop"), transport
        )
        await storefront.probe()
        asked.clear()
        assert [page.last async for page in storefront.poll_orders(0, Priority.SWEEP)] == [True]
        assert asked == (["paymentInfo.payments[*]"] if "payments" in scope else [""])


async def test_a_wrong_project_key_is_named() -> None:
    project = Project()
    project.answers["orders"] = fixed(404, {})
    assert "project_key" in (await project.probe())["read orders"].remedy


async def test_the_type_is_made_where_it_is_not() -> None:
    project = Project()
    project.answers["types/key=clarus-stream"] = fixed(404, {})
    assert (await project.probe())["marker type"].ok
    ((path, body),) = project.posted
    assert path == "types"
    assert '"clarusStream"' in body


async def test_another_worker_that_was_faster_does_no_harm() -> None:
    project = Project()
    project.answers["types/key=clarus-stream"] = fixed(404, {})
    error = {"statusCode": 400, "message": "duplicate", "errors": [{"code": "DuplicateField", "message": "duplicate"}]}
    project.answers["POST types"] = fixed(400, error)
    assert (await project.probe())["marker type"].ok


async def test_the_field_is_added_to_a_type_without_it() -> None:
    project = Project()
    project.answers["types/key=clarus-stream"] = fixed(200, {**OUR_TYPE, "fieldDefinitions": []})
    assert (await project.probe())["marker type"].ok
    assert [path for path, _ in project.posted] == ["types/t1"]


@pytest.mark.parametrize(
    "kind",
    [
        {**OUR_TYPE, "resourceTypeIds": ["order"]},
        {**OUR_TYPE, "fieldDefinitions": [{"name": "clarusStream", "type": {"name": "Number"}}]},
    ],
)
async def test_a_type_that_is_something_else_blocks_and_is_left_alone(kind: dict[str, Any]) -> None:
    project = Project()
    project.answers["types/key=clarus-stream"] = fixed(200, kind)
    finding = (await project.probe())["marker type"]
    assert (finding.ok, finding.blocking) == (False, True)
    assert finding.remedy
    assert project.posted == []


async def test_entries_that_take_orders_beyond_their_stock_are_named_and_do_not_block() -> None:
    project = Project()
    entries = {"results": [{"sku": f"S{n}"} for n in range(9)]}
    project.answers["inventory restockableInDays is defined"] = fixed(200, entries)
    finding = (await project.probe())["out-of-stock guard"]
    assert (finding.ok, finding.blocking) == (False, False)
    assert "S0, S1, S2, S3, S4" in finding.detail
    assert "S5" not in finding.detail


async def test_modes_by_which_more_than_is_shown_may_be_sold_are_named_and_do_not_block() -> None:
    project = Project()
    lines = [{"inventoryMode": "ReserveOnOrder"}, {}]
    orders = [{"inventoryMode": "TrackOnly", "lineItems": lines}, {"lineItems": [{}]}]
    project.answers["orders"] = fixed(200, {"results": orders})
    finding = (await project.probe())["inventory mode"]
    assert (finding.ok, finding.blocking) == (False, False)
    assert "TrackOnly are not refused at 0 (1 lines)" in finding.detail
    assert "None do not lower its quantity (1 lines)" in finding.detail
    assert "ReserveOnOrder" not in finding.detail and "ReserveOnOrder" in finding.remedy


@pytest.mark.parametrize(
    ("status", "kind", "ok", "words"),
    [
        (200, {"resourceTypeIds": ["order"], "fieldDefinitions": [{"name": "says", "type": {"name": "String"}}]}, True, "has the field says"),
        (404, None, False, "no custom type ops for orders"),
        (200, {"resourceTypeIds": ["customer"], "fieldDefinitions": []}, False, "no custom type ops for orders"),
        (200, {"resourceTypeIds": ["order"], "fieldDefinitions": []}, False, "has no String says"),
        (200, {"resourceTypeIds": ["order"], "fieldDefinitions": [{"name": "says", "type": {"name": "Boolean"}}]}, False, "has no String says"),
    ],
)  # fmt: skip
async def test_the_field_for_late_changes_is_looked_at_and_never_made(
    status: int, kind: Any, ok: bool, words: str
) -> None:
    project = Project()
    project.settings = {"late_change_type": "ops", "late_change_field": "says"}
    project.answers["types/key=ops"] = fixed(status, kind)
    finding = (await project.probe())["late change field"]
    assert (finding.ok, finding.blocking) == (ok, False)
    assert words in finding.detail
    assert project.posted == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"late_change_field": "says"}, "belong together"),
        ({"late_change_type": "ops"}, "belong together"),
        ({"late_change_type": "ops", "late_change_field": "deliveryNote"}, "read for something else"),
    ],
)
def test_a_field_for_late_changes_that_cannot_work_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CommercetoolsSettings(system="commercetools", **settings)
