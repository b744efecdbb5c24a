"""The registry: every metric is fed by the product's code, readable by Prometheus, and the books add up."""

import ast
import random
from collections import Counter
from pathlib import Path

from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from agents.delivery import Delivery
from agents.holds import HoldRow, Holds, JudgedRow
from agents.intake import Intake
from agents.orders import Orders
from agents.returns import Returns
from app import metrics
from app.exposition import REGISTRIES, Process
from app.measures import WorkerMeasures
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    Event,
    FetchOrder,
    OrderSnapshot,
    OrderWatermark,
    RawNotification,
    Record,
    StockTarget,
    WarehouseOrder,
)
from tables.catalogue import Catalogue
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.orders.rules import Rules
from tables.returns.fold import ReturnRules
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryEngine, MemoryRecord, MemoryTable
from tests.unit.delivery.rig import Rig, now_ms, until

ROOT = Path(__file__).parents[3]


def samples(process: Process, name: str) -> Counter[tuple[str, ...]]:
    """Label values, in the order of the labels' names, to figures."""
    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(metrics.render(process).decode()):
        for sample in family.samples:
            if sample.name == f"clarus_stream_{name}":
                found[tuple(sample.labels[key] for key in sorted(sample.labels))] = int(sample.value)
    return found


def test_every_metric_is_fed_by_the_code() -> None:
    defined = {name for name, one in vars(metrics).items() if isinstance(one, PrometheusCounter | Gauge | Histogram)}
    used: set[str] = set()
    for path in (ROOT / "app").rglob("*.py"):
        if path.name != "metrics.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "metrics":
                    used.add(node.attr)
    assert len(defined) == len(metrics.DEFINITIONS)
    assert defined - used == set()


def test_prometheus_reads_what_is_shown_and_it_is_what_is_defined() -> None:
    for process in REGISTRIES:
        families = {
            family.name + ("_total" if family.type == "counter" else ""): family.type
            for family in text_string_to_metric_families(metrics.render(process).decode())
            if family.name.startswith("clarus_stream_")
        }
        assert families == {d.name: d.type for d in metrics.DEFINITIONS if d.process == process}


def test_labels_are_of_few_values() -> None:
    bounded = {
        "topic",
        "outcome",
        "channel",
        "kind",
        "type",
        "priority",
        "purpose",
        "scope",
        "cause",
        "status",
        "reason",
        "result",
    }
    assert {label for d in metrics.DEFINITIONS for label in d.labels} <= bounded


def event(body: Record, occurred_at: int = 1) -> Event[Record]:
    return Event(event_id="t", occurred_at=occurred_at, received_at=1, source="t", body=body)


def parse(notification: RawNotification) -> list[FetchOrder]:
    if notification.body == b"nonsense":
        raise ValueError("nonsense")
    return [FetchOrder(channel="shop", order_id=notification.body.decode())]


