"""Mappings and changes of them for people and for programs. It judges nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.mappings.whatif import Trial
from app.why.show import moment
from tables.mappings.book import Entry
from tables.mappings.changes import Change
from tables.mappings.kinds import MappingRecord

ROWS: Final = 60
_STYLES: Final = {"new": "green", "changed": "yellow", "removed": "red"}


def plain(record: MappingRecord | None) -> dict[str, Any] | None:
    """For JSON."""
    return None if record is None else msgspec.to_builtins(record)


def words(record: MappingRecord | None) -> str:
    """What a record says beside its key."""
    if record is None:
        return "-"
    said = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in record.identity or value == "":
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{eaches} x {code}" for code, eaches in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        said.append(f"{name} {value}")
    return "; ".join(said)


def change_rows(found: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes for JSON."""
    return [
        {
            "what": one.what,
            "kind": one.key[0],
            "key": one.key[1],
            "before": plain(one.before),
            "after": plain(one.after),
        }
        for one in found
    ]


def show_changes(console: Console, found: Sequence[Change]) -> None:
    """A table of what differs from what is in force."""
    if not found:
        console.print("nothing differs from what is in force")
        return
    table = Table("", "kind", "key", "in force", "then", box=box.SIMPLE, pad_edge=False)
    for one in found[:ROWS]:
        then = "what the configuration says" if one.after is None else words(one.after)
        table.add_row(Text(one.what, _STYLES[one.what]), one.key[0], one.key[1], words(one.before), then)
    console.print(table)
    if len(found) > ROWS:
        console.print(f"and {len(found) - ROWS} more (--json shows all)")
    counts = {what: sum(one.what == what for one in found) for what in _STYLES}
    console.print(", ".join(f"{count} {what}" for what, count in counts.items() if count))


def show_entries(console: Console, entries: Iterable[Entry]) -> None:
    """A table of what is in force, with where each record comes from."""
    table = Table("kind", "key", "says", "from", "why", box=box.SIMPLE, pad_edge=False)
    listed = list(entries)
    for one in listed[:ROWS]:
        origin = "configuration"
        if one.version:
            origin = f"import {one.version}, {one.actor}, {moment(one.at)}"
        table.add_row(one.record.kind, one.record.key, words(one.record), origin, one.reason)
    console.print(table)
    if len(listed) > ROWS:
        console.print(f"and {len(listed) - ROWS} more: choose with --kind or --channel, or --json has all")


def show_trial(console: Console, found: Trial) -> None:
    """Orders that would become something else."""
    seen = found.seen
    if found.changed:
        table = Table("order", "would become", "", box=box.SIMPLE, pad_edge=False)
        for one in found.changed[:ROWS]:
            note = "at the warehouse already: only later orders like it" if one.at_warehouse else ""
            table.add_row(one.order, "; ".join(one.what), note)
        console.print(table)
    if len(found.changed) > ROWS:
        console.print(f"and {len(found.changed) - ROWS} more (--json shows all)")
    waiting = sum(not one.at_warehouse for one in found.changed)
    console.print(
        f"{len(found.changed)} of {len(seen.orders)} orders of the last {seen.events} events would become something else, "
        f"{waiting} of them not at the warehouse yet. Nothing was written"
    )
    if not seen.whole:
        console.print("not all events could be read in time: ask for fewer with --last", style="yellow")
