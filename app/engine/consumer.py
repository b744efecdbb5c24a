"""The member of the consumer group: polls, follows rebalances, pauses and positions partitions. Every method runs on the Kafka thread.

A partition that was just assigned is paused until it is restored; `activate` then sets its exact positions. Records polled while an assignment changed
are dropped: every partition is positioned anew before it runs on.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.engine import clients
from app.engine.config import EngineConfig
from app.engine.errors import EngineConfigError, EngineError, Fenced

log = structlog.get_logger(__name__)
_COMPLAIN_EVERY_S = 10.0
_SEEK_WAIT_S = 10.0
_HAND_OVER_S = 3.0
_JOIN_S = 10.0


class Change(Enum):
    """What the group coordinator did."""

    ASSIGNED = "assigned"
    REVOKED = "revoked"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Rebalance:
    """`partitions`: all that are ours after an assignment; empty for the others."""

    change: Change
    partitions: frozenset[int] = frozenset()


@dataclass(slots=True)
class Polled:
    """Messages by topic (broker's name) and partition, in order; rebalances in the order they came."""

    messages: dict[tuple[str, int], list[Any]] = field(default_factory=dict)
    rebalances: list[Rebalance] = field(default_factory=list)
    unreachable: bool = False
    count: int = 0


class GroupConsumer:
    """One consumer in the group, reading all source topics."""

    def __init__(self, config: EngineConfig, topics: Sequence[str]) -> None:
        self._config = config
        self._topics = sorted(topics)
        self._consumer: Any = None
        self._active: set[int] = set()
        self._assigned: frozenset[int] = frozenset()
        self._events: list[Rebalance] = []
        self._broken: EngineError | None = None
        self._parked = self._widened = self._joined = False
        self._complained: dict[int, float] = {}

    def open(self) -> None:
        """Join the group. The first assignment comes with a later poll."""
        self._consumer = Consumer(clients.group_consumer(self._config), logger=clients.LOGGER)
        self._parked = self._widened = self._joined = False
        self._subscribe(self._topics)

    def _subscribe(self, topics: list[str]) -> None:
        self._consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def poll(self, most: int, timeout_s: float) -> Polled:
        """Up to `most` records, or what there is after the time. Raises Fenced or EngineConfigError."""
        try:
            found = self._consumer.consume(most, timeout_s)
        except KafkaException as raised:
            self._consume_error(raised.args[0])
            found = []
        if self._broken is not None:
            raise self._broken
        if self._parked and not self._widened:
            # Only another subscription than the one it knows makes the broker assign anew; what comes of the further topic is left alone.
            self._widened = True
            self._subscribe([*self._topics, self._config.state_topic])
        polled = Polled(count=len(found))
        polled.rebalances, self._events = self._events, polled.rebalances
        errors = [error for error in map(Message.error, found) if error is not None]
        for error in errors:
            polled.unreachable |= self._consume_error(error)
        if errors:
            found = [message for message in found if message.error() is None]
        if not polled.rebalances:
            _split(found, polled.messages)
        return polled

    def _consume_error(self, error: Any) -> bool:
        """True where the broker is away. Whatever the client does not call fatal passes by itself."""
        if error.fatal() or error.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID):
            raise Fenced(f"the group {self._config.group_id} has shut out {self._config.instance}: {error}")
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            raise EngineConfigError(f"not allowed to read as group {self._config.group_id}: {error}")
        now = time.monotonic()
        if now - self._complained.get(error.code(), -_COMPLAIN_EVERY_S) >= _COMPLAIN_EVERY_S:
            self._complained[error.code()] = now
            log.warning("the broker reports a passing error", error=str(error))
        return error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)

    def rejoin(self) -> None:
        """A new member in the place of one the broker has shut out."""
        self._assigned = frozenset()
        self.close()
        self._active.clear()
        self._events.clear()
        self.open()

    def activate(self, positions: Mapping[int, Mapping[str, int]]) -> None:
        """Let these partitions run from these offsets. Partitions that are not assigned any more are left alone."""
        for partition, topics in positions.items():
            if partition not in self._assigned:
                continue
            self._position(partition, topics)
            self._consumer.resume([TopicPartition(topic, partition) for topic in topics])
            self._active.add(partition)

    def rewind(self, positions: Mapping[int, Mapping[str, int]]) -> None:
        """Read these running partitions again from these offsets."""
        for partition, topics in positions.items():
            if partition in self._active:
                self._position(partition, topics)

    def hold(self, partitions: Sequence[int]) -> None:
        """Pause running partitions until they are activated again."""
        for partition in partitions:
            if partition in self._active:
                self._active.discard(partition)
                self._consumer.pause([TopicPartition(topic, partition) for topic in self._topics])

    def _position(self, partition: int, topics: Mapping[str, int]) -> None:
        for topic, offset in topics.items():
            deadline = time.monotonic() + _SEEK_WAIT_S
            while True:
                try:
                    self._consumer.seek(TopicPartition(topic, partition, offset))
                    break
                except KafkaException as error:
                    # The client refuses to seek until it has begun to work on a fresh assignment.
                    if error.args[0].code() != KafkaError._STATE or time.monotonic() > deadline:
                        raise EngineError(f"{topic}/{partition} cannot be positioned at {offset}: {error}") from error
                    time.sleep(0.005)

    def membership(self) -> Any:
        """What a transaction needs to prove that the partitions are still ours."""
        return self._consumer.consumer_group_metadata()

    def note_positions(self, positions: Mapping[int, Mapping[str, int]]) -> None:
        """Commit offsets for people and tools to see; nothing is derived from them. Failures do not matter."""
        offsets = [
            TopicPartition(topic, partition, offset)
            for partition, topics in positions.items()
            for topic, offset in topics.items()
        ]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                log.debug("offsets were not noted", error=str(error))

    def lag(self, positions: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
        """Records not yet processed per topic (broker's name), as far as the fetches have told the ends of the logs."""
        behind: dict[str, int] = {}
        for partition, topics in positions.items():
            for topic, offset in topics.items():
                _, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
                behind[topic] = behind.get(topic, 0) + max(0, high - offset)
        return behind

    def close(self) -> None:
        """Give the partitions up and leave; a consumer the broker has shut out just ends."""
        if self._consumer is not None:
            if self._config.static_membership and self._assigned:
                self._hand_over()
            elif not self._config.transactional:
                self._finish_joining()
            self._consumer.close()
            self._consumer = None

    def _finish_joining(self) -> None:
        """The bundled broker never again assigns anything in a group that was left by a member in the middle of its join (decision 0002)."""
        deadline = time.monotonic() + _JOIN_S
        while not self._joined and time.monotonic() < deadline:
            try:
                self._consumer.poll(0.05)
            except KafkaException as error:
                log.warning("the group may wait for this worker", error=str(error))
                return

    def _hand_over(self) -> None:
        """A static member that leaves keeps its partitions until its session ends. One that subscribes to something else has none to keep, so the
        others get them at once (decision 0070)."""
        parked: list[bool] = []

        def on_assign(consumer: Any, given: list[Any]) -> None:
            consumer.assign([])
            parked.append(True)

        def on_revoke(consumer: Any, given: list[Any]) -> None:
            consumer.unassign()

        deadline = time.monotonic() + _HAND_OVER_S
        try:
            self._consumer.subscribe(
                [self._config.state_topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke
            )
            while not parked and time.monotonic() < deadline:
                self._consumer.poll(0.05)
        except KafkaException as error:
            log.warning("partitions stay reserved until the session ends", error=str(error))

    def _on_assign(self, consumer: Any, given: list[Any]) -> None:
        self._joined = True
        by_topic: dict[str, set[int]] = {topic: set() for topic in self._topics}
        for one in given:
            if one.topic in by_topic:
                by_topic[one.topic].add(one.partition)
        # Nothing but the state topic: that is still what this worker asked for when it left a moment ago.
        self._parked = bool(given) and not any(by_topic.values())
        sets = list(by_topic.values())
        if any(other != sets[0] for other in sets):
            self._broken = EngineConfigError(
                f"the source topics do not have the same partitions: { ({t: sorted(p) for t, p in by_topic.items()}) }"
            )
            return
        self._assigned = frozenset(sets[0])
        self._active.clear()
        places = [TopicPartition(topic, partition, 0) for topic in self._topics for partition in self._assigned]
        consumer.assign(places)
        if places:
            consumer.pause(places)
        self._events.append(Rebalance(Change.ASSIGNED, self._assigned))

    def _on_revoke(self, consumer: Any, given: list[Any]) -> None:
        self._withdraw(consumer, Change.REVOKED)

    def _on_lost(self, consumer: Any, given: list[Any]) -> None:
        self._withdraw(consumer, Change.LOST)

    def _withdraw(self, consumer: Any, change: Change) -> None:
        self._joined = False
        self._assigned = frozenset()
        self._active.clear()
        consumer.unassign()
        self._events.append(Rebalance(change))


def _split(found: Sequence[Any], messages: dict[tuple[str, int], list[Any]]) -> None:
    """By topic and partition, in order. The client returns runs of one partition, so most is done by slices."""
    begin = 0
    for source, run in groupby(zip(map(Message.topic, found), map(Message.partition, found), strict=True)):
        end = begin + len(list(run))
        messages.setdefault(source, []).extend(found[begin:end])
        begin = end
