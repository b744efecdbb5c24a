"""A replay's report for people. It judges nothing."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.replay.report import PartitionReport, Report

_ROWS = 40
_STYLES = {True: "green", False: "bold red"}


def show(console: Console, report: Report) -> None:
    """What was folded, what differs, and what it means."""
    console.print(_partitions(report))
    for one in report.partitions:
        for note in [*one.notes, *_notes(one)]:
            console.print(Text(f"partition {one.partition}: {note}", style="yellow"))
    _differences(console, report)
    _deviations(console, report)
    if report.what_if:
        _changes(console, report)
    console.print(Text(verdict(report), style=_STYLES[report.ok]))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _partitions(report: Report) -> Table:
    table = _table(
        "partition",
        "from",
        "folded offsets",
        "events",
        "rows compared",
        "equal",
        "different",
        "in motion",
        "figures sent",
        "deviating",
    )
    for one in report.partitions:
        figures = [str(x) for x in (one.compared, one.equal, one.different_rows, one.moved)]
        if not report.compared_with_live:
            figures = ["-"] * 4
        span = f"{one.begins}..{one.ends}"
        table.add_row(
            str(one.partition), one.base, span, str(one.records), *figures, str(one.judged), str(one.deviating)
        )
    return table


def _notes(one: PartitionReport) -> list[str]:
    notes = []
    if one.numbering:
        notes.append(
            f"in {one.numbering} rows only numbers of commands differ: places where a worker sent them are compacted away"
        )
    if one.unreadable:
        notes.append(f"{one.unreadable} records cannot be read; a worker sets such aside too (dead letters)")
    return notes


def _differences(console: Console, report: Report) -> None:
    found = [one for part in report.partitions for one in part.differences if not one.numbering]
    if not found:
        return
    console.print(Text("Rows that differ", style="bold cyan"))
    table = _table("table", "row", "field", "replayed", "live")
    for one in found[:_ROWS]:
        table.add_row(one.table, one.key, one.field, _text(one.replayed), _text(one.live))
    console.print(table)
    if len(found) > _ROWS:
        console.print(f"  and {len(found) - _ROWS} more fields (--json shows the first of each partition)")


def _deviations(console: Console, report: Report) -> None:
    found = [one for part in report.partitions for one in part.deviations]
    if not found:
        return
    console.print(
        Text("Figures that were sent and do not follow (listing units; the first is where to look)", style="bold cyan")
    )
    table = _table("event", "SKU", "listing", "figure", "replayed", "sent")
    for one in found[:_ROWS]:
        place = f"inventory.events:{one.partition}:{one.offset}"
        table.add_row(place, one.sku, one.listing, one.kind, _text(one.replayed), _text(one.sent))
    console.print(table)


def _changes(console: Console, report: Report) -> None:
    found = [one for part in report.partitions for one in part.changed]
    count = sum(part.changes for part in report.partitions)
    console.print(
        Text(f"Under the other configuration {count} listings would be offered other figures", style="bold cyan")
    )
    table = _table("SKU", "listing", "available", "gross inc", "gross dec")
    for one in found[:_ROWS]:
        pairs = ((one.available, one.available_then), (one.inc, one.inc_then), (one.dec, one.dec_then))
        table.add_row(one.sku, one.listing, *(f"{a} → {b}" if a != b else str(a) for a, b in pairs))
    if found:
        console.print(table)
    if count > min(len(found), _ROWS):
        console.print(f"  and {count - min(len(found), _ROWS)} more")


def _text(value: object) -> str:
    return "no such row" if value is None else str(value)


def verdict(report: Report) -> str:
    """One sentence."""
    rows = sum(one.different_rows for one in report.partitions)
    figures = sum(one.deviating for one in report.partitions)
    if rows or figures:
        return (
            f"{rows} rows and {figures} sent figures are not what the rules of this version and this configuration give. A configuration or "
            "version that changed inside the range explains it; otherwise keep this report and open an issue"
        )
    unfolded = sum(one.base in ("adopted", "gone") for one in report.partitions)
    if unfolded:
        return f"nothing differs, but {unfolded} of {len(report.partitions)} partitions could not be folded yet: see the notes"
    judged = any(one.judged for one in report.partitions)
    if not report.compared_with_live:
        return (
            "every figure that was sent in the range follows from its events"
            if judged
            else "no figure was sent in the range, so nothing was judged"
        )
    if not judged and not any(one.compared for one in report.partitions):
        return "the workers have no rows here and sent no figure in the range: there is nothing to compare"
    sent = "every figure that was sent follows from them" if judged else "no figure was sent in the range"
    return f"every row is what the rules make of the events, and {sent}"
