"""The command `why`: options, what is printed. The work is done by the workers (`app.why.worker`) and by `app.why.ask` and `app.why.inputs`."""

import json
import os
from pathlib import Path

import click
import msgspec

from app.cli import config_option, json_option
from app.config import load
from app.errors import Problem
from app.mappings.importing import mapped
from app.screen import screen
from app.why.ask import ask, default_worker
from app.why.inputs import Tail, last_inputs
from app.why.names import product_of
from app.why.show import show

INPUTS_SECONDS = 10.0


@click.command()
@click.argument("target", metavar="SKU")
@click.option(
    "--worker",
    "workers",
    metavar="URL",
    multiple=True,
    help="Operators' address of a worker; may be repeated. Default: ops.host and ops.port of the configuration.",
)
@click.option(
    "--inputs",
    "count",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="How many of the last events of the SKU to show.",
)
@config_option
@json_option
def why(target: str, workers: tuple[str, ...], count: int, config_file: Path | None, as_json: bool) -> None:
    """Explain the figures of a SKU (or CHANNEL:SKU, or a listing's id): levels, open demand, every term of the formulas, what each listing was told,
    what it has and what is awaited, and the last events that changed it.

    \b
    Examples:
      clarus-stream why 000123 --config shop.yaml
      clarus-stream why bc-us:SKU-123 --config shop.yaml --worker http://worker-1:9464 --worker http://worker-2:9464
    """
    settings = load(config_file, os.environ).settings
    try:
        product = product_of(target, settings.catalogue())
    except Problem:
        product = product_of(target, mapped(settings))  # perhaps an import names it
    asked = ask(product.sku, workers or [default_worker(settings.settings.ops)])
    tail: Tail | None = None
    if count:
        try:
            tail = last_inputs(settings, product.sku, count, INPUTS_SECONDS)
        except Problem as problem:
            asked.missing += problem.lines
    if as_json:
        plain = {"answer": msgspec.to_builtins(asked.answer), "missing": asked.missing}
        if tail is not None:
            plain["inputs"] = msgspec.to_builtins(tail)
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    show(screen(), asked.answer, tail, asked.missing)
