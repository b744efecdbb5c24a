"""The command `replay`: options and exit status. The work is in the modules beside it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from app.cli import config_option, json_option
from app.config import load
from app.engine import partition_of
from app.errors import Problem
from app.replay.fold import Range
from app.replay.gone import kept, known_as, words
from app.replay.run import run
from app.replay.show import show
from app.screen import screen
from app.settings import Settings
from app.stock_rules import stock_rules
from app.why.names import near, unknown


class Bound(click.ParamType):
    """An offset, or a time in ISO 8601 (UTC unless it says otherwise)."""

    name = "offset or time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """`("offset", n)` or `("time", milliseconds)`."""
        text = str(value)
        if text.isdecimal():
            return "offset", int(text)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text} is neither an offset nor a time such as 2026-11-27T14:30:00Z", param, ctx)
        return "time", int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command()
@click.option(
    "--sku",
    metavar="SKU",
    default="",
    help="One SKU (or CHANNEL:SKU) only; all of its partition's watermarks are read too.",
)
@click.option(
    "--partition", "chosen", type=click.IntRange(0), multiple=True, help="This partition only; may be repeated."
)
@click.option(
    "--from",
    "begin",
    type=Bound(),
    help="Judge sent figures from this offset or time on. Folding begins before it, or rows would lack their past.",
)
@click.option(
    "--to",
    "end",
    type=Bound(),
    help="Fold up to here; rows are then not compared with the workers', which are further on.",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the folded rows in this folder and go on from them the next time. Needed where the topic's first records are gone.",
)
@click.option(
    "--what-if",
    "other",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A second configuration: show listings that would be offered other figures.",
)
@config_option
@json_option
def replay(
    sku: str,
    chosen: tuple[int, ...],
    begin: tuple[str, int] | None,
    end: tuple[str, int] | None,
    base: Path | None,
    other: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Fold inventory.events again into scratch state, by the worker's own rules, and compare: every row with the one the workers have, every figure
    that was sent with what follows at its place of the log. Writes to no topic and asks no worker.

    Exit status 0: all equal; 1: something differs; 2: the command is wrong.

    \b
    Examples:
      clarus-stream replay --config shop.yaml                                    everything
      clarus-stream replay --sku 000123 --config shop.yaml                       was this row folded as the rules say?
      clarus-stream replay --sku 000123 --to 2026-11-27T14:30:00Z --json --config shop.yaml   its row at that time
      clarus-stream replay --base /var/lib/replay --config shop.yaml             go on from the last time
      clarus-stream replay --what-if new-policies.yaml --config shop.yaml        what would change
    """
    if begin is not None and end is not None and begin[0] == end[0] and begin[1] >= end[1]:
        raise Problem("--from is not before --to: there would be nothing to judge", 2)
    settings = load(config_file, os.environ).settings
    rules_then = stock_rules(load(other, os.environ).settings) if other is not None else None
    if sku:
        known = known_as(sku, settings)
        if known is None:
            _gone(sku, settings, as_json=as_json)
            return
        sku = known
    partitions = _partitions(settings, sku, chosen)
    if end is not None and base is not None:
        raise Problem("--to ends where no worker committed, so it cannot be a base: leave out --to, or --base", 2)
    report = run(settings, partitions, Range(sku, begin, end, base is not None), base, rules_then)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        show(screen(), report)
    if not report.ok:
        raise SystemExit(1)


def _gone(sku: str, settings: Settings, *, as_json: bool) -> None:
    """Say what is left of a SKU that nobody configures. `Problem` with near names where nothing is: it never was one."""
    row = kept(sku, settings)
    if row is None:
        catalogue = settings.catalogue()
        text = f"no SKU, channel:SKU or listing {sku} in this configuration, the mappings or the workers' rows"
        raise unknown(sku, text, near(sku, catalogue))
    if as_json:
        click.echo(json.dumps({"ok": True, "sku": sku, "configured": False, "row": row}, indent=2, ensure_ascii=False))
    else:
        click.echo(words(sku, row))


def _partitions(settings: Settings, sku: str, chosen: tuple[int, ...]) -> list[int]:
    count = settings.settings.kafka.partitions
    if sku:
        home = partition_of(sku, count)
        if chosen and home not in chosen:
            raise Problem(f"{sku} lies in partition {home}, not in {', '.join(map(str, chosen))}", 2)
        return [home]
    if wrong := [number for number in chosen if number >= count]:
        raise Problem(f"there is no partition {wrong[0]}: settings.kafka.partitions is {count}", 2)
    return sorted(set(chosen)) or list(range(count))
