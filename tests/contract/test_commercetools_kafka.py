"""The simulated subscription's Kafka destination, on the bundled broker: what arrives in the topic means the order to our intake."""

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from app.connectors.commercetools import CommercetoolsIntake
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.simulators.base import Fault
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from schemas.records import FetchOrder, OrderSnapshot, RawNotification
from tests.contract.storefronts import until
from tests.support.bundled import bundled_broker

TOPIC, PARTITIONS = "from-commercetools", 2


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with bundled_broker() as (address, _):
        admin = AdminClient({"bootstrap.servers": address})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(20)
        yield address


def everything(broker: str, count: int) -> list[bytes]:
    """The first `count` records of the topic."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": uuid4().hex})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    found, deadline = list[bytes](), time.monotonic() + 30
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records arrived"
            if (message := consumer.poll(0.2)) is not None and message.error() is None:
                found.append(message.value() or b"")
    finally:
        consumer.close()
    return found


async def test_what_arrives_in_the_topic_means_the_orders_also_when_doubled(broker: str) -> None:
    simulator = CommercetoolsSimulator("shop", 4, order_lag=(0.0, 0.2))
    await simulator.start()
    simulator.connect_kafka(broker, TOPIC, {})
    settings = CommercetoolsSettings(**simulator.connection())
    assert (settings.kafka_bootstrap, settings.kafka_topic, settings.kafka_security) == (broker, TOPIC, {})
    simulator.faults.add(Fault("webhook", time.monotonic() + 60, duplicate=1.0, reorder=0.5, delay=(0.0, 0.1)))
    placed = [await simulator.place(NewOrder(f"A{n}", [NewLine("free", n)])) for n in (1, 2, 3)]
    await simulator.cancel("A2")
    await until(lambda: simulator.notifier.pending == 0, 30)
    assert all(note.answered and note.tries == 2 for note in simulator.notifier.sent)
    bodies = await asyncio.to_thread(everything, broker, 1 + 2 * 4)
    await simulator.stop()
    intake = CommercetoolsIntake("shop", settings)
    meanings = [
        meaning
        for body in bodies
        for meaning in intake.parse(RawNotification(channel="shop", route="kafka", headers={}, body=body))
    ]
    ids = [m.order_id for m in meanings if isinstance(m, (OrderSnapshot, FetchOrder))]
    assert sorted(ids) == sorted([order.order_id for order in placed for _ in range(2)] + [placed[1].order_id] * 2)
    whole = {m.number: m.lines[0].quantity for m in meanings if isinstance(m, OrderSnapshot)}
    assert whole.items() <= {"A1": 1, "A2": 2, "A3": 3}.items()


async def test_a_destination_that_is_away_is_tried_again_and_stopping_does_not_hang() -> None:
    simulator = CommercetoolsSimulator("shop", 4, order_lag=(0.0, 0.0))
    await simulator.start()
    simulator.connect_kafka("127.0.0.1:1", TOPIC, {})
    await simulator.place(NewOrder("A1", [NewLine("free", 1)]))
    assert simulator.notifier.pending == 1
    assert not simulator.quiet()
    await asyncio.wait_for(simulator.stop(), 10)
    assert not simulator.notifier.sent[0].answered
