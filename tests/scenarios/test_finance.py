"""`finance` asked of a live worker at the end of a drill: money comes to what the storefronts themselves hold, and what does not fit is found in its time."""

import asyncio
import csv
import json
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.broker import BundledBroker
from app.drill.read import parse_drill
from app.drill.report import Outcome
from app.drill.run import DrillRun
from app.drill.simulators import RealPeers
from tests.scenarios.live import MARKS, ask
from tests.scenarios.test_broken_rules import Quiet

pytestmark = MARKS

FILE = """
name: money that fits and money that does not
seed: 3
settle: 60s
channels:
  ct: {system: commercetools, order_lag: [0.1s, 0.3s], rate: 100/s}
  bc: {system: bigcommerce, plan: pro, order_lag: [0.1s, 0.3s]}
warehouses: [MAIN]
products: [{sku: A, channels: {ct: A, bc: A}, stock: {MAIN: 40}}]
policies: [{mode: shared}]
shipping: {standard: {carrier: RM, service: "48"}}
settings: {finance: {release_wait: 3s, refund_wait: 4s}}
floor: {allocate: 0.1s, pick: 0.1s, despatch: 0.2s}
steps:
  - {at: 0.5s, order: {channel: ct, id: C1, shipping: standard, lines: [{sku: A, qty: 3}], discount: 1.00}}
  - {at: 0.5s, order: {channel: ct, id: C2, shipping: standard, lines: [{sku: A, qty: 1}]}}
  - {at: 0.5s, order: {channel: bc, id: "1", shipping: standard, lines: [{sku: A, qty: 2}], discount: 0.50}}
  - {at: 0.5s, order: {channel: bc, id: "2", shipping: drone, lines: [{sku: A, qty: 1}]}}
  - {at: 0.5s, order: {channel: bc, id: "3", shipping: standard, paid: false, lines: [{sku: A, qty: 1}]}}
  - {at: 0.5s, order: {channel: ct, id: C4, shipping: drone, lines: [{sku: A, qty: 1}]}}
  - {at: 0.5s, order: {channel: bc, id: "4", shipping: drone, lines: [{sku: A, qty: 1}]}}
  - {at: 2.5s, cancel: {channel: ct, id: C4}}
  - {at: 2.5s, cancel: {channel: bc, id: "4"}}
  - {at: 6s, return: {channel: bc, id: "1", lines: [{sku: A, qty: 1}]}}
  - {at: 7s, wms: {receive_return: {order: "bc:1"}}}
  - {at: 8s, wms: {inspect: {order: "bc:1"}}}
expect:
  refunded: {"bc:1": "9.75"}
  exceptions: {payment_mismatch: 3, unmapped_shipping_method: 3}
"""


def sheet(config: Path, today: str) -> list[dict[str, str]]:
    path = config.parent / "finance.csv"
    done = ask(config, "finance", "--from", today, "--csv", str(path))
    assert done.exit_code == 0, (done.output, done.exception)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def test_money_comes_to_what_the_storefronts_hold() -> None:
    drill = parse_drill(FILE, "finance")

    async def after(outcome: Outcome, config: Path) -> None:
        await asyncio.to_thread(_look, outcome, config)

    run = DrillRun(drill.file, drill.raw, RealPeers(), BundledBroker(), Quiet(), foreign=False, after=after)
    outcome = await run.run()
    assert outcome.ok, (outcome.as_dict(), run.kept_logs)


def _look(outcome: Outcome, config: Path) -> None:
    first = min(order.placed_at for _, order in outcome.evidence.every())
    today = time.strftime("%Y-%m-%d", time.gmtime(first / 1000))
    rows = sheet(config, today)
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    status: dict[str, tuple[str, str]] = {}
    for row in rows:
        name = f"{row['channel']}:{row['order_number']}"
        for kind in ("ordered", "captured", "despatched", "returned", "refunded"):
            sums[name][kind] += Decimal(row[kind])
        status[name] = row["status"], row["reasons"]
    for channel, order in outcome.evidence.every():
        name = f"{channel}:{order.number}"
        assert sums[name]["captured"] * 100 == order.captured, name
        assert sums[name]["refunded"] == Decimal(order.refunded), name
    assert {name: one for name, (one, _) in status.items()} == {
        "ct:C1": "matched",
        "ct:C2": "matched",
        "bc:1": "matched",
        "bc:2": "mismatched",
        "bc:3": "open",
        "ct:C4": "mismatched",
        "bc:4": "mismatched",
    }
    assert sums["bc:1"]["returned"] == sums["bc:1"]["refunded"] == Decimal("9.75")
    assert sums["ct:C1"]["despatched"] == sums["ct:C1"]["ordered"] == Decimal("34.00")
    assert "not at the warehouse: HELD, unmapped_shipping_method" in status["bc:2"][1]
    assert "cancelled, and 15.00" in status["ct:C4"][1] and sums["ct:C4"]["ordered"] == 0
    assert "cancelled, and 10.00" in status["bc:4"][1] and sums["bc:4"]["ordered"] == 0
    plain: Any = json.loads(ask(config, "finance", "--from", today, "--json").output)
    for day in plain["days"]:
        for kind in ("ordered", "captured", "refunded"):
            parts = sum(Decimal(day[kind][one]) for one in ("matched", "open", "mismatched"))
            assert parts == Decimal(day[kind]["all"])
    assert sum(Decimal(day["captured"]["all"]) for day in plain["days"]) == sum(x["captured"] for x in sums.values())
    told = json.loads(ask(config, "why", "bc:1", "--json").output)
    assert told["answer"]["money"]["status"] == "matched" and told["answer"]["money"]["refunded"] == "9.75"
    what = [one["what"] for one in told["story"]["told"] if one["kind"] == "event"]
    assert {"AuthoriseReturn", "WarehouseReturn", "RefundOutcome"} <= set(what)
    _accept(config, today)


def _accept(config: Path, today: str) -> None:
    """What finance resolves by hand counts as matched, with the reason."""
    listed = json.loads(ask(config, "exceptions", "list", "--owner", "finance", "--json").output)["exceptions"]
    name = next(one["exception_id"] for one in listed if one["entity"] == "ct:C4")
    assert ask(config, "exceptions", "resolve", name, "--reason", "paid out in cash").exit_code == 0
    deadline = time.monotonic() + 20
    while True:
        [row] = [row for row in sheet(config, today) if row["order_number"] == "C4"]
        if row["status"] == "matched":
            break
        assert time.monotonic() < deadline, row
        time.sleep(0.3)
    assert row["reasons"] == "accepted by hand: cancelled, and 15.00 EUR is not refunded"
