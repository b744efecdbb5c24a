"""What delivery's rows say of an order: what is wanted at each peer, what it has by its newest answer, which requests are under way, what is due. Pure.

Each function takes the rows of one partition, since they may lie with different workers.
"""

from collections.abc import Iterable

from tables.deliveries import notes, receipts, refunds, releases, shipments
from tables.deliveries.looks import lands_until
from tables.deliveries.notes import NoteRow
from tables.deliveries.receipts import ReceiptRow
from tables.deliveries.refunds import RefundRow
from tables.deliveries.release_row import Cancel, Change, Create, LookUp, ReleaseRow, Report
from tables.deliveries.shipments import ShipmentRow
from tables.deliveries.troubles import OWNERS, TroubleRow
from tables.explain.order_report import Call, Open
from tables.explain.report import Waiting


def troubles(rows: Iterable[TroubleRow]) -> list[Open]:
    """Exceptions that a channel's delivery has open about the order."""
    return [
        Open(
            f"{one.type}:{one.entity}",
            OWNERS[one.type],
            one.handling.phase,
            one.detail,
            one.opened_at,
            list(one.handling.history),
        )
        for one in rows
    ]


def held_back(channel: str, breaker: str, failures: int, may_write: bool, findings: Iterable[str]) -> list[Waiting]:
    """What keeps the channel's requests back now: a breaker that is not closed, failures in a row, a start check that does not agree (`findings`)."""
    found: list[Waiting] = []
    if breaker != "closed":
        text = f"{channel} lets no request through for a moment, {failures} failed in a row (breaker {breaker})"
        found.append(Waiting("peer", text))
    elif failures:
        found.append(Waiting("peer", f"{channel}: the last {failures} requests failed, they are tried again"))
    if not may_write:
        found.append(Waiting("start check", f"nothing is written to {channel} until it agrees: {'; '.join(findings)}"))
    return found


def _call(
    row: ReleaseRow | ShipmentRow | ReceiptRow | RefundRow | NoteRow,
    peer: str,
    what: str,
    request: str,
    pending: bool,
    shown: str,
) -> Call:
    """`request`: what is under way where an intent is."""
    return Call(
        peer,
        what,
        row.version,
        row.answered,
        row.attempts,
        row.looks,
        request if row.intent is not None else "",
        row.intent.at if row.intent is not None else 0,
        row.next_at if pending else 0,
        shown,
        row.since,
    )


def release_call(row: ReleaseRow, peer: str) -> Call:
    """The goods out."""
    where = f" in {row.warehouse}" if row.warehouse else ""
    known = row.looked or row.answered >= row.version
    shown = "nothing there" if known else "not known yet"
    if row.status or row.wms_id:
        shown = f"goods out {row.wms_id or '-'} {row.status}{where}"
    what = "no goods out" if row.cancel else "one goods out"
    request = row.intent.kind if row.intent is not None else ""
    return _call(row, peer, what, request, releases.pending(row), shown)


def release_awaits(row: ReleaseRow, create_unknown: int, now: int) -> list[Waiting]:
    """`create_unknown`: how long the warehouse may still be working on a create or change whose answer was lost."""
    found: list[Waiting] = []
    if row.intent is not None:
        until = lands_until(row.intent, create_unknown) if row.intent.kind != "cancel" else 0
        text = (
            f"{row.intent.kind} number {row.attempts} was sent: its answer, or a look-up that shows what became of it"
        )
        found.append(Waiting("answer", text, until))
    elif row.absent_from and row.answered >= row.version:
        text = "look-ups do not show the goods out: it counts as deleted once none has for long enough"
        found.append(Waiting("answer", text, row.absent_from + create_unknown))
    elif releases.pending(row):
        step = releases.next_step(row, now)
        what = {
            LookUp: "the reference is looked up before anything is sent",
            Create: "the goods out is to be created",
            Change: "the goods out is to be changed",
            Cancel: "the goods out is to be cancelled",
            Report: "the answer is to be handed on",
        }.get(type(step), f"attempt {row.attempts + 1} is due")
        found.append(Waiting("delivery", what, row.next_at if row.next_at > now else 0))
    if row.parcels_due:
        found.append(Waiting("delivery", "the packages are read at the warehouse", row.parcels_due))
    return found


def shipment_call(row: ShipmentRow) -> Call:
    """One parcel at the storefront."""
    wanted = row.command is not None and row.command.wanted
    what = f"{'' if wanted else 'no '}shipment of parcel {row.parcel_id}"
    request = row.intent.kind if row.intent is not None else ""
    shown = f"shipment {row.peer_id}" if row.peer_id else "nothing there" if row.attempts else "not known yet"
    return _call(row, row.channel, what, request, shipments.pending(row), shown)


def shipment_awaits(rows: Iterable[ShipmentRow], level: int) -> list[Waiting]:
    """`level`: how long a parcel may take before somebody is told."""
    found: list[Waiting] = []
    for row in rows:
        if not shipments.pending(row):
            continue
        if row.intent is not None:
            text = f"{row.intent.kind} of parcel {row.parcel_id} was sent: its answer, or a look that shows what became of it"
            found.append(Waiting("answer", text, row.next_at))
        else:
            text = f"parcel {row.parcel_id} is to be told, attempt {row.attempts + 1}; later than this it is a despatch_gap"
            found.append(Waiting("delivery", text, row.since + level if row.since else 0))
    return found


def receipt_call(row: ReceiptRow, peer: str) -> Call:
    """The goods-in receipt of a return."""
    state = f"receipt {row.wms_id or '-'} {row.told.state}" if row.told is not None else "nothing there"
    return _call(row, peer, f"one receipt of return {row.return_id}", "create", receipts.pending(row), state)


def refund_call(row: RefundRow) -> Call:
    """One refund at the storefront."""
    shown = f"refund {row.refund_id}" if row.refund_id else "nothing there"
    what = f"refund {row.part} of return {row.return_id}"
    return _call(row, row.channel, what, "refund", refunds.pending(row), shown)


def note_call(row: NoteRow) -> Call:
    """What the order says to the storefront's people."""
    wanted = "is open" if row.command is not None and row.command.open else "is over"
    shown = "as wanted" if row.answered == row.version else "not known yet"
    shown = f"refused: {row.refused}" if row.refused else shown
    return _call(row, row.channel, f"note that a late change {wanted}", "write", notes.pending(row), shown)


def note_awaits(row: NoteRow, now: int) -> list[Waiting]:
    """Nothing where it is over."""
    if not notes.pending(row):
        return []
    if row.intent is not None:
        text = "the note to the storefront's people was sent: its answer, or a look that shows what became of it"
        return [Waiting("answer", text, row.next_at)]
    text = f"the note to the storefront's people is to be written, attempt {row.attempts + 1}"
    return [Waiting("delivery", text, row.next_at if row.next_at > now else 0)]
