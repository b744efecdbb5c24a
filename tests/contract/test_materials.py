"""Bundles of the configuration beside the bills of materials that the tenant has."""

from typing import Any

import pytest

from app.connectors.contract import Finding, Priority
from tests.support.clarus import Clarus, clarus

BOX = {"BOX": {"MUG": 2, "CARD": 1}}


async def finding(tenant: Clarus) -> Finding:
    (found,) = [one for one in await tenant.connector.probe(Priority.SWEEP) if one.check == "bills of materials"]
    return found


@pytest.mark.parametrize("how", ["parent", "components"])
async def test_bundles_that_are_the_same_there_are_fine(how: str) -> None:
    settings = {"bundles": how, "page_size": 1}
    async with clarus(stock={"MUG": 1, "CARD": 1}, bundles=BOX, settings=settings) as tenant:
        found = await finding(tenant)
        assert (found.ok, found.detail) == (True, "1 of 1 bundles are the same in Clarus")


@pytest.mark.parametrize("there", [{"MUG": 1, "CARD": 1}, {"MUG": 2}, {"MUG": 2, "CARD": 1, "BAG": 1}])
async def test_one_that_has_other_parts_there_is_named_with_both_sides(there: dict[str, int]) -> None:
    async with clarus(stock={"MUG": 1, "CARD": 1}, bundles=BOX) as tenant:
        tenant.simulator.add_bundle("BOX", there)
        found = await finding(tenant)
        assert (found.ok, found.blocking) == (False, False)
        assert found.detail.startswith("BOX is 1 × CARD + 2 × MUG here and ")
        assert all(f"{n} × {code}" in found.detail for code, n in there.items())
        assert "products[].bundle" in found.remedy


@pytest.mark.parametrize(("how", "ok"), [("parent", False), ("components", True)])
async def test_one_that_is_none_there_is_wrong_where_it_is_ordered_as_a_product(how: str, ok: bool) -> None:
    async with clarus(stock={"MUG": 1, "CARD": 1}, bundles=BOX, settings={"bundles": how}) as tenant:
        tenant.simulator.add_bundle("BOX", {})
        found = await finding(tenant)
        assert found.ok is ok
        assert ("need not be" if ok else "BOX is no bill of materials in Clarus") in found.detail


async def test_a_tenant_that_does_not_show_them_is_said_and_nothing_is_compared() -> None:
    async with clarus(stock={"MUG": 1, "CARD": 1}, bundles=BOX) as tenant:
        roots: dict[str, Any] = tenant.simulator._roots  # type: ignore[assignment]
        del roots["product_materials"]
        found = await finding(tenant)
        assert found.ok and "not compared" in found.detail


async def test_without_bundles_nothing_is_asked() -> None:
    async with clarus(stock={"MUG": 1}) as tenant:
        checks = {one.check for one in await tenant.connector.probe(Priority.SWEEP)}
        assert "bills of materials" not in checks and not tenant.sent("product_materials")
