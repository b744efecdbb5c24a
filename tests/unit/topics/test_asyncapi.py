"""The document subscribers read: the public topics and nothing else, whole and in one piece."""

from typing import Any

from app.asyncapi import document
from app.config import load
from schemas.catalogue import TOPICS, Privacy
from schemas.codec import load_schema

DOCUMENT = document(load(None, {"CLARUS_STREAM__KAFKA__TOPIC_PREFIX": "shop."}).settings)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in references(inner)]
    return [found for inner in value for found in references(inner)] if isinstance(value, list) else []


def test_it_names_the_public_topics_and_no_other() -> None:
    public = {f"shop.{t.name}" for t in TOPICS if t.privacy is Privacy.PUBLIC}
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == public
    assert DOCUMENT["asyncapi"] == "3.0.0"


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_a_message_has_its_avro_schema_its_key_and_its_headers() -> None:
    message = DOCUMENT["components"]["messages"]["orders_status"]
    assert message["payload"]["schema"] == load_schema("orders_status")
    assert "channel:order id" in message["bindings"]["kafka"]["key"]["description"]
    assert set(message["headers"]["required"]) <= set(message["headers"]["properties"])


def test_the_headers_are_those_that_agents_write() -> None:
    from agents.emit import cloud_headers
    from schemas.catalogue import ORDERS_STATUS
    from schemas.records import Event, OrderWatermark

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = Event(
        event_id="e",
        occurred_at=1,
        received_at=1,
        source="orders",
        trace=trace,
        body=OrderWatermark(channel="a", up_to=1),
    )
    written = cloud_headers(ORDERS_STATUS, event)  # type: ignore[arg-type]
    described = DOCUMENT["components"]["messages"]["orders_status"]["headers"]
    assert set(written) <= set(described["properties"])
    assert set(described["required"]) <= set(written)


def test_how_long_records_are_kept_is_told() -> None:
    bindings = DOCUMENT["channels"]["inventory_availability"]["bindings"]["kafka"]
    assert bindings["topicConfiguration"] == {"cleanup.policy": ["delete"], "retention.ms": 30 * 86_400_000}
