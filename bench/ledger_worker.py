"""The worker process of `bench.ledger`: the product's availability agent until so many events are committed, then one line of JSON with what it cost.

Arguments: bootstrap servers, data directory, products, partitions, events. Time counts from the moment all partitions run.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import uvloop

from agents.availability import Availability, StockTables
from app.engine import Batch, EngineApp, create_app, partition_of
from app.topics import engine_config
from bench.harness import usage
from bench.ledger_load import rules_of, settings
from schemas import catalogue as topics
from schemas.codec import Codecs
from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow


def ledger(bootstrap: str, folder: Path, products: int, partitions: int) -> EngineApp:
    """The agent, its tables and rules as `app.main` puts them together."""
    given = settings(products, partitions)
    given.settings.kafka.bootstrap, given.settings.engine.data_dir = bootstrap, str(folder)
    app = create_app(engine_config(given))
    tables = StockTables(
        app.Table("stock", row=SkuRow),
        app.Table("stock_lines", row=OrderLines),
        app.Table("watermarks", row=WatermarkRow),
        app.Table("sweeps", row=SweepRow),
        app.Table("differences", row=DifferenceRow),
    )
    agent = Availability(rules_of(given), Codecs(), tables, lambda channel: partition_of(channel, partitions))

    async def availability(stream: AsyncIterator[Batch]) -> None:
        async for batch in stream:
            with batch:
                agent.fold(batch)

    app.agent(app.topic(topics.INVENTORY_EVENTS.name), name="availability")(availability)
    return app


async def _until(app: EngineApp, holds: Callable[[], bool]) -> None:
    while not holds():
        if app.failure is not None:
            raise app.failure
        await asyncio.sleep(0.01)


async def measure(app: EngineApp, partitions: int, count: int) -> dict[str, Any]:
    """Until `count` events are committed."""

    await app.start()
    try:
        await _until(app, lambda: len(app.owned) == partitions)
        before, began = usage(os.getpid()), time.monotonic()
        await _until(app, lambda: app.stats.records >= count)
        took, after = time.monotonic() - began, usage(os.getpid())
        return {"seconds": took, "cpu": after.cpu - before.cpu, "rss_started": before.rss, "rss": after.rss}
    finally:
        await app.stop()


def main(bootstrap: str, folder: str, products: int, partitions: int, count: int) -> None:
    """One run."""
    print(json.dumps(uvloop.run(measure(ledger(bootstrap, Path(folder), products, partitions), partitions, count))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
