"""The INTAKE and ORDERS agents over an engine in memory: where each record goes, in which order, and that a replay gives the same bytes."""

from agents.holds import HoldRow, Holds, JudgedRow
from agents.intake import Intake
from agents.orders import Orders
from agents.returns import Returns
from schemas import catalogue as topics
from schemas.catalogue import Topic
from schemas.codec import Codecs
from schemas.records import (
    Address,
    Event,
    FetchOrder,
    OrderLine,
    OrderSnapshot,
    OrderWatermark,
    RawNotification,
    ReadStock,
    Record,
    WarehouseDespatch,
    WarehouseParcel,
    Watermark,
)
from tables.catalogue import Catalogue, Listing, Product
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.orders.rules import Rules
from tables.returns.fold import ReturnRules
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryBatch, MemoryEngine, MemoryRecord, MemoryTable, Sent

CODECS = Codecs()
CATALOGUE = Catalogue([Product("MUG", listings=(Listing("shop", "M1", "MUG"),))], [], ["MAIN"])


def place(channel: str) -> int:
    return {"shop": 1, "clarus": 2}[channel]


def order() -> OrderSnapshot:
    line = OrderLine(line_id="1", sku="M1", quantity=2, tracked=True, taken_from=5, taken_to=5)
    return OrderSnapshot(
        channel="shop", order_id="7", number="A7", version=1, state="OPEN", status="", paid=True, created_at=5, modified_at=5, lines=[line],
        address=Address(name="Ann Lee", line1="1 High St", city="Leeds", postcode="LS1 1AA", country="GB"),
    )  # fmt: skip


def written(topic: Topic, body: Record, key: str, offset: int = 0) -> MemoryRecord:
    event = Event(event_id="e", occurred_at=3, received_at=4, source="shop", trace="00-1-1-01", body=body)
    return MemoryRecord(key.encode(), CODECS[topic].encode(event), offset)


def bodies(sent: list[Sent], topic: Topic) -> list[Record]:
    return [CODECS[topic].decode(one.value).body for one in sent if one.topic == topic.name]


def orders_agent(engine: MemoryEngine) -> Orders:
    return Orders(
        OrdersForce(Rules(CATALOGUE, {})),
        CODECS,
        MemoryTable("orders", OrderRow),
        MemoryTable("waits", WaitRow),
        place,
        engine.partitions,
        Holds(MemoryTable("held", HoldRow), MemoryTable("judged", JudgedRow)),
        Returns(ReturnRules(CATALOGUE), MemoryTable("returns", OrderReturns)),
    )


def test_an_order_becomes_demand_a_release_and_a_public_state_and_its_watermark_comes_after() -> None:
    engine = MemoryEngine()
    records = [
        written(topics.ORDERS_EVENTS, order(), "shop:7", 10),
        written(topics.ORDERS_EVENTS, OrderWatermark(channel="shop", up_to=99), "watermark", 11),
    ]
    engine.fold(orders_agent(engine).fold, 3, topics.ORDERS_EVENTS.name, records)
    inventory = [one for one in engine.sent if one.topic == topics.INVENTORY_EVENTS.name]
    assert [one.key for one in inventory] == ["MUG", *["watermark/shop"] * 4]
    marks = bodies(inventory, topics.INVENTORY_EVENTS)[1:]
    assert marks == [Watermark(channel="shop", order_partition=3, up_to=99)] * 4
    assert [one.partition for one in inventory] == [None, 0, 1, 2, 3]
    (command,) = [one for one in engine.sent if one.topic == topics.CHANNEL_COMMANDS.name]
    assert (command.key, command.partition) == ("order/shop:7", place("clarus"))
    (status,) = [one for one in engine.sent if one.topic == topics.ORDERS_STATUS.name]
    assert status.key == "shop:7"
    assert status.headers is not None
    assert status.headers["traceparent"] == "00-1-1-01"
    assert status.headers["ce_type"] == "clarus.stream.NormalisedOrder"


