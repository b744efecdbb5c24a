"""The demo: a sale that ships with the product as a scenario file. What it sells is in `demo.yaml`."""

from importlib import resources

from app.drill.read import Drill, parse_drill

DEMO_HINTS = [
    "",
    "What to try next:",
    "  clarus-stream drill --schema                the form of a scenario; the demo's own is app/drill/demo.yaml: copy it, change it, run it",
    "  - {at: 20s, kill: {process: worker}}        add this step: a worker dies in the middle of the sale, nothing is lost",
    "  clarus-stream demo --broker localhost:9092  the same on a real Kafka",
    "  clarus-stream config check --config FILE    connect your own accounts (README, quick start)",
]


def demo_drill() -> Drill:
    """The demo's scenario."""
    text = resources.files("app.drill").joinpath("demo.yaml").read_text(encoding="utf-8")
    return parse_drill(text, "demo.yaml")
