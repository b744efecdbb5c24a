"""The durable row of one SKU's reads at the warehouse, and what a joint read means for the ledger (ledger.md R1). Pure.

The reader keeps what it last told of each line and tells differences. Who reads, when and how fast is the business of `app/delivery`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.records import ReflectedLine, StockLevel
from tables.deliveries.absence import Unseen

CHUNK: Final = 500
"""Lines in one `StockLevel` record."""

NOTHING_OUT: Final = frozenset({"DRAFT", "PENDING"})
OVER: Final = frozenset({"COMPLETED", "CANCELLED"})


class SeenLine(msgspec.Struct, array_like=True, frozen=True):
    """What was last told of one order's line: eaches out of `available`, and the warehouse."""

    out: int
    warehouse: str
    closed: bool = False


class ReadRow(msgspec.Struct, array_like=True):
    """One SKU at the warehouse. It is dirty while `done` is behind `wanted`."""

    sku: str
    wanted: int = 0
    done: int = 0
    read_no: int = 0
    lines: dict[str, SeenLine] = {}
    read_at: int = 0
    asked_at: int = 0  # when what asked for the read that is due occurred, 0 for a sweep
    unseen: dict[str, Unseen] = {}  # goods outs of absent lines that nobody here follows, and look-ups do not show

    @property
    def dirty(self) -> bool:
        """Something asked for a read that has not been made."""
        return self.done < self.wanted


@dataclass(frozen=True, slots=True)
class Joint:
    """Lines, balances, lines of one SKU, as the warehouse's connector read them."""

    sku: str
    balances: Mapping[str, int]
    held: Mapping[str, int]
    lines: Mapping[str, SeenLine]
    moved: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One goods out with the reference that was looked up, as far as this SKU is concerned."""

    status: str
    out: int
    warehouse: str


def want(row: ReadRow, occurred_at: int = 0) -> None:
    """Mark the SKU dirty because of what occurred then (milliseconds; 0 where nothing is known to have)."""
    row.wanted += 1
    if occurred_at:
        row.asked_at = min(row.asked_at or occurred_at, occurred_at)


def expect(row: ReadRow, reference: str) -> None:
    """A goods out of ours went past PENDING. Its line may have come and gone between two reads, so the next one must see it or have it looked up."""
    row.lines.setdefault(reference, SeenLine(0, ""))


def absent(row: ReadRow, lines: Collection[str]) -> list[str]:
    """References whose lines were seen before or are expected and are not among the open ones now (`lines`): each must be looked up before a read is told."""
    return sorted(ref for ref, line in row.lines.items() if ref not in lines and not line.closed)


def vanished(
    row: ReadRow, lines: Collection[str], foreign: Collection[str], began: int, create_unknown: int
) -> list[str]:
    """Goods outs that count as deleted now. `foreign` are those that nobody here follows and that the look-up of a read that began at `began` did not show."""
    unseen = {ref: row.unseen[ref].again() if ref in row.unseen else Unseen(began) for ref in foreign}
    row.unseen = {ref: unseen[ref] for ref in absent(row, lines) if ref in unseen}
    return [ref for ref, one in row.unseen.items() if one.is_over(began, create_unknown)]


def tell(
    row: ReadRow,
    joint: Joint,
    found: Mapping[str, Sequence[Found]],
    deleted: Collection[str],
    began: int,
    *,
    clean: bool,
) -> list[StockLevel]:
    """Fold a joint read that began at `began` (our milliseconds) into the row and return what the ledger is told, in chunks.

    `found` answers the look-ups of `absent`; `deleted` are those of them for which we asked Clarus to delete a PENDING order, and those that count as deleted.
    `clean`: nothing asked for another read since this one began. The row stays dirty where lines moved all the time or an absent line could not be explained.

    `read_no` is at least the time of the read, so that a row that was lost does not start below its past. Its first read is `whole`: it names every line that
    is out, for the ledger may know of some that went back while nobody remembered them.
    """
    whole = not row.read_no
    changes = {ref: line for ref, line in joint.lines.items() if row.lines.get(ref) != line}
    kept = dict(joint.lines)
    explained = True
    for ref in absent(row, joint.lines):
        fate = _fate(row.lines[ref], found.get(ref), ref in deleted)
        if fate is None:
            kept[ref], explained = row.lines[ref], False
        else:
            changes[ref] = fate
            explained = explained and not any(_open(one.status) for one in found.get(ref, ()))
    row.lines, row.read_at = kept, began
    row.read_no = max(row.read_no + 1, began)
    if clean and explained and not joint.moved:
        row.done = row.wanted
    elif not row.dirty:
        row.wanted += 1
    row.asked_at = began if row.dirty else 0
    return _chunks(row, joint, changes, whole)


def _open(status: str) -> bool:
    return status not in NOTHING_OUT and status not in OVER


def _fate(last: SeenLine, found: Sequence[Found] | None, deleted: bool) -> SeenLine | None:
    """What became of a line that is no longer in an open status; None where it cannot be told yet.

    A line that is open again now was not while the balances were read: nothing of it was out then.
    """
    if not found:
        return SeenLine(0, last.warehouse, True) if deleted and found is not None else None
    warehouse = found[0].warehouse or last.warehouse
    if all(one.status in OVER for one in found):
        return SeenLine(sum(one.out for one in found), warehouse, True)
    return SeenLine(sum(one.out for one in found if one.status in OVER), warehouse)


def _chunks(row: ReadRow, joint: Joint, changes: Mapping[str, SeenLine], whole: bool) -> list[StockLevel]:
    lines = [
        ReflectedLine(reference=ref, out=line.out, closed=line.closed, warehouse=line.warehouse or None)
        for ref, line in sorted(changes.items())
    ]
    parts = [lines[at : at + CHUNK] for at in range(0, len(lines), CHUNK)] or [[]]
    return [
        StockLevel(
            sku=row.sku,
            read_no=row.read_no,
            chunk=number,
            chunks=len(parts),
            balances=dict(joint.balances) if number == len(parts) - 1 else {},
            held=dict(joint.held) if number == len(parts) - 1 else {},
            lines=part,
            read_at=row.read_at,
            whole=whole,
        )
        for number, part in enumerate(parts)
    ]
