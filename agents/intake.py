"""The INTAKE agent: turns raw notifications into order events, or into commands to fetch and to read. It looks nothing up and keeps nothing.

How a peer's notification is read is the connector's business: the parsers are handed in.
"""

from collections.abc import Callable, Mapping

from agents.emit import Emitter, Place
from agents.watch import Unwatched, Watch
from app.engine.api import Batch
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ReadStock

Parser = Callable[[RawNotification], list[OrderSnapshot | FetchOrder | ReadStock]]
"""What a notification means; ValueError with the reason where it cannot be read."""


class Intake:
    """One worker's INTAKE agent, with one parser per channel."""

    def __init__(self, parsers: Mapping[str, Parser], codecs: Codecs, place: Place, watch: Watch | None = None) -> None:
        self._parsers, self._codecs, self._place = parsers, codecs, place
        self._watch = watch or Unwatched()

    def fold(self, batch: Batch) -> None:
        """All records of one partition of one poll."""
        codec = self._codecs[topics.INGRESS_WEBHOOKS]
        done = failed = first = 0
        for record in batch.records:
            try:
                event = codec.decode(record.value)
                found = self._parse(event.body)
            except (UndecodableRecord, ValueError) as error:
                batch.dead_letter(record, str(error))
                failed += 1
                continue
            done += 1
            first = first or event.occurred_at
            emit = Emitter(
                self._codecs,
                batch,
                f"{batch.topic}:{batch.partition}:{record.offset}",
                event,
                event.body.channel,
                event.received_at,
            )
            for body in found:
                match body:
                    case OrderSnapshot():
                        emit.send(topics.ORDERS_EVENTS, f"{body.channel}:{body.order_id}", body)
                    case FetchOrder():
                        key = f"fetch/{body.channel}/{body.order_id}"
                        emit.send(topics.CHANNEL_COMMANDS, key, body, partition=self._place(body.channel))
                    case ReadStock():
                        emit.send(
                            topics.CHANNEL_COMMANDS, f"read/{body.sku}", body, partition=self._place(body.channel)
                        )
        self._watch.batch(batch.topic, first, done, 0, failed)

    def _parse(self, notification: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        parser = self._parsers.get(notification.channel)
        if parser is None:
            raise ValueError(f"no channel {notification.channel!r} in the configuration: add it, or remove its webhook")
        return parser(notification)
