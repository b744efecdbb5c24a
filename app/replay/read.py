"""Reads for a replay: spans of a partition in order, the live rows from the state topic, positions. It joins no group and writes nothing."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from app import kafka, topics
from app.engine import clients, journal
from app.engine.store import Mark, Store
from app.errors import Problem
from app.replay.scratch import is_stock_row
from app.settings import Settings
from schemas.catalogue import INVENTORY_EVENTS

SECONDS: Final = 10.0
_SILENT_S: Final = 30.0
_CHUNK: Final = 5_000
_TRIES: Final = 50
_UNTIL_EOF: Final = 1 << 62

Told = Callable[[int], None]
"""Told how many offsets were gone through since the last time."""


class Reader:
    """One consumer for all reads of a replay. `Problem` where the cluster does not answer."""

    def __init__(self, settings: Settings, make: Callable[[dict[str, Any]], Any] = Consumer) -> None:
        self._settings, self._given = settings, settings.settings.kafka
        self._config = topics.engine_config(settings)
        # A broker without sound transactions (at_least_once) may not know where its last stable offset is.
        isolation = "read_committed" if self._config.transactional else "read_uncommitted"
        properties = clients.side_consumer(self._config, isolation=isolation)
        self._consumer = make({**properties, "logger": kafka.LOGGER, "queued.min.messages": 50_000})

    def close(self) -> None:
        self._consumer.close()

    def ends(self, topic: str, partition: int) -> tuple[int, int]:
        """First and next offset. `topic` is the broker's name."""
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)
        except KafkaException as error:
            raise self._problem(error) from error
        return low, high

    def at(self, partition: int, time_ms: int) -> int:
        """The first input offset whose record is as new as this."""
        place = TopicPartition(self.events, partition, time_ms)
        try:
            [found] = self._consumer.offsets_for_times([place], SECONDS)
        except KafkaException as error:
            raise self._problem(error) from error
        offset: int = found.offset
        return offset if offset >= 0 else self.ends(self.events, partition)[1]

    @property
    def place(self) -> str:
        """What rows are made from: a base of another cluster or topic is none."""
        return f"{self._given.bootstrap}/{self.events}"

    @property
    def events(self) -> str:
        """The broker's name of `inventory.events`."""
        return kafka.topic(self._given, INVENTORY_EVENTS.name)

    def whole(self, topic: str, partition: int, told: Told) -> Iterator[Any]:
        """Every committed record that is there now.

        The bundled broker names an end before its last records; what it says on the way (the end of the partition) is right.
        """
        low, high = self.ends(topic, partition)
        return self.records(topic, partition, low, high if self._config.transactional else _UNTIL_EOF, told)

    def records(
        self, topic: str, partition: int, start: int, end: int, told: Told = lambda count: None
    ) -> Iterator[Any]:
        """Committed records from `start` up to, not including, `end`."""
        if start >= end:
            return
        self._consumer.assign([TopicPartition(topic, partition, start)])
        at, heard = start, time.monotonic()
        while True:
            messages = self._consumer.consume(_CHUNK, 0.05)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_S:
                raise Problem(
                    f"kafka: {topic}/{partition} goes on no further than offset {at}: nothing came for {_SILENT_S:g} s"
                )
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        if message.offset() < end and end != _UNTIL_EOF:
                            continue
                        told(message.offset() - at)
                        return
                    raise self._problem(KafkaException(error))
                if message.offset() >= end:
                    told(end - at)
                    return
                told(message.offset() + 1 - at)
                at = message.offset() + 1
                yield message
                if at >= end:
                    return

    # ---- what the workers have ----

    def live(self, partition: int, store: Store, told: Told, *, at_rest: bool = False) -> tuple[int, int]:
        """The workers' stock rows of a partition, into `store`. The input position they belong to lies in the span that is returned.

        `at_rest`: the span is one offset. `Problem` where the partition never rests for long enough.
        """
        if not self._config.transactional:
            return self._journal(partition, store, told)
        topic = self._config.state_topic
        start, high = self.ends(topic, partition)
        self._copy(topic, partition, start, high, store, told)
        for _ in range(_TRIES):
            before, end = self._committed(partition), self.ends(topic, partition)[1]
            self._copy(topic, partition, high, end, store, told)
            high, after = end, self._committed(partition)
            if before == after or not at_rest:
                return before, after
        raise Problem(f"partition {partition} is never at rest, so no base can be taken: try again at a quieter time")

    def _copy(self, topic: str, partition: int, start: int, end: int, store: Store, told: Told) -> None:
        part: list[tuple[bytes, bytes | None]] = []
        for message in self.records(topic, partition, start, end, told):
            if is_stock_row(message.key()):
                part.append((message.key(), message.value()))
            if len(part) >= _CHUNK:
                store.apply(part, Mark(topic, message.offset() + 1, 0))
                part = []
        store.apply(part, Mark(topic, end, 0))

    def _committed(self, partition: int) -> int:
        try:
            [place] = self._consumer.committed([TopicPartition(self.events, partition)], SECONDS)
        except KafkaException as error:
            raise self._problem(error) from error
        offset: int = place.offset
        return offset if offset >= 0 else self.ends(self.events, partition)[0]

    def _journal(self, partition: int, store: Store, told: Told) -> tuple[int, int]:
        """Rows and position belong together in a journal: the span is one offset."""
        topic = self._config.state_topic
        fold = journal.JournalFold(offset=self.ends(topic, partition)[0])
        for count, message in enumerate(self.whole(topic, partition, told), 1):
            try:
                fold.feed(message.offset(), message.key(), message.value())
            except ValueError as error:
                raise Problem(
                    f"{topic}/{partition}: {error}: this is no journal of a worker's, or it is damaged"
                ) from error
            if count % _CHUNK == 0:
                store.apply([row for row in fold.take() if is_stock_row(row[0])], Mark(topic, fold.offset, 0))
        store.apply([row for row in fold.take() if is_stock_row(row[0])], Mark(topic, fold.offset, 0))
        at = fold.positions.get(self.events, self.ends(self.events, partition)[0])
        return at, at

    def _problem(self, error: KafkaException) -> Problem:
        text = error.args[0].str() if error.args else str(error)
        return Problem(
            f"kafka: {self._given.bootstrap} cannot be read: {text}; `clarus-stream doctor` looks at it closer"
        )
