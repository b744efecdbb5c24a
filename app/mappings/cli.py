"""`clarus-stream mappings`: list, check, import, export, what-if. Options and printing; the work is in the modules beside it."""

import json
import os
from pathlib import Path
from typing import Any

import click

from app.cli import actor_option, config_option, json_option
from app.config import load
from app.mappings import files, importing, show
from app.mappings.configured import configured
from app.mappings.force import in_force
from app.mappings.whatif import what_if
from app.operations import this_user
from app.screen import screen
from app.settings import Settings
from tables.mappings.book import Entry
from tables.mappings.kinds import KINDS

FILE = click.Path(path_type=Path, dir_okay=False)


def _settings(config_file: Path | None) -> Settings:
    return load(config_file, os.environ).settings


def _json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@click.group()
def mappings() -> None:
    """What the two sides call things: SKUs, units, bundles, shipping methods, statuses, locations. Imported ones count at once, without a restart."""


@mappings.command("list")
@click.option("--kind", type=click.Choice(list(KINDS)), metavar="KIND", help="Of this kind.")
@click.option("--channel", help="Of this channel.")
@config_option
@json_option
def list_(kind: str | None, channel: str | None, config_file: Path | None, as_json: bool) -> None:
    """List what is in force: the configuration's records and, above them, the imported ones.

    \b
    Examples:
      clarus-stream mappings list --config shop.yaml
      clarus-stream mappings list --kind shipping --json --config shop.yaml
    """
    settings = _settings(config_file)
    log = importing.imported(settings)
    now = in_force(settings, log.entries, log.version)
    chosen = [one for one in now.book.values() if _chosen(one, kind, channel)]
    if as_json:
        rows = [
            {"kind": one.record.kind, "key": one.record.key, **(show.plain(one.record) or {}), "version": one.version,
             "actor": one.actor, "reason": one.reason}
            for one in chosen
        ]  # fmt: skip
        left = [{"kind": fault.key[0], "key": fault.key[1], "reason": fault.text} for fault in now.left_out]
        _json({"version": now.version, "mappings": rows, "left_out": left})
        return
    console = screen()
    show.show_entries(console, chosen)
    console.print(f"{len(chosen)} in force; version {now.version}")
    for fault in now.left_out:
        console.print(f"not in force: {fault}", style="yellow")


def _chosen(entry: Entry, kind: str | None, channel: str | None) -> bool:
    record = entry.record
    return kind in (None, record.kind) and channel in (None, getattr(record, "channel", None))


@mappings.command()
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="As if everything imported before that is not in FILE were removed.")
@config_option
@json_option
def check(file: Path, replace: bool, config_file: Path | None, as_json: bool) -> None:
    """Check FILE (CSV or YAML) against the configuration and what is in force; show what its import would change. Nothing is written.

    Exit status 0: it can be imported; 2: it cannot, one line a fault.

    \b
    Example:
      clarus-stream mappings check new-products.csv --config shop.yaml
    """
    settings = _settings(config_file)
    found = importing.planned(settings, files.read(file), replace=replace)
    if as_json:
        _json({"ok": True, "changes": show.change_rows(found.changes)})
    else:
        show.show_changes(screen(), found.changes)


@mappings.command("import")
@click.argument("file", type=FILE)
@click.option("--reason", required=True, help="Why; kept with every record and shown to others.")
@actor_option
@click.option("--replace", is_flag=True, help="Remove everything imported before that is not in FILE.")
@config_option
@json_option
def import_(file: Path, reason: str, actor: str | None, replace: bool, config_file: Path | None, as_json: bool) -> None:
    """Import FILE (CSV or YAML): all of it is checked first, and nothing is imported where one record is wrong.

    Workers take it over within about a second, without a restart. Orders that waited for it are judged again by themselves and released once. A record is
    taken out again by `remove: true` (a column `remove` in CSV); then what the configuration says counts again.

    \b
    Examples:
      clarus-stream mappings import shipping.csv --reason "DPD contract" --config shop.yaml
      clarus-stream mappings import all.yaml --replace --reason "from the PIM" --actor pim --config shop.yaml
    """
    settings = _settings(config_file)
    found, version = importing.run(settings, files.read(file), actor or this_user(), reason, replace=replace)
    if as_json:
        _json({"version": version, "changes": show.change_rows(found.changes)})
        return
    show.show_changes(screen(), found.changes)
    if version:
        click.echo(f"imported as version {version}: in force as soon as the workers have read it")


@mappings.command()
@click.option("--output", "-o", "output", type=FILE, help="File to write; its ending chooses the format.")
@click.option("--format", "form", type=click.Choice(["yaml", "csv"]), help="Default: the file's ending, else yaml.")
@click.option("--kind", type=click.Choice(list(KINDS)), metavar="KIND", help="Of this kind only.")
@click.option("--all", "everything", is_flag=True, help="The configuration's records too: all that is in force.")
@config_option
def export(
    output: Path | None, form: files.Format | None, kind: str | None, everything: bool, config_file: Path | None
) -> None:
    """Write what was imported as a file that `import` reads back. Without --output it is printed.

    \b
    Examples:
      clarus-stream mappings export -o mappings.yaml --config shop.yaml
      clarus-stream mappings export --kind shipping --all --format csv --config shop.yaml
    """
    settings = _settings(config_file)
    log = importing.imported(settings)
    entries = {**(configured(settings) if everything else {}), **log.entries}
    records = [one.record for one in entries.values() if kind in (None, one.record.kind)]
    text = files.dump(records, form or (files.format_of(output) if output else "yaml"))
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"{output}: {len(records)} mappings, version {log.version}")


@mappings.command("what-if")
@click.argument("file", type=FILE)
@click.option("--last", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000), help="Order events.")
@click.option("--replace", is_flag=True, help="As if everything imported before that is not in FILE were removed.")
@config_option
@json_option
def what_if_(file: Path, last: int, replace: bool, config_file: Path | None, as_json: bool) -> None:
    """Try the import of FILE over the last order events: which orders would become something else, and what. Nothing is written.

    Each order is judged as if it were seen for the first time, in the state its storefront showed last.

    \b
    Examples:
      clarus-stream mappings what-if shipping.csv --config shop.yaml
      clarus-stream mappings what-if all.yaml --replace --last 100000 --json --config shop.yaml
    """
    settings = _settings(config_file)
    found = what_if(settings, importing.planned(settings, files.read(file), replace=replace), last)
    if as_json:
        _json(found.as_dict())
    else:
        show.show_trial(screen(), found)
