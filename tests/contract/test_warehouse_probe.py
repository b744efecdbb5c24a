"""The start-up probe of a connected warehouse, against the simulated Clarus over real HTTP."""

from app.connectors.clarus import ClarusWarehouse
from app.connectors.contract import Priority
from tests.support.clarus import Clarus, clarus, fault


async def probed(tenant: Clarus) -> dict[str, tuple[bool, bool, str]]:
    return {f.check: (f.ok, f.blocking, f.detail + f.remedy) for f in await tenant.connector.probe(Priority.SWEEP)}


async def test_the_probe_of_an_idle_tenant_agrees_and_says_what_it_could_not_prove() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        found = await probed(tenant)
        assert all(ok for ok, _, _ in found.values())
        assert "no line can prove it" in found["line quantities"][2]
        assert "nothing is allocated" in found["meaning of available"][2]


async def test_the_probe_proves_the_settings_on_real_orders() -> None:
    async with clarus(stock={"MUG": 10, "CUP": 5}) as tenant:
        for _ in range(2):
            order = await tenant.order(("MUG", 2))
            tenant.simulator.allocate(order.reference)
        tenant.simulator.pick(order.reference)
        tenant.simulator.hold("MUG", "MAIN", 1)
        found = await probed(tenant)
        assert found["line quantities"][:2] == (True, True)
        assert found["meaning of available"][:2] == (True, True)
        assert found["automations"][0]


async def test_the_probe_stops_writes_where_real_orders_contradict_the_settings() -> None:
    settings = {"line_quantities": "cumulative", "release_point": "despatched"}
    async with clarus(stock={"MUG": 10}, settings=settings) as tenant:
        for _ in range(2):
            order = await tenant.order(("MUG", 2))
            tenant.simulator.allocate(order.reference)
        tenant.simulator.pick(order.reference)
        found = await probed(tenant)
        assert found["line quantities"][:2] == (False, True)
        assert "set clarus.line_quantities to exclusive" in found["line quantities"][2]
        assert found["meaning of available"][:2] == (False, True)
        assert "set clarus.release_point to allocated" in found["meaning of available"][2]


async def test_the_probe_names_a_wrong_account_warehouse_and_automation() -> None:
    async with clarus(settings={"account": "NOBODY"}) as tenant:
        assert "no account 'NOBODY'" in (await probed(tenant))["account"][2]
    async with clarus(settings={"automations": {"999": "stock.received"}}) as tenant:
        ok, blocking, detail = (await probed(tenant))["automations"]
        assert (ok, blocking) == (False, False)
        assert "999" in detail
    async with clarus() as tenant:
        elsewhere = ClarusWarehouse(tenant.settings, tenant.transport, ["MAIN", "SOUTH"])
        findings = {f.check: f for f in await elsewhere.probe(Priority.SWEEP)}
        assert not findings["warehouses"].ok
        assert "no warehouse SOUTH" in findings["warehouses"].detail


async def test_the_probe_reports_a_peer_that_is_away() -> None:
    async with clarus() as tenant:
        fault(tenant, "down")
        assert not (await probed(tenant))["account"][0]
