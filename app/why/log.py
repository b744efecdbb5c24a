"""Records read from topics for people, by a consumer outside of every group, in bounded time and memory: some keys of one partition, or a whole topic."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from app import kafka
from app.errors import Problem
from app.settings import KafkaSettings

FIRST_WINDOW: Final = 2_000
"""Offsets before the end that are looked at first; each further look goes four times as far."""
_AT_ONCE: Final = 2_000
_UNTIL_EOF: Final = 1 << 62
"""The newest records are read to the end that the broker tells on the way: the bundled one names an earlier one when asked."""
_PAUSE: Final = 0.1
"""Seconds that a read waits to be filled: the end of a partition does not end it."""

Make = Callable[[dict[str, Any]], Any]
Steady = Callable[[], float]


@dataclass(slots=True)
class Tail:
    """The newest records of the keys, oldest first. Offsets from `unread` up to `back_to` were not looked at; `whole`: there are none."""

    messages: list[Any] = field(default_factory=list)
    unread: int = 0
    back_to: int = 0
    end: int = 0

    @property
    def whole(self) -> bool:
        """Was everything looked at?"""
        return self.unread >= self.back_to


class LogReader:
    """One consumer for several reads, which share `seconds`. KafkaException where the broker does not answer."""

    def __init__(
        self, given: KafkaSettings, group: str, seconds: float, make: Make = Consumer, steady: Steady = time.monotonic
    ) -> None:
        self._given, self._seconds, self._steady = given, seconds, steady
        self._consumer = make(kafka.reader(given, group))
        self._deadline = steady() + seconds
        self.over = False

    def close(self) -> None:
        """Release the consumer."""
        self._consumer.close()

    def tail(self, topic: str, partition: int, keys: Set[bytes], count: int, since: int | None = None) -> Tail:
        """The newest `count` records of the keys. `since` (milliseconds): nothing older matters, and what came first then is looked for from there, too."""
        place = TopicPartition(kafka.topic(self._given, topic), partition)
        low, end = self._consumer.get_watermark_offsets(place, timeout=self._seconds)
        found = Tail(unread=self._first(place, since, low, end), back_to=end, end=end)
        first: deque[Any] = deque(maxlen=max(1, count))
        last: list[Any] = []
        window, stop = FIRST_WINDOW, _UNTIL_EOF
        while not found.whole and len(last) < count and self._left() > 0:
            start = max(found.unread, found.back_to - window)
            part = self._read(place, start, stop, keys)
            if part is None:
                break
            last, found.back_to, stop = [*part, *last], start, start
            if since is not None and not found.whole and len(last) < count:
                until = min(found.back_to, found.unread + window)
                part = self._read(place, found.unread, until, keys)
                if part is None:
                    break
                first.extend(part)
                found.unread = until
            window *= 4
        found.messages = [*first, *last][-count:] if count else []
        return found

    def whole(self, topic: str) -> Iterator[Any]:
        """Every record of the topic until its end or until the time is over, which `over` then says. `Problem` where there is no such topic."""
        name = kafka.topic(self._given, topic)
        described = self._consumer.list_topics(name, timeout=self._seconds).topics[name]
        if described.error is not None:
            raise Problem(f"{name} is missing; clarus-stream topics create")
        waiting = set(described.partitions)
        self._consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in waiting])
        while waiting and self._left() > 0:
            for message in self._consumer.consume(_AT_ONCE, timeout=_PAUSE):
                if (error := message.error()) is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard(message.partition())
                else:
                    raise KafkaException(error)
        self.over = bool(waiting)

    def _left(self) -> float:
        return self._deadline - self._steady()

    def _first(self, place: TopicPartition, since: int | None, low: int, end: int) -> int:
        if since is None:
            return int(low)
        [at] = self._consumer.offsets_for_times(
            [TopicPartition(place.topic, place.partition, since)], timeout=self._seconds
        )
        return int(at.offset) if at.offset >= low else int(end)

    def _read(self, place: TopicPartition, start: int, end: int, keys: Set[bytes]) -> list[Any] | None:
        """The keys' records of one span of offsets; None where the time was over before its end."""
        self._consumer.assign([TopicPartition(place.topic, place.partition, start)])
        found: list[Any] = []
        while (left := self._left()) > 0:
            for message in self._consumer.consume(_AT_ONCE, timeout=min(_PAUSE, max(0.01, left))):
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return found
                    raise KafkaException(error)
                if message.offset() >= end:
                    return found
                if message.key() in keys:
                    found.append(message)
                if message.offset() == end - 1:
                    return found
        return None
