"""Workers killed in the middle of sales, at moments drawn by a seed, half of them coming back with an empty disk: does every check of every drill hold?

Each drill is the product as users run it, on Apache Kafka with exactly_once: late and doubled notifications, lost answers, and five kills in a sale.
What is measured is exactness, not speed.
"""

import asyncio
import random
from typing import Any

import yaml

from app.drill.display import Quiet
from app.drill.product import ForeignBroker
from app.drill.read import parse_drill
from app.drill.report import Outcome
from app.drill.run import DrillRun
from app.drill.simulators import RealPeers
from bench.harness import Options, Report, Table, Target, kafka

TITLE = "50 kills of the worker during drills"
KILLS, KILLS_A_DRILL = 50, 5
_LIMIT_SECONDS = 240


def scenario(seed: int, kills: int) -> dict[str, Any]:
    """A sale on a split and on a shared pool with `kills` kills at random moments, every second one with an empty disk."""
    rng = random.Random(f"kills:{seed}")
    disks = ["keep", "fresh"] * ((kills + 1) // 2)
    rng.shuffle(disks)
    steps: list[dict[str, Any]] = [
        {"at": "0.5s", "load": {"orders_per_second": 6, "for": "24s", "skus": "zipf", "lines": [1, 2]}},
        {"at": "8s", "wms": {"receive": {"sku": "SPLIT", "warehouse": "MAIN", "qty": 25}}},
        {"at": "14s", "wms": {"adjust": {"sku": "SHARED", "warehouse": "MAIN", "qty": -7}}},
    ]
    for peer in ("clarus", "bc"):
        webhook = {"duplicate": 0.3, "reorder": 0.3, "drop": 0.1, "delay": ["0s", "2s"], "for": "20s"}
        steps.append({"at": "0s", "fault": {"peer": peer, "kind": "webhook", **webhook}})
    for peer in ("ct", "bc", "clarus"):
        steps.append(
            {"at": "1s", "fault": {"peer": peer, "kind": "timeout", "after_effect": True, "share": 0.1, "for": "20s"}}
        )
    for number in range(kills):
        at = 1 + 24 * (number + rng.random()) / kills
        steps.append({"at": f"{at:.3f}s", "kill": {"process": "worker", "signal": "KILL", "disk": disks[number]}})
    lag = {"order_lag": ["0.1s", "1s"]}
    return {
        "name": f"kills, seed {seed}",
        "seed": seed,
        "settle": "120s",
        "channels": {"ct": {"system": "commercetools", **lag}, "bc": {"system": "bigcommerce", "plan": "pro", **lag}},
        "warehouses": ["MAIN"],
        "products": [
            {"sku": "SPLIT", "channels": {"ct": "SPLIT", "bc": "SPLIT"}, "stock": {"MAIN": 90}},
            {"sku": "SHARED", "channels": {"ct": "SHARED", "bc": "SHARED"}, "stock": {"MAIN": 400}},
        ],
        "policies": [{"match": {"sku": "SPLIT"}, "mode": "escrow"}, {"match": {"sku": "SHARED"}, "mode": "shared"}],
        "steps": steps,
    }


def drill(seed: int, kills: int, bootstrap: str) -> Outcome:
    """One drill on a broker that runs."""
    found = parse_drill(yaml.safe_dump(scenario(seed, kills), sort_keys=False), f"kills-{seed}.yaml")

    async def bounded() -> Outcome:
        async with asyncio.timeout(_LIMIT_SECONDS):
            return await DrillRun(
                found.file, found.raw, RealPeers(), ForeignBroker(bootstrap), Quiet(), foreign=True
            ).run()

    return asyncio.run(bounded())


def run(options: Options) -> Report:
    """`KILLS` kills, `KILLS_A_DRILL` in each drill."""
    kills = options.scaled(KILLS)
    rows, done, fresh, broken = [], 0, 0, 0
    with kafka(options) as broker:
        for seed in range(1, -(-kills // KILLS_A_DRILL) + 1):
            outcome = drill(seed, KILLS_A_DRILL, broker.bootstrap)
            killed = [r.what for r in outcome.script.results if r.what.startswith("kill")]
            empty = sum(what.endswith("fresh") for what in killed)
            done, fresh, broken = done + len(killed), fresh + empty, broken + (not outcome.ok)
            failed = [f"{name}: {f['entity']}" for name, c in outcome.checks.items() for f in c.failed]
            failed += outcome.failures + ([f"not settled: {outcome.waiting_for}"] if not outcome.settled else [])
            rows.append(
                [
                    str(seed),
                    f"{len(killed)} ({empty} with an empty disk)",
                    str(outcome.script.placed),
                    str(sum(check.checked for check in outcome.checks.values())),
                    str(outcome.checks["no_oversell"].more["units"]),
                    f"{outcome.seconds:.0f}",
                    "ok" if outcome.ok else "; ".join(failed)[:200],
                ]
            )
    table = Table("Drills", ["seed", "kills", "orders", "things checked", "oversold", "seconds", "checks"], rows)
    measured = f"{done} kills, {fresh} with an empty disk, in {len(rows)} drills; {broken} drills with a check not ok"
    target = Target(
        "kills of the worker during drills", f"{kills} kills, every check ok", measured, not broken and done >= kills
    )
    return Report("Is anything lost, doubled or oversold where workers die in a sale?", [target], [table])
