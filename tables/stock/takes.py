"""What a listing's own storefront lowered and put back by itself: the counter since the baseline and its recent part, one by one (R3, R7). Pure.

A take counts from the baseline read on. Read and take have times that are only known as intervals; where the two overlap nobody can tell whether the
figure that was read contains the take. Then the side is chosen that cannot oversell: units sold are taken to be inside the figure (not counted: the target
lies lower), units put back are taken to be outside (counted: the target lies lower, too). What was offered too little is mended by R8, which sees the
listing below what we believe and corrects it.
"""

from tables.stock.rows import RING_MS, ListingState, Take

BUCKET_MS = 1000
"""Takes inside one such span are kept as one: a flash sale must not make the row grow with every order."""

RECENT = 16
"""How many of the newest entries are looked at for one to join."""


def counts(state: ListingState, take: Take, slack: int) -> bool:
    """Does the take lie after the baseline (`slack`: resolution of the peer's order times)?"""
    if take.units >= 0:
        return take.at_from > state.base_to + slack
    return take.at_to >= state.base_from - slack


def add(state: ListingState, take: Take, slack: int, watermark: int) -> None:
    """Count a take. Before there is a baseline all are kept: the one to come decides which of them count."""
    if not take.units or (state.epoch and not counts(state, take, slack)):
        return
    state.taken += take.units
    for known in reversed(state.takes[-RECENT:]):
        if _together(known, take):
            known.at_from, known.at_to = min(known.at_from, take.at_from), max(known.at_to, take.at_to)
            known.units += take.units
            break
    else:
        state.takes.append(take)
    prune(state, watermark)


def _together(known: Take, take: Take) -> bool:
    return (
        known.at_from // BUCKET_MS == take.at_from // BUCKET_MS
        and known.at_to // BUCKET_MS == take.at_to // BUCKET_MS
        and (known.units > 0) == (take.units > 0)
    )


def prune(state: ListingState, watermark: int) -> None:
    """Forget single takes that no read still to be judged can be older than; the sum keeps them."""
    if not state.takes:
        return
    bounds = [state.takes[-1].at_to, *(read.at_from for read in state.reads)]
    if watermark:
        bounds.append(watermark)
    oldest = min(bounds) - RING_MS
    if state.takes[0].at_to < oldest:
        state.takes = [take for take in state.takes if take.at_to >= oldest]


def rebase(state: ListingState, epoch: int, at_from: int, at_to: int, quantity: int, slack: int) -> None:
    """R7: counting starts again at this read. The first command waits for the watermark."""
    state.epoch, state.base_from, state.base_to, state.ready = epoch, at_from, at_to, False
    state.takes = [take for take in state.takes if counts(state, take, slack)]
    state.taken = sum(take.units for take in state.takes)
    state.inc = state.dec = quantity
    state.sent, state.reads, state.checked, state.quota = False, [], False, None
    state.unexplained = state.late = 0


def sold_since(state: ListingState, time: int) -> int:
    """Units sold after this storefront time."""
    return sum(take.units for take in state.takes if take.units > 0 and take.at_to > time)
