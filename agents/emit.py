"""How agents write records: encoded for their topic, under the right key and partition, with the headers of a public record. No rules."""

from collections.abc import Callable

from app.engine.api import Context
from schemas.catalogue import Privacy, Topic
from schemas.codec import Codecs
from schemas.records import Event, Record

Place = Callable[[str], int]
"""Channel name to the partition of channel.commands that holds its commands."""


class Emitter:
    """Writes the records that follow from one input record. Ids count from the input's place in the log, so a replay gives the same bytes."""

    def __init__(
        self, codecs: Codecs, context: Context, origin: str, cause: Event[Record] | None, source: str, now_ms: int
    ) -> None:
        self._codecs, self._context, self._origin, self._source, self._now, self._count = (
            codecs,
            context,
            origin,
            source,
            now_ms,
            0,
        )
        self._occurred = cause.occurred_at if cause else now_ms
        self._trace = cause.trace if cause else None

    def send(
        self, topic: Topic, key: str, body: Record, *, partition: int | None = None, occurred_at: int | None = None
    ) -> None:
        """One record; it occurred when its cause did, unless `occurred_at` says otherwise. TypeError where the body does not belong to the topic."""
        event = Event(
            event_id=f"{self._origin}:{self._count}",
            occurred_at=self._occurred if occurred_at is None else occurred_at,
            received_at=self._now,
            source=self._source,
            trace=self._trace,
            body=body,
        )
        self._count += 1
        headers = cloud_headers(topic, event) if topic.privacy is Privacy.PUBLIC else None
        self._context.send(topic.name, key, self._codecs[topic].encode(event), partition=partition, headers=headers)


def cloud_headers(topic: Topic, event: Event[Record]) -> dict[str, str]:
    """CloudEvents 1.0 headers in Kafka's binary mode, and the W3C trace where there is one."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.event_id,
        "ce_source": f"/clarus-stream/{event.source}",
        "ce_type": f"clarus.stream.{type(event.body).__name__}",
        "content-type": "application/avro",
    }
    if event.trace:
        headers["traceparent"] = event.trace
    return headers
