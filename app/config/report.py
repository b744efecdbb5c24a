"""What is in force and where each value came from, secrets masked: for people and for programs."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from app.config import Loaded
from app.config.document import Path_, dotted

MASK = "******"
_SECRET_PROPERTY = re.compile(r"password|secret|pem$|oauthbearer\.config")
"""Client properties of librdkafka that hold secrets."""
_USER_INFO = re.compile(r"://[^/@]*@")
"""User name and password in an address."""


def as_rows(loaded: Loaded) -> list[dict[str, Any]]:
    """`{"setting", "value", "source"}` for every setting, in the order of the settings tree. A secret's value is a mask, empty where it is not set."""
    return [
        {"setting": dotted(path), "value": value, "source": loaded.source(path)}
        for path, value in _values(loaded.settings, (), loaded)
    ]


def as_text(loaded: Loaded) -> str:
    """The same as aligned columns."""
    rows = [(row["setting"], _text(row["value"]), row["source"]) for row in as_rows(loaded)]
    widths = [min(60, max(len(row[i]) for row in rows)) for i in (0, 1)]
    return "\n".join(f"{s:<{widths[0]}}  {v:<{widths[1]}}  {source}" for s, v, source in rows)


def _text(value: Any) -> str:
    return "-" if value in ("", [], {}) else str(value)


def _values(value: Any, path: Path_, loaded: Loaded) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            given = getattr(value, name)
            if given is not None:
                yield from _values(given, (*path, name), loaded)
    elif isinstance(value, SecretStr):
        yield path, MASK if value.get_secret_value() else ""
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            hidden = isinstance(inner, str) and _SECRET_PROPERTY.search(str(key))
            yield from [((*path, key), MASK)] if hidden else _values(inner, (*path, key), loaded)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _values(inner, (*path, index), loaded)
    else:
        plain = (
            value if isinstance(value, int | float | bool | list | dict) else _USER_INFO.sub(f"://{MASK}@", str(value))
        )
        yield path, plain
