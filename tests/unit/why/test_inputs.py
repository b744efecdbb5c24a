"""The last events of a SKU are found from the end of its partition backwards, within the time given."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from app.config import load
from app.engine.murmur import partition_of
from app.errors import Problem
from app.settings import Settings
from app.why.inputs import last_inputs
from app.why.log import FIRST_WINDOW
from schemas.codec import Codecs
from schemas.records import Event
from tests.support.files import shop
from tests.unit.stock.memory import level

CODEC = Codecs()["inventory.events"]


class Message:
    def __init__(self, offset: int, key: bytes = b"", value: bytes = b"", error: int | None = None) -> None:
        self._offset, self._key, self._value = offset, key, value
        self._error = KafkaError(error) if error is not None else None

    def error(self) -> KafkaError | None:
        return self._error

    def offset(self) -> int:
        return self._offset

    def partition(self) -> int:
        return 7

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value


class Log:
    """One partition. `every`: the SKU's records lie at its multiples; the last offset before the end holds no record (a transaction's end)."""

    def __init__(self, end: int, every: int, low: int = 0) -> None:
        self.end, self.every, self.low = end, every, low
        self.at, self.consumed, self.closed = 0, 0, False
        self.properties: dict[str, Any] = {}
        self.asked: list[TopicPartition] = []

    def __call__(self, properties: dict[str, Any]) -> "Log":
        self.properties = properties
        return self

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        self.asked.append(place)
        return self.low, self.end

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = places[0].offset

    def consume(self, count: int, timeout: float) -> list[Message]:
        if self.at >= self.end - 1:
            return [Message(self.end, error=KafkaError._PARTITION_EOF)]
        span = range(self.at, min(self.at + count, self.end - 1))
        self.at = span.stop
        self.consumed += len(span)
        return [self._message(offset) for offset in span]

    def _message(self, offset: int) -> Message:
        if offset % self.every:
            return Message(offset, b"OTHER", b"x")
        body = level(offset + 1, offset)
        event = Event(event_id="e", occurred_at=offset, received_at=0, source="clarus", body=body)
        return Message(offset, b"000123", CODEC.encode(event))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(shop(tmp_path), {}).settings


def test_the_newest_are_found_oldest_first_without_joining_a_group(settings: Settings) -> None:
    log = Log(end=1000, every=100)
    tail = last_inputs(settings, "000123", 3, 5, log)
    assert [one.offset for one in tail.inputs] == [700, 800, 900]
    newest = tail.inputs[-1]
    assert (newest.topic, newest.partition, newest.time, newest.source, newest.kind) == (
        "inventory.events",
        7,
        900,
        "clarus",
        "StockLevel",
    )
    assert log.asked[0].partition == partition_of("000123", settings.settings.kafka.partitions)
    assert log.properties["enable.auto.commit"] is False
    assert tail.whole and log.closed


def test_only_as_much_is_read_as_is_needed(settings: Settings) -> None:
    log = Log(end=1_000_000, every=500)
    tail = last_inputs(settings, "000123", 3, 5, log)
    assert len(tail.inputs) == 3
    assert log.consumed <= FIRST_WINDOW and not tail.whole


def test_further_back_where_the_end_holds_too_few(settings: Settings) -> None:
    log = Log(end=30_000, every=9_000, low=100)
    tail = last_inputs(settings, "000123", 3, 5, log)
    assert [one.offset for one in tail.inputs] == [9_000, 18_000, 27_000]
    assert log.consumed <= 30_000, "no offset is read twice"


def test_the_time_is_kept_and_what_was_found_till_then_is_shown(settings: Settings) -> None:
    ticks = iter(range(1_000_000))
    tail = last_inputs(settings, "000123", 5, 5, Log(end=1_000_000, every=1_900), lambda: float(next(ticks)))
    assert 1 <= len(tail.inputs) < 5
    assert not tail.whole


def test_a_broker_that_is_away_is_one_line(settings: Settings) -> None:
    class Away(Log):
        def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    log = Away(0, 1)
    with pytest.raises(Problem, match="broker:9092 cannot be asked for the last inputs"):
        last_inputs(settings, "000123", 5, 5, log)
    assert log.closed
