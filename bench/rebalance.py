"""Two workers, one of which leaves in order, dies or freezes: how long a partition is silent, and whether every record counts exactly once."""

import signal
import statistics
import threading
import time
from collections.abc import Callable
from itertools import pairwise

from confluent_kafka import Consumer, TopicPartition

from bench.harness import Options, Plot, Report, Rounds, Table, Target, kafka, median_range
from tests.brokers import TestBroker, random_prefix
from tests.faults.engine_rig import Feed, Rig, Worker
from tests.support.stream import PARTITIONS

TITLE = "Rebalance"
RUNS = 20
_WAYS = ("SIGTERM", "SIGKILL", "frozen", "SIGTERM", "SIGKILL")
"""Which way a worker goes, run after run."""


class Silence:
    """Watches the last topic of the job as a read_committed consumer does: when something came, partition by partition."""

    def __init__(self, broker: TestBroker) -> None:
        self._broker = broker
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._came: dict[int, list[float]] = {partition: [] for partition in range(PARTITIONS)}

    def start(self) -> "Silence":
        self._thread.start()
        return self

    def _watch(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._broker.bootstrap,
                "group.id": f"{self._broker.prefix}silence",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        topic = self._broker.prefix + "out"
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        while not self._stopped.is_set():
            messages = consumer.consume(1_000, 0.02)
            now = time.monotonic()
            for partition in {message.partition() for message in messages if message.error() is None}:
                self._came[partition].append(now)
        consumer.close()

    def longest(self, begin: float) -> float:
        """The longest silence of any partition from `begin` until now."""
        self._stopped.set()
        self._thread.join()
        now = time.monotonic()
        times = [[begin, *(one for one in came if one >= begin), now] for came in self._came.values()]
        return max(later - earlier for came in times for earlier, later in pairwise(came))


def run(options: Options) -> Report:
    silences = Rounds()
    exact = 0
    runs = options.scaled(RUNS) + 1 if options.quick else RUNS
    with kafka(options) as server:
        for number in range(runs):
            how = _WAYS[number % len(_WAYS)]
            broker = TestBroker("maven", server.bootstrap, random_prefix(), server.stop)
            folder = options.folder / f"run-{number}"
            folder.mkdir()
            rig = Rig(broker, folder)
            try:
                silence = _one(rig, how)
                exact += 1
                silences.add(how, silence)
                print(f"run {number + 1} of {runs}: {how}: {silence:.2f} s silent, exact", flush=True)
            except AssertionError as error:
                print(f"run {number + 1} of {runs}: {how}: NOT EXACT: {str(error)[:2_000]}", flush=True)
            finally:
                rig.close()
    return _report(silences, exact, runs)


def _one(rig: Rig, how: str) -> float:
    """One run, checked. The seconds of silence; AssertionError where something was lost, doubled or stuck."""
    feed = Feed(rig.broker).start()
    first = rig.worker("worker-0")
    rig.until(lambda: len(first.owned) == PARTITIONS, "the first has all")
    second = rig.worker("worker-1")
    rig.until(lambda: bool(second.owned) and len(first.owned) + len(second.owned) == PARTITIONS, "both have some")
    time.sleep(1)
    watch = Silence(rig.broker).start()
    time.sleep(1)
    begin = time.monotonic()
    _GOES[how](rig, first, second)
    silence = watch.longest(begin)
    sent = feed.stop()
    rig.until_caught_up(sent)
    alive = [worker for worker in (first, second) if worker.process.poll() is None]
    assert [worker.terminate() for worker in alive] == [0] * len(alive)
    rig.check(sent, once=True)
    return silence


def _in_order(rig: Rig, first: Worker, second: Worker) -> None:
    """And long enough to see what the end of its session does."""
    second.send(signal.SIGTERM)
    _taken_over(rig, first)
    assert second.process.wait(30) == 0
    time.sleep(6)


def _at_once(rig: Rig, first: Worker, second: Worker) -> None:
    second.kill()
    _taken_over(rig, first)


def _frozen(rig: Rig, first: Worker, second: Worker) -> None:
    """Past its session, and awake again."""
    second.send(signal.SIGSTOP)
    _taken_over(rig, first)
    second.send(signal.SIGCONT)
    rig.until(
        lambda: (
            second.process.poll() == 70 or (bool(second.owned) and len(first.owned) + len(second.owned) == PARTITIONS)
        ),
        "the frozen one ended or joined again",
    )
    time.sleep(2)


def _taken_over(rig: Rig, other: Worker) -> None:
    rig.until(lambda: len(other.owned) == PARTITIONS, "the other has all")
    time.sleep(1)


_GOES: dict[str, Callable[[Rig, Worker, Worker], None]] = {
    "SIGTERM": _in_order,
    "SIGKILL": _at_once,
    "frozen": _frozen,
}


def _report(silences: Rounds, exact: int, runs: int) -> Report:
    values = silences.values
    targets = [Target("exact runs", f"{runs} of {runs}", f"{exact} of {runs}", exact == runs)]
    for how, found in values.items():
        must, reached = ("<= 1 s", max(found) <= 1.0) if how == "SIGTERM" else ("", None)
        targets.append(Target(f"longest silence of a partition, {how}, s", must, median_range(found, 2), reached))
    return Report(
        "Two workers share the partitions and one of them goes: how long does a partition stand still, and is every record counted exactly once?",
        targets,
        [
            Table(
                "",
                ["how", "runs", "longest silence, s"],
                [[h, str(len(v)), median_range(v, 2)] for h, v in values.items()],
            )
        ],
        [
            Plot(
                "Longest silence of a partition",
                "s",
                [(h, statistics.median(v), min(v), max(v)) for h, v in values.items()],
            )
        ],
        [
            "The job and its check are those of the fault tests: two agents in a row, submitted functions and ticks, 500 records/s; at the end rows and "
            "outputs are compared with a fold of the input, each number once and in order. Sessions of 6 s, static membership. Silence is what a "
            "read_committed consumer of the last topic sees from the signal on, until the leaver's session has ended too or the frozen worker is back.",
            "A worker that dies or freezes is missed when its session ends; one that leaves in order gives its partitions up before it goes.",
        ],
    )
