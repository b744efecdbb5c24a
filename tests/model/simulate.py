"""`make simulate`: every variant over many seeds on all cores, as a table people can read; it ends non-zero with the command that replays each failing seed."""

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.model.removed import REMOVALS, without
from tests.model.run import command, judge
from tests.model.variants import BLOCK, VARIANTS, Promise

SHOWN = 10
"""Replay commands named at most."""

REMOVED_BLOCKS = 10
"""Blocks of seeds of each removed rule."""


@dataclass(frozen=True)
class Block:
    """Seeds that one process runs one after another, with all rules or without one (its number in the list)."""

    name: str
    first: int
    count: int
    removed: int | None = None


@dataclass
class Sums:
    """What the seeds of one row came to. `failed` holds the seeds that broke the variant's promise, and why."""

    seeds: int = 0
    oversold_seeds: int = 0
    oversold_units: int = 0
    unexcused_seeds: int = 0
    unexcused_units: int = 0
    not_converged: int = 0
    broken: int = 0
    writes: int = 0
    reads: int = 0
    cpu_s: float = 0.0
    failed: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Sums") -> None:
        """Both together."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def run_block(block: Block) -> tuple[Block, Sums]:
    """One block; a seed that ends in an exception has failed and hides no other."""
    sums, begun = Sums(seeds=block.count), time.process_time()
    promise = VARIANTS[block.name].promise
    with without(None if block.removed is None else REMOVALS[block.removed]):
        for seed in range(block.first, block.first + block.count):
            try:
                verdict = judge(block.name, seed)
            except Exception as broke:  # noqa: BLE001
                sums.broken += 1
                sums.failed.append((seed, f"{type(broke).__name__}: {broke}"))
                continue
            sums.oversold_seeds += verdict.oversold > 0
            sums.oversold_units += verdict.oversold
            sums.unexcused_seeds += verdict.unexcused > 0
            sums.unexcused_units += verdict.unexcused
            sums.not_converged += not verdict.converged
            sums.writes += verdict.writes
            sums.reads += verdict.reads
            if promise is Promise.NEVER_OVERSELLS and verdict.unexcused:
                sums.failed.append((seed, f"{verdict.unexcused} oversold"))
            elif promise is not Promise.NONE and not verdict.converged:
                sums.failed.append((seed, "not converged"))
    sums.cpu_s = time.process_time() - begun
    return block, sums


def blocks(scale: float, first: int, part: str) -> Iterator[Block]:
    """The work: every variant's blocks, `scale` times its weight, at least ten seeds."""
    for name, named in VARIANTS.items():
        seeds = max(10, round(named.weight * BLOCK * scale))
        if part in name:
            yield from _cut(name, first, seeds, None)


def removed_blocks(scale: float, first: int) -> Iterator[Block]:
    """Each rule taken out alone, and the variants they are shown with as they are."""
    seeds = max(10, round(REMOVED_BLOCKS * BLOCK * scale))
    for name in dict.fromkeys(removal.variant for removal in REMOVALS):
        yield from _cut(name, first, seeds, None)
    for number, removal in enumerate(REMOVALS):
        yield from _cut(removal.variant, first, seeds, number)


def _cut(name: str, first: int, seeds: int, removed: int | None) -> Iterator[Block]:
    for begin in range(0, seeds, BLOCK):
        yield Block(name, first + begin, min(BLOCK, seeds - begin), removed)


def run(console: Console, work: list[Block], jobs: int) -> dict[tuple[str, int | None], Sums]:
    """All blocks on `jobs` processes; rows in the order of the work."""
    found: dict[tuple[str, int | None], Sums] = {(b.name, b.removed): Sums() for b in work}
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
    with multiprocessing.Pool(jobs) as pool, bar:
        task = bar.add_task("seeds", total=sum(block.count for block in work))
        for block, sums in pool.imap_unordered(run_block, work):
            found[block.name, block.removed].add(sums)
            bar.update(task, advance=block.count)
    for row in found.values():
        row.failed.sort()
    return found


FIGURES = ["seeds", "oversold", "units", "unexcused", "unsettled", "writes", "reads", "ms"]
LEGEND = """oversold: seeds; units, unexcused: eaches of all seeds; unsettled: seeds; writes and reads of the storefronts, ms CPU: per seed.
Excused is what the warehouse shrank after it was sold, and what a storefront put back on sale although its goods had left."""


