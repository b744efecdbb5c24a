"""Reading `reference.mappings`: nothing that came is lost where the broker breaks off, and records that cannot be read do not stop the rest."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from app.config import load
from app.errors import Problem
from app.mappings.topic import MappingsReader
from schemas.catalogue import REFERENCE_MAPPINGS
from schemas.codec import Codecs
from schemas.records import Event, Mapping
from tables.mappings.kinds import Shipping, value_of
from tests.support.files import shop


class Message:
    def __init__(self, value: bytes | None = None, error: int | None = None) -> None:
        self._value, self._error = value, error

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)

    def offset(self) -> int:
        return 7


class FakeConsumer:
    """Hands out one list of messages a call."""

    def __init__(self, *batches: list[Message]) -> None:
        self.batches, self.closed = list(batches), False

    def consume(self, most: int, seconds: float) -> list[Message]:
        return self.batches.pop(0) if self.batches else []

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def assign(self, places: list[Any]) -> None:
        assert [place.partition for place in places] == [0]

    def close(self) -> None:
        self.closed = True


def record(kind: str, key: str, value: str = "{}", version: int = 1) -> Message:
    body = Mapping(kind=kind, key=key, version=version, value=value, actor="t")
    return Message(
        Codecs()[REFERENCE_MAPPINGS].encode(Event(event_id="e", occurred_at=1, received_at=1, source="t", body=body))
    )


def reader(folder: Path, *batches: list[Message]) -> tuple[MappingsReader, FakeConsumer]:
    consumer = FakeConsumer(*batches)

    def make(_: dict[str, Any]) -> FakeConsumer:
        return consumer

    return MappingsReader(load(shop(folder), {}).settings, Codecs(), make), consumer


def test_what_came_with_an_error_counts(tmp_path: Path) -> None:
    one = Shipping(method="a", carrier="A")
    error = Message(error=KafkaError._TRANSPORT)
    reading, consumer = reader(tmp_path, [record("shipping", one.key, value_of(one)), error, record("import", "")])
    with pytest.raises(KafkaException):
        reading.follow(0)
    assert reading.log.version == 1 and [entry.record for entry in reading.log.entries.values()] == [one]
    reading.close()
    reading.follow(0)
    assert consumer.closed


def test_a_record_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    one = Shipping(method="a", carrier="A")
    batch = [Message(b"nonsense"), Message(None), record("shipping", one.key, value_of(one)), record("import", "")]
    reading, _ = reader(tmp_path, batch)
    reading.follow(0)
    assert [entry.record for entry in reading.log.entries.values()] == [one]


def test_a_broker_that_is_away_for_a_moment_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    one = Shipping(method="a", carrier="A")
    away, end = Message(error=KafkaError._TRANSPORT), Message(error=KafkaError._PARTITION_EOF)
    reading, _ = reader(tmp_path, [away], [], [record("shipping", one.key, value_of(one)), record("import", ""), end])
    reading.catch_up(steady=lambda: 0.0)
    assert reading.log.version == 1
    times = iter(range(0, 1000, 9))
    reading, _ = reader(tmp_path, [away], [away], [away], [away])
    with pytest.raises(Problem, match="cannot be read"):
        reading.catch_up(steady=lambda: next(times))
    reading, _ = reader(tmp_path)
    with pytest.raises(Problem, match="could not be read to its end in 20 s"):
        reading.catch_up(steady=lambda: next(times))
