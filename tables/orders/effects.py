"""What follows from an event of an order, and what every event does to its row: it moves its state by the life-cycle's table and counts its revision. Pure."""

from schemas.records import (
    CancelOrder,
    DemandLine,
    ExceptionState,
    NormalisedOrder,
    NoteOrder,
    ReleaseOrder,
    ShipParcel,
)
from tables.orders.despatch import delivered
from tables.orders.lifecycle import Event, Guard, following
from tables.orders.references import reference_of
from tables.orders.rows import OrderRow

Effect = DemandLine | ReleaseOrder | CancelOrder | ShipParcel | NoteOrder | NormalisedOrder | ExceptionState


def new_row(channel: str, order_id: str) -> OrderRow:
    """The row of an order nothing is known of yet."""
    return OrderRow(channel=channel, order_id=order_id, reference=reference_of(channel, order_id))


def next_revision(row: OrderRow, version: int) -> int:
    """Rises with every change of ours and never falls behind the platform's own version, so a row that was lost does not start below its past."""
    return max(row.revision + 1, version * 1000)


def guards(row: OrderRow) -> set[Guard]:
    """The conditions of the life-cycle's table that hold."""
    holds = {Guard.SENT if row.released else Guard.UNSENT}
    if not row.cancel_asked:
        holds.add(Guard.NO_CANCEL)
    if "late_change" not in row.exceptions:
        holds.add(Guard.NO_LATE_CHANGE)
    if delivered(row):
        holds.add(Guard.TOLD)
    return holds


def move(row: OrderRow, event: Event, reason: str = "") -> bool:
    """Bring the row to the state that the event leads to, with why. False where the table does not name the pair: nothing changes."""
    to = following(row.state, event, guards(row))
    if to is None:
        return False
    row.state, row.reason = to, reason
    return True


def status_of(row: OrderRow) -> NormalisedOrder:
    """The public state of the order."""
    return NormalisedOrder(
        channel=row.channel,
        order_id=row.order_id,
        number=row.number,
        reference=row.reference,
        state=row.state,
        reason="; ".join(filter(None, (row.reason, row.cut if row.released else ""))),
        version=row.version,
    )
