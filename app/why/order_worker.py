"""`GET /why/order/{key}` and `/why/order-more/{reference}` of a worker: what lies in its own partitions about an order, read inside cycles.

It changes nothing. Whose partition a piece lies in is part of the answer: the command line asks the other workers for the rest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.availability import StockTables
from agents.delivery import DeliveryTables
from agents.emit import Place
from app.connectors import CLARUS
from app.engine.api import Context, Engine, Table
from app.settings import ProductSettingsTree
from app.why.look import look
from tables.deliveries import notes, pauses, refunds, releases, shipments
from tables.deliveries.modes import ModeRow
from tables.deliveries.troubles import OWNERS
from tables.explain import ledger, order, order_calls
from tables.explain.order_report import Call, Open, OrderAnswer, OrderMore
from tables.explain.report import Lines, Part, Waiting
from tables.finance.rows import MoneyRow
from tables.orders.references import reference_of
from tables.orders.rows import OrderRow, WaitRow
from tables.returns.rows import OrderReturns

SECONDS: Final = 5.0
WAITS_AT_MOST: Final = 10_000
"""Despatches without their order that are looked through for this one's time."""
AT_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class OrderTables:
    """The tables that the story of an order is read from."""

    orders: Table[OrderRow]
    waits: Table[WaitRow]
    money: Table[MoneyRow]
    returns: Table[OrderReturns]
    stock: StockTables
    delivery: DeliveryTables


@dataclass(slots=True)
class _Delivery:
    """What one channel's partition has of the order."""

    calls: list[Call]
    exceptions: list[Open]
    awaits: list[Waiting]
    known: bool
    known_to: int = 0


