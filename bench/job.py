"""The one job of the engine's contenders: stock movements in, one row per SKU, its availability out. Rules, records and the input; no contender is here.

Every contender decodes and encodes Avro with the same library calls and applies `apply`; what differs is everything around it. Imports what every
contender's environment has: fastavro, and confluent-kafka only where records are made or checked.
"""

import io
import json
import os
import random
import resource
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro

PARTITIONS = 4
SKUS = 20_000
MOVEMENT: Any = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Movement",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "sku", "type": "string"},
            {"name": "qty", "type": "int"},
            {
                "name": "kind",
                "type": {"type": "enum", "name": "Kind", "symbols": ["RECEIPT", "ORDER", "CANCEL", "PICK"]},
            },
            {"name": "seq", "type": "long"},
            {"name": "ts", "type": "long"},
        ],
    }
)
AVAILABILITY: Any = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Availability",
        "fields": [
            {"name": "sku", "type": "string"},
            {"name": "ats", "type": "int"},
            {"name": "version", "type": "long"},
            {"name": "ts", "type": "long"},
        ],
    }
)
_MOVEMENTS: Any = fastavro.parse_schema({"type": "array", "items": MOVEMENT})
_KINDS = ("RECEIPT", "ORDER", "CANCEL", "PICK")
HEADERS = {"source": "bench", "correlation_id": "0d9f7a34-5c1e-4b6e-9d54-0f7f3f6f2a11"}
"""On every output where a contender runs with headers."""
ROW = struct.Struct(">iiqq")
"""A row as bytes where a contender has no codec of its own: on hand, demand, version, last offset applied."""
Fields = list[int]
"""The same as a list."""


def decode(value: bytes) -> dict[str, Any]:
    movement: dict[str, Any] = fastavro.schemaless_reader(io.BytesIO(value), MOVEMENT, None)
    return movement


def decode_all(values: Sequence[bytes]) -> list[dict[str, Any]]:
    """Many records by one call: their bodies in a row are one block of an Avro array."""
    zigzag, count = len(values) << 1, bytearray()
    while zigzag >= 128:
        count.append((zigzag & 127) | 128)
        zigzag >>= 7
    count.append(zigzag)
    body = io.BytesIO(b"".join((bytes(count), *values, b"\0")))
    movements: list[dict[str, Any]] = fastavro.schemaless_reader(body, _MOVEMENTS, None)
    return movements


def version(value: bytes) -> int:
    """Of an output record: how many movements its row has seen."""
    found: int = fastavro.schemaless_reader(io.BytesIO(value), AVAILABILITY, None)["version"]
    return found


def encode(sku: str, on_hand: int, demand: int, version: int) -> bytes:
    """The output record of a row."""
    out = io.BytesIO()
    ats = max(0, on_hand - demand)
    fastavro.schemaless_writer(out, AVAILABILITY, {"sku": sku, "ats": ats, "version": version, "ts": 0})
    return out.getvalue()


def apply(row: Fields, movement: dict[str, Any], offset: int) -> None:
    """One movement into its row."""
    quantity, kind = movement["qty"], movement["kind"]
    if kind == "RECEIPT":
        row[0] += quantity
    elif kind == "ORDER":
        row[1] += quantity
    elif kind == "CANCEL":
        row[1] -= quantity
    else:
        row[0] -= quantity
        row[1] -= quantity
    row[2] += 1
    row[3] = offset


def movement(number: int, sku: str, chance: random.Random) -> bytes:
    """One input record."""
    out = io.BytesIO()
    fields = {
        "event_id": f"e{number}",
        "sku": sku,
        "qty": chance.randrange(1, 5),
        "kind": _KINDS[chance.randrange(4)],
        "seq": number,
        "ts": 1_700_000_000_000 + number,
    }
    fastavro.schemaless_writer(out, MOVEMENT, fields)
    return out.getvalue()


def sku(number: int) -> str:
    return f"SKU-{number:06d}"


