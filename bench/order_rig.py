"""Simulated peers, ingress with its bridge and one worker as processes on a broker that runs, for benchmarks of orders. It measures nothing."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml
from confluent_kafka.admin import AdminClient, NewTopic

from app import topics
from app.config import load
from app.drill.processes import clean_environment
from app.ports import free_port
from app.settings import Settings
from bench.order_peers import WAREHOUSE, sku_of
from bench.runners import stop

SOURCE = "from-commercetools"
STOCK = 1_000_000_000


class Rig:
    """The processes, in `folder` with their logs. `close` ends them, however far `start` came."""

    def __init__(self, folder: Path, bootstrap: str, products: int, partitions: int) -> None:
        self._folder, self._bootstrap, self._partitions = folder, bootstrap, partitions
        folder.mkdir()
        self.skus = [sku_of(number) for number in range(products)]
        self._running: list[subprocess.Popen[bytes]] = []
        self._client = httpx.Client(trust_env=False, timeout=5)
        self._ingress_port, self._ops_port = free_port(), free_port()
        self.data = folder / "data"
        self.settings: Settings
        self.ingress: subprocess.Popen[bytes]
        self.worker: subprocess.Popen[bytes]

    def start(self) -> None:
        """Until ingress and worker say that they are ready. The worker then begins to read the peers."""
        admin = AdminClient({"bootstrap.servers": self._bootstrap})
        admin.create_topics([NewTopic(SOURCE, self._partitions, 1)])[SOURCE].result(10)
        config = self._folder / "shop.yaml"
        config.write_text(yaml.safe_dump(self._configuration(self._peers())))
        given = load(config, {}).settings
        made = topics.ensure(given)
        assert made.ok, made.as_text()
        self.settings = given
        self.ingress = self._process("ingress", "app.cli", "ingress", "--config", str(config))
        self.start_worker()
        self.until(partial(self._ready, self._ingress_port), "ingress is ready", 60)

    def start_worker(self, seconds: float = 60) -> None:
        """Until it is ready."""
        self.worker = self._process("worker", "app.cli", "worker", "--config", str(self._folder / "shop.yaml"))
        self.until(partial(self._ready, self._ops_port), "worker is ready", seconds)

    def stop_worker(self) -> None:
        """In order; its disk is emptied."""
        self._running.remove(self.worker)
        self.worker.terminate()
        self.worker.wait(30)
        shutil.rmtree(self.data)

    def status(self) -> dict[str, Any]:
        """What the worker says of itself."""
        found: dict[str, Any] = self._client.get(f"http://127.0.0.1:{self._ops_port}/status").json()
        return found

    def _peers(self) -> dict[str, Any]:
        """Start them; how each is reached."""
        peers = self._process("peers", "bench.order_peers", str(len(self.skus)), str(STOCK), speaks=True)
        assert peers.stdout is not None
        connections: dict[str, Any] = json.loads(peers.stdout.readline())
        return connections

    def _configuration(self, peers: dict[str, Any]) -> dict[str, Any]:
        """The product's defaults, but for addresses, partitions, one replica, and shadow everywhere: peers are read, a little, and not written to."""
        stream = {
            "kafka_bootstrap": self._bootstrap,
            "kafka_topic": SOURCE,
            "kafka_security": {"security.protocol": "PLAINTEXT"},
        }
        return {
            "clarus": {**peers["clarus"], "mode": "shadow", "rate_per_second": 5},
            "channels": {"ct": {**peers["ct"], **stream, "mode": "shadow"}, "bc": {**peers["bc"], "mode": "shadow"}},
            "warehouses": [WAREHOUSE],
            "products": [{"sku": sku, "channels": {"ct": sku, "bc": sku}} for sku in self.skus],
            "settings": {
                "kafka": {"bootstrap": self._bootstrap, "partitions": self._partitions, "replication": 1},
                "engine": {"data_dir": str(self.data)},
                "ingress": {"port": self._ingress_port},
                "ops": {"port": self._ops_port},
            },
        }

    def _process(self, name: str, module: str, *arguments: str, speaks: bool = False) -> "subprocess.Popen[bytes]":
        """Start it; one that `speaks` is heard on its standard output."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if speaks else log,
                stderr=log,
                env=clean_environment(),
            )
        self._running.append(process)
        return process

    def until(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for it. RuntimeError with the end of the worker's log where it takes longer, or a process ended."""
        deadline = time.monotonic() + seconds
        while not holds():
            ended = [str(process.args) for process in self._running if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                log = (self._folder / "worker.log").read_text()[-2_000:]
                raise RuntimeError(f"not within {seconds:g} s: {what}; ended: {ended or 'no process'}\n{log}")
            time.sleep(0.05)

    def _ready(self, port: int) -> bool:
        try:
            return self._client.get(f"http://127.0.0.1:{port}/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """End all of them."""
        self._client.close()
        for process in reversed(self._running):
            stop(process)
