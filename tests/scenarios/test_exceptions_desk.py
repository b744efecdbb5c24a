"""The exceptions desk on a live worker: acknowledged, mended and retried by the command line, and each order is at the warehouse once."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from app.drill.file import DrillFile, KillStep
from app.drill.peers import Peers
from app.drill.product import Product
from app.drill.simulators import RealPeers
from app.exceptions.act import act
from app.exceptions.reader import Wanted, read
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.contract import NewLine, NewOrder, WarehouseSimulator
from tests.scenarios.live import MARKS, ask, live
from tests.scenarios.live import until as waited

pytestmark = MARKS
until = partial(waited, seconds=30)

FILE = """
name: two orders that a person must look at
channels: {bc: {system: bigcommerce, plan: pro, order_lag: [0.1s, 0.2s]}}
warehouses: [MAIN]
products: [{sku: A, channels: {bc: A}, stock: {MAIN: 20}}]
policies: [{mode: shared}]
shipping: {express: {carrier: DPD, service: NEXT}, freight: {carrier: HEAVY, service: PALLET}}
steps: []
"""
TOKEN = "a-token-for-the-test"
DRONE, FREIGHT = "unmapped_shipping_method:bc:21", "delivery_failed:bc:22"


class WithoutFreight(RealPeers):
    """A warehouse that does not know the carrier of freight yet."""

    def warehouse(self, file: DrillFile) -> WarehouseSimulator:
        clarus = ClarusSimulator("clarus", file.seed, warehouses=file.warehouses, floor=None)
        clarus.add_service("DPD", "NEXT")
        return clarus


def desk(config: Path, *words: str) -> Any:
    done = ask(config, "exceptions", *words)
    assert done.exit_code == 0, (words, done.output, done.exception)
    return json.loads(done.output) if "--json" in words else done.output


def rewritten(config: Path, change: Callable[[Any], None]) -> Any:
    data = yaml.safe_load(config.read_text())
    change(data)
    config.write_text(yaml.safe_dump(data, allow_unicode=True))
    return data


async def restarted(product: Product, config: Path, change: Callable[[Any], None]) -> str:
    """The worker with another configuration; its operations address."""
    data = await asyncio.to_thread(rewritten, config, change)
    await product.kill(KillStep(process="worker", signal="TERM"))
    async with httpx.AsyncClient(trust_env=False) as client:
        await product.workers[0].ready(client)
    return f"http://127.0.0.1:{data['settings']['ops']['port']}"


async def test_held_and_refused_orders_are_released_once_when_they_are_retried() -> None:
    async with live(FILE, "exceptions", WithoutFreight()) as (peers, product):
        await _play(peers, product)


async def _play(peers: Peers, product: Product) -> None:
    config, shop = product.folder / "worker-0.yaml", peers.storefronts["bc"]
    await until(lambda: not peers.wrong() and all(peer.quiet() for peer in peers.storefronts.values()))
    for number, method in (("21", "drone"), ("22", "freight")):
        await shop.place(NewOrder(number, (NewLine("A", 2),), True, method))

    def state(name: str) -> Any:
        found = desk(config, "list", "--state", "all", "--json")["exceptions"]
        return next((one for one in found if one["exception_id"] == name), {"state": ""})

    def sent(number: str) -> int:
        return sum(order.upstream == f"bc:{number}" for order in peers.clarus.orders())

    await until(lambda: state(DRONE)["state"] == state(FREIGHT)["state"] == "OPEN")

    desk(config, "acknowledge", DRONE, "--reason", "asked the shop")
    await until(lambda: state(DRONE)["state"] == "ACKNOWLEDGED")
    assert state(DRONE)["reason"] == "asked the shop"
    desk(config, "retry", DRONE, "--reason", "too early")
    await until(lambda: [step["action"] for step in state(DRONE)["history"]] == ["opened", "acknowledge", "retry"])
    assert sent("21") == sent("22") == 0

    def mend(data: Any) -> None:
        data["shipping"]["drone"] = {"carrier": "DPD", "service": "NEXT"}
        data["settings"]["api"] = {"users": {"ada": {"role": "admin", "token": TOKEN}}}

    address = await restarted(product, config, mend)
    peers.clarus.add_service("HEAVY", "PALLET")
    stale = list(read(product.settings, Wanted(channel="bc")).states.values())
    desk(config, "retry", "--channel", "bc", "--reason", "mapped", "--yes")
    act(product.settings, stale, "retry", "kim", "as somebody does who looked at the list a moment ago")
    await until(lambda: state(DRONE)["state"] == state(FREIGHT)["state"] == "RESOLVED")
    await until(lambda: sent("21") == sent("22") == 1)

    async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=address) as client:
        assert (await client.get("/exceptions")).status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        shown = (await client.get(f"/exceptions/{DRONE}")).json()["exception"]
        assert shown["state"] == "RESOLVED" and shown["history"][-1]["action"] == "resolved"
        again = await client.post("/exceptions/retry", json={"ids": [DRONE], "reason": "again"})
        assert again.status_code == 409
