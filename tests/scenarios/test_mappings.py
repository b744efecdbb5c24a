"""Mappings on a live worker: orders that wait for a SKU, a shipping method or a status are released once by an import, and its listing is stocked.

Nothing is restarted, and nobody retries anything.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

from app.drill.peers import Peers
from app.drill.product import Product
from app.simulators.contract import NewLine, NewOrder
from tests.scenarios.live import MARKS, ask, live, until

pytestmark = MARKS

FILE = """
name: orders that wait for a mapping
channels: {bc: {system: bigcommerce, plan: pro, order_lag: [0.1s, 0.2s]}}
warehouses: [MAIN]
products: [{sku: A, channels: {bc: A}, stock: {MAIN: 20}}]
policies: [{mode: shared}]
shipping: {express: {carrier: DPD, service: NEXT}}
floor: manual
steps: []
"""
WRONG = """
sku: [{channel: bc, sku: B-9, product: B, unit: case}]
shipping: [{channel: bc, method: drone, carrier: DPD, service: NEXT}]
"""
RIGHT = """
unit:
  - {product: B, unit: each, eaches: 1}
  - {product: B, unit: pair, eaches: 2}
sku: [{channel: bc, sku: B-9, product: B, unit: pair}]
shipping: [{channel: bc, method: drone, carrier: DPD, service: NEXT}]
instruction: [{field: note, to: pick_notes, text: "Customer: {value}"}]
"""


def run(config: Path, *words: str, status: int = 0) -> Any:
    done = ask(config, *words)
    failed = str(done.exception) if done.exception is not None and not isinstance(done.exception, SystemExit) else ""
    if status:
        assert failed, (words, done.output)
        return "\n".join(getattr(done.exception, "lines", [failed]))
    assert done.exit_code == 0, (words, done.output, done.exception)
    return json.loads(done.output) if "--json" in words else done.output


async def test_an_import_releases_what_waited_for_it_once_and_without_a_restart(tmp_path: Path) -> None:
    def prepare(peers: Peers) -> None:
        peers.clarus.add_product("B")
        peers.clarus.receive("B", "MAIN", 9)
        peers.storefronts["bc"].add_listing("B-9")

    async with live(FILE, "mappings", prepare=prepare) as (peers, product):
        await _play(peers, product, tmp_path)


async def _play(peers: Peers, product: Product, folder: Path) -> None:
    config, shop = product.folder / "worker-0.yaml", peers.storefronts["bc"]
    running = product.workers[0]._running
    await until(lambda: not peers.wrong() and all(peer.quiet() for peer in peers.storefronts.values()))
    await shop.set_stock("B-9", 5)
    for number, line, method in (("31", "B-9", "express"), ("32", "A", "drone"), ("33", "B-9", "drone")):
        await shop.place(NewOrder(number, (NewLine(line, 1),), True, method, note=f"note {number}"))

    def states() -> dict[str, str]:
        found = run(config, "exceptions", "list", "--state", "all", "--json")["exceptions"]
        return {one["exception_id"]: one["state"] for one in found}

    def sent(number: str) -> list[dict[str, int]]:
        return [
            {line["sku"]: line["qty"] for line in order.lines}
            for order in peers.clarus.orders()
            if order.upstream == f"bc:{number}"
        ]

    blocked = {
        "unmapped_sku:bc:31", "unmapped_shipping_method:bc:32", "unmapped_sku:bc:33", "unmapped_shipping_method:bc:33",
    }  # fmt: skip
    await until(lambda: {name for name, state in states().items() if state == "OPEN"} == blocked)

    file = folder / "mappings.yaml"
    file.write_text(WRONG)
    told = run(config, "mappings", "import", str(file), "--reason", "new", status=2)
    assert "mappings.yaml:2: sku bc//B-9: there is no product 'B'" in told and "nothing was imported" in told
    await asyncio.sleep(2)
    assert not any(sent(number) for number in ("31", "32", "33")), "nothing of a wrong file counts"

    file.write_text(RIGHT)
    seen = run(config, "mappings", "what-if", str(file), "--json")
    assert {one["order"]: one["then"]["state"] for one in seen["orders"]} == dict.fromkeys(
        ("bc:31", "bc:32", "bc:33"), "RELEASING"
    )
    made = run(config, "mappings", "import", str(file), "--reason", "DPD flies now", "--actor", "ada", "--json")
    assert made["version"] == 1 and len(made["changes"]) == 5
    await until(lambda: all(sent(number) for number in ("31", "32", "33")))
    await until(lambda: {states()[name] for name in blocked} == {"RESOLVED"})
    assert [sent("31"), sent("32"), sent("33")] == [[{"B": 2}], [{"A": 1}], [{"B": 2}]], "each once, in eaches"
    told = {order.upstream: order.notes.get("pick") for order in peers.clarus.orders()}
    assert told == {f"bc:{number}": f"Customer: note {number}" for number in ("31", "32", "33")}
    await until(lambda: shop.quantity("B-9") == 2)  # (9 - 4) eaches in pairs

    again = run(config, "mappings", "import", str(file), "--reason", "once more", "--json")
    assert again == {"version": 0, "changes": []}
    exported = folder / "exported.csv"
    run(config, "mappings", "export", "--output", str(exported))
    assert run(config, "mappings", "check", str(exported), "--replace", "--json")["changes"] == []
    listed = run(config, "mappings", "list", "--kind", "shipping", "--json")["mappings"]
    assert [(one["key"], one["actor"]) for one in listed] == [("*/express", ""), ("bc/drone", "ada")]
    await asyncio.sleep(2)
    assert [len(sent(number)) for number in ("31", "32", "33")] == [1, 1, 1]
    assert product.workers[0]._running is running and not product.failures, "no worker was restarted"
    port = yaml.safe_load(config.read_text())["settings"]["ops"]["port"]
    async with httpx.AsyncClient(trust_env=False) as client:
        status = (await client.get(f"http://127.0.0.1:{port}/status")).json()
    assert status["mappings"]["version"] == 1 and status["mappings"]["left_out"] == []
    await _audited(peers, config, states)


async def _audited(peers: Peers, config: Path, states: Callable[[], dict[str, str]]) -> None:
    """A barcode that differs is an exception until it does not."""
    shop, name = peers.storefronts["bc"], "catalogue_mismatch:bc//A"
    peers.clarus.describe("A", barcode="501")
    shop.describe("A", barcode="502")

    async def audit() -> tuple[int, Any]:
        done = await asyncio.to_thread(ask, config, "audit", "--json")
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, json.loads(done.stdout)

    status, found = await audit()
    assert status == 1 and [(one["entity"], one["what"]) for one in found["differences"]] == [("bc//A", "barcode")]
    await until(lambda: states().get(name) == "OPEN")
    shop.describe("A", barcode="501")
    status, found = await audit()
    assert status == 0 and (found["opened"], found["resolved"]) == (0, 1)
    await until(lambda: states()[name] == "RESOLVED")
