"""Looks at the cluster before anything starts: are the source topics there with the right partitions, and are the engine's own. Makes only the latter."""

import time
from collections.abc import Iterable
from typing import Any

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from app.engine import clients
from app.engine.config import EngineConfig
from app.engine.errors import BrokerUnavailable, EngineConfigError

log = structlog.get_logger(__name__)
DAY_MS = 24 * 60 * 60 * 1000


def internal_topics(config: EngineConfig) -> dict[str, dict[str, str]]:
    """The engine's own topics by name at the broker, with their settings; all have `config.partitions` partitions.

    A changelog is compacted; its tombstones are kept for a week, and a local store that was away for longer is not trusted.
    A journal cannot be compacted (a row counts only with its marker), so it is kept whole.
    """
    state = (
        {"cleanup.policy": "compact", "delete.retention.ms": str(7 * DAY_MS)}
        if config.transactional
        else {"cleanup.policy": "delete", "retention.ms": "-1"}
    )
    return {
        config.state_topic: state,
        config.dead_letter_topic: {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)},
    }


def prepare(config: EngineConfig, sources: Iterable[str]) -> str:
    """Check the source topics, make the engine's own where they are missing, and return the state topic's identity.

    Raises BrokerUnavailable where nothing answers, EngineConfigError where a topic does not fit.
    """
    admin = AdminClient(clients.admin(config), logger=clients.LOGGER)
    counts = _partition_counts(admin, config)
    problems = [
        f"topic {name} does not exist: create it with `clarus-stream topics`"
        if name not in counts
        else f"topic {name} has {counts[name]} partitions, settings.kafka.partitions says {config.partitions}"
        for name in sorted(sources)
        if counts.get(name) != config.partitions
    ]
    if problems:
        raise EngineConfigError("; ".join(problems))
    for name, settings in internal_topics(config).items():
        if name not in counts:
            _create(admin, config, name, settings)
        elif counts[name] != config.partitions:
            raise EngineConfigError(
                f"topic {name} has {counts[name]} partitions, settings.kafka.partitions says {config.partitions}; it must never change"
            )
    return f"{config.state_topic}/{_identity(admin, config.state_topic)}"


def _partition_counts(admin: Any, config: EngineConfig) -> dict[str, int]:
    deadline = time.monotonic() + config.broker_wait_ms / 1000
    while True:
        try:
            return {
                name: len(topic.partitions)
                for name, topic in admin.list_topics(timeout=min(5.0, config.broker_wait_ms / 1000)).topics.items()
                if topic.error is None
            }
        except KafkaException as error:
            if time.monotonic() >= deadline:
                raise BrokerUnavailable(
                    f"no broker at {config.bootstrap} answered within {config.broker_wait_ms} ms: {error.args[0]}"
                ) from error


def _create(admin: Any, config: EngineConfig, name: str, settings: dict[str, str]) -> None:
    topic = NewTopic(name, config.partitions, config.replication, config=settings)
    try:
        admin.create_topics([topic])[name].result(30)
        log.info("topic created", topic=name, partitions=config.partitions)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise EngineConfigError(f"topic {name} cannot be created: {error.args[0]}") from error


def _identity(admin: Any, name: str) -> str:
    """The broker's id of the topic, so that one deleted and made anew is told apart; empty where the broker has no such thing."""
    deadline = time.monotonic() + 10
    while True:
        try:
            description = admin.describe_topics(TopicCollection([name]), request_timeout=10)[name].result(10)
            return str(description.topic_id)
        except KafkaException as error:
            if error.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                log.debug("topic ids are not known here", topic=name, error=str(error.args[0]))
                return ""
            if time.monotonic() >= deadline:
                raise EngineConfigError(f"topic {name} was created but does not appear") from error
            time.sleep(0.1)
