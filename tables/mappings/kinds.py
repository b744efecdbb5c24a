"""The kinds of mappings: what a record of each says, its fields and its key. Pure.

A record's key is made of the fields that name what is mapped; the newest record of a kind and key counts. Whether records fit each other is in `checks`.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
import msgspec.inspect

from tables.orders.lifecycle import Meaning

ANY: Final = "*"
"""Every channel that has no record of its own."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class MappingRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every kind. `identity`: the fields that make the key."""

    kind: ClassVar[str] = ""
    identity: ClassVar[tuple[str, ...]] = ()

    @property
    def key(self) -> str:
        """What is mapped."""
        return "/".join(str(getattr(self, name)) for name in self.identity)

    @property
    def name(self) -> str:
        """Kind and key, as people are told."""
        return f"{self.kind} {self.key}"


class Sku(MappingRecord, frozen=True, kw_only=True):
    """A channel's own SKU (at a location of it) is this product, in this selling unit. It is a listing: its stock is published there."""

    kind = "sku"
    identity = ("channel", "location", "sku")
    channel: Text
    sku: Text
    product: Text
    unit: Text = "each"
    location: Short = ""


class SkuRule(MappingRecord, frozen=True, kw_only=True):
    """How SKUs of a channel's orders may differ from its listings and still be meant: case, leading zeros, characters that say nothing."""

    kind = "sku_rule"
    identity = ("channel",)
    channel: Text = ANY
    case: Literal["exact", "ignore"] = "exact"
    leading_zeros: Literal["exact", "ignore"] = "exact"
    ignore: Short = ""


class Unit(MappingRecord, frozen=True, kw_only=True):
    """A selling unit of a product: a whole number of eaches."""

    kind = "unit"
    identity = ("product", "unit")
    product: Text
    unit: Annotated[str, msgspec.Meta(pattern=r"^[^/]+$", max_length=40)]
    eaches: Count


class Bundle(MappingRecord, frozen=True, kw_only=True):
    """A bundle and what is in one of it, in eaches."""

    kind = "bundle"
    identity = ("product",)
    product: Text
    components: Annotated[dict[str, Count], msgspec.Meta(min_length=1)]


class Shipping(MappingRecord, frozen=True, kw_only=True):
    """A shipping method of a storefront, and the Clarus carrier and service it is."""

    kind = "shipping"
    identity = ("channel", "method")
    method: Text
    channel: Text = ANY
    carrier: Short = ""
    service: Short = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=99)] = 0


class Status(MappingRecord, frozen=True, kw_only=True):
    """What an order status of a channel means; for `clarus` the standard status that a code of the tenant is."""

    kind = "status"
    identity = ("channel", "status")
    channel: Text
    status: Text
    means: Text


class Location(MappingRecord, frozen=True, kw_only=True):
    """The warehouses that serve a location of a channel: what its listings offer, and where its orders go."""

    kind = "location"
    identity = ("channel", "location")
    channel: Text
    location: Text
    warehouses: Annotated[list[str], msgspec.Meta(min_length=1)]


class Bucket(MappingRecord, frozen=True, kw_only=True):
    """How stock of a Clarus stock status counts: as what may be sold, as on hold, or not at all."""

    kind = "bucket"
    identity = ("status",)
    status: Text
    counts: Literal["sellable", "held", "ignored"]


class Instruction(MappingRecord, frozen=True, kw_only=True):
    """A fact of an order (a custom field, `note`, `gift` …) that the warehouse is told: in which text, in which words, for which value only."""

    kind = "instruction"
    identity = ("channel", "to", "value", "field")
    field: Text
    to: Text
    channel: Text = ANY
    value: Short = ""
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] = "{value}"


KINDS: Final[dict[str, type[MappingRecord]]] = {
    one.kind: one for one in (Sku, SkuRule, Unit, Bundle, Shipping, Status, Location, Bucket, Instruction)
}
MEANINGS: Final = tuple(
    str(one) for one in (Meaning.WAIT, Meaning.WANTED, Meaning.HOLD, Meaning.SENT, Meaning.CANCELLED)
)
"""What `means` may be at a storefront."""


def value_of(record: MappingRecord) -> str:
    """The record as JSON, fields in their order: what the topic holds."""
    return msgspec.json.encode(record, order="deterministic").decode()


def from_value(kind: str, value: str) -> MappingRecord:
    """A record of the topic. ValueError where it is none of this version."""
    found = KINDS.get(kind)
    if found is None:
        raise ValueError(f"there is no kind {kind}")
    return msgspec.json.decode(value, type=found)


def from_fields(kind: str, fields: dict[str, Any], *, as_text: bool = False) -> MappingRecord:
    """A record as people write it; `as_text`: every value is text, as in CSV. ValueError in words: which field, what is allowed."""
    found = KINDS[kind]
    known = {field.name: field for field in msgspec.structs.fields(found)}
    if unknown := [name for name in fields if name not in known]:
        raise ValueError(f"{unknown[0]} is no field of it; allowed: {', '.join(known)}")
    if missing := [name for name, field in known.items() if field.required and name not in fields]:
        raise ValueError(f"{missing[0]} is missing; allowed: {_allowed(known[missing[0]].type)}")
    for name, value in fields.items():
        try:
            msgspec.convert(value, type=known[name].type, strict=not as_text)
        except msgspec.ValidationError:
            raise ValueError(f"{name} is {value!r}; allowed: {_allowed(known[name].type)}") from None
    return msgspec.convert(fields, type=found, strict=not as_text)


def _allowed(kind: Any) -> str:
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.LiteralType(values=values):
            return ", ".join(map(str, values))
        case msgspec.inspect.Metadata(type=inner):
            return _allowed(inner)
        case msgspec.inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most}, never a fraction"
        case msgspec.inspect.StrType(max_length=most, min_length=least, pattern=pattern):
            empty = "" if least or pattern else ", or nothing"
            slash = " without a slash" if pattern else ""
            return f"text{slash} of at most {most} characters{empty}, in quotes where it looks like a number"
        case msgspec.inspect.ListType():
            return "a list that is not empty"
        case _:
            return "codes, each with a whole number of eaches from 1"
