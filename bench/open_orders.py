"""Memory of a worker with a million open orders: rows of real orders, multiplied in the changelog, and a worker that takes them over with an empty disk."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from app.engine import partition_of
from app.topics import engine_config
from bench.harness import Options, Report, Table, Target, kafka, usage
from bench.order_alone import LivePeers
from bench.order_rig import SOURCE
from bench.order_traffic import Orders

TITLE = "A worker with a million open orders"
ORDERS, REAL = 1_000_000, 2_000
_PARTITIONS = 4
_PER_ORDER = 256
"""Bytes of the process: less than a name in a dictionary takes, so that it cannot hold one for each; indexes of the store grow a little."""
_LOOK_S = 30.0
_MARK = b"-8000-000000000000"
"""How the ids of the real orders end."""
_ORDERS_TABLE = b"orders\x00"


def run(options: Options) -> Report:
    """A worker on an empty disk three times: with the real orders, with half of the copies, with all."""
    copies = options.scaled(ORDERS) // REAL
    found: dict[int, dict[str, float]] = {}
    rows: Counter[str] = Counter()
    with kafka(options) as broker:
        rig = LivePeers(options.folder / "open", broker.bootstrap, REAL, _PARTITIONS)
        try:
            rig.start()
            _place(rig, broker.bootstrap)
            rig.until(lambda: rig.tell("clarus", do="count")[1] == REAL, f"{REAL:,} orders are at the warehouse", 120)
            time.sleep(5)
            real: list[tuple[int, bytes, bytes]] = []
            for first, last in ((1, 1), (1, copies // 2), (copies // 2, copies)):
                rig.stop_worker()
                real = real or list(_rows(broker.bootstrap, engine_config(rig.settings).state_topic))
                _multiply(rig, broker.bootstrap, real, range(first, last), rows)
                found[last * REAL] = _taken_over(rig)
        finally:
            rig.close()
    return _report(found, rows)


def _place(rig: LivePeers, bootstrap: str) -> None:
    """One paid order of each product."""
    orders, producer = Orders(), Producer({"bootstrap.servers": bootstrap})
    for sku in rig.skus:
        producer.produce(SOURCE, orders.next(sku, 1, True))
        producer.poll(0)
    producer.flush(30)


def _taken_over(rig: LivePeers) -> dict[str, float]:
    """A worker starts with an empty disk: seconds until it is ready, its memory when the owners have worked for a while, its disk."""
    began = time.perf_counter()
    rig.start_worker(600)
    ready = time.perf_counter() - began
    most = 0
    ended = time.monotonic() + _LOOK_S
    while time.monotonic() < ended:
        time.sleep(1)
        most = max(most, usage(rig.worker.pid).rss)
    now = usage(rig.worker.pid)
    disk = sum(path.stat().st_size for path in Path(rig.data).rglob("*") if path.is_file())
    print(
        f"ready after {ready:.1f} s, {now.rss >> 20} MB, at most {now.peak >> 20} MB, {disk >> 20} MB on disk",
        flush=True,
    )
    return {"ready": ready, "rss": most, "peak": now.peak, "disk": disk}


def _multiply(
    rig: LivePeers, bootstrap: str, real: Sequence[tuple[int, bytes, bytes]], numbers: range, rows: "Counter[str]"
) -> None:
    """Every row of a real order again under other ids; rows of an order lie where its key says, others where they are."""
    topic = engine_config(rig.settings).state_topic
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 50,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
        }
    )
    for copy in numbers:
        mark = b"-8000-%012x" % copy
        for partition, key, value in real:
            name = key.replace(_MARK, mark)
            if name.startswith(_ORDERS_TABLE):
                partition = partition_of(name.removeprefix(_ORDERS_TABLE).decode(), _PARTITIONS)
            while True:
                try:
                    producer.produce(topic, value.replace(_MARK, mark), name, partition=partition)
                    break
                except BufferError:
                    producer.poll(0.5)
            rows[key.partition(b"\x00")[0].decode()] += 1
    if producer.flush(120):
        raise RuntimeError("the broker did not take every row")


def _rows(bootstrap: str, topic: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and newest value of every row whose key names a real order."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "open-orders",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(_PARTITIONS)])
    newest: dict[tuple[int, bytes], bytes | None] = {}
    ended: set[int] = set()
    while len(ended) < _PARTITIONS:
        for message in consumer.consume(10_000, 1.0):
            error = message.error()
            if error is None:
                newest[message.partition(), message.key()] = message.value()
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    for (partition, key), value in newest.items():
        if value is not None and _MARK in key:
            yield partition, key, value


def _report(found: dict[int, dict[str, float]], rows: "Counter[str]") -> Report:
    (_, half), (many, whole) = sorted(found.items())[1:]
    added = many - sorted(found)[1]
    each = (whole["rss"] - half["rss"]) / added
    disk = (whole["disk"] - half["disk"]) / added
    table = Table(
        "A worker on an empty disk",
        ["open orders", "ready after s", "memory MB", "at most MB", "disk MB"],
        [
            [
                f"{count:,}",
                f"{one['ready']:.1f}",
                *(f"{one[what] / 2**20:,.0f}" for what in ("rss", "peak", "disk")),
            ]
            for count, one in sorted(found.items())
        ],
    )
    return Report(
        f"What does a worker hold in memory where {many:,} orders are at the warehouse and not over?",
        [
            Target(
                "memory per open order",
                f"at most {_PER_ORDER} bytes: it is in the store",
                f"{each:,.0f} bytes in memory, {disk:,.0f} on disk",
                each <= _PER_ORDER,
            )
        ],
        [table, Table("Rows of the copies", ["table", "rows"], [[name, f"{n:,}"] for name, n in rows.most_common()])],
        [],
        [
            f"{REAL:,} real orders of as many products go through the product to the warehouse, where they stay PENDING. Then every row that belongs to one of "
            "them is written to the changelog again under other order ids, and a worker with an empty disk takes all over. Memory is the most that the "
            f"process held while the owners worked for {_LOOK_S:g} s after it was ready; at most: while it restored. What an order takes is the difference "
            "between half and all of them: buffers and caches of the store and of the restore are filled by half already. The worker looks through the orders "
            "at the warehouse, 50 a second.",
        ],
    )
