"""What a judged read-back says of a listing: its cause, as far as it can be told, what is counted, and what people are told. Pure.

Told apart are: what a write of ours left unsure, the visible lag at a baseline, an order that turns up after its units were missed, a restock that does, and
a channel in shadow, where others write. Everything else is "more" or "fewer" by hand or by another program.
"""

from schemas.records import ExceptionPhase, ExceptionState
from tables import reconciliation
from tables.reconciliation import UNEXPLAINED, Cause
from tables.stock.judge import Judgement
from tables.stock.rows import ListingState, StockState, Take, WaitingRead

TYPE, OWNER = "stock_drift", "integration"


def cause_of(known: ListingState, read: WaitingRead, judgement: Judgement) -> Cause | None:
    """Why the read-back differs from what is believed; None: nothing is judged yet, it is read again.

    While a write was being verified a difference is its own result; fewer units at the first read-back since the baseline are orders that the baseline's
    read did not show yet, or such too near to it to tell, which were left out on purpose (`takes`).
    """
    if not judgement.drift:
        return "equal" if judgement.final else None
    if read.verify:
        return "write"
    if read.shadow:
        return "shadow"
    if not known.checked and judgement.drift < 0:
        return "baseline"
    if 0 < judgement.drift <= known.late:
        return "unseen_order"
    if known.late <= judgement.drift < 0:
        return "restock"
    return "raised" if judgement.drift > 0 else "lowered"


def report(
    state: StockState, channel: str, listing: str, known: ListingState, read: WaitingRead, judgement: Judgement
) -> tuple[Cause | None, list[ExceptionState]]:
    """Count a judgement. Its cause, and what people are told."""
    cause = cause_of(known, read, judgement)
    known.checked = known.checked or judgement.final
    if cause is None:
        return None, []
    sweep = state.sweep(channel)
    reconciliation.count(sweep, cause, read.at_to)
    state.put_sweep(channel, sweep)
    if cause in ("unseen_order", "restock"):
        known.late -= judgement.drift
    if cause in UNEXPLAINED:
        known.drift, known.drift_at = _words(judgement.drift), known.drift_at or read.at_to
        known.unexplained, known.unexplained_at = judgement.drift, read.at_to
        _note(state, channel, listing, known, cause, judgement.drift)
        return cause, [_state(listing, known, "OPEN", read.at_to)]
    if cause == "equal" and known.drift_at:
        told = _state(listing, known, "RESOLVED", read.at_to)
        known.drift, known.drift_at = "", 0
        row = state.difference(reconciliation.key(channel, "drift", listing))
        if row is not None:
            row.over_at = read.at_to
            state.put_difference(row)
        return cause, [told]
    return cause, []


def explained(state: StockState, channel: str, listing: str, known: ListingState, take: Take) -> list[ExceptionState]:
    """An order or a restock of before a drift turned up after it was corrected: it was the cause, as far as it reaches.

    What it takes is counted now and was corrected before, so the next read-back will differ the other way by as much (`late`).
    """
    missed = known.unexplained
    if take.at_from > known.unexplained_at or missed * take.units >= 0:
        return []
    units = min(abs(missed), abs(take.units)) * (1 if missed > 0 else -1)
    known.unexplained -= units
    known.late -= units
    if known.unexplained:
        return []
    cause: Cause = "restock" if missed > 0 else "unseen_order"
    sweep = state.sweep(channel)
    reconciliation.recount(sweep, "raised" if missed > 0 else "lowered", cause)
    state.put_sweep(channel, sweep)
    if not known.drift_at:
        return []
    known.drift = (
        "units were put back by the storefront itself, as their orders say now. Corrected"
        if missed > 0
        else "units were sold by orders that the storefront listed late; they are counted now. Corrected"
    )
    _note(state, channel, listing, known, cause, units)
    return [_state(listing, known, "OPEN", known.unexplained_at)]


def _note(state: StockState, channel: str, listing: str, known: ListingState, cause: str, units: int) -> None:
    row = state.difference(reconciliation.key(channel, "drift", listing))
    at = known.unexplained_at
    state.put_difference(reconciliation.seen(row, channel, "drift", listing, cause, known.drift, at, units))


def _words(drift: int) -> str:
    units = f"{abs(drift)} unit{'s' if abs(drift) > 1 else ''}"
    if drift > 0:
        return (
            f"{units} more on offer than our writes and the orders explain: raised by hand, put back by the storefront itself, or "
            "written by another program. Corrected; stop whatever else writes this quantity"
        )
    return (
        f"{units} fewer on offer than our writes and the orders explain: lowered by hand, taken by an order that the storefront does "
        "not list, or written by another program. Corrected; stop whatever else writes this quantity"
    )


def _state(listing: str, known: ListingState, phase: ExceptionPhase, at: int) -> ExceptionState:
    return ExceptionState(
        exception_id=f"{TYPE}:{listing}",
        type=TYPE,
        entity=listing,
        owner=OWNER,
        state=phase,
        detail=known.drift,
        opened_at=known.drift_at,
        changed_at=at,
    )
