"""A replay of `inventory.events` against a worker's own rows, on every broker: equal where all is well, and every kind of difference is found and named."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.availability import Availability, StockTables
from app import kafka, topics
from app.config import load
from app.engine import EngineApp, create_app, partition_of
from app.engine.store import StoreSet
from app.replay.cli import replay
from app.replay.read import Reader
from app.replay.scratch import STOCK
from app.settings import Settings
from app.stock_rules import stock_rules
from schemas.catalogue import INVENTORY_EVENTS
from schemas.codec import Codecs
from schemas.records import Event, Record, Watermark
from tables.catalogue import Listing
from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow
from tests.brokers import TestBroker
from tests.support.stream import eventually, running
from tests.unit.stock.memory import baseline, level, line

PARTITIONS = 2
SKUS = ("MUG", "CARD")
CHANNELS = ("shop", "app")
CODEC = Codecs()[INVENTORY_EVENTS]
SHOP: dict[str, Any] = {
    "channels": {
        "shop": {"system": "commercetools", "project_key": "shop"},
        "app": {"system": "commercetools", "project_key": "app"},
    },
    "warehouses": ["MAIN", "NORTH"],
    "products": [{"sku": sku, "channels": {"shop": sku, "app": sku}} for sku in SKUS],
    "policies": [{"match": {"sku": "MUG"}, "mode": "escrow"}, {"match": {"sku": "CARD"}, "mode": "shared"}],
}


def write(folder: Path, name: str, data: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def configured(broker: TestBroker, folder: Path) -> Path:
    guarantee = "at_least_once" if broker.kind == "bundled" else "exactly_once"
    data = {
        **SHOP,
        "settings": {
            "kafka": {
                "bootstrap": broker.bootstrap,
                "topic_prefix": broker.prefix,
                "partitions": PARTITIONS,
                "replication": 1,
            },
            "engine": {"guarantee": guarantee, "data_dir": str(folder / "data")},
        },
    }
    return write(folder, "shop.yaml", data)


@asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[EngineApp]:
    """The availability agent on its engine, and nothing else."""
    app = create_app(topics.engine_config(settings))
    tables = StockTables(
        app.Table("stock", row=SkuRow),
        app.Table("stock_lines", row=OrderLines),
        app.Table("watermarks", row=WatermarkRow),
        app.Table("sweeps", row=SweepRow),
        app.Table("differences", row=DifferenceRow),
    )
    agent = Availability(stock_rules(settings), Codecs(), tables, lambda channel: partition_of(channel, PARTITIONS))

    @app.agent(app.topic(INVENTORY_EVENTS.name), name="availability")
    async def fold(stream: Any) -> None:
        async for batch in stream:
            with batch:
                agent.fold(batch)

    async with running(app, PARTITIONS):
        yield app


class Log:
    """Writes inventory events."""

    def __init__(self, settings: Settings) -> None:
        given = settings.settings.kafka
        self._topic, self._producer = kafka.topic(given, INVENTORY_EVENTS.name), Producer(kafka.producer(given))
        self.count = 0

    def put(self, key: str, body: Record, partition: int = -1) -> None:
        event = Event(event_id=f"e{self.count}", occurred_at=self.count, received_at=0, source="test", body=body)
        self._producer.produce(self._topic, CODEC.encode(event), key.encode(), partition=partition)
        self.count += 1

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def sale(self, first: int, orders: int) -> None:
        """Levels and baselines where `first` is 0, then orders, each followed by a level that shows it and by watermarks."""
        for sku in SKUS if first == 0 else ():
            self.put(sku, level(1, 100, sku=sku))
            for channel in CHANNELS:
                self.put(sku, baseline(10, listing=Listing(channel, sku, sku)))
        for number in range(first, first + orders):
            sku, channel = SKUS[number % 2], CHANNELS[number % 3 % 2]
            order: dict[str, Any] = {
                "sku": sku,
                "channel": channel,
                "of": Listing(channel, sku, sku),
                "at": 10_000 + number,
            }
            self.put(sku, line(str(number), 1, **order))
            self.put(sku, level(number + 2, 100 - number // 2, sku=sku))
            for name, order_partition, partition in product(CHANNELS, range(PARTITIONS), range(PARTITIONS)):
                mark = Watermark(channel=name, order_partition=order_partition, up_to=20_000 + number)
                self.put(f"watermark/{name}", mark, partition)
        self.flush()


def run(config: Path, *words: str) -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(replay, ["--config", str(config), "--json", *words])
    return result, json.loads(result.stdout) if result.stdout else {}


@pytest.fixture
def shop(broker: TestBroker, tmp_path: Path) -> Path:
    path = configured(broker, tmp_path)
    assert topics.ensure(load(path, {}).settings).ok
    return path


async def folded(app: EngineApp, log: Log) -> None:
    def all_of_it() -> bool:
        return app.stats.records >= log.count

    await eventually(all_of_it, "the worker has folded everything")


async def test_a_worker_that_folded_by_the_rules_is_equal_row_by_row_and_figure_by_figure(shop: Path) -> None:
    settings = load(shop, {}).settings
    log = Log(settings)
    async with ledger(settings) as app:
        log.sale(0, 15)
        await folded(app, log)
        log.sale(15, 15)  # taken in several cycles: numbers of commands depend on where a worker cut
        await folded(app, log)
        result, report = await asyncio.to_thread(run, shop)
    assert (result.exit_code, report["ok"]) == (0, True), result.output
    assert sum(one["records"] for one in report["partitions"]) == log.count
    assert sum(one["compared"] for one in report["partitions"]) >= 30
    assert sum(one["judged"] for one in report["partitions"]) > 10
    assert [one["numbering"] for one in report["partitions"]] == [0, 0]


@pytest.mark.kafka
async def test_a_row_that_is_not_what_its_events_make_is_named_with_field_and_both_sides(
    kafka_shop: Path,
) -> None:
    settings = load(kafka_shop, {}).settings
    log = Log(settings)
    async with ledger(settings) as app:
        log.sale(0, 6)
        await folded(app, log)
    home = partition_of("CARD", PARTITIONS)
    row = live_row(settings, "CARD", home)
    row.free["MAIN"] += 7
    config = topics.engine_config(settings)
    producer = Producer(kafka.producer(settings.settings.kafka))
    producer.produce(config.state_topic, STOCK.encode(row), STOCK.key("CARD"), partition=home)
    assert producer.flush(30) == 0
    result, report = run(kafka_shop)
    assert result.exit_code == 1
    wrong = [one for part in report["partitions"] for one in part["differences"] if not one["numbering"]]
    assert [(one["table"], one["key"], one["field"], one["live"] - one["replayed"]) for one in wrong] == [
        ("stock", "CARD", "free[MAIN]", 7)
    ]
    assert run(kafka_shop, "--sku", "MUG")[0].exit_code == 0
    text = CliRunner().invoke(replay, ["--config", str(kafka_shop), "--sku", "CARD"]).stdout
    assert "free[MAIN]" in text
    assert "1 rows and 0 sent figures are not what the rules" in text


def live_row(settings: Settings, sku: str, partition: int) -> SkuRow:
    stores = StoreSet("memory", Path())
    reader = Reader(settings)
    reader.live(partition, stores.get(0), lambda count: None)
    reader.close()
    value = stores.get(0).get(STOCK.key(sku))
    assert value is not None
    return STOCK.decode(value)


def with_policy(shop: Path, folder: Path, policy: dict[str, Any]) -> Path:
    data = yaml.safe_load(shop.read_text(encoding="utf-8"))
    return write(folder, "other.yaml", {**data, "policies": [*data["policies"], policy]})


async def test_figures_sent_under_other_rules_deviate_where_they_were_sent(shop: Path, tmp_path: Path) -> None:
    settings = load(shop, {}).settings
    log = Log(settings)
    async with ledger(settings) as app:
        log.sale(0, 6)
        await folded(app, log)
    other = with_policy(shop, tmp_path, {"match": {"sku": "CARD"}, "buffer": 30})
    result, report = run(other)
    assert result.exit_code == 1
    deviating = [one for part in report["partitions"] for one in part["deviations"]]
    assert {one["sku"] for one in deviating} == {"CARD"}
    first = min(deviating, key=lambda one: one["offset"])
    assert (first["kind"], first["sent"][0] - first["replayed"][0]) == ("available", 30)
    result, report = run(shop, "--what-if", str(other))
    assert result.exit_code == 0
    changed = [one for part in report["partitions"] for one in part["changed"]]
    assert {(one["listing"], one["available"] - one["available_then"]) for one in changed} == {
        ("shop//CARD", 30),
        ("app//CARD", 30),
    }


@pytest.mark.kafka
async def test_without_the_first_records_a_base_is_taken_and_the_next_replay_goes_on_from_it(
    kafka_shop: Path, tmp_path: Path
) -> None:
    settings = load(kafka_shop, {}).settings
    log, base = Log(settings), str(tmp_path / "base")
    async with ledger(settings) as app:
        log.sale(0, 6)
        await folded(app, log)
        _forget(settings, 3)
        result, report = await asyncio.to_thread(run, kafka_shop)
        assert (result.exit_code, {one["base"] for one in report["partitions"]}) == (1, {"gone"})
        assert "--base FOLDER" in report["partitions"][0]["notes"][0]
        result, report = await asyncio.to_thread(run, kafka_shop, "--base", base)
        assert (result.exit_code, {one["base"] for one in report["partitions"]}) == (0, {"adopted"})
        log.sale(6, 6)
        await folded(app, log)
        result, report = await asyncio.to_thread(run, kafka_shop, "--base", base)
    assert (result.exit_code, {one["base"] for one in report["partitions"]}) == (0, {"kept"})
    assert all(one["records"] > 0 and one["compared"] == one["equal"] > 0 for one in report["partitions"])


def _forget(settings: Settings, before: int) -> None:
    admin = AdminClient(kafka.client(settings.settings.kafka))
    topic = kafka.topic(settings.settings.kafka, INVENTORY_EVENTS.name)
    for future in admin.delete_records([TopicPartition(topic, p, before) for p in range(PARTITIONS)]).values():
        future.result(30)


async def test_a_row_as_it_was_at_an_offset_or_a_time(shop: Path) -> None:
    settings = load(shop, {}).settings
    log = Log(settings)
    async with ledger(settings) as app:
        log.sale(0, 6)
        await folded(app, log)
        await asyncio.sleep(0.1)
        middle = time.time()
        await asyncio.sleep(0.1)
        log.sale(6, 6)
        await folded(app, log)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(middle)) + f".{int(middle % 1 * 1000):03}Z"
    _, then = run(shop, "--sku", "CARD", "--to", stamp)
    _, now = run(shop, "--sku", "CARD")
    assert (then["row"]["free"]["MAIN"], now["row"]["free"]["MAIN"]) == (98, 95)
    assert (then["compared_with_live"], now["compared_with_live"]) == (False, True)


def without(path: Path, sku: str) -> Path:
    """A configuration that does not name this SKU any more."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["products"] = [one for one in data["products"] if one["sku"] != sku]
    data["policies"] = []
    return write(path.parent, "less.yaml", data)


