"""From producing a record to seeing its effect as a read_committed consumer, at a steady 5,000 events/s and 25 ms commits, beside Kafka Streams."""

import random
import statistics
import threading
import time
from collections import defaultdict, deque
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from bench import job, runners
from bench.harness import Options, Plot, Report, Rounds, Table, Target, kafka, median_range, percentile, usage

TITLE = "Engine latency"
RATE = 5_000
COMMIT_MS = 25
_OURS, _STREAMS = "this engine", "Kafka Streams"
_WARM_S, _MEASURE_S, _SETTLE_S = 6.0, 12.0, 20.0


class Traffic:
    """Feeds movements at a steady rate and watches the outputs, with one clock. The outputs' versions tell which movements an output covers."""

    def __init__(self, bootstrap: str, source: str, out: str, rate: int) -> None:
        self._bootstrap, self._source, self._out, self._rate = bootstrap, source, out, rate
        self._sent_at: dict[bytes, deque[float]] = defaultdict(deque)
        self._versions: dict[bytes, int] = defaultdict(int)
        self._feeding, self._watching = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._watch, self._feed)]
        self.sent = self.seen = self.repeated = 0
        self.latencies: list[tuple[float, float]] = []
        """When it was seen, and how long it took."""

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _feed(self) -> None:
        chance = random.Random(7)
        producer = job.producer(self._bootstrap, linger_ms=1)
        began = time.perf_counter()
        while not self._feeding.wait(0.001):
            due = int((time.perf_counter() - began) * self._rate)
            while self.sent < due:
                name = job.sku(int(job.SKUS * chance.random() ** 2))
                key, value = name.encode(), job.movement(self.sent, name, chance)
                self._sent_at[key].append(time.perf_counter())
                producer.produce(self._source, value, key)
                self.sent += 1
            producer.poll(0)
        assert producer.flush(30) == 0

    def _watch(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": f"{self._out}-watch",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
            }
        )
        consumer.assign([TopicPartition(self._out, partition, 0) for partition in range(job.PARTITIONS)])
        while not self._watching.is_set():
            first = consumer.poll(0.2)
            if first is not None:
                self._note([first, *consumer.consume(5_000, 0)])
        consumer.close()

    def _note(self, messages: list[Any]) -> None:
        now = time.perf_counter()
        for message in messages:
            if message.error() is not None:
                continue
            key = message.key()
            version = job.version(message.value())
            known = self._versions[key]
            if version <= known:
                self.repeated += 1
                continue
            waiting = self._sent_at[key]
            self.latencies.extend((now, now - waiting.popleft()) for _ in range(version - known))
            self._versions[key] = version
            self.seen += version - known

    def until_first_output(self) -> None:
        deadline = time.monotonic() + 60
        while not self.seen:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing came out at {self._out} within a minute")
            time.sleep(0.02)

    def finish(self) -> None:
        """Wait for what is under way. RuntimeError where something was lost or came twice."""
        self._feeding.set()
        self._threads[1].join()
        deadline = time.monotonic() + _SETTLE_S
        while self.seen < self.sent and time.monotonic() < deadline:
            time.sleep(0.05)
        self._watching.set()
        self._threads[0].join()
        if self.seen != self.sent or self.repeated:
            raise RuntimeError(f"{self.sent} movements, {self.seen} seen, {self.repeated} outputs with an old version")


def run(options: Options) -> Report:
    programs = runners.Programs()
    commands = {
        _OURS: lambda task: programs.python("engine_worker", task),
        _STREAMS: lambda task: programs.kafka_streams(task),
    }
    middle, high, cores = Rounds(), Rounds(), Rounds()
    measure = _MEASURE_S / 3 if options.quick else _MEASURE_S
    with kafka(options) as server:
        for number in range(options.rounds):
            for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
                run = f"l{number}-{'ours' if name == _OURS else 'streams'}"
                task = job.Task(server.bootstrap, f"{run}-in", run, 0, COMMIT_MS, str(options.folder / run))
                job.make_topics(server.bootstrap, task.source, task.out)
                if name == _STREAMS:
                    job.make_topics(server.bootstrap, f"{run}-stock-changelog", compacted=True)
                process = runners.start(commands[name](task), options.folder / f"{run}.log")
                try:
                    traffic = Traffic(server.bootstrap, task.source, task.out, RATE)
                    traffic.start()
                    traffic.until_first_output()
                    time.sleep(_WARM_S)
                    begin, before = time.perf_counter(), usage(process.pid).cpu
                    time.sleep(measure)
                    end, after = time.perf_counter(), usage(process.pid).cpu
                    traffic.finish()
                finally:
                    runners.stop(process)
                found = [took for seen, took in traffic.latencies if begin <= seen <= end]
                middle.add(name, percentile(found, 0.5) * 1000)
                high.add(name, percentile(found, 0.99) * 1000)
                cores.add(name, (after - before) / (end - begin))
                job.drop_topics(server.bootstrap, run + "-")
                print(
                    f"round {number + 1}: {name}: p50 {middle.values[name][-1]:.1f} ms, p99 {high.values[name][-1]:.1f} ms, "
                    f"{cores.values[name][-1]:.2f} cores",
                    flush=True,
                )
    return _report(middle, high, cores)


def _report(middle: Rounds, high: Rounds, cores: Rounds) -> Report:
    rows = [
        [
            name,
            median_range(middle.values[name], 1),
            median_range(high.values[name], 1),
            median_range(cores.values[name], 2),
        ]
        for name in (_OURS, _STREAMS)
    ]
    targets = []
    for what, rounds, bound in (("p99", high, 1.0), ("cores", cores, 0.5)):
        ratios = rounds.ratios(_OURS, _STREAMS)
        reached = statistics.median(ratios) <= bound
        targets.append(Target(f"{what}: ours / Kafka Streams", f"<= {bound:g} x", median_range(ratios, 2), reached))
    bars = [
        (name, statistics.median(values), min(values), max(values))
        for name, values in (
            (f"{name} {what}", rounds.values[name])
            for what, rounds in (("p50", middle), ("p99", high))
            for name in rounds.values
        )
    ]
    return Report(
        f"How long from producing a record until its effect is visible to a read_committed consumer, at {RATE:,} events/s and {COMMIT_MS} ms commits?",
        targets,
        [Table("", ["contender", "p50 ms", "p99 ms", "cores"], rows)],
        [Plot("Latency", "ms", bars)],
        [
            f"Each contender runs alone: {_WARM_S:g} s from its first output to warm up, then {_MEASURE_S:g} s measured. Every output is matched to the "
            "movements it covers by the row's version, so a lost or repeated one fails the run. Kafka Streams: exactly_once_v2, one thread, the JVM's default "
            "JIT. Cores: CPU of the process by time.",
        ],
    )
