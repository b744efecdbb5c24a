"""`why ORDER`: workers tell what they own, the order is found by every name people have for it, and the screen has everything but personal data."""

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from confluent_kafka import KafkaError
from rich.console import Console
from starlette.applications import Starlette

from app.config import load
from app.engine.murmur import partition_of
from app.errors import Problem
from app.settings import ProductSettingsTree, Settings
from app.why import order_ask, order_show, order_story
from app.why.order_worker import OrderStories, OrderTables
from schemas.catalogue import INTEGRATION_EXCEPTIONS, ORDERS_EVENTS, ORDERS_STATUS
from schemas.codec import Codecs
from schemas.records import Event, ExceptionState, ExceptionStep, NormalisedOrder, Record
from tables.deliveries.fetches import FetchRow
from tables.deliveries.pauses import PauseRow
from tables.deliveries.polls import PollRow
from tables.deliveries.releases import ReleaseRow
from tables.deliveries.shipments import ShipIntent, ShipmentRow
from tables.deliveries.troubles import TroubleRow
from tables.explain.order_report import OrderAnswer
from tables.orders.rows import OrderRow, WaitRow
from tables.stock.rows import Line, OrderLines
from tests.support.engine import MemoryEngine, MemoryTable
from tests.support.files import shop
from tests.unit.explain.test_order import SECRETS, personal, released
from tests.unit.orders.test_despatch import left, parcel, play
from tests.unit.orders.test_fold import answer
from tests.unit.why.test_worker import TABLES as SKU_TABLES

PARTITIONS = 4
CODECS = Codecs()
TABLES = OrderTables(
    MemoryTable("orders", OrderRow), MemoryTable("order_waits", WaitRow), SKU_TABLES.stock, SKU_TABLES.delivery
)
CONFIG = {
    "channels": {"shop": {"system": "commercetools", "project_key": "shop"}, "mall": {"system": "bigcommerce"}},
    "warehouses": ["MAIN"],
    "products": [{"sku": "MUG", "channels": {"shop": "M1"}}],
    "settings": {"kafka": {"bootstrap": "broker:9092", "partitions": PARTITIONS}},
}


def place(key: str) -> int:
    return partition_of(key, PARTITIONS)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(shop(tmp_path, yaml.safe_dump(CONFIG)), {}).settings


@pytest.fixture
def engine() -> MemoryEngine:
    """Order shop:7, number A7: a parcel left and is on its way to a paused storefront."""
    engine = MemoryEngine(PARTITIONS)
    row, _ = play(personal(), answer("ALLOCATED"), left(9, parcel("p", "T-77", MUG=2)))
    release = released(row)
    release.answered, release.wms_id, release.status = release.version, "77", "ALLOCATED"
    delivery = TABLES.delivery

    def storefront(context: Any) -> None:
        shipment = ShipmentRow("shop", "7", "p", version=3, since=1000, attempts=2, intent=ShipIntent("ship", 4000, 3))
        context.put(delivery.shipments, shipment.key, shipment)
        context.put(delivery.pauses, "shop/", PauseRow("shop", "", "kim", "import", 1))
        context.put(delivery.polls, "shop", PollRow("shop", watermark=1_700_000_000_000))
        trouble = TroubleRow("despatch_gap", "shop:A7", "a parcel is not there yet", 5000)
        context.put(delivery.troubles, "shop/despatch_gap:shop:A7", trouble)
        context.put(delivery.shipments, "shop/70/x", ShipmentRow("shop", "70", "x", version=9))

    engine.run(place("shop:7"), lambda context: context.put(TABLES.orders, "shop:7", row))
    engine.run(place("shop"), storefront)
    engine.run(place("clarus"), lambda context: context.put(delivery.releases, "shop:7", release))
    lines = OrderLines({"1": Line(version=1, eaches=2, state="OPEN", warehouses=["MAIN"], reflected=1)})
    engine.run(place("MUG"), lambda context: context.put(TABLES.stock.lines, "MUG/shop:7", lines))
    return engine


