"""What all resources of the simulated project share: errors, times, ids, versions, custom fields and queries."""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.simulators.base import now_ms
from app.simulators.commercetools.predicates import Predicate, PredicateError, Variables, parse

Doc = dict[str, Any]


class ApiError(Exception):
    """An error answer (fact sheet 2.1): `code` and its extra fields."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra

    def body(self) -> Doc:
        """The body as the API writes it."""
        error = {"code": self.code, "message": self.message, **self.extra}
        return {"statusCode": self.status, "message": self.message, "errors": [error]}


def iso(ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def milliseconds(text: str) -> int:
    """The reverse of `iso`."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass(slots=True)
class Factory:
    """Ids and versions of one project, drawn from the seed."""

    rng: random.Random

    def id(self) -> str:
        """A new UUID."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def resource(self, **fields: Any) -> Doc:
        """A new resource at version 1; fields that are None are left out."""
        now = iso(now_ms())
        given = {name: value for name, value in fields.items() if value is not None}
        return {"id": self.id(), "version": 1, "createdAt": now, "lastModifiedAt": now, **given}

    def touch(self, doc: Doc, at_ms: int | None = None) -> None:
        """A new version: one more, or sometimes several (fact sheet 1.5)."""
        doc["version"] += 1 if self.rng.random() < 0.8 else self.rng.randint(2, 4)
        doc["lastModifiedAt"] = iso(now_ms() if at_ms is None else at_ms)


def check_version(doc: Doc, version: Any, rng: random.Random) -> None:
    """409 ConcurrentModification where another version is there; `currentVersion` is optional in the schema, so it is left out at times."""
    if not isinstance(version, int) or isinstance(version, bool):
        raise ApiError(
            400, "InvalidJsonInput", "Request body does not contain valid JSON.", detailedErrorMessage="version"
        )
    if version != doc["version"]:
        extra = {} if rng.random() < 0.05 else {"currentVersion": doc["version"]}
        raise ApiError(
            409,
            "ConcurrentModification",
            f"Object {doc['id']} has a different version than expected."
            f" Expected: {version} - Actual: {doc['version']}.",
            **extra,
        )


@dataclass(slots=True)
class Collection:
    """Resources of one kind, by id, with a unique key."""

    factory: Factory
    kind: str
    docs: dict[str, Doc] = field(default_factory=dict)

    def create(self, **fields: Any) -> Doc:
        """Add a resource. DuplicateField where its key is taken."""
        key = fields.get("key")
        if key is not None and self.by_key(key) is not None:
            raise duplicate("key", key)
        doc = self.factory.resource(**fields)
        self.docs[doc["id"]] = doc
        return doc

    def by_key(self, key: str) -> Doc | None:
        """The resource with this key."""
        return next((doc for doc in self.docs.values() if doc.get("key") == key), None)

    def get(self, id: str) -> Doc:
        """The resource with this id. 404 where there is none."""
        try:
            return self.docs[id]
        except KeyError:
            raise not_found(id) from None

    def get_key(self, key: str) -> Doc:
        """The resource with this key. 404 where there is none."""
        doc = self.by_key(key)
        if doc is None:
            raise not_found(key)
        return doc

    def resolve(self, identifier: Any) -> Doc:
        """The resource a ResourceIdentifier names by id or key."""
        identifier = identifier if isinstance(identifier, dict) else {}
        if "id" in identifier and "key" in identifier:
            raise invalid_json(f"both id and key of a {self.kind}")
        found = (
            self.docs.get(identifier.get("id", "")) if "id" in identifier else self.by_key(identifier.get("key", ""))
        )
        if found is None:
            name = {k: v for k, v in identifier.items() if k in ("id", "key")}
            text = f"The referenced object of type '{self.kind}' with identifier '{name}' was not found."
            raise ApiError(400, "ReferencedResourceNotFound", text, typeId=self.kind, **name)
        return found

    def reference(self, doc: Doc) -> Doc:
        """A reference to a resource of this collection."""
        return {"typeId": self.kind, "id": doc["id"]}


def duplicate(field: str, value: Any) -> ApiError:
    """A value that must be unique is taken."""
    text = f"A duplicate value '{value}' exists for field '{field}'."
    return ApiError(400, "DuplicateField", text, field=field, duplicateValue=value)


def not_found(what: str) -> ApiError:
    """404."""
    return ApiError(404, "ResourceNotFound", f"The Resource with ID '{what}' was not found.")


def invalid_json(detail: str) -> ApiError:
    """The body is not what the endpoint takes."""
    return ApiError(400, "InvalidJsonInput", "Request body does not contain valid JSON.", detailedErrorMessage=detail)


def required(source: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """A field of a body. RequiredField where it is missing, InvalidJsonInput where it is of another kind."""
    if source.get(name) is None:
        raise ApiError(400, "RequiredField", f"A value is required for field '{name}'.", field=name)
    value = source[name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise invalid_json(name)
    return value


def custom(types: Collection, resource: str, given: Any) -> Doc | None:
    """Custom fields of a draft, or of `setCustomType`; None where no type is given."""
    if not isinstance(given, dict) or given.get("type") is None:
        return None
    kind = types.resolve(given["type"])
    if resource not in kind["resourceTypeIds"]:
        raise ApiError(400, "InvalidOperation", f"The type '{kind['key']}' is not for resources '{resource}'.")
    fields = dict(given.get("fields") or {})
    for name in fields:
        _defined(kind, name)
    return {"type": types.reference(kind), "fields": fields}


def set_custom_field(types: Collection, doc: Doc, name: str, value: Any) -> None:
    """`setCustomField`: InvalidOperation without a type; InvalidField for a field the type does not define."""
    if "custom" not in doc:
        raise ApiError(
            400, "InvalidOperation", "This resource has no custom type set - please set the custom type first."
        )
    _defined(types.get(doc["custom"]["type"]["id"]), name)
    if value is not None:
        doc["custom"]["fields"][name] = value
    elif doc["custom"]["fields"].pop(name, None) is None:
        raise ApiError(400, "InvalidOperation", f"The custom field '{name}' is not set.")


def _defined(kind: Doc, name: str) -> None:
    if all(definition["name"] != name for definition in kind["fieldDefinitions"]):
        text = f"The field '{name}' is not defined for the type '{kind['key']}'."
        raise ApiError(400, "InvalidField", text, field=name, invalidValue=name)


@dataclass(frozen=True, slots=True)
class Query:
    """The query parameters of a paged query (fact sheet 1.5)."""

    where: list[Predicate]
    sort: list[tuple[str, bool]]
    limit: int
    offset: int
    total: bool

    @classmethod
    def read(cls, params: Iterable[tuple[str, str]]) -> "Query":
        """From the request's parameters. InvalidInput where one is wrong."""
        many: dict[str, list[str]] = {}
        for name, value in params:
            many.setdefault(name, []).append(value)
        variables: Variables = {name[4:]: values for name, values in many.items() if name.startswith("var.")}
        try:
            where = [parse(text, variables) for text in many.get("where", [])]
        except PredicateError as error:
            raise ApiError(400, "InvalidInput", f"Malformed parameter: where: {error}") from error
        sort = []
        for text in many.get("sort", []):
            name, _, direction = text.strip().partition(" ")
            sort.append((name, direction.strip().lower() == "desc"))
        limit, offset = cls._number(many, "limit", 20, 500), cls._number(many, "offset", 0, 10_000)
        return cls(where, sort, limit, offset, many.get("withTotal", ["true"])[-1] != "false")

    @staticmethod
    def _number(many: Mapping[str, list[str]], name: str, default: int, highest: int) -> int:
        text = many.get(name, [str(default)])[-1]
        if not text.isdecimal() or int(text) > highest:
            raise ApiError(400, "InvalidInput", f"Malformed parameter: {name}: a number from 0 to {highest}")
        return int(text)

    def only(self, name: str) -> frozenset[Any] | None:
        """The values of a field without which nothing can match; None where it may be any."""
        return next((p.only[name] for p in self.where if name in p.only), None)

    def page(self, docs: Iterable[Doc], show: Callable[[Doc], Doc] = dict) -> Doc:
        """The page of these resources that the query asks for."""
        found = [doc for doc in docs if all(p.matches(doc) for p in self.where)]
        for name, descending in reversed(self.sort or [("id", False)]):
            found.sort(key=lambda doc: str(doc.get(name, "")), reverse=descending)
        results = [show(doc) for doc in found[self.offset : self.offset + self.limit]]
        page: Doc = {"limit": self.limit, "offset": self.offset, "count": len(results), "results": results}
        if self.total:
            page["total"] = min(len(found), 10_000)
        return page
