"""This engine with an empty disk and a full changelog, until all partitions run. Says what it used from the first look at the changelog to the last row."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import structlog
import uvloop

from app.engine import EngineConfig, create_app
from bench import job


async def main(task: job.Task) -> None:
    app = create_app(
        EngineConfig(
            bootstrap=task.bootstrap,
            group=task.run,
            partitions=job.PARTITIONS,
            commit_interval_ms=task.commit_ms,
            data_dir=Path(task.folder),
        )
    )
    app.Table("stock", row=list[int])

    async def keep(stream: Any) -> None:
        async for batch in stream:
            with batch:
                raise RuntimeError("there was nothing to read")

    app.agent(app.topic(task.source))(keep)
    watch = job.Stopwatch(task.count)
    await app.start()
    while len(app.owned) < job.PARTITIONS and app.failure is None:
        if app.stats.restoring:
            watch.start()
        await asyncio.sleep(0.002)
    if app.failure is None and app.stats.restored_rows == task.count:
        watch.done()
    sys.exit(f"{app.stats.restored_rows} rows were restored: {app.failure}")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(job.Task.given()))
