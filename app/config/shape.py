"""Walking the settings models: which fields lie where, of which kind. Nothing here knows a value."""

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo


def strip(annotation: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        if len(rest) == 1:
            return strip(rest[0])
    return annotation


def models(annotation: Any) -> list[type[BaseModel]]:
    """The models a value of this type may be, itself and not its items."""
    bare = strip(annotation)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return [bare]
    if get_origin(bare) in (Union, types.UnionType):
        return [model for part in get_args(bare) for model in models(part)]
    return []


def item(annotation: Any) -> Any | None:
    """The type of what a list or a mapping holds; None for anything else."""
    bare = strip(annotation)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is list:
        return arguments[0]
    if origin is dict:
        return arguments[1]
    if origin in (Union, types.UnionType):
        for part in arguments:
            if (found := item(part)) is not None:
                return found
    return None


def is_secret(annotation: Any) -> bool:
    """Is it a value that must not be shown?"""
    return strip(annotation) is SecretStr


def is_text(annotation: Any) -> bool:
    """Is the value taken as it is written (text, secrets, named choices), not as YAML?"""
    bare = strip(annotation)
    if get_origin(bare) is typing.Literal:
        return True
    return isinstance(bare, type) and (issubclass(bare, str) or bare is SecretStr)


def at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[Any]:
    """The annotations that a value at `path` may have below `model`; empty where there is no such setting."""
    found: list[Any] = [model]
    for part in path:
        after: list[Any] = []
        for annotation in found:
            candidates = models(annotation)
            after += [m.model_fields[part] for m in candidates if isinstance(part, str) and part in m.model_fields]
            if (inner := item(annotation)) is not None:
                after.append(inner)
        found = [full(a) if isinstance(a, FieldInfo) else a for a in after]
    return found


def full(field: FieldInfo) -> Any:
    """A field's annotation with its metadata, as it was written."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def fields(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every field that is no plain group, with its path. Groups are walked into."""
    for name, field in model.model_fields.items():
        inner = models(field.annotation)
        if len(inner) == 1:
            yield from fields(inner[0], (*prefix, name))
        else:
            yield (*prefix, name), field
