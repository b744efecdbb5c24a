"""Faust as it comes, every record by itself, its table in RocksDB, its buffers and commits tuned. At least once: it has nothing better that works."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import faust
import uvloop

from bench import job

_STORE = {
    "driver": "rocksdict",
    "block_cache_size": 32 << 20,
    "write_buffer_size": 16 << 20,
    "max_write_buffer_number": 2,
    "max_open_files": 200,
}


def build(task: job.Task) -> faust.App:
    app = faust.App(
        task.run,
        broker=f"kafka://{task.bootstrap}",
        store="rocksdb://",
        datadir=str(Path(task.folder)),
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=job.PARTITIONS,
        table_standby_replicas=0,
        web_enabled=False,
        producer_linger=0.02,
        producer_max_batch_size=131_072,
        broker_commit_interval=1.0,
        broker_commit_every=20_000,
        broker_max_poll_records=2_000,
        stream_buffer_maxsize=4_096,
    )
    raw: dict[str, Any] = dict.fromkeys(("key_type", "value_type"), bytes)
    raw |= dict.fromkeys(("key_serializer", "value_serializer"), "raw")
    source, out = app.topic(task.source, **raw), app.topic(task.out, **raw)
    stock = app.Table("stock", partitions=job.PARTITIONS, key_type=bytes, value_type=bytes, options=_STORE)
    watch = job.Stopwatch(task.count)
    seen = 0

    async def keep(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            watch.start()
            key, offset = event.key, event.message.offset
            stored = stock.get(key)
            row = [0, 0, 0, -1] if stored is None else list(job.ROW.unpack(stored))
            if offset > row[3]:
                job.apply(row, job.decode(event.value), offset)
                stock[key] = job.ROW.pack(*row)
                await out.send(key=key, value=job.encode(key.decode(), *row[:3]))
            seen += 1

    async def end() -> None:
        while seen < task.count:
            await asyncio.sleep(0.01)
        while app.producer.buffer.size:
            await asyncio.sleep(0.01)
        await app.consumer.commit()
        await app.producer.flush()
        watch.done()

    app.agent(source)(keep)
    app.task(end)
    return app


if __name__ == "__main__":
    uvloop.install()
    faust.Worker(build(job.Task.given()), loglevel="warning", redirect_stdouts=False).execute_from_commandline()
    sys.exit(1)
