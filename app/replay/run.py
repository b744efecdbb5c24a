"""Runs a replay over its partitions, with its stores and a progress bar. What is folded and compared for one partition is in `fold`."""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app import registry
from app.engine import EngineError
from app.engine.store import StoreSet
from app.errors import Problem
from app.mappings.importing import mapped
from app.replay.fold import PartitionReplay, Range
from app.replay.points import Points
from app.replay.read import Reader
from app.replay.report import PartitionReport, Report, named
from app.replay.whatif import what_if
from app.settings import Settings
from app.stock_rules import stock_rules
from tables.stock.rows import Rules

_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.completed:,} offsets read"),
    TimeElapsedColumn(),
)


def run(settings: Settings, partitions: list[int], asked: Range, base: Path | None, rules_then: Rules | None) -> Report:
    """Everything that is asked for. `base`: a folder where the folded rows stay; `rules_then`: other rules to look at the rows with."""
    rules, codecs = stock_rules(settings, mapped(settings)), registry.codecs_for(settings)
    found: list[PartitionReport] = []
    row = None
    with ExitStack() as stack:
        folder = base or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clarus-stream-replay-")))
        bar = stack.enter_context(Progress(*_COLUMNS, console=Console(stderr=True), transient=True))
        reader = Reader(settings)
        stack.callback(reader.close)
        task = bar.add_task("what the workers have", total=None)
        told = partial(bar.advance, task)
        stores = StoreSet("rocksdict", folder)
        try:
            stores.open()
        except EngineError as error:
            raise Problem(
                f"{folder}: another replay runs with this folder; wait for it, or name another one"
            ) from error
        stack.callback(stores.close)
        sent = stores.get(2 * settings.settings.kafka.partitions)
        sent.wipe()
        points = Points(sent)
        replays = [PartitionReplay(rules, codecs, reader, points, number, stores, told) for number in partitions]
        for one in replays:
            one.look(asked)
        bar.update(task, description="what they sent")
        points.collect(settings, reader, codecs, partitions, told)
        bar.reset(task, description="folding", total=sum(one.length for one in replays) or None)
        for one in replays:
            found.append(one.run(asked))
            if rules_then is not None:
                what_if(found[-1], one.store, rules_then, asked.sku)
            if asked.sku:
                row = named(one.rows.state.sku(asked.sku))
    return Report(asked.sku, found, asked.end is None, rules_then is not None, row)
