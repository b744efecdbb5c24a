"""The commands `shadow`, `go-live` and `go-shadow`: what is printed and asked before anything changes. What going live means is decided by the workers."""

import csv
import json
import os
from pathlib import Path

import click
import msgspec
from rich import box
from rich.table import Table

from app.cli import actor_option, config_option, json_option, workers_option
from app.config import load
from app.connectors import CLARUS
from app.errors import Problem
from app.operations import send, this_user
from app.screen import screen
from app.settings import Settings
from app.shadow.ask import ask, reasons
from app.why.ask import default_worker
from app.why.show import moment
from schemas.records import OperatorCommand
from tables.explain.shadow import Compared, ShadowAnswer, Summary, summary

SHOWN = 20
EXPLAINED = 5

_reason = click.option("--reason", required=True, help="Why; kept with the command and shown to others.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("channel")
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every listing there.",
)
@workers_option
@config_option
@json_option
def shadow(
    channel: str, csv_file: Path | None, workers: tuple[str, ...], config_file: Path | None, as_json: bool
) -> None:
    """Compare what CHANNEL shows with what would be written there: listing by listing, with sums. Nothing is changed.

    \b
    Examples:
      clarus-stream shadow bc-us --config shop.yaml
      clarus-stream shadow bc-us --config shop.yaml --csv bc-us.csv --worker http://worker-1:9464
    """
    settings = load(config_file, os.environ).settings
    asked = workers or (default_worker(settings.settings.ops),)
    answer = ask(settings, channel, asked)
    if csv_file is not None:
        _write_csv(csv_file, answer)
    if as_json:
        plain = {**msgspec.to_builtins(answer), "summary": msgspec.to_builtins(summary(answer.listings))}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    _show(answer, reasons(_different(answer)[:EXPLAINED], asked))


@click.command("go-live")
@click.argument("channel")
@_reason
@actor_option
@_yes
@workers_option
@config_option
def go_live(
    channel: str, reason: str, actor: str | None, yes: bool, workers: tuple[str, ...], config_file: Path | None
) -> None:
    """Let CHANNEL be written to: every listing is read anew, then brought to its figure. Prints first what that changes, and asks.

    \b
    Example:
      clarus-stream go-live bc-us --reason "compared for a week" --config shop.yaml
    """
    settings = load(config_file, os.environ).settings
    asked = workers or (default_worker(settings.settings.ops),)
    answer = ask(settings, channel, asked)
    if not answer.shadow:
        raise Problem(f"{channel} is live already: nothing was changed")
    _show(answer, reasons(_different(answer)[:EXPLAINED], asked))
    _confirm(yes, f"{channel} goes live and is written to from now on. Go on?")
    _send(settings, "go_live", channel, actor, reason, "it goes live as soon as the workers have read this")


@click.command("go-shadow")
@click.argument("channel")
@_reason
@actor_option
@_yes
@workers_option
@config_option
def go_shadow(
    channel: str, reason: str, actor: str | None, yes: bool, workers: tuple[str, ...], config_file: Path | None
) -> None:
    """Write nothing more to CHANNEL until it goes live again. What has left is finished; reads, polls and comparing go on.

    \b
    Example:
      clarus-stream go-shadow bc-us --reason "old integration is back" --config shop.yaml
    """
    settings = load(config_file, os.environ).settings
    answer = ask(settings, channel, workers or (default_worker(settings.settings.ops),))
    if answer.shadow:
        raise Problem(f"{channel} is in shadow already: nothing was changed")
    what = "gets no more releases and cancels" if channel == CLARUS else "goes on selling what it shows"
    _confirm(yes, f"Nothing more is written to {channel}; it {what}. Go on?")
    _send(settings, "go_shadow", channel, actor, reason, "it is in shadow as soon as the workers have read this")


def _confirm(yes: bool, question: str) -> None:
    if not yes and not click.confirm(question):
        raise Problem("nothing was changed")


def _send(settings: Settings, action: str, channel: str, actor: str | None, reason: str, done: str) -> None:
    command = OperatorCommand(action=action, target=channel, actor=actor or this_user(), reason=reason)
    click.echo(f"{channel}: {done} ({send(settings, command)})")


def _different(answer: ShadowAnswer) -> list[Compared]:
    """Those that would change, the largest difference first."""
    changed = (one for one in answer.listings if one.verdict not in ("equal", "unknown"))
    return sorted(changed, key=lambda one: (-abs(one.difference), one.listing))


def _show(answer: ShadowAnswer, why: dict[str, str]) -> None:
    console = screen()
    by = f": {answer.actor}, {answer.reason}, since {moment(answer.since)}" if answer.since else ""
    console.print(f"{answer.channel} is {'in shadow' if answer.shadow else 'live'}{by}")
    if answer.held is not None:
        held = f"held back: {answer.held.releases} releases, {answer.held.cancels} cancels; going live sends them"
        console.print(held if answer.shadow else "nothing is held back")
        return
    console.print(_sums(summary(answer.listings)))
    changed = _different(answer)
    if changed:
        table = Table(
            "listing", "SKU", "shows", "would show", "difference", "read at", "why", box=box.SIMPLE, pad_edge=False
        )
        for one in changed[:SHOWN]:
            table.add_row(
                one.listing,
                one.sku,
                str(one.shows),
                str(one.would_show),
                f"{one.difference:+d}",
                moment(one.read_at),
                why.get(one.listing, ""),
            )
        console.print(table)
    if len(changed) > SHOWN:
        console.print(f"{len(changed) - SHOWN} more differ: --csv FILE or --json has every listing")


def _sums(found: Summary) -> Table:
    table = Table(
        "listings",
        "equal",
        "would raise",
        "would lower",
        "would go to zero",
        "not known yet",
        "units on offer beyond our figure",
        box=box.SIMPLE,
        pad_edge=False,
    )
    counts = (found.listings, found.equal, found.raised, found.lowered, found.zero, found.unknown, found.exposed)
    table.add_row(*map(str, counts))
    return table


def _write_csv(path: Path, answer: ShadowAnswer) -> None:
    fields = Compared.__struct_fields__
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(fields)
            writer.writerows([getattr(one, name) for name in fields] for one in answer.listings)
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}") from error
