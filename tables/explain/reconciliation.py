"""The report of reconciliation, as each worker gives it for its own partitions, and how the answers of several workers are put together. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from tables.deliveries.listing_row import ListingRow
from tables.reconciliation import UNEXPLAINED, DifferenceRow, SweepRow


class ChannelSweep(msgspec.Struct):
    """One storefront. Counts are of read-backs judged since `since`; `listings` to `oldest` speak of now, and are known where the channel lies here.

    `awaiting`: read back, and the orders up to the read are not all known yet. `oldest`: the listing whose last read is the longest ago, at `oldest_at` (our
    milliseconds); `unread`: listings that were never read.
    """

    channel: str
    checked: int = 0
    equal: int = 0
    healed: int = 0
    unexplained: int = 0
    unanswered: int = 0
    causes: dict[str, int] = {}
    since: int = 0
    last: int = 0
    here: bool = False
    listings: int = 0
    awaiting: int = 0
    unread: int = 0
    oldest: str = ""
    oldest_at: int = 0


class ReconciliationAnswer(msgspec.Struct):
    """What one worker, or several together, know: of `partitions` out of `of`. `differences`: open ones of all kinds, and those that are over."""

    worker: str
    at: int
    of: int
    partitions: list[int] = []
    channels: list[ChannelSweep] = []
    differences: list[DifferenceRow] = []


def add_counts(found: ChannelSweep, row: SweepRow) -> None:
    """The counts of one partition."""
    _add(found, row.checked, row.equal, row.unanswered, row.causes)
    found.since = min(found.since or row.since, row.since or found.since)
    found.last = max(found.last, row.last)


def _add(found: ChannelSweep, checked: int, equal: int, unanswered: int, causes: dict[str, int]) -> None:
    found.checked += checked
    found.equal += equal
    found.unanswered += unanswered
    for cause, units in causes.items():
        found.causes[cause] = found.causes.get(cause, 0) + units
    found.unexplained = sum(found.causes.get(cause, 0) for cause in UNEXPLAINED)
    found.healed = sum(found.causes.values()) - found.unexplained


def add_listings(found: ChannelSweep, rows: Iterable[ListingRow]) -> None:
    """The listings of the channel, in its own partition."""
    found.here = True
    for row in rows:
        found.listings += 1
        found.awaiting += row.asked == row.pver
        if not row.checked_at:
            found.unread += 1
        elif not found.oldest_at or row.checked_at < found.oldest_at:
            found.oldest, found.oldest_at = row.listing, row.checked_at


def merge(answers: Sequence[ReconciliationAnswer]) -> ReconciliationAnswer:
    """Several workers' answers as one; each owns other partitions."""
    joint = ReconciliationAnswer(
        ", ".join(one.worker for one in answers), max(one.at for one in answers), answers[0].of
    )
    channels: dict[str, ChannelSweep] = {}
    for answer in answers:
        joint.partitions += answer.partitions
        joint.differences += answer.differences
        for one in answer.channels:
            known = channels.setdefault(one.channel, ChannelSweep(one.channel))
            _add(known, one.checked, one.equal, one.unanswered, one.causes)
            known.since = min(known.since or one.since, one.since or known.since)
            known.last = max(known.last, one.last)
            if one.here:
                known.here, known.listings, known.awaiting, known.unread = True, one.listings, one.awaiting, one.unread
                known.oldest, known.oldest_at = one.oldest, one.oldest_at
    joint.channels = [channels[name] for name in sorted(channels)]
    return joint
