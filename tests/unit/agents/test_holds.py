"""Orders that wait for a mapping: judged again when the mappings change, once, over restarts, a few at a time."""

from dataclasses import replace

import pytest

from agents import holds as module
from agents.holds import HoldRow, Holds, JudgedRow
from agents.orders import Orders
from agents.returns import Returns
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    Event,
    ExceptionCommand,
    ExceptionState,
    NormalisedOrder,
    OrderLine,
    OrderSnapshot,
    Record,
    ReleaseOrder,
)
from tables.catalogue import Catalogue, Listing, Product
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.orders.rules import CarrierService, Rules
from tables.returns.fold import ReturnRules
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryEngine, MemoryRecord, MemoryTable

CODECS = Codecs()
OLD = Catalogue([Product("MUG", listings=(Listing("shop", "M1", "MUG"),))], [], ["MAIN"])
NEW = Catalogue([Product("MUG", listings=(Listing("shop", "M1", "MUG"), Listing("shop", "X", "MUG")))], [], ["MAIN"])
BEFORE = OrdersForce(Rules(OLD, {"standard": CarrierService("DPD", "2D")}), version="1")
AFTER = OrdersForce(replace(BEFORE.rules, catalogue=NEW), version="2", actor="ada", reason="new range")


def order(number: int, sku: str = "X", status: str = "", unmapped: bool = False) -> OrderSnapshot:
    line = OrderLine(line_id="1", sku=sku, quantity=1, tracked=True, taken_from=5, taken_to=5)
    return OrderSnapshot(
        channel="shop", order_id=f"{number:04d}", number=f"{number:04d}", version=1, state="OPEN", status=status, paid=True, unmapped=unmapped,
        created_at=5, modified_at=5, lines=[line], shipping_method="standard", collected=True,
    )  # fmt: skip


class Worker:
    """The agent in one partition of an engine that outlives it."""

    def __init__(self, engine: MemoryEngine, force: OrdersForce) -> None:
        self.engine = engine
        held = Holds(MemoryTable("held", HoldRow), MemoryTable("judged", JudgedRow))
        rows = MemoryTable("orders", OrderRow), MemoryTable("waits", WaitRow)
        returns = Returns(ReturnRules(force.rules.catalogue), MemoryTable("returns", OrderReturns))
        self.agent = Orders(force, CODECS, *rows, lambda _: 0, engine.partitions, held, returns)

    def fold(self, *bodies: OrderSnapshot | ExceptionCommand) -> list[Record]:
        start = len(self.engine.sent)
        records = []
        for offset, body in enumerate(bodies):
            key = f"shop:{body.order_id}" if isinstance(body, OrderSnapshot) else body.exception_id.partition(":")[2]
            event = Event(event_id="e", occurred_at=3, received_at=4, source="shop", body=body)
            records.append(MemoryRecord(key.encode(), CODECS[topics.ORDERS_EVENTS].encode(event), offset))
        self.engine.fold(self.agent.fold, 0, "orders.events", records)
        return self._since(start)

    async def tick(self) -> list[Record]:
        start = len(self.engine.sent)
        await self.engine.submit(0, self.agent.tick)
        return self._since(start)

    def _since(self, start: int) -> list[Record]:
        by_name = {topic.name: CODECS[topic] for topic in topics.TOPICS}
        return [by_name[one.topic].decode(one.value).body for one in self.engine.sent[start:]]


def released(sent: list[Record]) -> list[str]:
    return [one.number for one in sent if isinstance(one, ReleaseOrder)]


async def test_what_waits_is_released_once_when_the_mapping_comes() -> None:
    worker = Worker(MemoryEngine(), BEFORE)
    sent = worker.fold(order(1), order(2, "M1"), order(3))
    assert released(sent) == ["0002"]
    assert await worker.tick() == [], "they were judged under these mappings already"
    worker.agent.use(AFTER)
    sent = await worker.tick()
    assert released(sent) == ["0001", "0003"]
    assert [one.state for one in sent if isinstance(one, NormalisedOrder)] == ["RELEASING", "RELEASING"]
    states = [one for one in sent if isinstance(one, ExceptionState)]
    assert [one.state for one in states] == ["RESOLVED", "RESOLVED"]
    assert {(one.actor, one.reason) for one in states} == {("ada", "mappings 2: new range")}
    assert states[0].history[-1].actor == "ada" and states[0].history[-1].action == "resolved"
    assert await worker.tick() == []
    worker.agent.use(replace(AFTER, version="3"))
    assert await worker.tick() == [], "at the warehouse's door already"


