"""Helpers around a running engine: topics with records, a worker in this process, and everything a topic holds."""

import asyncio
import faulthandler
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from app.engine import EngineApp, EngineConfig, create_app
from tests.brokers import TestBroker

PARTITIONS = 3


class Tally(msgspec.Struct):
    """A row that shows what was folded: how many records, their sum, and the last one's offset."""

    count: int = 0
    total: int = 0
    last: int = -1


def config(broker: TestBroker, folder: Path, **changes: Any) -> EngineConfig:
    """Settings for this broker, quick to find out about lost workers."""
    bundled = broker.kind == "bundled"
    base = EngineConfig(
        bootstrap=broker.bootstrap,
        topic_prefix=broker.prefix,
        partitions=PARTITIONS,
        guarantee="at_least_once" if bundled else "exactly_once",
        data_dir=folder,
        session_timeout_ms=2_000 if bundled else 6_000,
        broker_wait_ms=10_000,
    )
    return replace(base, **changes)


def make_topics(broker: TestBroker, *names: str, partitions: int = PARTITIONS) -> None:
    """Topics by their logical names."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.create_topics([NewTopic(broker.prefix + name, partitions, 1) for name in names]).values():
        future.result(30)


class Feeder:
    """Writes to source topics."""

    def __init__(self, broker: TestBroker) -> None:
        self._prefix = broker.prefix
        self._producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        )

    def put(
        self, topic: str, key: str, value: bytes | int, headers: Mapping[str, bytes] | None = None, **options: Any
    ) -> None:
        encoded = value if isinstance(value, bytes) else b"%d" % value
        self._producer.produce(
            self._prefix + topic, encoded, key.encode(), headers=dict(headers) if headers else None, **options
        )

    def flush(self) -> None:
        assert self._producer.flush(30) == 0


def read_all(broker: TestBroker, topic: str, partitions: int = PARTITIONS) -> list[Any]:
    """Every committed record of a topic, by partition and offset."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": f"{broker.prefix}reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(broker.prefix + topic, partition, 0) for partition in range(partitions)])
    messages, ended = [], set()
    deadline = time.monotonic() + 60
    while len(ended) < partitions:
        assert time.monotonic() < deadline, f"the end of {topic} was not reached"
        for message in consumer.consume(10_000, 0.1):
            error = message.error()
            if error is None:
                messages.append(message)
                ended.discard(message.partition())
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise AssertionError(error)
    consumer.close()
    return sorted(messages, key=lambda message: (message.partition(), message.offset()))


async def eventually(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            faulthandler.dump_traceback()
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)


def summing_app(settings: EngineConfig, source: str = "in", out: str | None = "out") -> tuple[EngineApp, Any]:
    """An app that tallies `source` by key, and sends every new total to `out`."""
    app = create_app(settings)
    tallies = app.Table("tallies", row=Tally)

    @app.agent(app.topic(source), name=f"tally-{source}")
    async def tally(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    fold(batch, tallies, record, out)

    return app, tallies


def fold(batch: Any, tallies: Any, record: Any, out: str | None) -> None:
    """One record into its row."""
    key = record.key.decode()
    row = batch.get(tallies, key) or Tally()
    assert record.offset > row.last, f"offset {record.offset} of {key} was folded twice"
    row.count += 1
    row.total += int(record.value)
    row.last = record.offset
    batch.put(tallies, key, row)
    if out is not None:
        batch.send(out, key, b"%d" % row.total)


@asynccontextmanager
async def running(app: EngineApp, partitions: int | None = PARTITIONS) -> AsyncIterator[EngineApp]:
    """The app, until it owns so many partitions (None: do not wait), and stopped afterwards."""
    await app.start()
    try:
        if partitions is not None:
            await eventually(
                lambda: app.failure is not None or len(app.owned) == partitions, f"{partitions} partitions run"
            )
            if app.failure is not None:
                raise app.failure
        yield app
    finally:
        await app.stop()


async def rows_of(app: EngineApp, table: Any) -> dict[str, Any]:
    """All rows of a table in the partitions owned here."""
    rows: dict[str, Any] = {}
    for partition in sorted(app.owned):
        await app.submit(partition, lambda context: rows.update(context.scan(table)))
    return rows
