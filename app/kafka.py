"""Client properties of librdkafka from the settings: where the cluster is, how to log in, how keys find their partition. It opens no connection."""

from collections.abc import Mapping
from typing import Any

from app.settings import KafkaSettings

PARTITIONER = "murmur2_random"
"""Of every producer: Java clients choose the same partition for the same key."""


def client(settings: KafkaSettings, **more: Any) -> dict[str, Any]:
    """Properties of any client of the product's own cluster; `more` (with `_` for `.`) stands above them."""
    return {
        "bootstrap.servers": settings.bootstrap,
        "socket.keepalive.enable": True,
        **login(settings.security, settings.username, settings.password.get_secret_value()),
        **{name.replace("_", "."): value for name, value in more.items()},
    }


def producer(settings: KafkaSettings, **more: Any) -> dict[str, Any]:
    """Properties of a durable producer: idempotent, acknowledged by all replicas in sync, Java's partitioner."""
    return client(
        settings,
        **{
            "enable_idempotence": True,
            "acks": "all",
            "partitioner": PARTITIONER,
            "compression_type": "lz4",
            "linger_ms": 5,
            **more,
        },
    )


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
