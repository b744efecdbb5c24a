"""A YAML file as data that remembers the line of every value. Shared by the configuration and by scenario files; it knows no settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.errors import Problem

Path_ = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """`data` as YAML gives it; `sources` by path; `problems` of the file itself, one line each."""

    data: dict[str, Any]
    name: str = "defaults"
    sources: dict[Path_, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    folder: Path = field(default_factory=Path)

    def source(self, path: Path_) -> str:
        """Where the value at this path, or else its nearest surroundings, was given."""
        for length in range(len(path), -1, -1):
            if (found := self.sources.get(path[:length])) is not None:
                return found
        return self.name

    def given(self, path: Path_) -> bool:
        """Was this very value given, not left to its default?"""
        return path in self.sources


def read_yaml(path: Path) -> Document:
    """Read a file. `Problem` (status 2) where there is none or it is no YAML mapping; a key given twice is a problem of the document."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{path}: cannot be read: {reason}", 2) from error
    return parse_yaml(text, str(path), path.parent)


def parse_yaml(text: str, name: str, folder: Path | None = None) -> Document:
    """The same from text; `name` stands for the file in messages, `folder` is where relative paths in it start."""
    loader = yaml.SafeLoader(text)
    document = Document({}, name, folder=folder or Path())
    try:
        node = loader.get_single_node()
        if node is None:
            return document
        if not isinstance(node, yaml.MappingNode):
            raise Problem(f"{name}:{node.start_mark.line + 1}: must be a mapping of settings", 2)
        _note(node, (), document, loader)
        document.data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        raise Problem(f"{place}: no valid YAML: {getattr(error, 'problem', None) or error}", 2) from error
    finally:
        loader.dispose()
    return document


def _note(node: yaml.Node, path: Path_, document: Document, loader: yaml.SafeLoader) -> None:
    document.sources[path] = f"{document.name}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                document.problems.append(f"{document.name}:{line}: a key must be plain text")
                continue
            if key_node.tag == "tag:yaml.org,2002:merge":
                document.problems.append(
                    f"{document.name}:{line}: YAML merge keys (<<) are not supported; write it out"
                )
                continue
            key = loader.construct_object(key_node)
            if key in seen:
                where = dotted((*path, key))
                document.problems.append(
                    f"{document.name}:{line}: {where} is given twice, first in line {seen[key]}; allowed: once"
                )
            seen[key] = line
            _note(value_node, (*path, key), document, loader)
            document.sources[(*path, key)] = f"{document.name}:{line}"
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note(item, (*path, index), document, loader)


def dotted(path: Path_) -> str:
    """`settings.kafka.bootstrap`, `products[3].sku`; keys with dots or spaces in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part and not set(str(part)) & set(". []'\"") else repr(part)
            text += f".{shown}" if text else str(shown)
    return text or "(the whole file)"
