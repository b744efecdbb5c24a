"""What the engine promises, on every broker it is promised for: the bundled one (`at_least_once`) and Apache Kafka (`exactly_once`)."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.engine import (
    BrokerUnavailable,
    DeadLetterLimit,
    EngineConfigError,
    OutputRefused,
    PartitionLost,
    PoisonBatch,
    create_app,
    partition_of,
)
from app.ports import free_port
from tests.brokers import TestBroker
from tests.support.stream import (
    PARTITIONS,
    Feeder,
    Tally,
    config,
    eventually,
    fold,
    make_topics,
    read_all,
    rows_of,
    running,
    summing_app,
)


def feed(broker: TestBroker, topic: str, count: int, keys: int = 20, start: int = 0) -> dict[str, Tally]:
    """Numbers by key, and the tallies they must lead to (without offsets)."""
    feeder = Feeder(broker)
    expected: dict[str, Tally] = {}
    for number in range(start, start + count):
        key = f"k{number % keys}"
        feeder.put(topic, key, number)
        row = expected.setdefault(key, Tally())
        row.count += 1
        row.total += number
    feeder.flush()
    return expected


def sums(rows: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {key: (row.count, row.total) for key, row in rows.items()}


async def test_every_record_is_folded_once_and_in_order(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    expected = feed(broker, "in", 2_000)
    app, tallies = summing_app(config(broker, tmp_path))
    async with running(app):
        await eventually(lambda: app.stats.records == 2_000, "2,000 records are committed")
        assert sums(await rows_of(app, tallies)) == sums(expected)
    totals: dict[bytes, list[int]] = {}
    for message in read_all(broker, "out"):
        totals.setdefault(message.key(), []).append(int(message.value()))
    assert {key.decode(): (len(seen), seen[-1]) for key, seen in totals.items()} == sums(expected)
    assert all(seen == sorted(seen) for seen in totals.values())


async def test_a_restart_on_the_same_disk_reads_no_state_and_no_input_again(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    expected = feed(broker, "in", 500)
    app, _ = summing_app(config(broker, tmp_path))
    async with running(app):
        await eventually(lambda: app.stats.records == 500, "500 records are committed")
    again, tallies = summing_app(config(broker, tmp_path))
    async with running(again):
        assert again.stats.restored_rows == 0
        assert sums(await rows_of(again, tallies)) == sums(expected)
        assert again.stats.records == 0


async def test_a_restart_on_a_fresh_disk_has_the_same_rows_and_goes_on(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    feed(broker, "in", 500)
    app, tallies = summing_app(config(broker, tmp_path))
    async with running(app):
        await eventually(lambda: app.stats.records == 500, "500 records are committed")
        before = await rows_of(app, tallies)
    shutil.rmtree(tmp_path)
    again, tallies = summing_app(config(broker, tmp_path))
    async with running(again):
        assert again.stats.restored_rows >= len(before)
        assert await rows_of(again, tallies) == before
        feed(broker, "in", 100, start=500)
        await eventually(lambda: again.stats.records == 100, "100 more records are committed")
        assert sum(row.count for row in (await rows_of(again, tallies)).values()) == 600


async def test_agents_feed_each_other_and_share_a_partitions_tables(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "first", "second", "out")
    app = create_app(config(broker, tmp_path))
    seen, doubled = app.Table("seen", row=Tally), app.Table("doubled", row=Tally)

    @app.agent(app.topic("first"))
    async def one(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    fold(batch, seen, record, None)
                    batch.send("second", record.key.decode(), b"%d" % (2 * int(record.value)), headers={"by": "one"})

    @app.agent(app.topic("second"))
    async def two(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    assert record.headers["by"] == b"one"
                    assert batch.get(seen, record.key.decode()) is not None
                    fold(batch, doubled, record, None)

    expected = feed(broker, "first", 300)
    async with running(app):
        await eventually(lambda: app.stats.records == 600, "both agents are done")
        first, second = await rows_of(app, seen), await rows_of(app, doubled)
    assert sums(first) == sums(expected)
    assert {key: (row.count, row.total) for key, row in second.items()} == {
        key: (row.count, 2 * row.total) for key, row in expected.items()
    }


async def test_submitted_functions_commit_rows_and_records_together(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app, tallies = summing_app(config(broker, tmp_path))

    def work(context: Any) -> None:
        context.put(tallies, f"mine-{context.partition}", Tally(1, 2, 3))
        context.put(tallies, "gone", Tally())
        context.delete(tallies, "gone")
        context.send("out", "x", b"told", partition=context.partition, headers={"kind": "note"})

    async with running(app):
        await asyncio.gather(*(app.submit(partition, work) for partition in app.owned))
    told = read_all(broker, "out")
    assert [(m.partition(), m.value(), dict(m.headers())) for m in told] == [
        (partition, b"told", {"kind": b"note"}) for partition in range(PARTITIONS)
    ]
    shutil.rmtree(tmp_path)
    again, tallies = summing_app(config(broker, tmp_path))
    async with running(again):
        rows = await rows_of(again, tallies)
    assert rows == {f"mine-{partition}": Tally(1, 2, 3) for partition in range(PARTITIONS)}


async def test_a_failing_function_fails_alone(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app, tallies = summing_app(config(broker, tmp_path))

    def good(context: Any) -> None:
        row = context.get(tallies, "shared") or Tally()
        row.count += 1
        context.put(tallies, "shared", row)

    def bad(context: Any) -> None:
        row = context.get(tallies, "shared")
        if row is not None:
            row.total = 99
        context.put(tallies, "bad", Tally())
        context.send("out", "bad", b"never")
        raise LookupError("mine alone")

    async with running(app):
        results = await asyncio.gather(
            app.submit(0, good), app.submit(0, bad), app.submit(0, good), return_exceptions=True
        )
        assert [type(result) for result in results] == [type(None), LookupError, type(None)]
        assert await rows_of(app, tallies) == {"shared": Tally(count=2)}
    assert read_all(broker, "out") == []


async def test_partitions_that_are_not_owned_refuse_work(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app, _ = summing_app(config(broker, tmp_path))
    ready: list[int] = []
    lost: list[int] = []
    app.on_partition_ready(ready.append)
    app.on_partition_lost(lost.append)
    async with running(app):
        assert sorted(ready) == list(range(PARTITIONS))
        with pytest.raises(PartitionLost):
            await app.submit(PARTITIONS, lambda context: None)
        assert app.health()["ready"]
        assert app.health()["live"]
    assert sorted(lost) == list(range(PARTITIONS))
    with pytest.raises(PartitionLost):
        await app.submit(0, lambda context: None)


async def test_ticks_run_for_every_partition_and_what_they_write_is_committed(
    broker: TestBroker, tmp_path: Path
) -> None:
    make_topics(broker, "in", "out")
    app, tallies = summing_app(config(broker, tmp_path))

    def tick(context: Any) -> None:
        row = context.get(tallies, "ticks") or Tally()
        row.count += 1
        context.put(tallies, "ticks", row)
        context.send("out", "tick", b"%d" % row.count, partition=context.partition)

    app.every(0.05, tick)
    async with running(app):
        await eventually(lambda: app.stats.outputs >= 4 * PARTITIONS, "every partition ticked four times")
    by_partition: dict[int, list[int]] = {}
    for message in read_all(broker, "out"):
        by_partition.setdefault(message.partition(), []).append(int(message.value()))
    assert len(by_partition) == PARTITIONS
    assert all(seen == list(range(1, len(seen) + 1)) for seen in by_partition.values())


async def test_an_unreadable_record_is_set_aside_and_the_partition_goes_on(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app = create_app(config(broker, tmp_path))
    tallies = app.Table("tallies", row=Tally)

    @app.agent(app.topic("in"))
    async def careful(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    if record.value.isdigit():
                        fold(batch, tallies, record, None)
                    else:
                        batch.dead_letter(record, "not a number")

    feeder = Feeder(broker)
    feeder.put("in", "k", 1)
    feeder.put("in", "k", b"\x00junk")
    feeder.put("in", "k", 2)
    feeder.flush()
    async with running(app):
        await eventually(lambda: app.stats.records == 3, "three records are committed")
        assert sums(await rows_of(app, tallies)) == {"k": (2, 3)}
        assert app.stats.dead_letters == 1
    (letter,) = read_all(broker, "clarus-stream-dead-letters")
    assert (letter.key(), letter.value()) == (b"k", b"\x00junk")
    assert dict(letter.headers()) == {
        "topic": (broker.prefix + "in").encode(),
        "partition": b"%d" % partition_of("k", PARTITIONS),
        "offset": b"1",
        "reason": b"not a number",
    }


async def test_too_many_unreadable_records_stop_the_worker(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app = create_app(config(broker, tmp_path, dead_letter_run=5))

    @app.agent(app.topic("in"))
    async def nothing_readable(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    batch.dead_letter(record, "no")

    feeder = Feeder(broker)
    for _ in range(20):
        feeder.put("in", "k", b"junk")
    feeder.flush()
    async with running(app, partitions=None):
        with pytest.raises(DeadLetterLimit, match="dead_letter_run = 5"):
            await asyncio.wait_for(app.finished(), 30)
        assert not app.health()["live"]
    assert read_all(broker, "clarus-stream-dead-letters") == []


async def test_a_batch_that_fails_twice_counts_once(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app = create_app(config(broker, tmp_path))
    tallies = app.Table("tallies", row=Tally)
    attempts = Counter[str]()

    @app.agent(app.topic("in"))
    async def hesitant(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    fold(batch, tallies, record, "out")
                attempts["tries"] += 1
                if attempts["tries"] < 3:
                    raise RuntimeError("not yet")

    expected = feed(broker, "in", 50, keys=3)
    async with running(app):
        await eventually(lambda: app.stats.records == 50, "50 records are committed")
        assert sums(await rows_of(app, tallies)) == sums(expected)
        assert app.stats.failed_batches == 2
    assert len(read_all(broker, "out")) == 50


async def test_an_agent_that_raises_outside_its_batch_is_tried_again_too(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app = create_app(config(broker, tmp_path))
    tallies = app.Table("tallies", row=Tally)
    attempts = Counter[str]()

    @app.agent(app.topic("in"))
    async def clumsy(stream: Any) -> None:
        async for batch in stream:
            attempts["tries"] += 1
            if attempts["tries"] == 1:
                raise RuntimeError("before the batch was taken")
            with batch:
                for record in batch.records:
                    fold(batch, tallies, record, None)

    expected = feed(broker, "in", 10, keys=1)
    async with running(app):
        await eventually(lambda: app.stats.records == 10, "10 records are committed")
        assert sums(await rows_of(app, tallies)) == sums(expected)


async def test_poison_stops_the_worker_and_nothing_past_it_is_committed(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    feeder = Feeder(broker)
    feeder.put("in", "k", 1)
    feeder.flush()
    app, _ = summing_app(config(broker, tmp_path))
    async with running(app):
        await eventually(lambda: app.stats.records == 1, "the first record is committed")
        feeder.put("in", "k", b"poison")
        feeder.put("in", "k", 2)
        feeder.flush()
        with pytest.raises(PoisonBatch, match="failed 4 times"):
            await asyncio.wait_for(app.finished(), 30)
        assert app.owned == frozenset()
    assert [message.value() for message in read_all(broker, "out")] == [b"1"]


async def test_a_record_the_broker_will_never_take_stops_the_worker(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app, _ = summing_app(config(broker, tmp_path))
    async with running(app):
        too_large = asyncio.create_task(app.submit(0, lambda context: context.send("out", "k", bytes(3_000_000))))
        with pytest.raises(OutputRefused, match="too large"):
            await asyncio.wait_for(app.finished(), 30)
        with pytest.raises(PartitionLost):
            await too_large


async def test_a_second_worker_takes_a_share_and_gives_it_back(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    settings = config(broker, tmp_path)
    first, tallies = summing_app(settings)
    expected = feed(broker, "in", 300)
    async with running(first):
        await eventually(lambda: first.stats.records == 300, "the first 300 records are committed")
        second, _ = summing_app(config(broker, tmp_path, instance="worker-1"))
        async with running(second, partitions=None):
            await eventually(
                lambda: bool(first.owned and second.owned) and len(first.owned) + len(second.owned) == PARTITIONS,
                "both work",
                60,
            )
            assert not first.owned & second.owned
            more = feed(broker, "in", 300, start=300)
            await eventually(lambda: first.stats.records + second.stats.records == 600, "600 records are committed")
        await eventually(lambda: len(first.owned) == PARTITIONS, "the first has everything again", 60)
        last = feed(broker, "in", 300, start=600)
        await eventually(lambda: first.stats.records + second.stats.records == 900, "900 records are committed")
        rows = await rows_of(first, tallies)
    for part in (more, last):
        for key, row in part.items():
            expected[key].count += row.count
            expected[key].total += row.total
    assert sums(rows) == sums(expected)
    assert len(read_all(broker, "out")) == 900


async def test_a_store_that_is_ahead_of_its_topic_is_rebuilt(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    expected = feed(broker, "in", 200)
    app, _ = summing_app(config(broker, tmp_path))
    async with running(app):
        await eventually(lambda: app.stats.records == 200, "200 records are committed")
    from app.engine.store import Mark, StoreSet

    stores = StoreSet("rocksdict", app.config.directory)
    stores.open()
    for partition in range(PARTITIONS):
        store = stores.get(partition)
        mark = store.mark
        assert mark is not None
        store.apply(
            [(b"tallies\x00invented", b"\x93\x01\x02\x03")],
            Mark(mark.source, mark.offset + 1_000, mark.at_ms, mark.epoch, mark.positions),
        )
    stores.close()
    again, tallies = summing_app(config(broker, tmp_path))
    async with running(again):
        assert sums(await rows_of(again, tallies)) == sums(expected)


async def test_one_directory_has_one_worker(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", "out")
    app, _ = summing_app(config(broker, tmp_path))
    async with running(app):
        twin, _ = summing_app(config(broker, tmp_path))
        async with running(twin, partitions=None):
            with pytest.raises(EngineConfigError, match="in use by another process"):
                await asyncio.wait_for(twin.finished(), 30)


async def test_missing_and_misfit_topics_are_named(broker: TestBroker, tmp_path: Path) -> None:
    make_topics(broker, "in", partitions=PARTITIONS + 1)
    app, _ = summing_app(config(broker, tmp_path), source="in")

    @app.agent(app.topic("absent"))
    async def reader(stream: Any) -> None:
        async for _ in stream:
            pass

    async with running(app, partitions=None):
        with pytest.raises(EngineConfigError) as caught:
            await asyncio.wait_for(app.finished(), 30)
    assert "absent does not exist" in str(caught.value)
    assert f"in has {PARTITIONS + 1} partitions" in str(caught.value)


async def test_the_partition_of_a_key_is_the_one_the_client_chooses(broker: TestBroker) -> None:
    make_topics(broker, "keys", partitions=24)
    feeder = Feeder(broker)
    keys = ["clarus", "ct-eu", "bc-us", "SKU-000001", "é-ümlaut", "x", "ab", "abc", "abcd", "a" * 99]
    for key in keys:
        feeder.put("keys", key, b"")
    feeder.flush()
    placed = {message.key().decode(): message.partition() for message in read_all(broker, "keys", 24)}
    assert placed == {key: partition_of(key, 24) for key in keys}


async def test_no_broker_is_said_so(tmp_path: Path) -> None:
    nobody = TestBroker("bundled", f"127.0.0.1:{free_port()}", "x.", lambda: None)
    app, _ = summing_app(config(nobody, tmp_path, broker_wait_ms=500))
    async with running(app, partitions=None):
        with pytest.raises(BrokerUnavailable, match="no broker at"):
            await asyncio.wait_for(app.finished(), 30)
