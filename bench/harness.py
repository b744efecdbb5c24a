"""What every benchmark program shares: how a report looks, medians and ranges, a broker of its own, the CPU and memory of a process.

A program is a module of this package with `TITLE` and `run(options) -> Report`. It measures; it asserts no time. Contenders run interleaved in one run, so that
a busy machine is unfair to all alike, and what is compared are ratios of the same round.
"""

import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.brokers import AS_SHIPPED, KAFKA, KafkaServer

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. `quick`: a tenth of the work, to see that a program works; its figures are not kept. `folder` is scratch space."""

    rounds: int
    quick: bool
    folder: Path

    def scaled(self, amount: int) -> int:
        """So much work, or a tenth of it where it shall be quick."""
        return max(1, amount // 10) if self.quick else amount


class Table(msgspec.Struct):
    """Rows as people read them: cells are text, the first column names the row."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Target(msgspec.Struct):
    """One figure that must be reached. `reached` is None where the program measured without a bound."""

    what: str
    must: str
    measured: str
    reached: bool | None


class Plot(msgspec.Struct):
    """Horizontal bars with ranges: name, median, least and most of the rounds."""

    title: str
    unit: str
    bars: list[tuple[str, float, float, float]]
    log: bool = False


class Report(msgspec.Struct):
    """What one program found. `notes` are paragraphs of markdown: conditions, what was tried, what is next."""

    question: str
    targets: list[Target]
    tables: list[Table] = []
    plots: list[Plot] = []
    notes: list[str] = []


class Kept(msgspec.Struct):
    """A report as it is kept in docs/benchmarks."""

    name: str
    title: str
    date: str
    machine: str
    command: str
    report: Report


def machine() -> str:
    """Processor, cores, memory, system, Python, and the broker of those programs that have one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    programs = f"Python {platform.python_version()}, Kafka {KAFKA} as its start script starts it"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, {programs}"


def median_range(values: Sequence[float], digits: int = 1, scale: float = 1.0) -> str:
    """`median (least-most)`."""
    low, mid, high = min(values) * scale, statistics.median(values) * scale, max(values) * scale
    return f"{mid:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(slots=True)
class Usage:
    """CPU seconds (user and system) of a process and its ended children, and the memory it holds now and held at most."""

    cpu: float
    rss: int
    peak: int


def usage(pid: int) -> Usage:
    """From /proc (Linux). ProcessLookupError where the process has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    kib = {name: int(sizes.get(name, "0 kB").split()[0]) for name in ("VmRSS", "VmHWM")}
    return Usage(sum(map(int, fields[11:15])) / _TICKS, kib["VmRSS"] << 10, kib["VmHWM"] << 10)


@dataclass(slots=True)
class Rounds:
    """Figures of interleaved rounds by contender, and their ratios within each round."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, contender: str, value: float) -> None:
        self.values.setdefault(contender, []).append(value)

    def ratios(self, ours: str, theirs: str) -> list[float]:
        """Ours divided by theirs, round by round."""
        return [a / b for a, b in zip(self.values[ours], self.values[theirs], strict=True)]


@contextmanager
def kafka(options: Options) -> Iterator[KafkaServer]:
    """An Apache Kafka broker of this program's own, with the options of its own start script. NoKafka where Java and Maven are missing."""
    with tempfile.TemporaryDirectory(prefix="kafka-", dir=options.folder) as folder:
        server = KafkaServer(Path(folder), AS_SHIPPED)
        server.start()
        try:
            yield server
        finally:
            server.stop()
