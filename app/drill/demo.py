"""The demo: a sale that ships with the product as a scenario file. What it sells is in `demo.yaml`."""

import os
import shutil
import sys
from importlib import resources

from app.drill.read import Drill, parse_drill


def hints() -> list[str]:
    """What to try next, one thing a pair of lines, with the command as it can be typed here."""
    command = "clarus-stream" if shutil.which("clarus-stream") else os.path.relpath(sys.argv[0])
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
