"""The commands `drill` and `demo`: options, exit status, what is printed. The drill itself is `app.drill.run`."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import click

from app.broker import BundledBroker
from app.drill import demo as demonstration
from app.drill.display import Quiet, Screen, show_outcome
from app.drill.hold import HOLD_SECONDS, can_hold, until_enter
from app.drill.processes import ProcessFailed
from app.drill.product import Broker, ForeignBroker
from app.drill.read import Drill, read_drill
from app.drill.report import FAILED, Outcome
from app.drill.run import DrillRun
from app.drill.schema import drill_schema
from app.drill.simulators import RealPeers
from app.errors import Problem
from app.screen import screen

_DRILL_HELP = """\b
Examples:
  clarus-stream drill tests/scenarios/stock-moves.yaml
  clarus-stream drill sale.yaml --json report.json --quiet
  clarus-stream drill sale.yaml --broker localhost:9092     on a real Kafka, own topics with a random prefix
  clarus-stream drill --schema > drill.schema.json          the format, for your editor
\b
Exit status: 0 all checks hold; 2 the file is wrong; 3 not settled in time; 1 a check or a step failed.
"""


_report = click.option(
    "--json", "report", type=click.Path(path_type=Path, dir_okay=False), help="Write the report there (- prints it)."
)
_broker = click.option(
    "--broker", metavar="HOST:PORT", help="A running Kafka, plaintext; default: the bundled broker, in memory."
)
_quiet = click.option("--quiet", is_flag=True, help="Print nothing but faults.")


class Stopped(Exception):
    """Somebody asked the drill to end; `status` is the exit status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("stopped; everything the drill started has been ended")


@click.command(epilog=_DRILL_HELP)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_report
@_broker
@_quiet
@click.option(
    "--logs", type=click.Path(path_type=Path, file_okay=False), help="Keep the logs of all processes in this folder."
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the file and end.")
def drill(
    file: Path | None, report: Path | None, broker: str | None, quiet: bool, logs: Path | None, schema: bool
) -> None:
    """Run a scenario file: the whole product against simulated storefronts and a simulated warehouse, then check every figure and order."""
    if schema:
        click.echo(json.dumps(drill_schema(), indent=2))
        return
    if file is None:
        raise click.UsageError("which file? (clarus-stream drill --help shows examples)")
    _check_report(report)
    _finish(_run(read_drill(file), report, broker, quiet, _no_hints, logs))


@click.command()
@_report
@_broker
@_quiet
@click.option(
    "--hold/--no-hold",
    default=None,
    help=f"Let it run on afterwards, at most {HOLD_SECONDS / 60:.0f} minutes, to ask it; default: in a terminal.",
)
def demo(report: Path | None, broker: str | None, quiet: bool, hold: bool | None) -> None:
    """A sale of about a minute on two simulated storefronts with one simulated warehouse behind them, through the real pipeline.

    \b
    Example:
      clarus-stream demo
    """
    _check_report(report)
    held = (hold or (hold is None and not quiet)) and can_hold()
    if hold and not held:
        raise Problem("--hold needs a terminal: there is nobody here to ask it or to end it", 2)
    _finish(_run(demonstration.demo_drill(), report, broker, quiet, demonstration.hints, hold=held))


def _check_report(report: Path | None) -> None:
    if report is not None and str(report) != "-" and not report.absolute().parent.is_dir():
        raise Problem(
            f"{report}: there is no folder {report.absolute().parent}; allowed: a file in a folder that exists", 2
        )


def _no_hints(outcome: Outcome, held: Path | None) -> list[str]:
    return []


def _run(
    drill: Drill,
    report: Path | None,
    broker: str | None,
    quiet: bool,
    hints: Callable[[Outcome, Path | None], list[str]],
    logs: Path | None = None,
    hold: bool = False,
) -> Outcome:
    to_screen = report is not None and str(report) == "-"
    console = screen(stderr=to_screen)

    async def show_and_hold(outcome: Outcome, configuration: Path) -> None:
        show_outcome(console, outcome, hints(outcome, configuration))
        console.print("\nPress Enter to end it.", style="bold")
        await until_enter()

    chosen: Broker = ForeignBroker(broker) if broker else BundledBroker()
    run = DrillRun(
        drill.file,
        drill.raw,
        RealPeers(),
        chosen,
        Quiet() if quiet else Screen(console),
        foreign=broker is not None,
        logs=logs,
        after=show_and_hold if hold else None,
    )
    try:
        outcome = asyncio.run(_interruptible(run))
    except ProcessFailed as failed:
        raise Problem(str(failed).splitlines(), FAILED) from failed
    except Stopped as stopped:
        raise Problem(str(stopped), stopped.status) from None
    if not quiet and not hold:
        show_outcome(console, outcome, hints(outcome, None))
    elif not hold and not outcome.ok:
        show_outcome(screen(stderr=True), outcome, [])
    if run.kept_logs and outcome.failures:
        click.echo(run.kept_logs, err=True)
    text = json.dumps(outcome.as_dict(), indent=2, ensure_ascii=False)
    if to_screen:
        click.echo(text)
    elif report is not None:
        report.write_text(text + "\n", encoding="utf-8")
    return outcome


def _finish(outcome: Outcome) -> None:
    if outcome.status:
        raise SystemExit(outcome.status)


async def _interruptible(run: DrillRun) -> Outcome:
    """Ctrl-C and SIGTERM cancel the drill, whose own clean-up then ends what it started."""
    loop, work = asyncio.get_running_loop(), asyncio.ensure_future(run.run())
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await work
    except asyncio.CancelledError:
        raise Stopped(128 + (caught[0] if caught else signal.SIGINT)) from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