# the input, and the check of a result -----------------------------------------------------------------------------------------------------------------


def make_topics(bootstrap: str, *names: str, compacted: bool = False) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    settings = {"cleanup.policy": "compact"} if compacted else {}
    topics = [NewTopic(name, PARTITIONS, 1, config=settings) for name in names]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(topics).values():
        future.result(30)


def drop_topics(bootstrap: str, prefix: str) -> None:
    """All topics whose name begins so, so that a long run does not fill the disk."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": bootstrap})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    if names:
        for future in admin.delete_topics(names).values():
            future.result(30)


def producer(bootstrap: str, linger_ms: int = 20) -> Any:
    from confluent_kafka import Producer

    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def feed(bootstrap: str, topic: str, count: int, seed: int = 1) -> dict[bytes, Fields]:
    """Write `count` movements (few SKUs sell most) and return the rows they make."""
    make_topics(bootstrap, topic)
    chance = random.Random(seed)
    weights = [1.0 / (number + 10) ** 0.8 for number in range(SKUS)]
    names = [sku(number) for number in range(SKUS)]
    rows: dict[bytes, Fields] = {}
    writer = producer(bootstrap)
    for number, name in enumerate(chance.choices(names, weights, k=count)):
        value, key = movement(number, name, chance), name.encode()
        apply(rows.setdefault(key, [0, 0, 0, -1]), decode(value), 0)
        while True:
            try:
                writer.produce(topic, value, key)
                break
            except BufferError:
                writer.poll(0.1)
        if number % 10_000 == 0:
            writer.poll(0)
    assert writer.flush(120) == 0
    return rows


def read_committed(bootstrap: str, topic: str) -> Iterable[Any]:
    """Every committed message of a topic."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-check",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    ended: set[int] = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(50_000, 0.5):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise RuntimeError(f"{topic}: {error}")
    consumer.close()


def check(bootstrap: str, topic: str, rows: dict[bytes, Fields], *, headers: bool) -> int:
    """The last output of every SKU must say what the input makes of it. Returns the number of outputs."""
    last: dict[bytes, Any] = {}
    count = 0
    for message in read_committed(bootstrap, topic):
        last[message.key()] = message
        count += 1
    wrong = [
        key
        for key, (on_hand, demand, version, _) in rows.items()
        if key not in last or last[key].value() != encode(key.decode(), on_hand, demand, version)
    ]
    bare = [key for key, message in last.items() if headers and len(message.headers() or ()) != len(HEADERS)]
    if wrong or bare or last.keys() != rows.keys():
        raise RuntimeError(
            f"{topic}: {len(wrong)} of {len(rows)} SKUs are wrong ({wrong[:3]}), {len(bare)} without headers, {len(last.keys() - rows.keys())} unknown"
        )
    return count


# what a contender is told, and what it says ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is told, as JSON on its command line. `count` 0: run until SIGTERM."""

    bootstrap: str
    source: str
    run: str
    """Prefix of the contender's topics, group and folder."""
    count: int
    commit_ms: int
    folder: str
    headers: bool = False
    store: str = "rocksdict"
    batch_decode: bool = False

    @property
    def out(self) -> str:
        return f"{self.run}-out"

    @classmethod
    def given(cls) -> "Task":
        return cls(**json.loads(sys.argv[1]))


def cpu_seconds() -> float:
    """User and system time of this process, all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Stopwatch:
    """Started with the first record, ended when everything is committed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun: tuple[float, float] | None = None

    def start(self) -> None:
        if self._begun is None:
            self._begun = time.perf_counter(), cpu_seconds()

    def done(self) -> None:
        """Say the result, and end the process at once."""
        assert self._begun is not None
        seconds, cpu = time.perf_counter() - self._begun[0], cpu_seconds() - self._begun[1]
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak = int(status["VmHWM"].split()[0]) << 10
        sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}) + "\n")
        sys.stdout.flush()
        os._exit(0)
