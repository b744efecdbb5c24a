"""`why ORDER` of a live worker: an order is found by every name it has, and its story is whole."""

import asyncio
import json
from pathlib import Path
from typing import Any

from app.drill.peers import Peers
from app.drill.product import Product
from app.simulators.contract import NewLine, NewOrder
from tests.scenarios.live import MARKS, ask, live, until

pytestmark = MARKS

FILE = """
name: orders whose story is asked for
channels:
  ct: {system: commercetools, order_lag: [0.1s, 0.2s], rate: 100/s}
  bc: {system: bigcommerce, plan: pro, order_lag: [0.1s, 0.2s]}
warehouses: [MAIN]
products: [{sku: MUG, channels: {ct: MUG, bc: MUG}, stock: {MAIN: 20}}]
policies: [{mode: shared}]
shipping: {express: {carrier: DPD, service: NEXT}}
steps: []
"""


def plain(config: Path, *words: str) -> Any:
    done = ask(config, *words, "--json")
    assert done.exit_code == 0, (words, done.output, done.exception)
    return json.loads(done.output)


async def test_the_story_of_an_order_is_told_while_it_happens() -> None:
    async with live(FILE, "stories") as (peers, product):
        await _play(peers, product)


async def _play(peers: Peers, product: Product) -> None:
    config, ct, bc = product.folder / "worker-0.yaml", peers.storefronts["ct"], peers.storefronts["bc"]
    await until(lambda: not peers.wrong() and all(peer.quiet() for peer in peers.storefronts.values()))
    note = {"note": "leave it with Ada Lovelace", "gift": "for Grace Hopper"}
    await ct.place(NewOrder("A-1", (NewLine("MUG", 2),), True, "express", **note))
    await bc.place(NewOrder("1001", (NewLine("MUG", 1),), True, "drone"))

    def state(word: str) -> str:
        done = ask(config, "why", word, "--inputs", "0", "--json")
        return str(json.loads(done.output)["answer"]["head"]["state"]) if done.exit_code == 0 else ""

    await until(lambda: state("A-1") == "COMPLETED" and state("bc:1001") == "HELD")
    told = await asyncio.to_thread(plain, config, "why", "A-1")
    head, story = told["answer"]["head"], told["story"]["told"]
    assert told["missing"] == [] and told["answer"]["awaits"] == []
    names = [f"ct:{head['order_id']}", "ct:A-1", head["order_id"], head["reference"]]
    for name in names:
        found = await asyncio.to_thread(plain, config, "why", name, "--inputs", "0")
        assert found["answer"]["key"] == told["answer"]["key"], name
    states = [one["text"].partition(":")[0] for one in story if one["kind"] == "decision"]
    assert states[:1] == ["RELEASING"] and states[-1] == "COMPLETED" and states == list(dict.fromkeys(states)), states
    events = {one["what"]: one for one in story if one["kind"] == "event"}
    assert {"OrderSnapshot", "WarehouseOrder", "WarehouseDespatch", "ShipmentOutcome"} <= events.keys()
    assert all(one["place"].startswith("orders.") and one["at"] > 0 for one in story if one["kind"] == "event")
    calls = {one["peer"]: one for one in told["answer"]["calls"]}
    assert calls["clarus"]["shown"].endswith("COMPLETED in MAIN") and calls["ct"]["shown"].startswith("shipment ")
    assert [one["state"] for one in told["answer"]["parcels"]] == ["SHIPPED"]
    assert told["lines"] == {} or all(one["eaches"] == 0 for one in told["lines"].values())
    assert "Ada" not in str(told) and "Grace" not in str(told) and head["given"] == ["address", "note", "gift message"]

    held = await asyncio.to_thread(plain, config, "why", "1001")
    assert [one["what"] for one in held["answer"]["awaits"]] == ["ecommerce"]
    assert any("unmapped_shipping_method opened" in one["text"] for one in held["story"]["told"])
    assert held["lines"]["MUG"]["eaches"] == 1, "it counts against stock while it is held"
    screen = (await asyncio.to_thread(ask, config, "why", "1001")).output
    assert "unmapped_shipping_method:bc:1001" in screen and "→ HELD" in screen
    sku = await asyncio.to_thread(plain, config, "why", "MUG", "--inputs", "0")
    assert sku["answer"]["sku"] == "MUG", "a SKU is still a SKU"
    lost = await asyncio.to_thread(ask, config, "why", "bc:4711")
    assert lost.exit_code != 0 and "no SKU, listing or order bc:4711" in str(lost.exception)
