"""What the form of a drill file has wrong, in words for people: the place and what is allowed there, taken from the published schema."""

import difflib
from typing import Any

from pydantic import ValidationError

from app.config.document import Document, dotted
from app.config.document import Path_ as Path
from app.config.words import Detail, allowed_value
from app.drill.schema import allowed_fields, branches


def form_faults(error: ValidationError, document: Document) -> dict[Path, str]:
    """One line for every wrong part of the file, by its path."""
    details = [dict(detail) for detail in error.errors(include_url=False)]
    found: dict[Path, list[Detail]] = {}
    for detail in [d for d in details if _meant(d, document.data)] or details:
        found.setdefault(place(detail, document.data), []).append(detail)
    lines = {}
    for path, several in found.items():
        words = "; or ".join(dict.fromkeys(_words(detail, path, document.data) for detail in several))
        lines[path] = f"{document.source(path)}: {dotted(path)}{_shown(several[0])}{words}"
    return lines


def place(detail: Detail, data: Any) -> Path:
    """The path in the file: pydantic's own names for the alternatives of a union are left out."""
    path: list[str | int] = []
    for part, value in _walk(detail, data):
        if value is not _ALTERNATIVE:
            path.append(part)
    return tuple(path)


_ALTERNATIVE = object()


def _walk(detail: Detail, data: Any) -> list[tuple[str | int, Any]]:
    """Every part of pydantic's place with the value that it leads into, or `_ALTERNATIVE`."""
    steps: list[tuple[str | int, Any]] = []
    for part in detail["loc"]:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            data = data[part]
            steps.append((part, data))
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            steps.append((part, None))
        else:
            steps.append((part, _ALTERNATIVE))
    return steps


def _meant(detail: Detail, data: Any) -> bool:
    """False for what is said of an alternative that a value of this form was never meant to be."""
    value = data
    for part, inner in _walk(detail, data):
        if inner is not _ALTERNATIVE:
            value = inner
            continue
        name = str(part)
        if isinstance(value, dict):
            fits = name not in ("str", "constrained-int", "int") and not name.startswith(("list[", "literal["))
        elif isinstance(value, list):
            fits = name.startswith("list[")
        else:
            fits = name in ("str", "constrained-int", "int") or name.startswith("literal[")
        if (
            not fits
            and name != "[key]"
            and not name.startswith(("function-", "tagged-union", *("commercetools", "bigcommerce")))
        ):
            return False
    return True


def _words(detail: Detail, path: Path, data: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if "[key]" in detail["loc"]:
        return "this name is no text; allowed: a name in quotes"
    if kind == "missing":
        return f"is missing; allowed: {_expected(path, data)}"
    if kind == "extra_forbidden":
        names = allowed_fields(path[:-1], data)
        close = difflib.get_close_matches(str(path[-1]), names, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"is no field of a drill file here{hint}; allowed: {', '.join(names)}"
    if kind in ("literal_error", "enum"):
        fields = allowed_fields(path, data)
        return f"allowed: {context['expected']}" + (f" or a mapping of {', '.join(fields)}" if fields else "")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return "allowed: system: commercetools or bigcommerce"
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"allowed: {'at least' if kind == 'too_short' else 'at most'} {bound}"
    return allowed_value(detail)


def _expected(path: Path, data: Any) -> str:
    """What may stand where nothing stands."""
    words = list[str]()
    for branch in branches(path, data):
        if "enum" in branch or "const" in branch:
            words.append(" or ".join(map(str, branch.get("enum", [branch.get("const")]))))
        elif "pattern" in branch:
            words.append("a duration such as 500ms, 2s or 1m")
        elif branch.get("type") in ("object", "array", "string", "integer", "number", "boolean"):
            kinds = {"object": "a mapping", "array": "a list", "string": "text", "boolean": "true or false"}
            words.append(kinds.get(branch["type"], "a number"))
    return " or ".join(dict.fromkeys(words)) or "a value"


def _shown(detail: Detail) -> str:
    if detail["type"] in ("missing", "extra_forbidden") or "[key]" in detail["loc"]:
        return " "
    value = detail.get("input")
    if isinstance(value, dict | list):
        return " is not allowed; "
    text = repr(value)
    return f" is {text if len(text) <= 60 else text[:57] + '…'}; "
