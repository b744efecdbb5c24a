"""The product under a stream of orders, with simulated peers, as processes on a broker that runs: what `bench.order_flow` measures. It judges nothing.

The simulators run in this process, worker and ingress are the product's own. Peers show their own truth; of the product only its status page is asked.
"""

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from app.drill.checks import run_checks
from app.drill.file import DrillFile, LoadStep
from app.drill.load import Shoppers, run_load
from app.drill.peers import Peers
from app.drill.product import ForeignBroker, Product
from app.drill.read import parse_drill
from app.drill.report import gather
from app.drill.settle import Settling
from app.drill.simulators import RealPeers
from app.drill.steps import Script
from app.drill.topics import GroupLag, read_exceptions
from app.drill.watch import despatch_latencies, order_latencies
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.contract import FloorSpeed, StorefrontOrder, WarehouseSimulator
from bench.harness import usage

_STOCK = 1_000_000
_CALLS = re.compile(r'_api_calls_total\{channel="([^"]*)",.*purpose="([^"]*)".*\} (\S+)')


def _shop(products: int) -> dict[str, Any]:
    """A drill without steps: two storefronts that share every pool, BigCommerce on its enterprise plan."""
    return {
        "name": "a stream of orders",
        "channels": {
            "ct": {"system": "commercetools", "order_lag": ["0s", "0.1s"], "rate": "500/s"},
            "bc": {"system": "bigcommerce", "plan": "enterprise", "order_lag": ["0s", "0.1s"]},
        },
        "warehouses": ["MAIN"],
        "products": [
            {"sku": f"SKU-{n:04}", "channels": {"ct": f"SKU-{n:04}", "bc": f"SKU-{n:04}"}, "stock": {"MAIN": _STOCK}}
            for n in range(products)
        ],
        "policies": [{"mode": "shared"}],
        "steps": [],
        "settings": {"sweeps": {"orders": "10s", "stock": "30s", "listings": "600s", "feed": "10s"}},
        "floor": "manual",
    }


class _Clarus(ClarusSimulator):
    """A warehouse with the budget that its merchant gave us."""

    def __init__(self, seed: int, rate: float, floor: FloorSpeed) -> None:
        super().__init__("clarus", seed, warehouses=["MAIN"], floor=floor, package_contents="stocks")
        self._rate = rate

    def connection(self) -> dict[str, Any]:
        return {**super().connection(), "rate_per_second": self._rate}


class _Peers(RealPeers):
    """Those of a drill, with that warehouse."""

    def __init__(self, rate: float, floor: FloorSpeed) -> None:
        self._rate, self._floor = rate, floor

    def warehouse(self, file: DrillFile) -> WarehouseSimulator:
        return _Clarus(file.seed, self._rate, self._floor)


@dataclass(slots=True)
class Load:
    """What happened while the peers were busy: seconds of each latency, CPU seconds by process, the longest queues that the worker told of."""

    seconds: float = 0.0
    drained: float = 0.0
    """From the last of it until nothing was left to do."""
    cpu: dict[str, float] = field(default_factory=dict)
    backlog: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    left: str = ""
    """What was not done when nobody waited any longer; empty: nothing."""
    calls: Counter[str] = field(default_factory=Counter)
    """The same by channel and purpose, as the worker counts them."""


@dataclass(slots=True)
class _Listed:
    """Told of the orders that were placed."""

    orders: list[tuple[str, StorefrontOrder]] = field(default_factory=list)

    def placed(self, channel: str, order: StorefrontOrder) -> None:
        self.orders.append((channel, order))

    def turned_away(self, channel: str) -> None:
        raise RuntimeError(f"{channel} had nothing to sell")