def _cells(row: Sums) -> list[str]:
    units = [row.seeds, row.oversold_seeds, row.oversold_units, row.unexcused_units, row.not_converged]
    each = [row.writes / row.seeds, row.reads / row.seeds, row.cpu_s * 1000 / row.seeds]
    return [f"{n:,}" for n in units] + [f"{x:.1f}" for x in each]


def _screen(title: str, first: Iterable[str], figures: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1))
    for column in first:
        table.add_column(column, min_width=19)
    for column in figures:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def show(console: Console, found: dict[tuple[str, int | None], Sums]) -> None:
    """A table for each promise: the strongest first."""
    for promise in Promise:
        rows = {name: sums for (name, _), sums in found.items() if VARIANTS[name].promise is promise}
        if not rows:
            continue
        table, together = _screen(f"Promise: {promise}", ["variant"], FIGURES), Sums()
        for name, sums in rows.items():
            table.add_row(name, *_cells(sums), end_section=name == list(rows)[-1])
            together.add(sums)
        table.add_row("together", *_cells(together))
        console.print(table)
    console.print(LEGEND, highlight=False)


def show_removed(console: Console, found: dict[tuple[str, int | None], Sums]) -> None:
    """Per rule taken out: in how many seeds that shows and the writes of a seed, beside the same seeds with every rule."""
    shown = ["seeds", "oversold", "with it", "unsettled", "errors", "writes", "with it"]
    table = _screen(
        "Each rule taken out alone: seeds oversold without an excuse, writes per seed", ["rule", "variant"], shown
    )
    for number, removal in enumerate(REMOVALS):
        row, whole = found[removal.variant, number], found[removal.variant, None]
        figures = [row.seeds, row.unexcused_seeds, whole.unexcused_seeds, row.not_converged, row.broken]
        writes = [f"{each.writes / each.seeds:.1f}" for each in (row, whole)]
        table.add_row(removal.name, removal.variant, *(f"{n:,}" for n in figures), *writes)
    console.print(table)


def failures(found: dict[tuple[str, int | None], Sums]) -> list[tuple[str, str]]:
    """Replay commands of what broke a promise while every rule was there, and why."""
    return [
        (command(name, seed), why)
        for (name, removed), sums in found.items()
        if removed is None
        for seed, why in sums.failed
    ]


def write(path: Path, found: dict[tuple[str, int | None], Sums]) -> None:
    """The same for machines."""
    rows = [
        {"variant": name, "promise": VARIANTS[name].promise, "removed": None if n is None else REMOVALS[n].name}
        | asdict(sums)
        for (name, n), sums in found.items()
    ]
    failed = [{"replay": replay, "why": why} for replay, why in failures(found)]
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"rows": rows, "failed": failed})) + b"\n")


@click.command(
    epilog="Examples:  make simulate  |  make simulate FIRST=700000 SCALE=5  |  make simulate ONLY=escrow JSON=found.json  |  make simulate REMOVED=1"
)
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed of every variant.")
@click.option("--scale", type=click.FloatRange(0.001), default=1.0, show_default=True, help="So many times the seeds.")
@click.option("--only", default="", help="Only variants with this in their name.")
@click.option("--removed", is_flag=True, help="Take each rule out alone instead, and show what then goes wrong.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes.")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this file.")
def main(first: int, scale: float, only: str, removed: bool, jobs: int, path: Path | None) -> None:
    """Run the ledger and delivery against simulated storefronts, warehouse, buyers and faults, by seed."""
    if removed and only:
        raise click.UsageError("--only chooses variants; the rules to take out have theirs: leave one of both away")
    work = list(removed_blocks(scale, first) if removed else blocks(scale, first, only))
    if not work:
        raise click.UsageError(f"no variant has {only!r} in its name; there are {', '.join(VARIANTS)}")
    console = Console()
    begun = time.monotonic()
    found = run(console, work, jobs)
    (show_removed if removed else show)(console, found)
    last = first + max(block.first - first + block.count for block in work) - 1
    spent = f"{sum(row.cpu_s for row in found.values()):.0f} s CPU, {time.monotonic() - begun:.0f} s"
    console.print(f"seeds from {first} to at most {last}, {spent} on {jobs} processes", highlight=False)
    if path is not None:
        write(path, found)
    broken = failures(found)
    if broken:
        console.print(f"[red]{len(broken)} seeds broke their promise.[/] Replay, event by event:")
        for replay, why in broken[:SHOWN]:
            console.print(f"  {replay}  ({why})", highlight=False, soft_wrap=True, markup=False)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
