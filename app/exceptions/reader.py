"""Reads exceptions from the public topic: the newest state of each that is wanted. Memory and time are bounded; then it says that there may be more."""

import re
import time
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer
from pydantic import TypeAdapter, ValidationError

from app import registry
from app.settings import Duration, Settings
from app.why.log import LogReader, Make, Steady
from schemas.catalogue import INTEGRATION_EXCEPTIONS
from schemas.codec import UndecodableRecord
from schemas.records import ExceptionPhase, ExceptionState
from tables.exceptions import CATALOGUE, OWNERS

SECONDS: Final = 15.0
AT_MOST: Final = 100_000
EVERY: Final = frozenset[ExceptionPhase]({"OPEN", "ACKNOWLEDGED", "RESOLVED"})
UNSOLVED: Final = frozenset[ExceptionPhase]({"OPEN", "ACKNOWLEDGED"})
STATES: Final[dict[str, frozenset[ExceptionPhase]]] = {
    "open": frozenset({"OPEN"}),
    "acknowledged": frozenset({"ACKNOWLEDGED"}),
    "resolved": frozenset({"RESOLVED"}),
    "all": EVERY,
}
"""What people call them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exceptions; what is empty does not choose. `before`: opened before, milliseconds."""

    states: frozenset[ExceptionPhase] = UNSOLVED
    type: str = ""
    owner: str = ""
    channel: str = ""
    before: int = 0
    ids: frozenset[str] = frozenset()

    def takes(self, one: ExceptionState) -> bool:
        """Is it one of them?"""
        return (
            one.state in self.states
            and self.type in ("", one.type)
            and self.owner in ("", one.owner)
            and (not self.channel or self.channel in channels(one))
            and (not self.before or one.opened_at < self.before)
            and (not self.ids or one.exception_id in self.ids)
        )


def wanted(
    kind: str | None, owner: str | None, channel: str | None, state: str | None, older: str | None, now: float
) -> Wanted:
    """From what people write. ValueError names what is wrong."""
    before = 0
    if older:
        try:
            before = int(now * 1000) - TypeAdapter(Duration).validate_python(older)
        except ValidationError:
            raise ValueError(f"older than {older[:20]}: a time such as 30m, 2h or 7d") from None
    for name, value, allowed in (
        ("type", kind, CATALOGUE),
        ("owner", owner, OWNERS),
        ("state", state, STATES),
    ):
        if value and value not in allowed:
            raise ValueError(f"{name} {value[:40]}: there is {', '.join(allowed)}")
    return Wanted(STATES[state] if state else UNSOLVED, kind or "", owner or "", channel or "", before)


@dataclass(frozen=True, slots=True)
class Found:
    """By exception id. `whole`: the topic was read to its end and nothing was left out."""

    states: dict[str, ExceptionState]
    whole: bool

    def in_order(self) -> list[ExceptionState]:
        """The oldest first."""
        return sorted(self.states.values(), key=lambda one: (one.opened_at, one.exception_id))


def channels(one: ExceptionState) -> set[str]:
    """The channels it concerns: of the order or listing, and whose requests failed."""
    kind, _, name = one.holder.partition("/")
    return {re.split("[:/]", one.entity, maxsplit=1)[0], *([name] if kind == "channel" else [])}


def read(
    settings: Settings,
    wanted: Wanted,
    make: Make = Consumer,
    steady: Steady = time.monotonic,
) -> Found:
    """All of them, as the topic has them now. `Problem` where it is missing; KafkaException where the broker does not answer."""
    codec = registry.codecs_for(settings)[INTEGRATION_EXCEPTIONS]
    kept: dict[str, ExceptionState] = {}
    left_out = False
    reader = LogReader(settings.settings.kafka, "clarus-stream-exceptions", SECONDS, make, steady)
    try:
        for message in reader.whole(INTEGRATION_EXCEPTIONS.name):
            try:
                body = codec.decode(message.value()).body
            except UndecodableRecord:
                continue
            if not wanted.takes(body):
                kept.pop(body.exception_id, None)
            elif body.exception_id in kept or len(kept) < AT_MOST:
                kept[body.exception_id] = body
            else:
                left_out = True
    finally:
        reader.close()
    return Found(kept, not reader.over and not left_out)