class Stream:
    """One product and its peers, from `start` to `stop`."""

    def __init__(self, bootstrap: str, broker: int, products: int, clarus_rate: float, floor: FloorSpeed) -> None:
        """`broker` is its process; `clarus_rate` our budget at the warehouse, requests a second."""
        drill = parse_drill(yaml.safe_dump(_shop(products)), "stream.yaml")
        self.peers = Peers(drill.file, _Peers(clarus_rate, floor))
        self._product = Product(self.peers, drill.raw, ForeignBroker(bootstrap), foreign=True, tell=lambda _: None)
        self._broker = broker
        self.listed = _Listed()

    async def start(self) -> None:
        """Until every listing shows what it shall."""
        await self.peers.start()
        await self._product.start()
        await self._until(lambda: not self.peers.wrong(), 180, "every listing shows its stock")
        await self._quiet()

    async def stop(self) -> None:
        """End everything."""
        await self._product.stop()
        await self.peers.stop()

    async def during(self, work: Callable[[], Awaitable[None]], done: Callable[[], bool], longest: float) -> Load:
        """Do it, then wait until `done`, `longest` seconds at most."""
        load, began = Load(), time.monotonic()
        cpu, calls = self._cpu(), {peer.name: len(peer.journal.calls) for peer in self.peers.all()}
        purposes = await self._calls()
        looking = asyncio.create_task(self._look(load))
        try:
            await work()
            load.seconds, ended = time.monotonic() - began, time.monotonic()
            load.cpu = {name: now - cpu[name] for name, now in self._cpu().items()}
            load.requests.update({p.name: len(p.journal.calls) - calls[p.name] for p in self.peers.all()})
            deadline = ended + longest
            while not done() and time.monotonic() < deadline and not self._product.failures:
                await asyncio.sleep(0.25)
            load.left = "" if done() else str({name: n for name, n in (await self._queues()).items() if n})
            load.drained = time.monotonic() - ended
            load.calls = await self._calls() - purposes
        finally:
            looking.cancel()
        return load

    async def orders(self, rate: float, seconds: float) -> None:
        """Customers of both storefronts: so many orders of one line a second."""
        step = LoadStep.model_validate({"orders_per_second": rate, "for": f"{seconds}s", "skus": "zipf"})
        shoppers = Shoppers(step, self.peers.offers, list(self.peers.storefronts), random.Random(1))
        await run_load(step, shoppers, self.peers.storefronts, self.listed, "")

    async def despatches(self, rate: float) -> None:
        """Every order that is at the warehouse and not despatched leaves it in one parcel, so many a second."""
        keys = [f"{channel}:{order.order_id}" for channel, order in self.listed.orders]
        lines = {goods_out.upstream: goods_out.lines for goods_out in self.peers.clarus.orders()}
        began = time.monotonic()
        for number, key in enumerate(keys):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            self.peers.clarus.despatch(key, [{"tracking": f"TRK-{number:06}", "lines": lines[key]}])

    def released(self) -> bool:
        """Is every order at the warehouse?"""
        made = {order.upstream for order in self.peers.clarus.orders()}
        return all(f"{channel}:{order.order_id}" in made for channel, order in self.listed.orders)

    def picked(self) -> bool:
        """Did the floor pick everything?"""
        return self.released() and all(order.status == "PICK" for order in self.peers.clarus.orders())

    def shipped(self) -> bool:
        """Does every storefront say that its orders are sent?"""
        states = {name: peer.orders() for name, peer in self.peers.storefronts.items()}
        return all(states[channel][order.number].state == "shipped" for channel, order in self.listed.orders)

    def release_seconds(self) -> list[float]:
        """From each order to its goods out."""
        placed: dict[str, dict[str, int]] = {}
        for channel, order in self.listed.orders:
            placed.setdefault(channel, {})[order.order_id] = order.placed_at
        created: dict[str, dict[str, int]] = {}
        for goods_out in self.peers.clarus.orders():
            channel, _, order_id = goods_out.upstream.partition(":")
            created.setdefault(channel, {})[order_id] = goods_out.created_at
        return order_latencies(placed, created).all()

    def despatch_seconds(self) -> list[float]:
        """From each parcel that left to its shipment."""
        names = {f"{channel}:{order.order_id}": f"{channel}:{order.number}" for channel, order in self.listed.orders}
        shipped = {name: peer.journal.entries for name, peer in self.peers.storefronts.items()}
        return despatch_latencies(self.peers.clarus.journal.entries, shipped, names).all()

    async def wrong(self) -> list[str]:
        """What a drill's checks find when all is quiet: lost, doubled, oversold, shipped twice, over budget. Processes that ended by themselves, too."""
        restless = await self._quiet()
        exceptions = await asyncio.to_thread(read_exceptions, self._product.settings)
        opening = {product.sku: _STOCK for product in self.peers.file.products}
        evidence = gather(self.peers, Script(), opening, exceptions)
        failed = [f"{name}: {one}" for name, check in run_checks(evidence).items() for one in check.failed]
        opened = [f"exception: {e.type} {e.entity} {e.detail}" for e in exceptions if e.is_open]
        return [*restless, *failed, *opened, *self._product.failures]

    # ---- looking ----

    def _cpu(self) -> dict[str, float]:
        pids = {process.name: process.pid for process in self._product.processes}
        pids |= {"peers": os.getpid(), "broker": self._broker}
        return {name: usage(pid).cpu for name, pid in pids.items()}

    async def _calls(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for text in await self._product.metrics():
            for channel, purpose, count in _CALLS.findall(text):
                found[f"{channel} {purpose}"] += int(float(count))
        return found

    async def _look(self, load: Load) -> None:
        while True:
            for name, count in (await self._queues()).items():
                load.backlog[name] = max(load.backlog[name], count)
            await asyncio.sleep(1.0)

    async def _queues(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for status in (await self._product.status()).values():
            for channel, one in status["channels"].items():
                found |= {f"{channel} {kind}": count for kind, count in one["backlog"].items()}
                found[f"{channel} requests waiting"] = one["waiting"]
        return found

    async def _quiet(self) -> list[str]:
        """Wait for it; what is still going on after two minutes."""
        lag = GroupLag(self._product.settings)
        settling = Settling(self.peers, self._product, lambda: asyncio.to_thread(lag.look))
        try:
            if await settling.wait(120):
                return []
            return [f"not quiet after 120 s: {settling.backlog}; {await self._queues()}"]
        finally:
            await asyncio.to_thread(lag.close)

    async def _until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or self._product.failures:
                tails = "\n".join(process.tail() for process in self._product.processes)
                raise RuntimeError(f"not within {seconds:g} s: {what}\n{tails}")
            await asyncio.sleep(0.25)