class Workers(httpx.BaseTransport):
    """Workers by host; nobody listens elsewhere. `asked` are the paths."""

    def __init__(self, **workers: MemoryEngine) -> None:
        starts = {"shop": False, "mall": False, "clarus": False}
        self.asked: list[str] = []
        self._apps = {
            name: Starlette(
                routes=OrderStories(engine, TABLES, starts, ProductSettingsTree(), name, place, lambda: 10.0).routes()
            )
            for name, engine in workers.items()
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self._apps:
            raise httpx.ConnectError("Connection refused")
        self.asked.append(request.url.path)

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._apps[request.url.host])
            async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
                return await client.get(request.url.raw_path.decode())

        found = asyncio.run(ask())
        return httpx.Response(found.status_code, content=found.content)


def asked(settings: Settings, engine: MemoryEngine, word: str = "shop:7") -> order_ask.Asked:
    return order_ask.ask(settings, word, ["http://w"], Workers(w=engine))


class Topic:
    """Topics of one partition each by name; what is assigned is read to its end."""

    def __init__(self, **values: list[tuple[str, bytes]]) -> None:
        self._values, self._rest = values, list[Any]()

    def __call__(self, _: Mapping[str, Any]) -> "Topic":
        return self

    def list_topics(self, topic: str, timeout: float) -> Any:
        described = type("Described", (), {"error": None, "partitions": {0: None}})()
        return type("Listed", (), {"topics": {topic: described}})()

    def get_watermark_offsets(self, place: Any, timeout: float) -> tuple[int, int]:
        return 0, len(self._values.get(place.topic, []))

    def offsets_for_times(self, places: list[Any], timeout: float) -> list[Any]:
        for one in places:
            one.offset = 0
        return places

    def assign(self, places: list[Any]) -> None:
        rows = self._values.get(places[0].topic, [])
        self._rest = [Message(n, key, value) for n, (key, value) in enumerate(rows) if n >= max(0, places[0].offset)]

    def consume(self, _: int, timeout: float) -> list[Any]:
        rest, self._rest = self._rest, []
        return [*rest, Message(0, "", b"", KafkaError(KafkaError._PARTITION_EOF))]

    def close(self) -> None: ...


class Message:
    def __init__(self, offset: int, key: str, value: bytes, error: KafkaError | None = None) -> None:
        self.offset, self.key, self.value = lambda: offset, lambda: key.encode(), lambda: value
        self.error, self.partition = lambda: error, lambda: 0


def record(topic: Any, body: Record, at: int, event_id: str = "e:0", source: str = "shop") -> bytes:
    return CODECS[topic].encode(
        Event(event_id=event_id, occurred_at=at - 3000, received_at=at, source=source, body=body)
    )


def state(order_id: str, number: str, state: Any = "HELD", channel: str = "shop", reason: str = "") -> NormalisedOrder:
    reference = f"{channel}:{order_id}" if len(order_id) < 40 else "#" + "a" * 40
    return NormalisedOrder(
        channel=channel, order_id=order_id, number=number, reference=reference, state=state, reason=reason, version=1
    )


def test_a_worker_tells_everything_that_lies_here(settings: Settings, engine: MemoryEngine) -> None:
    found = asked(settings, engine)
    told = found.answer
    assert told.head is not None and (told.head.state, told.head.number) == ("ALLOCATED", "A7")
    assert [(x.peer, x.shown) for x in told.calls] == [("clarus", "goods out 77 ALLOCATED"), ("shop", "nothing there")]
    assert [(x.tracking, x.state) for x in told.parcels] == [("T-77", "told")]
    assert [x.exception_id for x in told.exceptions] == ["despatch_gap:shop:A7"]
    assert [x.what for x in told.awaits] == ["warehouse", "resume", "answer"]
    assert {sku: one.eaches for sku, one in found.lines.items()} == {"MUG": 1}
    assert found.missing == []


