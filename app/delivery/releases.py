"""The order side of the warehouse's owner: releases, changes and cancels, one goods out for each order, and what became of those that are at the warehouse.

What to do next and what an answer means is decided by `tables/deliveries/releases.py`; here intents are committed before requests leave, and look-ups are
made for many references at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, Priority, Warehouse
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.at_work import AtWork
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.delivery.stock import mark_dirty
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import ReleaseOrder, WarehouseOrder
from tables.deliveries import parcels
from tables.deliveries import releases as rules
from tables.deliveries.release_row import (
    GONE,
    AtWarehouse,
    Cancel,
    CancelTwin,
    Change,
    Create,
    Idle,
    LookUp,
    ProcessPicks,
    ReleaseRow,
    Report,
)

ROWS_AT_ONCE: Final = 500
WRITES_AT_ONCE: Final = 200
"""Many more than `delivery.parallel`: an order keeps its place from the commit of its intent until that of its answer."""
LOOKS_AT_ONCE: Final = 2
CHECK_GAP: Final = 1.0
"""Seconds between two looks at the status of orders whose lines moved."""
LONGEST_SLEEP: Final = 5.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a commit made of an order: its SKUs, whether ORDERS was told something."""

    skus: tuple[str, ...]
    news: bool


@dataclass(slots=True)
class Round:
    """What one look at the rows found."""

    looks: list[str] = field(default_factory=list)
    creates: list[ReleaseOrder] = field(default_factory=list)
    changes: list[tuple[ReleaseOrder, GoodsOut]] = field(default_factory=list)
    cancels: list[GoodsOut] = field(default_factory=list)
    twins: list[GoodsOut] = field(default_factory=list)
    picks: list[GoodsOut] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    waits: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int | None] = field(default_factory=dict)  # since when; None: nothing


