"""Checks requests and answers against a vendor's published OpenAPI file, so that our simulators and connectors cannot drift from it together.

Not a full validator: it knows the parts of OpenAPI 3 that these files use and is lenient where they are careless (oneOf counts as anyOf, formats are not
looked at). It is strict where inventions would hide: with `closed`, a property that no schema names is an error.
"""

import hashlib
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

SPECS_VARIABLE = "CLARUS_STREAM_VENDOR_SPECS"
_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "specs"
_METHODS = ("get", "put", "post", "delete", "patch", "head")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

Schema = dict[str, Any]


class SpecMismatch(AssertionError):
    """What was sent or answered is not what the vendor describes; one line each."""


@cache
def vendor_spec(name: str, closed: bool = True) -> "SpecValidator":
    """The validator of one file of the folder that CLARUS_STREAM_VENDOR_SPECS names; skips the test where there is none."""
    return SpecValidator(vendor_file(name), closed=closed)


def vendor_file(name: str) -> Path:
    """One file of that folder; skips the test where there is none."""
    folder = os.environ.get(SPECS_VARIABLE)
    if not folder:
        pytest.skip(f"{SPECS_VARIABLE} is not set: no vendor API descriptions to check against")
    path = Path(folder) / name
    if not path.is_file():
        pytest.skip(f"{name} is not in the folder of {SPECS_VARIABLE}")
    return path


def load(path: Path) -> Schema:
    """A JSON or YAML file; YAML is kept as JSON under .cache, because large files take seconds to parse."""
    text = path.read_bytes()
    if path.suffix == ".json":
        return dict(json.loads(text))
    kept = _CACHE / f"{path.stem}-{hashlib.sha256(text).hexdigest()[:16]}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_bytes()))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = json.loads(json.dumps(yaml.load(text, Loader=loader), default=str))  # noqa: S506 - both are safe loaders
    _CACHE.mkdir(parents=True, exist_ok=True)
    scratch = kept.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(document))
    scratch.replace(kept)
    return dict(document)


