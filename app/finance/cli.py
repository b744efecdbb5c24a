"""The command `finance`: asks the workers, prints sums and what does not fit, writes the CSV file. What is what is decided by `tables.finance`."""

import json
import os
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import httpx
import msgspec
from rich.console import Console
from rich.text import Text

from app.cli import config_option, json_option, workers_option
from app.config import load
from app.errors import Problem
from app.finance.ask import Ledger
from app.finance.sheet import Sheet
from app.screen import screen
from app.settings import Settings
from app.why.ask import client, default_worker, nobody
from app.why.names import near, unknown
from app.why.show import plain_table, section
from tables.finance.report import FinanceLine, Report, Sums
from tables.finance.rows import KINDS, STATUSES
from tables.money import decimal

KEPT: Final = 1_000
SHOWN: Final = 30
_DAYS_AT_MOST: Final = 400


class Day(click.ParamType):
    """A day as 2026-11-27."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Its first moment."""
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value} is no day such as 2026-11-27", param, ctx)


@click.command()
@click.option("--from", "first", metavar="DAY", type=Day(), required=True, help="First day, UTC.")
@click.option("--to", "last", metavar="DAY", type=Day(), help="Last day, UTC. Default: today.")
@click.option("--channel", help="Of this channel only.")
@click.option(
    "--csv", "csv_file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write every line."
)
@workers_option
@config_option
@json_option
def finance(
    first: datetime,
    last: datetime | None,
    channel: str | None,
    csv_file: Path | None,
    workers: tuple[str, ...],
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Reconcile money and goods: captured payments, orders, despatches, returns and refunds by day and channel; what is matched, open or mismatched, and why.

    \b
    Examples:
      clarus-stream finance --from 2026-11-27 --to 2026-11-30 --config shop.yaml
      clarus-stream finance --from 2026-11-01 --to 2026-11-30 --channel bc-us --csv november.csv --config shop.yaml
    """
    settings = load(config_file, os.environ).settings
    end = last or datetime.now(UTC)
    _check(settings, first, end, channel)
    report = Report(KEPT)
    with client(None) as asking, ExitStack() as stack:
        missing = take(settings, asking, workers, (first, end), channel, report, stack, csv_file)
    if as_json:
        click.echo(json.dumps(as_plain(report, missing), indent=2, ensure_ascii=False))
    else:
        show(screen(), report, missing)
        if csv_file is not None:
            click.echo(f"{csv_file}: {report.orders().total()} lines")
    if missing:
        raise SystemExit(1)


def _check(settings: Settings, first: datetime, last: datetime, channel: str | None) -> None:
    if last < first:
        raise Problem(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}", 2)
    if last - first > timedelta(days=_DAYS_AT_MOST):
        raise Problem(f"at most {_DAYS_AT_MOST} days at a time: ask for less, one part after the other", 2)
    if channel is not None and channel not in settings.channels:
        text = f"{channel} is no channel of this configuration"
        raise unknown(channel, text, near(channel, settings.catalogue(), settings.channels))


def take(
    settings: Settings,
    asking: httpx.Client,
    workers: tuple[str, ...],
    days: tuple[datetime, datetime],
    channel: str | None,
    report: Report,
    stack: ExitStack,
    csv_file: Path | None,
) -> list[str]:
    """Count every line, write it where a file is wanted; what is missing. `Problem` where a file would not be whole: then there is none."""
    first, last = (f"{day:%Y-%m-%d}" for day in days)
    asked = workers or (default_worker(settings.settings.ops),)
    ledger = Ledger(asking, asked, settings.settings.kafka.partitions, first, last, channel or "")
    lines = report.watch(ledger.lines())
    if csv_file is None:
        for _ in lines:
            pass
    else:
        try:
            sheet = stack.enter_context(Sheet(csv_file))
        except OSError as error:
            raise Problem(f"{csv_file} cannot be written: {error.strerror}", 2) from error
        sheet.write(lines)
        if ledger.missing:
            raise Problem([*ledger.missing, f"{csv_file} is not written: it would not be whole"])
    if ledger.missing and not report.sums():
        raise nobody(ledger.missing)
    return ledger.missing


def as_plain(report: Report, missing: list[str]) -> dict[str, Any]:
    """For JSON: amounts are decimals as text."""

    def amounts(by: Counter[str], digits: int) -> dict[str, str]:
        return {"all": decimal(by.total(), digits), **{status: decimal(by[status], digits) for status in STATUSES}}

    return {
        "days": [
            {
                "day": one.day,
                "channel": one.channel,
                "currency": one.currency,
                "orders": {"all": one.orders.total(), **{status: one.orders[status] for status in STATUSES}},
                **{kind: amounts(one.amounts[kind], one.digits) for kind in KINDS},
            }
            for one in report.sums()
        ],
        "mismatched": [_plain(one) for one in report.mismatched.values()],
        "more_mismatched": report.more_mismatched,
        "open": dict(report.waiting),
        "missing": missing,
    }


def _plain(one: FinanceLine) -> dict[str, Any]:
    amounts = {kind: decimal(amount, one.digits) for kind, amount in one.amounts.items()}
    return {**msgspec.to_builtins(one), "amounts": amounts}


def show(console: Console, report: Report, missing: list[str]) -> None:
    """For people."""
    for line in missing:
        console.print(Text(f"not known: {line}", style="yellow"))
    if not report.sums():
        console.print("no money moved on these days")
        return
    narrow = console.width < 130
    table = plain_table("day", "channel", "orders", *STATUSES, *(kind.replace("_", " ") for kind in KINDS), "")
    if narrow:
        table = plain_table("day, channel", "orders", "amounts")
    for column in table.columns[1 if narrow else 2 :]:
        column.justify = "left" if narrow else "right"
    for one in report.sums():
        table.add_row(*(_narrow(one) if narrow else _wide(one)))
    console.print(
        section("By day and channel (UTC; an order counts on every day on which something of it moved)", [table])
    )
    orders = report.orders()
    for reason, count in report.waiting.most_common(10):
        console.print(Text(f"  open: {count} × {reason}", style="cyan"))
    if orders["mismatched"]:
        console.print(section("Mismatched", [_mismatched(list(report.mismatched.values())[:SHOWN])]))
        first = next(iter(report.mismatched.values()))
        name = f"{first.channel}:{first.number or first.order_id}"
        console.print(
            f"clarus-stream why {name} tells an order's story; clarus-stream exceptions list --owner finance, what to do",
            markup=False,
        )
        if len(report.mismatched) > SHOWN:
            console.print(f"and more: --json has the first {KEPT}, --csv all of them")


def _wide(one: Sums) -> list[str]:
    counts = [str(one.orders[status]) for status in STATUSES]
    amounts = [decimal(one.of(kind), one.digits) for kind in KINDS]
    return [one.day, one.channel, str(one.orders.total()), *counts, *amounts, one.currency]


def _narrow(one: Sums) -> list[str]:
    counts = ", ".join(f"{one.orders[status]} {status}" for status in STATUSES if one.orders[status])
    moved = [f"{kind.replace('_', ' ')} {decimal(one.of(kind), one.digits)}" for kind in KINDS if one.of(kind)]
    return [f"{one.day} {one.channel}", counts, f"{', '.join(moved) or '0'} {one.currency}"]


def _mismatched(lines: list[FinanceLine]) -> Any:
    table = plain_table("order", "why")
    for one in lines:
        table.add_row(f"{one.channel}:{one.number or one.order_id}", "; ".join(one.reasons))
    return table
