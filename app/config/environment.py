"""Variables over the file: `CLARUS_STREAM__KAFKA__BOOTSTRAP` is `settings.kafka.bootstrap`. Secrets may come from files, here and in YAML.

| variable | setting |
| --- | --- |
| `CLARUS_STREAM__<GROUP>__<SETTING>` | `settings.<group>.<setting>` |
| `CLARUS_STREAM__CLARUS__<SETTING>` | `clarus.<setting>` |
| `CLARUS_STREAM__CHANNELS__<CHANNEL>__<SETTING>` | a channel of the file; its name in capitals, anything but letters and digits as `_` (`ct-eu` is `CT_EU`) |
| `CLARUS_STREAM__CHANNELS`, `…__PRODUCTS`, … | the whole part, as YAML or JSON |
| `…_FILE` | for secrets: the file that holds the value |

Lists and mappings are written as YAML or JSON, everything else as it is.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from app.config import shape
from app.config.document import Document, Path_, dotted

PREFIX = "CLARUS_STREAM__"


def overlay(document: Document, environ: Mapping[str, str], model: type[BaseModel]) -> list[str]:
    """Put secrets from files and variables into the document. Returns the faults, one line each."""
    faults = _secret_files(document, model)
    for name in sorted(n for n in environ if n.startswith(PREFIX)):
        try:
            path, value, source = _setting(name, environ, document, model)
            _put(document, path, value, source)
        except _Wrong as wrong:
            faults.append(f"{name}: {wrong}")
    return faults


class _Wrong(Exception):
    """A variable that cannot be used; the text says why and what is allowed."""


def _setting(
    name: str, environ: Mapping[str, str], document: Document, model: type[BaseModel]
) -> tuple[Path_, Any, str]:
    parts = name[len(PREFIX) :].split("__")
    path = _path(parts, document, model)
    if path is None and parts[-1].endswith("_FILE"):
        path = _path([*parts[:-1], parts[-1][: -len("_FILE")]], document, model)
        kinds = shape.at(model, path) if path is not None else []
        if path is not None and any(shape.is_secret(k) for k in kinds):
            plain = name[: -len("_FILE")]
            if plain in environ:
                raise _Wrong(f"{dotted(path)} is also given by {plain}; allowed: one of the two")
            return path, _read(Path(environ[name])), f"{name} ({environ[name]})"
        if path is not None:
            raise _Wrong(f"{dotted(path)} is no secret; allowed: its value in {name[: -len('_FILE')]}")
    if path is None:
        raise _Wrong(f"is no setting{_near(name, model)}")
    kinds = shape.at(model, path)
    text = environ[name]
    if any(shape.is_text(k) for k in kinds):
        return path, text, name
    try:
        return path, yaml.safe_load(text), name
    except yaml.YAMLError as error:
        raise _Wrong(f"{dotted(path)}: no valid YAML or JSON: {getattr(error, 'problem', None) or error}") from error


def _path(parts: list[str], document: Document, model: type[BaseModel]) -> Path_ | None:
    """The setting a variable names; None where there is none."""
    lower = [part.lower() for part in parts]
    roots = model.model_fields
    if lower[0] == "channels" and len(parts) > 1:
        channel = _channel(parts[1], document)
        path: Path_ = ("channels", channel, *lower[2:])
    elif lower[0] in roots and lower[0] != "settings":
        path = tuple(lower)
    else:
        path = ("settings", *lower)
    if any(part == "" for part in lower) or (len(path) == 1 and path[0] == "settings"):
        return None
    return path if shape.at(model, path) else None


def _channel(written: str, document: Document) -> str:
    channels = document.data.get("channels")
    names = [str(n) for n in channels] if isinstance(channels, dict) else []
    same = [
        n for n in names if n == written or re.sub(r"[^A-Z0-9]", "_", n.upper()) == written.upper().replace("-", "_")
    ]
    if len(same) == 1:
        return same[0]
    if same:
        raise _Wrong(f"means several channels ({', '.join(same)}); allowed: set it in the file")
    raise _Wrong(f"names no channel of the file; allowed: {', '.join(names) or 'none, the file has no channels'}")


def _near(name: str, model: type[BaseModel]) -> str:
    known = []
    for path, _ in shape.fields(model):
        parts = path[1:] if path[0] == "settings" else path
        known.append("__".join(p.upper() for p in parts))
    close = difflib.get_close_matches(name[len(PREFIX) :], known, 1)
    return f"; did you mean {PREFIX}{close[0]}?" if close else "; see `clarus-stream config reference`"


def _put(document: Document, path: Path_, value: Any, source: str) -> None:
    target: Any = document.data
    for depth, part in enumerate(path[:-1]):
        inner = target.get(part) if isinstance(target, dict) else None
        if not isinstance(inner, dict):
            inner = {}
            target[part] = inner
            document.sources[path[: depth + 1]] = source
        target = inner
    target[path[-1]] = value
    for known in [p for p in document.sources if p[: len(path)] == path]:
        del document.sources[known]
    document.sources[path] = source


def _secret_files(document: Document, model: type[BaseModel]) -> list[str]:
    """Replace `{file: PATH}` at secret settings by what the file holds; relative paths start at the configuration's folder."""
    faults: list[str] = []
    for path, value in list(_leaves(document.data, ())):
        if not (isinstance(value, dict) and set(value) == {"file"}):
            continue
        if not any(shape.is_secret(kind) for kind in shape.at(model, path)):
            continue
        source = document.source(path)
        if not isinstance(value["file"], str):
            faults.append(f"{source}: {dotted(path)}.file: allowed: the path of a file")
            continue
        file = document.folder / value["file"]
        try:
            _put(document, path, _read(file), f"{source} ({file})")
        except _Wrong as wrong:
            faults.append(f"{source}: {dotted(path)}: {wrong}")
    return faults


def _leaves(value: Any, path: Path_) -> Any:
    if isinstance(value, dict):
        if path:
            yield path, value
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _Wrong(f"the file {path} cannot be read: {reason}") from error
    if not text:
        raise _Wrong(f"the file {path} is empty; allowed: a file that holds the secret")
    return text
