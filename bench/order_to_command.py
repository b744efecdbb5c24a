"""An order record of one storefront until the stock command for the other one is there, at 2,000 orders a second through bridge, broker and one worker."""

import statistics
import time
from dataclasses import dataclass

from bench.harness import Options, Plot, Report, Table, Target, kafka, median_range, percentile, usage
from bench.order_rig import SOURCE, Rig
from bench.order_traffic import Traffic

TITLE = "An order record until the command for the other channel"
RATE = 2_000
PRODUCTS = 2_000
_WARM_S, _MEASURE_S, _SETTLE_S, _OPEN_S = 5.0, 15.0, 30.0, 180.0
_P99_MS = 500


@dataclass(frozen=True, slots=True)
class _Round:
    """Milliseconds; orders a command includes; cores; orders that no command included yet when the last one left, and seconds until every one was."""

    orders: int
    p50: float
    p99: float
    longest: float
    together: float
    worker: float
    ingress: float
    under_way: int
    settled: float

    def cells(self) -> list[str]:
        """As a row of the table."""
        return [
            f"{self.orders:,}",
            f"{self.p50:.0f}",
            f"{self.p99:.0f}",
            f"{self.longest:.0f}",
            f"{self.together:.2f}",
            f"{self.worker:.2f}",
            f"{self.ingress:.2f}",
            f"{self.under_way:,}",
            f"{self.settled:.2f}",
        ]


def run(options: Options) -> Report:
    """One worker for all rounds: its state grows from round to round."""
    rounds: list[_Round] = []
    with kafka(options) as broker:
        rig = Rig(options.folder, broker.bootstrap, PRODUCTS)
        try:
            rig.start()
            traffic = Traffic(broker.bootstrap, SOURCE, rig.skus, rig.partitions)
            traffic.start()
            listings = 2 * PRODUCTS
            rig.until(lambda: len(traffic.opened) == listings, f"{listings:,} listings have a first command", _OPEN_S)
            for number in range(options.rounds):
                rounds.append(_round(rig, traffic, _MEASURE_S / 5 if options.quick else _MEASURE_S))
                print(f"round {number + 1}:", *rounds[-1].cells(), sep="  ", flush=True)
            rig.until(lambda: rig.behind() == 0, "the worker has nothing left to process", _SETTLE_S)
            traffic.end()
        finally:
            rig.close()
    return _report(rig, traffic, rounds)


def _round(rig: Rig, traffic: Traffic, seconds: float) -> _Round:
    cover, processes = traffic.cover, (rig.worker.pid, rig.ingress.pid)
    traffic.feed(RATE, _WARM_S)
    covered, commands, before = cover.covered, cover.commands, [usage(pid).cpu for pid in processes]
    begin = time.perf_counter()
    traffic.feed(RATE, seconds)
    end, under_way, after = time.perf_counter(), cover.under_way, [usage(pid).cpu for pid in processes]
    together = (cover.covered - covered) / (cover.commands - commands)
    settled = traffic.settle(_SETTLE_S)
    found = [took * 1000 for left, took in traffic.latencies if left >= begin]
    worker, ingress = ((now - then) / (end - begin) for now, then in zip(after, before, strict=True))
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    return _Round(len(found), p50, p99, max(found), together, worker, ingress, under_way, settled)


def _report(rig: Rig, traffic: Traffic, rounds: list[_Round]) -> Report:
    cover = traffic.cover
    p99 = [one.p99 for one in rounds]
    bars = [
        (name, statistics.median(values), min(values), max(values))
        for name, values in (("p50", [one.p50 for one in rounds]), ("p99", p99))
    ]
    return Report(
        f"An order comes in at commercetools, with its content, and the same pool is on offer at BigCommerce: how long until the command that lowers that "
        f"listing is there, at {RATE:,} orders a second, through the bridge and one worker (exactly_once, {rig.commit_ms} ms cycles, {rig.partitions} "
        "partitions)?",
        [
            Target(
                f"order record to command, {RATE:,} orders/s",
                f"p99 <= {_P99_MS} ms",
                f"p50 {median_range([one.p50 for one in rounds], 0)}, p99 {median_range(p99, 0)} ms; worst round counts",
                max(p99) <= _P99_MS,
            ),
            Target(
                "orders that a command includes",
                "every one, and no backlog",
                f"{cover.covered:,} of {cover.sent:,}",
                cover.covered == cover.sent,
            ),
        ],
        [
            Table(
                "Rounds",
                [
                    "orders",
                    "p50 ms",
                    "p99 ms",
                    "longest ms",
                    "orders a command",
                    "worker, cores",
                    "ingress, cores",
                    "on their way when feeding ends",
                    "until all are in, s",
                ],
                [one.cells() for one in rounds],
            )
        ],
        [Plot("Order record until the command is visible", "ms", bars)],
        [
            "Time runs from producing the record (an `OrderCreated` message with the whole order, paid, one line) to the topic of the channel's subscription "
            "until a read_committed consumer of `channel.commands` has the stock command that includes it; in between are the bridge, `ingress.webhooks`, "
            "`orders.events` and `inventory.events`. That topic lies in the same broker.",
            f"How an order is matched: orders of one SKU that are on their way ask for different powers of two, so that what a command's figure lies below the "
            f"one before names the orders that it newly includes, however many and in whatever order. {PRODUCTS:,} SKUs, a fifth of them gets four fifths of "
            "the orders, each has one listing in either channel and a pool large enough to be shared (mode `auto`).",
            "No call to a peer lies in between. All channels are in shadow: delivery folds every command, looks at every row and writes nothing, so no budget "
            "limits it. Stock, listings and watermarks come from simulated peers that the worker reads as always. Every order's release is a command, too.",
            f"One worker for all rounds; {_WARM_S:g} s before each are not counted. Broker, ingress, worker, simulators and the generator share the machine's "
            "cores. At the end the worker says itself that no record of any topic is left.",
        ],
    )
