"""Workers that tell the story of an order, asked from outside, and topics that answer from memory."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from confluent_kafka import KafkaError
from starlette.applications import Starlette

from app.engine.murmur import partition_of
from app.settings import ProductSettingsTree, Settings
from app.why import order_ask
from app.why.order_worker import OrderStories, OrderTables
from schemas.codec import Codecs
from schemas.records import Event, NormalisedOrder, Record
from tables.finance.rows import MoneyRow
from tables.orders.rows import OrderRow, WaitRow
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryEngine, MemoryTable
from tests.unit.why.test_worker import TABLES as SKU_TABLES

PARTITIONS = 4
CODECS = Codecs()
TABLES = OrderTables(
    MemoryTable("orders", OrderRow),
    MemoryTable("order_waits", WaitRow),
    MemoryTable("money", MoneyRow),
    MemoryTable("returns", OrderReturns),
    SKU_TABLES.stock,
    SKU_TABLES.delivery,
)
CONFIG = {
    "channels": {"shop": {"system": "commercetools", "project_key": "shop"}, "mall": {"system": "bigcommerce"}},
    "warehouses": ["MAIN"],
    "products": [{"sku": "MUG", "channels": {"shop": "M1"}}],
    "settings": {"kafka": {"bootstrap": "broker:9092", "partitions": PARTITIONS}},
}


def place(key: str) -> int:
    return partition_of(key, PARTITIONS)


CHANNELS: dict[str, dict[str, Any]] = {}
"""What the owners of channels say of themselves."""


class Workers(httpx.BaseTransport):
    """Workers by host; nobody listens elsewhere. `asked` are the paths."""

    def __init__(self, **workers: MemoryEngine) -> None:
        starts = {"shop": False, "mall": False, "clarus": False}
        self.asked: list[str] = []
        self._apps = {
            name: Starlette(
                routes=OrderStories(
                    engine, TABLES, starts, lambda: CHANNELS, ProductSettingsTree(), name, place, lambda: 10.0
                ).routes()
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
