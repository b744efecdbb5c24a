"""Mapping files: YAML (a list for each kind) and CSV (a column `kind`), read with the place of every record, and written so that they read back the same."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_origin

import msgspec
import yaml

from app.config.document import parse_yaml
from app.errors import Problem
from tables.mappings.book import Key, place
from tables.mappings.kinds import ANY, KINDS, Bundle, MappingRecord, Unit, from_fields

Format = Literal["yaml", "csv"]
_SUFFIXES: Final[dict[str, Format]] = {".yaml": "yaml", ".yml": "yaml", ".csv": "csv"}
_REMOVE: Final = "remove"
_YES: Final = ("yes", "true", "1", "x")


@dataclass(slots=True)
class MappingFile:
    """`places`: where each record stands, for messages. `faults`: what could not be read, a line each with its place; `unread`: the products that it may name,
    `ANY` where that cannot be told."""

    records: list[MappingRecord] = field(default_factory=list)
    removed: set[Key] = field(default_factory=set)
    places: dict[Key, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    kind: str
    fields: dict[str, Any]
    remove: bool


def format_of(path: Path) -> Format:
    """By the name's ending. `Problem` where it is neither."""
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise Problem(f"{path}: neither .csv nor .yaml: name the file so, or choose with --format", 2)
    return found


def read(path: Path) -> MappingFile:
    """The file's records and faults. `Problem` where it is no file of these formats."""
    kind = format_of(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{path}: cannot be read: {reason}", 2) from error
    rows, faults = _yaml_rows(text, str(path)) if kind == "yaml" else _csv_rows(text, str(path))
    found = MappingFile(faults=faults, unread={ANY} if faults else set())
    for row in rows:
        try:
            _add(found, row, as_text=kind == "csv")
        except ValueError as error:
            found.faults.append(f"{row.place}: {_named(row)}: {error}")
            if row.kind in (Unit.kind, Bundle.kind):
                found.unread.add(str(row.fields.get("product", ANY)))
    return found


def _named(row: _Row) -> str:
    known = KINDS[row.kind].identity
    return f"{row.kind} {'/'.join(str(row.fields[name]) for name in known if row.fields.get(name))}".rstrip()


def _add(found: MappingFile, row: _Row, *, as_text: bool) -> None:
    if row.remove:
        key = _key(row)
    else:
        record = from_fields(row.kind, row.fields, as_text=as_text)
        key = place(record)
    if key in found.places:
        raise ValueError(f"it is given twice, first at {found.places[key]}; keep one")
    found.places[key] = row.place
    if row.remove:
        found.removed.add(key)
    else:
        found.records.append(record)


def _key(row: _Row) -> Key:
    """Of a record that is to be removed: only what names it is needed."""
    kind = KINDS[row.kind]
    defaults = {one.name: one.default for one in msgspec.structs.fields(kind)}
    parts = []
    for name in kind.identity:
        value = row.fields.get(name, defaults[name])
        if not isinstance(value, str):
            raise ValueError(f"{name} is missing or no text; a record to remove is named by {', '.join(kind.identity)}")
        parts.append(value)
    return row.kind, "/".join(parts)


# ---- YAML ---------------------------------------------------------------------------------------------------------------------------------------


def _yaml_rows(text: str, name: str) -> tuple[list[_Row], list[str]]:
    document = parse_yaml(text, name)
    rows, faults = list[_Row](), list(document.problems)
    for kind, listed in document.data.items():
        if kind not in KINDS:
            faults.append(f"{document.source((kind,))}: {kind} is no kind of mapping; allowed: {', '.join(KINDS)}")
            continue
        if not isinstance(listed, list):
            faults.append(f"{document.source((kind,))}: {kind}: allowed: a list of records")
            continue
        for index, fields in enumerate(listed):
            where = document.source((kind, index))
            if not isinstance(fields, dict):
                faults.append(f"{where}: {kind}: allowed: fields and their values")
                continue
            rest = {str(key): value for key, value in fields.items() if key != _REMOVE}
            remove = fields.get(_REMOVE, False)
            if not isinstance(remove, bool):
                faults.append(f"{where}: {kind}: remove is {remove!r}; allowed: true or false")
                continue
            rows.append(_Row(where, kind, rest, remove))
    return rows, faults


# ---- CSV ----------------------------------------------------------------------------------------------------------------------------------------


def _csv_rows(text: str, name: str) -> tuple[list[_Row], list[str]]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns = [column.strip() for column in next(reader, [])]
    known = {"kind", _REMOVE, *(one.name for kind in KINDS.values() for one in msgspec.structs.fields(kind))}
    if "kind" not in columns:
        return [], [f"{name}:1: the first line must name the columns, one of them kind"]
    if strange := [column for column in columns if column not in known]:
        return [], [f"{name}:1: {strange[0]!r} is no column; allowed: {', '.join(sorted(known))}"]
    rows, faults = list[_Row](), list[str]()
    for cells in reader:
        where = f"{name}:{reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            faults.append(
                f"{where}: {len(cells)} cells, the first line has {len(columns)}; quote cells that contain {delimiter!r}"
            )
            continue
        given = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
        kind, remove = given.pop("kind", ""), given.pop(_REMOVE, "").lower()
        if kind not in KINDS:
            faults.append(f"{where}: {kind or 'an empty cell'} is no kind of mapping; allowed: {', '.join(KINDS)}")
            continue
        try:
            rows.append(_Row(where, kind, _cells(kind, given), remove in _YES))
        except ValueError as error:
            faults.append(f"{where}: {kind}: {error}")
    return rows, faults


