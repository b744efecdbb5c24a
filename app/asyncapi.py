"""The AsyncAPI 3.0 document of the public topics: what a subscriber reads before subscribing. Made from the catalogue and the schemas alone."""

import importlib.metadata
from typing import Any

from app import kafka
from app.settings import Settings
from schemas.catalogue import TOPICS, Privacy, Topic
from schemas.codec import load_schema

AVRO = "application/vnd.apache.avro;version=1.9.0"

HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka protocol binding, binary mode, and W3C trace context. Values are UTF-8 text.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "Unique id of the record: its event_id."},
        "ce_source": {"type": "string", "description": "Who derived it: /clarus-stream/ and the agent."},
        "ce_type": {"type": "string", "description": "clarus.stream. and the name of the record in the body."},
        "content-type": {"type": "string", "const": "application/avro"},
        "traceparent": {"type": "string", "description": "W3C trace context of the work that led to it."},
    },
}


def document(settings: Settings) -> dict[str, Any]:
    """The document, ready for JSON. Topic names carry the configured prefix."""
    given = settings.settings.kafka
    public = [topic for topic in TOPICS if topic.privacy is Privacy.PUBLIC]
    encoding = (
        f"Confluent wire format; schemas in the registry {given.schema_registry_url.rsplit('@', 1)[-1]} under <topic>-value."
        if given.schema_registry_url
        else "Avro single-object encoding: two bytes C3 01, the eight-byte CRC-64-AVRO fingerprint of the schema, the datum."
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "clarus-stream: public topics",
            "version": importlib.metadata.version("clarus-stream"),
            "description": "Stock on offer, states of orders and open exceptions of storefronts and a Clarus warehouse. No personal data. "
            f"Values are Avro. {encoding}",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": AVRO,
        "servers": {"kafka": {"host": given.bootstrap.split(",")[0].strip(), "protocol": "kafka"}},
        "channels": {_name(topic): _channel(topic, settings) for topic in public},
        "operations": {
            f"receive_{_name(topic)}": {
                "action": "send",
                "summary": f"clarus-stream publishes to {kafka.topic(given, topic.name)}; subscribers read it.",
                "channel": {"$ref": f"#/channels/{_name(topic)}"},
            }
            for topic in public
        },
        "components": {"messages": {_name(topic): _message(topic) for topic in public}},
    }


def _name(topic: Topic) -> str:
    return topic.name.replace(".", "_")


def _channel(topic: Topic, settings: Settings) -> dict[str, Any]:
    given = settings.settings.kafka
    kept: dict[str, Any] = {"cleanup.policy": [topic.cleanup.value]}
    if topic.retention_ms >= 0:
        kept["retention.ms"] = topic.retention_ms
    return {
        "address": kafka.topic(given, topic.name),
        "description": f"{topic.doc} Key: {topic.key}.",
        "messages": {_name(topic): {"$ref": f"#/components/messages/{_name(topic)}"}},
        "bindings": {
            "kafka": {
                "topic": kafka.topic(given, topic.name),
                "partitions": given.partitions,
                "replicas": given.replication,
                "topicConfiguration": kept,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic) -> dict[str, Any]:
    schema = load_schema(topic.schema)
    return {
        "name": schema["name"],
        "title": topic.name,
        "summary": topic.doc,
        "contentType": AVRO,
        "headers": HEADERS,
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"UTF-8 text: {topic.key}."},
                "bindingVersion": "0.5.0",
            }
        },
    }
