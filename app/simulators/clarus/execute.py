"""Answers GraphQL queries of the documented form `root { all(filter, first, after) { pageInfo edges { cursor node } } }` (fact sheet 2).

A root says which fields and filters it has; anything else is answered under `errors`, as an API does that knows its schema.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.simulators.clarus.graphql import Query, QueryError, Selection, Word, resolve

Getter = Callable[[Any], Any]
Fields = Mapping[str, "Getter | Nested | Many"]
Where = Mapping[str, Mapping[str, Any]]

_ORDERED = ("eq", "gt", "gteq", "lt", "lteq", "between")
OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "StringInputType": ("eq", "ilike", "like", "in", "between"),
    "IdInputType": ("eq", "in", "gt", "gteq", "lt", "lteq", "filled"),
    "IntegerInputType": _ORDERED,
    "DecimalInputType": _ORDERED,
    "DatetimeInputType": ("eq", "from", "to", "between"),
    "BooleanInputType": ("eq",),
    "EnumInputType": ("eq", "in"),
    "SingleEnumInputType": ("eq",),
}
"""Operators of each input type (fact sheet 2.1). The two enum types stand for the named ones."""

_DEFAULT_PAGE, _MAX_PAGE = 20, 100


@dataclass(frozen=True, slots=True)
class Nested:
    """An object field: how to get it, and its own fields. A missing relation is null."""

    get: Getter
    fields: Fields


@dataclass(frozen=True, slots=True)
class Many:
    """A field that lists objects: how to get them, and their fields."""

    get: Getter
    fields: Fields


@dataclass(frozen=True, slots=True)
class Filter:
    """One documented filter: its input type and the value it looks at."""

    type: str
    get: Getter


@dataclass(frozen=True, slots=True)
class Root:
    """One listable resource. `rows` may use the filter to look at fewer rows; every row is checked against the whole filter afterwards."""

    filter_type: str
    fields: Fields
    filters: Mapping[str, Filter]
    rows: Callable[[Where], Iterable[Any]]
    arguments: Mapping[str, str] = field(default_factory=dict)


def execute(roots: Mapping[str, Root], query: Query, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Every root's answer by its key. QueryError where the query does not fit the schema: then nothing is answered."""
    return {one.key: _list(roots, one, query.types, variables) for one in query.fields}


def cursor(position: int) -> str:
    """The cursor of the row at this position, from 1 (fact sheet 2: unpadded base64)."""
    return base64.b64encode(str(position).encode()).decode().rstrip("=")


