"""The Kafka destination of the simulated project's subscription: envelopes in the Platform format (fact sheet 6.2), produced to a foreign cluster.

Late, double, reordered and lost deliveries are the notifier's doing.
"""

import asyncio
import copy
import json
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaException, Producer

from app.simulators.base import Notifier, now_ms
from app.simulators.commercetools.documents import Doc, Factory, iso

_OMIT_SHARE = 0.02


class Destination(Protocol):
    """What takes a subscription's notifications."""

    async def deliver(self, envelope: bytes) -> bool:
        """Take one; True where it was taken for good."""
        ...

    async def close(self) -> None:
        """Stop taking."""
        ...


class KafkaDestination:
    """One topic that takes the notifications. A thread serves the producer until `close`."""

    def __init__(self, bootstrap: str, topic: str, security: Mapping[str, str]) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                **security,
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "linger.ms": 5,
                "delivery.timeout.ms": 30_000,
                "log_level": 2,
            }
        )
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="commercetools destination", daemon=True)
        self._thread.start()

    async def deliver(self, envelope: bytes) -> bool:
        """Produce once; True when the broker has acknowledged it. Without a key: the platform's is one constant for all (fact sheet 6.1)."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[bool] = loop.create_future()

        def settle(success: bool) -> None:
            if not taken.done():
                taken.set_result(success)

        def reported(error: Any, _message: Any) -> None:
            if not self._closed.is_set():
                loop.call_soon_threadsafe(settle, error is None)

        try:
            self._producer.produce(self._topic, envelope, on_delivery=reported)
        except (BufferError, KafkaException):
            return False
        return await taken

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)

    async def close(self) -> None:
        """Stop; what is still on its way is given up."""
        self._closed.set()
        await asyncio.to_thread(self._thread.join)
        self._producer.purge()


class Subscription:
    """The project's one subscription: messages and changes of orders, numbered per order, to the destination once there is one."""

    def __init__(self, name: str, project: str, factory: Factory, notifier: Notifier) -> None:
        self._name, self._project, self._factory, self._notifier = name, project, factory, notifier
        self._sequence: dict[str, int] = {}
        self._destination: Destination | None = None
        self._test: asyncio.Future[bool] | None = None

    def connect(self, destination: Destination) -> None:
        """Create the subscription; its test notification is sent at once (fact sheet 6.1)."""
        self._destination = destination
        test = {
            "notificationType": "ResourceCreated",
            "projectKey": self._project,
            "resource": {"typeId": "subscription", "id": self._factory.id()},
            "version": 1,
            "modifiedAt": iso(now_ms()),
        }
        self._test = asyncio.ensure_future(destination.deliver(_encode(test)))

    def message(self, order: Doc, kind: str, fields: Doc) -> None:
        """A message about an order; rarely its payload is left out (fact sheet 6.4)."""
        if self._destination is None:
            return
        envelope = self.envelope(order, kind, fields)
        deliver, body = self._destination.deliver, _encode(envelope)
        entity = order.get("orderNumber", order["id"])
        self._notifier.post(f"{self._name}:{entity}", lambda: deliver(body))

    def envelope(self, order: Doc, kind: str, fields: Doc) -> Doc:
        """The notification in the Platform format."""
        number = self._sequence[order["id"]] = self._sequence.get(order["id"], 0) + 1
        envelope: Doc = {
            "notificationType": "Message",
            "projectKey": self._project,
            "id": self._factory.id(),
            "version": 1,
            "sequenceNumber": number,
            "resource": {"typeId": "order", "id": order["id"]},
            "resourceVersion": order["version"],
            "type": kind,
            "createdAt": order["lastModifiedAt"],
            "lastModifiedAt": order["lastModifiedAt"],
        }
        if "orderNumber" in order:
            envelope["resourceUserProvidedIdentifiers"] = {"orderNumber": order["orderNumber"]}
        if self._factory.rng.random() < _OMIT_SHARE:
            reason = "The payload is too large for the destination."
            return envelope | {"payloadNotIncluded": {"reason": reason, "payloadType": kind}}
        return envelope | copy.deepcopy(fields)

    async def close(self) -> None:
        """Stop the destination."""
        if self._test is not None:
            self._test.cancel()
        if self._destination is not None:
            await self._destination.close()


def _encode(envelope: Doc) -> bytes:
    return json.dumps(envelope, separators=(",", ":")).encode()
