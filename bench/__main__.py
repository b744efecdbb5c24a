"""`python -m bench`: runs benchmark programs one after another and keeps their reports. One at a time, with nothing else running on the machine."""

import datetime
import importlib
import shlex
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Screen

from bench import pages
from bench.harness import Kept, Options, Report, machine

PROGRAMS: list[str] = [
    "engine",
    "engine_latency",
    "ledger",
    "restore",
    "rebalance",
    "ingress",
    "stock_latency",
    "order_to_command",
    "order_flow",
    "order_alone",
    "open_orders",
    "flash_sale",
    "kills",
    "effect_kills",
]
"""In the order they run."""


@click.command(
    epilog="Examples:  python -m bench  |  python -m bench engine ledger --rounds 5  |  python -m bench engine --quick"
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--rounds", default=5, show_default=True, help="Interleaved rounds.")
@click.option("--quick", is_flag=True, help="A tenth of the work and two rounds; nothing is kept.")
@click.option("--pages", "only_pages", is_flag=True, help="Run nothing: write docs/benchmarks.md from what is kept.")
@click.option("--list", "only_list", is_flag=True, help="Name the programs.")
def main(names: tuple[str, ...], rounds: int, quick: bool, only_pages: bool, only_list: bool) -> None:
    """Run benchmark programs (all, or those named) and write docs/benchmarks.md."""
    unknown = sorted(set(names) - set(PROGRAMS))
    if unknown:
        raise click.UsageError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    console = Console()
    if only_list:
        for name in PROGRAMS:
            console.print(f"{name}: {importlib.import_module(f'bench.{name}').TITLE}", highlight=False)
        return
    if only_pages:
        pages.write(*pages.kept())
        return
    missed = [name for name in names or PROGRAMS if not _run(console, name, 2 if quick else rounds, quick)]
    if missed:
        console.print(f"not every figure was reached: {', '.join(missed)}")


def _run(console: Console, name: str, rounds: int, quick: bool) -> bool:
    """One program. Whether it reached all it must."""
    program = importlib.import_module(f"bench.{name}")
    console.rule(f"{name}: {program.TITLE}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        report: Report = program.run(Options(rounds, quick, Path(folder)))
    _show(console, report)
    if not quick:
        command = f"make bench NAMES={shlex.quote(name)}" + (f" ROUNDS={rounds}" if rounds != 5 else "")
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        pages.keep(Kept(name, program.TITLE, today, machine(), command, report))
    return all(target.reached is not False for target in report.targets)


def _show(console: Console, report: Report) -> None:
    for table in report.tables:
        screen = Screen(*table.columns, title=table.title, title_justify="left")
        for row in table.rows:
            screen.add_row(*row)
        console.print(screen)
    for target in report.targets:
        mark = {True: "[green]reached[/]", False: "[red]not reached[/]", None: "measured"}[target.reached]
        console.print(f"{target.what}: {target.measured} (must reach: {target.must}) {mark}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
