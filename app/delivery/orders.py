"""The order side of a storefront's owner: polls that make the channel's watermark, and orders fetched whole because a notification named them.

Orders go to `orders.events` page by page; after the last page the watermark goes into every partition of it, in the commit that moves the poll's cursor.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Final

import msgspec

from agents.emit import Emitter
from app.connectors.contract import Priority, Storefront
from app.connectors.errors import Malformed, PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.delivery.worklist import Worklist
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import OrderSnapshot, OrderWatermark
from tables.deliveries import polls
from tables.deliveries.polls import PollRow

SHORTEST_GAP: Final = 1000
"""Milliseconds between two polls, however much waits for a watermark."""
CLOCK_GAP: Final = 1.0
"""Seconds after which the peer's clock is asked again: its bounds narrow with every answer."""
FETCHES_AT_ONCE: Final = 4
GATHER: Final = 100
"""Milliseconds that an order waits at least, for others to be fetched with it and for further notifications of the same change; those named between two
multiples of it are due together."""


class SentOrders:
    """Which orders this owner has handed on lately, so that an overlapping poll does not send them again.

    By content: two changes in one second share a version at BigCommerce.
    """

    def __init__(self) -> None:
        self._sent: dict[str, tuple[int, bytes]] = {}

    def news(self, orders: Sequence[OrderSnapshot]) -> list[OrderSnapshot]:
        """Those that were not handed on as they stand."""
        return [order for order in orders if self._sent.get(order.order_id, (0, b""))[1] != _digest(order)]

    def remember(self, orders: Sequence[OrderSnapshot]) -> None:
        """They are committed."""
        for order in orders:
            self._sent[order.order_id] = (order.modified_at, _digest(order))

    def forget(self, before: int) -> None:
        """Changes before this peer time come in no overlap any more."""
        self._sent = {key: sent for key, sent in self._sent.items() if sent[0] >= before}


def _digest(order: OrderSnapshot) -> bytes:
    return blake2b(msgspec.msgpack.encode(order), digest_size=16).digest()


