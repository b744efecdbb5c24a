"""`GET /reconciliation` of a worker: what read-backs found, from the rows of its own partitions, partition by partition. It changes nothing."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.delivery import DeliveryTables
from agents.emit import Place
from app.engine.api import Context, Engine, PartitionLost
from tables.explain.reconciliation import ChannelSweep, ReconciliationAnswer, add_counts, add_listings, merge

SECONDS: Final = 20.0


class Reconciliation:
    """One worker's answers. `channels` are the storefronts of the configuration."""

    def __init__(
        self,
        engine: Engine,
        tables: DeliveryTables,
        channels: Sequence[str],
        partitions: int,
        worker: str,
        place: Place,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._tables, self._channels, self._partitions = engine, tables, channels, partitions
        self._worker, self._place, self._clock = worker, place, clock

    def routes(self) -> list[Route]:
        """For the operators' server."""
        return [Route("/reconciliation", self._show)]

    async def _show(self, _: Request) -> Response:
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self.answer()
        except TimeoutError:
            return JSONResponse({"error": f"the worker did not look at all within {SECONDS:g} s: see /status"}, 503)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def answer(self) -> ReconciliationAnswer:
        """Everything this worker owns, one cycle for each partition."""
        parts = [ReconciliationAnswer(self._worker, int(self._clock() * 1000), self._partitions)]
        for partition in sorted(self._engine.owned):
            found: list[ReconciliationAnswer] = []

            def look(context: Context, here: int = partition, found: list[ReconciliationAnswer] = found) -> None:
                found[:] = [self._look(context, here)]

            with contextlib.suppress(PartitionLost):
                await self._engine.submit(partition, look)
                parts += found
        joint = merge(parts)
        joint.worker = self._worker
        return joint

    def _look(self, context: Context, partition: int) -> ReconciliationAnswer:
        channels = {name: ChannelSweep(name) for name in self._channels}
        for name, row in context.scan(self._tables.sweeps):
            if name in channels:
                add_counts(channels[name], row)
        for name, found in channels.items():
            if self._place(name) == partition:
                add_listings(found, (row for _, row in context.scan(self._tables.listings, f"{name}/")))
        differences = [row for _, row in context.scan(self._tables.differences)]
        at = int(self._clock() * 1000)
        return ReconciliationAnswer(
            self._worker, at, self._partitions, [partition], list(channels.values()), differences
        )
