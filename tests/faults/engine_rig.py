"""The rig of the engine's fault tests: a feeder at a steady rate, worker processes, and the exactness check against a model fold."""

import asyncio
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from app.engine import EngineConfig
from tests.brokers import TestBroker
from tests.faults.engine_worker import build
from tests.support.stream import PARTITIONS, config, make_topics, read_all, rows_of, running

TOPICS = ("in", "mid", "out", "told", "ticked")
_CHECKOUT = Path(__file__).parent.parent.parent


class Feed:
    """Writes numbers to `in` at a steady rate until it is stopped."""

    def __init__(self, broker: TestBroker, rate: int = 500, keys: int = 200) -> None:
        self._topic, self._rate, self._keys = broker.prefix + "in", rate, keys
        self._random = random.Random(1)
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": broker.kind != "bundled",
                "delivery.timeout.ms": 120_000,
                "linger.ms": 5,
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def start(self) -> "Feed":
        self._thread.start()
        return self

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(0.01):
            due = int((time.monotonic() - began) * self._rate)
            while self.sent < due:
                key = b"k%d" % self._random.randrange(self._keys)
                self._producer.produce(self._topic, b"%d" % self._random.randrange(100), key)
                self.sent += 1
            self._producer.poll(0)

    def stop(self) -> int:
        """How many records are on the topic now."""
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(120) == 0
        return self.sent


class Worker:
    """One worker process."""

    def __init__(self, settings: EngineConfig, log: Path) -> None:
        self._log = log
        given = {**dataclasses.asdict(settings), "data_dir": str(settings.data_dir)}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.engine_worker", json.dumps(given)],
                cwd=_CHECKOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.owned: set[int] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "ready" in said:
                self.owned.add(said["ready"])
            else:
                self.owned.discard(said["lost"])
        self.owned.clear()

    def send(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def terminate(self) -> int:
        """In order; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.kill()

    def log(self) -> str:
        return self._log.read_text()


class Rig:
    """Everything of one test. Workers that still run at the end are killed."""

    def __init__(self, broker: TestBroker, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.workers: list[Worker] = []
        make_topics(broker, *TOPICS)

    def settings(self, instance: str = "worker-0", **changes: Any) -> EngineConfig:
        return config(self.broker, self.folder / "data", instance=instance, **changes)

    def worker(self, instance: str = "worker-0") -> Worker:
        worker = Worker(self.settings(instance), self.folder / f"{instance}.log")
        self.workers.append(worker)
        return worker

    def wipe(self, instance: str = "worker-0") -> None:
        shutil.rmtree(self.settings(instance).directory, ignore_errors=True)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.logs()}")
            time.sleep(0.02)

    def until_caught_up(self, sent: int, seconds: float = 60) -> None:
        """Every record has come out at the other end, at least once."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": f"{self.broker.prefix}watch",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        consumer.assign([TopicPartition(self.broker.prefix + "out", partition, 0) for partition in range(PARTITIONS)])
        seen: set[tuple[bytes, bytes]] = set()

        def all_seen() -> bool:
            seen.update((m.key(), m.value()) for m in consumer.consume(10_000, 0.1) if m.error() is None)
            return len(seen) >= sent

        try:
            self.until(all_seen, f"{sent} records come out", seconds)
        finally:
            consumer.close()

    def logs(self) -> str:
        """The end of every log, with what the threads of a running worker are doing."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.send(signal.SIGUSR1)
        time.sleep(0.5)
        return "\n".join(worker.log()[-3_000:] for worker in self.workers)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()

    def check(self, sent: int, *, once: bool) -> None:
        """Rows as restored on a fresh disk, and every record told, against a fold of what was fed. `once`: no record twice."""
        fed = read_all(self.broker, "in")
        assert len(fed) == sent
        counts, totals = Counter[str](), Counter[str]()
        for message in fed:
            counts[message.key().decode()] += 1
            totals[message.key().decode()] += int(message.value())
        rows = asyncio.run(self._rows(sent))
        assert {key: (row.count, row.total) for key, row in rows["first"].items()} == {
            key: (counts[key], totals[key]) for key in counts
        }
        if once:
            assert {key: (row.count, row.total) for key, row in rows["second"].items()} == {
                key: (counts[key], totals[key]) for key in counts
            }
        self._told("out", counts, once)
        for table, topic in (("submitted", "told"), ("ticks", "ticked")):
            told = {key: row.count for key, row in rows[table].items()}
            assert set(told) == {f"p{partition}" for partition in range(PARTITIONS)}
            self._told(topic, Counter(told), once)

    def _told(self, topic: str, counts: Counter[str], once: bool) -> None:
        """Per key the numbers 1..n are there: each exactly once and in order, or each at least once."""
        told: dict[str, list[int]] = {}
        for message in read_all(self.broker, topic):
            told.setdefault(message.key().decode(), []).append(int(message.value()))
        if once:
            assert told == {key: list(range(1, n + 1)) for key, n in counts.items()}, topic
        else:
            for key, n in counts.items():
                assert set(told[key]) >= set(range(1, n + 1)), f"{topic}: numbers of {key} are missing"

    async def _rows(self, sent: int) -> dict[str, dict[str, Any]]:
        """Through the product's own restore, with an empty disk and nothing running on top."""
        app, tables = build(self.settings(store="memory"), ticking=False)
        async with running(app):
            folded = 0
            while folded < sent:
                folded = sum(row.count for row in (await rows_of(app, tables["first"])).values())
            return {name: await rows_of(app, table) for name, table in tables.items()}
