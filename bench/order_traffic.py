"""Orders as a commercetools subscription writes them, at an even pace, and the commands that follow, seen as a read_committed consumer sees them. One clock."""

import asyncio
import json
import random
import threading
import time
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from app.engine import partition_of
from app.simulators.base import now_ms
from app.simulators.commercetools.documents import Doc, iso
from app.simulators.commercetools.simulator import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from bench.order_cover import Cover, NotCovered
from schemas.catalogue import CHANNEL_COMMANDS
from schemas.codec import Codecs
from schemas.records import StockTarget


class _Recorder:
    """A destination that keeps the messages about orders."""

    def __init__(self) -> None:
        self.orders: list[Doc] = []

    async def deliver(self, envelope: bytes) -> bool:
        doc = json.loads(envelope)
        if "order" in doc:
            self.orders.append(doc)
        return True

    async def close(self) -> None:
        return


async def _sample() -> Doc:
    """A notification that an order was created, with the whole order, as the simulated project writes it."""
    simulator, recorder = CommercetoolsSimulator("ct", 1, order_lag=(0.0, 0.0)), _Recorder()
    simulator.subscribe(recorder)
    simulator.add_listing("SKU")
    await simulator.set_stock("SKU", 100)
    while not recorder.orders:  # now and then the platform leaves the order out of a message
        await simulator.place(NewOrder("", [NewLine("SKU", 1)]))
        await asyncio.sleep(0.01)
    await simulator.stop()
    return recorder.orders[0]


class Orders:
    """Notifications of new orders of one line, all of them different orders."""

    def __init__(self) -> None:
        self._doc = asyncio.run(_sample())
        self._order = self._doc["order"]
        self._line = self._order["lineItems"][0]
        self._encode = msgspec.json.Encoder().encode
        self._count = 0

    def next(self, sku: str, units: int, paid: bool) -> bytes:
        """One order, placed now."""
        self._count += 1
        identity, now = f"{self._count:08x}-0000-4000-8000-000000000000", iso(now_ms())
        number = f"B-{self._count}"
        self._doc["resource"]["id"] = self._order["id"] = identity
        self._doc["resourceUserProvidedIdentifiers"]["orderNumber"] = self._order["orderNumber"] = number
        for doc in (self._doc, self._order):
            doc["createdAt"] = doc["lastModifiedAt"] = now
        self._order["paymentState"] = "Paid" if paid else "Pending"
        self._line["variant"]["sku"], self._line["quantity"] = sku, units
        return self._encode(self._doc)


class Traffic:
    """Feeds orders of the channel `ct`, of random SKUs, into the topic of its subscription; a thread watches the commands that follow."""

    def __init__(self, bootstrap: str, source: str, skus: list[str], partitions: int) -> None:
        self._bootstrap, self._source, self._skus = bootstrap, source, skus
        self._places = {partition_of(channel, partitions) for channel in ("ct", "bc", "clarus")}
        self._orders, self._chance = Orders(), random.Random(7)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "acks": "all"})
        self._ended = threading.Event()
        self._failure: NotCovered | None = None
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self.cover = Cover()
        self.opened: set[str] = set()
        """Listings with a stock command."""
        self.paid = self.releases = 0
        """Paid orders sent, and releases seen."""
        self.latencies: list[tuple[float, float]] = []
        """When the order left, and how long it took."""

    def start(self) -> None:
        """Watch from the beginning of the topic."""
        self._thread.start()

    def feed(self, rate: int, seconds: float, paid: bool) -> None:
        """So many orders a second for so long, evenly."""
        began, fed, most = time.perf_counter(), 0, int(rate * seconds)
        while fed < most:
            due = min(most, int((time.perf_counter() - began) * rate))
            for _ in range(due - fed):
                self._send(paid)
            fed = due
            self._producer.poll(0)
            self.check()
            time.sleep(0.001)

    def _send(self, paid: bool) -> None:
        sku = self._chance.choice(self._skus)
        units = self.cover.send(sku, time.perf_counter())
        self.paid += paid
        self._producer.produce(self._source, self._orders.next(sku, units, paid))

    def settle(self, seconds: float) -> float:
        """Wait until every order is in a stock command, every paid one in a release; how long that took. RuntimeError where it takes longer."""
        began = time.perf_counter()
        if self._producer.flush(seconds):
            raise RuntimeError("the broker did not take every order")
        while self.cover.under_way or self.releases < self.paid:
            self.check()
            if time.perf_counter() - began > seconds:
                missing = f"{self.cover.under_way:,} of {self.cover.sent:,} orders are in no stock command"
                raise RuntimeError(
                    f"{missing}, {self.releases:,} of {self.paid:,} are released, {seconds:g} s after the last"
                )
            time.sleep(0.01)
        return time.perf_counter() - began

    def check(self) -> None:
        """Raise what the watcher found wrong."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "order-to-command",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        consumer.assign([TopicPartition(CHANNEL_COMMANDS.name, place, 0) for place in self._places])
        decode = Codecs()[CHANNEL_COMMANDS].decode
        try:
            while not self._ended.is_set():
                first = consumer.poll(0.2)
                if first is not None:
                    self._note([first, *consumer.consume(5_000, 0)], decode)
        except NotCovered as failure:
            self._failure = failure
        finally:
            consumer.close()

    def _note(self, messages: list[Any], decode: Any) -> None:
        now = time.perf_counter()
        for message in messages:
            key = message.key() or b""
            if message.error() is not None:
                continue
            if key.startswith(b"order/"):
                self.releases += 1
            elif key.startswith(b"stock/"):
                body: StockTarget = decode(message.value()).body
                self.opened.add(body.listing)
                if body.channel == "bc":
                    sent = self.cover.see(body.sku, body.version, body.inc)
                    self.latencies.extend((at, now - at) for at in sent)
