"""The drill file's JSON Schema (draft 2020-12), and what it allows at one place of a file: the words of the faults come from the published contract."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from app.config.document import Path_ as Path
from app.drill.file import DrillFile, least_and_most
from app.settings import ProductSettingsTree, parse_duration

DURATION = {
    "description": "500ms, 2s, 1m, 1h or 7d; a plain number counts as seconds.",
    "anyOf": [{"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"}, {"type": "number", "minimum": 0}],
}


class _Generator(GenerateJsonSchema):
    """Durations are written by people with a unit; without this they would appear as whole numbers."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        if schema["function"]["function"] is parse_duration:
            return dict(DURATION)
        whole = super().function_before_schema(schema)
        return {"anyOf": [whole, dict(DURATION)]} if schema["function"]["function"] is least_and_most else whole


def dotted_names(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str, str]]:
    """Every leaf of a settings tree: its dotted name, the name of its model, its field."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from dotted_names(inner, f"{before}{name}.")
        elif before:
            yield f"{before}{name}", model.__name__, name


@cache
def drill_schema() -> dict[str, Any]:
    """The schema of the whole format."""
    schema = DrillFile.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    definitions = schema["$defs"]
    tree = definitions[ProductSettingsTree.__name__]
    for name, model, field in dotted_names(ProductSettingsTree):
        tree["properties"][name] = definitions[model]["properties"][field]
    tree["description"] = "Any setting of the product, nested or by its dotted name."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clarus-stream drill file",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def branches(path: Path, data: Any) -> list[Mapping[str, Any]]:
    """The sub-schemas that speak of the part of `data` at `path`."""
    found, here = list(_flat(drill_schema())), data
    for part in path:
        found = [s for f in _fitting(found, here) for s in _flat(_step(f, part))]
        here = here[part] if _holds(here, part) else None
    return _fitting(found, here)


def allowed_fields(path: Path, data: Any) -> list[str]:
    """Names of the fields that may stand at this place; dotted forms are left out."""
    names = {name for branch in branches(path, data) for name in branch.get("properties", {})}
    return sorted(name for name in names if "." not in name)


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _flat(schema: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield from _flat(drill_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    elif "anyOf" in schema or ("oneOf" in schema and "properties" not in schema):
        for one in schema.get("anyOf", schema.get("oneOf")):
            yield from _flat(one)
    else:
        yield schema


def _step(schema: Mapping[str, Any], part: str | int) -> Any:
    if isinstance(part, int):
        return schema.get("items") or next(iter(schema.get("prefixItems", [])), None)
    return schema.get("properties", {}).get(part, schema.get("additionalProperties"))


def _fitting(found: list[Mapping[str, Any]], data: Any) -> list[Mapping[str, Any]]:
    """Where a constant field tells kinds apart (`system`), only the kind that the data names."""
    if not isinstance(data, dict):
        return found
    fitting = []
    for schema in found:
        constants = {n: p["const"] for n, p in schema.get("properties", {}).items() if "const" in p}
        if all(data.get(name, value) == value for name, value in constants.items()):
            fitting.append(schema)
    return fitting or found
