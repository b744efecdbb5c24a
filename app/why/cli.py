"""The command `why`: options, what is printed. The work is done by the workers (`app.why.worker`, `app.why.order_worker`) and by what asks them."""

import json
import os
from pathlib import Path

import click
import msgspec

from app.cli import config_option, json_option, workers_option
from app.config import load
from app.errors import Problem
from app.screen import screen
from app.settings import Settings
from app.why import order_ask, order_show, order_story
from app.why.ask import Asked, NotThereError, ask, default_worker
from app.why.inputs import Tail, last_inputs
from app.why.show import show

INPUTS_SECONDS = 10.0
INPUTS_OF_SKU = 10
INPUTS_OF_ORDER = 100


@click.command()
@click.argument("target", metavar="SKU|ORDER")
@workers_option
@click.option(
    "--inputs",
    "count",
    type=click.IntRange(0, 1000),
    help=f"How many of the last events to show; 0 asks no broker. Default: {INPUTS_OF_SKU} of a SKU, {INPUTS_OF_ORDER} of an order.",
)
@click.option("--order", "is_order", is_flag=True, help="It is an order, even where a SKU has the same name.")
@config_option
@json_option
def why(
    target: str, workers: tuple[str, ...], count: int | None, is_order: bool, config_file: Path | None, as_json: bool
) -> None:
    """Explain the figures of a SKU, or tell the whole story of an order. It shows no personal data.

    A SKU may be named by the Clarus code, CHANNEL:SKU or a listing's id: levels, open demand, every term of the formulas, what each listing was told,
    what it has and what is awaited, and the last events that changed it.

    An order may be named by CHANNEL:ID, CHANNEL:NUMBER, number, id or reference at Clarus: where it stands, what is awaited now and until when,
    what is wanted at each peer and what it has, parcels, exceptions, what counts against stock, and every event with what followed.

    \b
    Examples:
      clarus-stream why 000123 --config shop.yaml
      clarus-stream why bc-us:SKU-123 --config shop.yaml --worker http://worker-1:9464 --worker http://worker-2:9464
      clarus-stream why bc-us:1001 --config shop.yaml
      clarus-stream why A-2041 --json --config shop.yaml
    """
    settings = load(config_file, os.environ).settings
    asked_workers = workers or (default_worker(settings.settings.ops),)
    near: list[str] = []
    if not is_order:
        try:
            explained = ask(target, asked_workers)
        except NotThereError as unknown:
            near = unknown.lines
        else:
            _sku(settings, explained, INPUTS_OF_SKU if count is None else count, as_json)
            return
    try:
        asked = order_ask.ask(settings, target, asked_workers)
    except Problem as problem:
        raise Problem([*problem.lines, *near], problem.status) from None
    _order(settings, asked, INPUTS_OF_ORDER if count is None else count, as_json)


def _sku(settings: Settings, asked: Asked, count: int, as_json: bool) -> None:
    tail: Tail | None = None
    if count:
        try:
            tail = last_inputs(settings, asked.answer.sku, count, INPUTS_SECONDS)
        except Problem as problem:
            asked.missing += problem.lines
    if as_json:
        plain = {"answer": msgspec.to_builtins(asked.answer), "missing": asked.missing}
        if tail is not None:
            plain["inputs"] = msgspec.to_builtins(tail)
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    show(screen(), asked.answer, tail, asked.missing)


def _order(settings: Settings, asked: order_ask.Asked, count: int, as_json: bool) -> None:
    story: order_story.Story | None = None
    if count:
        head = asked.answer.head
        channel = asked.answer.key.partition(":")[0]
        key = asked.answer.key
        names = {key, f"{key}/refund", *([f"{channel}:{head.number}"] if head is not None else [])}
        created = head.created_at if head is not None else 0
        try:
            story = order_story.read_story(settings, key, sorted(names), count, created)
        except Problem as problem:
            asked.missing += problem.lines
    if as_json:
        plain = order_ask.as_plain(asked)
        if story is not None:
            plain["story"] = msgspec.to_builtins(story)
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    order_show.show(screen(), asked, story)
