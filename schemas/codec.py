"""Avro values to bytes and back: Confluent wire format where a registry gives ids, single-object encoding where there is none.

What our own schemas say is compiled (`compiled`); the library reads what older ones wrote, and says what is wrong with a value.
It knows no network: the ids of a registry are handed in as a mapping (`app.registry` fetches them).

Sources: Confluent wire format (magic 0, four-byte big-endian schema id); Avro 1.11 specification, "Single-object encoding" (C3 01 and the
CRC-64-AVRO fingerprint of the parsing canonical form, little-endian).
"""

import io
import json
import struct
from collections.abc import Mapping
from importlib import resources
from typing import Any

import fastavro
import msgspec
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from schemas import records
from schemas.catalogue import BY_NAME, Topic
from schemas.compiled import compiled
from schemas.records import Event, Record

SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT_HEADER = struct.Struct(">bI")
_RECORDS = {
    name: found for name, found in vars(records).items() if isinstance(found, type) and issubclass(found, Record)
}


class UndecodableRecord(ValueError):
    """A value that is not what its topic promises; the text says why."""


def load_schema(stem: str) -> dict[str, Any]:
    """The schema file `<stem>.avsc` as it stands."""
    text = resources.files("schemas").joinpath(f"{stem}.avsc").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


class TopicCodec:
    """Encodes and decodes the values of one topic.

    `writer_id` is the registry's id of our schema, or None for single-object encoding. `readers` maps the ids of older versions to their schemas.
    """

    def __init__(
        self, topic: Topic, writer_id: int | None = None, readers: Mapping[int, dict[str, Any]] | None = None
    ) -> None:
        self.topic = topic
        self.raw = load_schema(topic.schema)
        self.schema = parse_schema(self.raw)
        self.print = bytes.fromhex(fingerprint(to_parsing_canonical_form(self.schema), "CRC-64-AVRO"))
        self.writer_id = writer_id
        self._readers = {schema_id: parse_schema(schema) for schema_id, schema in (readers or {}).items()}
        self._head = SINGLE_OBJECT + self.print if writer_id is None else _CONFLUENT_HEADER.pack(0, writer_id)
        body = next(f["type"] for f in self.raw["fields"] if f["name"] == "body")
        namespace = self.raw["namespace"]
        self._classes: dict[str, type[Record]] = {f"{namespace}.{b['name']}": getattr(records, b["name"]) for b in body}
        self._names = {cls: name for name, cls in self._classes.items()}
        self._single = next(iter(self._classes.values())) if len(self._classes) == 1 else None
        self._write, self._read = compiled(self.raw, _RECORDS)

    def encode(self, event: Event[Any]) -> bytes:
        """The event as bytes. TypeError where its body does not belong to this topic; ValueError where a field does not fit."""
        try:
            return self._head + self._write(event)
        except Exception:  # noqa: BLE001 - the library says what does not fit
            return self._encode(event)

    def _encode(self, event: Event[Any]) -> bytes:
        try:
            name = self._names[type(event.body)]
        except KeyError:
            raise TypeError(f"{type(event.body).__name__} is not a body of {self.topic.name}") from None
        out = io.BytesIO()
        out.write(self._head)
        datum = {
            "event_id": event.event_id,
            "occurred_at": event.occurred_at,
            "received_at": event.received_at,
            "source": event.source,
            "trace": event.trace,
            "body": (name, msgspec.to_builtins(event.body, builtin_types=(bytes,))),
        }
        fastavro.schemaless_writer(out, self.schema, datum)
        return out.getvalue()

    def decode(self, value: bytes | None) -> Event[Any]:
        """The event of these bytes. UndecodableRecord where they are none."""
        if not value:
            raise UndecodableRecord(f"{self.topic.name}: empty value")
        if value[:2] == SINGLE_OBJECT:
            if value[2:10] != self.print:
                raise UndecodableRecord(
                    f"{self.topic.name}: written with a schema that is not in schemas/ (fingerprint {value[2:10].hex()})"
                )
            writer, start = self.schema, 10
        elif value[0] == 0 and len(value) > 5:
            schema_id = _CONFLUENT_HEADER.unpack_from(value)[1]
            known = self.schema if schema_id == self.writer_id else self._readers.get(schema_id)
            if known is None:
                raise UndecodableRecord(
                    f"{self.topic.name}: schema id {schema_id} is not known to the registry subject"
                )
            writer, start = known, 5
        else:
            raise UndecodableRecord(f"{self.topic.name}: neither single-object nor Confluent wire format")
        if writer is not self.schema:
            return self._decode(value, writer, start)
        try:
            return self._read(value, start)
        except Exception:  # noqa: BLE001 - the library says what is wrong
            return self._decode(value, writer, start)

    def _decode(self, value: bytes, writer: Any, start: int) -> Event[Any]:
        try:
            datum: Any = fastavro.schemaless_reader(
                io.BytesIO(value[start:]),
                writer,
                self.schema if writer is not self.schema else None,
                return_record_name=True,
                return_record_name_override=True,
            )
            name, body = datum["body"] if isinstance(datum["body"], tuple) else (None, datum["body"])
            cls = self._classes[name] if name is not None else self._single
            if cls is None:
                raise UndecodableRecord(f"{self.topic.name}: the body names no record")
            return Event(
                event_id=datum["event_id"],
                occurred_at=datum["occurred_at"],
                received_at=datum["received_at"],
                source=datum["source"],
                trace=datum["trace"],
                body=msgspec.convert(body, cls),
            )
        except UndecodableRecord:
            raise
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            EOFError,
            AttributeError,
            msgspec.ValidationError,
            struct.error,
        ) as error:
            raise UndecodableRecord(f"{self.topic.name}: {type(error).__name__}: {error}") from error


class Codecs:
    """The codecs of all topics, by logical topic name."""

    def __init__(
        self, ids: Mapping[str, int] | None = None, readers: Mapping[str, Mapping[int, dict[str, Any]]] | None = None
    ) -> None:
        ids, readers = ids or {}, readers or {}
        self._by_name = {name: TopicCodec(topic, ids.get(name), readers.get(name)) for name, topic in BY_NAME.items()}

    def __getitem__(self, topic: Topic | str) -> TopicCodec:
        return self._by_name[topic if isinstance(topic, str) else topic.name]