class OrderStories:
    """One worker's stories. `starts`: every channel, and whether it starts in shadow; `channels` is what their owners here say of themselves."""

    def __init__(
        self,
        engine: Engine,
        tables: OrderTables,
        starts: Mapping[str, bool],
        channels: Callable[[], Mapping[str, Any]],
        settings: ProductSettingsTree,
        worker: str,
        place: Place,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._tables, self._starts, self._channels = engine, tables, starts, channels
        self._settings, self._worker, self._place, self._clock = settings, worker, place, clock

    def routes(self) -> list[Route]:
        """For the operators' server."""
        return [
            Route("/why/order/{key:path}", self._show),
            Route("/why/order-more/{reference:path}", self._show_more),
        ]

    async def _show(self, request: Request) -> Response:
        key = request.path_params["key"]
        channel, _, order_id = key.partition(":")
        if not order_id or channel not in self._starts or channel == CLARUS:
            return JSONResponse(
                {"error": f"{key[:200]}: an order key is CHANNEL:ID, with a channel of this worker"}, 404
            )
        return await _in_time(self.order(channel, order_id))

    async def _show_more(self, request: Request) -> Response:
        asked = request.query_params
        skus, returns = (sorted(set(asked.getlist(name)))[:AT_MOST] for name in ("sku", "return"))
        return await _in_time(self.more(request.path_params["reference"], skus, returns))

    async def order(self, channel: str, order_id: str) -> OrderAnswer:
        """Everything this worker owns about the order, but for what its row must name first (`more`)."""
        key, reference = f"{channel}:{order_id}", reference_of(channel, order_id)
        parts: list[Part] = []
        calls: list[Call] = []
        exceptions: list[Open] = []
        awaits: list[Waiting] = []
        home = self._place(key)
        rows = await look(self._engine, home, lambda context: self._row(context, key))
        parts.append(Part("order", home, rows is not None))
        row, money, book, early_due = rows or (None, None, None, 0)
        known = row is not None
        if row is not None:
            finance = [money.exception] if money is not None and money.exception is not None else []
            exceptions = order.exceptions([*row.exceptions.values(), *finance], row.entity)
            awaits = [*order.awaits(row, early_due), *(Waiting(x.owner, f"{x.type}: {x.detail}") for x in finance)]
        if book is not None:
            awaits += order.return_awaits(book)
        names = {key} | ({row.entity} if row is not None else set())
        shops = await look(
            self._engine, self._place(channel), lambda context: self._storefront(context, channel, order_id, names)
        )
        parts.append(Part(f"channel {channel}", self._place(channel), shops is not None))
        released = await look(
            self._engine, self._place(CLARUS), lambda context: self._warehouse(context, reference, names)
        )
        parts.append(Part(f"channel {CLARUS}", self._place(CLARUS), released is not None))
        for one in (released, shops):
            if one is not None:
                calls, exceptions = [*calls, *one.calls], [*exceptions, *one.exceptions]
                awaits, known = [*awaits, *one.awaits], known or one.known
        return OrderAnswer(
            key=key,
            worker=self._worker,
            at=self._now(),
            parts=parts,
            known=known,
            head=order.head(row) if row is not None else None,
            exceptions=exceptions,
            calls=calls,
            parcels=order.parcels(row) if row is not None else [],
            returns=order.returns(book, row) if row is not None and book is not None else [],
            money=order.money(money, row) if row is not None and money is not None else None,
            skus=order.skus(row) if row is not None else [],
            orders_known_to=shops.known_to if shops is not None else 0,
            awaits=awaits,
        )

    async def more(self, reference: str, skus: Collection[str], returns: Collection[str]) -> OrderMore:
        """By SKU, the order's lines that count against stock, and the receipts of its returns by their references: what of it lies here."""
        by_partition: dict[int, list[str]] = {}
        for sku in skus:
            by_partition.setdefault(self._place(sku), []).append(sku)
        parts: list[Part] = []
        lines: dict[str, Lines] = {}
        for partition, here in sorted(by_partition.items()):
            found = await look(self._engine, partition, partial(self._counted, reference=reference, skus=here))
            parts += [Part(f"lines of {sku}", partition, found is not None) for sku in here]
            lines |= found or {}
        calls: list[Call] = []
        if returns:
            receipts = await look(self._engine, self._place(CLARUS), partial(self._receipts, references=returns))
            parts.append(Part("receipts of returns", self._place(CLARUS), receipts is not None))
            calls = receipts or []
        return OrderMore(parts, lines, calls)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    # ---- inside a cycle ----

    def _row(self, context: Context, key: str) -> tuple[OrderRow | None, MoneyRow | None, OrderReturns | None, int]:
        row, money = context.get(self._tables.orders, key), context.get(self._tables.money, key)
        due = 0
        if row is not None and row.snapshot is None:
            for name, wait in islice(context.scan(self._tables.waits), WAITS_AT_MOST):
                if wait.order_key == key:
                    due = int(name.partition("/")[0])
                    break
        return row, money, context.get(self._tables.returns, key), due

    def _storefront(self, context: Context, channel: str, order_id: str, names: set[str]) -> _Delivery:
        tables, now = self._tables.delivery, self._now()
        rows = [row for _, row in context.scan(tables.shipments, shipments.prefix(channel, order_id))]
        awaits = order_calls.shipment_awaits(rows, self._settings.delivery.despatch_level)
        note = context.get(tables.notes, f"{channel}/{order_id}")
        told = [] if note is None else [note]
        awaits += [wait for row in told for wait in order_calls.note_awaits(row, now)]
        fetch = context.get(tables.fetches, f"{channel}/{order_id}")
        if fetch is not None:
            waits = f"a notification named it {(now - fetch.asked_at) // 1000} s ago: it is to be fetched"
            awaits.append(Waiting("delivery", waits))
        given_back = [row for _, row in context.scan(tables.refunds, refunds.prefix(channel, order_id))]
        writes = (
            any(map(shipments.pending, rows)) or any(map(refunds.pending, given_back)) or any(map(notes.pending, told))
        )
        if writes or fetch is not None:
            awaits = [*self._held(context, channel, writes=writes), *awaits]
        beside = {f"{channel}:{order_id}/refund", f"{channel}:{order_id}{notes.ENTITY}"}
        numbers = {f"{channel}:{row.command.number}" for row in rows if row.command is not None}
        poll = context.get(tables.polls, channel)
        return _Delivery(
            [
                *(order_calls.shipment_call(row) for row in rows),
                *(order_calls.refund_call(row) for row in given_back),
                *(order_calls.note_call(row) for row in told),
            ],
            self._troubles(context, channel, names | numbers | beside, awaits),
            awaits,
            bool(rows or told) or fetch is not None,
            poll.watermark if poll is not None else 0,
        )

    def _warehouse(self, context: Context, reference: str, names: set[str]) -> _Delivery:
        row = context.get(self._tables.delivery.releases, reference)
        calls, awaits = list[Call](), list[Waiting]()
        if row is not None:
            unknown = max(self._settings.delivery.create_unknown, self._settings.bounds.late_max)
            calls.append(order_calls.release_call(row, CLARUS))
            awaits = order_calls.release_awaits(row, unknown, self._now())
            if releases.pending(row):
                awaits = [*self._held(context, CLARUS, writes=True), *awaits]
        return _Delivery(calls, self._troubles(context, CLARUS, names, awaits), awaits, row is not None)

    def _held(self, context: Context, channel: str, *, writes: bool) -> list[Waiting]:
        """What stands in the way of the order's requests there; pause and shadow only stop `writes`."""
        tables, found = self._tables.delivery, list[Waiting]()
        pause = pauses.in_force(lambda key: context.get(tables.pauses, key), channel, pauses.WHOLE)
        if writes and pause is not None:
            found.append(Waiting("resume", f"{channel} is paused by {pause.words}: nothing is written"))
        mode: ModeRow | None = context.get(tables.modes, channel)
        shadow = mode.shadow if mode is not None else self._starts[channel]
        if writes and shadow:
            found.append(Waiting("go-live", f"{channel} is in shadow: nothing is written"))
        owner = self._channels().get(channel)
        if owner is not None:
            wrong = [one["detail"] for one in owner["findings"] if one["blocking"] and not one["ok"]]
            may_write = owner["writes"] or shadow or not (writes and wrong)
            found += order_calls.held_back(channel, owner["breaker"], owner["failures_in_a_row"], may_write, wrong)
        return found

    def _troubles(self, context: Context, channel: str, names: set[str], awaits: Sequence[Waiting]) -> list[Open]:
        """About the order; where something of it waits at the channel, about the channel itself, too."""
        names = names | ({channel, f"{channel}/start-check"} if awaits else set())
        keys = [f"{channel}/{kind}:{name}" for kind in OWNERS for name in sorted(names)]
        rows = [context.get(self._tables.delivery.troubles, key) for key in keys]
        return order_calls.troubles(row for row in rows if row is not None)

    def _receipts(self, context: Context, references: Collection[str]) -> list[Call]:
        rows = [context.get(self._tables.delivery.receipts, name) for name in references]
        return [order_calls.receipt_call(row, CLARUS) for row in rows if row is not None]

    def _counted(self, context: Context, reference: str, skus: Collection[str]) -> dict[str, Lines]:
        found: dict[str, Lines] = {}
        for sku in skus:
            row = context.get(self._tables.stock.lines, f"{sku}/{reference}")
            if row is not None:
                found[sku] = ledger.open_lines([(reference, row)], len(row.lines))
        return found


async def _in_time(answer: Awaitable[msgspec.Struct]) -> Response:
    try:
        async with asyncio.timeout(SECONDS):
            return Response(msgspec.json.encode(await answer), media_type="application/json")
    except TimeoutError:
        return JSONResponse({"error": f"the worker finished no cycle within {SECONDS:g} s: see /status"}, 503)
