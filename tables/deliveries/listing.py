"""The rules of one write to one listing (ledger.md R5-R8): what to do next, and what an answer means.

Pure: the caller commits the row before the request leaves (`begin`) and again with everything an answer made (`acknowledged` and its sisters). Rows are
changed in place. Times are milliseconds; `now` is ours, `at`, `at_from` and `at_to` are the storefront's. It never decides how many units a listing shall
have (`tables.stock`), nor when requests may leave (budget, order, retries: `app.delivery`).
"""

from schemas.records import Baseline, Correction, ReadBack, StockOutcome, StockTarget
from tables.deliveries.listing_row import (
    Adopt,
    CheckBack,
    Intent,
    ListingRow,
    LookUp,
    Mark,
    Step,
    Tell,
    Wait,
    Write,
)
from tables.deliveries.peers import Bounds, PeerKind

__all__ = [
    "Adopt",
    "CheckBack",
    "Intent",
    "ListingRow",
    "LookUp",
    "Mark",
    "Step",
    "Tell",
    "Wait",
    "Write",
    "acknowledged",
    "adopt",
    "begin",
    "conflict",
    "corrected",
    "delta",
    "foreign",
    "looked_up",
    "needs_absolute",
    "next_step",
    "not_sent",
    "pending",
    "read_back",
    "rebaseline",
    "refused",
    "tell",
    "unknown",
    "want",
]


def want(row: ListingRow, command: StockTarget, now: int) -> bool:
    """Accept a newer command of this epoch. False: superseded, or of another epoch, which is never executed (R7).

    A command of a newer epoch than the row's says that the row is not what the ledger counts from: the row asks for a new baseline.
    """
    if command.epoch != row.epoch:
        row.epoch_floor = max(row.epoch_floor, command.epoch)
        if command.epoch > row.epoch:
            row.epoch = 0
        return False
    if command.version <= row.version:
        return False
    row.version, row.inc, row.dec, row.to_zero = command.version, command.inc, command.dec, command.to_zero
    row.priority, row.changed_at, row.escrow = command.priority, now, command.escrow
    return True


def next_step(
    row: ListingRow, kind: PeerKind, bounds: Bounds, now: int, sweep_due: bool = False, may_write: bool = True
) -> Step:
    """R5 step 1 and when to read: what this listing needs now. The row is not changed. Without `may_write` it is only read."""
    if now < row.not_before:
        return Wait(row.not_before)
    if row.look_up:
        return LookUp()
    if row.intent is not None:
        return Wait(None)
    settled = _settled_at(row, bounds)
    if row.epoch == 0:
        return Adopt() if now >= settled else Wait(settled)
    if row.version == 0:
        return Wait(None)
    write = _wanted_write(row, kind) if may_write else None
    if write is not None:
        return write
    if delta(row) == 0 and row.published == row.high and row.told < row.version:
        if kind is not PeerKind.VERSIONED or row.unsure_until == 0:
            return Tell()
        if now >= row.unsure_until:
            return LookUp()
        return Wait(row.unsure_until)
    sweep_due = sweep_due or row.resync
    if (row.verify or sweep_due) and (row.asked != row.pver or sweep_due):
        if now < settled:
            return Wait(settled)
        return LookUp() if kind is PeerKind.VERSIONED and row.unsure_until else CheckBack()
    return Wait(None)


def delta(row: ListingRow) -> int:
    """R5: a decrease is measured from what is certain, an increase from what may be there."""
    if row.dec < row.published:
        return row.dec - row.published
    return max(0, row.inc - row.high)


def _wanted_write(row: ListingRow, kind: PeerKind) -> Write | None:
    units = delta(row)
    if units == 0:
        return None
    zero = units < 0 and row.to_zero and kind is PeerKind.RELATIVE
    if row.hold and not zero:
        return None
    if units > 0 and not row.set_once and kind is PeerKind.RELATIVE:
        return Write(0, zero=True)
    return Write(units, zero)


def _settled_at(row: ListingRow, bounds: Bounds) -> int:
    """From when a read shows every request of ours for good."""
    return max(row.unsure_until, row.acked_at + bounds.apply_max + 1 if row.acked_at else 0)


def begin(row: ListingRow, step: Write, now: int) -> Intent:
    """R5 step 2: the intent, to be committed before the request leaves."""
    row.attempt += 1
    row.pver += 1
    row.sent = row.version
    row.intent = Intent(row.attempt, step.delta, row.published + step.delta, step.zero, row.version, now)
    return row.intent


