"""Scenario files through the real command: real processes, the bundled broker, the simulated peers; the report says whether it went right."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import broker
from tests.brokers import TestBroker

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not broker.available(), reason="the bundled broker has no program for this platform"),
]


def drill(name: str, tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run one file and return its report; the end of what it printed is shown where it failed."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "drill", str(HERE / name), "--json", str(report), "--quiet", *options],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert report.exists(), done.stderr[-4000:]
    found: dict[str, Any] = json.loads(report.read_text())
    assert done.returncode == 0, done.stderr[-4000:]
    assert found["ok"]
    assert found["settled"]
    assert all(check["ok"] for check in found["checks"].values())
    return found


def test_stock_moves_reach_both_storefronts(tmp_path: Path) -> None:
    report = drill("stock-moves.yaml", tmp_path)
    # 000123: MAIN 40 - 3 - 37 moved = 0, NORTH 2 + 10 + 37 = 49; MUG: 30 + 6 = 36; CARD: 9 - 4 held = 5
    assert report["channels"]["ct"]["stock"] == {"123": 49, "MUG": 36, "MUG-CASE": 3, "CARD": 5, "GIFT-BOX": 5}
    assert report["channels"]["bc"]["stock"] == {"SKU-000123": 0, "MUG-CASE": 3}
    assert report["wms"]["stock"]["000123"] == {
        "MAIN": {"available": 0, "held": 0},
        "NORTH": {"available": 49, "held": 0},
    }
    assert [step["booked"] for step in report["steps"]] == [10, -3, 4, 6, 37]
    assert report["latency_s"]["stock_to_channel"]["ct"]["count"] >= 3
    assert report["exceptions"] == []


def test_a_short_sale_ends_with_every_order_in_the_warehouse_once(tmp_path: Path) -> None:
    report = drill("short-sale.yaml", tmp_path)
    orders = {f"{channel}:{number}" for channel, found in report["channels"].items() for number in found["orders"]}
    assert len(orders) == report["orders"]["placed"] == 50
    living = {name: [g for g in made if g["status"] != "DELETED"] for name, made in report["wms"]["orders"].items()}
    assert {name for name, made in living.items() if len(made) == 1} >= orders - {"ct:CANCEL-ME"}
    assert report["channels"]["ct"]["orders"]["CANCEL-ME"]["state"] == "cancelled"
    assert report["oversold"] == 0


def test_a_killed_worker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    report = drill("worker-killed.yaml", tmp_path)
    assert report["checks"]["no_order_lost"]["checked"] == report["orders"]["placed"] > 40
    assert report["checks"]["nothing_unaccounted"]["checked"] > 40
    assert report["failures"] == []


@pytest.mark.kafka
def test_a_killed_worker_loses_and_doubles_nothing_on_apache_kafka(tmp_path: Path, kafka: TestBroker) -> None:
    report = drill("worker-killed.yaml", tmp_path, "--broker", kafka.bootstrap)
    assert report["checks"]["no_order_lost"]["checked"] == report["orders"]["placed"] > 40
    assert report["failures"] == []


def test_the_last_units_of_a_split_pool_are_sold_once(tmp_path: Path) -> None:
    report = drill("last-units.yaml", tmp_path)
    left = sum(report["channels"][name]["stock"]["DROP-1"] for name in ("ct-eu", "bc-us"))
    sold = sum(
        order["state"] != "cancelled"
        for name in ("ct-eu", "bc-us")
        for order in report["channels"][name]["orders"].values()
    )
    assert (report["oversold"], sold + left) == (0, 50)


def test_split_pools_survive_lost_webhooks_lost_answers_and_a_fresh_worker(tmp_path: Path) -> None:
    report = drill("late-and-duplicate.yaml", tmp_path)
    assert report["oversold"] == 0
    assert report["orders"]["placed"] > 100


def test_split_pools_of_several_warehouses_and_with_bundles_are_sold_once(tmp_path: Path) -> None:
    report = drill("split-pools.yaml", tmp_path)
    assert (report["oversold"], report["failures"]) == (0, [])
    assert report["orders"]["placed"] > 20


@pytest.mark.parametrize(
    "name",
    [
        "bundles",
        "killed-while-answers-are-lost",
        "despatch",
        "despatch-answers-lost",
        "edit-after-release",
        "edit-after-allocation",
        "vanished-at-the-warehouse",
    ],
)
def test_a_file_ends_as_it_expects(name: str, tmp_path: Path) -> None:
    report = drill(f"{name}.yaml", tmp_path)
    assert report["checks"]["as_expected"]["checked"] >= 3


def test_a_channel_in_shadow_gets_no_write_and_the_right_figures_when_it_goes_live(tmp_path: Path) -> None:
    report = drill("shadow-then-live.yaml", tmp_path)
    assert all(step["ok"] for step in report["steps"])
    live, shadowed = (report["channels"][name]["stock"] for name in ("ct", "bc"))
    assert live == shadowed
    assert [one for one in report["exceptions"] if one["type"] == "stock_drift"] == []
