"""The typed records say what the `.avsc` files say; every value survives the way to bytes and back; wrong bytes are one kind of error."""

import io
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import records
from schemas.catalogue import TOPICS, Cleanup, Privacy, Topic
from schemas.codec import Codecs, TopicCodec, UndecodableRecord, load_schema
from schemas.records import Event, Record

CODECS = Codecs()
SCHEMAS = {topic.name: load_schema(topic.schema) for topic in TOPICS}


def named(schema: Any) -> list[dict[str, Any]]:
    """Every record and enum of a schema, once."""
    if isinstance(schema, list):
        return [found for part in schema for found in named(part)]
    if not isinstance(schema, dict):
        return []
    if schema["type"] == "record":
        return [schema, *(found for field in schema["fields"] for found in named(field["type"]))]
    if schema["type"] == "enum":
        return [schema]
    return [found for part in ("items", "values") if part in schema for found in named(schema[part])]


def avro(annotation: Any) -> Any:
    """A field's type as Avro would name it: records and enums by their name."""
    if get_origin(annotation) is Literal:
        return sorted(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return sorted((avro(part) for part in get_args(annotation)), key=str)
    if get_origin(annotation) is list:
        return {"array": avro(get_args(annotation)[0])}
    if get_origin(annotation) is dict:
        return {"map": avro(get_args(annotation)[1])}
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation.__name__
    return {str: "string", int: "long", bool: "boolean", bytes: "bytes", type(None): "null"}[annotation]


def said(schema: Any) -> Any:
    """The same of an Avro type."""
    if isinstance(schema, list):
        return sorted((said(part) for part in schema), key=str)
    if isinstance(schema, dict):
        match schema["type"]:
            case "array":
                return {"array": said(schema["items"])}
            case "map":
                return {"map": said(schema["values"])}
            case "enum":
                return sorted(schema["symbols"])
            case "record":
                return schema["name"]
            case plain:
                return plain
    return {"int": "long"}.get(schema, schema)


ALL = {schema["name"]: schema for top in SCHEMAS.values() for schema in named(top) if schema["type"] == "record"}
ENVELOPES = {schema["name"] for schema in SCHEMAS.values()}


@pytest.mark.parametrize("name", sorted(set(ALL) - ENVELOPES))
def test_a_record_has_the_fields_of_its_schema_in_their_order_with_their_types_and_defaults(name: str) -> None:
    cls = getattr(records, name)
    hints = typing.get_type_hints(cls)
    fields = msgspec.structs.fields(cls)
    assert [f.name for f in fields] == [f["name"] for f in ALL[name]["fields"]]
    enums = {s["name"]: s for top in SCHEMAS.values() for s in named(top) if s["type"] == "enum"}
    for field, schema in zip(fields, ALL[name]["fields"], strict=True):
        kind = enums.get(schema["type"], schema["type"]) if isinstance(schema["type"], str) else schema["type"]
        assert avro(hints[field.name]) == said(kind), field.name
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
        if "default" in schema:
            made = default() if callable(default) else default
            assert made == schema["default"], field.name
        else:
            assert default is msgspec.NODEFAULT, field.name


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_every_topic_has_the_same_envelope(topic: Topic) -> None:
    fields = SCHEMAS[topic.name]["fields"]
    assert [f["name"] for f in fields] == [f.name for f in msgspec.structs.fields(Event)]
    assert fields[-1]["name"] == "body"
    assert isinstance(fields[-1]["type"], list)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_every_record_enum_and_field_says_what_it_is(topic: Topic) -> None:
    for schema in named(SCHEMAS[topic.name]):
        assert schema.get("doc", "").strip(), schema["name"]
        for field in schema.get("fields", []):
            assert field.get("doc", "").strip(), f"{schema['name']}.{field['name']}"


def test_no_record_is_without_a_schema() -> None:
    classes = {c.__name__ for c in vars(records).values() if isinstance(c, type) and issubclass(c, Record)}
    assert classes - {"Record", "Event"} == set(ALL) - ENVELOPES


def test_personal_data_is_bounded_in_time_and_never_public() -> None:
    personal = {"Address", "ReleaseAddress", "RawNotification"}
    for topic in TOPICS:
        names = {schema["name"] for schema in named(SCHEMAS[topic.name])}
        if names & personal:
            assert topic.privacy is Privacy.RESTRICTED, topic.name
            assert topic.retention_ms > 0 or topic.cleanup is Cleanup.COMPACT, topic.name


# ---- values ---------------------------------------------------------------------------------------------------------------------------------

LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of a field of this type."""
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return st.one_of([values(part) for part in get_args(annotation)])
    if get_origin(annotation) is list:
        return st.lists(values(get_args(annotation)[0]), max_size=3)
    if get_origin(annotation) is dict:
        return st.dictionaries(TEXT, values(get_args(annotation)[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, Record):
        hints = typing.get_type_hints(annotation)
        return st.builds(annotation, **{f.name: values(hints[f.name]) for f in msgspec.structs.fields(annotation)})
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: LONG,
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
    }
    return plain[annotation]


BODIES = [(topic, body["name"]) for topic in TOPICS for body in SCHEMAS[topic.name]["fields"][-1]["type"]]


def events(name: str) -> st.SearchStrategy[Event[Any]]:
    return st.builds(
        Event,
        event_id=TEXT,
        occurred_at=LONG,
        received_at=LONG,
        source=TEXT,
        trace=st.none() | TEXT,
        body=values(getattr(records, name)),
    )


@pytest.mark.parametrize(("topic", "name"), BODIES, ids=[f"{t.name}-{n}" for t, n in BODIES])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_value_survives_the_way_to_bytes_and_back(data: st.DataObject, topic: Topic, name: str) -> None:
    event = data.draw(events(name))
    for codec in (CODECS[topic], TopicCodec(topic, writer_id=7)):
        encoded = codec.encode(event)
        assert codec.decode(encoded) == event


@pytest.mark.parametrize(("topic", "name"), BODIES, ids=[f"{t.name}-{n}" for t, n in BODIES])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_bytes_are_those_that_the_library_writes_and_reads(data: st.DataObject, topic: Topic, name: str) -> None:
    event, schema = data.draw(events(name)), fastavro.parse_schema(SCHEMAS[topic.name])
    body = (f"clarus.stream.{name}", msgspec.to_builtins(event.body, builtin_types=(bytes,)))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, {**msgspec.structs.asdict(event), "body": body})
    assert CODECS[topic].encode(event)[10:] == out.getvalue()
    read = fastavro.schemaless_reader(io.BytesIO(CODECS[topic].encode(event)[10:]), schema, None)
    assert read["body"] == body[1]


def test_arrays_and_maps_may_come_in_blocks_with_their_size() -> None:
    """As other writers may lay them out (Avro 1.11, "Arrays" and "Maps")."""
    event = Event(
        event_id="e",
        occurred_at=1,
        received_at=2,
        source="ct",
        body=records.WarehouseDespatch(reference="r", wms_id="w", read_at=3, complete=True, parcels=[]),
    )
    codec = CODECS["orders.events"]
    one = b"\x02p\x00" + b"\x00" + b"\x00\x00" + b"\x01\x06\x02A\x02" + b"\x00"  # its lines are one item of three bytes
    parcels = b"\x01" + bytes([2 * len(one)]) + one + b"\x00"
    found = codec.decode(codec.encode(event)[:-1] + parcels).body
    assert found.parcels == [records.WarehouseParcel(parcel_id="p", tracking="", lines={"A": 1})]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("number", None), ("number", 1), ("version", 2**63), ("state", "LOST"), ("body", object())],
)
def test_a_value_that_does_not_fit_its_field_is_refused(field: str, wrong: object) -> None:
    body = records.NormalisedOrder(
        channel="ct", order_id="o", number="1", reference="r", state="HELD", reason="", version=1
    )
    event = Event(event_id="e", occurred_at=1, received_at=2, source="orders", body=body)
    setattr(event if field == "body" else body, field, wrong)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        CODECS["orders.status"].encode(event)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_wrong_bytes_are_undecodable_and_nothing_else(data: st.DataObject, topic: Topic) -> None:
    """Random bytes, behind a right head or none, and right values with a byte changed or cut off. What still decodes is a right event of the topic."""
    codec, confluent = CODECS[topic], TopicCodec(topic, writer_id=7)
    name = data.draw(st.sampled_from([n for t, n in BODIES if t is topic]))
    right = codec.encode(data.draw(events(name)))
    noise = data.draw(st.binary(max_size=40))
    cut = data.draw(st.integers(0, len(right)))
    at = data.draw(st.integers(0, len(right) - 1))
    changed = right[:at] + bytes([right[at] ^ data.draw(st.integers(1, 255))]) + right[at + 1 :]
    for reader, value in (
        (codec, noise),
        (codec, right[:10] + noise),
        (codec, right[:cut]),
        (codec, changed),
        (confluent, b"\x00\x00\x00\x00\x07" + noise),
        (confluent, right),
    ):
        try:
            event = reader.decode(value)
        except UndecodableRecord as error:
            assert str(error).startswith(topic.name)
        else:
            assert type(event.body).__name__ in {n for t, n in BODIES if t is topic}
            assert reader.decode(reader.encode(event)) == event


def test_nothing_at_all_is_undecodable() -> None:
    for value in (None, b"", b"\x00", b"\xc3", b"\xc3\x01", b"\x00\x00\x00\x00\x07"):
        with pytest.raises(UndecodableRecord):
            CODECS["orders.events"].decode(value)


def test_an_unknown_schema_id_and_a_foreign_fingerprint_are_told() -> None:
    codec = TopicCodec(TOPICS[0], writer_id=7)
    with pytest.raises(UndecodableRecord, match="schema id 8 is not known"):
        codec.decode(b"\x00\x00\x00\x00\x08abc")
    with pytest.raises(UndecodableRecord, match="fingerprint 0102030405060708"):
        codec.decode(b"\xc3\x01" + bytes(range(1, 9)))


def test_an_older_version_of_a_schema_is_read_with_the_defaults_of_ours() -> None:
    topic = next(t for t in TOPICS if t.name == "orders.status")
    older = load_schema(topic.schema)
    older["fields"] = [f for f in older["fields"] if f["name"] != "trace"]
    datum = {
        "event_id": "e",
        "occurred_at": 1,
        "received_at": 2,
        "source": "orders",
        "body": {
            "channel": "ct-eu",
            "order_id": "o",
            "number": "1",
            "reference": "ct-eu:o",
            "state": "RELEASED",
            "reason": "",
            "version": 3,
        },
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(older), datum)
    codec = TopicCodec(topic, writer_id=9, readers={4: older})
    event = codec.decode(b"\x00\x00\x00\x00\x04" + out.getvalue())
    assert (event.trace, event.body.state) == (None, "RELEASED")


def test_a_body_of_another_topic_is_refused() -> None:
    event = Event(
        event_id="e",
        occurred_at=0,
        received_at=0,
        source="x",
        body=records.Watermark(channel="a", order_partition=0, up_to=1),
    )
    with pytest.raises(TypeError, match=r"Watermark is not a body of orders\.events"):
        CODECS["orders.events"].encode(event)
