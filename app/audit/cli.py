"""The command `audit`: options, table, exit status. What is read and compared is in `run`."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from confluent_kafka import KafkaException
from rich import box
from rich.table import Table

from app.audit import run
from app.audit.run import Audit
from app.cli import config_option, json_option
from app.config import load
from app.connectors import CLARUS
from app.errors import Problem
from app.mappings.importing import mapped
from app.operations import this_user
from app.screen import screen
from app.why.names import near, unknown
from tables.mappings.audit import Difference

ROWS: Final = 60
UNMAPPED_SHOWN: Final = 10


@click.command()
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@click.option("--dry-run", is_flag=True, help="Only show; open and resolve no exceptions.")
@config_option
@json_option
def audit(channels: Sequence[str], dry_run: bool, config_file: Path | None, as_json: bool) -> None:
    """Compare the catalogues of Clarus and the storefronts (all, or these) under the mappings in force: SKU, barcode, weight and unit.

    What differs is a table and an exception `catalogue_mismatch` for each listing or product, owned by ecommerce; the next audit that does not find it
    resolves it. It only reads at the peers, at most at a quarter of their rate. Which attributes hold barcode and weight at commercetools, and the weight at
    Clarus, are settings.

    Exit status 0: nothing differs; 1: something does, or a peer could not be read; 2: the command is wrong.

    \b
    Examples:
      clarus-stream audit --config shop.yaml
      clarus-stream audit bc-us --dry-run --json --config shop.yaml
    """
    settings = load(config_file, os.environ, credentials=True).settings
    for name in channels:
        if name not in settings.channels:
            names = [*settings.channels]
            raise unknown(
                name, f"{name} is no storefront of this configuration", near(name, settings.catalogue(), names)
            )
    found = run.compare(settings, mapped(settings), channels or list(settings.channels))
    if not dry_run:
        try:
            run.tell(settings, found, this_user())
        except KafkaException as error:
            raise Problem(
                f"kafka: {settings.settings.kafka.bootstrap} cannot be read: {error.args[0].str()}"
            ) from error
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2, ensure_ascii=False))
    else:
        _show(found, dry_run)
    if found.differences or found.failed:
        raise SystemExit(1)


def _plain(found: Audit) -> dict[str, Any]:
    return {**asdict(found), "differences": [{**asdict(one), "text": one.text} for one in found.differences]}


def _show(found: Audit, dry_run: bool) -> None:
    console = screen()
    if found.differences:
        table = Table("product", "listing", "differs", "warehouse", "storefront", box=box.SIMPLE, pad_edge=False)
        for one in found.differences[:ROWS]:
            table.add_row(*_row(one))
        console.print(table)
    if len(found.differences) > ROWS:
        console.print(f"and {len(found.differences) - ROWS} more (--json shows all)")
    for channel, skus in found.unmapped.items():
        if skus:
            more = f" and {len(skus) - UNMAPPED_SHOWN} more" if len(skus) > UNMAPPED_SHOWN else ""
            shown = ", ".join(skus[:UNMAPPED_SHOWN])
            console.print(f"{channel}: {len(skus)} SKUs have no mapping, orders of them are held: {shown}{more}")
    for channel, reason in found.failed.items():
        console.print(f"{channel} could not be read: {reason}; clarus-stream doctor looks at it closer", style="red")
    read = ", ".join(f"{count} of {name}" for name, count in found.read.items())
    count = len(found.differences)
    console.print(f"{count} {'difference' if count == 1 else 'differences'}; read {read}")
    if not dry_run:
        console.print(f"exceptions: {found.opened} opened, {found.resolved} resolved")


def _row(one: Difference) -> tuple[str, ...]:
    listing = one.entity if one.channel != CLARUS else "-"
    if one.what == "sku":
        missing = "is missing there"
        return (one.product, listing, "SKU", one.product if one.storefront else missing, one.storefront and missing)
    return (one.product, listing, one.what, one.warehouse or "none", one.storefront or "none")
