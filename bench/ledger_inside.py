"""The ledger without a broker: the real agent on real cycles and stores, one poll after another in this process. For profiles and for sizes of rows.

`python -m bench.ledger_inside --profile` prints where the time goes.
"""

import asyncio
import cProfile
import gc
import pstats
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import click
from confluent_kafka import Message

from agents.availability import Availability, StockTables
from app.engine import Batch, EngineConfig, create_app, partition_of
from app.engine.cycle import Cycle, EngineBatch, Naming
from app.engine.store import Mark, StoreSet
from bench.ledger_load import Input, Sale, settings
from schemas import catalogue as topics
from schemas.codec import Codecs
from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow

POLL = 10_000
"""Records of one poll; the worker's own most (settings.engine.poll_max)."""


class Inside:
    """The availability agent of one worker with its stores, fed poll by poll."""

    def __init__(self, sale: Sale, partitions: int, folder: Path) -> None:
        app = create_app(EngineConfig(bootstrap="none", partitions=partitions, data_dir=folder))
        tables = StockTables(
            app.Table("stock", row=SkuRow),
            app.Table("stock_lines", row=OrderLines),
            app.Table("watermarks", row=WatermarkRow),
            app.Table("sweeps", row=SweepRow),
            app.Table("differences", row=DifferenceRow),
        )
        place = lambda channel: partition_of(channel, partitions)  # noqa: E731
        self.agent = Availability(sale.rules, Codecs(), tables, place)
        self.stores = StoreSet("rocksdict", folder / "stores")
        self.stores.open()
        self.outputs = self.rows = self.row_bytes = 0
        self.partitions, self._offset = partitions, 0
        self._naming = Naming("", "dead")
        self._loop = asyncio.new_event_loop()

    def poll(self, inputs: Iterable[Input]) -> None:
        """One cycle: every partition's batch, rows to bytes, rows to the stores."""
        name = topics.INVENTORY_EVENTS.name
        by_partition: dict[int, list[Message]] = {}
        for one in inputs:
            self._offset += 1
            message = Message(
                topic=name, partition=one.partition, offset=self._offset, key=one.key.encode(), value=one.value
            )
            by_partition.setdefault(one.partition, []).append(message)
        cycle = Cycle(0, self._naming)
        for partition, records in sorted(by_partition.items()):
            scope = cycle.scope(partition, self.stores.get(partition))
            batch = EngineBatch(scope, name, name, records, self._loop.create_future())
            self.agent.fold(cast(Batch, batch))
            assert not batch.unreadable
            scope.positions[name] = self._offset
        sealed = cycle.seal({partition: {} for partition in by_partition})
        for partition, rows in sealed.rows.items():
            self.stores.get(partition).apply(rows, Mark("bench", self._offset, 0))
            self.rows += len(rows)
            self.row_bytes += sum(len(key) + len(value or b"") for key, value in rows)
        self.outputs += len(sealed.outputs)

    def close(self) -> None:
        self.stores.close()
        self._loop.close()


def polls(inputs: Iterator[Input], size: int) -> Iterator[list[Input]]:
    """In portions of one poll."""
    while portion := list(islice(inputs, size)):
        yield portion


def profiled(inside: Inside, measured: list[list[Input]]) -> list[tuple[str, float]]:
    """Shares of own time by module, the largest first; what is written in C stands under its own name. `inside` is fed."""
    profiler = cProfile.Profile()
    profiler.enable()
    for portion in measured:
        inside.poll(portion)
    profiler.disable()
    found: Counter[str] = Counter()
    for (path, _, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        place = Path(path)
        found["/".join(place.parts[-2:]) if place.is_absolute() else name.strip("<>{}")] += own
    total = sum(found.values())
    return [(name, own / total) for name, own in found.most_common(14)]


def sizes(inside: Inside) -> dict[str, tuple[int, int]]:
    """Rows and their bytes by table."""
    found: dict[str, tuple[int, int]] = {}
    for partition in range(inside.partitions):
        for key, value in inside.stores.get(partition).scan(b""):
            table = key.partition(b"\0")[0].decode()
            if table:
                count, size = found.get(table, (0, 0))
                found[table] = count + 1, size + len(key) + len(value)
    return found


@click.command()
@click.option("--events", default=100_000, show_default=True)
@click.option("--poll", "size", default=POLL, show_default=True, help="Records of one poll.")
@click.option("--profile", is_flag=True, help="Print the functions that took most of the time.")
def main(events: int, size: int, profile: bool) -> None:
    """CPU of one event without a broker."""
    partitions = 4
    sale = Sale(settings(20_000, partitions), 15_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        inside = Inside(sale, partitions, Path(folder))
        for portion in polls(sale.opening(), size):
            inside.poll(portion)
        warm = list(sale.events(events // 2))
        for portion in polls(iter(warm), size):
            inside.poll(portion)
        measured = list(polls(sale.events(events), size))
        gc.collect()
        gc.freeze()
        inside.outputs = inside.rows = inside.row_bytes = 0
        profiler = cProfile.Profile()
        began = time.process_time()
        if profile:
            profiler.enable()
        for portion in measured:
            inside.poll(portion)
        profiler.disable()
        took = time.process_time() - began
        inside.close()
    print(
        f"{took / events * 1e6:.1f} µs CPU an event; {inside.outputs / events:.2f} outputs, {inside.rows / events:.2f} rows, "
        f"{inside.row_bytes / events:.0f} bytes of rows an event; {dict(sale.mix)}"
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