def test_asking_changes_nothing(settings: Settings, engine: MemoryEngine) -> None:
    before = [dict(rows) for rows in engine.rows]
    asked(settings, engine)
    assert ([dict(rows) for rows in engine.rows], engine.sent) == (before, [])


def test_two_workers_together_tell_all_of_it_and_one_alone_says_what_lacks(
    settings: Settings, engine: MemoryEngine
) -> None:
    def owning(*partitions: int) -> MemoryEngine:
        other = MemoryEngine(PARTITIONS)
        other.rows, other.lost = engine.rows, set(range(PARTITIONS)) - set(partitions)
        return other

    home = place("shop:7")
    rest = [number for number in range(PARTITIONS) if number != home]
    workers = Workers(a=owning(home), b=owning(*rest))
    both = order_ask.ask(settings, "shop:7", ["http://a", "http://b/"], workers)
    whole = asked(settings, engine)
    assert both.missing == [] and both.answer.head == whole.answer.head and both.lines == whole.lines
    assert sorted(both.answer.calls, key=str) == sorted(whole.answer.calls, key=str)
    alone = order_ask.ask(settings, "shop:7", ["http://a"], Workers(a=owning(home)))
    lacking = {line.partition(" lies")[0] for line in alone.missing}
    assert {"channel shop", "channel clarus"} - {
        f"channel {x}" for x in ("shop", "clarus") if place(x) == home
    } <= lacking


