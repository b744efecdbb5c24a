"""From a channel's own Kafka cluster (the commercetools subscription destination) into `ingress.webhooks`.

A record counts as taken over when it is durable in our cluster; only then its position is committed in theirs. What was in between when a process
ends is read again, so records may come twice, never not at all. It reads no body.

Source: fact sheet commercetools section 6.1 (Confluent Cloud destination: SASL_SSL, PLAIN; one key or none, so no order per resource) and 6.2.
"""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from app import kafka, metrics
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Intake
from app.ingress.hooks import record_key, wall_ms
from app.ingress.sink import NotTaken, Sink
from schemas.codec import TopicCodec
from schemas.records import Event, RawNotification

log = structlog.get_logger(__name__)

ROUTE = "kafka"
_BATCH = 500
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)


def consumer_config(settings: CommercetoolsSettings) -> dict[str, Any]:
    """Client properties for the foreign cluster."""
    return {
        **kafka.login(settings.kafka_security, settings.kafka_api_key, settings.kafka_api_secret.get_secret_value()),
        "bootstrap.servers": settings.kafka_bootstrap,
        "group.id": settings.kafka_group,
        "client.id": "clarus-stream-bridge",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 10_000,
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        "logger": kafka.LOGGER,
    }


class Bridge:
    """One channel's bridge. `run` ends only when it is cancelled."""

    def __init__(
        self,
        channel: str,
        settings: CommercetoolsSettings,
        intake: Intake,
        sink: Sink,
        codec: TopicCodec,
        *,
        make: Callable[[dict[str, Any]], Consumer] = Consumer,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._channel, self._settings, self._intake = channel, settings, intake
        self._sink, self._codec, self._make, self._now_ms = sink, codec, make, now_ms
        self._failing = False

    async def run(self) -> None:
        """Take records over until cancelled. A cluster that is away is waited for; its errors are logged once and counted."""
        config = consumer_config(self._settings)
        consumer = self._make({**config, "error_cb": self._on_error})
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix=f"bridge {self._channel}") as thread:
            try:
                consumer.subscribe([self._settings.kafka_topic])
                log.info("bridge reads", channel=self._channel, topic=self._settings.kafka_topic)
                while True:
                    messages = await loop.run_in_executor(thread, _next, consumer)
                    good = [m for m in messages if self._usable(m)]
                    if good:
                        await self._take_over(good)
                        await loop.run_in_executor(thread, self._commit, consumer)
            finally:
                await asyncio.shield(loop.run_in_executor(thread, consumer.close))

    def _usable(self, message: Message) -> bool:
        if (error := message.error()) is not None:
            self._on_error(error)
            return False
        self._failing = False
        return message.value() is not None

    async def _take_over(self, messages: list[Message]) -> None:
        """Return when every one of them is durable in our cluster."""
        left = messages
        for attempt in itertools.count():
            results = await asyncio.gather(*(self._put(m) for m in left), return_exceptions=True)
            refused: list[Message] = []
            for message, result in zip(left, results, strict=True):
                if isinstance(result, NotTaken):
                    refused.append(message)
                elif isinstance(result, BaseException):
                    raise result
            metrics.BRIDGED.labels(self._channel).inc(len(left) - len(refused))
            if not refused:
                return
            left = refused
            if attempt == 0:
                log.warning("bridge waits: Kafka does not take records", channel=self._channel, records=len(left))
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])

    async def _put(self, message: Message) -> None:
        body = message.value() or b""
        now = self._now_ms()
        kind, timestamp = message.timestamp()
        event = Event(
            event_id=f"{self._channel}/{message.topic()}/{message.partition()}/{message.offset()}",
            occurred_at=timestamp if kind and timestamp > 0 else now,
            received_at=now,
            source=self._channel,
            trace=None,
            body=RawNotification(channel=self._channel, route=ROUTE, headers=_headers(message), body=body),
        )
        await self._sink.put(record_key(self._channel, self._intake.entity(body)), self._codec.encode(event), [])
        metrics.DURABLE_SECONDS.labels(self._channel).observe(max(0, self._now_ms() - now) / 1000)

    def _commit(self, consumer: Consumer) -> None:
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:
            self._on_error(error.args[0])

    def _on_error(self, error: KafkaError) -> None:
        metrics.BRIDGE_ERRORS.labels(self._channel).inc()
        if not self._failing:
            self._failing = True
            log.warning("bridge: the channel's Kafka cluster", channel=self._channel, error=error.str())


def _next(consumer: Consumer) -> list[Message]:
    """The next records: as soon as there is one, with all that have arrived by then."""
    first: list[Message] = consumer.consume(1, 0.5)
    return [*first, *consumer.consume(_BATCH - 1, 0)] if first else first


def _headers(message: Message) -> dict[str, str]:
    """CloudEvents attributes and the content type; nothing else is needed."""
    found = {}
    for name, value in message.headers() or []:
        if (name.lower().startswith("ce_") or name.lower() == "content-type") and isinstance(value, bytes):
            found[name.lower()] = value.decode("utf-8", "replace")
    return found
