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
    if known is None and not detail:
        return []
    news = follow(known, kind, OWNERS[kind], row.entity, detail, now)
    if news is None:
        return []
    if detail:
        row.exceptions[kind] = news
    else:
        del row.exceptions[kind]
    return [exception_state(row, news, now)]


def resolve_all(row: OrderRow, now: int) -> list[Effect]:
    """The order is over: nothing of it needs a person."""
    return [effect for kind in list(row.exceptions) for effect in judge(row, kind, "", now)]


def exception_state(row: OrderRow, known: OpenException, now: int) -> ExceptionState:
    """The public state of an exception of the order."""
    return public_state(known, row.key, row.entity, now)


# ---- of any row that keeps exceptions of an order -------------------------------------------------------------------------------------------


def follow(
    known: OpenException | None, kind: str, owner: str, entity: str, detail: str, now: int
) -> OpenException | None:
    """The exception where something of it is news: opened with this text, its text changed, or resolved where the text is empty; None where nothing is."""
    if not detail:
        if known is not None:
            known.handling.note(now, "resolved")
        return known
    if known is None:
        return OpenException(kind, owner, detail, now, opened(now), entity)
    if known.detail == detail:
        return None
    known.detail = detail
    known.handling.note(now, "changed")
    return known


def public_state(known: OpenException, order_key: str, entity: str, now: int) -> ExceptionState:
    """What everybody is told of it; `entity` is what its order is called now."""
    handling = known.handling
    return ExceptionState(
        exception_id=f"{known.type}:{known.entity or entity}",
        type=known.type,
        entity=entity,
        owner=known.owner,
        state=handling.phase,
        detail=known.detail,
        opened_at=known.opened_at,
        changed_at=now,
        holder=f"order/{order_key}",
        actor=handling.last.actor,
        reason=handling.last.reason,
        history=list(handling.history),
    )
