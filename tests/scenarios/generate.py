"""Makes a scenario file from a seed: other channels, products, policies, load, faults and kills each time, so that rules meet files nobody wrote.

The file is valid and its end is known only as far as the checks go: no order lost or doubled, figures as the formulas say, nothing oversold where a pool is
split or has one listing. `python -m tests.scenarios.generate SEED` prints the file of a seed.
"""

import random
import sys
from typing import Any

import yaml

PLENTY = "PLENTY"
"""The product of the single orders; there is always enough of it, so that no step fails."""

_FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": "1s"},
    {"kind": "timeout"},
    {"kind": "timeout", "after_effect": True},
    {"kind": "slow", "delay": ["0.2s", "1s"]},
    {"kind": "reset"},
    {"kind": "malformed"},
    {"kind": "token_expired"},
    {"kind": "conflict"},
    {"kind": "partial"},
    {"kind": "webhook", "duplicate": 0.5, "reorder": 0.3},
    {"kind": "webhook", "drop": 0.4, "forge": 0.2},
    {"kind": "down"},
]


def scenario(seed: int) -> dict[str, Any]:
    """The file of this seed, as plain data."""
    rng = random.Random(seed)
    channels = _channels(rng)
    warehouses = ["MAIN", "NORTH", "SOUTH"][: rng.choice([1, 1, 2, 3])]
    products = [
        _plenty(channels, warehouses),
        *(_product(rng, n, channels, warehouses) for n in range(rng.randint(1, 5))),
    ]
    products += _bundles(rng, products, channels)
    policies = _policies(rng, products, channels, warehouses)
    shared = any(policy.get("mode") == "shared" for policy in policies)
    ends = rng.randint(6, 14)
    steps = [
        *_load(rng, channels, products, ends),
        *_single_orders(rng, channels),
        *_warehouse(rng, products, warehouses, ends),
        *_faults(rng, channels, ends),
        *_kills(rng, ends),
    ]
    found: dict[str, Any] = {
        "name": f"random {seed}",
        "seed": seed,
        "settle": "120s",
        "workers": rng.choice([1, 1, 1, 2]),
        "channels": channels,
        "warehouses": warehouses,
        "products": products,
        "policies": policies,
        "shipping": {"express": {"carrier": "DPD", "service": "NEXT"}},
        "steps": sorted(steps, key=lambda step: float(step["at"][:-1])),
    }
    if rng.random() < 0.3:
        found["floor"] = {
            "allocate": f"{rng.uniform(0.1, 2):.1f}s",
            "pick": "0.5s",
            "despatch": f"{rng.uniform(0.5, 3):.1f}s",
        }
    if shared:
        found["expect"] = {"oversold": [0, 100_000]}
    return found


def _at(seconds: float) -> str:
    return f"{seconds:.1f}s"


