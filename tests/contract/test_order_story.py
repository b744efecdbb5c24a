"""The story of an order read from the topics of every broker: the order's records and no others, the newest kept, from both ends of a long log."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from app import kafka, topics
from app.config import load
from app.engine import partition_of
from app.settings import Settings
from app.why.log import FIRST_WINDOW, LogReader
from app.why.order_ask import search
from app.why.order_story import read_story
from schemas.catalogue import INTEGRATION_EXCEPTIONS, ORDERS_EVENTS, ORDERS_STATUS, Topic
from schemas.codec import Codecs
from schemas.records import Event, ExceptionState, ExceptionStep, NormalisedOrder, Record, WarehouseOrder
from tests.brokers import TestBroker
from tests.contract.test_replay import configured

CODECS = Codecs()
KEY = "shop:7"


@pytest.fixture
def settings(broker: TestBroker, tmp_path: Path) -> Settings:
    found = load(configured(broker, tmp_path), {}).settings
    assert topics.ensure(found).ok
    return found


class Log:
    """Writes records; a transaction where the broker has them."""

    def __init__(self, settings: Settings) -> None:
        self._given, self._count = settings.settings.kafka, 0
        self._partitions = settings.settings.kafka.partitions
        self._sound = settings.settings.engine.guarantee == "exactly_once"
        more = {"transactional.id": f"{self._given.topic_prefix}test"} if self._sound else {}
        self._producer = Producer(kafka.producer(self._given, more))
        if self._sound:
            self._producer.init_transactions(30)

    def write(self, *given: tuple[Topic, str, Record, int]) -> None:
        if self._sound:
            self._producer.begin_transaction()
        for topic, key, body, at in given:
            self._count += 1
            event = Event(event_id=f"e{self._count}:0", occurred_at=at, received_at=at, source="test", body=body)
            place: dict[str, Any] = {"partition": partition_of(key, self._partitions)}
            self._producer.produce(
                kafka.topic(self._given, topic.name), CODECS[topic].encode(event), key.encode(), **place
            )
            self._producer.poll(0)
        if self._sound:
            self._producer.commit_transaction(60)
        else:
            assert self._producer.flush(60) == 0


def answer(wms_id: str) -> WarehouseOrder:
    return WarehouseOrder(reference=KEY, status="PENDING", wms_id=wms_id)


def state(state: Any) -> NormalisedOrder:
    return NormalisedOrder(channel="shop", order_id="7", number="A-7", reference=KEY, state=state, reason="", version=1)


def test_an_orders_story_is_read_from_every_broker(settings: Settings) -> None:
    log = Log(settings)
    step = ExceptionStep(at=5, action="opened", actor="", reason="")
    opened = ExceptionState(
        exception_id="stuck_order:shop:A-7", type="stuck_order", entity="shop:A-7", owner="operations", state="OPEN",
        detail="it does not move", opened_at=5, changed_at=5, history=[step],
    )  # fmt: skip
    log.write(
        (ORDERS_EVENTS, KEY, answer("1"), 1),
        (ORDERS_EVENTS, "shop:8", answer("8"), 2),
        (ORDERS_STATUS, KEY, state("RELEASED"), 3),
        (INTEGRATION_EXCEPTIONS, opened.exception_id, opened, 5),
    )
    log.write((ORDERS_EVENTS, KEY, answer("2"), 4))
    found = read_story(settings, KEY, [KEY, "shop:A-7"], 50, 0)
    assert [one.text for one in found.told] == [
        "goods out 1 PENDING",
        "RELEASED",
        "goods out 2 PENDING",
        "stuck_order opened: it does not move",
    ]
    assert found.gaps == []
    assert search(settings, "A-7") == search(settings, "shop:A-7") == [KEY] and search(settings, "A-8") == []


def test_a_long_log_is_read_from_both_ends_and_the_newest_are_kept(settings: Settings) -> None:
    log, home = Log(settings), partition_of(KEY, settings.settings.kafka.partitions)
    other = next(f"shop:{n}" for n in range(100, 200) if partition_of(f"shop:{n}", 2) == home)
    filler = [(ORDERS_EVENTS, other, answer("x"), 2)] * (2 * FIRST_WINDOW)
    log.write((ORDERS_EVENTS, KEY, answer("first"), 1), *filler)
    log.write(*filler, *((ORDERS_EVENTS, KEY, answer(str(n)), 3) for n in range(5)))

    def read(count: int, since: int | None) -> tuple[list[str], bool]:
        reader = LogReader(settings.settings.kafka, "test", 30)
        try:
            tail = reader.tail(ORDERS_EVENTS.name, home, {KEY.encode()}, count, since)
        finally:
            reader.close()
        return [CODECS[ORDERS_EVENTS].decode(one.value()).body.wms_id for one in tail.messages], tail.whole

    assert read(50, None) == (["first", "0", "1", "2", "3", "4"], True)
    assert read(50, 0) == (["first", "0", "1", "2", "3", "4"], True)
    assert read(3, None) == (["2", "3", "4"], False)
