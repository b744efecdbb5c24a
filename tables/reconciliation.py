"""What read-backs found: counts by result, and single differences with their cause. Rows and the rules that change them; pure.

Counts lie by channel in the partition where a judgement is made (the SKU's) or a read is asked for (the channel's): the sum over all partitions is the
channel's. Every judged read-back counts once: `checked` is `equal` and all causes together. A difference is one row for each listing and kind; it stays
when it is over.
"""

from typing import Final, Literal

import msgspec

Cause = Literal["equal", "write", "baseline", "unseen_order", "restock", "shadow", "raised", "lowered"]
Result = Literal["equal", "healed", "unexplained"]

UNEXPLAINED: Final = ("raised", "lowered")
"""More or less on offer than our writes and the orders explain: by hand, or by another program; nothing tells the two apart."""

REMEDIES: Final = {
    "raised": "ask who edits this quantity, or which other program writes it; the figure is put right already",
    "lowered": "ask who edits this quantity, or which other program writes it; the figure is put right already",
    "unseen_order": "nothing, the order is counted now; if it happens often raise settings.bounds.consistency_margin",
    "restock": "turn the storefront's own restocking off: returned units may be gone or not sellable",
    "catalogue": "put it right at the storefront or the warehouse, or take the listing out of the products",
    "setting": "change the setting at the peer",
}


class SweepRow(msgspec.Struct, array_like=True):
    """Counts of one channel in one partition. `since`: time of the first of them."""

    checked: int = 0
    equal: int = 0
    causes: dict[str, int] = {}
    unanswered: int = 0
    since: int = 0
    last: int = 0


class DifferenceRow(msgspec.Struct, array_like=True):
    """A difference at one entity (a listing, a SKU, a setting). `units`: of drift; `over_at` 0: it is open."""

    channel: str
    kind: str  # drift, catalogue, setting
    entity: str
    cause: str
    detail: str
    units: int = 0
    first_seen: int = 0
    last_seen: int = 0
    over_at: int = 0

    @property
    def key(self) -> str:
        """Key of the row."""
        return key(self.channel, self.kind, self.entity)


def key(channel: str, kind: str, entity: str) -> str:
    """Key of a difference's row."""
    return f"{channel}/{kind}/{entity}"


def result_of(cause: Cause) -> Result:
    """How a judged read-back is summed up; healed and unexplained ones are both corrected."""
    if cause == "equal":
        return "equal"
    return "unexplained" if cause in UNEXPLAINED else "healed"


def count(row: SweepRow, cause: Cause, at: int) -> None:
    """One judged read-back of that time."""
    row.checked += 1
    row.since, row.last = row.since or at, max(row.last, at)
    if cause == "equal":
        row.equal += 1
    else:
        row.causes[cause] = row.causes.get(cause, 0) + 1


def recount(row: SweepRow, before: str, cause: Cause) -> None:
    """The cause of one that was counted before is known now."""
    row.causes[before] = row.causes.get(before, 0) - 1
    if not row.causes[before]:
        del row.causes[before]
    row.causes[cause] = row.causes.get(cause, 0) + 1


def seen(
    known: DifferenceRow | None, channel: str, kind: str, entity: str, cause: str, detail: str, at: int, units: int = 0
) -> DifferenceRow:
    """The difference is there, again or for the first time since it was over."""
    first = known.first_seen if known is not None and not known.over_at else at
    return DifferenceRow(channel, kind, entity, cause, detail, units, first, at)