class SpecValidator:
    """One OpenAPI 3 file. Paths may be given as they are sent, with or without the server's own prefix; `#name` suffixes must be given as in the file."""

    def __init__(self, path: Path, *, closed: bool = True) -> None:
        self._document, self._closed = load(path), closed
        prefixes = {re.escape(""), *(_pattern(_server_path(s)) for s in self._document.get("servers", []))}
        prefix = "|".join(sorted(prefixes, key=len, reverse=True))
        self._paths = [
            (re.compile(f"(?:{prefix}){_pattern(template)}"), template)
            for template in sorted(self._document["paths"], key=_literal, reverse=True)
        ]

    def request(self, method: str, path: str, body: Any = None) -> None:
        """SpecMismatch where this request's body (decoded JSON, None for none) is not as described."""
        described = self._resolve(self._operation(method, path).get("requestBody", {}))
        if body is None:
            if described.get("required"):
                raise SpecMismatch(f"{method} {path}: a body is required")
            return
        schema = _json_schema(described)
        if schema is None:
            raise SpecMismatch(f"{method} {path}: no JSON body is described")
        self._check(f"{method} {path}", body, schema)

    def response(self, method: str, path: str, status: int, body: Any = None) -> None:
        """SpecMismatch where no such answer is described, or its body (decoded JSON) is not as described."""
        answers = self._operation(method, path)["responses"]
        answer = answers.get(str(status), answers.get(f"{status // 100}XX", answers.get("default")))
        if answer is None:
            raise SpecMismatch(f"{method} {path}: no answer {status} is described")
        schema = _json_schema(self._resolve(answer))
        if schema is not None:
            self._check(f"{method} {path} answered {status}", body, schema)

    def schema(self, name: str, value: Any) -> None:
        """SpecMismatch where a value is not as the component schema `name` says."""
        self._check(name, value, {"$ref": f"#/components/schemas/{name}"})

    def _operation(self, method: str, path: str) -> Schema:
        plain = path if "#" in path else urlsplit(path).path
        for pattern, template in self._paths:
            if pattern.fullmatch(plain):
                operation = self._document["paths"][template].get(method.lower())
                if operation is not None:
                    return dict(operation)
        raise SpecMismatch(f"{method} {plain} is not described")

    def _check(self, what: str, value: Any, schema: Schema) -> None:
        errors: list[str] = []
        self._validate(value, schema, "$", errors)
        if errors:
            raise SpecMismatch(f"{what}:\n  " + "\n  ".join(errors[:20]))

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            schema = target
        return schema

    def _merged(self, schema: Schema) -> Schema:
        """The schema with everything of its allOf: later parts win, required names and alternatives add up."""
        schema = self._resolve(schema)
        merged: Schema = {"properties": {}, "required": set(), "alternatives": []}
        for part in schema.get("allOf", []):
            below = self._merged(part)
            merged["properties"].update(below.pop("properties"))
            merged["required"] |= below.pop("required")
            merged["alternatives"] += below.pop("alternatives")
            merged.update(below)
        own = {k: v for k, v in schema.items() if k not in ("allOf", "properties", "required", "oneOf", "anyOf")}
        merged.update(own)
        merged["properties"].update(schema.get("properties") or {})
        merged["required"] |= {n for n in schema.get("required") or [] if not _is_pattern(n)}
        merged["alternatives"] += [schema[k] for k in ("oneOf", "anyOf") if schema.get(k)]
        return merged

    def _validate(
        self, value: Any, schema: Schema, at: str, errors: list[str], seen: frozenset[str] = frozenset()
    ) -> None:
        resolved = self._resolve(schema)
        chosen = self._subtype(value, resolved, at, errors) if isinstance(value, dict) else None
        if chosen is not None and chosen not in seen:
            return self._validate(value, {"$ref": chosen}, at, errors, seen | {chosen})
        merged = self._merged(resolved)
        if value is None:
            if not merged.get("nullable") and merged.get("type") not in (None, "null"):
                errors.append(f"{at}: null is not allowed")
            return None
        if merged["alternatives"]:
            self._alternatives(value, merged["alternatives"], at, errors, seen)
        self._plain(value, merged, at, errors)
        if isinstance(value, dict):
            self._object(value, merged, at, errors)
        elif isinstance(value, list) and isinstance(merged.get("items"), dict):
            for number, item in enumerate(value):
                self._validate(item, merged["items"], f"{at}[{number}]", errors)
        return None

    def _subtype(self, value: dict[str, Any], schema: Schema, at: str, errors: list[str]) -> str | None:
        """The schema that the discriminator names; None where there is no discriminator."""
        discriminator = schema.get("discriminator")
        if not discriminator or not discriminator.get("mapping"):
            return None
        name, mapping = value.get(discriminator["propertyName"]), discriminator["mapping"]
        if name is None:
            return None
        if name not in mapping:
            errors.append(f"{at}.{discriminator['propertyName']}: {name!r} is none of the described")
            return None
        return str(mapping[name])

    def _alternatives(
        self, value: Any, groups: list[list[Schema]], at: str, errors: list[str], seen: frozenset[str]
    ) -> None:
        for group in groups:
            best: list[str] | None = None
            for option in group:
                found: list[str] = []
                self._validate(value, option, at, found, seen)
                if best is None or len(found) < len(best):
                    best = found
            errors += best or []

    @staticmethod
    def _plain(value: Any, schema: Schema, at: str, errors: list[str]) -> None:
        kinds = schema.get("type") or []
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if kinds and not any(_is(value, kind) for kind in kinds):
            errors.append(f"{at}: {type(value).__name__} where {' or '.join(kinds)} is described")
        if schema.get("enum") and value not in schema["enum"]:
            errors.append(f"{at}: {value!r} is none of {schema['enum']}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if "minimum" in schema and value < schema["minimum"]:
                errors.append(f"{at}: {value} is below {schema['minimum']}")
            if "maximum" in schema and value > schema["maximum"]:
                errors.append(f"{at}: {value} is above {schema['maximum']}")
        if isinstance(value, (str, list)):
            least, most = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
            if not schema.get(least, 0) <= len(value) <= schema.get(most, len(value)):
                errors.append(f"{at}: a length of {len(value)} is not allowed")

    def _object(self, value: dict[str, Any], schema: Schema, at: str, errors: list[str]) -> None:
        properties, others = schema["properties"], schema.get("additionalProperties")
        errors.extend(f"{at}.{name} is missing" for name in sorted(schema["required"]) if name not in value)
        for name, item in value.items():
            named = next((s for p, s in properties.items() if p == name or _matches(p, name)), None)
            if named is not None:
                self._validate(item, named, f"{at}.{name}", errors)
            elif isinstance(others, dict):
                self._validate(item, others, f"{at}.{name}", errors)
            elif others is False or (self._closed and properties and others is None and not schema["alternatives"]):
                errors.append(f"{at}.{name} is not described")


def _is_pattern(name: str) -> bool:
    """RAML's patterns for property names, `/regex/`, which some converters leave in OpenAPI as if they were names."""
    return len(name) > 1 and name.startswith("/") and name.endswith("/")


def _matches(pattern: str, name: str) -> bool:
    return _is_pattern(pattern) and re.search(pattern[1:-1], name) is not None


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _json_schema(described: Schema) -> Schema | None:
    for kind, content in (described.get("content") or {}).items():
        if "json" in kind and content.get("schema") is not None:
            return dict(content["schema"])
    return None


def _server_path(server: Schema) -> str:
    path = server["url"].split("://", 1)[-1].partition("/")[2].strip("/")
    return f"/{path}" if path else ""


def _pattern(template: str) -> str:
    return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", template))


def _literal(template: str) -> int:
    return len(re.sub(r"\{[^}]*\}", "", template))
