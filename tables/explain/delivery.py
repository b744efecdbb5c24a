"""A listing's row of delivery, explained: what it certainly has, what it may have, and what is awaited before the two agree. Pure."""

from tables.deliveries import listing as rules
from tables.deliveries.listing_row import Adopt, CheckBack, ListingRow, LookUp, Tell, Write
from tables.deliveries.peers import Bounds, PeerKind
from tables.explain.report import Delivered, Waiting


def explain(
    row: ListingRow, kind: PeerKind, bounds: Bounds, now: int, paused: str = "", shadow: bool = False
) -> Delivered:
    """`paused`: by whom and why nothing is written, empty where it is; `shadow`: the channel is compared only; `now` is our time."""
    return Delivered(
        listing=row.listing,
        channel=row.channel,
        epoch=row.epoch,
        version=row.version,
        inc=row.inc,
        dec=row.dec,
        to_zero=row.to_zero,
        published=row.published,
        high=row.high,
        told=row.told,
        checked_at=row.checked_at,
        changed_at=row.changed_at,
        awaits=awaits(row, kind, bounds, now, paused, shadow),
    )


def awaits(
    row: ListingRow, kind: PeerKind, bounds: Bounds, now: int, paused: str = "", shadow: bool = False
) -> list[Waiting]:
    """Everything that still has to happen, first what stands in the way of the rest. Empty: the listing has what it shall have, and that is proved."""
    found: list[Waiting] = []
    if paused:
        found.append(Waiting("resume", f"paused by {paused}: nothing is written, reads go on"))
    if shadow:
        found.append(Waiting("go-live", "the channel is in shadow: nothing is written, figures are compared only"))
    if now < row.not_before:
        found.append(Waiting("late request", "an earlier worker's request may still land", row.not_before))
    if row.intent is not None:
        one = row.intent
        what = "an absolute zero" if one.zero else f"{one.delta:+d}"
        found.append(Waiting("answer", f"intent: attempt {one.attempt} of {what} for version {one.version}", one.at))
    if row.look_up:
        found.append(Waiting("look-up", "the outcome of an attempt is unknown: the listing's mark is read first"))
    if row.epoch == 0:
        found.append(Waiting("baseline", "the listing is to be read before anything is written (R7)"))
    elif row.version == 0:
        found.append(Waiting("command", "the ledger has sent no figure in this epoch yet"))
    else:
        found += _wanted(row, kind, bounds, now)
    if row.hold:
        found.append(Waiting("hold", "an absolute zero is not read back yet: only zeros pass"))
    if row.unsure_until:
        found.append(Waiting("unsure", "a request given up may land until then", row.unsure_until))
    if row.verify:
        found.append(Waiting("verify", f"a read-back must confirm version {row.verify}"))
    if row.asked == row.pver:
        found.append(
            Waiting("watermark", "the ledger judges the read-back when orders up to its time are folded", row.asked_at)
        )
    if row.resync:
        found.append(Waiting("read-back", "an operator asked for it (resync)"))
    return found


def _wanted(row: ListingRow, kind: PeerKind, bounds: Bounds, now: int) -> list[Waiting]:
    match rules.next_step(row, kind, bounds, now):
        case Write() as step:
            what = "an absolute zero" if step.zero else f"{step.delta:+d}"
            return [
                Waiting(
                    "write",
                    f"{what} is to be written (wanted inc {row.inc}, dec {row.dec}, has {row.published}..{row.high})",
                )
            ]
        case Tell():
            return [Waiting("outcome", f"version {row.version} needs no write: its outcome is to be reported")]
        case Adopt() | CheckBack() | LookUp():
            return []
    if row.told < row.version:
        return [Waiting("outcome", f"version {row.version} is not reported to the ledger, newest is {row.told}")]
    return []