class Releases:
    """`touched` tells the stock side which SKUs an answer concerns, `left` the parcel side when the packages of an order are to be read."""

    def __init__(
        self, desk: Desk, connector: Warehouse, touched: Callable[[str], None], left: Callable[[GoodsOut, int], None]
    ) -> None:
        self._desk, self._connector, self._touched, self._left = desk, connector, touched, left
        self._alarm = desk.alarm()
        self._todo: dict[str, None] = {}
        self._parked: dict[str, None] = {}  # would be sent were the warehouse neither paused nor in shadow
        self._writable: dict[str, None] = {}  # looked up, waits for its turn to be written
        self._looks: dict[str, None] = {}
        self._busy: set[str] = set()
        self._pending: dict[str, int] = {}  # since when
        self._at_work = AtWork(desk)
        self._to_check: set[str] = set()
        self._changed: set[str] = set()  # of them, those that are looked at even where they are over
        self._writes = 0
        self._look_tasks = 0
        settings = desk.settings
        self._create_unknown = max(settings.delivery.create_unknown, settings.bounds.late_max)

    # ---- seen from outside ----

    def changed(self, reference: str) -> None:
        """Its row changed: look at it."""
        self._todo.setdefault(reference)
        self._alarm.ring()

    def resumed(self) -> None:
        """A pause ended: send what waited for it."""
        parked, self._parked = self._parked, {}
        self._todo.update(parked)
        self._alarm.ring()

    def moved(self, references: Iterable[str], changed: Iterable[str]) -> None:
        """Lines of these orders changed at the warehouse: their status may have. Of the `changed` ones other figures left than ORDERS knows of."""
        self._changed.update(changed)
        self._to_check.update(references, self._changed)

    def unseen(self, context: Context, sku: str, lines: Collection[str]) -> list[str]:
        """Some of the orders with this SKU at the warehouse whose lines a read did not show: they wait, or were despatched between two reads."""
        return self._at_work.unseen(context, sku, lines)

    def pending(self) -> int:
        """Orders whose release or cancel is not answered; in shadow what is held back does not count."""
        held = self._parked.keys() if self._desk.shadow else set()
        return len((self._pending.keys() - held) | self._todo.keys() | self._busy)

    def queues(self) -> Queues:
        """Orders whose release or cancel is not answered; in shadow what is held back does not count."""
        held = self._parked.keys() if self._desk.shadow else set()
        found = Queues("orders")
        for key in (self._pending.keys() - held) | self._todo.keys() | self._busy:
            found.add(Priority.RELEASE, self._pending.get(key))
        return found

    async def load(self) -> None:
        """Take the rows over: intents found in them are unknown outcomes."""
        desk = self._desk

        def take_over(context: Context, _: Emitter) -> list[str]:
            todo = list(desk.due(context, "order"))
            for key in todo:
                row = context.get(desk.tables.releases, key)
                if row is not None:
                    rules.foreign(row, context.now_ms)
                    context.put(desk.tables.releases, key, row)
            return todo

        self._todo.update(dict.fromkeys(await desk.commit(take_over)))

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Until cancelled."""
        while True:
            for key in self._alarm.due():
                self._todo.setdefault(key)
            if self._desk.may_write and self._desk.gate.wait() == 0:
                await self._round(group)
                self._start_looks(group)
            await self._alarm.wait(min(LONGEST_SLEEP, self._desk.gate.wait() or LONGEST_SLEEP))

    # ---- one round ----

    async def _round(self, group: asyncio.TaskGroup) -> None:
        slots = WRITES_AT_ONCE - self._writes
        turn = list(islice(self._writable, slots))
        ready = turn + list(islice((key for key in self._todo if key not in self._busy), ROWS_AT_ONCE))
        if not ready:
            return
        for key in ready:
            self._todo.pop(key, None)
            self._writable.pop(key, None)
            self._alarm.clear(key)
        ready = list(dict.fromkeys(ready))
        found = await self._desk.commit(lambda context, emit: self._look(context, emit, ready, slots))
        for key, since in found.pending.items():
            self._pending.pop(key, None)
            if since is not None:
                self._pending[key] = since
        for key, at in found.waits.items():
            self._alarm.set(key, at)
        self._parked.update(dict.fromkeys(found.parked))
        self._looks.update(dict.fromkeys(found.looks))
        self._busy.update(found.looks)
        self._writable.update(dict.fromkeys(found.later))
        for order in found.creates:
            self._writes += 1
            self._busy.add(order.reference)
            group.create_task(self._create(order))
        for act, goods_outs in (
            (self._cancel, found.cancels),
            (self._cancel_twin, found.twins),
            (self._process_picks, found.picks),
        ):
            for goods_out in goods_outs:
                self._writes += 1
                self._busy.add(goods_out.reference)
                group.create_task(act(goods_out))
        for order, goods_out in found.changes:
            self._writes += 1
            self._busy.add(order.reference)
            group.create_task(self._change(order, goods_out))
        if self._todo or (self._writable and self._writes < WRITES_AT_ONCE):
            self._alarm.ring()

    def _look(self, context: Context, emit: Emitter, keys: Sequence[str], slots: int) -> Round:
        found = Round()
        held = not self._desk.may_change(context)
        for key in keys:
            row = context.get(self._desk.tables.releases, key)
            if row is None:
                continue
            found.pending[key] = row.since if rules.pending(row) else None
            step = rules.next_step(row, context.now_ms, picks=self._connector.processes_picks)
            match step:
                case LookUp():
                    found.looks.append(key)
                case Report():
                    self._answer(context, emit, row, rules.report(row, ""), opened=True)
                    found.pending[key] = None
                case Idle():
                    if step.until is not None:
                        found.waits[key] = step.until
                case Create() | Change() | Cancel() | CancelTwin() | ProcessPicks() if held:
                    found.parked.append(key)
                case CancelTwin() | ProcessPicks():
                    if slots <= 0:
                        found.later.append(key)
                        continue
                    slots -= 1
                    asked = found.twins if isinstance(step, CancelTwin) else found.picks
                    asked.append(GoodsOut(step.wms_id, key, row.status, row.warehouse, {}))
                case Create() | Change() | Cancel():
                    if slots <= 0:
                        found.later.append(key)
                        continue
                    slots -= 1
                    there = GoodsOut(row.wms_id, key, row.status, row.warehouse, {})
                    match step:
                        case Create():
                            found.creates.append(step.order)
                        case Change():
                            found.changes.append((step.order, there))
                        case Cancel():
                            found.cancels.append(there)
                    if row.attempts == 0:
                        self._desk.sent(row.caused_at)
                    rules.begin(row, step, context.now_ms)
                    context.put(self._desk.tables.releases, key, row)
        return found

    # ---- writing ----

    async def _create(self, order: ReleaseOrder) -> None:
        made = await self._asked("create_order", self._connector.create_order(order, Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> list[WarehouseOrder]:
            if isinstance(made, GoodsOut):
                return rules.created(row, _seen(made), now)
            if isinstance(made, Refused):
                return rules.refused(row, made.detail)
            return self._failed(row, made, now)

        await self._written(order.reference, made, fold)

    async def _change(self, order: ReleaseOrder, there: GoodsOut) -> None:
        now_there = await self._asked("change_order", self._connector.change_order(order, there, Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> list[WarehouseOrder]:
            if isinstance(now_there, GoodsOut):
                return rules.changed(row, _seen(now_there), now)
            if isinstance(now_there, Refused):
                return rules.change_refused(row, now_there.detail)
            return self._failed(row, now_there, now)

        await self._written(order.reference, now_there, fold)

    async def _cancel(self, goods_out: GoodsOut) -> None:
        answer = await self._asked("cancel_order", self._connector.cancel_order(goods_out, Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> list[WarehouseOrder]:
            if isinstance(answer, str):
                return rules.cancelled(row, answer, "", now)
            if isinstance(answer, Refused):
                return rules.cancelled(row, "CANCEL_REFUSED", answer.detail, now)
            return self._failed(row, answer, now)

        await self._written(goods_out.reference, answer, fold)

    async def _cancel_twin(self, twin: GoodsOut) -> None:
        given = await self._asked("cancel_order", self._connector.cancel_order(twin, Priority.RELEASE))
        answer = "CANCEL_REFUSED" if isinstance(given, Refused) else given

        def fold(row: ReleaseRow, now: int) -> None:
            if isinstance(answer, PeerError):
                rules.twin_not_cancelled(row, self._desk.backoff(1, answer.retry_after), now)
                return
            rules.twin_cancelled(row, answer)
            if answer == "CANCEL_REFUSED":
                row.doubled = [row.wms_id, twin.wms_id]

        await self._done(twin.reference, answer, fold)

    async def _process_picks(self, goods_out: GoodsOut) -> None:
        """The order exists whatever becomes of this request: it waits as PENDING and is asked for again."""
        answer = await self._asked("process_picks", self._connector.process_picks([goods_out], Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> None:
            failed = isinstance(answer, PeerError) and not isinstance(answer, Refused)
            rules.picks_processed(row, now + (self._desk.backoff(1) if failed else self._desk.settings.sweeps.stock))

        await self._done(goods_out.reference, answer, fold)

    async def _done(self, reference: str, answer: object, fold: Callable[[ReleaseRow, int], None]) -> None:
        """Commit what became of a request that needs no intent."""
        desk = self._desk

        def work(context: Context, emit: Emitter) -> Settled | None:
            row = context.get(desk.tables.releases, reference)
            if row is None:
                return None
            fold(row, context.now_ms)
            context.put(desk.tables.releases, reference, row)
            self._keep_due(context, row)
            self._tell_doubled(context, emit, row)
            return Settled(tuple(row.skus), True)

        try:
            settled = await desk.commit(work)
        finally:
            self._busy.discard(reference)
        self._settled(reference, settled)
        if isinstance(answer, PeerError) and not isinstance(answer, Refused):
            await desk.failed(answer)
        else:
            await desk.worked()

    def _keep_due(self, context: Context, row: ReleaseRow) -> None:
        """What is to be looked at again is found by the next owner, too."""
        if not rules.watched(row, picks=self._connector.processes_picks):
            self._desk.is_done(context, "order", row.reference)
        elif not rules.pending(row):
            self._desk.is_due(context, "order", row.reference, row.since)

    def _tell_doubled(self, context: Context, emit: Emitter, row: ReleaseRow) -> None:
        """Goods outs of one order that the warehouse has begun with are for a person."""
        if row.doubled:
            text = f"Clarus has several goods outs of this order: {', '.join(row.doubled)}. Cancel all but one there"
            self._desk.open_trouble(context, emit, "stuck_order", row.order_key, text)
        else:
            self._desk.resolve_trouble(context, emit, "stuck_order", row.order_key)

    async def _asked(self, purpose: str, work: Awaitable[Answer]) -> Answer | PeerError:
        """The answer, or why there is none. The next write may go out before it is committed."""
        try:
            return await doing(purpose, work)
        except PeerError as error:
            return error
        finally:
            self._writes -= 1
            self._alarm.ring()

    def _failed(self, row: ReleaseRow, error: PeerError, now: int) -> list[WarehouseOrder]:
        if isinstance(error, OutcomeUnknown | Malformed):
            rules.unknown(row, now)
        else:
            rules.not_sent(row, self._desk.backoff(row.attempts, error.retry_after), now)
        return []

    async def _written(
        self, reference: str, answer: object, fold: Callable[[ReleaseRow, int], list[WarehouseOrder]]
    ) -> None:
        """Commit what an answer makes of the row."""
        desk = self._desk

        def work(context: Context, emit: Emitter) -> Settled | None:
            row = context.get(desk.tables.releases, reference)
            if row is None or row.intent is None:
                return None
            opened = row.answered < row.version
            self._answer(context, emit, row, fold(row, context.now_ms), opened)
            if isinstance(answer, PeerError) and row.attempts >= desk.settings.delivery.attempts and not desk.away:
                desk.open_trouble(context, emit, "delivery_failed", row.order_key, f"{answer.request}: {answer.detail}")
            return Settled(tuple(row.skus), True)

        try:
            settled = await desk.commit(work)
        finally:
            self._busy.discard(reference)
        self._settled(reference, settled)
        if isinstance(answer, PeerError) and not isinstance(answer, Refused):
            await desk.failed(answer)
        else:
            await desk.worked()

    def _answer(
        self, context: Context, emit: Emitter, row: ReleaseRow, answers: Sequence[WarehouseOrder], opened: bool
    ) -> None:
        """Commit the row, tell ORDERS, have the SKUs read again. `opened`: an answer to the newest command was owed before."""
        if opened and row.answered >= row.version:
            self._ended(row, answers)
        context.put(self._desk.tables.releases, row.reference, row)
        self._at_work.note(context, row)
        self._keep_due(context, row)
        for answer in answers:
            emit.send(topics.ORDERS_EVENTS, row.order_key, answer)
        if answers:
            mark_dirty(self._desk, context, row.skus, row.reference if rules.moves_stock(row) else "")
            self._desk.resolve_trouble(context, emit, "delivery_failed", row.order_key)

    def _ended(self, row: ReleaseRow, answers: Sequence[WarehouseOrder]) -> None:
        if any(answer.status in ("REFUSED", "CANCEL_REFUSED", "CHANGE_REFUSED") for answer in answers):
            self._desk.ended("order", "failed")
        else:
            self._desk.confirmed("order", row.caused_at if row.wms_id else 0)
            row.caused_at = 0 if row.wms_id else row.caused_at

    def _settled(self, reference: str, settled: Settled | None) -> None:
        if settled is not None and settled.news:
            for sku in settled.skus:
                self._touched(sku)
        self.changed(reference)

    # ---- looking up ----

    def _start_looks(self, group: asyncio.TaskGroup) -> None:
        size = self._connector.max_read
        while self._looks and self._look_tasks < LOOKS_AT_ONCE:
            names = list(islice(self._looks, size))
            for name in names:
                del self._looks[name]
            self._look_tasks += 1
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
            self._look_tasks -= 1
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
            answers = rules.found(row, [_seen(one) for one in there], began, self._create_unknown, context.now_ms)
            if there:
                one = next((one for one in there if one.status not in GONE), there[0])
                if parcels.note(row, one.despatched, one.status == "COMPLETED", context.now_ms):
                    self._desk.is_due(context, "parcels", name, context.now_ms)
                    self._left(one, row.parcels_due)
            self._answer(context, emit, row, answers, opened)
            if there:
                self._tell_doubled(context, emit, row)
            result[name] = Settled(tuple(row.skus), bool(answers))
        return result

    # ---- status of what is at the warehouse ----

    def looked_up(
        self, context: Context, emit: Emitter, orders: Mapping[str, Sequence[GoodsOut]], began: int
    ) -> set[str]:
        """Goods outs that the stock side looked up after `began`, inside its commit; returns the SKUs that this is news for.

        An order with something under way has look-ups of its own.
        """
        shown = {name: there for name, there in orders.items() if there and name not in self._busy}
        found = self._fold_found(context, emit, shown, began)
        self._to_check.difference_update(shown)
        self._changed.difference_update(shown)
        return {sku for settled in found.values() if settled.news for sku in settled.skus}

    async def run_checks(self) -> None:
        """Until cancelled: the status of orders whose lines moved, and of all that are at the warehouse within the stock sweep."""
        while True:
            await asyncio.sleep(CHECK_GAP)
            if self._desk.may_write and self._desk.gate.wait() == 0:
                names = await self._desk.commit(self._next_checks)
                if names:
                    await self._check(names)

    def _next_checks(self, context: Context, _: Emitter) -> list[str]:
        """Those that something is known of first, then those whose turn it is."""
        size, names = self._connector.max_read, list[str]()
        for name in sorted(self._to_check):
            row = context.get(self._desk.tables.releases, name)
            if name not in self._changed and (row is None or not rules.at_work(row)):
                self._to_check.discard(name)
            elif name not in self._busy:
                names.append(name)
            if len(names) >= size:
                return names
        turn = self._at_work.next(context, size - len(names))
        return names + [name for name in turn if name not in self._busy and name not in names]

    async def _check(self, names: Sequence[str]) -> None:
        changed = self._changed.intersection(names)
        self._to_check.difference_update(names)
        self._changed.difference_update(names)
        began = self._desk.now()
        try:
            orders = await doing("find_orders", self._connector.find_orders(names, Priority.SWEEP))
        except PeerError as error:
            self._to_check.update(names)
            self._changed.update(changed)
            await self._desk.failed(error)
            return
        await self._found([name for name in names if name not in self._busy], orders, began)


def _seen(order: GoodsOut) -> AtWarehouse:
    ordered = {sku: ordered for sku, (ordered, _) in order.lines.items()}
    return AtWarehouse(order.wms_id, order.status, order.warehouse, ordered)
