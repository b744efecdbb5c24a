"""This engine as an application uses it: an app, a table, an agent."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from app.engine import EngineConfig, create_app
from app.engine.config import StoreKind
from bench import job


class Row(msgspec.Struct, array_like=True):
    """A row of the table."""

    fields: job.Fields


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
    stock = app.Table("stock", row=Row)
    watch = job.Stopwatch(task.count)
    headers = job.HEADERS if task.headers else None

    @app.agent(app.topic(task.source))
    async def keep(stream: Any) -> None:
        async for batch in stream:
            with batch:
                watch.start()
                rows: dict[bytes, Row] = {}
                records = batch.records
                movements = (
                    job.decode_all([record.value for record in records])
                    if task.batch_decode
                    else (job.decode(record.value) for record in records)
                )
                for record, movement in zip(records, movements, strict=True):
                    key = record.key
                    row = rows.get(key)
                    if row is None:
                        row = rows[key] = batch.get(stock, key.decode()) or Row([0, 0, 0, -1])
                    offset = record.offset
                    if offset > row.fields[3]:
                        job.apply(row.fields, movement, offset)
                for key, row in rows.items():
                    sku = key.decode()
                    batch.put(stock, sku, row)
                    batch.send(task.out, sku, job.encode(sku, *row.fields[:3]), headers=headers)

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