@pytest.mark.parametrize("word", ["A7", "shop:A7", "shop:7", "7"])
def test_an_order_is_found_by_key_id_and_number(
    word: str, settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [("mall:9", record(ORDERS_STATUS, state("9", "9", channel="mall"), 1)), ("x", b"foreign A7")]
    values += [("shop:7", record(ORDERS_STATUS, state("7", "A7"), 1))] * 2
    topic = Topic(**{ORDERS_STATUS.name: values})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    assert asked(settings, engine, word).answer.key == "shop:7"


def test_a_hashed_reference_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 60
    topic = Topic(**{ORDERS_STATUS.name: [("k", record(ORDERS_STATUS, state(long, "A8"), 1))]})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    assert order_ask.search(settings, "#" + "a" * 40) == [f"shop:{long}"]


def test_a_number_of_two_orders_names_both(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [(key, record(ORDERS_STATUS, state(key, "A1", channel=key), 1)) for key in ("shop", "mall")]
    topic = Topic(**{ORDERS_STATUS.name: values})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    with pytest.raises(Problem, match="A1 names 2 orders: mall:mall, shop:shop; say which one"):
        asked(settings, engine, "A1")


def test_what_is_nowhere_says_how_far_orders_are_known_and_what_to_try(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, Topic()))
    with pytest.raises(Problem) as caught:
        asked(settings, engine, "shop:404")
    text = "\n".join(caught.value.lines)
    for words in ("no SKU, listing or order shop:404", "orders of shop are known up to 2023-11-14", "CHANNEL:ID"):
        assert words in text


def test_an_order_that_is_only_to_be_fetched_is_known(settings: Settings, engine: MemoryEngine) -> None:
    fetch = FetchRow("shop", "8", 1, 4000)
    engine.run(place("shop"), lambda context: context.put(TABLES.delivery.fetches, fetch.key, fetch))
    answer = asked(settings, engine, "shop:8").answer
    assert answer.head is None and answer.known
    assert [one.detail for one in answer.awaits] == ["a notification named it 6 s ago: it is to be fetched"]


def test_a_key_of_no_channel_is_404(engine: MemoryEngine) -> None:
    with httpx.Client(transport=Workers(w=engine)) as client:
        found = client.get("http://w/why/order/nowhere%3A7")
        assert found.status_code == 404 and "CHANNEL:ID" in found.json()["error"]


def story(settings: Settings) -> order_story.Story:
    step = ExceptionStep(at=20_000, action="opened", actor="", reason="")
    gap = ExceptionState(
        exception_id="despatch_gap:shop:A7", type="despatch_gap", entity="shop:A7", owner="integration", state="OPEN",
        detail="a parcel is not there", opened_at=20_000, changed_at=20_000, history=[step],
    )  # fmt: skip
    topic = Topic(
        **{
            ORDERS_EVENTS.name: [
                ("shop:7", record(ORDERS_EVENTS, personal(paid=False), 10_000, "ingress.webhooks:1:5:0")),
                ("shop:8", record(ORDERS_EVENTS, personal(version=7), 10_500)),
                ("shop:7", record(ORDERS_EVENTS, personal(version=2, note="of Ada, new"), 11_000)),
                ("shop:7", record(ORDERS_EVENTS, answer("PENDING"), 11_000, source="clarus")),
            ],
            ORDERS_STATUS.name: [
                (
                    "shop:7",
                    record(ORDERS_STATUS, state("7", "A7", "HELD", reason="unpaid"), 10_000, "orders.events:0:0:1"),
                ),
                ("shop:7", record(ORDERS_STATUS, state("7", "A7", "RELEASING"), 11_000, "orders.events:0:2:1")),
                ("shop:7", record(ORDERS_STATUS, state("7", "A7", "RELEASED"), 11_000, "orders.events:0:3:1")),
            ],
            INTEGRATION_EXCEPTIONS.name: [("x", record(INTEGRATION_EXCEPTIONS, gap, 20_000))],
        }
    )
    return order_story.read_story(settings, "shop:7", ["shop:7", "shop:A7"], 50, 1_000, topic)


def test_every_event_is_followed_by_what_came_of_it(settings: Settings) -> None:
    found = story(settings)
    assert [(one.kind, one.text) for one in found.told] == [
        ("event", "v1, wanted, not paid, 2 lines, 3 units"),
        ("decision", "HELD: unpaid"),
        ("event", "v2, wanted, paid, 2 lines, 3 units, changed: payment not paid → paid, note"),
        ("decision", "RELEASING"),
        ("event", "goods out 1 PENDING"),
        ("decision", "RELEASED"),
        ("exception", "despatch_gap opened: a parcel is not there"),
    ]
    assert found.gaps == []
    assert (found.told[0].source, found.told[0].place, found.told[0].cause) == (
        "shop",
        "orders.events:0:0",
        "ingress.webhooks:1:5",
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_screen_has_all_of_it_and_no_personal_data(width: int, settings: Settings, engine: MemoryEngine) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    order_show.show(console, asked(settings, engine), story(settings))
    shown = stream.getvalue()
    plain = " ".join(shown.split())
    for words in (
        "shop:7", "ALLOCATED", "number A7", "not shown here: address, note, gift message", "picks it",
        "shop is paused by kim: import", "despatch_gap:shop:A7", "T-77", "goods out 77 ALLOCATED", "Counts against stock: 1 eaches",
        "→ HELD: unpaid", "goods out 1 PENDING",
    ):  # fmt: skip
        assert words in plain, words
    assert [word for word in SECRETS if word in shown] == []
    assert max(map(len, shown.splitlines())) <= width
    assert ("orders.events:0:3" in shown) == (width > 80)


def test_json_is_the_same_without_personal_data(settings: Settings, engine: MemoryEngine) -> None:
    plain = order_ask.as_plain(asked(settings, engine))
    text = str(plain)
    assert [word for word in SECRETS if word in text] == []
    assert isinstance(plain["answer"], dict) and plain["answer"]["head"]["given"] == ["address", "note", "gift message"]
    assert OrderAnswer.__struct_fields__ == tuple(plain["answer"])


def test_a_release_row_alone_is_enough_to_know_an_order(settings: Settings) -> None:
    engine = MemoryEngine(PARTITIONS)
    row = ReleaseRow("mall:5", "mall:5", version=1, answered=1, wms_id="9", status="COMPLETED")
    engine.run(place("clarus"), lambda context: context.put(TABLES.delivery.releases, "mall:5", row))
    told = asked(settings, engine, "mall:5").answer
    assert told.known and told.head is None and told.calls[0].shown == "goods out 9 COMPLETED"
