"""Imports through `reference.mappings` on every broker: whole or not at all, in order, followed by workers, and one at a time where the broker can."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from confluent_kafka import Producer

from app import kafka, topics
from app.config import load
from app.errors import Problem
from app.mappings import files, importing
from app.mappings.force import InForce
from app.mappings.live import LiveMappings
from app.mappings.topic import MappingsReader, MappingsWriter
from app.registry import codecs_for
from app.settings import Settings
from schemas.catalogue import REFERENCE_MAPPINGS
from schemas.codec import Codecs
from schemas.records import Event, Mapping
from tables.mappings.kinds import Shipping, value_of
from tests.brokers import TestBroker
from tests.support.files import shop
from tests.support.stream import eventually


def made(broker: TestBroker, folder: Path, part: str) -> Settings:
    settings = load(
        shop(folder),
        {
            "CLARUS_STREAM__KAFKA__BOOTSTRAP": broker.bootstrap,
            "CLARUS_STREAM__KAFKA__PARTITIONS": "3",
            "CLARUS_STREAM__KAFKA__REPLICATION": "1",
            "CLARUS_STREAM__KAFKA__TOPIC_PREFIX": broker.prefix + part,
            "CLARUS_STREAM__ENGINE__GUARANTEE": "at_least_once" if broker.kind == "bundled" else "exactly_once",
        },
    ).settings
    assert topics.ensure(settings).ok
    return settings


def given(folder: Path, text: str) -> files.MappingFile:
    path = folder / "given.yaml"
    path.write_text(text, encoding="utf-8")
    return files.read(path)


def carriers(settings: Settings) -> dict[str, str]:
    entries = importing.imported(settings).entries.values()
    return {one.record.key: one.record.carrier for one in entries if isinstance(one.record, Shipping)}


def written(settings: Settings, version: int, carrier: str, *, whole: bool) -> None:
    """Records as an importer writes them, perhaps without their end."""
    rows = [Shipping(method="a", carrier=carrier), Shipping(method="b", carrier=carrier)]
    bodies = [Mapping(kind=x.kind, key=x.key, version=version, value=value_of(x), actor="t") for x in rows]
    if whole:
        bodies.append(Mapping(kind="import", key="", version=version, value="{}", actor="t"))
    producer, name = (
        Producer(kafka.producer(settings.settings.kafka)),
        kafka.topic(settings.settings.kafka, REFERENCE_MAPPINGS.name),
    )
    for body in bodies:
        event = Event(event_id="e", occurred_at=1, received_at=1, source="t", body=body)
        producer.produce(name, Codecs()[REFERENCE_MAPPINGS].encode(event), f"{body.kind}/{body.key}".encode(), 0)
    assert producer.flush(30) == 0


def test_imports_count_one_after_the_other_and_can_be_taken_out(broker: TestBroker, tmp_path: Path) -> None:
    settings = made(broker, tmp_path, "one.")
    assert importing.imported(settings).version == 0
    first = given(tmp_path, "shipping: [{method: a, carrier: A}, {method: b, carrier: B}]")
    assert importing.run(settings, first, "ada", "first")[1] == 1
    assert importing.run(settings, first, "ada", "again")[1] == 0, "nothing changed, nothing is written"
    second = given(tmp_path, "shipping: [{method: a, remove: true}, {method: b, carrier: C}]")
    assert importing.run(settings, second, "kim", "second")[1] == 2
    assert carriers(settings) == {"*/b": "C"}
    with pytest.raises(Problem) as raised:
        importing.run(settings, given(tmp_path, "shipping: [{method: a, remove: true}]"), "kim", "gone")
    assert "nothing of that name was imported" in raised.value.lines[0] and carriers(settings) == {"*/b": "C"}
    assert importing.run(settings, given(tmp_path, "{}"), "kim", "all out", replace=True)[1] == 3
    assert carriers(settings) == {}


def test_an_import_that_broke_off_never_counts(broker: TestBroker, tmp_path: Path) -> None:
    settings = made(broker, tmp_path, "half.")
    written(settings, 1, "A", whole=True)
    written(settings, 2, "BROKEN", whole=False)
    assert carriers(settings) == {"*/a": "A", "*/b": "A"}
    assert importing.run(settings, given(tmp_path, "shipping: [{method: c, carrier: C}]"), "ada", "next")[1] == 3
    assert carriers(settings) == {"*/a": "A", "*/b": "A", "*/c": "C"}, "the next one undoes it"


def test_a_second_importer_ends_the_first(broker: TestBroker, tmp_path: Path) -> None:
    if broker.kind == "bundled":
        pytest.skip("the bundled broker has no sound transactions")
    settings = made(broker, tmp_path, "race.")
    slow = MappingsWriter(settings)
    slow.begin()
    before = importing.imported(settings)
    assert importing.run(settings, given(tmp_path, "shipping: [{method: a, carrier: A}]"), "ada", "fast")[1] == 1
    with pytest.raises(Problem, match="did not confirm the mappings"):
        slow.write(before, {("shipping", "*/a"): Shipping(method="a", carrier="B")}, "kim", "slow")
    assert carriers(settings) == {"*/a": "A"}


async def test_a_worker_reads_all_and_then_follows(broker: TestBroker, tmp_path: Path) -> None:
    settings = made(broker, tmp_path, "live.")
    written(settings, 1, "A", whole=True)
    seen: list[InForce] = []
    live = LiveMappings(
        settings, lambda: MappingsReader(settings, codecs_for(settings)), lambda found, _: seen.append(found)
    )
    await live.load()
    assert [one.version for one in seen] == [1] and seen[0].orders.rules.shipping["a"].carrier == "A"
    following = asyncio.create_task(live.follow())
    try:
        first = given(
            tmp_path, "shipping: [{method: a, carrier: Z}]\nsku: [{channel: bc-us, sku: NEW, product: '000123'}]"
        )
        await asyncio.to_thread(importing.run, settings, first, "ada", "now")
        await eventually(lambda: len(seen) == 2, "the import is in force")
        assert seen[1].orders.rules.shipping["a"].carrier == "Z" and seen[1].orders.version != seen[0].orders.version
        assert seen[1].catalogue.find("bc-us", "NEW") is not None and live.status()["version"] == 2
        written(settings, 3, "X", whole=False)
        await asyncio.sleep(2)
        assert len(seen) == 2, "half of an import is none"
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await live.close()


def test_a_topic_or_broker_that_is_not_there_is_one_line(broker: TestBroker, tmp_path: Path) -> None:
    settings = made(broker, tmp_path, "gone.")
    settings.settings.kafka.topic_prefix = broker.prefix + "nowhere."
    with pytest.raises(Problem, match=r"nowhere.reference.mappings is missing; clarus-stream topics create"):
        importing.imported(settings)
