"""What kind of quantity writes a peer takes (ledger.md R6), and the time bounds that the rules rely on. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class PeerKind(StrEnum):
    """The rows of R6."""

    VERSIONED = "versioned"  # commercetools: version-checked add or remove, with a marker in the same request
    RELATIVE = "relative"  # BigCommerce: relative adjustments applied later, absolute zero
    READ_MODIFY = "read_modify"  # decrements, takes absolute figures only
    ABSOLUTE = "absolute"  # does not decrement


UNGUARDED: Mapping[PeerKind, str] = {
    PeerKind.READ_MODIFY: "takes absolute figures only: what is sold during a write is sold twice",
    PeerKind.ABSOLUTE: "does not lower its own quantities",
}
"""Kinds of peer by which a split pool promises nothing (R9), with the reason."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Time bounds of one channel, milliseconds. What each means if it does not hold: ledger.md section 4."""

    late_max: int  # no request lands later than this after we gave it up
    apply_max: int  # an asynchronous peer applies within this after its answer
    visible_lag: int  # reads show an order's decrement at the latest this much later
    order_slack: int  # resolution of the peer's order times, added on both sides of every bound
