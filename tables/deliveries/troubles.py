"""Open exceptions of delivery, one row each, so that they are opened once and resolved when the thing works again. Pure."""

from typing import Final

import msgspec

from schemas.records import ExceptionPhase, ExceptionState

OWNERS: Final = {"delivery_failed": "integration", "unmapped_sku": "ecommerce", "despatch_gap": "integration"}
"""Type of exception to who must look at it."""


class TroubleRow(msgspec.Struct, array_like=True):
    """One open exception; `entity` is a listing, an order or a channel."""

    type: str
    entity: str
    detail: str
    opened_at: int


def raised(row: TroubleRow | None, kind: str, entity: str, detail: str, now: int) -> tuple[TroubleRow, bool]:
    """The row with this text, and whether that is news."""
    if row is not None and row.detail == detail:
        return row, False
    return TroubleRow(kind, entity, detail, row.opened_at if row is not None else now), True


def record(row: TroubleRow, phase: ExceptionPhase, now: int) -> ExceptionState:
    """The public record; its id is the same whenever the same thing fails in the same way."""
    return ExceptionState(
        exception_id=f"{row.type}:{row.entity}",
        type=row.type,
        entity=row.entity,
        owner=OWNERS[row.type],
        state=phase,
        detail=row.detail,
        opened_at=row.opened_at,
        changed_at=now,
    )
