"""Folds one partition again, as the AVAILABILITY agent does, and compares: rows with those the workers have, figures with those they sent.

The rules are the worker's own (`tables.stock`), and so are keys and encoding of the rows; here is only where records come from and what is compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.engine.store import StoreSet
from app.replay.points import Points, Sent
from app.replay.read import Reader, Told
from app.replay.report import SHOWN, PartitionReport
from app.replay.scratch import STOCK, WATERMARKS, ScratchRows, both, rows_of
from schemas.catalogue import INVENTORY_EVENTS
from schemas.codec import Codecs, UndecodableRecord
from tables.replay.compare import differences
from tables.replay.figures import Point, deviations
from tables.stock import fold
from tables.stock.publish import publish
from tables.stock.rows import Rules


@dataclass(frozen=True, slots=True)
class Range:
    """What is asked for: one SKU or all (empty), figures judged from `begin` on, folding up to `end`; None: from the first, to the workers' position."""

    sku: str = ""
    begin: tuple[str, int] | None = None
    end: tuple[str, int] | None = None
    kept: bool = False  # the folded rows are kept as a base, so every SKU is folded

    def offset(self, bound: tuple[str, int] | None, reader: Reader, partition: int, default: int) -> int:
        """A bound as an input offset."""
        if bound is None:
            return default
        kind, value = bound
        return min(value, reader.ends(reader.events, partition)[1]) if kind == "offset" else reader.at(partition, value)


