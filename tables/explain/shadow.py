"""A channel's listings as it shows them beside what we would write: the comparison of shadow mode. Pure, from delivery's rows alone.

The difference is the write that delivery would make next. It is on the gross scale, so orders since the read change both sides alike.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from tables.deliveries.listing import delta
from tables.deliveries.listing_row import ListingRow

Verdict = Literal["equal", "raise", "lower", "zero", "unknown"]


class Compared(msgspec.Struct, frozen=True):
    """One listing, selling units. `shows` at the storefront time `read_at`; unknown: not read, or without a figure yet."""

    listing: str
    sku: str
    verdict: Verdict
    shows: int
    would_show: int
    difference: int
    read_at: int


class Summary(msgspec.Struct):
    """Listings by verdict, and the units that the channel shows beyond what our figures allow (`exposed`)."""

    listings: int = 0
    equal: int = 0
    raised: int = 0
    lowered: int = 0
    zero: int = 0
    unknown: int = 0
    exposed: int = 0


class Held(msgspec.Struct, frozen=True):
    """Orders that the warehouse is not told of in shadow: going live sends them."""

    releases: int = 0
    cancels: int = 0


class ShadowAnswer(msgspec.Struct, frozen=True):
    """What one worker says of a channel. `here`: the channel lies in one of its partitions; else only `partition` counts."""

    channel: str
    worker: str
    at: int
    partition: int
    here: bool
    shadow: bool = False
    actor: str = ""
    reason: str = ""
    since: int = 0
    listings: list[Compared] = []
    held: Held | None = None


def compare(row: ListingRow) -> Compared:
    """One listing's row."""
    if not row.epoch or not row.version or not row.shown_at:
        return Compared(row.listing, row.sku, "unknown", row.shown, row.shown, 0, row.shown_at)
    units = delta(row)
    would = max(0, row.shown + units)
    verdict: Verdict = "equal"
    if units > 0:
        verdict = "raise"
    elif units < 0:
        verdict = "lower" if would else "zero"
    return Compared(row.listing, row.sku, verdict, row.shown, would, would - row.shown, row.shown_at)


def summary(compared: Iterable[Compared]) -> Summary:
    """All listings of a channel."""
    found = Summary()
    for one in compared:
        found.listings += 1
        match one.verdict:
            case "equal":
                found.equal += 1
            case "raise":
                found.raised += 1
            case "lower":
                found.lowered += 1
            case "zero":
                found.zero += 1
            case "unknown":
                found.unknown += 1
        found.exposed += max(0, -one.difference)
    return found
