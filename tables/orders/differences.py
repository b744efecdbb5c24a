"""What two goods outs of one order differ in, in words for people: from what to what, but no personal data, which a public exception must not hold. Pure."""

from typing import Final

import msgspec

from schemas.records import ReleaseOrder
from tables.goods_out import eaches_of

_NONE: Final = "none"
_IDENTITY: Final = frozenset({"channel", "order_key", "reference", "number", "version", "amends"})
_APART: Final = frozenset({"lines", "address", "carrier", "service", "texts"})
_SHOWN: Final = 8


def differences(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    """One phrase for everything that the warehouse would do otherwise; empty where it would do the same."""
    return [*_lines(old, new), *_address(old, new), *_carriage(old, new), *_texts(old, new), *_rest(old, new)]


def in_words(phrases: list[str]) -> str:
    """As one sentence's part, not longer than a person reads."""
    left = len(phrases) - _SHOWN
    return "; ".join([*phrases[:_SHOWN], *([f"and {left} more"] if left > 0 else [])])


def _lines(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    before, after = eaches_of(old), eaches_of(new)
    changed = [sku for sku in sorted(before.keys() | after.keys()) if before.get(sku, 0) != after.get(sku, 0)]
    noted_before, noted_after = ({line.sku: line.note for line in one.lines if line.note} for one in (old, new))
    noted = [sku for sku in sorted(after) if sku in before and noted_before.get(sku) != noted_after.get(sku)]
    return [
        *(f"{sku}: {before.get(sku, 0)} → {after.get(sku, 0)} eaches" for sku in changed),
        *(f"{sku}: another line note" for sku in noted),
    ]


def _address(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    if old.address == new.address:
        return []
    if old.address is None or new.address is None:
        return ["a delivery address, before none" if new.address else "no delivery address any more"]
    fields = [
        name for name in old.address.__struct_fields__ if getattr(old.address, name) != getattr(new.address, name)
    ]
    return [f"another delivery address ({', '.join(fields)}): see the order at the storefront"]


def _carriage(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    before, after = (f"{one.carrier} {one.service}".strip() or _NONE for one in (old, new))
    return [f"carrier: {before} → {after}"] if before != after else []


def _texts(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    names = sorted(old.texts.keys() | new.texts.keys())
    changed = [name for name in names if old.texts.get(name, "") != new.texts.get(name, "")]
    return [f"another {name.replace('_', ' ').removesuffix('s')}" for name in changed]


def _rest(old: ReleaseOrder, new: ReleaseOrder) -> list[str]:
    fields = [f.name for f in msgspec.structs.fields(ReleaseOrder) if f.name not in _IDENTITY | _APART]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in fields]
    return [f"{name.replace('_', ' ')}: {was or _NONE} → {now or _NONE}" for name, was, now in pairs if was != now]
