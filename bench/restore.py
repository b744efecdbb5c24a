"""A worker with an empty disk reads a million rows back from the changelog, beside Kafka Streams on the same rows."""

import statistics
from pathlib import Path

from app.engine.murmur import partition_of
from bench import job, runners
from bench.harness import Options, Plot, Report, Rounds, Table, Target, kafka, median_range

TITLE = "Restore"
ROWS = 1_000_000
_OURS, _STREAMS = "this engine", "Kafka Streams"
_TABLE = b"stock\x00"
_ROW = b"\x94\xcd\x03\xe8\x0c\xcd\x01\x00\xce\x00\x01\x86\xa0"
"""A row as the engine writes it (msgpack of four numbers); Kafka Streams has the same numbers in 24 bytes."""


def run(options: Options) -> Report:
    count = options.scaled(ROWS)
    programs = runners.Programs()
    seconds, cpu, peak = Rounds(), Rounds(), Rounds()
    progress = 0
    with kafka(options) as server:
        job.make_topics(server.bootstrap, "movements")
        _fill(server.bootstrap, "ours-changelog", count, _TABLE, _ROW)
        _fill(server.bootstrap, "theirs-stock-changelog", count, b"", job.ROW.pack(1_000, 12, 256, 100_000))
        job.make_topics(server.bootstrap, "theirs-out")
        for number in range(options.rounds):
            contenders = [(_OURS, "ours"), (_STREAMS, "theirs")]
            for name, application in contenders if number % 2 == 0 else contenders[::-1]:
                folder = options.folder / f"{application}-{number}"
                task = job.Task(server.bootstrap, "movements", application, count, 100, str(folder))
                ours = name == _OURS
                command = programs.python("engine_restore", task) if ours else programs.kafka_streams(task, "restore")
                log = folder.with_suffix(".log")
                result = runners.finish(runners.start(command, log), log)
                if ours:
                    progress += _shown(log)
                seconds.add(name, result.seconds)
                cpu.add(name, result.cpu)
                peak.add(name, result.peak / 2**20)
                print(f"round {number + 1}: {name}: {count / result.seconds:,.0f} rows/s", flush=True)
    return _report(count, seconds, cpu, peak, progress)


def _fill(bootstrap: str, topic: str, count: int, prefix: bytes, value: bytes) -> None:
    """One row per SKU, in the partition of its SKU."""
    print(f"filling {topic} with {count:,} rows", flush=True)
    job.make_topics(bootstrap, topic, compacted=True)
    writer = job.producer(bootstrap)
    for number in range(count):
        sku = job.sku(number)
        while True:
            try:
                writer.produce(topic, value, prefix + sku.encode(), partition_of(sku, job.PARTITIONS))
                break
            except BufferError:
                writer.poll(0.1)
        if number % 10_000 == 0:
            writer.poll(0)
    assert writer.flush(120) == 0


def _shown(log: Path) -> int:
    """Lines that told a person how far it is."""
    return sum("restor" in line for line in log.read_text().splitlines())


def _report(count: int, seconds: Rounds, cpu: Rounds, peak: Rounds, progress: int) -> Report:
    rates = {name: [count / one for one in values] for name, values in seconds.values.items()}
    rows = [
        [
            name,
            median_range(seconds.values[name], 2),
            median_range(rates[name], 0),
            median_range(cpu.values[name], 2),
            median_range(peak.values[name], 0),
        ]
        for name in (_OURS, _STREAMS)
    ]
    reached = statistics.median(rates[_OURS]) >= 300_000
    highest = max(peak.values[_OURS])
    targets = [
        Target("rows per second", ">= 300,000", median_range(rates[_OURS], 0), reached),
        Target("time: ours / Kafka Streams", "", median_range(seconds.ratios(_OURS, _STREAMS), 2), None),
        Target("RSS peak, MiB", "<= 512", median_range(peak.values[_OURS], 0), highest <= 512),
        Target("progress shown, lines per restore", ">= 1", f"{progress / len(rates[_OURS]):.1f}", progress > 0),
    ]
    bars = [(name, statistics.median(rates[name]), min(rates[name]), max(rates[name])) for name in rates]
    columns = ["contender", "seconds", "rows/s", "CPU seconds", "RSS peak MiB"]
    return Report(
        f"How long until a worker with an empty disk has its {count:,} rows back?",
        targets,
        [Table("", columns, rows)],
        [Plot("Restore", "rows/s", bars)],
        _NOTES,
    )


_NOTES = [
    f"{job.PARTITIONS} partitions, one row per SKU; rows are written to RocksDB by both. Time, CPU and memory count from the first look at the changelog to "
    "the last row; Kafka Streams (exactly_once_v2, one thread) says so through its restore listener.",
]
