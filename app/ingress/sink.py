"""Where notifications become durable: a batching, idempotent producer whose delivery reports are awaited. It knows neither HTTP nor peers."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app import kafka, metrics
from app.settings import KafkaSettings

log = structlog.get_logger(__name__)

DELIVERY_TIMEOUT_S = 10.0
"""A record that is not durable after this is given up, and its sender is told to come again."""


class NotTaken(Exception):
    """Kafka did not take the record in time; it may or may not have been written. The sender keeps it and sends it again."""


class Sink(Protocol):
    """Takes records for one topic."""

    @property
    def ready(self) -> bool:
        """Is Kafka taking records as far as is known?"""
        ...

    async def put(self, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Return when the record is durable on all replicas in sync. `NotTaken` where it is not."""
        ...


_RENEWING = frozenset(
    {
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError._FENCED,
        KafkaError._FATAL,
    }
)
"""After these a producer does not recover by itself on every broker (the bundled one fences it for ever after a stall)."""

Outcome = tuple["asyncio.Future[None]", KafkaError | None]


class KafkaSink:
    """A `Sink` on librdkafka. Many records are in flight at once; a thread of its own serves the delivery reports."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        max_value: int,
        *,
        timeout: float = DELIVERY_TIMEOUT_S,
        make: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._timeout = timeout
        self._topic = kafka.topic(settings, topic)
        self._config = kafka.producer(
            settings,
            {
                "client.id": "clarus-stream-ingress",
                "message.max.bytes": max(1_000_000, max_value + 65_536),
                "delivery.timeout.ms": round(timeout * 1000),
                "queue.buffering.max.kbytes": 131_072,
                "error_cb": self._on_error,
            },
        )
        self._make = make
        self._producer = make(self._config)
        self._down = True
        self._renew = threading.Event()
        self._ending = threading.Event()
        self._outcomes: list[Outcome] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="ingress sink", daemon=True)
        self._prober: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """The topic was seen, and no error since says that every broker is away."""
        return not self._down

    async def start(self) -> None:
        """Serve from now on; `ready` follows as soon as the topic is seen."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._prober = asyncio.create_task(self._probe(), name="ingress sink probe")

    async def put(self, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """See `Sink`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        producer = self._producer

        def delivered(error: KafkaError | None, _: Message) -> None:
            self._outcomes.append((future, error))
            if error is not None and error.code() in _RENEWING and producer is self._producer:
                self._renew.set()

        try:
            producer.produce(self._topic, value, key, on_delivery=delivered, headers=headers)
        except (BufferError, KafkaException) as error:
            raise NotTaken(str(error)) from error
        metrics.INGRESS_IN_FLIGHT.inc()
        try:
            await future
        finally:
            metrics.INGRESS_IN_FLIGHT.dec()

    async def stop(self) -> None:
        """Wait until everything handed over is durable or given up, then end."""
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)
        left = await asyncio.to_thread(self._producer.flush, self._timeout)
        if left:
            log.warning("records were not durable when ingress ended; their senders were not answered", records=left)
        self._ending.set()
        await asyncio.to_thread(self._thread.join, 5.0)

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._producer.poll(0.1)
            if self._renew.is_set():
                self._replace()
            if self._outcomes and self._loop is not None:
                outcomes, self._outcomes = self._outcomes, []
                self._loop.call_soon_threadsafe(self._settle, outcomes)

    def _replace(self) -> None:
        """Give up the producer with what it still holds (its senders come again) and make a new one."""
        log.warning("the producer was refused by the broker and is replaced")
        old, self._producer = self._producer, self._make(self._config)
        old.purge()
        old.flush(1.0)
        self._renew.clear()

    def _settle(self, outcomes: list[Outcome]) -> None:
        for future, error in outcomes:
            if error is None:
                self._down = False
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(NotTaken(error.str()))

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._renew.set()
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and not self._down:
            self._down = True
            log.warning("no broker can be reached", error=error.str())

    async def _probe(self) -> None:
        """While Kafka is away or the topic is missing: look again every second."""
        told = False
        while True:
            if self._down:
                trouble = await asyncio.to_thread(self._trouble)
                self._down = trouble is not None
                if trouble is not None and not told:
                    log.warning("not ready: Kafka does not take records", topic=self._topic, error=trouble)
                elif trouble is None:
                    log.info("ready: Kafka takes records", topic=self._topic)
                told = trouble is not None
            await asyncio.sleep(1.0)

    def _trouble(self) -> str | None:
        """Why records cannot be taken; None where they can. All topics are listed: asking for one by name would create it on some brokers."""
        try:
            found = self._producer.list_topics(timeout=2.0).topics.get(self._topic)
        except KafkaException as error:
            return str(error.args[0].str())
        if found is None or found.error is not None or not found.partitions:
            return "the topic does not exist; run `clarus-stream topics create`"
        return None