class PartitionReplay:
    """One partition of `inventory.events`. It keeps two stores of `stores`: what was folded stays there for the next time, what workers have does not."""

    def __init__(
        self, rules: Rules, codecs: Codecs, reader: Reader, points: Points, partition: int, stores: StoreSet, told: Told
    ) -> None:
        self._rules, self._codec, self._reader, self._points = rules, codecs[INVENTORY_EVENTS], reader, points
        self._partition, self._told, self._stores = partition, told, stores
        self.store, self._live = stores.get(2 * partition), stores.get(2 * partition + 1)
        self._live.wipe()
        self.rows = ScratchRows(self.store, reader.place, partition)
        self._pending: dict[str, str] = {}
        self._first, self._span, self._gone = 0, (0, 0), False
        self._notes: list[str] = []

    def look(self, asked: Range) -> None:
        """Read what the workers have. Before `Points.collect`, or what they sent up to then would not be known."""
        self._first, _ = self._reader.ends(self._reader.events, self._partition)
        if not self.rows.empty and self.rows.position < self._first:
            self._notes.append(
                f"the base kept at offset {self.rows.position} is older than what the topic still has; a new one is taken"
            )
            self.rows.forget()
        self._gone = self.rows.empty and self._first > 0
        if self._gone or asked.end is None:
            self._span = self._reader.live(self._partition, self._live, self._told, at_rest=self._gone)
            self._stores.rest(2 * self._partition + 1)

    @property
    def length(self) -> int:
        """Input offsets to fold, where the workers' position is the end."""
        return 0 if self._gone else max(0, self._span[0] - max(0, self.rows.position))

    def run(self, asked: Range) -> PartitionReport:
        """Fold and compare."""
        report = PartitionReport(self._partition, first=self._first, notes=self._notes)
        before, after = self._span
        if self._gone:
            return self._adopt(report, before, kept=asked.kept)
        report.base = "beginning" if self.rows.empty else "kept"
        if self.rows.empty:
            self.rows.position = 0
        report.begins = self.rows.position
        end = asked.offset(asked.end, self._reader, self._partition, before)
        if not end and asked.end is None:
            report.notes.append("the workers have folded nothing of it yet")
        judged_from = asked.offset(asked.begin, self._reader, self._partition, report.begins)
        sent = self._points.of(self._partition)
        due = self._fold(report, asked, end, judged_from, sent, next(sent, None))
        if asked.end is None:
            changed = self.rows.follow()
            self._fold(PartitionReport(self._partition), asked, after, after, sent, due)
            self.rows.settle(after, now=True)
            self._compare(report, asked.sku, changed)
        else:
            self.rows.settle(end, now=True)
        report.ends = end
        self._done()
        return report

    def _done(self) -> None:
        self._live.wipe()
        for store in (0, 1):
            self._stores.rest(2 * self._partition + store)

    def _adopt(self, report: PartitionReport, at: int, *, kept: bool) -> PartitionReport:
        """The topic's first records are gone: rows cannot be made from nothing. The workers' rows are the base of the next replay."""
        report.base, report.begins, report.ends = "adopted" if kept else "gone", at, at
        count = self.rows.adopt(rows_of(self._live), at)
        report.notes.append(
            f"the topic begins at offset {report.first}, its first records are gone: rows cannot be made from nothing. "
            + (
                f"{count} rows of the workers were taken as base; run the same command later: it folds what came since, and compares"
                if kept
                else "Take a base with --base FOLDER, and run that again later: it folds what came since, and compares"
            )
        )
        self._done()
        return report

    # ---- folding ----

    def _fold(
        self,
        report: PartitionReport,
        asked: Range,
        end: int,
        judged_from: int,
        sent: Iterator[tuple[int, Sent]],
        due: tuple[int, Sent] | None,
    ) -> tuple[int, Sent] | None:
        """Up to `end`, publishing where the workers did, and at the end what is left: the end is where a worker's commit ended. The next place."""
        wanted = b"" if asked.kept else asked.sku.encode()
        while due is not None and due[0] < self.rows.position:
            due = next(sent, None)
        for message in self._reader.records(self._reader.events, self._partition, self.rows.position, end, self._told):
            offset = message.offset()
            if not wanted or message.key() == wanted or message.key().startswith(b"watermark/"):
                report.records += 1
                try:
                    self._apply(self._codec.decode(message.value()))
                except UndecodableRecord:
                    report.unreadable += 1
            while due is not None and due[0] <= offset:
                if due[1].sku.encode() == wanted or not wanted:
                    judged = due[0] >= judged_from and asked.sku in ("", due[1].sku)
                    self._publish(report, *due, judged=judged)
                due = next(sent, None)
            self.rows.settle(offset + 1)
        for left, cause in self._pending.items():
            if not wanted or left.encode() == wanted:
                publish(self.rows.state, self._rules, left, cause)
        self._pending.clear()
        self.rows.settle(max(end, self.rows.position))
        return due

    def _apply(self, event: Any) -> None:
        self._pending.update(fold.apply(self.rows.state, self._rules, event.body, event.occurred_at).touched)

    def _publish(self, report: PartitionReport, offset: int, sent: Sent, *, judged: bool) -> None:
        cause = self._pending.pop(sent.sku, "")
        publish(self.rows.state, self._rules, sent.sku, cause)
        if not judged:
            return
        wrong = deviations(Point(self._partition, offset, sent.sku), sent.figures, self.rows.state.sku(sent.sku))
        report.judged += len(sent.figures)
        report.deviating += len(wrong)
        report.deviations += wrong[: SHOWN - len(report.deviations)]

    # ---- comparing ----

    def _compare(self, report: PartitionReport, sku: str, changed: set[bytes]) -> None:
        for table, key, mine, theirs in both(self.store, self._live):
            if sku and not _of_sku(table.name, key, sku):
                continue
            if table.key(key) in changed:
                report.moved += 1
                continue
            report.compared += 1
            if mine == theirs:
                report.equal += 1
                continue
            replayed, live = (None if value is None else table.decode(value) for value in (mine, theirs))
            found = differences(table.name, key, replayed, live)
            if all(one.numbering for one in found):
                report.equal += 1
                report.numbering += bool(found)
                continue
            report.different_rows += 1
            report.differences += found[: SHOWN - len(report.differences)]


def _of_sku(table: str, key: str, sku: str) -> bool:
    if table == STOCK.name:
        return key == sku
    if table == WATERMARKS.name:
        return key.startswith("wait/") and key.split("/", 2)[2] == sku
    return key.startswith(f"{sku}/")
