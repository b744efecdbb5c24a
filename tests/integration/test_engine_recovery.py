import asyncio
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer

from app.engine import clients, restore
from app.engine.restore import Restored, RestoreRound
from app.engine.store import StoreSet
from app.engine.topics import prepare
from tests.brokers import TestBroker
from tests.support.stream import (
    PARTITIONS,
    Feeder,
    config,
    eventually,
    make_topics,
    rows_of,
    running,
    summing_app,
)

pytestmark = pytest.mark.kafka


def feed(broker: TestBroker, count: int, keys: int) -> None:
    feeder = Feeder(broker)
    for number in range(count):
        feeder.put("in", f"k{number % keys}", 1)
    feeder.flush()


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
async def test_a_worker_that_was_away_reads_only_what_others_changed(
    kafka: TestBroker, tmp_path: Path, guarantee: str
) -> None:
    make_topics(kafka, "in", "out")
    feed(kafka, 300, keys=30)
    mine, other = (config(kafka, tmp_path, instance=name, guarantee=guarantee) for name in ("worker-0", "worker-1"))
    app, _ = summing_app(mine)
    async with running(app):
        await eventually(lambda: app.stats.records == 300, "300 records are committed")
    app, _ = summing_app(other)
    async with running(app):
        assert app.stats.restored_rows >= 30
        feed(kafka, 5, keys=5)
        await eventually(lambda: app.stats.records == 5, "5 more are committed")
    app, tallies = summing_app(mine)
    async with running(app):
        assert app.stats.restored_rows == 5
        rows = await rows_of(app, tallies)
    assert {key: row.count for key, row in rows.items()} == {
        f"k{number}": 11 if number < 5 else 10 for number in range(30)
    }


async def test_a_bulk_restore_that_is_stopped_goes_on_where_it_was(
    kafka: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(kafka, "in", "out")
    settings = config(kafka, tmp_path)
    feed(kafka, 6_000, keys=6_000)
    app, tallies = summing_app(settings, out=None)
    async with running(app):
        await eventually(lambda: app.stats.records == 6_000, "6,000 records are committed")
        expected = {tallies.key(key): tallies.encode(row) for key, row in (await rows_of(app, tallies)).items()}
    source = prepare(settings, [kafka.prefix + "in"])
    stores = StoreSet("rocksdict", tmp_path / "fresh")
    stores.open()
    monkeypatch.setattr(restore, "_CHUNK", 100)
    finished: list[Restored] = []

    def restoring(report: list[Restored], after: RestoreRound | None) -> RestoreRound:
        return RestoreRound(settings, stores, source, [kafka.prefix + "in"], range(PARTITIONS), report.append, after)

    def stop_early(reading: object) -> None:
        if sum(one.rows for one in first.progress.values()) > 500:
            first.cancel()

    early: list[Restored] = []
    first = restoring(early, None)
    monkeypatch.setattr(first, "_log_progress", stop_early)
    await asyncio.to_thread(first.run)
    second = restoring(finished, first)
    await asyncio.to_thread(second.run)
    before, after = (sum(one.rows for one in made.progress.values()) for made in (first, second))
    found = {key: value for number in range(PARTITIONS) for key, value in stores.get(number).scan(tallies.prefix)}
    stores.close()
    assert found == expected
    assert 0 < before < 6_000
    assert before + after == 6_000
    assert sorted(one.partition for one in (*early, *finished)) == list(range(PARTITIONS))


async def test_a_dead_predecessors_open_transaction_is_ended_at_once(kafka: TestBroker, tmp_path: Path) -> None:
    make_topics(kafka, "in", "out")
    feed(kafka, 100, keys=10)
    gone = config(kafka, tmp_path, instance="gone")
    app, _ = summing_app(gone)
    async with running(app):
        await eventually(lambda: app.stats.records == 100, "100 records are committed")
    dead = Producer({**clients.transactional_producer(gone, gone.transactional_id), "transaction.timeout.ms": 600_000})
    dead.init_transactions(30)
    dead.begin_transaction()
    for partition in range(PARTITIONS):
        dead.produce(gone.state_topic, b"\x93\x63\x63\x63", b"tallies\x00k0", partition=partition)
    dead.flush(30)
    app, tallies = summing_app(config(kafka, tmp_path))
    async with running(app):
        rows = await rows_of(app, tallies)
    assert {key: row.count for key, row in rows.items()} == {f"k{number}": 10 for number in range(10)}
    with pytest.raises(KafkaException):
        dead.commit_transaction(30)
