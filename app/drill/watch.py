"""Watches the storefronts while a drill runs: every change of a listing's own quantity with its time, what should be shown, how long a movement took.

A movement has reached a listing when the listing shows a figure that was right at some moment since the movement, and differs from what was right before.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.drill.model import Offer, Truth
from app.drill.peers import Peers

SAMPLE_SECONDS = 0.025
_PER_SAMPLE = 400
_OPEN_SECONDS = 60.0


@dataclass(slots=True)
class Latencies:
    """Seconds, by channel."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, channel: str, seconds: float) -> None:
        """One more."""
        self.samples.setdefault(channel, []).append(max(0.0, seconds))

    def summary(self) -> dict[str, dict[str, float]]:
        """Count, median, 99th percentile and longest, by channel."""
        return {channel: summarise(values) for channel, values in sorted(self.samples.items())}

    def all(self) -> list[float]:
        """Of all channels together."""
        return [value for values in self.samples.values() for value in values]


def summarise(values: list[float]) -> dict[str, float]:
    """Nearest-rank percentiles, rounded to milliseconds."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)], 3) if ordered else 0

    return {"count": len(ordered), "p50": at(0.50), "p99": at(0.99), "max": at(1.0)}


@dataclass(slots=True)
class _Expected:
    """A movement on its way to one listing: the figures that have been right since it happened."""

    offer: Offer
    since: float
    figures: set[int]


class Watch:
    """Samples all listings. `moved` opens a measurement, the samples close it."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.latency = Latencies()
        self.shown: Mapping[str, int] = {}
        self._right: dict[str, int] = {}
        self._open: deque[_Expected] = deque()
        self._task: asyncio.Task[None] | None = None
        self._seen, self._next_truth = -1, 0.0

    def start(self) -> None:
        """Begin at time 0."""
        self.shown = dict(self._peers.shown())
        self._right = self._figures(self._peers.truth())
        self._task = asyncio.create_task(self._run(), name="watch")

    async def stop(self) -> None:
        """Stop sampling. What has not arrived is not counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def moved(self, sku: str) -> None:
        """A movement of this product happened now."""
        figures = self._figures(self._peers.truth())
        now = time.monotonic()
        for offer in self._peers.offers.of_physical(sku):
            if figures[offer.name] != self._right.get(offer.name) and not offer.escrow:
                self._open.append(_Expected(offer, now, {figures[offer.name]}))
        self._right = figures

    def _figures(self, truth: Truth) -> dict[str, int]:
        return {offer.name: truth.figure(offer) for offer in self._peers.offers.all}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS if len(self._peers.offers.all) <= _PER_SAMPLE else 10 * SAMPLE_SECONDS)
            self.shown = self._peers.shown()
            if self._open:
                self._close()

    def _close(self) -> None:
        """Compare what is shown with what has been right since each movement still open."""
        written = sum(len(peer.journal.entries) for peer in self._peers.all())
        now = time.monotonic()
        if written != self._seen and now >= self._next_truth:
            self._seen, self._right = written, self._figures(self._peers.truth())
            self._next_truth = now + 5 * (
                time.monotonic() - now
            )  # with many orders the truth costs time that the peers need
        still: deque[_Expected] = deque()
        for expected in self._open:
            expected.figures.add(self._right[expected.offer.name])
            if self.shown[expected.offer.name] in expected.figures:
                self.latency.add(expected.offer.channel, now - expected.since)
            elif now - expected.since < _OPEN_SECONDS:
                still.append(expected)
        self._open = still


def order_latencies(placed: Mapping[str, Mapping[str, int]], created: Mapping[str, Mapping[str, int]]) -> Latencies:
    """From an order placed to its goods out, by channel; times in milliseconds by order id."""
    latencies = Latencies()
    for channel, orders in placed.items():
        for order_id, at in orders.items():
            if (made := created.get(channel, {}).get(order_id)) is not None:
                latencies.add(channel, (made - at) / 1000)
    return latencies


def despatch_latencies(
    despatched: Iterable[Mapping[str, Any]],
    shipped: Mapping[str, Iterable[Mapping[str, Any]]],
    numbers: Mapping[str, str],
) -> Latencies:
    """From a parcel that left to its shipment, by channel. `numbers`: order key to `channel:number`; both sides are journal entries with their times."""
    at: dict[tuple[str, str], int] = {}
    for channel, entries in shipped.items():
        for entry in entries:
            if entry["what"] == "shipment":
                at[f"{channel}:{entry['order']}", str(entry["tracking"])] = entry["at"]
    found = Latencies()
    for entry in despatched:
        if entry["what"] != "despatched":
            continue
        name = numbers.get(str(entry["order"]), "")
        when = at.get((name, str(entry["tracking"])))
        if when is not None:
            found.add(name.partition(":")[0], (when - entry["at"]) / 1000)
    return found
