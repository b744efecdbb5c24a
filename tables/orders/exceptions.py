"""The exceptions of one order: opened, changed and resolved by what is the case now; who owns which, and their public form. Pure."""

from typing import Final

from schemas.records import ExceptionState
from tables.handling import opened
from tables.orders.effects import Effect
from tables.orders.rows import OpenException, OrderRow

OWNERS: Final[dict[str, str]] = {
    "unmapped_sku": "ecommerce",
    "unmapped_shipping_method": "ecommerce",
    "unmapped_location": "ecommerce",
    "unmapped_status": "ecommerce",
    "unit_mismatch": "ecommerce",
    "invalid_address": "customer service",
    "payment_hold": "customer service",
    "late_change": "warehouse",
    "stuck_order": "operations",
    "delivery_failed": "integration",
    "despatch_gap": "integration",
    "invalid_tracking": "integration",
    "short_stock": "operations",
    "early_fulfilment": "operations",
    "poison_record": "integration",
    "refund_mismatch": "finance",
}


def judge(row: OrderRow, kind: str, detail: str, now: int) -> list[Effect]:
    """Open the exception with this text, change its text, or resolve it where the text is empty."""
    known = row.exceptions.get(kind)
    if not detail:
        if known is None:
            return []
        del row.exceptions[kind]
        known.handling.note(now, "resolved")
        return [exception_state(row, known, now)]
    if known is not None and known.detail == detail:
        return []
    if known is None:
        row.exceptions[kind] = OpenException(kind, OWNERS[kind], detail, now, opened(now), row.entity)
    else:
        known.detail = detail
        known.handling.note(now, "changed")
    return [exception_state(row, row.exceptions[kind], now)]


def resolve_all(row: OrderRow, now: int) -> list[Effect]:
    """The order is over: nothing of it needs a person."""
    return [effect for kind in list(row.exceptions) for effect in judge(row, kind, "", now)]


def exception_state(row: OrderRow, known: OpenException, now: int) -> ExceptionState:
    """The public state of an exception of the order."""
    handling = known.handling
    return ExceptionState(
        exception_id=f"{known.type}:{known.entity or row.entity}",
        type=known.type,
        entity=row.entity,
        owner=known.owner,
        state=handling.phase,
        detail=known.detail,
        opened_at=known.opened_at,
        changed_at=now,
        holder=f"order/{row.key}",
        actor=handling.last.actor,
        reason=handling.last.reason,
        history=list(handling.history),
    )
