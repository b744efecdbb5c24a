"""What became of orders at the warehouse: looked up by reference, many at once, because a row asks for it, because a notification names them or their lines
moved, or because it is their turn.

What a look-up means is decided by `tables/deliveries/releases.py`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, Priority, Warehouse
from app.connectors.errors import PeerError
from app.delivery.at_work import AtWork
from app.delivery.desk import Alarm, Desk
from app.delivery.gate import doing
from app.delivery.release_answers import ReleaseAnswers, Settled, seen
from app.engine.api import Context
from tables.deliveries import parcels
from tables.deliveries import releases as rules
from tables.deliveries.release_row import GONE

AT_ONCE: Final = 2
CHECK_GAP: Final = 1.0
"""Seconds between two looks at the status of orders whose lines moved."""
NAMED_GAP: Final = 0.1
"""Seconds in which the orders that notifications name gather."""


class ReleaseLooks:
    """Look-ups of one warehouse. `busy` and `settled` as in `ReleaseWrites`, `left` as in `Releases`."""

    def __init__(
        self,
        desk: Desk,
        connector: Warehouse,
        answers: ReleaseAnswers,
        at_work: AtWork,
        alarm: Alarm,
        busy: set[str],
        settled: Callable[[str, Settled | None], None],
        left: Callable[[GoodsOut, int], None],
    ) -> None:
        self._desk, self._connector, self._answers, self._at_work = desk, connector, answers, at_work
        self._alarm, self._busy, self._settled, self._left = alarm, busy, settled, left
        self._names: dict[str, None] = {}
        self._to_check: dict[str, None] = {}  # the one that waits longest first
        self._changed: set[str] = set()  # of them, those that are looked at even where they are over
        self._named: dict[str, None] = {}
        self._told = asyncio.Event()
        self._tasks = 0

    # ---- because a row asks for it ----

    def want(self, references: Iterable[str]) -> None:
        """Look these up as soon as there is room."""
        for reference in references:
            self._names[reference] = None
            self._busy.add(reference)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Look up what is wanted, as far as there is room."""
        size = self._connector.max_read
        while self._names and self._tasks < AT_ONCE:
            names = list(islice(self._names, size))
            for name in names:
                del self._names[name]
            self._tasks += 1
            group.create_task(self._look_up(names))

    async def _look_up(self, names: Sequence[str]) -> None:
        began = self._desk.now()
        try:
            orders = await doing("find_orders", self._connector.find_orders(names, Priority.RELEASE))
            await self._found(names, orders, began)
        except PeerError as error:
            for name in names:
                self._alarm.set(name, self._desk.now() + self._desk.backoff(self._desk.failures + 1, error.retry_after))
            await self._desk.failed(error)
        else:
            await self._desk.worked()
        finally:
            self._tasks -= 1
            self._busy.difference_update(names)
            self._alarm.ring()

    async def _found(self, names: Sequence[str], orders: Mapping[str, Sequence[GoodsOut]], began: int) -> None:
        def work(context: Context, emit: Emitter) -> dict[str, Settled]:
            return self._fold_found(context, emit, {name: orders.get(name, []) for name in names}, began)

        changed = await self._desk.commit(work)
        for name in names:
            self._settled(name, changed.get(name))

    def _fold_found(
        self, context: Context, emit: Emitter, orders: Mapping[str, Sequence[GoodsOut]], began: int
    ) -> dict[str, Settled]:
        result: dict[str, Settled] = {}
        for name, there in orders.items():
            row = context.get(self._desk.tables.releases, name)
            if row is None:
                continue
            opened = row.answered < row.version
            answers = rules.found(row, [seen(one) for one in there], began, self._desk.create_unknown, context.now_ms)
            if there:
                one = next((one for one in there if one.status not in GONE), there[0])
                if parcels.note(row, one.despatched, one.status == "COMPLETED", context.now_ms):
                    self._desk.is_due(context, "parcels", name, context.now_ms)
                    self._left(one, row.parcels_due)
            self._answers.answer(context, emit, row, answers, opened)
            self._answers.tell_stuck(context, emit, row)
            result[name] = Settled(tuple(row.skus), bool(answers))
        return result

    # ---- the status of what is at the warehouse ----

    def moved(self, references: Iterable[str], changed: Iterable[str]) -> None:
        """As `Releases.moved`."""
        self._changed.update(changed)
        self._to_check.update(dict.fromkeys((*references, *self._changed)))

    def named(self, reference: str) -> None:
        """As `Releases.named`. A hint, which a read of its SKUs follows: it may be lost."""
        self._named[reference] = None
        self._told.set()

    def looked_up(
        self, context: Context, emit: Emitter, orders: Mapping[str, Sequence[GoodsOut]], began: int
    ) -> set[str]:
        """Goods outs that the stock side looked up after `began`, inside its commit; returns the SKUs that this is news for.

        An order with something under way has look-ups of its own.
        """
        shown = {name: there for name, there in orders.items() if there and name not in self._busy}
        found = self._fold_found(context, emit, shown, began)
        self._checked(shown)
        self._changed.difference_update(shown)
        return {sku for settled in found.values() if settled.news for sku in settled.skus}

    async def run_named(self) -> None:
        """Until cancelled: the status of orders that notifications named, those of a moment together. What is busy is left to `run_checks`."""
        while True:
            await self._told.wait()
            await asyncio.sleep(NAMED_GAP)
            while self._named and self._desk.may_write and self._desk.gate.wait() == 0:
                names = list(islice(self._named, self._connector.max_read))
                for name in names:
                    del self._named[name]
                self._to_check.update(dict.fromkeys(name for name in names if name in self._busy))
                free = [name for name in names if name not in self._busy]
                if free:
                    await self._check(free, Priority.RELEASE)
            self._named.clear()
            self._told.clear()

    async def run_checks(self) -> None:
        """Until cancelled: the status of orders whose lines moved, and of all that are at the warehouse within the stock sweep."""
        gap = CHECK_GAP
        while True:
            await asyncio.sleep(gap)
            gap = CHECK_GAP
            if self._desk.may_write and self._desk.gate.wait() == 0:
                names, more = await self._desk.commit(self._next_checks)
                if names and await self._check(names, Priority.SWEEP) and more:
                    gap = 0.0

    def _next_checks(self, context: Context, _: Emitter) -> tuple[list[str], bool]:
        """Those that something is known of first, then those whose turn it is; True where more are known of than one look-up takes."""
        size, names = self._connector.max_read, list[str]()
        for name in list(self._to_check):
            row = context.get(self._desk.tables.releases, name)
            if name not in self._changed and (row is None or not rules.at_work(row)):
                del self._to_check[name]
            elif name not in self._busy:
                names.append(name)
            if len(names) >= size:
                return names, True
        turn = self._at_work.next(context, size - len(names))
        return names + [name for name in turn if name not in self._busy and name not in names], False

    def _checked(self, names: Iterable[str]) -> None:
        for name in names:
            self._to_check.pop(name, None)

    async def _check(self, names: Sequence[str], priority: Priority) -> bool:
        """True where it was answered. An order that became busy meanwhile is looked at again: its own look-up may have begun before what is looked for."""
        changed = self._changed.intersection(names)
        self._checked(names)
        self._changed.difference_update(names)
        began = self._desk.now()
        try:
            orders = await doing("find_orders", self._connector.find_orders(names, priority))
        except PeerError as error:
            self._to_check.update(dict.fromkeys(names))
            self._changed.update(changed)
            await self._desk.failed(error)
            return False
        busy = self._busy.intersection(names)
        self._to_check.update(dict.fromkeys(busy))
        await self._found([name for name in names if name not in busy], orders, began)
        return True