def _channels(rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number in range(rng.choice([1, 2, 2, 3])):
        low = rng.uniform(0, 1)
        lag = [_at(low), _at(low + rng.uniform(0.1, 3))]
        if rng.random() < 0.5:
            found[f"ct-{number}"] = {
                "system": "commercetools",
                "order_lag": lag,
                "rate": f"{rng.choice([20, 50, 100])}/s",
            }
        else:
            found[f"bc-{number}"] = {
                "system": "bigcommerce",
                "order_lag": lag,
                "plan": rng.choice(["plus", "pro", "enterprise"]),
            }
        if rng.random() < 0.2:
            list(found.values())[-1]["restock_on_cancel"] = True
    return found


def _plenty(channels: dict[str, Any], warehouses: list[str]) -> dict[str, Any]:
    return {"sku": PLENTY, "channels": dict.fromkeys(channels, PLENTY), "stock": {warehouses[0]: 5000}}


def _product(rng: random.Random, number: int, channels: dict[str, Any], warehouses: list[str]) -> dict[str, Any]:
    sku, case = f"00{number}7", rng.choice([6, 12])
    listed: dict[str, Any] = {}
    for channel in rng.sample(list(channels), rng.randint(1, len(channels))):
        each = {"sku": f"E-{sku}", "unit": "each"}
        cases = {"sku": f"C-{sku}", "unit": "case"}
        listed[channel] = rng.choice([sku, sku, sku, each, cases, [each, cases]])
    stock: dict[str, Any] = {}
    for warehouse in warehouses:
        available = rng.choice([0, 3, 10, 40, 90, 250])
        stock[warehouse] = available if rng.random() < 0.8 else {"available": available, "held": rng.randint(1, 9)}
    return {"sku": sku, "units": {"each": 1, "case": case}, "channels": listed, "stock": stock}


def _bundles(rng: random.Random, products: list[dict[str, Any]], channels: dict[str, Any]) -> list[dict[str, Any]]:
    if rng.random() < 0.6:
        return []
    parts = rng.sample([p["sku"] for p in products], rng.randint(1, min(3, len(products))))
    listed = rng.sample(list(channels), rng.randint(1, len(channels)))
    return [
        {"sku": "BOX", "bundle": {sku: rng.randint(1, 3) for sku in parts}, "channels": dict.fromkeys(listed, "BOX")}
    ]


def _policies(
    rng: random.Random, products: list[dict[str, Any]], channels: dict[str, Any], warehouses: list[str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"match": {"channel": "*", "sku": "*"}, "mode": rng.choice(["auto", "escrow", "escrow", "shared"])}
    ]
    if rng.random() < 0.4:
        amount = rng.choice([{"percent": rng.choice([5, 10, 25])}, {"buffer": rng.randint(1, 5)}])
        sku = "*" if "bundle" in products[-1] else rng.choice(products)["sku"]  # one amount for all that share a pool
        found.append({"match": {"channel": "*", "sku": sku}, **amount})
    if found[0]["mode"] == "shared" and rng.random() < 0.5:
        found.append({"match": {"channel": rng.choice(list(channels)), "sku": "*"}, "share": rng.choice([0.5, 0.75])})
    if rng.random() < 0.25:
        found.append({"match": {"channel": rng.choice(list(channels)), "sku": "*"}, "max": rng.choice([5, 20])})
    if len(warehouses) > 1 and rng.random() < 0.4:
        some = rng.sample(warehouses, rng.randint(1, len(warehouses)))
        if warehouses[0] not in some:
            some.append(warehouses[0])
        found.append({"match": {"channel": rng.choice(list(channels)), "sku": "*"}, "warehouses": some})
    return [*found, {"match": {"channel": "*", "sku": PLENTY}, "max": None}]


def _load(
    rng: random.Random, channels: dict[str, Any], products: list[dict[str, Any]], ends: int
) -> list[dict[str, Any]]:
    found = []
    for _ in range(rng.randint(1, 3)):
        begin = rng.uniform(0.2, ends / 2)
        load: dict[str, Any] = {
            "orders_per_second": rng.choice([2, 5, 10, 20]),
            "for": _at(rng.uniform(1, ends - begin)),
            "channels": rng.sample(list(channels), rng.randint(1, len(channels))),
            "lines": [1, rng.randint(1, min(3, len(products)))],
            "qty": [1, rng.randint(1, 3)],
        }
        if rng.random() < 0.3:
            load["skus"] = rng.sample([p["sku"] for p in products], rng.randint(1, len(products)))
            load["lines"] = [1, 1]
        found.append({"at": _at(begin), "load": load})
    return found


def _single_orders(rng: random.Random, channels: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(rng.randint(0, 6)):
        channel = rng.choice(list(channels))
        numbered = channel.startswith("bc")
        name = str(7001 + number) if numbered else f"S{number}"
        begin, paid = rng.uniform(0.5, 5), rng.random() < 0.7
        line = {"sku": PLENTY if rng.random() < 0.85 else "NOBODY-KNOWS", "qty": rng.randint(1, 4)}
        order = {
            "channel": channel,
            "id": name,
            "paid": paid,
            "lines": [line],
            "shipping": rng.choice(["express", "express", "balloon"]),
        }
        found.append({"at": _at(begin), "order": order})
        if not paid and rng.random() < 0.6:
            found.append({"at": _at(begin + rng.uniform(0.3, 4)), "pay": {"channel": channel, "id": name}})
        elif rng.random() < 0.4:
            found.append({"at": _at(begin + rng.uniform(0.1, 4)), "cancel": {"channel": channel, "id": name}})
    return found


def _warehouse(
    rng: random.Random, products: list[dict[str, Any]], warehouses: list[str], ends: int
) -> list[dict[str, Any]]:
    stocked = [p["sku"] for p in products if "stock" in p]
    found: list[dict[str, Any]] = []
    for _ in range(rng.randint(0, 6)):
        what = {"sku": rng.choice(stocked), "warehouse": rng.choice(warehouses)}
        kind = rng.choice(["receive", "receive", "adjust", "hold", "release"])
        amount = rng.randint(1, 30)
        if kind == "adjust" and rng.random() < 0.7:
            amount = -amount
        found.append({"at": _at(rng.uniform(0.5, ends)), "wms": {kind: {**what, "qty": amount}}})
    return found


def _faults(rng: random.Random, channels: dict[str, Any], ends: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        peer = rng.choice([*channels, "clarus"])
        fault = {
            "peer": peer,
            "for": _at(rng.uniform(0.5, 4)),
            "share": rng.choice([0.2, 0.5, 1.0]),
            **rng.choice(_FAULTS),
        }
        found.append({"at": _at(rng.uniform(0.5, ends)), "fault": fault})
    return found


def _kills(rng: random.Random, ends: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        kill = {"process": rng.choice(["worker", "worker", "ingress"]), "signal": rng.choice(["KILL", "KILL", "TERM"])}
        if kill["process"] == "worker":
            kill["disk"] = rng.choice(["keep", "fresh"])
        found.append({"at": _at(rng.uniform(1, ends)), "kill": kill})
    return found


def text(seed: int) -> str:
    """The file of this seed."""
    return yaml.safe_dump(scenario(seed), sort_keys=False, allow_unicode=True, width=150)


if __name__ == "__main__":
    sys.stdout.write(text(int(sys.argv[1])))
