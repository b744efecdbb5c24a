"""The warehouse floor: does by itself, at its speed, what people would do: allocate, pick, despatch. Sleeps while nothing is due."""

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from contextlib import suppress

from app.simulators.clarus.model import GoodsOut, Product
from app.simulators.clarus.orderbook import OrderBook
from app.simulators.contract import FloorSpeed

_BATCH = 50


class Floor:
    """Work in order of time. Orders short of stock wait in the order book and are taken up when their stock comes, not by looking again and again."""

    def __init__(self, book: OrderBook, speed: FloorSpeed, rng: random.Random) -> None:
        self._book, self.speed, self._rng = book, speed, rng
        self._work: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._retrying: set[int] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Nothing more will happen by itself. Raises what made the floor stop, if it did."""
        if self._task is not None and self._task.done():
            self._task.result()
        return not self._work

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="simulated floor")

    async def stop(self) -> None:
        """Go home."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._work, (time.monotonic() + seconds, self._count, act))
        self._wake.set()

    def created(self, order: GoodsOut) -> None:
        """A new order, or one that is PENDING again after an edit."""
        if self.speed.allocate is not None:
            self.after(self._jitter(self.speed.allocate), lambda: self._allocate(order))

    def allocated(self, order: GoodsOut) -> None:
        """An order has all its stock."""
        if self.speed.pick is not None:
            self.after(self._jitter(self.speed.pick), lambda: self._pick(order))

    def picked(self, order: GoodsOut) -> None:
        """An order is picked."""
        if self.speed.despatch is not None:
            self.after(self._jitter(self.speed.despatch), lambda: self._despatch(order))

    def raised(self, product: Product) -> None:
        """More of a product is available: those who wait for it are tried again, oldest first."""
        if self.speed.allocate is None or product.id in self._retrying or not self._book.is_waited_for(product):
            return
        self._retrying.add(product.id)
        self.after(self._jitter(self.speed.allocate), lambda: self._retry(product))

    def _allocate(self, order: GoodsOut) -> None:
        if order.status in ("PENDING", "PART_ALLOCATED") and self._book.allocate(order):
            self.allocated(order)

    def _pick(self, order: GoodsOut) -> None:
        if order.status == "ALLOCATED":
            self._book.pick(order)
            self.picked(order)

    def _despatch(self, order: GoodsOut) -> None:
        if order.status != "PICK" or any(line.missing for line in order.lines):
            return
        contents = [(line.product.code, line.picked + line.allocated) for line in order.lines]
        contents = [(code, quantity) for code, quantity in contents if quantity]
        if contents:
            self._book.despatch(order, f"TRK{order.id:08d}-{len(order.parcels) + 1}", contents)

    def _retry(self, product: Product) -> None:
        self._retrying.discard(product.id)
        for order in self._book.waiting_for(product):
            if all(balance.available <= 0 for balance in self._book.stockroom.balances(product)):
                break
            self._allocate(order)

    def _jitter(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.8, 1.2)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            for _ in range(_BATCH):
                if not self._work or self._work[0][0] > time.monotonic():
                    break
                heapq.heappop(self._work)[2]()
            wait = self._work[0][0] - time.monotonic() if self._work else None
            if wait is not None and wait <= 0:
                await asyncio.sleep(0)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)
