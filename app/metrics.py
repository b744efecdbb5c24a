"""Every metric of the product, said once: objects to count with, and the table the manual prints. It decides nothing and reads no clock.

Names carry the prefix `clarus_stream_`. Labels are bounded: channels, agents, topics and kinds come from the configuration and the code, never a SKU,
an order or a URL. Times are seconds, as Prometheus wants them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_AGE = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric as the manual prints it."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    doc: str


DEFINITIONS: list[Definition] = []


def _counter(name: str, doc: str, *labels: str) -> Counter:
    DEFINITIONS.append(Definition(f"{PREFIX}{name}_total", "counter", labels, doc))
    return Counter(PREFIX + name, doc, labels, registry=REGISTRY)


def _gauge(name: str, doc: str, *labels: str) -> Gauge:
    DEFINITIONS.append(Definition(PREFIX + name, "gauge", labels, doc))
    return Gauge(PREFIX + name, doc, labels, registry=REGISTRY)


def _histogram(name: str, doc: str, buckets: Sequence[float], *labels: str) -> Histogram:
    DEFINITIONS.append(Definition(PREFIX + name, "histogram", labels, doc))
    return Histogram(PREFIX + name, doc, labels, buckets=buckets, registry=REGISTRY)


# ---- engine ---------------------------------------------------------------------------------------------------------------------------------
RECORDS_IN = _counter("records_in", "Input records folded.", "topic")
CYCLES = _counter("cycles", "Cycles of the worker that had something to do or to look at.")
COMMITS = _counter("commits", "Commits of outputs, rows and positions.")
COMMIT_SECONDS = _counter("commit_seconds", "Time spent in commits; over commits it is the mean time of one.")
ABORTS = _counter("aborts", "Cycles that were thrown away and tried again.")
LAG = _gauge("lag_records", "Input records not yet folded, per topic over the partitions owned here.", "topic")
PARTITIONS_OWNED = _gauge("partitions_owned", "Partitions that are restored and run here.")
RESTORED_ROWS = _counter("restored_rows", "Rows taken from the changelog into the local store.")
RESTORE_REMAINING = _gauge("restore_remaining_records", "Changelog records still to be restored before work starts.")
DEAD_LETTERS = _counter("dead_letters", "Records set aside because they could not be read.")

# ---- delivery -------------------------------------------------------------------------------------------------------------------------------
API_CALLS = _counter("api_calls", "HTTP requests to peers by what they were for and what came back.", *("channel", "kind", "outcome"))  # fmt: skip
API_SECONDS = _histogram("api_seconds", "Time of HTTP requests to peers.", _CALL, "channel", "kind")
BUDGET_LEFT = _gauge("budget_left", "Requests the channel's budget would let through at once.", "channel")
BUDGET_RATE = _gauge("budget_rate", "Requests a second the channel's budget grows by at present.", "channel")
BACKLOG = _gauge("backlog", "Wanted states not yet confirmed at the peer.", "channel", "kind")
OLDEST_PENDING = _gauge("oldest_pending_seconds", "Age of the oldest wanted state not yet confirmed.", "channel")
UNGUARDED = _gauge("unguarded_listings", "Listings whose storefront may sell beyond what it shows, by its newest read.", "channel")  # fmt: skip
RECONCILED = _counter("reconciled_listings", "Read-backs of listings judged, by result: equal, healed, unexplained.", "channel", "result")  # fmt: skip
BREAKER = _gauge("breaker_state", "Circuit breaker of the channel: 0 closed, 1 half open, 2 open.", "channel")
CAUSE_TO_CONFIRMED = _histogram(
    "cause_to_confirmed_seconds",
    "From what changed something (a stock movement, an order) to the peer's confirmation: a quantity, or at clarus a goods out.",
    _AGE,
    "channel",
)


# ---- ingress --------------------------------------------------------------------------------------------------------------------------------
WEBHOOKS = _counter("webhooks", "Webhooks by channel and HTTP status of our answer.", "channel", "status")
WEBHOOK_SECONDS = _histogram("webhook_seconds", "From a webhook's first byte to our answer.", _CALL, "channel")
BRIDGED = _counter("bridged_records", "Records taken over from a channel's own Kafka cluster.", "channel")
BRIDGE_ERRORS = _counter("bridge_errors", "Errors of the bridge to a channel's own Kafka cluster.", "channel")
INGRESS_IN_FLIGHT = _gauge("ingress_in_flight", "Notifications handed to Kafka and not yet durable.")


def render() -> bytes:
    """All metrics in Prometheus' text format (`CONTENT_TYPE`)."""
    return generate_latest(REGISTRY)


_PAGE = """# Metrics

<!-- Made by `clarus-stream config metrics`; a test compares. -->

Prometheus text at `/metrics`: of a worker on `settings.ops.port`, of ingress on its own port. Labels are bounded: no SKU, no order, no URL.
Histograms and ages are in seconds. Beside these there are the usual metrics of the process and of Python.

"""


def document() -> str:
    """The manual's page of all metrics, Markdown."""
    rows = [
        f"| `{d.name}` | {d.type} | {', '.join(f'`{label}`' for label in d.labels) or '-'} | {d.doc} |"
        for d in DEFINITIONS
    ]
    return _PAGE + "\n".join(["| metric | type | labels | what it says |", "| --- | --- | --- | --- |", *rows]) + "\n"
