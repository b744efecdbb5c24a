"""`GET /why/sku/{sku}` of a worker: what lies in its own partitions about a SKU, read inside cycles. Any name of the catalogue in force will do.

It changes nothing. Whose partition a piece lies in is part of the answer: the command line asks the other workers for the rest.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.availability import PartitionState, StockTables
from agents.delivery import DeliveryTables
from agents.emit import Place
from app.connectors import CLARUS
from app.engine.api import Context, Engine
from app.errors import Problem
from app.why.look import look
from app.why.names import near, product_of
from tables.catalogue import Product
from tables.deliveries import pauses
from tables.deliveries.peers import PeerKind
from tables.explain import delivery, ledger
from tables.explain.report import Answer, Delivered, Ledger, Lines, Part, WarehouseRead
from tables.stock.rows import OrderLines, Rules, SkuRow

LINES_SHOWN: Final = 20
ROWS_AT_MOST: Final = 20_000
"""Orders of a SKU that are looked at in one cycle: the engine must not be held up by a question."""
SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class ExplainedTables:
    """The tables that an explanation is read from."""

    stock: StockTables
    delivery: DeliveryTables


class Explainer:
    """One worker's explanations. `place` tells the partition of a key: of a SKU as of a channel. `kinds` are the storefronts' by channel."""

    def __init__(
        self,
        engine: Engine,
        rules: Rules,
        tables: ExplainedTables,
        kinds: Mapping[str, PeerKind],
        worker: str,
        place: Place,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._rules, self._tables = engine, rules, tables
        self._kinds, self._worker, self._place, self._clock = kinds, worker, place, clock

    def routes(self) -> list[Route]:
        """For the operators' server."""
        return [Route("/why/sku/{sku:path}", self._show)]

    async def _show(self, request: Request) -> Response:
        word, catalogue = request.path_params["sku"], self._rules.catalogue
        try:
            product = product_of(word, catalogue)
        except Problem as unknown:
            return JSONResponse({"error": unknown.lines[0], "near": near(word, catalogue)}, 404)
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self.sku(product)
        except TimeoutError:
            return JSONResponse({"error": f"the worker finished no cycle within {SECONDS:g} s: see /status"}, 503)
        return JSONResponse(msgspec.to_builtins(answer))

    async def sku(self, product: Product) -> Answer:
        """Everything this worker owns about the SKU."""
        home = self._place(product.sku)
        known = await look(self._engine, home, lambda context: self._ledger(context, product))
        channels = sorted({listing.channel for listing in product.listings})
        parts = [Part("ledger", home, known is not None)]
        listings: list[Delivered] = []
        for channel in channels:
            partition = self._place(channel)
            rows = await look(self._engine, partition, partial(self._delivered, channel=channel, product=product))
            parts.append(Part(f"channel {channel}", partition, rows is not None))
            listings += rows or []
        read: WarehouseRead | None = None
        if not product.bundle:
            partition = self._place(CLARUS)
            reads = await look(self._engine, partition, lambda context: self._read(context, product.sku))
            parts.append(Part(f"channel {CLARUS}", partition, reads is not None))
            read = reads[0] if reads else None
        row, lines = known or (None, None)
        return Answer(product.sku, self._worker, self._now(), parts, row, lines, listings, read)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    # ---- inside a cycle ----

    def _ledger(self, context: Context, product: Product) -> tuple[Ledger, Lines]:
        state = PartitionState(context, self._tables.stock)
        row = state.sku(product.sku) or SkuRow(product.sku)
        orders = list(islice(self._orders(context, product.sku), ROWS_AT_MOST + 1))
        lines = ledger.open_lines(orders[:ROWS_AT_MOST], LINES_SHOWN, len(orders) <= ROWS_AT_MOST)
        return ledger.explain(state, self._rules, row, product), lines

    def _orders(self, context: Context, sku: str) -> Iterator[tuple[str, OrderLines]]:
        """The SKU's orders by reference; a SKU may stand at the head of another one's keys."""
        prefix = f"{sku}/"
        others = tuple(f"{other}/" for other in self._rules.catalogue.products if other.startswith(prefix))
        for key, order in context.scan(self._tables.stock.lines, prefix):
            if not key.startswith(others):
                yield key.removeprefix(prefix), order

    def _delivered(self, context: Context, channel: str, product: Product) -> list[Delivered]:
        tables, found = self._tables.delivery, list[Delivered]()
        mode = context.get(tables.modes, channel)
        shadow = mode is not None and mode.shadow
        pause = pauses.in_force(lambda key: context.get(tables.pauses, key), channel, product.sku)
        for listing in product.listings:
            row = context.get(tables.listings, listing.id) if listing.channel == channel else None
            if row is not None:
                words = pause.words if pause is not None else ""
                bounds = self._rules.bound(channel)
                found.append(delivery.explain(row, self._kinds[channel], bounds, self._now(), words, shadow))
        return found

    def _read(self, context: Context, sku: str) -> list[WarehouseRead]:
        row = context.get(self._tables.delivery.reads, sku)
        return [] if row is None else [WarehouseRead(row.read_no, row.read_at, row.dirty, len(row.lines))]
