"""The command `reconciliation`: asks the workers and prints. What is counted is decided by `tables.reconciliation`."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from app.cli import config_option, json_option, workers_option
from app.config import load
from app.connectors import CLARUS
from app.errors import Problem
from app.screen import screen
from app.settings import Settings
from app.why.ask import default_worker
from app.why.names import near, unknown
from app.why.show import moment
from tables.explain.reconciliation import ReconciliationAnswer, merge
from tables.reconciliation import REMEDIES, DifferenceRow

SECONDS = 25.0
SHOWN = 30


@dataclass(frozen=True, slots=True)
class Asked:
    """The joint answer, and a line for each worker or partition that is missing from it."""

    answer: ReconciliationAnswer
    missing: list[str]


@click.command()
@click.argument("channel", required=False)
@workers_option
@config_option
@json_option
def reconciliation(channel: str | None, workers: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """What read-backs of listings found, by channel: equal, healed, unexplained, not answered; and every open difference with its cause.

    \b
    Examples:
      clarus-stream reconciliation --config shop.yaml
      clarus-stream reconciliation bc-us --config shop.yaml --worker http://worker-1:9464 --worker http://worker-2:9464
    """
    settings = load(config_file, os.environ).settings
    asked = ask(settings, workers or (default_worker(settings.settings.ops),), channel)
    if as_json:
        plain = {**msgspec.to_builtins(asked.answer), "missing": asked.missing}
        plain["differences"] = [_plain(one) for one in asked.answer.differences]
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    _show(screen(), asked)


def ask(
    settings: Settings, workers: Sequence[str], channel: str | None, transport: httpx.BaseTransport | None = None
) -> Asked:
    """All workers' answers as one, of one channel or all. `Problem` where none of them answers."""
    if channel is not None and channel != CLARUS and channel not in settings.channels:
        channels = [CLARUS, *settings.channels]
        text = f"{channel} is no channel of this configuration"
        raise unknown(channel, text, near(channel, settings.catalogue(), channels))
    answers: list[ReconciliationAnswer] = []
    missing: list[str] = []
    with httpx.Client(timeout=SECONDS, trust_env=False, transport=transport) as client:
        for worker in workers:
            try:
                response = client.get(f"{worker.rstrip('/')}/reconciliation")
                if response.status_code == 200:
                    answers.append(msgspec.json.decode(response.content, type=ReconciliationAnswer))
                else:
                    missing.append(f"{worker} answers {response.status_code}: {response.text[:200]}")
            except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
                missing.append(f"{worker} cannot be asked: {error or type(error).__name__}")
    if not answers:
        raise Problem([*missing, "no worker answered: name running ones with --worker http://HOST:PORT"])
    joint = merge(answers)
    lacking = sorted(set(range(joint.of)) - set(joint.partitions))
    if lacking:
        missing.append(
            f"partitions {', '.join(map(str, lacking))} of {joint.of}: none of the workers asked owns them, counts lack what lies"
            " there; name all workers with --worker"
        )
    if channel is not None:
        joint.channels = [one for one in joint.channels if one.channel == channel]
        joint.differences = [one for one in joint.differences if one.channel == channel]
    return Asked(joint, missing)


def _plain(one: DifferenceRow) -> dict[str, object]:
    return {name: getattr(one, name) for name in DifferenceRow.__struct_fields__}


def _show(console: Console, asked: Asked) -> None:
    for line in asked.missing:
        console.print(f"not known: {line}", style="yellow", markup=False)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("channel", "checked", "equal", "healed", "unexplained", "not answered", "since", "causes"):
        table.add_column(column)
    for column in ("listings", "never read", "read the longest ago"):
        table.add_column(column)
    for one in asked.answer.channels:
        causes = ", ".join(f"{cause} {n}" for cause, n in sorted(one.causes.items())) or "-"
        counts = (one.checked, one.equal, one.healed, one.unexplained, one.unanswered)
        oldest = f"{one.oldest} {moment(one.oldest_at)}" if one.oldest else "-"
        table.add_row(
            one.channel, *map(str, counts), moment(one.since), causes, str(one.listings), str(one.unread), oldest
        )
    console.print(table)
    differences = sorted(asked.answer.differences, key=lambda one: (one.kind, one.channel, one.entity))
    still = [one for one in differences if not one.over_at]
    if not still:
        console.print(f"no open differences ({len(differences)} are over: --json)")
        return
    open_ones = Table(
        "kind", "channel", "what", "cause", "since", "last seen", "what it is", "what to do", box=box.SIMPLE
    )
    for row in still[:SHOWN]:
        cause = row.cause if row.kind == "drift" else "-"
        remedy = REMEDIES.get(row.cause, "")
        open_ones.add_row(
            row.kind, row.channel, row.entity, cause, moment(row.first_seen), moment(row.last_seen), row.detail, remedy
        )
    console.print(open_ones)
    if len(still) > SHOWN:
        console.print(f"{len(still) - SHOWN} more are open: --json has all of them")