def _cells(kind: str, given: dict[str, str]) -> dict[str, Any]:
    """Cells as values: lists and codes with eaches are written `A; B` and `A=2; B=1`."""
    forms = {one.name: _form(one.type) for one in msgspec.structs.fields(KINDS[kind])}
    fields: dict[str, Any] = {}
    for name, cell in given.items():
        parts = [part.strip() for part in cell.split(";") if part.strip()]
        if forms.get(name) is list:
            fields[name] = parts
        elif forms.get(name) is dict:
            pairs = [part.rpartition("=") for part in parts]
            if any(not code.strip() for code, _, _ in pairs):
                raise ValueError(f"{name} is {cell!r}; allowed: codes with eaches, as in A=2; B=1")
            fields[name] = {code.strip(): eaches.strip() for code, _, eaches in pairs}
        else:
            fields[name] = cell
    return fields


def _form(kind: Any) -> Any:
    bare = getattr(kind, "__origin__", kind)  # out of Annotated
    return get_origin(bare) or bare


# ---- writing ------------------------------------------------------------------------------------------------------------------------------------


def dump(records: Iterable[MappingRecord], form: Format) -> str:
    """The records as a file of that format."""
    ordered = sorted(records, key=lambda record: (list(KINDS).index(record.kind), record.key))
    return _yaml(ordered) if form == "yaml" else _csv(ordered)


def _yaml(records: list[MappingRecord]) -> str:
    lists: dict[str, list[Any]] = {}
    for record in records:
        lists.setdefault(record.kind, []).append(msgspec.to_builtins(record))
    if not lists:
        return "{}\n"
    return yaml.safe_dump(lists, sort_keys=False, allow_unicode=True, default_flow_style=None, width=150)


def _csv(records: list[MappingRecord]) -> str:
    rows = [{"kind": record.kind, **dict(_written(record))} for record in records]
    used = {name for row in rows for name in row}
    columns = ["kind"]
    for kind in KINDS.values():
        columns += [one.name for one in msgspec.structs.fields(kind) if one.name in used and one.name not in columns]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _written(record: MappingRecord) -> Iterator[tuple[str, str]]:
    for name, value in msgspec.to_builtins(record).items():
        parts = (
            value
            if isinstance(value, list)
            else [f"{k}={v}" for k, v in value.items()]
            if isinstance(value, dict)
            else [value]
        )
        cell = "; ".join(map(str, parts))
        if (len(parts) > 1 or isinstance(value, (list, dict))) and any(";" in str(part) for part in parts):
            raise Problem(f"{record.name}: {name} has a semicolon in a code, which CSV cannot hold: export YAML", 2)
        if cell != cell.strip():
            raise Problem(f"{record.name}: {name} begins or ends with a blank, which CSV cannot hold: export YAML", 2)
        yield name, cell
