"""The librdkafka properties of every client the engine uses, in one place. It makes no clients and knows no topics."""

import logging
from typing import Any

from app.engine.config import EngineConfig

LOGGER = logging.getLogger("app.engine.librdkafka")
"""Where librdkafka's own lines go."""


def _common(config: EngineConfig) -> dict[str, Any]:
    return {
        "bootstrap.servers": config.bootstrap,
        "log.connection.close": False,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 60_000,
        **config.client,
    }


def _fetch_wait(config: EngineConfig) -> int:
    """The bundled broker looks for new records only twice within the wait, a real one answers at once."""
    return 100 if config.transactional else 10


def group_consumer(config: EngineConfig) -> dict[str, Any]:
    """The consumer that is a member of the group and reads the source topics."""
    properties = {
        **_common(config),
        "group.id": config.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": config.session_timeout_ms,
        "heartbeat.interval.ms": max(300, config.session_timeout_ms // 20),
        "max.poll.interval.ms": 300_000,
        "fetch.wait.max.ms": _fetch_wait(config),
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 65_536,
    }
    if config.static_membership:
        properties["group.instance.id"] = config.instance
    return properties


def side_consumer(config: EngineConfig, *, isolation: str) -> dict[str, Any]:
    """A consumer that joins nothing: committed offsets, watermarks, bulk reads of the state topic.

    Asked with `read_committed` the watermark is the last stable offset and committed offsets wait for open transactions; with `read_uncommitted` not.
    """
    return {
        **_common(config),
        "group.id": config.group_id,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "isolation.level": isolation,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,
        "queued.min.messages": 1_000_000,
    }


def _producer(config: EngineConfig) -> dict[str, Any]:
    return {
        **_common(config),
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 262_144,
        "batch.num.messages": 10_000,
        "batch.size": 1_000_000,
    }


def plain_producer(config: EngineConfig) -> dict[str, Any]:
    """Idempotent, without transactions; gives a record up only after two minutes."""
    return {**_producer(config), "delivery.timeout.ms": 120_000}


def claim_producer(config: EngineConfig) -> dict[str, Any]:
    """For single records that may be written twice; saves the half second the bundled broker takes to hand out a producer id."""
    return {**_producer(config), "enable.idempotence": False, "linger.ms": 0, "delivery.timeout.ms": 10_000}


def transactional_producer(config: EngineConfig, transactional_id: str) -> dict[str, Any]:
    return {
        **_producer(config),
        "transactional.id": transactional_id,
        "transaction.timeout.ms": config.transaction_timeout_ms,
        "delivery.timeout.ms": config.transaction_timeout_ms,
    }


def admin(config: EngineConfig) -> dict[str, Any]:
    return _common(config)
