"""The schema registry: one subject a topic, compatible for ever, and the ids the codecs need. Without a registry nothing here is called but `codecs_for`.

Every call has a time-out; the registry's own words are passed on.
"""

import json
import warnings
from collections.abc import Callable
from typing import Any

import httpx

from app import kafka
from app.errors import Problem
from app.settings import Settings
from app.topics import Finding
from schemas.catalogue import TOPICS, Topic
from schemas.codec import Codecs, load_schema

COMPATIBILITY = "BACKWARD_TRANSITIVE"
TIMEOUT_S = 5
_NOT_FOUND = (404,)


def subject(settings: Settings, topic: Topic) -> str:
    """The subject of a topic's values."""
    return f"{kafka.topic(settings.settings.kafka, topic.name)}-value"


class Registry:
    """The registry as this product uses it. `Problem` where it cannot be reached."""

    def __init__(self, url: str) -> None:
        self._shown = url.rsplit("@", 1)[-1]
        with warnings.catch_warnings(record=True):  # authlib, which the client imports, announces its own next version
            from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
            from confluent_kafka.schema_registry.error import SchemaRegistryError
        self._avro: Callable[[dict[str, Any]], Any] = lambda schema: Schema(json.dumps(schema), "AVRO")
        self._refusal: type[Any] = SchemaRegistryError
        self._client = SchemaRegistryClient({"url": url, "timeout": TIMEOUT_S, "max.retries": 1})

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__(None, None, None)

    def id_of(self, subject: str, schema: dict[str, Any]) -> int | None:
        """The id of this very schema in the subject; None where it is not registered."""
        found = self._ask(lambda: self._client.lookup_schema(subject, self._avro(schema)), missing=None)
        return found.schema_id if found is not None else None

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Set the subject's compatibility and register the schema; its id. `Refused` with the registry's words where it is incompatible."""
        self._ask(lambda: self._client.set_compatibility(subject, level=COMPATIBILITY), missing=None)
        number: int = self._ask(lambda: self._client.register_schema(subject, self._avro(schema)), missing=0)
        return number

    def compatibility(self, subject: str) -> str | None:
        """The subject's own level; None where it has none."""
        level: str | None = self._ask(lambda: self._client.get_compatibility(subject), missing=None)
        return level

    def compatible(self, subject: str, schema: dict[str, Any]) -> bool:
        """Would the registry take this schema?"""
        fits: bool = self._ask(lambda: self._client.test_compatibility(subject, self._avro(schema)), missing=True)
        return fits

    def versions(self, subject: str) -> dict[int, dict[str, Any]]:
        """Every registered version of the subject: id to schema."""
        found: dict[int, dict[str, Any]] = {}
        none: list[int] = []
        for number in self._ask(lambda: self._client.get_versions(subject), missing=none):
            version = self._ask(lambda n=number: self._client.get_version(subject, n), missing=None)  # type: ignore[misc]
            if version is not None:
                found[version.schema_id] = json.loads(version.schema.schema_str)
        return found

    def _ask(self, call: Callable[[], Any], missing: object) -> Any:
        try:
            return call()
        except self._refusal as error:
            if error.http_status_code in _NOT_FOUND:
                return missing
            if error.http_status_code in (409, 422):
                raise Refused(error.error_message) from error
            raise Problem(f"schema registry {self._shown}: {error}") from error
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise Problem(
                f"schema registry {self._shown}: cannot be asked: {error or type(error).__name__}; check settings.kafka.schema_registry_url"
            ) from error


class Refused(Exception):
    """The registry does not take a schema; the text is its own."""


def ensure(settings: Settings) -> list[Finding]:
    """Register the schema of every topic. An incompatible one is a finding `wrong` that names the subject and the registry's words."""
    found: list[Finding] = []
    with Registry(settings.settings.kafka.schema_registry_url) as registry:
        for topic in TOPICS:
            name, schema = subject(settings, topic), load_schema(topic.schema)
            known = registry.id_of(name, schema)
            try:
                number = registry.register(name, schema)
            except Refused as refused:
                found.append(Finding(name, "wrong", [_incompatible(name, str(refused))]))
                continue
            found.append(Finding(name, "created" if known is None else "ok", detail=f"id {number}, {COMPATIBILITY}"))
    return found


def check(settings: Settings) -> list[Finding]:
    """Compare what is registered with the schemas; change nothing."""
    found: list[Finding] = []
    with Registry(settings.settings.kafka.schema_registry_url) as registry:
        for topic in TOPICS:
            name, schema = subject(settings, topic), load_schema(topic.schema)
            number = registry.id_of(name, schema)
            level = registry.compatibility(name)
            if number is None:
                compatible = registry.compatible(name, schema)
                remedy = "register it with `clarus-stream topics create`" if compatible else _incompatible(name, "")
                found.append(Finding(name, "missing" if compatible else "wrong", [remedy]))
            elif level != COMPATIBILITY:
                text = f"compatibility is {level or 'the global one'}, not {COMPATIBILITY}; `clarus-stream topics create` sets it"
                found.append(Finding(name, "wrong", [text], f"id {number}"))
            else:
                found.append(Finding(name, "ok", detail=f"id {number}, {COMPATIBILITY}"))
    return found


def _incompatible(name: str, words: str) -> str:
    said = f"; it says: {' '.join(words.split())}" if words else ""
    return f"the registry refuses the schema for subject {name}{said}; an older or newer version of this product may be in use beside this one"


def codecs_for(settings: Settings) -> Codecs:
    """The codecs of all topics: Confluent wire format with the registry's ids where one is configured, single-object encoding where not.

    `Problem` where the registry cannot be asked or does not know a schema."""
    url = settings.settings.kafka.schema_registry_url
    if not url:
        return Codecs()
    ids: dict[str, int] = {}
    readers: dict[str, dict[int, dict[str, Any]]] = {}
    unknown: list[str] = []
    with Registry(url) as registry:
        for topic in TOPICS:
            name = subject(settings, topic)
            number = registry.id_of(name, load_schema(topic.schema))
            if number is None:
                unknown.append(name)
                continue
            ids[topic.name] = number
            readers[topic.name] = {k: v for k, v in registry.versions(name).items() if k != number}
    if unknown:
        raise Problem(
            [
                f"schema registry: subject {name} does not hold our schema; run `clarus-stream topics create`"
                for name in unknown
            ]
        )
    return Codecs(ids, readers)