async def test_a_worker_that_was_down_catches_up() -> None:
    engine = MemoryEngine()
    worker = Worker(engine, BEFORE)
    worker.fold(order(1))
    await worker.tick()
    assert released(await Worker(engine, AFTER).tick()) == ["0001"]


async def test_many_are_judged_a_few_at_a_time_and_those_of_a_newer_mapping_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    worker = Worker(MemoryEngine(), BEFORE)
    worker.fold(*(order(number) for number in range(5)))
    await worker.tick()
    worker.agent.use(AFTER)
    assert released(await worker.tick()) == ["0000", "0001"]
    worker = Worker(worker.engine, replace(AFTER, version="3"))
    rounds = [released(await worker.tick()) for _ in range(4)]
    assert rounds == [["0002", "0003"], ["0004"], [], []]


async def test_a_mapping_that_does_not_help_changes_nothing() -> None:
    worker = Worker(MemoryEngine(), BEFORE)
    worker.fold(order(1, "Z"))
    worker.agent.use(AFTER)
    assert await worker.tick() == []
    assert released(worker.fold(replace_sku(order(1), "M1"))) == ["0001"], "the storefront mends it"
    worker.agent.use(replace(AFTER, version="3"))
    assert await worker.tick() == []


def replace_sku(seen: OrderSnapshot, sku: str) -> OrderSnapshot:
    seen.lines[0].sku, seen.version = sku, 2
    return seen


async def test_an_order_of_a_location_that_nobody_serves_waits_for_its_mapping() -> None:
    worker = Worker(MemoryEngine(), replace(BEFORE, rules=replace(BEFORE.rules, catalogue=located("berlin"))))
    berlin, paris = order(1, "M1"), order(2, "M1")
    berlin.lines[0].location, paris.lines[0].location = "berlin", "paris"
    sent = worker.fold(berlin, paris)
    assert [one.warehouse for one in sent if isinstance(one, ReleaseOrder)] == ["NORTH"]
    [told] = [one for one in sent if isinstance(one, ExceptionState)]
    assert (told.type, told.owner) == ("unmapped_location", "ecommerce") and "location paris of shop" in told.detail
    rules = replace(BEFORE.rules, catalogue=located("berlin", "paris"))
    worker.agent.use(replace(BEFORE, rules=rules, version="2"))
    assert released(await worker.tick()) == ["0002"]


def located(*names: str) -> Catalogue:
    return Catalogue(OLD.products.values(), [], ["MAIN", "NORTH"], None, {("shop", name): ("NORTH",) for name in names})


async def test_a_retry_and_a_mapping_at_once_release_it_once() -> None:
    worker = Worker(MemoryEngine(), BEFORE)
    worker.fold(order(1))
    worker.agent.use(AFTER)
    command = ExceptionCommand(channel="", exception_id="unmapped_sku:shop:0001", action="retry", actor="a", reason="r")
    assert released(worker.fold(command) + await worker.tick() + worker.fold(command)) == ["0001"]


async def test_a_status_that_is_mapped_later_gets_its_meaning() -> None:
    worker = Worker(MemoryEngine(), BEFORE)
    assert released(worker.fold(order(1, "M1", "B2B", unmapped=True))) == []
    worker.agent.use(replace(BEFORE, meanings={("shop", "B2B"): "cancelled"}, version="2"))
    sent = await worker.tick()
    assert [one.state for one in sent if isinstance(one, NormalisedOrder)] == ["CANCELLED"] and released(sent) == []
    assert released(worker.fold(order(2, "M1", "OK", unmapped=True))) == []
    worker.agent.use(replace(BEFORE, meanings={("shop", "OK"): "wanted"}, version="3"))
    assert released(await worker.tick()) == ["0002"]
    assert released(worker.fold(order(3, "M1", "OK", unmapped=True))) == ["0003"], "and at once from then on"
