"""Input records as agents see them. A thin view: nothing is decoded or copied before somebody asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Message


class InputRecord:
    """One message of librdkafka behind the interface of `api.Record`."""

    __slots__ = ("_message",)

    def __init__(self, message: Any) -> None:
        self._message = message

    @property
    def key(self) -> bytes:
        """The key; empty where the producer sent none."""
        return self._message.key() or b""

    @property
    def value(self) -> bytes | None:
        value: bytes | None = self._message.value()
        return value

    @property
    def offset(self) -> int:
        offset: int = self._message.offset()
        return offset

    @property
    def timestamp(self) -> int:
        """Milliseconds; 0 where the record carries none."""
        return written_at(self._message)

    @property
    def headers(self) -> Mapping[str, bytes]:
        return {name: value if value is not None else b"" for name, value in self._message.headers() or ()}


def written_at(message: Any) -> int:
    """Milliseconds; 0 where the record carries no time."""
    kind, value = message.timestamp()
    return int(value) if kind else 0


def columns(messages: Sequence[Any]) -> tuple[list[bytes], list[bytes | None], list[int]]:
    """Keys (empty where the producer sent none), values and offsets, without a step of Python's own per message."""
    keys = list(map(Message.key, messages))
    if None in keys:
        keys = [key or b"" for key in keys]
    return keys, list(map(Message.value, messages)), list(map(Message.offset, messages))
