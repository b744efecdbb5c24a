"""`clarus-stream exceptions`: list, show, acknowledge, resolve, retry; one by its id, or many by filters. It reads the topic and writes commands."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from confluent_kafka import KafkaException
from rich import box
from rich.table import Table

from app.cli import actor_option, config_option, json_option
from app.config import load
from app.connectors import CLARUS
from app.errors import Problem
from app.exceptions.act import act, obstacle
from app.exceptions.reader import EVERY, STATES, Found, Wanted, read, wanted
from app.operations import this_user
from app.screen import screen
from app.settings import Settings
from app.why.names import near, unknown
from app.why.show import moment
from schemas.records import ExceptionState
from tables.exceptions import CATALOGUE, OWNERS
from tables.handling import Action

SHOWN = 50


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--older-than", metavar="TIME", help="Opened longer ago than this: 30m, 2h, 7d."),
        click.option(
            "--state",
            type=click.Choice(list(STATES)),
            help="Default: open and acknowledged.",
        ),
        click.option("--channel", help="Of this channel."),
        click.option("--owner", type=click.Choice(OWNERS), help="Who deals with it."),
        click.option("--type", "kind", type=click.Choice(list(CATALOGUE)), metavar="TYPE", help="Of this type."),
    ):
        function = option(function)
    return function


def _wanted(kind: str | None, owner: str | None, channel: str | None, state: str | None, older: str | None) -> Wanted:
    try:
        return wanted(kind, owner, channel, state, older, time.time())
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _read(settings: Settings, wanted: Wanted) -> Found:
    try:
        return read(settings, wanted)
    except KafkaException as error:
        raise Problem(
            f"kafka: {settings.settings.kafka.bootstrap} cannot be read: {error.args[0].str()}; clarus-stream doctor"
        ) from error


def _chosen(settings: Settings, wanted: Wanted) -> Found:
    """What the filters choose. `Problem` where nothing is chosen by a channel that there is not; an old one's exceptions may still be open."""
    found, channels = _read(settings, wanted), [CLARUS, *settings.channels]
    if not found.states and wanted.channel and wanted.channel not in channels:
        text = f"{wanted.channel} is no channel of this configuration and has no such exceptions"
        raise unknown(wanted.channel, text, near(wanted.channel, settings.catalogue(), channels))
    return found


def _one(settings: Settings, exception_id: str) -> ExceptionState:
    found = _read(settings, Wanted(EVERY, ids=frozenset({exception_id}))).states
    if exception_id not in found:
        raise Problem(f"there is no exception {exception_id}; clarus-stream exceptions list has their ids")
    return found[exception_id]


@click.group()
def exceptions() -> None:
    """What a person must look at: list, show, acknowledge, resolve, retry."""


