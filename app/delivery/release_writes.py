"""Requests that change orders at the warehouse: they leave after their intent was committed, and each order's answer is committed before its next look.

What is asked for was decided before (`app/delivery/releases.py`); what an answer means is decided by `tables/deliveries/releases.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, Priority, Warehouse
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from app.delivery.desk import Alarm, Desk
from app.delivery.gate import doing
from app.delivery.release_answers import ReleaseAnswers, Settled, seen
from app.engine.api import Context
from schemas.records import ReleaseOrder, WarehouseOrder
from tables.deliveries import releases as rules
from tables.deliveries.release_row import ReleaseRow

AT_ONCE: Final = 200
"""Many more than `delivery.parallel`: an order keeps its place from the commit of its intent until that of its answer."""

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Writes:
    """What one look at the rows decided; creates, changes and cancels have their intents committed."""

    creates: list[ReleaseOrder] = field(default_factory=list)
    changes: list[tuple[ReleaseOrder, GoodsOut]] = field(default_factory=list)
    cancels: list[GoodsOut] = field(default_factory=list)
    twins: list[GoodsOut] = field(default_factory=list)
    picks: list[GoodsOut] = field(default_factory=list)


class ReleaseWrites:
    """Some requests at once. `busy`: orders with something under way; `settled` hears of each of them what was made of it."""

    def __init__(
        self,
        desk: Desk,
        connector: Warehouse,
        answers: ReleaseAnswers,
        alarm: Alarm,
        busy: set[str],
        settled: Callable[[str, Settled | None], None],
    ) -> None:
        self._desk, self._connector, self._answers = desk, connector, answers
        self._alarm, self._busy, self._settled = alarm, busy, settled
        self._under_way = 0

    @property
    def free(self) -> int:
        """So many more requests may leave now."""
        return AT_ONCE - self._under_way

    def start(self, group: asyncio.TaskGroup, wanted: Writes) -> None:
        """Send them."""
        for order in wanted.creates:
            self._begin(order.reference)
            group.create_task(self._create(order))
        for act, goods_outs in (
            (self._cancel, wanted.cancels),
            (self._cancel_twin, wanted.twins),
            (self._process_picks, wanted.picks),
        ):
            for goods_out in goods_outs:
                self._begin(goods_out.reference)
                group.create_task(act(goods_out))
        for order, goods_out in wanted.changes:
            self._begin(order.reference)
            group.create_task(self._change(order, goods_out))

    def _begin(self, reference: str) -> None:
        self._under_way += 1
        self._busy.add(reference)

    # ---- the requests ----

    async def _create(self, order: ReleaseOrder) -> None:
        made = await self._asked("create_order", self._connector.create_order(order, Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> list[WarehouseOrder]:
            if isinstance(made, GoodsOut):
                return rules.created(row, seen(made), now)
            if isinstance(made, Refused):
                return rules.refused(row, made.detail)
            return self._failed(row, made, now)

        await self._written(order.reference, made, fold)

    async def _change(self, order: ReleaseOrder, there: GoodsOut) -> None:
        now_there = await self._asked("change_order", self._connector.change_order(order, there, Priority.RELEASE))

        def fold(row: ReleaseRow, now: int) -> list[WarehouseOrder]:
            if isinstance(now_there, GoodsOut):
                return rules.changed(row, seen(now_there), now)
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

    # ---- around each of them ----

    async def _asked(self, purpose: str, work: Awaitable[Answer]) -> Answer | PeerError:
        """The answer, or why there is none. The next write may go out before it is committed."""
        try:
            return await doing(purpose, work)
        except PeerError as error:
            return error
        finally:
            self._under_way -= 1
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
            self._answers.answer(context, emit, row, fold(row, context.now_ms), opened)
            if isinstance(answer, PeerError) and row.attempts >= desk.settings.delivery.attempts and not desk.away:
                desk.open_trouble(context, emit, "delivery_failed", row.order_key, f"{answer.request}: {answer.detail}")
            return Settled(tuple(row.skus), True)

        await self._commit(reference, answer, work)

    async def _done(self, reference: str, answer: object, fold: Callable[[ReleaseRow, int], None]) -> None:
        """Commit what became of a request that needs no intent."""
        desk = self._desk

        def work(context: Context, emit: Emitter) -> Settled | None:
            row = context.get(desk.tables.releases, reference)
            if row is None:
                return None
            fold(row, context.now_ms)
            context.put(desk.tables.releases, reference, row)
            self._answers.keep_due(context, row)
            self._answers.tell_stuck(context, emit, row)
            return Settled(tuple(row.skus), True)

        await self._commit(reference, answer, work)

    async def _commit(self, reference: str, answer: object, work: Callable[[Context, Emitter], Settled | None]) -> None:
        desk = self._desk
        try:
            settled = await desk.commit(work)
        finally:
            self._busy.discard(reference)
        self._settled(reference, settled)
        if isinstance(answer, PeerError) and not isinstance(answer, Refused):
            await desk.failed(answer)
        else:
            await desk.worked()
