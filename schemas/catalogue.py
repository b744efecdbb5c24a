"""The topic catalogue: the one place where a topic's name, key, value, partitioning, retention and privacy class are said.

It creates nothing: `clarus-stream topics` does. Names here are logical; a prefix (setting `kafka.topic_prefix`) may stand before them.
"""

from dataclasses import dataclass, field
from enum import StrEnum

DAY_MS = 24 * 60 * 60 * 1000


class Privacy(StrEnum):
    """Who may read a topic."""

    PUBLIC = "public"  # no personal data, for every team
    INTERNAL = "internal"  # no personal data, for this product
    RESTRICTED = "restricted"  # personal data: this product only, bounded retention


class Cleanup(StrEnum):
    """Kafka's cleanup policy."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `schema` is the stem of its `.avsc` file; `key` says in words what the key is."""

    name: str
    schema: str
    key: str
    doc: str
    privacy: Privacy
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int = -1
    partitioned_by: str = "key"
    config: dict[str, str] = field(default_factory=dict)


INGRESS_WEBHOOKS = Topic(
    "ingress.webhooks",
    "ingress_webhooks",
    "channel + entity",
    "Notifications as the peers sent them, durable before they are answered.",
    Privacy.RESTRICTED,
    retention_ms=7 * DAY_MS,
)
ORDERS_EVENTS = Topic(
    "orders.events",
    "orders_events",
    "order key: channel:order id",
    "Everything that happens to an order, in its order.",
    Privacy.RESTRICTED,
    retention_ms=30 * DAY_MS,
)
INVENTORY_EVENTS = Topic(
    "inventory.events",
    "inventory_events",
    "SKU (Clarus product code)",
    "Stock levels, demand lines and delivery outcomes of one SKU.",
    Privacy.INTERNAL,
    retention_ms=30 * DAY_MS,
)
INVENTORY_AVAILABILITY = Topic(
    "inventory.availability",
    "inventory_availability",
    "SKU (Clarus product code); one record a listing",
    "Available to sell per channel and location.",
    Privacy.PUBLIC,
    retention_ms=30 * DAY_MS,
)
ORDERS_STATUS = Topic(
    "orders.status",
    "orders_status",
    "order key: channel:order id",
    "Normalised state of every order.",
    Privacy.PUBLIC,
    Cleanup.COMPACT,
)
CHANNEL_COMMANDS = Topic(
    "channel.commands",
    "channel_commands",
    "channel + kind + entity",
    "Wanted state of one thing at one peer; things to read there.",
    Privacy.RESTRICTED,
    Cleanup.COMPACT,
    partitioned_by="channel",
)
INTEGRATION_EXCEPTIONS = Topic(
    "integration.exceptions",
    "integration_exceptions",
    "exception id",
    "What a person must look at.",
    Privacy.PUBLIC,
    Cleanup.COMPACT,
)
OPERATIONS_COMMANDS = Topic(
    "operations.commands",
    "operations_commands",
    "target",
    "Commands of operators.",
    Privacy.INTERNAL,
    retention_ms=30 * DAY_MS,
)
REFERENCE_MAPPINGS = Topic(
    "reference.mappings",
    "reference_mappings",
    "kind + key",
    "Versioned mappings.",
    Privacy.INTERNAL,
    Cleanup.COMPACT,
    partitioned_by="nothing: partition 0 has all, in the order in which they were imported",
)

TOPICS: tuple[Topic, ...] = (
    INGRESS_WEBHOOKS,
    ORDERS_EVENTS,
    INVENTORY_EVENTS,
    INVENTORY_AVAILABILITY,
    ORDERS_STATUS,
    CHANNEL_COMMANDS,
    INTEGRATION_EXCEPTIONS,
    OPERATIONS_COMMANDS,
    REFERENCE_MAPPINGS,
)
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
