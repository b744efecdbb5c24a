"""From a file to a checked drill: form, then what its names refer to. Every fault is found at once; each names its place and what is allowed there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.config.document import Document, Path_, dotted, parse_yaml
from app.drill.file import DrillFile
from app.drill.references import reference_faults
from app.drill.words import form_faults
from app.errors import Problem

WRONG_FILE = 2
_ENTRIES = ("steps", "products", "policies", "channels", "shipping", "carriers")


@dataclass(slots=True)
class Drill:
    """A checked file, and its data as they were written: the product's configuration is made from these."""

    file: DrillFile
    raw: dict[str, Any]


def read_drill(path: Path) -> Drill:
    """Read a file. `Problem` (status 2) with one line for every fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{path}: cannot be read: {reason}", WRONG_FILE) from error
    return parse_drill(text, str(path))


def parse_drill(text: str, name: str) -> Drill:
    """The same from text; `name` stands for the file in messages."""
    document = parse_yaml(text, name)
    faults = list(document.problems)
    if not document.data and not faults:
        raise Problem(f"{name}: the file is empty; allowed: name, channels, warehouses, products, steps …", WRONG_FILE)
    raw = dict(document.data)
    settings, wrong = nest(raw.get("settings", {}), document)
    raw["settings"], faults = settings, faults + wrong
    file, form = _validate(raw, document)
    faults += form.values()
    kept, origin = raw, dict[str, list[int]]()
    if file is None:
        kept, origin = _without(raw, list(form))
        file, _ = _validate(kept, document)
    if file is not None:
        touched = {str(path[0]) for path in form if path}
        for fault in reference_faults(file, raw, kept, touched):
            path = _original(fault.path, origin)
            faults.append(f"{document.source(path)}: {dotted(path)}{fault.text}")
    if faults or file is None:
        raise Problem(_in_order(faults), WRONG_FILE)
    return Drill(file, raw)


def nest(given: Any, document: Document) -> tuple[Any, list[str]]:
    """`{bounds.late_max: 6s}` as `{bounds: {late_max: 6s}}`; a setting given both ways is a fault."""
    if not isinstance(given, dict):
        return given, []
    tree: dict[str, Any] = {}
    faults = []
    for name, value in given.items():
        here, parts = tree, str(name).split(".")
        for part in parts[:-1]:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                break
        if not isinstance(here, dict) or (parts[-1] in here and not _merge(here[parts[-1]], value)):
            faults.append(f"{document.source(('settings', name))}: settings.{name} is given twice; allowed: once")
            continue
        here.setdefault(parts[-1], dict(value) if isinstance(value, dict) else value)
        path: Path_ = ("settings", *parts)
        document.sources.setdefault(path, document.source(("settings", name)))
    return tree, faults


def _merge(known: Any, more: Any) -> bool:
    if not isinstance(known, dict) or not isinstance(more, Mapping) or known.keys() & more.keys():
        return False
    known.update(more)
    return True


def _validate(raw: dict[str, Any], document: Document) -> tuple[DrillFile | None, dict[Path_, str]]:
    try:
        return DrillFile.model_validate(raw), {}
    except ValidationError as error:
        shaped = Document(raw, document.name, document.sources, [], document.folder)
        return None, form_faults(error, shaped)


def _without(raw: dict[str, Any], wrong: list[Path_]) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The data without the entries that have a wrong form, so that the names in all others can still be checked; where each list entry stood before."""
    kept, origin = dict(raw), dict[str, list[int]]()
    for path in wrong:
        if path and (path[0] not in _ENTRIES or len(path) == 1):
            kept.pop(str(path[0]), None)
    for name in _ENTRIES:
        drop = {path[1] for path in wrong if len(path) > 1 and path[0] == name}
        value = kept.get(name)
        if isinstance(value, list):
            origin[name] = [i for i in range(len(value)) if i not in drop]
            kept[name] = [value[i] for i in origin[name]]
        elif isinstance(value, dict):
            stand_in = {"channels": {"system": "commercetools"}}.get(name, {}) if name in raw else {}
            kept[name] = {key: stand_in if key in drop else one for key, one in value.items()}
    return kept, origin


def _original(path: Path_, origin: dict[str, list[int]]) -> Path_:
    if len(path) > 1 and isinstance(path[1], int) and str(path[0]) in origin:
        return (path[0], origin[str(path[0])][path[1]], *path[2:])
    return path


def _in_order(lines: list[str]) -> list[str]:
    """By line number, each fault once."""

    def number(line: str) -> tuple[int, str]:
        for part in line.split(":"):
            if part.isdigit():
                return int(part), line
        return 0, line

    return sorted(dict.fromkeys(lines), key=number)