def acknowledged(
    row: ListingRow, kind: PeerKind, bounds: Bounds, now: int, at: int, peer_version: int
) -> list[StockOutcome]:
    """The peer said yes (R6, column ok). Outcomes to publish; at an asynchronous peer none, its read-back becomes due instead."""
    intent = _take_intent(row, now)
    if intent is None:
        return []
    row.peer_version = peer_version or row.peer_version
    row.set_once = row.set_once or intent.zero or kind is not PeerKind.RELATIVE
    row.published = intent.gross
    if kind is PeerKind.RELATIVE:
        row.hold = row.hold or intent.zero
        if intent.delta > 0:
            row.high = max(row.high + intent.delta, row.published)
        row.verify = intent.version
        return []
    row.high = intent.gross
    if kind is PeerKind.VERSIONED:
        row.marker_seen, row.unsure_until = intent.attempt, 0
    return [_outcome(row, intent.version, at)]


def unknown(row: ListingRow, kind: PeerKind, bounds: Bounds, now: int) -> None:
    """Time-out, reset or a 5xx after the request left (R6, column unknown): what cannot oversell is assumed."""
    if row.intent is None:
        return
    row.unsure_until, row.acked_at = now + bounds.late_max, now
    if kind is PeerKind.VERSIONED:
        row.look_up = True
        return
    intent = row.intent
    row.intent = None
    row.verify = intent.version
    if kind is not PeerKind.ABSOLUTE:
        _assume_unknown(row, intent)
    row.hold = row.hold or intent.zero


def _assume_unknown(row: ListingRow, intent: Intent) -> None:
    """Without a marker: an increase may be there, a decrease may not be."""
    if intent.delta > 0:
        row.published += intent.delta
        row.high += intent.delta


def refused(row: ListingRow, kind: PeerKind, now: int) -> None:
    """The peer would go below zero: it has sold what we wanted to take away, 0 is the right figure (finding 6).

    Where no zero can be set the listing is read back before anything else.
    """
    intent = _take_intent(row, now)
    if intent is None:
        return
    row.to_zero = True
    if kind is not PeerKind.RELATIVE:
        row.hold, row.verify = True, intent.version


def needs_absolute(row: ListingRow, now: int) -> None:
    """BigCommerce has no quantity there yet: nothing happened, and an absolute zero goes first."""
    if _take_intent(row, now) is not None:
        row.set_once = False


def conflict(row: ListingRow, kind: PeerKind, bounds: Bounds, peer_version: int, now: int) -> None:
    """409: this attempt did not land. While no other attempt is unknown the same delta goes out with the version told; else the marker is read first.

    Soon after a baseline an attempt of an earlier, lost row may be unknown without our knowing.
    """
    if _take_intent(row, now) is None:
        return
    if peer_version and row.unsure_until == 0 and now >= row.epoch + bounds.late_max:
        row.peer_version = peer_version
    else:
        row.look_up = True


def not_sent(row: ListingRow, now: int) -> None:
    """It certainly had no effect: the same step again later."""
    row.intent = None


def foreign(row: ListingRow, kind: PeerKind, bounds: Bounds, now: int) -> None:
    """On taking a partition over: an intent in the row is another owner's request. Unknown, and not acted on before its time plus LATE_MAX (R5)."""
    if row.intent is None or row.look_up:
        return
    row.not_before = row.intent.at + bounds.late_max
    unknown(row, kind, bounds, now)


def looked_up(
    row: ListingRow,
    kind: PeerKind,
    bounds: Bounds,
    quantity: int,
    marker: Mark | None,
    peer_version: int,
    now: int,
    at: int,
    began: int | None = None,
) -> list[StockOutcome]:
    """The entry was read because an outcome is unknown: its marker tells which attempt landed last, late ones included.

    `began` is our time at which the read began (`now` where it is not said). A read that began after `unsure_until` ends the uncertainty.
    """
    intent, row.intent, row.look_up = row.intent, None, False
    row.peer_version = peer_version
    if (now if began is None else began) >= row.unsure_until:
        row.unsure_until = 0
    if marker is None:
        if intent is not None:
            _assume_unknown(row, intent)
            row.verify = intent.version
        return []
    epoch, attempt, gross = marker
    if attempt == row.marker_seen:
        return []
    row.marker_seen = attempt
    if epoch != row.epoch:
        row.epoch = 0
        return []
    row.published = row.high = gross
    return [_outcome(row, row.sent, at)]


