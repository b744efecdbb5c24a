"""Client properties of librdkafka from the settings: where the cluster is, how to log in, how keys find their partition. It opens no connection."""

import logging
from collections.abc import Mapping
from typing import Any

from app.settings import KafkaSettings

LOGGER = logging.getLogger("librdkafka")
"""Where librdkafka's own lines go. Commands set no logging up: there errors are raised, and a line for every attempt beside them helps nobody."""
LOGGER.addHandler(logging.NullHandler())

PARTITIONER = "murmur2_random"
"""Of every producer: Java clients choose the same partition for the same key."""


def client(settings: KafkaSettings, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Properties of any client of the product's own cluster; the given ones stand above them."""
    return {
        "bootstrap.servers": settings.bootstrap,
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        "logger": LOGGER,
        **login(settings.security, settings.username, settings.password.get_secret_value()),
        **(properties or {}),
    }


def producer(settings: KafkaSettings, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Properties of a durable producer: idempotent, acknowledged by all replicas in sync, Java's partitioner."""
    durable = {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": PARTITIONER,
        "compression.type": "lz4",
        "linger.ms": 5,
    }
    return client(settings, {**durable, **(properties or {})})


def reader(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """Properties of a consumer that joins no group and reads partitions it names, what is committed only, and is told where each ends."""
    return client(
        settings,
        {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        },
    )


def onlooker(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """Properties of a consumer that joins nothing and only asks what `group` has committed.

    The admin client's request for the same ends the process with a segmentation fault where the broker answers that an open transaction is in the way
    (librdkafka 2.16).
    """
    return client(settings, {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted"})


def login(security: Mapping[str, str], username: str, password: str) -> dict[str, str]:
    """Security properties, with user name and password where given. Without a named protocol a user name means SASL_SSL with SCRAM-SHA-512."""
    if not username:
        return dict(security)
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        **security,
        "sasl.username": username,
        "sasl.password": password,
    }


def topic(settings: KafkaSettings, name: str) -> str:
    """The real name of a logical topic."""
    return settings.topic_prefix + name
