"""This engine as an application uses it: an app, a table, an agent."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop

from app.engine import EngineConfig, create_app
from app.engine.config import StoreKind
from bench import job


async def main(task: job.Task) -> None:
    store: StoreKind = "memory" if task.store == "memory" else "rocksdict"
    app = create_app(
        EngineConfig(
            bootstrap=task.bootstrap,
            group=task.run,
            partitions=job.PARTITIONS,
            commit_interval_ms=task.commit_ms,
            data_dir=Path(task.folder),
            store=store,
        )
    )
    stock = app.Table("stock", row=list[int])
    watch = job.Stopwatch(task.count)
    decode: Any = job.decode_all if task.batch_decode else partial(map, job.decode)
    headers = job.HEADERS if task.headers else None

    async def keep(stream: Any) -> None:
        async for batch in stream:
            with batch:
                watch.start()
                keys, values, offsets = batch.columns
                names = {key: key.decode() for key in dict.fromkeys(keys)}
                stored = batch.get_many(stock, list(names.values()))
                rows = {key: row or [0, 0, 0, -1] for key, row in zip(names, stored, strict=True)}
                for key, offset, movement in zip(keys, offsets, decode(values), strict=True):
                    row = rows[key]
                    if offset > row[3]:
                        job.apply(row, movement, offset)
                batch.put_many(stock, {names[key]: row for key, row in rows.items()})
                outputs = [(names[key], job.encode(names[key], *row[:3])) for key, row in rows.items()]
                batch.send_many(task.out, outputs, headers=headers)

    app.agent(app.topic(task.source))(keep)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.start()
    while not stop.is_set() and app.failure is None:
        if task.count and app.stats.records >= task.count:
            watch.done()
        await asyncio.sleep(0.01)
    await app.stop()
    await app.finished()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(job.Task.given()))