def test_every_record_is_done_superseded_or_failed() -> None:
    codecs, engine, measures = Codecs(), MemoryEngine(), WorkerMeasures()
    intake = Intake({"shop": parse}, codecs, lambda _: 0, measures)
    orders = Orders(
        OrdersForce(Rules(Catalogue([], [], []), {})),
        codecs,
        MemoryTable("orders", OrderRow),
        MemoryTable("waits", WaitRow),
        lambda _: 0,
        4,
        Holds(MemoryTable("held", HoldRow), MemoryTable("judged", JudgedRow)),
        Returns(ReturnRules(Catalogue([], [], [])), MemoryTable("returns", OrderReturns)),
        measures,
    )

    def fold(agent: Intake | Orders, topic: str, values: list[bytes | None], aborted: bool = False) -> None:
        records = [MemoryRecord(b"shop:1", value, n, timestamp=1) for n, value in enumerate(values)]
        batch = engine.fold(agent.fold, 1, topic, records)
        measures.folded(topic, len(records), records[0].timestamp, len(batch.dead))
        measures.aborted(certain=True) if aborted else measures.committed(0.01)

    before = samples("worker", "records_in_total"), samples("worker", "records_total")
    raw = [
        RawNotification(channel="shop", route="", headers={}, body=b"1"),
        RawNotification(channel="shop", route="", headers={}, body=b"nonsense"),
        RawNotification(channel="elsewhere", route="", headers={}, body=b"1"),
    ]
    webhooks = [codecs[topics.INGRESS_WEBHOOKS].encode(event(one)) for one in raw]
    fold(intake, "ingress.webhooks", [*webhooks, b"\x07", None], aborted=True)
    fold(intake, "ingress.webhooks", [*webhooks, b"\x07", None])
    codec = codecs[topics.ORDERS_EVENTS]
    snapshot = {"channel": "shop", "order_id": "1", "number": "1", "state": "OPEN", "status": "", "paid": True}
    versions = [
        codec.encode(event(OrderSnapshot(**snapshot, version=n, created_at=1, modified_at=n, lines=[])))  # type: ignore[arg-type]
        for n in (2, 1, 2, 3)
    ]
    answer = codec.encode(event(WarehouseOrder(reference="shop:1", status="PENDING")))
    mark = codec.encode(event(OrderWatermark(channel="shop", up_to=5)))
    fold(orders, "orders.events", [*versions, b"\x07", answer, mark])

    came, became = samples("worker", "records_in_total"), samples("worker", "records_total")
    came.subtract(before[0])
    became.subtract(before[1])
    assert +came == {("ingress.webhooks",): 5, ("orders.events",): 7}
    assert +became == {
        ("done", "ingress.webhooks"): 1,
        ("failed", "ingress.webhooks"): 4,
        ("done", "orders.events"): 4,
        ("superseded", "orders.events"): 2,
        ("failed", "orders.events"): 1,
    }


async def test_every_wanted_quantity_is_confirmed_superseded_or_pending() -> None:
    measures = WorkerMeasures()
    rig = Rig(skus=3)
    rig.agent = Delivery(rig.codecs, rig.tables, measures)
    rig.runtime = rig.start()
    rng = random.Random(5)
    before = samples("worker", "commands_in_total"), samples("worker", "commands_total")
    codec, channels = rig.codecs["channel.commands"], 0

    def tell(target: StockTarget) -> None:
        record = MemoryRecord(b"k", codec.encode(event(target, now_ms())))
        rig.engine.fold(rig.agent.fold, rig.place("shop"), "channel.commands", [record])
        measures.committed(0.01)

    async with rig.running():
        await rig.adopted()
        for version in range(1, 21):
            for key in rig.catalogue.listings:
                tell(rig.target(version, rng.randrange(20), key=key))
                channels += 1
            tell(rig.target(version, 3))
            if version % 4 == 0:
                await until(lambda: not rig.runtime.pending()["shop"])

        def open_now() -> int:
            return sum(rig.listing(key).caused_at > 0 for key in rig.catalogue.listings)

        def books() -> tuple[int, int, int]:
            came, became = samples("worker", "commands_in_total"), samples("worker", "commands_total")
            came.subtract(before[0])
            became.subtract(before[1])
            done, superseded = became["shop", "stock", "done"], became["shop", "stock", "superseded"]
            return came["shop", "stock"], done, superseded

        await until(lambda: books()[0] == sum(books()[1:]) + open_now())
        came, done, superseded = books()
        assert came == channels
        assert done > 0
        assert superseded > 0
        assert open_now() == 0
        rig.runtime.measure()
        assert sum(samples("worker", "backlog").values()) == 0
    rig.runtime.measure()
    assert not samples("worker", "backlog")


def test_commands_of_a_cycle_count_once_it_is_committed_and_not_where_it_is_given_up() -> None:
    measures, before = WorkerMeasures(lambda: 5.0), samples("worker", "commands_in_total")
    ages = samples("worker", "cause_to_commanded_seconds_count")

    def three() -> None:
        measures.command("count-shop", "stock", 3_000)
        measures.command("count-shop", "stock", 0)
        measures.command("count-shop", "read", 3_000)
        measures.superseded("count-shop", "stock")

    three()
    measures.aborted(certain=True)
    measures.committed(0.01)
    assert samples("worker", "commands_in_total") == before
    three()
    measures.committed(0.01)
    measures.committed(0.01)
    after = samples("worker", "commands_in_total")
    assert (after["count-shop", "stock"], after["count-shop", "read"]) == (2, 1)
    assert samples("worker", "commands_total")["count-shop", "stock", "superseded"] == 1
    assert (samples("worker", "cause_to_commanded_seconds_count") - ages) == {("count-shop",): 1}
