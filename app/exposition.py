"""How a metric is declared, shown to Prometheus and printed in the manual. Which metrics there are is said in `app/metrics.py`; nothing is counted here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

PREFIX = "clarus_stream_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter that nothing reads
Process = Literal["worker", "ingress"]
Kind = Literal["counter", "gauge", "histogram"]


def _registry() -> CollectorRegistry:
    """A registry with the usual metrics of a process and of Python."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


REGISTRIES: Final[Mapping[Process, CollectorRegistry]] = {"worker": _registry(), "ingress": _registry()}
"""A process shows its own metrics only: a gauge that it never sets would say 0 for something it knows nothing of."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric as the manual prints it. `doc` says what it is, `when` in which situation an operator looks at it."""

    process: Process
    section: str
    name: str
    type: Kind
    labels: tuple[str, ...]
    unit: str
    doc: str
    when: str


DEFINITIONS: list[Definition] = []


def _unit(name: str, given: str) -> str:
    return given or next((unit for unit in ("seconds", "bytes", "ratio") if name.endswith(f"_{unit}")), "")


class Section:
    """Metrics of one process that belong together in the manual. Names are given without the prefix, counters without `_total`."""

    def __init__(self, process: Process, title: str) -> None:
        self._process, self._title, self._registry = process, title, REGISTRIES[process]

    def _say(self, name: str, kind: Kind, labels: tuple[str, ...], doc: str, unit: str, when: str) -> None:
        shown = f"{PREFIX}{name}_total" if kind == "counter" else PREFIX + name
        DEFINITIONS.append(Definition(self._process, self._title, shown, kind, labels, _unit(name, unit), doc, when))

    def counter(self, name: str, doc: str, *labels: str, unit: str = "", when: str = "") -> Counter:
        """It only rises while the process lives; look at its rate."""
        self._say(name, "counter", labels, doc, unit, when)
        return Counter(PREFIX + name, doc, labels, registry=self._registry)

    def gauge(self, name: str, doc: str, *labels: str, unit: str = "", when: str = "") -> Gauge:
        """The state at the time of the scrape."""
        self._say(name, "gauge", labels, doc, unit, when)
        return Gauge(PREFIX + name, doc, labels, registry=self._registry)

    def histogram(
        self, name: str, doc: str, buckets: Sequence[float], *labels: str, unit: str = "", when: str = ""
    ) -> Histogram:
        """Many observations by size."""
        self._say(name, "histogram", labels, doc, unit, when)
        return Histogram(PREFIX + name, doc, labels, buckets=buckets, registry=self._registry)


class Totals:
    """Feeds counters from figures that somebody else keeps as running totals, which may begin at 0 again."""

    def __init__(self) -> None:
        self._seen: dict[Counter, float] = {}

    def bring(self, counter: Counter, total: float) -> None:
        """The total is this by now."""
        before = self._seen.get(counter, 0.0)
        counter.inc(total if total < before else total - before)
        self._seen[counter] = total


def render(process: Process) -> bytes:
    """The metrics of a process in Prometheus' text format (`CONTENT_TYPE`)."""
    return generate_latest(REGISTRIES[process])


_PAGE = """# Metrics

<!-- Made by `clarus-stream config metrics`; a test compares. -->

Prometheus text at `/metrics`: of a worker on `settings.ops.port`, of ingress on its own port. Labels are bounded: no SKU, no order, no URL.
Counters begin at 0 with the process. A gauge of a channel is shown by the worker that owns the channel, one of a topic for the partitions that a worker
owns: sum over the workers. Beside these there are the usual metrics of the process and of Python.
What to look at first is said in [operations](operations.md#what-to-look-at-first).
"""


def document() -> str:
    """The manual's page of all metrics, Markdown."""
    return _PAGE + "".join(_sections())


def _sections() -> Iterator[str]:
    for title in dict.fromkeys(d.section for d in DEFINITIONS):
        yield f"\n## {title}\n\n| metric | type | labels | unit | what it says |\n| --- | --- | --- | --- | --- |\n"
        for d in DEFINITIONS:
            if d.section == title:
                labels = ", ".join(f"`{label}`" for label in d.labels) or "-"
                when = f" **Look here when** {d.when}" if d.when else ""
                yield f"| `{d.name}` | {d.type} | {labels} | {d.unit or 'count'} | {d.doc}{when} |\n"
