"""`doctor` against a cluster and the simulated peers: it finds what is wrong, says what to do, and changes nothing anywhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Consumer, Producer

from app import kafka, topics
from app.config import load
from app.doctor.checks import Report
from app.doctor.cli import diagnose
from app.doctor.group import members
from app.ports import free_port
from app.simulators.bigcommerce import BigCommerceSimulator
from app.simulators.clarus import ClarusSimulator
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import FloorSpeed
from schemas.catalogue import INTEGRATION_EXCEPTIONS, INVENTORY_EVENTS
from schemas.codec import Codecs
from schemas.records import Event, ExceptionState
from tests.brokers import TestBroker

SECRET = "not-the-right-one"


@asynccontextmanager
async def shop(broker: TestBroker, folder: Path) -> AsyncIterator[tuple[Path, dict[str, Any]]]:
    """A configuration file with three running peers, and the peers by name."""
    peers: dict[str, Any] = {
        "clarus": ClarusSimulator("clarus", 1, warehouses=["MAIN"], floor=FloorSpeed(None, None, None)),
        "ct": CommercetoolsSimulator("ct", 1),
        "bc": BigCommerceSimulator("bc", 1),
    }
    async with AsyncExitStack() as stack:
        for peer in peers.values():
            await peer.start()
            stack.push_async_callback(peer.stop)
        peers["clarus"].add_product("MUG")
        guarantee = "at_least_once" if broker.kind == "bundled" else "exactly_once"
        kafka = {"bootstrap": broker.bootstrap, "topic_prefix": broker.prefix, "partitions": 2, "replication": 1}
        data = {
            "clarus": {**peers["clarus"].connection(), "webhook_secret": "s"},
            "channels": {name: peers[name].connection() for name in ("ct", "bc")},
            "warehouses": ["MAIN"],
            "products": [{"sku": "MUG", "channels": {"ct": "MUG", "bc": "MUG"}}],
            "settings": {"kafka": kafka, "engine": {"guarantee": guarantee}, "ops": {"port": free_port()}},
        }
        path = folder / "shop.yaml"
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        yield path, peers


async def look(path: Path, **environ: str) -> tuple[Report, dict[tuple[str, str], tuple[str, str, str]]]:
    report = await asyncio.to_thread(diagnose, path, environ, (), ask_peers=True)
    return report, {(r.area, r.check): (r.state, r.detail, r.remedy) for r in report.results}


async def test_peers_cluster_and_workers_are_looked_at_and_nothing_is_changed(
    broker: TestBroker, tmp_path: Path
) -> None:
    async with shop(broker, tmp_path) as (path, peers):
        before = {name: len(peer.journal.entries) for name, peer in peers.items()}
        report, found = await look(path)
        assert found["kafka", "broker"][0] == "ok"
        assert found["kafka", "topics"] == (
            "fail",
            f"11 of 11 are missing: {broker.prefix}ingress.webhooks, {broker.prefix}orders.events, {broker.prefix}inventory.events …",
            "clarus-stream topics create",
        )
        assert found["clarus", "account"][0] == "ok"
        assert found["bc", "token"][0] == "ok"
        assert found["ct", "marker type"] == ("ok", "not as needed yet; a worker puts it right when it starts", "")
        assert all(found[name, "clock"][0] == "ok" for name in peers)
        assert found[f"worker http://127.0.0.1:{load(path, {}).settings.settings.ops.port}", "answers"][0] == "fail"
        assert all(0 < report.requests[name] <= 12 for name in peers)
        assert not report.ok
        assert {name: len(peer.journal.entries) for name, peer in peers.items()} == before
        assert all(f.state == "missing" for f in topics.check(load(path, {}).settings).topics)


async def test_with_topics_only_the_missing_worker_is_left(broker: TestBroker, tmp_path: Path) -> None:
    async with shop(broker, tmp_path) as (path, _):
        assert topics.ensure(load(path, {}).settings).ok
        report, found = await look(path)
        assert found["kafka", "topics"][0] == "ok"
        assert found["exceptions", "open"] == ("ok", "none", "")
        assert found["kafka", "dead letters"][0] == "ok"
        assert {r.area for r in report.results if r.state == "fail"} <= {
            "kafka",
            f"worker http://127.0.0.1:{load(path, {}).settings.settings.ops.port}",
        }
        if broker.kind != "bundled":
            assert found["kafka", "rights"][1] == "may read and write 11 topics"
            assert found["kafka", "group"][1].endswith("no worker is in it, nothing is done")


async def test_a_worker_in_the_group_is_never_said_to_be_missing(broker: TestBroker, tmp_path: Path) -> None:
    async with shop(broker, tmp_path) as (path, _):
        settings = load(path, {}).settings
        assert topics.ensure(settings).ok
        group = topics.engine_config(settings).group_id
        worker = Consumer(kafka.client(settings.settings.kafka, {"group.id": group, "group.instance.id": "w-0"}))
        worker.subscribe([kafka.topic(settings.settings.kafka, INVENTORY_EVENTS.name)])
        for _ in range(60):
            worker.poll(0.5)
            if worker.assignment():
                break
        [found] = await asyncio.to_thread(members, settings)
        worker.close()
        if broker.kind == "bundled":
            assert found.state == "warn"
            assert "does not tell who is in it" in found.detail
        else:
            assert (found.state, found.detail) == ("ok", f"{group}: 1 worker (w-0), stable")


async def test_open_exceptions_are_told_and_resolved_ones_are_not(broker: TestBroker, tmp_path: Path) -> None:
    async with shop(broker, tmp_path) as (path, _):
        settings = load(path, {}).settings
        assert topics.ensure(settings).ok
        producer = Producer(kafka.producer(settings.settings.kafka))
        for number, phase in ((1, "OPEN"), (2, "OPEN"), (2, "RESOLVED"), (3, "ACKNOWLEDGED")):
            body = ExceptionState(
                exception_id=f"stock_drift:{number}",
                type="stock_drift",
                entity=f"bc//M{number}",
                owner="integration",
                state=phase,  # type: ignore[arg-type]
                detail="2 units more",
                opened_at=number * 1000,
                changed_at=5000,
            )
            event = Event(event_id="e", occurred_at=0, received_at=0, source="test", body=body)
            value = Codecs()[INTEGRATION_EXCEPTIONS].encode(event)
            producer.produce(
                kafka.topic(settings.settings.kafka, INTEGRATION_EXCEPTIONS.name), value, body.exception_id
            )
        assert producer.flush(30) == 0
        report = await asyncio.to_thread(diagnose, path, {}, (), ask_peers=False)
        [found] = [result for result in report.results if result.area == "exceptions"]
        assert (found.check, found.state) == ("stock_drift", "warn")
        assert found.detail == "2 open, the oldest since 1970-01-01 00:00:01Z: bc//M1: 2 units more"
        assert report.requests == {}


async def test_wrong_credentials_of_one_peer_leave_the_others_alone(bundled: TestBroker, tmp_path: Path) -> None:
    async with shop(bundled, tmp_path) as (path, _):
        wrong = {"CLARUS_STREAM__CHANNELS__BC__ACCESS_TOKEN": SECRET, "CLARUS_STREAM__CLARUS__CLIENT_SECRET": SECRET}
        report, found = await look(path, **wrong)
        assert found["bc", "token"][0] == found["clarus", "account"][0] == "fail"
        assert "401" in found["bc", "token"][1]
        assert found["ct", "credentials"][0] == "ok"
        assert SECRET not in str(report.as_dict()), "a secret is shown"