async def test_a_sku_that_is_not_configured_any_more_is_answered_with_what_the_workers_still_have(shop: Path) -> None:
    settings = load(shop, {}).settings
    log = Log(settings)
    async with ledger(settings) as app:
        log.sale(0, 6)
        await folded(app, log)
    less = without(shop, "CARD")
    result, answer = run(less, "--sku", "CARD")
    assert (result.exit_code, answer["ok"], answer["configured"], answer["row"]["free"]["MAIN"]) == (0, True, False, 98)
    text = CliRunner().invoke(replay, ["--config", str(less), "--sku", "CARD"])
    assert text.exit_code == 0 and "not in this configuration any more" in text.output and "98 in MAIN" in text.output
    never = CliRunner().invoke(replay, ["--config", str(less), "--sku", "MUGS"])
    assert "near it: MUG" in str(never.exception) and "workers' rows" in str(never.exception)


@pytest.fixture
def kafka_shop(kafka: TestBroker, tmp_path: Path) -> Path:
    path = configured(kafka, tmp_path)
    assert topics.ensure(load(path, {}).settings).ok
    return path


def test_what_is_wrong_with_the_command_is_said_before_anything_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "shop.yaml", {**SHOP, "settings": {"kafka": {"bootstrap": "127.0.0.1:9", "partitions": 2}}})
    cases: Sequence[tuple[list[str], str]] = [
        (["--partition", "2"], "there is no partition 2"),
        (["--sku", "MUG", "--partition", str(1 - partition_of("MUG", 2))], "MUG lies in partition"),
    ]
    for words, text in cases:
        result = CliRunner().invoke(replay, ["--config", str(path), *words])
        assert text in str(result.exception), words
    result = CliRunner().invoke(replay, ["--config", str(path), "--from", "yesterday"])
    assert "2026-11-27T14:30:00Z" in result.output
