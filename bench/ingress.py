"""Webhooks made durable by one ingress process: how many a second, how soon answered, and whether what was answered is there after kill -9."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, TopicPartition

from app import topics
from app.config import load
from app.ports import free_port
from bench.harness import Options, Plot, Report, Table, Target, Usage, kafka, median_range, percentile, usage
from bench.posting import KEY, STORE
from schemas.catalogue import INGRESS_WEBHOOKS
from schemas.codec import Codecs

TITLE = "Webhooks made durable by one ingress process"
_PARTITIONS = 8
_KILLS = 10


class Ingress:
    """`clarus-stream ingress` as a process, for one BigCommerce channel."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.port = free_port()
        self._config = folder / "shop.yaml"
        self._config.write_text(
            f"channels: {{bc: {{system: bigcommerce, store_hash: {STORE}, client_secret: {KEY.decode()}}}}}\n"
            f"settings:\n  kafka: {{bootstrap: '{bootstrap}', partitions: {_PARTITIONS}, replication: 1}}\n"
            f"  ingress: {{port: {self.port}}}\n"
        )
        made = topics.ensure(load(self._config, {}).settings)
        assert made.ok, made
        self._log = (folder / "ingress.log").open("ab")

    def start(self) -> None:
        """Until it is ready."""
        command = [sys.executable, "-m", "app.cli", "ingress", "--config", str(self._config)]
        self.process = subprocess.Popen(command, stderr=self._log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=1, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise TimeoutError("ingress was not ready within 30 s")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def usage(self) -> Usage:
        return usage(self.process.pid)


def post(port: int, seconds: float, connections: int, rate: float, first: int) -> "subprocess.Popen[bytes]":
    """Start posting (see `bench.posting`)."""
    arguments = [str(x) for x in (port, seconds, connections, rate, first)]
    return subprocess.Popen([sys.executable, "-m", "bench.posting", *arguments], stdout=subprocess.PIPE)


def result(posting: "subprocess.Popen[bytes]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(posting.communicate()[0])
    return found


def durable(bootstrap: str) -> set[int]:
    """Orders whose notification a reader of the topic sees."""
    codec = Codecs()[INGRESS_WEBHOOKS]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    try:
        places = [TopicPartition(INGRESS_WEBHOOKS.name, p, 0) for p in range(_PARTITIONS)]
        left = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
        consumer.assign(places)
        found: set[int] = set()
        while left:
            messages = consumer.consume(10_000, 10)
            assert messages, "the end of the topic was not reached"
            left -= len(messages)
            found.update(json.loads(codec.decode(m.value()).body.body)["data"]["id"] for m in messages)
        return found
    finally:
        consumer.close()


def run(options: Options) -> Report:
    """Rounds at full speed and at 1,500 a second, then kills."""
    seconds = 3 if options.quick else 15
    table = Table("Rounds", ["load", "durable/s", "p50 ms", "p99 ms", "CPU of ingress, µs each", "RSS MB"], [])
    fast: list[float] = []
    paced: list[float] = []
    with kafka(options) as server:
        ingress = Ingress(options.folder, server.bootstrap)
        ingress.start()
        first = 1
        for name, rate, kept in (("as fast as answered", 0, fast), ("1,500/s offered", 1500, paced)) * options.rounds:
            before = ingress.usage()
            found = result(post(ingress.port, seconds, 64, rate, first))
            after = ingress.usage()
            first += 1_000_000
            count, latencies = len(found["answered"]), found["latencies"]
            assert not found["refused"], found["refused"]
            p99 = percentile(latencies, 0.99)
            kept.append(count / found["seconds"] if not rate else p99)
            table.rows.append(
                [
                    name,
                    f"{count / found['seconds']:,.0f}",
                    f"{percentile(latencies, 0.5):.1f}",
                    f"{p99:.1f}",
                    f"{(after.cpu - before.cpu) / count * 1e6:.0f}",
                    f"{after.rss / 2**20:.0f}",
                ]
            )
            print(*table.rows[-1], sep="  ", flush=True)
        lost, answered = _kills(options, ingress, first)
        ingress.kill()
        missing = answered - durable(server.bootstrap)
    return Report(
        "How many webhooks does one ingress process make durable in Apache Kafka (acks=all, signed BigCommerce webhooks, 64 connections), and does kill -9 "
        "lose one that was answered 200?",
        [
            Target("webhooks made durable", ">= 1,500/s", f"{median_range(fast, 0)}/s", min(fast) >= 1500),
            Target("answer at 1,500/s offered", "p99 shown", f"p99 {median_range(paced)} ms", None),
            Target(
                f"lost on {options.scaled(_KILLS)} x kill -9",
                "0",
                f"{len(missing)} of {len(answered):,} answered",
                not missing,
            ),
        ],
        [table],
        [Plot("Webhooks made durable", "per second", [("one ingress process", *_spread(fast))])],
        [
            f"The load generator shares the two cores with ingress and the broker. In the kills {lost:,} posts were not answered; a peer posts them again, "
            "here nobody did: they may be durable or not, and count for nothing."
        ],
    )


def _spread(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[0], ordered[-1]


def _kills(options: Options, ingress: Ingress, first: int) -> tuple[int, set[int]]:
    """Kill under full load at random moments. Posts without an answer, and orders whose post was answered 200."""
    rng = random.Random(7)
    unanswered, answered = 0, set[int]()
    for number in range(options.scaled(_KILLS)):
        posting = post(ingress.port, 3, 64, 0, first + number * 100_000)
        time.sleep(rng.uniform(0.8, 2.5))
        ingress.kill()
        found = result(posting)
        unanswered += found["refused"]
        answered.update(found["answered"])
        ingress.start()
    return unanswered, answered
