"""R8: is what a listing shows what we believe it has? A bracket from the storefront's order times, never a look at what is known by now. Pure.

A read shows `published` less what was taken before it. Takes whose time cannot be told apart from the read's (visible lag, resolution of order times,
coarse intervals) may or may not be in it: they span the bracket. A read-back that shall end a write's uncertainty is only final where nothing in the bracket
lies above what would then be believed, or the read is repeated: otherwise a decrease that the peer dropped could hide behind a sale of the same moment.
"""

from dataclasses import dataclass

from tables.deliveries.peers import Bounds
from tables.stock.rows import ListingState, WaitingRead


@dataclass(frozen=True, slots=True)
class Judgement:
    """`drift` to add to what is believed; not final with drift 0: read again."""

    drift: int
    final: bool


def bracket(state: ListingState, read: WaitingRead, bounds: Bounds) -> tuple[int, int]:
    """The least and the most gross units the listing can have had at the read, by the takes known."""
    low = high = read.quantity + state.taken
    for take in state.takes:
        if take.at_to + bounds.order_slack < read.at_from - bounds.visible_lag:
            continue
        low -= take.units
        high -= take.units
        if take.at_from - bounds.order_slack <= read.at_to:
            low += min(take.units, 0)
            high += max(take.units, 0)
    return low, high


def at_once(state: ListingState, read: WaitingRead, bounds: Bounds) -> Judgement | None:
    """Before the watermark only the lower bound holds: a decrease that did not happen."""
    low, _ = bracket(state, read, bounds)
    return Judgement(low - read.published, False) if read.published < low else None


def at_watermark(state: ListingState, read: WaitingRead, bounds: Bounds) -> Judgement:
    """All orders up to the read are known."""
    low, high = bracket(state, read, bounds)
    if read.published > high:
        return Judgement(high - read.published, True)
    drift = max(0, low - read.published)
    return Judgement(drift, not read.verify or read.published + drift == high)


def due(read: WaitingRead, bounds: Bounds) -> int:
    """The watermark at which the read can be judged for good."""
    return read.at_to + bounds.order_slack