def test_a_despatch_whose_order_does_not_come_is_said_in_time_and_joined_when_it_does() -> None:
    engine = MemoryEngine()
    agent = orders_agent(engine)
    parcel = WarehouseParcel(parcel_id="1", tracking="T", lines={"MUG": 2})
    left = WarehouseDespatch(reference="shop:7", wms_id="1", read_at=5, complete=True, parcels=[parcel])
    engine.fold(agent.fold, 3, topics.ORDERS_EVENTS.name, [written(topics.ORDERS_EVENTS, left, "shop:7", 10)])
    engine.now_ms = lambda: 4 + 900_000
    engine.run(3, agent.tick)
    assert bodies(engine.sent, topics.INTEGRATION_EXCEPTIONS) == []
    engine.now_ms = lambda: 4 + 900_001
    engine.run(3, agent.tick)
    engine.run(3, agent.tick)
    engine.fold(agent.fold, 3, topics.ORDERS_EVENTS.name, [written(topics.ORDERS_EVENTS, order(), "shop:7", 11)])
    said = [(one.type, one.state) for one in bodies(engine.sent, topics.INTEGRATION_EXCEPTIONS)]  # type: ignore[attr-defined]
    assert said == [("early_fulfilment", "OPEN"), ("early_fulfilment", "RESOLVED")]
    (command,) = [one for one in engine.sent if one.topic == topics.CHANNEL_COMMANDS.name]
    assert (command.key, command.partition) == ("ship/shop:7/1", place("shop"))


def test_a_replay_of_the_same_records_gives_the_same_bytes() -> None:
    def run() -> list[Sent]:
        engine = MemoryEngine()
        engine.fold(
            orders_agent(engine).fold,
            0,
            topics.ORDERS_EVENTS.name,
            [written(topics.ORDERS_EVENTS, order(), "shop:7", 10)],
        )
        return engine.sent

    assert run() == run()


def test_a_record_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() -> None:
    engine = MemoryEngine()
    records = [MemoryRecord(b"shop:7", b"nonsense"), written(topics.ORDERS_EVENTS, order(), "shop:7", 1)]
    batch = MemoryBatch(engine, 0, topics.ORDERS_EVENTS.name, records)
    with batch:
        orders_agent(engine).fold(batch)
    ((record, reason),) = batch.dead
    assert record.value == b"nonsense"
    assert "orders.events" in reason
    assert bodies(engine.sent, topics.ORDERS_STATUS)


def notification(channel: str, body: bytes) -> MemoryRecord:
    return written(
        topics.INGRESS_WEBHOOKS, RawNotification(channel=channel, route="", headers={}, body=body), f"{channel}/x"
    )


def test_notifications_become_orders_fetches_and_reads_under_the_keys_of_their_owners() -> None:
    meanings = {
        b"whole": [order()],
        b"thin": [FetchOrder(channel="shop", order_id="9")],
        b"stock": [ReadStock(channel="clarus", sku="MUG", reason="webhook")],
        b"noise": [],
    }

    def parse(raw: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        if raw.body not in meanings:
            raise ValueError("not readable")
        return meanings[raw.body]  # type: ignore[return-value]

    engine = MemoryEngine()
    agent = Intake({"shop": parse, "clarus": parse}, CODECS, place)
    records = [
        notification("shop", b"whole"),
        notification("shop", b"thin"),
        notification("clarus", b"stock"),
        notification("shop", b"noise"),
        notification("shop", b"garbage"),
        notification("gone", b"whole"),
    ]
    batch = MemoryBatch(engine, 0, topics.INGRESS_WEBHOOKS.name, records)
    with batch:
        agent.fold(batch)
    assert [(one.topic, one.key, one.partition) for one in engine.sent] == [
        ("orders.events", "shop:7", None),
        ("channel.commands", "fetch/shop/9", 1),
        ("channel.commands", "read/MUG", 2),
    ]
    assert [reason for _, reason in batch.dead] == [
        "not readable",
        "no channel 'gone' in the configuration: add it, or remove its webhook",
    ]
