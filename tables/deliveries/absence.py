"""Goods outs that look-ups do not show although they were there: somebody deleted them in Clarus, or the look-up slipped (its pages are positional). Pure.

One look-up proves nothing. An order is taken for deleted once several of them did not show it, one soon after the other over the time in which Clarus may
be at work unseen. Look-ups that failed are none: where the warehouse did not answer for a while, the row of them starts anew.

A goods out that is not ours, or over for us, has no demand here: only a read waits for it, and nothing is lost where it shows again. For it an outage between
two look-ups does not matter.
"""

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from tables.deliveries.release_row import ReleaseRow

LOOKS: Final = 3
LONGEST_GAP: Final = 60_000
"""Milliseconds between two look-ups of one row of them: well above the longest wait between two (`look_wait`)."""


def is_over(row: "ReleaseRow", looked_at: int, create_unknown: int) -> bool:
    """A look-up that began then did not show it: does it count as deleted now?"""
    if not row.absent_from or looked_at > row.absent_at + LONGEST_GAP:
        row.absent_from, row.looks = looked_at, 1
    row.absent_at = looked_at
    return row.looks >= LOOKS and looked_at >= row.absent_from + create_unknown


class Unseen(msgspec.Struct, array_like=True, frozen=True):
    """A goods out that nobody here follows, not shown by so many look-ups in a row, of which the first began at `since`."""

    since: int
    looks: int = 1

    def again(self) -> "Unseen":
        """One more."""
        return Unseen(self.since, self.looks + 1)

    def is_over(self, looked_at: int, create_unknown: int) -> bool:
        """The last one began then: does it count as deleted now?"""
        return self.looks >= LOOKS and looked_at >= self.since + create_unknown
