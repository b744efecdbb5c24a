"""Stock changes in the simulated warehouse until the storefront shows them, through the whole product and inside the peers' request budgets."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from bench.harness import Options, Plot, Report, Table, Target, kafka

TITLE = "A stock change in the warehouse until the storefront shows it"
_PRODUCTS = 200
_LOADS = {"ct-eu": (2.0, 8.0), "bc-us": (1.0, 3.0)}
"""Changes a second by channel; every change concerns one listing."""
_CHANNELS: dict[str, dict[str, object]] = {
    "ct-eu": {"system": "commercetools", "rate": "100/s"},
    "bc-us": {"system": "bigcommerce", "plan": "plus"},
}
_PLUS = 150 / 30
"""Requests a second that BigCommerce Plus allows, for everything."""


def scenario(channel: str, rate: float, seconds: int) -> dict[str, Any]:
    """A drill of nothing but receipts and adjustments, evenly spaced, over products of their own."""
    rng = random.Random(int(rate * 10))
    skus = [f"SKU-{number:03}" for number in range(_PRODUCTS)]
    steps = []
    for number in range(int(seconds * rate)):
        kind, quantity = rng.choice((("receive", rng.randint(1, 5)), ("adjust", -rng.randint(1, 3))))
        movement = {"sku": skus[number % _PRODUCTS], "warehouse": "MAIN", "qty": quantity}
        steps.append({"at": f"{1 + number / rate:.3f}s", "wms": {kind: movement}})
    return {
        "name": f"{rate:g} changes a second on {channel}",
        "settle": "120s",
        "channels": {channel: _CHANNELS[channel]},
        "warehouses": ["MAIN"],
        "products": [{"sku": sku, "channels": {channel: sku}, "stock": {"MAIN": 100}} for sku in skus],
        "steps": steps,
        "settings": {"sweeps": {"listings": "600s"}},
        "floor": "manual",
    }


def drill(folder: Path, bootstrap: str, what: dict[str, Any]) -> dict[str, Any]:
    """Run it on Kafka; its report."""
    file, report = folder / "drill.yaml", folder / "report.json"
    file.write_text(yaml.safe_dump(what))
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "app.cli", "drill", str(file), "--quiet", "--json", str(report)]
    done = subprocess.run([*command, "--broker", bootstrap], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"the drill {what['name']!r} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def run(options: Options) -> Report:
    """Each channel at each load, so many rounds."""
    seconds = 10 if options.quick else 60
    table = Table(
        "Runs",
        ["channel", "changes/s", "shown", "p50 s", "p99 s", "longest s", "stock requests", "of those allowed"],
        [],
    )
    worst: dict[str, list[float]] = {}
    plot = Plot("Change in the warehouse until shown, p99", "s", [])
    with kafka(options) as server:
        for channel, rates in _LOADS.items():
            for rate in rates:
                found: list[float] = []
                for _ in range(min(3, options.rounds)):
                    report = drill(options.folder, server.bootstrap, scenario(channel, rate, seconds))
                    latency = report["latency_s"]["stock_to_channel"][channel]
                    requests = report["channels"][channel]["requests"]["stock"]
                    allowed = 100.0 if channel == "ct-eu" else _PLUS
                    found.append(latency["p99"])
                    table.rows.append(
                        [
                            channel,
                            f"{rate:g}",
                            str(latency["count"]),
                            f"{latency['p50']:.2f}",
                            f"{latency['p99']:.2f}",
                            f"{latency['max']:.2f}",
                            str(requests),
                            f"{requests / (report['seconds'] * allowed):.0%}",
                        ]
                    )
                    print(*table.rows[-1], sep="  ", flush=True)
                worst.setdefault(channel, []).extend(found)
                plot.bars.append((f"{channel}, {rate:g}/s", sorted(found)[len(found) // 2], min(found), max(found)))
    return Report(
        "How long does a receipt or an adjustment in the warehouse take until the storefront shows the new figure, on one worker, through Kafka "
        "(exactly_once, 25 ms cycles) and inside the peer's documented request budget?",
        [
            Target(
                "commercetools", "p99 <= 2 s", f"p99 {max(worst['ct-eu']):.2f} s (worst run)", max(worst["ct-eu"]) <= 2
            ),
            Target("BigCommerce Plus", "shown beside its budget", f"p99 {max(worst['bc-us']):.2f} s (worst run)", None),
        ],
        [table],
        [plot],
        [
            "Simulators, broker, worker and ingress share two cores. The time runs from the movement in the warehouse to the moment at which the storefront "
            f"first shows the right figure. BigCommerce Plus allows 150 requests in 30 s, {_PLUS:g} a second, for everything: order polls, writes and the "
            "read-back that a write there must be proved by (its answer does not say that the change was applied)."
        ],
    )
