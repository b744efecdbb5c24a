"""The durable row of a channel's polls: from where the next one starts, and up to which time every order is known (the watermark). Pure.

Times are the peer's milliseconds. A poll is either *whole* (with the configured overlap) or *short*: made because something waits for the watermark, with
no more overlap than the peer's consistency margin asks for.
"""

import msgspec


class PollRow(msgspec.Struct, array_like=True):
    """Where a channel's polls stand; `feed` is the warehouse's cursor."""

    channel: str
    started_at: int = 0  # of the last complete poll
    whole_at: int = 0  # of the last complete whole poll
    watermark: int = 0
    feed: str = ""


def since(row: PollRow, now: int, *, whole: bool, overlap: int, margin: int, resolution: int, first: int = 0) -> int:
    """The time from which on changed orders are asked for. A channel's first poll is whole and starts at `first`; without one, one overlap before `now`."""
    if not row.started_at and first:
        return min(first, now)
    if whole or not row.started_at:
        return (row.whole_at or row.started_at or now) - overlap
    return min(row.started_at, row.watermark) - margin - resolution


def whole_needed(row: PollRow) -> bool:
    """A channel that was never polled has nothing a short poll could start from."""
    return not row.started_at


def completed(row: PollRow, started_at: int, *, whole: bool, margin: int) -> int:
    """A poll that began at `started_at` is complete and folded; returns the watermark, which never falls."""
    row.started_at = max(row.started_at, started_at)
    if whole:
        row.whole_at = max(row.whole_at, started_at)
    row.watermark = max(row.watermark, started_at - margin)
    return row.watermark
