"""The real stock ledger of one worker on Apache Kafka: how fast it folds, what one event, one product and one open line cost.

The worker is a process of its own (`bench.ledger_worker`) with the availability agent, tables, rules and codecs of the product; delivery is not started. All
events lie in the topic before it starts to read them.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Producer

from app import topics as product_topics
from bench.harness import Options, Report, Table, Target, kafka, median_range
from bench.ledger_inside import POLL, Inside, polls, profiled, sizes
from bench.ledger_load import Input, Sale, settings
from schemas import catalogue as topics

TITLE = "The stock ledger"
PRODUCTS, EVENTS, PARTITIONS = 20_000, 150_000, 4
WARM = 100_000
"""Events of the sale before those that are measured: the first seconds have orders only, nothing is allocated or answered yet."""
_GIVE_UP_S = 300.0


def run(options: Options) -> Report:
    """Every round: a fresh broker, the opening, then the sale at full speed."""
    sale = Sale(settings(PRODUCTS, PARTITIONS), options.scaled(15_000))
    opening = [*sale.opening(), *sale.events(options.scaled(WARM))]
    sale.mix.clear()
    events = list(sale.events(options.scaled(EVENTS)))
    rounds = [_round(options, opening, events) for _ in range(options.rounds)]
    speed, cost = [r["speed"] for r in rounds], [r["cpu"] for r in rounds]
    inside = Inside(sale, PARTITIONS, options.folder / "inside")
    for portion in polls(iter([*opening, *events[: len(events) // 2]]), POLL):
        inside.poll(portion)
    profile = profiled(inside, list(polls(iter(events[len(events) // 2 :]), POLL)))
    row_bytes = sizes(inside)
    inside.close()
    total = sum(sale.mix.values())
    middle = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    return Report(
        question=(
            "How many inventory events a second does one worker fold, with all rules? 20,000 products with two listings each, half of them in a "
            "split pool, half shared; exactly_once, rocksdict, 25 ms cycles; 20 % of the products get 80 % of the order lines."
        ),
        targets=[
            Target("events/s of one worker", ">= 15,000", median_range(speed, 0), statistics.median(speed) >= 15_000),
        ],
        tables=[
            Table(
                "Speed and memory",
                ["figure", "median (least-most)"],
                [
                    ["events/s", median_range(speed, 0)],
                    ["CPU µs an event, all threads", median_range(cost)],
                    ["resident memory of the worker when it starts, MB", f"{middle['rss_started'] / 1e6:.0f}"],
                    ["the same at the end of the sale, MB", f"{middle['rss'] / 1e6:.0f}"],
                    ["state on disk when the measured part begins, MB", f"{middle['disk_opened'] / 1e6:.1f}"],
                ],
            ),
            Table(
                "Rows of the ledger at the end of the sale, key and value",
                ["table", "rows", "bytes a row"],
                [[name, f"{count:,}", f"{size / count:.0f}"] for name, (count, size) in row_bytes.items()],
            ),
            Table(
                "Where the time goes without the broker's client, by module (cProfile, own time)",
                ["module", "share"],
                [[name, f"{share:.1%}"] for name, share in profile],
            ),
            Table(
                "The events",
                ["kind", "share"],
                [[name, f"{count / total:.1%}"] for name, count in sale.mix.most_common()],
            ),
        ],
        notes=[
            "`stock` is the row of a product, `stock_lines` that of one order's lines of one product (an open line costs one of them; closed ones "
            "stay as tombstones). Function by function: `python -m bench.ledger_inside --profile`."
        ],
    )


def _round(options: Options, opening: list[Input], events: list[Input]) -> dict[str, float]:
    with kafka(options) as broker:
        given = settings(PRODUCTS, PARTITIONS)
        given.settings.kafka.bootstrap = broker.bootstrap
        assert product_topics.ensure(given).ok
        folder = options.folder / f"data-{time.monotonic_ns()}"
        _produce(broker.bootstrap, opening)
        _worker(broker.bootstrap, folder, len(opening))
        disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        _produce(broker.bootstrap, events)
        sold = _worker(broker.bootstrap, folder, len(events))
        return {
            "speed": len(events) / sold["seconds"],
            "cpu": sold["cpu"] / len(events) * 1e6,
            "rss_started": sold["rss_started"],
            "rss": sold["rss"],
            "disk_opened": disk,
        }


def _worker(bootstrap: str, folder: Path, count: int) -> dict[str, float]:
    """A worker until it has committed so many events; what it measured."""
    command = [sys.executable, "-m", "bench.ledger_worker", bootstrap, str(folder), str(PRODUCTS), str(PARTITIONS)]
    done = subprocess.run([*command, str(count)], capture_output=True, text=True, timeout=_GIVE_UP_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _produce(bootstrap: str, inputs: list[Input]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4"})
    for number, one in enumerate(inputs):
        producer.produce(topics.INVENTORY_EVENTS.name, one.value, one.key.encode(), partition=one.partition)
        if number % 20_000 == 0:
            producer.flush()
    assert producer.flush(60) == 0
