"""Small rows that say where there is work, so that nobody looks through all that is over: what an owner has to do, and which orders are at the warehouse. Pure.

A million finished orders then cost a starting owner nothing, and a million open ones no memory: they are found in the store when they are looked at.
"""

from typing import Literal

import msgspec

Kind = Literal["order", "parcels", "shipment", "return", "refund", "note"]
_SEPARATOR = "\x1f"  # in no SKU


class DueRow(msgspec.Struct, array_like=True, frozen=True):
    """Something of this kind is still to be done; `since`: our milliseconds."""

    since: int


class AtWorkRow(msgspec.Struct, array_like=True, frozen=True):
    """An order with this SKU is at the warehouse and not over. `first`: it is the order's first SKU."""

    first: bool


def due_prefix(channel: str, kind: Kind) -> str:
    """What the keys of one kind begin with."""
    return f"{channel}/{kind}/"


def due_key(channel: str, kind: Kind, entity: str) -> str:
    """Key of the row: `entity` is a reference at the warehouse, an order id at a storefront."""
    return f"{due_prefix(channel, kind)}{entity}"


def sku_prefix(sku: str) -> str:
    """What the keys of all orders with a SKU begin with."""
    return f"{sku}{_SEPARATOR}"


def at_work_key(sku: str, reference: str) -> str:
    """Key of the row."""
    return f"{sku_prefix(sku)}{reference}"


def names_of(key: str) -> tuple[str, str]:
    """SKU and reference of a key."""
    sku, _, reference = key.partition(_SEPARATOR)
    return sku, reference
