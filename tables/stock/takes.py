"""What a listing's own storefront lowered and put back by itself: the counter since the baseline and its recent part, one by one (R3, R7). Pure.

A take counts from the baseline read on. Read and take have times that are only known as intervals; where the two overlap nobody can tell whether the
figure that was read contains the take. Then the side is chosen that cannot oversell: units sold are taken to be inside the figure (not counted: the target
lies lower), units put back are taken to be outside (counted: the target lies lower, too). What was offered too little is mended by R8, which sees the
listing below what we believe and corrects it.

A row is read and written with every order of its SKU, so what it keeps of takes is bounded: one by one for as long as something may ask for them exactly,
then by the minute (decision 0195).
"""

from tables.stock.rows import RING_MS, ListingState, Take

BUCKET_MS = 1000
"""Takes inside one such span are kept as one: a flash sale must not make the row grow with every order."""

FINE_MS = 90_000
"""How far before the newest take, the reads that wait and the watermark takes are kept like that: the selling speed looks no further back."""

COARSE_MS = 60_000
"""Older takes inside one such span are kept as one."""

THINNED_EVERY = 16
"""New entries between two looks for old ones."""

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
    place = _place(take, BUCKET_MS)
    for known in reversed(state.takes[-RECENT:]):
        if _place(known, BUCKET_MS) == place:
            _join(known, take)
            break
    else:
        state.takes.append(take)
        if len(state.takes) % THINNED_EVERY == 0:
            _thin(state, _settled(state, watermark) - FINE_MS)
    prune(state, watermark)


def _place(take: Take, span: int) -> tuple[int, int, bool]:
    """Takes of one place may be kept as one."""
    return take.at_from // span, take.at_to // span, take.units > 0


def _join(known: Take, take: Take) -> None:
    known.at_from, known.at_to = min(known.at_from, take.at_from), max(known.at_to, take.at_to)
    known.units += take.units


def _thin(state: ListingState, before: int) -> None:
    """Those that ended before this are kept by the minute."""
    fine, coarse = list[Take](), dict[tuple[int, int, bool], Take]()
    for take in state.takes:
        if take.at_to >= before:
            fine.append(take)
        elif (known := coarse.setdefault(_place(take, COARSE_MS), take)) is not take:
            _join(known, take)
    state.takes = [*coarse.values(), *fine]


def prune(state: ListingState, watermark: int) -> None:
    """Forget single takes that no read still to be judged can be older than; the sum keeps them."""
    if not state.takes:
        return
    oldest = _settled(state, watermark) - RING_MS
    if state.takes[0].at_to < oldest:
        state.takes = [take for take in state.takes if take.at_to >= oldest]


def _settled(state: ListingState, watermark: int) -> int:
    """The time up to which there are takes, and no read waits, and (0: not known) all orders have come."""
    bounds = [state.takes[-1].at_to, *(read.at_from for read in state.reads)]
    if watermark:
        bounds.append(watermark)
    return min(bounds)


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