@exceptions.command("list")
@_filters
@config_option
@json_option
def list_(
    kind: str | None,
    owner: str | None,
    channel: str | None,
    state: str | None,
    older_than: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """List exceptions, the oldest first: open and acknowledged ones, or as chosen.

    \b
    Examples:
      clarus-stream exceptions list --config shop.yaml
      clarus-stream exceptions list --owner ecommerce --older-than 2h --config shop.yaml
      clarus-stream exceptions list --type unmapped_sku --channel bc-us --json --config shop.yaml
    """
    settings = load(config_file, os.environ).settings
    found = _chosen(settings, _wanted(kind, owner, channel, state, older_than))
    if as_json:
        listed = [msgspec.to_builtins(one) for one in found.in_order()]
        click.echo(json.dumps({"whole": found.whole, "exceptions": listed}, indent=2, ensure_ascii=False))
        return
    console, listed_states = screen(), found.in_order()
    if not listed_states:
        console.print("none")
    else:
        table = Table("id", "owner", "state", "since", "what happened", "what mends it", box=box.SIMPLE, pad_edge=False)
        for one in listed_states[:SHOWN]:
            words = CATALOGUE.get(one.type)
            mend = words.mend if words else ""
            table.add_row(one.exception_id, one.owner, one.state.lower(), moment(one.opened_at), one.detail, mend)
        console.print(table)
        console.print(f"{len(listed_states)} in all; clarus-stream exceptions show ID tells more of one")
    if len(listed_states) > SHOWN:
        console.print(f"the first {SHOWN} are shown: choose with --type, --owner, --channel, or --json has all")
    if not found.whole:
        console.print("not all could be read: there may be others, and some of these may be resolved; ask again")


@exceptions.command()
@click.argument("exception_id", metavar="ID")
@config_option
@json_option
def show(exception_id: str, config_file: Path | None, as_json: bool) -> None:
    """Show one exception: what it means, where to look, what mends it, who did what.

    \b
    Example:
      clarus-stream exceptions show unmapped_shipping_method:bc-us:1001 --config shop.yaml
    """
    one = _one(load(config_file, os.environ).settings, exception_id)
    words = CATALOGUE.get(one.type)
    if as_json:
        plain = {**msgspec.to_builtins(one), "words": msgspec.to_builtins(words) if words else None}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    console = screen()
    table = Table.grid(padding=(0, 2))
    rows = [("exception", one.exception_id), ("state", one.state.lower()), ("owner", one.owner)]
    rows += [("since", moment(one.opened_at)), ("what happened", one.detail)]
    if words:
        rows += [("it means", words.meaning), ("look first at", words.look), ("what mends it", words.mend)]
        rows += [("retry", words.retry or "there is nothing to send again")]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if one.holder.startswith("order/"):
        console.print(f"the order's whole story: clarus-stream why {one.holder.removeprefix('order/')}", markup=False)
    if one.history:
        steps = Table("when", "what", "who", "why", box=box.SIMPLE, pad_edge=False)
        for step in one.history:
            steps.add_row(moment(step.at), step.action, step.actor, step.reason)
        console.print(steps)


def _many(settings: Settings, action: Action, wanted: Wanted, yes: bool) -> list[ExceptionState]:
    """Those of the filter that it can be done to, after a question."""
    found = _chosen(settings, wanted)
    able = [one for one in found.in_order() if not obstacle(one, action)]
    left = len(found.states) - len(able)
    if not able:
        raise Problem(f"there is nothing to {action} among them ({left} are found); clarus-stream exceptions list")
    for one in able[:10]:
        click.echo(f"  {one.exception_id}: {one.detail}")
    if len(able) > 10:
        click.echo(f"  and {len(able) - 10} more")
    if left:
        click.echo(f"{left} others cannot be done this to and are left as they are")
    if not found.whole:
        click.echo("not all could be read: run it again for the rest")
    if not yes and not click.confirm(f"{action} {len(able)}. Go on?"):
        raise Problem("nothing was changed")
    return able


def _command(action: Action, done: str, text: str) -> None:
    @exceptions.command(
        action,
        help=f"{text} By ID, or all that the filters choose (asks first).\n\n\b\nExamples:\n"
        f'  clarus-stream exceptions {action} unmapped_sku:bc-us:1001 --reason "told Kim" --config shop.yaml\n'
        f'  clarus-stream exceptions {action} --type unmapped_sku --channel bc-us --reason "mapped" --yes',
    )
    @click.argument("exception_id", metavar="[ID]", required=False)
    @_filters
    @click.option("--reason", required=True, help="Why; kept with the command and in the exception's history.")
    @actor_option
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @config_option
    def command(
        exception_id: str | None,
        kind: str | None,
        owner: str | None,
        channel: str | None,
        state: str | None,
        older_than: str | None,
        reason: str,
        actor: str | None,
        yes: bool,
        config_file: Path | None,
    ) -> None:
        filtered = any((kind, owner, channel, state, older_than))
        if filtered == bool(exception_id):
            raise click.UsageError(f"exceptions {action} takes either an ID or filters such as --type")
        settings = load(config_file, os.environ).settings
        send = partial(act, settings, action=action, actor=actor or this_user(), reason=reason)
        if exception_id:
            click.echo(f"{exception_id}: {done} ({send([_one(settings, exception_id)])[0]})")
            return
        chosen = _many(settings, action, _wanted(kind, owner, channel, state, older_than), yes)
        send(chosen)
        click.echo(f"{len(chosen)} {'exception' if len(chosen) == 1 else 'exceptions'}: {done}")


_command(
    "acknowledge",
    "it is acknowledged as soon as the workers have read this",
    "Say that somebody looks at it; it stays until its cause goes away.",
)
_command(
    "resolve",
    "it is resolved as soon as the workers have read this",
    "Say that it was put right by hand. Nothing is sent; an order that is held stays held.",
)
_command(
    "retry",
    "the present state is tried again as soon as the workers have read this",
    "Send the present state again by the ordinary path, never an old payload.",
)
