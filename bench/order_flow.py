"""Orders through the whole product and back: from two storefronts to the warehouse, and from its parcel to the storefront, all on one machine."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from app.simulators.contract import FloorSpeed
from bench.harness import Options, Plot, Report, Table, Target, kafka, percentile
from bench.order_run import Load, Stream
from tests.brokers import KafkaServer

TITLE = "Orders end to end: out to the warehouse, and their parcels back"
_PRODUCTS = 500
_END_TO_END, _SECONDS, _DRAINED_S = 100, 60.0, 30.0
_PACED = 50
_RELEASE_P99_S, _DESPATCH_P99_S = 2.0, 3.0
_CLARUS, _CLARUS_DEFAULT = 400.0, 50.0
"""Requests a second at the warehouse: what it takes to create 100 orders a second one by one, and the product's default."""
_PREPARED = 25
"""Orders a second while those to be despatched are brought to the warehouse."""
_LONGEST_S = 240.0


@dataclass(slots=True)
class _Run:
    """One part's measurement."""

    orders: int
    load: Load
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Of the latencies."""
        return percentile(self.seconds, share) if self.seconds else float("nan")


def run(options: Options) -> Report:
    """The three parts, each with a product of its own."""
    seconds = _SECONDS / 10 if options.quick else _SECONDS
    found = {}
    with kafka(options) as server:
        for name, part in (("end to end", _end_to_end), ("release", _release), ("despatch", _despatch)):
            one = found[name] = asyncio.run(part(server, seconds))
            print(
                name,
                *_cells(one),
                one.load.left,
                *one.wrong[:5],
                dict(one.load.backlog.most_common(8)),
                dict(one.load.calls.most_common(12)),
                sep="  ",
                flush=True,
            )
    return _report(found["end to end"], found["release"], found["despatch"])


async def _end_to_end(server: KafkaServer, seconds: float) -> _Run:
    """The floor allocates, picks and despatches by itself; over when every storefront says that its orders are sent."""
    stream = Stream(server.bootstrap, server.pid, _PRODUCTS, _CLARUS, FloorSpeed(0.2, 0.5, 1.0))
    return await _measured(stream, _END_TO_END, seconds, stream.shipped, stream.despatch_seconds)


async def _release(server: KafkaServer, seconds: float) -> _Run:
    """Nobody works in the warehouse."""
    stream = Stream(server.bootstrap, server.pid, _PRODUCTS, _CLARUS, FloorSpeed(None, None, None))
    return await _measured(stream, _PACED, seconds, stream.released, stream.release_seconds)


async def _measured(
    stream: Stream, rate: float, seconds: float, done: Callable[[], bool], latency: Callable[[], list[float]]
) -> _Run:
    try:
        await stream.start()
        load = await stream.during(lambda: stream.orders(rate, seconds), done, _LONGEST_S)
        return _Run(len(stream.listed.orders), load, latency(), await stream.wrong())
    finally:
        await stream.stop()


async def _despatch(server: KafkaServer, seconds: float) -> _Run:
    """Orders wait picked in the warehouse, and leave it at an even pace."""
    stream = Stream(server.bootstrap, server.pid, _PRODUCTS, _CLARUS_DEFAULT, FloorSpeed(0.2, 0.5, None))
    try:
        await stream.start()
        await stream.during(lambda: stream.orders(_PREPARED, seconds * _PACED / _PREPARED), stream.picked, _LONGEST_S)
        await stream.wrong()
        load = await stream.during(lambda: stream.despatches(_PACED), stream.shipped, _LONGEST_S)
        return _Run(len(stream.listed.orders), load, stream.despatch_seconds(), await stream.wrong())
    finally:
        await stream.stop()


_COLUMNS = [
    "part",
    "orders",
    "p50 s",
    "p99 s",
    "longest s",
    "done after the last, s",
    "worker, ms an order",
    "peers, ms",
    "broker, ms",
    "ingress, ms",
    "cores",
    "requests an order: clarus",
    "ct",
    "bc",
]


def _cells(one: _Run) -> list[str]:
    cpu = one.load.cpu
    each = {name: 1000 * seconds / one.orders for name, seconds in cpu.items()}
    return [
        f"{one.orders:,}",
        f"{one.at(0.5):.2f}",
        f"{one.at(0.99):.2f}",
        f"{max(one.seconds, default=0):.2f}",
        f"{one.load.drained:.1f}",
        *(f"{each[name]:.1f}" for name in ("worker-0", "peers", "broker", "ingress")),
        f"{sum(cpu.values()) / one.load.seconds:.2f}",
        *(f"{one.load.requests[name] / one.orders:.1f}" for name in ("clarus", "ct", "bc")),
    ]


def _report(whole: _Run, release: _Run, despatch: _Run) -> Report:
    wrong = len(whole.wrong) + len(release.wrong) + len(despatch.wrong)
    parts = {
        f"end to end, {_END_TO_END}/s; time: despatch to shipment": whole,
        f"order to goods out, {_PACED}/s": release,
        f"despatch to shipment, {_PACED}/s": despatch,
    }
    queues = Table(
        "The longest queues that the worker told of, looked at every second",
        ["part", "queues"],
        [
            [name, ", ".join(f"{what} {count:,}" for what, count in one.load.backlog.most_common(6) if count)]
            for name, one in parts.items()
        ],
    )
    calls = Table(
        "Requests an order, by what they were for",
        ["part", "requests"],
        [
            [name, ", ".join(f"{what} {count / one.orders:.2f}" for what, count in one.load.calls.most_common(12))]
            for name, one in parts.items()
        ],
    )
    return Report(
        "How fast do orders go out to the warehouse and parcels come back, with simulators, broker, ingress and one worker on the same two cores?",
        [
            Target(
                f"orders end to end, {_END_TO_END}/s for {_SECONDS:g} s",
                f"none lost or doubled, backlog gone within {_DRAINED_S:g} s after",
                f"{whole.orders:,} orders, {len(whole.wrong)} wrong, gone {whole.load.drained:.1f} s after the last",
                not whole.wrong and not whole.load.left and whole.load.drained <= _DRAINED_S,
            ),
            Target(
                f"order to goods out at {_PACED}/s",
                f"p99 <= {_RELEASE_P99_S:g} s",
                f"p50 {release.at(0.5):.2f} s, p99 {release.at(0.99):.2f} s",
                release.at(0.99) <= _RELEASE_P99_S,
            ),
            Target(
                f"despatch to shipment at {_PACED}/s",
                f"p99 <= {_DESPATCH_P99_S:g} s",
                f"p50 {despatch.at(0.5):.2f} s, p99 {despatch.at(0.99):.2f} s",
                despatch.at(0.99) <= _DESPATCH_P99_S,
            ),
            Target("a drill's checks after each part", "all hold", f"{wrong} failures", not wrong),
        ],
        [Table("Parts", _COLUMNS, [[name, *_cells(one)] for name, one in parts.items()]), queues, calls],
        [
            Plot(
                "Median, least and 99th percentile",
                "s",
                [
                    (name, one.at(0.5), min(one.seconds, default=0), one.at(0.99))
                    for name, one in (("order to goods out", release), ("despatch to shipment", despatch))
                ],
            )
        ],
        [
            f"Orders of one line, evenly from both storefronts, of {_PRODUCTS} products by popularity (Zipf, 1.1), all shared; notified within 0.1 s. "
            "Order to goods out: from the checkout until Clarus has the order. Despatch to shipment: from the parcel that leaves until the storefront "
            "has its shipment. End to end is over when every order is at the warehouse, despatched by its floor, and says at its storefront that it is sent.",
            f"Budgets: BigCommerce's enterprise plan (10,000 requests in 30 s), commercetools 500 requests a second, Clarus {_CLARUS:g} a second where orders "
            f"are created (one request each; Clarus publishes no limit), and the product's default of {_CLARUS_DEFAULT:g} where parcels leave.",
            "CPU counts from the first order to the last. The simulators run in one process, which also makes the orders.",
            "A parcel's way: Clarus' webhook names its order, which is looked up with those of the same moment "
            "([decision 0190](decisions/0190-a-despatch-is-noticed-by-its-reference.md)), its packages are read, all within Clarus' budget; then the order's "
            "shipments are read and one is written. Before that decision a read of its SKU's stock noticed it, which waited for the pages of popular SKUs: "
            "p50 1.26 s, p99 4.92 s, longest 29.6 s.",
        ],
    )
