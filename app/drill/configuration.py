"""The product's configuration for a drill: a drill's own time bounds, the file's settings over them, and over those what only the drill can know."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from app.drill.file import DrillFile

WITHHELD = (
    ("kafka", "bootstrap"),
    ("kafka", "topic_prefix"),
    ("engine", "instance"),
    ("engine", "data_dir"),
    ("ops", "host"),
    ("ops", "port"),
    ("ingress", "host"),
    ("ingress", "port"),
    ("ingress", "public_url"),
)
"""Settings that the drill decides itself."""

DRILL_SETTINGS: dict[str, dict[str, Any]] = {
    "kafka": {"partitions": 4, "replication": 1},
    "bounds": {"late_max": "6s", "apply_max": "2s", "visible_lag": "2s", "consistency_margin": "500ms"},
    "sweeps": {"orders": "2s", "order_overlap": "1m", "stock": "5s", "listings": "5s", "feed": "5s", "returns": "1s"},
    "delivery": {"timeout": "5s", "backoff_max": "2s", "breaker_pause": "1s", "create_unknown": "6s"},
}
"""The simulators' own time bounds, and waits that fit a drill of a minute."""


def merged(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings over each other, later ones winning."""
    result: dict[str, Any] = {}
    for tree in trees:
        for name, value in tree.items():
            known = result.get(name)
            both = isinstance(known, dict) and isinstance(value, Mapping)
            result[name] = merged(known or {}, value) if both else value
    return result


def product_data(
    file: DrillFile,
    raw: Mapping[str, Any],
    *,
    clarus: Mapping[str, Any] | None = None,
    channels: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The configuration as YAML holds it. Without `channels` the peers have no addresses: enough to check it, not to run."""
    given = raw.get("settings")
    shadowed = {name for name, channel in file.channels.items() if channel.shadow}
    peers = channels or {name: {"system": channel.system} for name, channel in file.channels.items()}
    return {
        "clarus": {**(clarus or {}), "bundles": file.bundles},
        "channels": {
            name: {**connection, **({"mode": "shadow"} if name in shadowed else {})}
            for name, connection in peers.items()
        },
        "warehouses": list(file.warehouses),
        "products": [product.model_dump(exclude={"stock"}, exclude_unset=True) for product in file.products],
        "shipping": {name: one.model_dump() for name, one in file.shipping.items()},
        "carriers": {code: one.model_dump() for code, one in file.carriers.items()},
        "release": {name: one.model_dump(exclude_unset=True) for name, one in file.release.items()},
        "policies": [policy.model_dump(mode="json", exclude_unset=True) for policy in file.policies],
        "settings": merged(DRILL_SETTINGS, given if isinstance(given, dict) else {}, settings or {}),
    }


def write_configuration(path: Path, data: Mapping[str, Any]) -> Path:
    """Write it for one process; it holds credentials, if only of simulators, so nobody else may read it."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