def _position(text: object, path: tuple[str, ...]) -> int:
    if text is None:
        return 0
    if not isinstance(text, str):
        raise QueryError("after: a String is wanted", path)
    try:
        return int(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (ValueError, binascii.Error) as error:
        raise QueryError(f"after: {text!r} is not a cursor", path) from error


def _list(
    roots: Mapping[str, Root], selection: Selection, types: Mapping[str, str], variables: Mapping[str, Any]
) -> dict[str, Any]:
    path = (selection.key,)
    if selection.name == "__typename":
        raise QueryError("Introspection is not simulated", path)
    if selection.name not in roots:
        raise QueryError(f"Field '{selection.name}' doesn't exist on type 'Query'", path)
    root, answer = roots[selection.name], {}
    if not selection.fields:
        raise QueryError(f"Field '{selection.name}' must have selections", path)
    for inner in selection.fields:
        if inner.name != "all":
            raise QueryError(f"Field '{inner.name}' doesn't exist on type '{selection.name}'", (*path, inner.key))
        answer[inner.key] = _all(root, inner, types, variables, (*path, inner.key))
    return answer


def _all(
    root: Root, selection: Selection, types: Mapping[str, str], variables: Mapping[str, Any], path: tuple[str, ...]
) -> dict[str, Any]:
    wanted = {"filter": root.filter_type, "first": "Int", "after": "String", **root.arguments}
    for name, value in selection.arguments.items():
        if name not in wanted:
            raise QueryError(f"Field 'all' doesn't accept argument '{name}'", path)
        declared = types.get(getattr(value, "name", ""), wanted[name]).rstrip("!")
        if declared != wanted[name]:
            raise QueryError(f"Type mismatch on argument '{name}' ({declared} / {wanted[name]})", path)
    given = {name: resolve(value, variables) for name, value in selection.arguments.items()}
    where = _checked(root, given.get("filter") or {}, path)
    rows = [row for row in root.rows(where) if _passes(root, row, where)]
    first, start = given.get("first"), _position(given.get("after"), path)
    if first is not None and (not isinstance(first, int) or isinstance(first, bool) or first < 1):
        raise QueryError("first: a positive Int is wanted", path)
    page = rows[start : start + min(first or _DEFAULT_PAGE, _MAX_PAGE)]
    answer: dict[str, Any] = {}
    for one in selection.fields:
        if one.name == "pageInfo":
            answer[one.key] = _page_info(one, start, len(page), len(rows), (*path, one.key))
        elif one.name == "edges":
            answer[one.key] = [
                _edge(root, one, row, start + n, (*path, one.key, str(n - 1))) for n, row in enumerate(page, 1)
            ]
            if not page:
                _edge(root, one, None, 0, (*path, one.key))
        else:
            raise QueryError(f"Field '{one.name}' doesn't exist on type 'Connection'", path)
    return answer


def _page_info(selection: Selection, start: int, count: int, total: int, path: tuple[str, ...]) -> dict[str, Any]:
    values = {
        "hasNextPage": start + count < total,
        "hasPreviousPage": start > 0,
        "startCursor": cursor(start + 1) if count else None,
        "endCursor": cursor(start + count) if count else None,
    }
    for one in selection.fields:
        if one.name not in values:
            raise QueryError(f"Field '{one.name}' doesn't exist on type 'PageInfo'", path)
    return {one.key: values[one.name] for one in selection.fields}


def _edge(root: Root, selection: Selection, row: Any, position: int, path: tuple[str, ...]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for one in selection.fields:
        if one.name == "cursor":
            answer[one.key] = cursor(position)
        elif one.name == "node":
            answer[one.key] = _object(root.fields, one, row, (*path, one.key))
        else:
            raise QueryError(f"Field '{one.name}' doesn't exist on type 'Edge'", path)
    return answer


def _object(fields: Fields, selection: Selection, row: Any, path: tuple[str, ...]) -> dict[str, Any] | None:
    """One object; with no row only the selection is checked, as a schema does it without data."""
    answer: dict[str, Any] = {}
    if not selection.fields:
        raise QueryError(f"Field '{selection.name}' must have selections", path)
    for one in selection.fields:
        if one.name not in fields:
            raise QueryError(f"Field '{one.name}' doesn't exist", (*path, one.key))
        known = fields[one.name]
        if isinstance(known, Nested):
            answer[one.key] = _object(known.fields, one, None if row is None else known.get(row), (*path, one.key))
        elif isinstance(known, Many):
            rows = [] if row is None else known.get(row)
            answer[one.key] = [_object(known.fields, one, each, (*path, one.key)) for each in rows]
            if not rows:
                _object(known.fields, one, None, (*path, one.key))
        elif one.fields:
            raise QueryError(f"Field '{one.name}' has no selections", (*path, one.key))
        else:
            answer[one.key] = None if row is None else known(row)
    return None if row is None else answer


def _checked(root: Root, where: Any, path: tuple[str, ...]) -> Where:
    if not isinstance(where, dict):
        raise QueryError("filter: an object is wanted", path)
    clean: dict[str, dict[str, Any]] = {}
    for name, operators in where.items():
        if name not in root.filters:
            raise QueryError(f"filter: {name} is not defined on {root.filter_type}", path)
        kind = root.filters[name].type
        if not isinstance(operators, dict):
            raise QueryError(f"filter: {name}: an object of operators is wanted", path)
        for operator, operand in operators.items():
            if operator not in OPERATORS[kind]:
                raise QueryError(f"filter: {name}: {operator} is not defined on {kind}", path)
            if operator in ("in", "between") and not isinstance(operand, list):
                raise QueryError(f"filter: {name}: {operator}: a list is wanted", path)
        clean[name] = {operator: _typed(kind, operand, name, path) for operator, operand in operators.items()}
    return clean


def _typed(kind: str, operand: Any, name: str, path: tuple[str, ...]) -> Any:
    if isinstance(operand, list):
        return [_typed(kind, item, name, path) for item in operand]
    try:
        if kind in ("StringInputType", "EnumInputType", "SingleEnumInputType"):
            if not isinstance(operand, str) or (kind == "StringInputType" and isinstance(operand, Word)):
                raise ValueError(operand)
            return str(operand)
        if kind == "BooleanInputType":
            if not isinstance(operand, bool):
                raise ValueError(operand)
            return operand
        if kind == "DatetimeInputType":
            return int(datetime.fromisoformat(operand).timestamp() * 1000)
        if kind == "IdInputType" and isinstance(operand, bool):
            return operand
        return Decimal(str(operand))
    except (ValueError, TypeError, InvalidOperation) as error:
        raise QueryError(f"filter: {name}: {operand!r} does not fit {kind}", path) from error


_CHECKS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, operand: bool(value == operand),
    "in": lambda value, operand: value in operand,
    "gt": lambda value, operand: value is not None and value > operand,
    "gteq": lambda value, operand: value is not None and value >= operand,
    "lt": lambda value, operand: value is not None and value < operand,
    "lteq": lambda value, operand: value is not None and value <= operand,
    "from": lambda value, operand: value is not None and value >= operand,
    "to": lambda value, operand: value is not None and value <= operand,
    "between": lambda value, operand: value is not None and operand[0] <= value <= operand[1],
    "like": lambda value, operand: value is not None and operand in value,
    "ilike": lambda value, operand: value is not None and operand.lower() in value.lower(),
    "filled": lambda value, operand: (value is not None) == operand,
}


def _passes(root: Root, row: Any, where: Where) -> bool:
    for name, operators in where.items():
        value = root.filters[name].get(row)
        if not all(_CHECKS[operator](value, operand) for operator, operand in operators.items()):
            return False
    return True
