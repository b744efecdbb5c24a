"""Two rows of the stock ledger side by side: which fields differ, named as the rows name them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

NUMBERS: Final = frozenset({"version", "available_version"})
"""Counters of what was sent. They depend on how many events a worker took at a time, not only on the events."""


class Difference(msgspec.Struct, frozen=True):
    """One field of one row. A side that has no such row or entry is None. `numbering`: only a counter of what was sent differs."""

    table: str
    key: str
    field: str
    replayed: Any
    live: Any
    numbering: bool


def differences(table: str, key: str, replayed: Any, live: Any) -> list[Difference]:
    """Every field in which the rows differ; one difference for a row that only one side has."""
    found = _walk("", replayed, live)
    return [Difference(table, key, field, _plain(a), _plain(b), _is_number(field)) for field, a, b in found]


def _walk(path: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    if type(a) is not type(b):
        yield path or "(row)", a, b
    elif isinstance(a, msgspec.Struct):
        for name in a.__struct_fields__:
            yield from _walk(f"{path}.{name}" if path else name, getattr(a, name), getattr(b, name))
    elif isinstance(a, Mapping):
        for name in sorted(a.keys() | b.keys(), key=str):
            yield from _walk(f"{path}[{name}]", a.get(name), b.get(name))
    elif isinstance(a, list) and len(a) == len(b):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other)
    elif a != b:
        yield path, a, b


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)


def _is_number(path: str) -> bool:
    return path.rpartition(".")[2] in NUMBERS or ".quota.issued[" in path
