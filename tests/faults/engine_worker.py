"""A worker process for fault tests: two agents in a row, submitted work and a tick, all of them counting in rows and telling every count to a topic.

`python -m tests.faults.engine_worker SETTINGS` with the engine's settings as JSON. SIGTERM ends it in order; it prints one line when it is ready.
"""

import asyncio
import faulthandler
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from app.engine import EngineApp, EngineConfig, PartitionLost, create_app
from tests.support.stream import Tally, fold


def build(settings: EngineConfig, *, ticking: bool = True) -> tuple[EngineApp, dict[str, Any]]:
    """The app and its tables. `in` → `first` and `mid` → `second` and `out`; submitted counts go to `told`, ticks to `ticked`."""
    app = create_app(settings)
    tables = {name: app.Table(name, row=Tally) for name in ("first", "second", "submitted", "ticks")}

    @app.agent(app.topic("in"))
    async def one(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    fold(batch, tables["first"], record, None)
                    batch.send("mid", record.key.decode(), record.value)

    @app.agent(app.topic("mid"))
    async def two(stream: Any) -> None:
        async for batch in stream:
            with batch:
                for record in batch.records:
                    fold(batch, tables["second"], record, None)
                    key = record.key.decode()
                    batch.send("out", key, b"%d" % batch.get(tables["second"], key).count)

    if ticking:
        app.every(0.2, lambda context: count(context, tables["ticks"], "ticked"))
    return app, tables


def count(context: Any, table: Any, topic: str) -> None:
    """One more of this partition, told with its number."""
    key = f"p{context.partition}"
    row = context.get(table, key) or Tally()
    row.count += 1
    context.put(table, key, row)
    context.send(topic, key, b"%d" % row.count, partition=context.partition)


async def keep_submitting(app: EngineApp, table: Any, done: Counter[int]) -> None:
    """Work for every owned partition, again and again; `done` counts what was confirmed."""
    while True:
        for partition in sorted(app.owned):
            try:
                await app.submit(partition, lambda context: count(context, table, "told"))
                done[partition] += 1
            except PartitionLost:
                continue
        await asyncio.sleep(0.02)


def tell(what: dict[str, int]) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(settings: EngineConfig) -> int:
    app, tables = build(settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app.on_partition_ready(lambda partition: tell({"ready": partition}))
    app.on_partition_lost(lambda partition: tell({"lost": partition}))
    await app.start()
    submitting = asyncio.create_task(keep_submitting(app, tables["submitted"], Counter()))
    finished = asyncio.create_task(app.finished())
    await asyncio.wait({finished, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    submitting.cancel()
    await app.stop()
    return 0 if app.failure is None else 70


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    given = json.loads(sys.argv[1])
    sys.exit(asyncio.run(main(EngineConfig(**{**given, "data_dir": Path(given["data_dir"])}))))
