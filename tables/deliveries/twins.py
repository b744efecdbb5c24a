"""Goods outs that a lost answer may have doubled: a create that was sent again can still land the first time, minutes later. Pure.

Clarus has no idempotency key, so nothing but looking finds a late twin. After a create whose outcome was unknown the reference is looked up again after 1, 10
and 60 minutes; of several goods outs the one that is furthest along is kept, and those that the warehouse has not begun with are cancelled. Two that it has
begun with are for a person.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tables.deliveries.release_row import AtWarehouse, ReleaseRow

AFTER: Final = (60_000, 600_000, 3_600_000)
"""Milliseconds after the unknown create began."""
NOT_BEGUN: Final = frozenset({"DRAFT", "PENDING"})
"""Statuses in which a cancel deletes the order, and a change is taken."""


def watch(row: "ReleaseRow", began: int) -> None:
    """The outcome of a create that began then is not known."""
    row.twin_from, row.twin_looks = began, 0


def due(row: "ReleaseRow") -> int | None:
    """When it is to be looked up again; None where all that is over."""
    if row.twin_from is None or row.twin_looks >= len(AFTER):
        return None
    return row.twin_from + AFTER[row.twin_looks]


def looked(row: "ReleaseRow", at: int) -> None:
    """A look-up began then: it counts for every turn that was due."""
    while (turn := due(row)) is not None and turn <= at:
        row.twin_looks += 1


def again(row: "ReleaseRow") -> None:
    """The last turn is due once more."""
    row.twin_looks = max(0, row.twin_looks - 1)


def is_late(row: "ReleaseRow", alive: Sequence["AtWarehouse"]) -> bool:
    """Did the goods out of an order land that was cancelled meanwhile? It is noted as a twin. One that the warehouse opened again is none."""
    over = row.cancel and row.answered >= row.version and row.status in ("CANCELLED", "DELETED")
    if not over or any(one.wms_id == row.wms_id for one in alive):
        return False
    row.twin = next((one.wms_id for one in alive if one.status != "COMPLETED"), "")
    return bool(row.twin)


def sort(row: "ReleaseRow", alive: Sequence["AtWarehouse"]) -> "AtWarehouse":
    """The goods out that is kept, of one or more; notes a twin that is to be cancelled, or that a person must cancel (`doubled`)."""
    begun = [one for one in alive if one.status not in NOT_BEGUN]
    known = next((one for one in begun or alive if one.wms_id == row.wms_id), None)
    kept = known or (begun or list(alive))[0]
    others = [one for one in alive if one is not kept]
    row.twin = next((one.wms_id for one in others if one.status in NOT_BEGUN), "")
    row.doubled = [f"{one.wms_id} ({one.status})" for one in (kept, *others)] if len(begun) > 1 else []
    return kept