def read_back(
    row: ListingRow,
    bounds: Bounds,
    quantity: int,
    at_from: int,
    at_to: int,
    began_pver: int,
    now: int,
    shadow: bool = False,
) -> ReadBack | None:
    """What the listing shows, for the ledger to judge (R8). None: a write began or a correction was applied meanwhile, read again."""
    if row.pver != began_pver or row.intent is not None or row.epoch == 0:
        return None
    row.asked, row.asked_at, row.checked_at = row.pver, now, now
    row.shown, row.shown_at = quantity, at_to
    row.resync = False
    return ReadBack(
        sku=row.sku,
        listing=row.listing,
        epoch=row.epoch,
        pver=row.pver,
        quantity=quantity,
        at_from=at_from,
        at_to=at_to,
        published=row.published,
        verify=row.verify > 0,
        unguarded=row.unguarded,
        shadow=shadow,
    )


def corrected(
    row: ListingRow, correction: Correction, kind: PeerKind, bounds: Bounds, now: int, at: int
) -> list[StockOutcome]:
    """The ledger's judgement of a read-back. It counts only while nothing was written or corrected since the read; else the read is due again.

    Not final and without drift means that the read came too close to an order to tell: it is due again.
    """
    if correction.epoch != row.epoch or correction.pver != row.pver or row.intent is not None or row.look_up:
        return []
    if correction.final:
        row.hold, row.asked = False, -1
    elif correction.drift == 0:
        row.asked = -1
    if correction.drift or (correction.final and row.high != row.published):
        row.published += correction.drift
        row.high = row.published if correction.final else max(row.high, row.published)
        row.pver += 1
        row.changed_at = now
    if correction.final and (row.verify or correction.drift):
        version, row.verify = max(row.verify, row.told), 0
        return [_outcome(row, version, at)]
    return []


def adopt(
    row: ListingRow,
    quantity: int,
    at_from: int,
    at_to: int,
    marker: Mark | None,
    peer_id: str,
    peer_version: int,
    now: int,
    set_once: bool,
) -> Baseline:
    """R7: what the listing shows is where counting starts, under a new epoch. Commands of older epochs no longer count."""
    row.epoch = max(now, row.epoch_floor + 1)
    row.epoch_floor = row.epoch
    row.version = row.inc = row.dec = row.sent = row.told = row.verify = row.unsure_until = row.not_before = 0
    row.to_zero = row.hold = row.look_up = False
    row.intent, row.asked = None, -1
    row.published = row.high = row.shown = quantity
    row.shown_at = at_to
    row.marker_seen = marker[1] if marker else 0
    row.attempt = max(row.attempt, row.marker_seen)
    row.pver += 1
    row.peer_id, row.peer_version, row.set_once = peer_id, peer_version, set_once
    row.checked_at = row.changed_at = now
    return Baseline(
        sku=row.sku,
        listing=row.listing,
        epoch=row.epoch,
        quantity=quantity,
        at_from=at_from,
        at_to=at_to,
        unguarded=row.unguarded,
    )


def rebaseline(row: ListingRow) -> None:
    """R7: read it anew before anything is written. What is under way is finished first, commands up to now count no more."""
    row.epoch = 0


def tell(row: ListingRow, at: int, now: int) -> StockOutcome:
    """The outcome of a command that needs no write: without one its units would stay held (finding 12)."""
    return _outcome(row, row.version, at)


def pending(row: ListingRow, may_write: bool = True) -> bool:
    """Something is still to be written, looked up, verified or reported. Without `may_write` what is only wanted does not count."""
    if row.epoch == 0 or row.intent is not None or row.look_up or row.verify or row.hold:
        return True
    return may_write and row.version > 0 and (row.told < row.version or delta(row) != 0)


def _outcome(row: ListingRow, version: int, at: int) -> StockOutcome:
    """What is there or still to be raised: no unit above `bound` is or will be at the listing because of this command."""
    row.told = max(row.told, version)
    bound = max(row.high, row.inc)
    return StockOutcome(sku=row.sku, listing=row.listing, epoch=row.epoch, version=version, bound=bound, at=at)


def _take_intent(row: ListingRow, now: int) -> Intent | None:
    intent, row.intent = row.intent, None
    row.acked_at = now
    return intent
