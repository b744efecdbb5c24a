"""Looks at the product's own cluster: does it answer and let us in, are topics and schemas right, may we write. The workers' group: `app.doctor.group`.

It writes nothing. What this broker cannot be asked is said, as a warning.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from confluent_kafka import (
    KafkaError,
    KafkaException,
    TopicCollection,
)
from confluent_kafka.admin import AclOperation, AdminClient

from app import kafka, registry, topics
from app.doctor import group
from app.doctor.checks import Check, Result
from app.doctor.group import AREA, SECONDS, many
from app.settings import Settings

_AWAY: Final = "see that the broker runs and that settings.kafka.bootstrap names it"
_SLOW: Final = "the broker answers other questions: see its log, and ask again"


def first(settings: Settings) -> Check:
    """Does the cluster answer? Where it does not, nothing else of it can be looked at."""
    return Check(AREA, "broker", lambda: broker(settings), 3 * SECONDS, _AWAY)


def checks(settings: Settings) -> list[Check]:
    """The other looks at the cluster."""
    looks: list[tuple[str, Callable[[Settings], list[Result]], str]] = [
        ("topics", topics_right, _SLOW),
        ("schemas", schemas, "see that the registry runs; check settings.kafka.schema_registry_url"),
        ("rights", rights, _SLOW),
        ("group", group.members, _SLOW),
        ("lag", group.lag, _SLOW),
        ("dead letters", group.dead_letters, _SLOW),
    ]
    return [Check(AREA, name, partial(look, settings), 3 * SECONDS, remedy) for name, look, remedy in looks]


# ---- does it answer -------------------------------------------------------------------------------------------------------------------------


def broker(
    settings: Settings, make: Callable[[dict[str, Any]], Any] = AdminClient, seconds: float = SECONDS
) -> list[Result]:
    """Connect, and say plainly why that does not work."""
    given = settings.settings.kafka
    errors: list[KafkaError] = []
    admin = make(kafka.client(given, {"error_cb": errors.append, "client.id": "clarus-stream-doctor"}))
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = admin.list_topics(timeout=1.0)
            break
        except KafkaException as error:
            admin.poll(0.1)
            if time.monotonic() >= deadline or any(_hopeless(one) for one in errors):
                return [_unreached(given.bootstrap, errors or [error.args[0]], given)]
    brokers = len(found.brokers)
    results = [Result(AREA, "broker", "ok", f"{given.bootstrap} answers; {many(brokers, 'broker')}, {_secured(given)}")]
    if given.replication > brokers:
        text = f"settings.kafka.replication is {given.replication}, the cluster has {many(brokers, 'broker')}"
        remedy = "bring back the missing brokers, or lower settings.kafka.replication before topics are created"
        results.append(Result(AREA, "replication", "warn", text, remedy))
    return results


def _hopeless(error: KafkaError) -> bool:
    return error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED)


def _unreached(bootstrap: str, errors: list[KafkaError], given: Any) -> Result:
    """The most telling of librdkafka's errors, in words."""
    worst = next((error for error in errors if _hopeless(error)), errors[0])
    words = worst.str()
    text = words if bootstrap in words else f"{bootstrap}: {words}"
    protocol = kafka.login(given.security, given.username, "").get("security.protocol", "PLAINTEXT")
    if worst.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        remedy = "the login is refused: check settings.kafka.username and password, and sasl.mechanism in settings.kafka.security"
    elif worst.code() == KafkaError._SSL or "SSL handshake" in text:
        remedy = (
            "TLS fails: check that the port speaks TLS, ssl.ca.location in settings.kafka.security, and the host's name "
            "in the certificate"
        )
    elif worst.code() == KafkaError._RESOLVE:
        remedy = "the host is not known: check settings.kafka.bootstrap and the name service"
    else:
        remedy = (
            f"{_AWAY}; security.protocol here is {protocol}: a port with another one ends connections without a word"
        )
    return Result(AREA, "broker", "fail", text, remedy)


def _secured(given: Any) -> str:
    protocol = kafka.login(given.security, given.username, "").get("security.protocol", "PLAINTEXT")
    return f"{protocol}{f' as {given.username}' if given.username else ''}"


# ---- topics and schemas ---------------------------------------------------------------------------------------------------------------------


def topics_right(settings: Settings) -> list[Result]:
    """Partitions, replicas, cleanup, retention."""
    report = topics.check(settings)
    return _findings("topics", report.topics, report.notes)


def schemas(settings: Settings) -> list[Result]:
    """Subjects and their compatibility."""
    if not settings.settings.kafka.schema_registry_url:
        return [Result(AREA, "schemas", "ok", "no registry configured: records carry their schema's fingerprint")]
    return _findings("schemas", registry.check(settings), [])


def _findings(check: str, found: list[topics.Finding], notes: list[str]) -> list[Result]:
    missing = [one.name for one in found if one.state == "missing"]
    results = [Result(AREA, check, "warn", note, "look at it with the broker's own tools") for note in notes]
    if missing:
        text = f"{len(missing)} of {len(found)} are missing: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}"
        results.append(Result(AREA, check, "fail", text, "clarus-stream topics create"))
    wrong: dict[str, list[str]] = {}
    for one in found:
        for problem in one.problems if one.state == "wrong" else []:
            wrong.setdefault(problem, []).append(one.name)
    for problem, names in wrong.items():
        detail, remedy = _halves(problem)
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        results.append(Result(AREA, check, "fail", f"{names[0]}{more}: {detail}", remedy))
    if all(result.state == "warn" for result in results):
        results.insert(0, Result(AREA, check, "ok", f"{len(found)} as they should be"))
    return results


def _halves(problem: str) -> tuple[str, str]:
    """`app.topics` and `app.registry` say first what is wrong, then what to do."""
    for mark in ("; ", ": "):
        detail, parted, remedy = problem.partition(mark)
        if parted:
            return detail, remedy
    return problem, "clarus-stream topics check"


# ---- rights ---------------------------------------------------------------------------------------------------------------------------------


def rights(settings: Settings, make: Callable[[dict[str, Any]], Any] = AdminClient) -> list[Result]:
    """May this user read and write every topic, and use the group? Asked for, never tried."""
    admin = make(kafka.client(settings.settings.kafka))
    names = [wish.name for wish in topics.wanted(settings)]
    described = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=SECONDS
    )
    lacking: list[str] = []
    told = known = 0
    for name, future in described.items():
        try:
            operations = future.result(SECONDS).authorized_operations
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                lacking.append(f"{name}: describe")
            continue
        known += 1
        if operations is None:
            continue
        told += 1
        missing = [op.name.lower() for op in (AclOperation.READ, AclOperation.WRITE) if not _holds(operations, op)]
        if missing:
            lacking.append(f"{name}: {' and '.join(missing)}")
    if lacking:
        remedy = "let this user read and write these topics (kafka-acls, or your cluster's console)"
        return [Result(AREA, "rights", "fail", f"not allowed: {one}", remedy) for one in lacking]
    if not told and not known:
        return [Result(AREA, "rights", "warn", "there is no topic to ask about", "clarus-stream topics create")]
    if not told:
        return [Result(AREA, "rights", "warn", "this broker does not tell what a user may do", "try it with a drill")]
    return [Result(AREA, "rights", "ok", f"may read and write {many(told, 'topic')}")]


def _holds(operations: Any, wanted: AclOperation) -> bool:
    return wanted in operations or AclOperation.ALL in operations
