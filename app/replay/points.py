"""What workers sent after folding a partition, found in the topics they sent it to: where in the log, and which figures. Kept on disk, by offset.

A worker sends a SKU's figures once for all events it took at a time, so the numbers that commands get depend on where it cut. These places tell.
"""

from collections.abc import Iterator
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


class Sent(msgspec.Struct, array_like=True):
    """Everything that was sent of a SKU at one place."""

    sku: str
    figures: list[Figure]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sent).decode


class Points:
    """The places of one partition."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._part: dict[bytes, Sent] = {}

    def collect(self, settings: Settings, reader: Reader, codecs: Codecs, partition: int, told: Told) -> None:
        """Read everything that may hold places of this partition. Of compacted topics only the newest are left."""
        given = settings.settings.kafka
        every = range(given.partitions)
        bundled = any(product.bundle for product in settings.products)
        sources = [
            (catalogue.INVENTORY_AVAILABILITY, [partition]),
            (catalogue.CHANNEL_COMMANDS, every),
            *([(catalogue.INVENTORY_EVENTS, every)] if bundled else []),
        ]
        for topic, partitions in sources:
            codec = codecs[topic]
            for number in partitions:
                name = kafka.topic(given, topic.name)
                for message in reader.whole(name, number, told):
                    if not message.value():
                        continue
                    try:
                        event = codec.decode(message.value())
                    except UndecodableRecord:
                        continue
                    point = point_of(event.event_id)
                    if point is not None and point.partition == partition:
                        self.add(point, figure_of(event.body))
        self._flush()

    def add(self, point: Point, figure: Figure | None) -> None:
        """One thing that was sent there."""
        key = b"%020d/" % point.offset + point.sku.encode()
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

    def __iter__(self) -> Iterator[tuple[int, Sent]]:
        """By offset."""
        self._flush()
        for key, value in self._store.scan(b"0"):
            yield int(key[:20]), _decode(value)
