"""What workers sent after folding a partition, found in the topics they sent it to: where in the log, and which figures. Kept on disk, by offset.

A worker sends a SKU's figures once for all events it took at a time, so the numbers that commands get depend on where it cut. These places tell.
"""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from app import kafka
from app.engine.store import Mark, Store
from app.replay.read import Reader, Told
from app.settings import Settings
from schemas import catalogue
from schemas.codec import Codecs, UndecodableRecord
from tables.replay.figures import Figure, Point, figure_of, point_of

_CHUNK: Final = 2_000
_TRACE: Final = f"{catalogue.INVENTORY_EVENTS.name}:".encode()
"""Stands in the id of every event that follows from one of the topic, and an id stands in a record as it is: most records need not be decoded."""


class Sent(msgspec.Struct, array_like=True):
    """Everything that was sent of a SKU at one place."""

    sku: str
    figures: list[Figure]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sent).decode


class Points:
    """The places of some partitions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._part: dict[bytes, Sent] = {}

    def collect(
        self, settings: Settings, reader: Reader, codecs: Codecs, partitions: Collection[int], told: Told
    ) -> None:
        """Read everything that may hold places of these partitions, once. Of compacted topics only the newest records are left."""
        given = settings.settings.kafka
        every = range(given.partitions)
        bundled = any(product.bundle for product in settings.products)
        sources = [
            (catalogue.INVENTORY_AVAILABILITY, partitions),
            (catalogue.CHANNEL_COMMANDS, every),
            *([(catalogue.INVENTORY_EVENTS, every)] if bundled else []),
        ]
        for topic, numbers in sources:
            codec = codecs[topic]
            for number in numbers:
                for message in reader.whole(kafka.topic(given, topic.name), number, told):
                    value = message.value()
                    if not value or _TRACE not in value:
                        continue
                    try:
                        event = codec.decode(value)
                    except UndecodableRecord:
                        continue
                    point = point_of(event.event_id)
                    if point is not None and point.partition in partitions:
                        self.add(point, figure_of(event.body))
        self._flush()

    def add(self, point: Point, figure: Figure | None) -> None:
        """One thing that was sent there."""
        key = _prefix(point.partition) + b"%020d/" % point.offset + point.sku.encode()
        known = self._part.get(key)
        if known is None:
            stored = self._store.get(key)
            known = self._part[key] = Sent(point.sku, []) if stored is None else _decode(stored)
        if figure is not None and figure not in known.figures:
            known.figures.append(figure)
        if len(self._part) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        self._store.apply([(key, _encode(sent)) for key, sent in self._part.items()], Mark("points", 0, 0))
        self._part.clear()

    def of(self, partition: int) -> Iterator[tuple[int, Sent]]:
        """The partition's places, by offset."""
        self._flush()
        prefix = _prefix(partition)
        for key, value in self._store.scan(prefix):
            yield int(key[len(prefix) : len(prefix) + 20]), _decode(value)


def _prefix(partition: int) -> bytes:
    return b"%06d/" % partition
