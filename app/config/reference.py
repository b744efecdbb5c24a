"""The manual's page of all settings, made from the models, so that it cannot say anything else than the code does."""

import types
import typing
from decimal import Decimal
from enum import Enum
from typing import Any, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.config import shape
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.settings import (
    ApiUser,
    CarrierSettings,
    InstructionSettings,
    ListingSettings,
    Match,
    PolicySettings,
    ProductSettings,
    ProductSettingsTree,
    ReleaseSettings,
    Settings,
    ShippingSettings,
    parse_duration,
)

_HEAD = """# Settings

<!-- Made by `clarus-stream config reference`; a test compares. -->

One YAML file, `--config FILE`, with variables over it. `clarus-stream config check --config FILE` prints what is in force and where each value came from.

- **Variables**: `CLARUS_STREAM__KAFKA__BOOTSTRAP` is `settings.kafka.bootstrap`; `CLARUS_STREAM__CLARUS__SUBDOMAIN` is `clarus.subdomain`;
  `CLARUS_STREAM__CHANNELS__CT_EU__CLIENT_SECRET` is `client_secret` of the channel `ct-eu` (capitals, anything but letters and digits as `_`; the
  channel itself stands in the file). Lists and mappings are written as YAML or JSON.
- **Secrets** (marked): in the file, by variable, or by file: `client_secret: {file: /run/secrets/clarus}` in the YAML, or the variable
  `CLARUS_STREAM__CLARUS__CLIENT_SECRET_FILE`.
- **Durations** are written `500ms`, `2s`, `1m`, `1h`, `7d`; a plain number counts as seconds.
- A wrong setting is one line that names it, its source and what is allowed; then nothing starts, and the exit status is 2.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [
        _HEAD,
        _section("clarus", "The warehouse.", ClarusSettings),
        _section("channels.NAME (system: commercetools)", "A commercetools project.", CommercetoolsSettings),
        _section("channels.NAME (system: bigcommerce)", "A BigCommerce store.", BigCommerceSettings),
        "## warehouses\n\nThe codes of the warehouses whose stock is offered, a list of text.\n",
        _section("products[]", "What is sold.", ProductSettings),
        _section(
            "products[].channels.NAME", "A SKU as text, this mapping, or a list of such mappings.", ListingSettings
        ),
        _section("shipping.METHOD", "What a storefront's shipping method is at Clarus.", ShippingSettings),
        _section(
            "release.CHANNEL",
            "What goods outs carry and what orders must have; `*` for all channels, a channel's own fields go over it.",
            ReleaseSettings,
        ),
        _section("release.CHANNEL.instructions[]", "What the warehouse is told beside the notes.", InstructionSettings),
        _section("carriers.CODE", "What a carrier (its Clarus code) is to customers.", CarrierSettings),
        _section(
            "policies[]",
            "Stock policies; later ones win field by field. Without one: share 1, percent 0, buffer 0, velocity 0, min_to_list 0, no max, mode auto, "
            "all warehouses, escrow_floor 100. `escrow` splits the pool among its listings; `auto` does so from `escrow_floor` eaches down, "
            "until there are more than twice as many. Then share is 1, percent, buffer and velocity are the pool's and equal on all its listings, "
            "`max` limits a listing.",
            PolicySettings,
        ),
        _section("policies[].match", "Case-sensitive globs on channel and Clarus product code.", Match),
    ]
    for name, field in ProductSettingsTree.model_fields.items():
        model = shape.models(field.annotation)[0]
        parts.append(_section(f"settings.{name}", (model.__doc__ or "").strip(), model))
    parts.append(_section("settings.api.users.NAME", "Who may use the HTTP API.", ApiUser))
    covered = {
        "clarus",
        "channels",
        "warehouses",
        "products",
        "shipping",
        "carriers",
        "release",
        "policies",
        "settings",
    }
    assert set(Settings.model_fields) == covered, "a part of the settings has no section"  # noqa: S101 - keeps the page whole
    return "\n".join(parts)


def _section(title: str, doc: str, model: type[BaseModel]) -> str:
    lines = [f"## {title}", "", doc, "", "| setting | what | allowed | default |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        secret = " **Secret.**" if shape.is_secret(field.annotation) else ""
        lines.append(f"| `{name}` | {field.description or '-'}{secret} | {allowed(field)} | {_default(field)} |")
    return "\n".join(lines) + "\n"


def is_duration(field: FieldInfo) -> bool:
    """Is it a time, written with its unit?"""
    return any(getattr(m, "func", None) is parse_duration for m in field.metadata)


def allowed(field: FieldInfo) -> str:
    """What may be written there, in words."""
    if is_duration(field):
        return "duration"
    return _words(field.annotation) + _bounds(field.metadata)


def _words(annotation: Any) -> str:
    bare = shape.strip(annotation)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is typing.Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(a) for a in arguments)
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {_words(arguments[1])}"
    if isinstance(bare, type) and issubclass(bare, Enum):
        return ", ".join(f"`{m.value}`" for m in bare)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return "mapping, see below"
    return {
        str: "text",
        SecretStr: "text",
        int: "whole number",
        float: "number",
        Decimal: "number",
        bool: "`true`, `false`",
        AwareDatetime: "time with its zone",
    }[bare]


def _bounds(metadata: list[Any]) -> str:
    words = []
    for m in metadata:
        for name, word in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if getattr(m, name, None) is not None:
                words.append(f"{word} {getattr(m, name)}")
        if least := getattr(m, "min_length", None):
            words.append("not empty" if least == 1 else f"of at least {least} characters")
    return f" {', '.join(words)}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return "-"
    if is_duration(field):
        return f"`{duration(value)}`"
    if isinstance(value, SecretStr) or value in ("", [], {}):
        return "-"
    if isinstance(value, dict):
        return f"`{', '.join(f'{k}: {v}' for k, v in value.items())}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def duration(value: int) -> str:
    """Milliseconds as people write them."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}ms"
