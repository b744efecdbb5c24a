"""The product's own part of an order, from its storefront to the warehouse: what it costs the worker, with peers that have their answers ready."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer

from app.ingress.service import hook_path
from bench.harness import Options, Report, Table, Target, kafka, median_range, usage
from bench.order_rig import SOURCE, STOCK, Rig
from bench.order_traffic import Orders

TITLE = "The product's own part of an order"
RATE = 300
_SECONDS, _WARM_S, _SETTLE_S = 60.0, 5.0, 60.0
_PRODUCTS, _PARTITIONS = 2_000, 4
_CLARUS = 1_000.0
_COLUMNS = [
    "orders",
    "worker, ms CPU an order",
    "ingress, ms",
    "worker, cores",
    "all created after the last, s",
    "doubled",
]


class LivePeers(Rig):
    """Each peer in a process of its own, and all channels live."""

    def _peers(self) -> dict[str, Any]:
        self.speakers: dict[str, subprocess.Popen[bytes]] = {}
        found = {}
        for name in ("clarus", "ct", "bc"):
            arguments = name, str(len(self.skus)), str(STOCK)
            self.speakers[name] = self._process(name, "bench.order_answers", *arguments, speaks=True)
            found[name] = self._heard(name)
        return found

    def _heard(self, name: str) -> Any:
        stdout = self.speakers[name].stdout
        assert stdout is not None
        return json.loads(stdout.readline())

    def tell(self, name: str, **told: Any) -> Any:
        """Have a peer do something; what it says then."""
        stdin = self.speakers[name].stdin
        assert stdin is not None
        stdin.write(json.dumps(told).encode() + b"\n")
        stdin.flush()
        return self._heard(name)

    def _configuration(self, peers: dict[str, Any]) -> dict[str, Any]:
        given = super()._configuration(peers)
        stream = {name: value for name, value in given["channels"]["ct"].items() if name.startswith("kafka_")}
        given["clarus"] = {**peers["clarus"], "rate_per_second": _CLARUS}
        given["channels"] = {"ct": {**peers["ct"], **stream}, "bc": peers["bc"]}
        given["policies"] = [{"mode": "shared"}]
        given["settings"]["sweeps"] = {"listings": "600s", "orders": "10s"}
        return given

    def connect(self) -> None:
        """Tell the store where its webhooks go."""
        self.tell("bc", do="notify", url=f"http://127.0.0.1:{self._ingress_port}{hook_path('bc', self.settings)}")


@dataclass(frozen=True, slots=True)
class _Round:
    orders: int
    worker: float
    ingress: float
    cores: float
    settled: float
    doubled: int

    def cells(self) -> list[str]:
        """As a row of the table."""
        return [
            f"{self.orders:,}",
            f"{self.worker:.2f}",
            f"{self.ingress:.2f}",
            f"{self.cores:.2f}",
            f"{self.settled:.1f}",
            str(self.doubled),
        ]


def run(options: Options) -> Report:
    """Rounds on one worker: its state grows from round to round."""
    seconds = _SECONDS / 10 if options.quick else _SECONDS
    rounds: list[_Round] = []
    with kafka(options) as broker:
        rig = LivePeers(options.folder / "alone", broker.bootstrap, _PRODUCTS, _PARTITIONS)
        try:
            rig.start()
            rig.connect()
            feed = _Feed(broker.bootstrap, rig)
            _round(rig, feed, _WARM_S)
            for _ in range(min(3, options.rounds)):
                rounds.append(_round(rig, feed, seconds))
                print(*rounds[-1].cells(), sep="  ", flush=True)
        finally:
            rig.close()
    return _report(rounds, seconds)


class _Feed:
    """Half of the orders come by commercetools' subscription, half by BigCommerce's webhooks, which are fetched."""

    def __init__(self, bootstrap: str, rig: LivePeers) -> None:
        self._rig, self._orders = rig, Orders()
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "acks": "all"})
        self._number = 0

    def give(self, seconds: float) -> int:
        """An even stream for so long; how many."""
        rate, placed = RATE / 2, list[int]()
        store = threading.Thread(
            target=lambda: placed.append(self._rig.tell("bc", do="place", rate=rate, seconds=seconds))
        )
        store.start()
        began, count = time.perf_counter(), int(rate * seconds)
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            self._number += 1
            sku = self._rig.skus[self._number * 104_729 % len(self._rig.skus)]
            self._producer.produce(SOURCE, self._orders.next(sku, 1, True))
            self._producer.poll(0)
        self._producer.flush(10)
        store.join()
        return count + placed[0]


def _round(rig: LivePeers, feed: _Feed, seconds: float) -> _Round:
    processes = rig.worker.pid, rig.ingress.pid
    before, known = [usage(pid).cpu for pid in processes], rig.tell("clarus", do="count")
    began = time.perf_counter()
    orders = feed.give(seconds)
    took, ended = time.perf_counter() - began, time.perf_counter()

    def made() -> list[int]:
        return [now - then for now, then in zip(rig.tell("clarus", do="count"), known, strict=True)]

    rig.until(lambda: made()[1] >= orders, f"{orders:,} orders are created", _SETTLE_S)
    settled = time.perf_counter() - ended
    worker, ingress = (usage(pid).cpu - then for pid, then in zip(processes, before, strict=True))
    created, different = made()
    return _Round(
        orders, 1000 * worker / orders, 1000 * ingress / orders, worker / (took + settled), settled, created - different
    )


def _report(rounds: list[_Round], seconds: float) -> Report:
    each, ended, doubled = [r.worker for r in rounds], max(r.settled for r in rounds), sum(r.doubled for r in rounds)
    return Report(
        f"What does an order cost the product itself, at {RATE} a second for {seconds:g} s, from its notification to its goods out, with stock kept at both "
        "storefronts?",
        [
            Target(
                f"{RATE} orders/s for {_SECONDS:g} s",
                "every one created once, none waits longer than 5 s after the last",
                f"{sum(r.orders for r in rounds):,} orders, {doubled} doubled, all created {ended:.1f} s after the last",
                not doubled and ended <= 5,
            ),
            Target("CPU of the worker per order", "shown", f"{median_range(each, 2)} ms", None),
        ],
        [Table("Rounds", _COLUMNS, [[*r.cells()] for r in rounds])],
        [],
        [
            "Half of the orders come as records of a commercetools subscription with the whole order, half as BigCommerce webhooks, after which the order is "
            f"fetched; each has one line of one of {_PRODUCTS:,} products, which both storefronts list from one shared pool. The worker looks each reference "
            "up, creates the goods out by a request of its own, writes the stock of the other storefront, and reads the warehouse's stock again.",
            "The warehouse gives ready answers for all that an order asks of it; the storefronts are the simulators. Each is a process of its own; they "
            f"share the cores with broker, ingress and worker. Budgets: the store's enterprise plan, {_CLARUS:g} requests a second at Clarus. The worker's "
            f"CPU is that of the whole process, until the last order was created. {_PARTITIONS} partitions, exactly_once, 25 ms cycles.",
        ],
    )