class OrderIntake:
    """Polls and fetches of one channel."""

    def __init__(self, desk: Desk, connector: Storefront) -> None:
        self._desk, self._connector = desk, connector
        self._row = PollRow(desk.channel)
        self._sent = SentOrders()
        self._wanted = 0
        self._bell = asyncio.Event()
        self._next_whole = 0
        self._last = 0
        self._failures = 0
        self._worklist = Worklist(desk)
        self._fetches = 0
        self._fetching: set[str] = set()
        self._again: set[str] = set()
        self._fetch_failures: dict[str, int] = {}
        self._since: dict[str, int] = {}

    # ---- seen from outside ----

    def known(self, at: int) -> None:
        """Something waits until every order up to this storefront time is folded: poll as soon as that can be told."""
        margin = self._desk.settings.bounds.consistency_margin
        self._wanted = max(self._wanted, at + margin + self._connector.order_resolution_ms)
        self._bell.set()

    def changed(self, key: str) -> None:
        """An order is to be fetched."""
        now = self._desk.now()
        self._since.setdefault(key, now)
        if key in self._fetching:
            self._again.add(key)
        if key not in self._worklist.now and key not in self._worklist.alarm:
            self._worklist.alarm.set(key, (now // GATHER + 2) * GATHER)

    def pending(self) -> int:
        """Orders still to be fetched."""
        return len(self._since.keys() | self._fetching)

    def queues(self) -> Queues:
        """Orders still to be fetched."""
        found = Queues("fetches")
        for since in self._since.values():
            found.add(Priority.RELEASE, since)
        return found

    async def load(self) -> None:
        """Take over where the last owner stood."""
        desk = self._desk

        def read(context: Context, _: Emitter) -> tuple[PollRow, dict[str, int]]:
            row = context.get(desk.tables.polls, desk.channel) or PollRow(desk.channel)
            return row, {key: one.asked_at for key, one in context.scan(desk.tables.fetches, f"{desk.channel}/")}

        row, waiting = await desk.commit(read)
        self._row = msgspec.structs.replace(row)
        for key, asked_at in waiting.items():
            self._worklist.add(key)
            self._since[key] = asked_at

    # ---- polls ----

    async def run_polls(self) -> None:
        """Until cancelled: a whole poll every `sweeps.orders`, a short one when something waits for the watermark."""
        while True:
            await self._until_due()
            whole = polls.whole_needed(self._row) or self._desk.now() >= self._next_whole
            self._last = self._desk.now()
            if whole:
                self._next_whole = self._last + self._desk.settings.sweeps.orders
            try:
                await doing("poll_orders", self._poll(whole))
            except PeerError as error:
                self._failures += 1
                wait = self._desk.backoff(self._failures, error.retry_after)
                self._next_whole = self._desk.now() + wait
                await self._desk.failed(error)
                await asyncio.sleep(wait / 1000)
            else:
                self._failures = 0
                await self._desk.worked()

    async def _until_due(self) -> None:
        while True:
            self._bell.clear()
            due = self._next_whole
            if self._wanted > self._row.started_at:
                ahead = self._wanted - self._desk.gate.peer_time()[0]
                due = min(due, max(self._last + SHORTEST_GAP, self._desk.now() + ahead))
            wait = (due - self._desk.now()) / 1000
            if wait <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, CLOCK_GAP)):
                    await self._bell.wait()

    async def _poll(self, whole: bool) -> None:
        settings, complete = self._desk.settings, False
        since = polls.since(
            self._row,
            self._desk.gate.peer_time()[0],
            whole=whole,
            overlap=settings.sweeps.order_overlap,
            margin=settings.bounds.consistency_margin,
            resolution=self._connector.order_resolution_ms,
            first=self._desk.orders_from,
        )
        async for page in self._connector.poll_orders(since, Priority.RELEASE):
            await self._hand_on(page.orders)
            if page.last:
                await self._complete(page.started_at, whole)
                complete = True
        if not complete:
            raise Malformed(self._desk.channel, "poll orders", "it ended without its last page")
        self._sent.forget(self._row.whole_at - 2 * settings.sweeps.order_overlap)

    async def _hand_on(self, orders: Sequence[OrderSnapshot]) -> None:
        news = self._sent.news(orders)
        if news:
            await self._desk.commit(lambda _, emit: _send_orders(emit, news))
            self._sent.remember(news)

    async def _complete(self, started_at: int, whole: bool) -> None:
        desk, margin = self._desk, self._desk.settings.bounds.consistency_margin

        def work(context: Context, emit: Emitter) -> PollRow:
            row = context.get(desk.tables.polls, desk.channel) or PollRow(desk.channel)
            known = OrderWatermark(
                channel=desk.channel, up_to=polls.completed(row, started_at, whole=whole, margin=margin)
            )
            context.put(desk.tables.polls, desk.channel, row)
            for partition in range(desk.engine.partitions):
                emit.send(topics.ORDERS_EVENTS, f"watermark/{desk.channel}", known, partition=partition)
            return msgspec.structs.replace(row)

        self._row = await desk.commit(work)

    # ---- fetches ----

    async def run_fetches(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled: every order that was asked for, a few requests at a time."""
        while True:
            self._worklist.ripen()
            while self._fetches < FETCHES_AT_ONCE and self._desk.gate.wait() <= 0 and (keys := self._next_fetch()):
                self._fetches += 1
                self._fetching.update(keys)
                for key in keys:
                    del self._worklist.now[key]
                group.create_task(self._fetch(keys))
            await self._worklist.rest()

    def _next_fetch(self) -> list[str]:
        """As many as one request may bring; what failed is asked for alone, so that it keeps no other."""
        ready = [key for key in self._worklist.now if key not in self._fetching]
        if ready and ready[0] in self._fetch_failures:
            return ready[:1]
        return [key for key in ready if key not in self._fetch_failures][: self._connector.max_fetch]

    async def _fetch(self, keys: Sequence[str]) -> None:
        desk = self._desk
        order_ids = [key.removeprefix(f"{desk.channel}/") for key in keys]
        try:
            orders = await doing("fetch_order", self._connector.fetch_orders(order_ids, Priority.RELEASE))
            news = self._sent.news(list(orders.values()))
            await desk.commit(lambda context, emit: self._fetched(context, emit, keys, news))
        except PeerError as error:
            await self._fetch_failed(keys, error)
        else:
            self._sent.remember(news)
            for key in keys:
                self._fetch_failures.pop(key, None)
                if key not in self._again:
                    self._since.pop(key, None)
            await desk.worked()
        finally:
            self._fetches -= 1
            self._fetching.difference_update(keys)
            self._again.difference_update(keys)
            self._worklist.alarm.ring()

    def _fetched(self, context: Context, emit: Emitter, keys: Sequence[str], news: Sequence[OrderSnapshot]) -> None:
        """Hand the orders on; a row goes unless a notification came since the fetch began."""
        table = self._desk.tables.fetches
        for key in keys:
            if key not in self._again and context.get(table, key) is not None:
                context.delete(table, key)
                self._desk.confirmed("fetch", 0)
            self._desk.resolve_trouble(context, emit, "delivery_failed", _entity(key))
        _send_orders(emit, news)

    async def _fetch_failed(self, keys: Sequence[str], error: PeerError) -> None:
        desk, given_up = self._desk, list[str]()
        for key in keys:
            failures = self._fetch_failures[key] = self._fetch_failures.get(key, 0) + 1
            self._worklist.alarm.set(key, desk.now() + desk.backoff(failures, error.retry_after))
            if failures >= desk.settings.delivery.attempts:
                given_up.append(key)
        await desk.failed(error)
        if given_up and not desk.away:
            detail = f"cannot be fetched, {error.request}: {error.detail}"

            def tell(context: Context, emit: Emitter) -> None:
                for key in given_up:
                    desk.open_trouble(context, emit, "delivery_failed", _entity(key), detail)

            await desk.commit(tell)


def _entity(key: str) -> str:
    """How people name the order: channel:order id."""
    return key.replace("/", ":", 1)


def _send_orders(emit: Emitter, orders: Sequence[OrderSnapshot]) -> None:
    for order in orders:
        emit.send(topics.ORDERS_EVENTS, f"{order.channel}:{order.order_id}", order)
