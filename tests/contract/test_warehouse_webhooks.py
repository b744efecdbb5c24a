"""Webhooks of a connected warehouse, sent by the simulated Clarus over real HTTP to a door that checks them as an ingress would."""

from typing import Any

import pytest

from app.connectors.clarus import ClarusIntake
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import Priority
from app.simulators.base import Hosted, now_ms
from app.simulators.clarus import ORDER_EVENTS, STOCK_EVENTS
from schemas.records import RawNotification, ReadStock
from tests.support.clarus import FAST, Clarus, clarus, fault, until


class Door(Hosted):
    """Takes webhooks as an ingress would: the path's secret, then the connector's own check."""

    def __init__(self) -> None:
        super().__init__("door", 1)
        self.intake = ClarusIntake(ClarusSettings())
        self.taken: list[ReadStock] = []
        self.refused = 0
        self.app = self._app

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        good = scope["path"] == "/hooks/clarus/s3cret" and self.intake.verify(headers, body, now_ms())
        if good:
            note = RawNotification(channel="clarus", route="", headers=headers, body=body)
            self.taken += [command for command in self.intake.parse(note) if isinstance(command, ReadStock)]
        self.refused += not good
        await send({"type": "http.response.start", "status": 204 if good else 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def listen(tenant: Clarus) -> Door:
    door = Door()
    door.intake = ClarusIntake(tenant.settings)
    await door.start()
    tenant.simulator.notify_to(f"{door.url}/hooks/clarus/s3cret")
    return door


@pytest.mark.parametrize("envelope", ["bare", "data", "jsonapi"])
async def test_every_change_in_the_warehouse_names_its_sku_in_any_envelope(envelope: Any) -> None:
    async with clarus(stock={"MUG": 10}, envelope=envelope, webhook_lag=(0.0, 0.0)) as tenant:
        door = await listen(tenant)
        simulator = tenant.simulator
        for act in (
            lambda: simulator.receive("MUG", "MAIN", 1),
            lambda: simulator.adjust("MUG", "MAIN", -1),
            lambda: simulator.adjust("MUG", "MAIN", 1),
            lambda: simulator.hold("MUG", "MAIN", 3),
            lambda: simulator.release("MUG", "MAIN", 3),
            lambda: simulator.move("MUG", "MAIN", "NORTH", 2),
        ):
            door.taken.clear()
            act()
            await until(lambda: bool(door.taken))
            await until(simulator.quiet)
            assert {command.sku for command in door.taken} == {"MUG"}
        assert door.refused == 0
        await door.stop()


async def test_orders_name_the_skus_of_their_lines() -> None:
    async with clarus(
        stock={"MUG": 10, "CUP": 1},
        floor=FAST,
        webhook_lag=(0.0, 0.0),
        events=(*STOCK_EVENTS, *ORDER_EVENTS, ("stock_balance", "updated")),
    ) as tenant:
        door = await listen(tenant)
        order = await tenant.order(("MUG", 2), ("CUP", 1))
        await until(lambda: tenant.simulator.orders()[0].status == "COMPLETED")
        await until(tenant.simulator.quiet)
        assert {command.sku for command in door.taken} == {"MUG", "CUP"}
        assert (await tenant.find(order)) is not None
        await door.stop()


async def test_a_forged_webhook_is_refused() -> None:
    async with clarus(stock={"MUG": 10}, webhook_lag=(0.0, 0.0)) as tenant:
        door = await listen(tenant)
        fault(tenant, "webhook", forge=1.0)
        for _ in range(6):
            tenant.simulator.adjust("MUG", "MAIN", 1)
        await until(lambda: door.refused == 6 and len(door.taken) == 6)
        await door.stop()


async def test_a_lost_webhook_is_not_sent_again_and_the_feed_fills_the_gap() -> None:
    async with clarus(stock={"MUG": 10}, webhook_lag=(0.0, 0.0)) as tenant:
        tenant.simulator.notify_to("http://127.0.0.1:9/")
        _, cursor = await tenant.connector.changes_since(str(now_ms() - 60_000), Priority.SWEEP)
        tenant.simulator.adjust("MUG", "MAIN", 1)
        await until(tenant.simulator.quiet)
        assert [note.answered for note in tenant.simulator.notifier.sent] == [False]
        assert (await tenant.connector.changes_since(cursor, Priority.SWEEP))[0] == {"MUG"}
