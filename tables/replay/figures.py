"""Figures that a worker once sent, beside what the rules give at the same place of the log. Pure."""

from typing import Any, Final

import msgspec

from schemas.records import AvailableToSell, StockTarget
from tables.stock.rows import SkuRow

_TOPIC: Final = "inventory.events:"


class Point(msgspec.Struct, frozen=True):
    """Where a worker sent figures of a SKU: after it had folded `offset` of `partition`."""

    partition: int
    offset: int
    sku: str


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """One figure of one listing, selling units: `available` of what subscribers are told, `target` (inc, dec) of a command."""

    listing: str
    kind: str
    values: list[int]


class Deviation(msgspec.Struct, frozen=True):
    """A figure that was sent and is not what the rules give there; None: the rules know no such listing there."""

    sku: str
    partition: int
    offset: int
    listing: str
    kind: str
    replayed: list[int] | None
    sent: list[int]


def point_of(event_id: str) -> Point | None:
    """The place that an event's id names; None where it does not follow from a SKU's figures."""
    if not event_id.startswith(_TOPIC):
        return None
    partition, _, rest = event_id.removeprefix(_TOPIC).partition(":")
    offset, _, rest = rest.partition(":")
    sku, parted, _ = rest.rpartition(":")
    if not (parted and partition.isdecimal() and offset.isdecimal()):
        return None
    return Point(int(partition), int(offset), sku)


def figure_of(body: Any) -> Figure | None:
    """What a record says of a listing; None for other records."""
    match body:
        case AvailableToSell():
            return Figure(body.listing, "available", [body.available])
        case StockTarget():
            return Figure(body.listing, "target", [body.inc, body.dec])
    return None


def deviations(point: Point, sent: list[Figure], row: SkuRow | None) -> list[Deviation]:
    """What was sent there and is not what the row says after it was published there."""
    found = []
    for one in sent:
        known = row.listings.get(one.listing) if row is not None else None
        values = None
        if known is not None:
            values = [known.available] if one.kind == "available" else [known.inc, known.dec]
        if values != one.values:
            found.append(Deviation(point.sku, point.partition, point.offset, one.listing, one.kind, values, one.values))
    return found
