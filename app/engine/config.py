"""What the engine must be told: where the cluster is, who we are, what is promised, and its limits. It reads no environment and no files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Guarantee = Literal["exactly_once", "at_least_once"]
StoreKind = Literal["rocksdict", "memory"]
Membership = Literal["auto", "static", "dynamic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Settings of one worker. Times are milliseconds.

    `client` holds further librdkafka properties for every client (security, CA file, client id). `membership` `auto` is static with `exactly_once`
    (a restarted worker gets its partitions back at once) and dynamic with `at_least_once` (the bundled broker lets static members wait a whole session).
    `replication` is that of the engine's own topics where they have to be created.
    """

    bootstrap: str
    group: str = "clarus-stream"
    instance: str = "worker-0"
    topic_prefix: str = ""
    partitions: int = 24
    guarantee: Guarantee = "exactly_once"
    client: Mapping[str, str] = field(default_factory=dict)
    commit_interval_ms: int = 25
    poll_max: int = 10_000
    data_dir: Path = Path("data")
    store: StoreKind = "rocksdict"
    session_timeout_ms: int = 6_000
    transaction_timeout_ms: int = 10_000
    membership: Membership = "auto"
    dead_letter_ratio: float = 0.05
    dead_letter_run: int = 100
    batch_attempts: int = 4
    replication: int = 1
    broker_wait_ms: int = 30_000
    stall_after_ms: int = 60_000

    @property
    def transactional(self) -> bool:
        return self.guarantee == "exactly_once"

    @property
    def static_membership(self) -> bool:
        return self.membership == "static" or (self.membership == "auto" and self.transactional)

    @property
    def group_id(self) -> str:
        """Consumer group and application id."""
        return f"{self.topic_prefix}{self.group}"

    @property
    def transactional_id(self) -> str:
        """One per instance: a restarted worker ends what its predecessor left open."""
        return f"{self.group_id}-{self.instance}"

    @property
    def state_topic(self) -> str:
        """The one topic all tables are restored from: changelog (`exactly_once`) or journal (`at_least_once`)."""
        return f"{self.group_id}-{'changelog' if self.transactional else 'journal'}"

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.group_id}-dead-letters"

    @property
    def directory(self) -> Path:
        """Where this instance keeps its stores."""
        return self.data_dir / self.group_id / self.instance

    def physical(self, topic: str) -> str:
        """The topic's name at the broker."""
        return f"{self.topic_prefix}{topic}"

    def logical(self, topic: str) -> str:
        """The topic's name in the catalogue."""
        return topic.removeprefix(self.topic_prefix)
