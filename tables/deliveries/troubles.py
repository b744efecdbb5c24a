"""Open exceptions of delivery, one row each, so that they are opened once and resolved when the thing works again. Pure."""

from typing import Final

import msgspec

from schemas.records import ExceptionCommand, ExceptionState
from tables.handling import Handling, opened

OWNERS: Final = {
    "delivery_failed": "integration",
    "unmapped_sku": "ecommerce",
    "despatch_gap": "integration",
    "stuck_order": "operations",
    "catalogue_mismatch": "ecommerce",
    "refund_mismatch": "finance",
}
"""Type of exception to who must look at it."""


class TroubleRow(msgspec.Struct, array_like=True):
    """One open exception; `entity` is a listing, an order or a channel."""

    type: str
    entity: str
    detail: str
    opened_at: int
    handling: Handling = msgspec.field(default_factory=Handling)


def raised(row: TroubleRow | None, kind: str, entity: str, detail: str, now: int) -> tuple[TroubleRow, bool]:
    """The row with this text, and whether that is news."""
    if row is not None and row.detail == detail:
        return row, False
    if row is None:
        return TroubleRow(kind, entity, detail, now, opened(now)), True
    row.detail = detail
    row.handling.note(now, "changed")
    return row, True


def handled(row: TroubleRow, given: ExceptionCommand, now: int) -> None:
    """An operator did something about it."""
    row.handling.note(now, given.action, given.actor, given.reason)


def record(row: TroubleRow, channel: str, now: int) -> ExceptionState:
    """The public record; its id is the same whenever the same thing fails in the same way."""
    return ExceptionState(
        exception_id=f"{row.type}:{row.entity}",
        type=row.type,
        entity=row.entity,
        owner=OWNERS[row.type],
        state=row.handling.phase,
        detail=row.detail,
        opened_at=row.opened_at,
        changed_at=now,
        holder=f"channel/{channel}",
        actor=row.handling.last.actor,
        reason=row.handling.last.reason,
        history=list(row.handling.history),
    )
