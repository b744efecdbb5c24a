"""Drift that no write of ours explains, told to people: opened with what can be said of its cause, resolved by the next read-back that agrees. Pure."""

from schemas.records import ExceptionPhase, ExceptionState
from tables.stock.judge import Judgement
from tables.stock.rows import ListingState, WaitingRead

TYPE, OWNER = "stock_drift", "integration"


def report(listing: str, known: ListingState, read: WaitingRead, judgement: Judgement) -> list[ExceptionState]:
    """What people are told after a judgement.

    While a write was being verified a difference is its own result, not drift; nor is fewer units at the first read-back since the baseline: orders that
    the baseline's read did not show yet are the peer's visible lag, and such too near to it to tell were left out on purpose (`takes`).
    """
    first, known.checked = not known.checked, known.checked or judgement.final
    if judgement.drift and not read.verify and not (first and judgement.drift < 0):
        known.drift = _cause(judgement.drift)
        known.drift_at = known.drift_at or read.at_to
        return [_state(listing, known, "OPEN", read.at_to)]
    if judgement.final and not judgement.drift and known.drift_at:
        told = _state(listing, known, "RESOLVED", read.at_to)
        known.drift, known.drift_at = "", 0
        return [told]
    return []


def _cause(drift: int) -> str:
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
