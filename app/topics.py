"""Creates and checks the topics of the catalogue and the engine's own: partitions, replicas, cleanup, retention, record size. It writes no records.

Works on Apache Kafka and on brokers that answer only part of the admin protocol (the bundled one): what cannot be looked at there is named in a note.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from app import kafka
from app.engine.config import EngineConfig
from app.errors import Problem
from app.settings import Settings
from schemas.catalogue import DAY_MS, INGRESS_WEBHOOKS, TOPICS, Cleanup, Topic

TIMEOUT_S = 10.0
_LOOK_AGAIN_S = 0.1
_ROOM = 65_536  # what the envelope of a record may take beside its body
_DEFAULT_MAX_BYTES = 1_048_588
_BATCH_BYTES = 4_194_304
_UNSUPPORTED = (
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError._UNSUPPORTED_FEATURE,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError.INVALID_REQUEST,
)

State = Literal["ok", "created", "changed", "missing", "wrong"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as it shall be. `config` holds only what differs between topics."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(slots=True)
class Finding:
    """What was found or done about one topic or schema subject; `problems` say what to do."""

    name: str
    state: State
    problems: list[str] = field(default_factory=list)
    detail: str = ""


@dataclass(slots=True)
class Report:
    """Everything that was looked at. `notes` name what this broker cannot be asked."""

    topics: list[Finding] = field(default_factory=list)
    schemas: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is missing or wrong."""
        return all(f.state not in ("missing", "wrong") for f in (*self.topics, *self.schemas))

    def as_dict(self) -> dict[str, Any]:
        """For programs."""

        def plain(found: list[Finding]) -> list[dict[str, Any]]:
            return [{"name": f.name, "state": f.state, "detail": f.detail, "problems": f.problems} for f in found]

        return {"ok": self.ok, "topics": plain(self.topics), "schemas": plain(self.schemas), "notes": self.notes}

    def as_text(self) -> str:
        """For people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        width = max([len(f.name) for f in (*self.topics, *self.schemas)], default=0)
        for title, found in (("topics", self.topics), ("schemas", self.schemas)):
            if found:
                yield f"{title}:"
            for f in found:
                yield f"  {f.name:<{width}}  {f.state:<8} {f.detail}".rstrip()
                yield from (f"  {'':<{width}}    {problem}" for problem in f.problems)
        yield from (f"note: {note}" for note in self.notes)
        yield "everything is as it should be" if self.ok else "not everything is as it should be"


def engine_config(settings: Settings) -> EngineConfig:
    """What the engine must be told."""
    given, cluster = settings.settings.engine, settings.settings.kafka
    return EngineConfig(
        bootstrap=cluster.bootstrap,
        group=given.group,
        instance=given.instance,
        topic_prefix=cluster.topic_prefix,
        partitions=cluster.partitions,
        guarantee=given.guarantee,
        client=kafka.login(cluster.security, cluster.username, cluster.password.get_secret_value()),
        commit_interval_ms=given.commit_interval,
        poll_max=given.poll_max,
        data_dir=Path(given.data_dir),
        store=given.store,
        session_timeout_ms=given.session_timeout,
        transaction_timeout_ms=given.transaction_timeout,
        dead_letter_ratio=given.dead_letter_ratio,
        dead_letter_run=given.dead_letter_run,
        replication=cluster.replication,
    )


def wanted(settings: Settings) -> list[Wanted]:
    """All topics that one installation needs: the catalogue's, then the engine's state and dead letters."""
    given = settings.settings.kafka
    replicas = {"min.insync.replicas": str(min(2, given.replication))}
    found = [
        Wanted(
            kafka.topic(given, topic.name),
            given.partitions,
            given.replication,
            {**replicas, **_config(topic, settings.settings.ingress.max_body)},
        )
        for topic in TOPICS
    ]
    engine = engine_config(settings)
    state = (
        {"cleanup.policy": "compact"} if engine.transactional else {"cleanup.policy": "delete", "retention.ms": "-1"}
    )
    sized = {"max.message.bytes": str(_BATCH_BYTES)}
    found.append(Wanted(engine.state_topic, given.partitions, given.replication, {**replicas, **state, **sized}))
    found.append(
        Wanted(
            engine.dead_letter_topic,
            given.partitions,
            given.replication,
            {**replicas, "cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS), **sized},
        )
    )
    return found


def _config(topic: Topic, max_body: int) -> dict[str, str]:
    config = {"cleanup.policy": topic.cleanup.value}
    if topic.cleanup is Cleanup.DELETE:
        config["retention.ms"] = str(topic.retention_ms)
    size = max_body + _ROOM if topic is INGRESS_WEBHOOKS else 0
    config["max.message.bytes"] = str(max(_DEFAULT_MAX_BYTES, size))
    return {**config, **topic.config}


class Admin(Protocol):
    """What is used of confluent-kafka's AdminClient."""

    def list_topics(self, timeout: float = -1) -> Any: ...
    def create_topics(self, new_topics: list[NewTopic], **options: Any) -> dict[str, "Future[None]"]: ...
    def describe_configs(self, resources: list[ConfigResource], **options: Any) -> dict[ConfigResource, Any]: ...
    def incremental_alter_configs(
        self, resources: list[ConfigResource], **options: Any
    ) -> dict[ConfigResource, Any]: ...


