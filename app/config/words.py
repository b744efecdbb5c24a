"""What pydantic found wrong, in words for people: the setting, where it was given, what is allowed. One line a fault, never a secret's value."""

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from app.config import shape
from app.config.document import Document, Path_, dotted

_KINDS = {
    "string": "text, in quotes where it looks like a number",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list of two",
    "dict": "a mapping",
    "model": "a mapping",
    "finite": "a finite number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_NO_SYSTEM = ("union_tag_invalid", "union_tag_not_found")
_LONG = 12
"""More names than these help nobody who only mistyped one."""

Detail = dict[str, Any]


def faults_of(error: ValidationError, document: Document, model: type[BaseModel]) -> list[str]:
    """One line for every wrong setting."""
    found: dict[Path_, list[Detail]] = {}
    details = [dict(detail) for detail in error.errors(include_url=False)]
    meant = [detail for detail in details if _meant(detail, document.data)]
    for detail in meant or details:
        path = _place(detail, document.data)[0]
        if detail["type"] in _NO_SYSTEM:
            path = (*path, "system")
        found.setdefault(path, []).append(detail)
    lines: list[str] = []
    for path, several in found.items():
        allowed = "; or ".join(dict.fromkeys(_allowed(detail, path, model, document.data) for detail in several))
        lines.append(f"{document.source(path)}: {dotted(path)}{_shown(path, several[0], model)}{allowed}")
    return lines


def _place(detail: Detail, data: Any) -> tuple[Path_, list[tuple[str, Any]]]:
    """The path in the file without the names that pydantic gives to the alternatives of a union; those names, each with the value it stands at."""
    path: list[str | int] = []
    names: list[tuple[str, Any]] = []
    value = data
    for part in detail["loc"]:
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
            path.append(part)
            value = value[part]
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            path.append(part)
        elif part != "[key]":
            names.append((str(part), value))
    return tuple(path), names


def _meant(detail: Detail, data: Any) -> bool:
    """False for what pydantic says of an alternative of a union that a value of this form was never meant to be."""
    for name, value in _place(detail, data)[1]:
        if isinstance(value, dict):
            fits = name != "str" and not name.startswith("list[")
        else:
            fits = name.startswith("list[") if isinstance(value, list) else name == "str"
        if not fits:
            return False
    return True


def _allowed(detail: Detail, path: Path_, model: type[BaseModel], data: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing; allowed: " + _type_words(path, model)
    if kind == "extra_forbidden":
        return _unknown(path, model, {name for name, _ in _place(detail, data)[1]})
    if kind in ("literal_error", "enum"):
        return f"allowed: {context['expected']}"
    if kind in _NO_SYSTEM:
        return f"allowed: {context.get('expected_tags', 'commercetools or bigcommerce')}"
    return allowed_value(detail)


def allowed_value(detail: Detail) -> str:
    """What the value itself has to be, whatever file it stands in."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"allowed: {words} {context[key]}"
    if kind == "value_error":
        return f"allowed: {context['error']}"
    if kind == "string_too_short":
        return "allowed: text that is not empty"
    for prefix, words in _KINDS.items():
        if kind.startswith(prefix):
            return f"allowed: {words}"
    return f"allowed: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _unknown(path: Path_, model: type[BaseModel], chosen: set[str]) -> str:
    """`chosen`: which alternatives of a union (the systems of channels) were meant."""
    found = [m for kind in shape.at(model, path[:-1]) for m in shape.models(kind)]
    systems = [
        m for m in found if "system" in m.model_fields and chosen & set(get_args(m.model_fields["system"].annotation))
    ]
    names = [n for m in systems or found for n in m.model_fields]
    given = str(path[-1])
    plain = given.removesuffix("_file")
    if plain != given and any(
        plain in m.model_fields and shape.is_secret(m.model_fields[plain].annotation) for m in found
    ):
        return f"is no setting; a secret in a file is written {plain}: {{file: PATH}}"
    close = difflib.get_close_matches(given, names, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    listed = f"; allowed: {', '.join(dict.fromkeys(names))}" if not close or len(names) <= _LONG else ""
    return f"is no setting{hint}{listed}"


def _type_words(path: Path_, model: type[BaseModel]) -> str:
    for kind in shape.at(model, path):
        bare = shape.strip(kind)
        if shape.is_text(kind):
            return " or ".join(map(repr, get_args(bare))) if get_args(bare) else "text"
        if bare in (int, float):
            return "a number"
    return "a value"


def _shown(path: Path_, detail: Detail, model: type[BaseModel]) -> str:
    """` is '…'; ` for a value that may be shown, ` is not allowed; ` for secrets and groups, a blank for what is missing or unknown."""
    if "[key]" in detail["loc"]:
        return ": this name is not allowed; "
    if detail["type"] in ("missing", "extra_forbidden"):
        return " "
    if detail["type"] == "union_tag_not_found":
        return " is missing; "
    if detail["type"] == "union_tag_invalid":
        return f" is {detail['ctx']['tag']!r}; "
    value = detail.get("input")
    if isinstance(value, dict | list) or any(shape.is_secret(kind) for kind in shape.at(model, path)):
        return " is not allowed; "
    text = repr(value)
    return f" is {text if len(text) <= 60 else text[:57] + '…'}; "
