"""The schemas in a real registry: registered once, compatible for ever, and what older and newer versions wrote is read."""

import copy
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from app import registry
from app.config import load
from app.errors import Problem
from app.settings import Settings
from schemas.catalogue import ORDERS_STATUS, TOPICS
from schemas.codec import UndecodableRecord, load_schema
from schemas.records import Event, NormalisedOrder
from tests.support.apicurio import apicurio
from tests.support.bundled import bundled_broker

pytestmark = pytest.mark.registry

EVENT = Event(
    event_id="e",
    occurred_at=1,
    received_at=2,
    source="orders",
    body=NormalisedOrder(
        channel="ct-eu", order_id="o", number="1", reference="ct-eu:o", state="RELEASED", reason="", version=3
    ),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with apicurio() as running:
        yield running


@pytest.fixture
def settings(url: str, request: pytest.FixtureRequest) -> Settings:
    """Settings with subjects of their own: one registry serves all tests."""
    environ = {
        "CLARUS_STREAM__KAFKA__SCHEMA_REGISTRY_URL": url,
        "CLARUS_STREAM__KAFKA__TOPIC_PREFIX": f"{request.node.name}.",
    }
    return load(None, environ).settings


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of orders.status with a field more."""
    schema = copy.deepcopy(load_schema(ORDERS_STATUS.schema))
    schema["fields"].insert(-1, fields)
    return schema


def test_every_schema_is_registered_once_and_then_found(settings: Settings) -> None:
    before = registry.check(settings)
    assert {f.state for f in before} == {"missing"}
    assert [f.state for f in registry.ensure(settings)] == ["created"] * len(TOPICS)
    assert [f.state for f in registry.ensure(settings)] == ["ok"] * len(TOPICS)
    assert [f.state for f in registry.check(settings)] == ["ok"] * len(TOPICS)
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        name = registry.subject(settings, ORDERS_STATUS)
        assert name == f"{settings.settings.kafka.topic_prefix}orders.status-value"
        assert asked.compatibility(name) == "BACKWARD_TRANSITIVE"
        assert len(asked.versions(name)) == 1


def test_an_incompatible_schema_is_refused_with_the_registrys_words(settings: Settings) -> None:
    name = registry.subject(settings, ORDERS_STATUS)
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        asked.register(name, load_schema(ORDERS_STATUS.schema))
        with pytest.raises(registry.Refused) as refused:
            asked.register(name, changed(name="must", type="string"))
        assert str(refused.value).strip()
        assert not asked.compatible(name, changed(name="must", type="string"))
        assert len(asked.versions(name)) == 1


def test_topics_refuses_to_go_over_a_schema_that_is_not_compatible_with_ours(settings: Settings) -> None:
    name = registry.subject(settings, ORDERS_STATUS)
    foreign = {"type": "record", "name": "Other", "namespace": "x", "fields": [{"name": "a", "type": "string"}]}
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        asked.register(name, foreign)
    for findings in (registry.check(settings), registry.ensure(settings)):
        found = next(f for f in findings if f.name == name)
        assert found.state == "wrong"
        assert found.problems[0].startswith(f"the registry refuses the schema for subject {name}")
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        assert len(asked.versions(name)) == 1


def test_values_are_in_the_confluent_wire_format_and_any_client_reads_them(settings: Settings) -> None:
    registry.ensure(settings)
    encoded = registry.codecs_for(settings)[ORDERS_STATUS].encode(EVENT)
    assert encoded[0] == 0
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        versions = asked.versions(registry.subject(settings, ORDERS_STATUS))
    writer = fastavro.parse_schema(versions[int.from_bytes(encoded[1:5], "big")])
    datum: Any = fastavro.schemaless_reader(io.BytesIO(encoded[5:]), writer, None)
    assert datum["body"]["state"] == "RELEASED"


def test_what_an_older_version_wrote_is_read_and_what_nobody_registered_is_not(settings: Settings) -> None:
    name = registry.subject(settings, ORDERS_STATUS)
    older = copy.deepcopy(load_schema(ORDERS_STATUS.schema))
    older["fields"] = [f for f in older["fields"] if f["name"] != "trace"]
    with registry.Registry(settings.settings.kafka.schema_registry_url) as asked:
        number = asked.register(name, older)
    registry.ensure(settings)
    codec = registry.codecs_for(settings)[ORDERS_STATUS]
    assert codec.writer_id not in (None, number)
    out = io.BytesIO()
    datum = {"event_id": "e", "occurred_at": 1, "received_at": 2, "source": "orders"}
    body = {name: getattr(EVENT.body, name) for name in EVENT.body.__struct_fields__}
    fastavro.schemaless_writer(out, fastavro.parse_schema(older), {**datum, "body": body})
    assert codec.decode(b"\x00" + number.to_bytes(4, "big") + out.getvalue()) == EVENT
    with pytest.raises(UndecodableRecord, match="schema id 999999 is not known"):
        codec.decode(b"\x00" + (999_999).to_bytes(4, "big") + out.getvalue())


def test_a_worker_does_not_start_before_the_schemas_are_there(settings: Settings) -> None:
    with pytest.raises(Problem) as told:
        registry.codecs_for(settings)
    assert len(told.value.lines) == len(TOPICS)
    assert told.value.lines[0].endswith("run `clarus-stream topics create`")


def test_a_registry_that_is_away_is_one_line() -> None:
    settings = load(None, {"CLARUS_STREAM__KAFKA__SCHEMA_REGISTRY_URL": "http://user:hush@127.0.0.1:9"}).settings
    with pytest.raises(Problem) as told:
        registry.codecs_for(settings)
    [line] = told.value.lines
    assert line.startswith("schema registry 127.0.0.1:9: cannot be asked")
    assert "hush" not in line


def test_the_command_registers_and_checks(url: str, tmp_path: Path) -> None:
    with bundled_broker() as (bootstrap, _):
        config = tmp_path / "shop.yaml"
        config.write_text(
            f"settings: {{kafka: {{bootstrap: '{bootstrap}', partitions: 2, replication: 1, topic_prefix: cmd., schema_registry_url: '{url}'}}}}"
        )

        def run(what: str) -> tuple[int, dict[str, Any]]:
            command = [sys.executable, "-m", "app.cli", "topics", what, "--json", "--config", str(config)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.stderr == ""
            return done.returncode, json.loads(done.stdout)

        assert run("check")[0] == 1
        status, made = run("create")
        assert (status, made["ok"]) == (0, True)
        assert {s["state"] for s in made["schemas"]} == {"created"}
        status, checked = run("check")
        assert (status, {s["state"] for s in (*checked["schemas"], *checked["topics"])}) == (0, {"ok"})