def admin_for(settings: Settings) -> AdminClient:
    """An admin client of the product's own cluster."""
    return AdminClient(kafka.client(settings.settings.kafka, {"client.id": "clarus-stream-topics"}))


def check(settings: Settings, admin: Admin | None = None) -> Report:
    """Compare what is there with what is wanted; change nothing. `Problem` where no broker can be reached."""
    return _Run(settings, admin or admin_for(settings)).check()


def ensure(settings: Settings, admin: Admin | None = None) -> Report:
    """Create what is missing, bring settings of topics in line, then compare. Partitions are never changed. `Problem` as in `check`."""
    run = _Run(settings, admin or admin_for(settings))
    created, refused = run.create()
    run.appeared(created)
    changed = run.align(created)
    report = run.check()
    for finding in report.topics:
        if finding.name in refused:
            finding.problems = [refused[finding.name]]
        elif finding.state == "ok" and finding.name in created:
            finding.state = "created"
        elif finding.state == "ok" and finding.name in changed:
            finding.state, finding.detail = "changed", changed[finding.name]
    return report


class _Run:
    """One look at one cluster."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        self._given, self._admin = settings.settings.kafka, admin
        self._wanted = {w.name: w for w in wanted(settings)}
        self._notes: list[str] = []

    def create(self) -> tuple[set[str], dict[str, str]]:
        """Create what is missing: the names created, and why others could not be."""
        there = self._topics()
        missing = [w for w in self._wanted.values() if w.name not in there]
        if not missing:
            return set(), {}
        created, refused = self._create(missing, with_config=True)
        strange = [self._wanted[name] for name, error in refused.items() if error.code() in _UNSUPPORTED]
        if strange:
            self._note("this broker does not take settings of topics when they are created")
            more, refused = self._create(strange, with_config=False)
            created |= more
        return created, {name: self._refusal(error) for name, error in refused.items()}

    def appeared(self, created: set[str]) -> None:
        """Wait until the brokers tell of what was created: one that did not create it learns of it a moment later."""
        deadline = time.monotonic() + TIMEOUT_S
        while not created <= self._topics().keys() and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)

    def _create(self, topics: list[Wanted], *, with_config: bool) -> tuple[set[str], dict[str, KafkaError]]:
        new = [NewTopic(w.name, w.partitions, w.replication, config=w.config if with_config else {}) for w in topics]
        created: set[str] = set()
        refused: dict[str, KafkaError] = {}
        for name, future in self._admin.create_topics(new, request_timeout=TIMEOUT_S).items():
            try:
                future.result(TIMEOUT_S + 5)
                created.add(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    refused[name] = error.args[0]
        return created, refused

    def _refusal(self, error: KafkaError) -> str:
        text = f"could not be created: {error.str()}"
        if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
            return (
                f"{text}; set settings.kafka.replication ({self._given.replication}) to at most the number of brokers"
            )
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            return f"{text}; let this user create topics that start with {self._given.topic_prefix!r}, or create it by hand"
        return text

    def align(self, created: set[str]) -> dict[str, str]:
        """Set what differs on topics that were there before: name to what was changed."""
        changed: dict[str, str] = {}
        for name, different in self._differences().items():
            if name in created or not different:
                continue
            entries = [
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                for key, (_, value) in different.items()
            ]
            resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
            try:
                for future in self._admin.incremental_alter_configs([resource], request_timeout=TIMEOUT_S).values():
                    future.result(TIMEOUT_S + 5)
                changed[name] = ", ".join(f"{key} {old} → {new}" for key, (old, new) in different.items())
            except KafkaException as error:
                self._note(f"settings of topics cannot be changed here: {error.args[0].str()}")
        return changed

    def check(self) -> Report:
        """Compare everything."""
        there = self._topics()
        differences = self._differences() if there else {}
        report = Report()
        for wish in self._wanted.values():
            found = there.get(wish.name)
            if found is None:
                report.topics.append(Finding(wish.name, "missing", ["create it with `clarus-stream topics create`"]))
                continue
            problems = self._shape(wish, found)
            for key, (old, new) in differences.get(wish.name, {}).items():
                problems.append(f"{key} is {old}, not {new}; `clarus-stream topics create` sets it")
            detail = f"{len(found.partitions)} partitions, {wish.config['cleanup.policy']}"
            report.topics.append(Finding(wish.name, "wrong" if problems else "ok", problems, detail))
        report.notes = self._notes
        return report

    def _shape(self, wish: Wanted, found: Any) -> list[str]:
        problems = []
        if (number := len(found.partitions)) != wish.partitions:
            problems.append(
                f"has {number} partitions, settings.kafka.partitions is {wish.partitions}: the number never changes afterwards, or keys would "
                f"change their partition; set settings.kafka.partitions to {number}, or settings.kafka.topic_prefix to another name"
            )
        replicas = min((len(p.replicas) for p in found.partitions.values()), default=0)
        if replicas < wish.replication:
            problems.append(
                f"has {replicas} replicas, settings.kafka.replication is {wish.replication}: add replicas with Kafka's own "
                f"kafka-reassign-partitions, or set settings.kafka.replication to {replicas}"
            )
        return problems

    def _topics(self) -> dict[str, Any]:
        try:
            found = self._admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as error:
            raise Problem(
                f"kafka: {self._given.bootstrap} cannot be asked: {error.args[0].str()}; "
                "check settings.kafka.bootstrap, security, username and password"
            ) from error
        return {name: topic for name, topic in found.topics.items() if topic.error is None}

    def _differences(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Name to setting to (what is, what shall be), for topics that are there."""
        names = sorted(set(self._topics()) & set(self._wanted))
        if not names:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        different: dict[str, dict[str, tuple[str, str]]] = {}
        for resource, future in self._admin.describe_configs(resources, request_timeout=TIMEOUT_S).items():
            try:
                entries = {key: entry.value for key, entry in future.result(TIMEOUT_S + 5).items()}
            except KafkaException as error:
                self._note(f"settings of topics cannot be read here: {error.args[0].str()}")
                continue
            wish = self._wanted[resource.name].config
            unknown = sorted(key for key in wish if entries.get(key) is None)
            if unknown:
                self._note(f"this broker does not say {', '.join(unknown)} of a topic")
            different[resource.name] = {
                key: (entries[key], value)
                for key, value in wish.items()
                if entries.get(key) is not None and not _same(entries[key], value)
            }
        return different

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


def _same(one: str, other: str) -> bool:
    return sorted(part.strip() for part in one.split(",")) == sorted(part.strip() for part in other.split(","))
