"""The command `returns authorise`: one record in `operations.commands`. What it means is decided by `tables/returns`."""

import os
import secrets
from pathlib import Path

import click

from app.cli import actor_option, config_option
from app.config import load
from app.errors import Problem
from app.operations import send, this_user
from schemas.records import OperatorCommand


@click.group()
def returns() -> None:
    """Returns of customers."""


@returns.command(
    help="""Authorise the return of units of ORDER (channel:order), where its storefront has no returns of its own.

It is announced to the warehouse as soon as the goods are known to have left; money goes back after the inspection. The same command with the same --name again
changes nothing.

\b
Example:
  clarus-stream returns authorise bc-us:1001 --line SKU-000123=1 --reason "wrong size" --config shop.yaml
"""
)
@click.argument("order")
@click.option(
    "--line", "lines", multiple=True, required=True, metavar="SKU=UNITS", help="The storefront's SKU and selling units."
)
@click.option("--reason", required=True, help="Why; the warehouse and the storefront's people read it.")
@actor_option
@click.option("--name", default=None, help="Name of the return, to give the same one again; drawn where left out.")
@config_option
def authorise(
    order: str, lines: tuple[str, ...], reason: str, actor: str | None, name: str | None, config_file: Path | None
) -> None:
    settings = load(config_file, os.environ).settings
    name = name or f"R-{secrets.token_hex(4)}"
    body = OperatorCommand(
        action="authorise_return",
        target=order,
        actor=actor or this_user(),
        reason=reason,
        holder=name,
        lines=read_lines(lines),
    )
    try:
        place = send(settings, body)
    except Problem as problem:
        if problem.status == 2:
            raise
        raise Problem([*problem.lines, f"try again with --name {name}, or it would be a second return"]) from problem
    click.echo(f"{order}: return {name} is authorised as soon as the workers have read this ({place})")


def read_lines(given: tuple[str, ...]) -> dict[str, int]:
    """`SKU=UNITS` each; units of the same SKU add up. `Problem` where one is not so."""
    found: dict[str, int] = {}
    for text in given:
        sku, _, units = text.rpartition("=")
        if not sku or not units.isdecimal() or int(units) < 1:
            raise Problem(f"--line {text}: write SKU=UNITS with at least 1 unit, such as SKU-000123=1", 2)
        found[sku] = found.get(sku, 0) + int(units)
    return found
