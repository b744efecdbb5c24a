"""The demo: a sale that ships with the product as a scenario file. What it sells is in `demo.yaml`."""

import os
import shutil
import sys
from importlib import resources
from pathlib import Path

from app.drill.read import Drill, parse_drill
from app.drill.report import Outcome


def hints(outcome: Outcome, held: Path | None) -> list[str]:
    """What to try next, one thing a pair of lines, with the command as it can be typed here. `held`: the configuration of a product that still runs."""
    command = "clarus-stream" if shutil.which("clarus-stream") else os.path.relpath(sys.argv[0])
    return [*(_ask(command, outcome, held) if held is not None else []), *_next(command)]


def _ask(command: str, outcome: Outcome, held: Path) -> list[str]:
    opened = [f"{one.type}:{one.entity}" for one in outcome.exceptions if one.is_open]
    sent = (f"{channel}:{order.number}" for channel, order in outcome.evidence.every() if order.shipments)
    order = next(sent, "")
    lines = [
        "",
        "It still runs, so that you can ask it. In another terminal, from this folder:",
        f"    export CLARUS_STREAM_CONFIG={held}",
    ]
    if opened:
        lines += ["  what must a person do, and how?", f"    {command} exceptions list"]
        lines += [f"    {command} exceptions show {opened[0]}"]
        lines += ["  give the unknown shipping method a carrier: its order goes on by itself"]
        lines += [f'    {command} mappings import docs/examples/overnight.csv --reason "new contract"']
    if order:
        lines += ["  what happened to this order?", f"    {command} why {order}"]
    lines += ["  why does a listing show what it shows?", f"    {command} why {next(iter(outcome.stock))}"]
    return lines


def _next(command: str) -> list[str]:
    return [
        "",
        "What to try next:",
        "  change the sale: copy app/drill/demo.yaml, edit it and run it; `drill --schema` prints the form",
        f"    {command} drill my-sale.yaml",
        "  let a worker die in the middle of it; nothing is lost. Add this step:",
        "    - {at: 20s, kill: {process: worker}}",
        "  the same on a real Kafka",
        f"    {command} demo --broker localhost:9092",
        "  your own accounts: docs/quickstart-real-accounts.md, then",
        f"    {command} config check --config shop.yaml",
    ]


def demo_drill() -> Drill:
    """The demo's scenario."""
    text = resources.files("app.drill").joinpath("demo.yaml").read_text(encoding="utf-8")
    return parse_drill(text, "demo.yaml")
