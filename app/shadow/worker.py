"""`GET /shadow/{channel}` of a worker: the listings of a channel of its own as they are and as we would have them. It changes nothing."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.delivery import DeliveryTables
from agents.emit import Place
from app.connectors import CLARUS
from app.engine.api import Context, Engine, PartitionLost
from tables.deliveries import releases
from tables.deliveries.release_row import Cancel, Change, Create
from tables.explain.shadow import Held, ShadowAnswer, compare

SECONDS: Final = 10.0


class Shadows:
    """One worker's answers. `starts` tells for every channel whether the configuration starts it in shadow."""

    def __init__(
        self,
        engine: Engine,
        tables: DeliveryTables,
        starts: Mapping[str, bool],
        worker: str,
        place: Place,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._tables, self._starts = engine, tables, starts
        self._worker, self._place, self._clock = worker, place, clock

    def routes(self) -> list[Route]:
        """For the operators' server."""
        return [Route("/shadow/{channel}", self._show)]

    async def _show(self, request: Request) -> Response:
        channel = request.path_params["channel"]
        if channel not in self._starts:
            return JSONResponse({"error": f"channel {channel} is not in this worker's configuration"}, 404)
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self.channel(channel)
        except TimeoutError:
            return JSONResponse({"error": f"the worker finished no cycle within {SECONDS:g} s: see /status"}, 503)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def channel(self, channel: str) -> ShadowAnswer:
        """Everything this worker owns about the channel."""
        partition, found = self._place(channel), list[ShadowAnswer]()
        if partition in self._engine.owned:
            try:
                await self._engine.submit(partition, lambda context: found.append(self._look(context, channel)))
            except PartitionLost:
                found.clear()
        return found[-1] if found else ShadowAnswer(channel, self._worker, self._now(), partition, False)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _look(self, context: Context, channel: str) -> ShadowAnswer:
        mode = context.get(self._tables.modes, channel)
        rows = context.scan(self._tables.listings, f"{channel}/")
        return ShadowAnswer(
            channel,
            self._worker,
            self._now(),
            self._place(channel),
            True,
            mode.shadow if mode is not None else self._starts[channel],
            mode.actor if mode is not None else "",
            mode.reason if mode is not None else "",
            mode.since if mode is not None else 0,
            [compare(row) for _, row in rows],
            self._held(context) if channel == CLARUS else None,
        )

    def _held(self, context: Context) -> Held:
        made = cancelled = 0
        for _, row in context.scan(self._tables.releases):
            if releases.pending(row):
                step = releases.next_step(row, context.now_ms)
                made, cancelled = made + isinstance(step, Create | Change), cancelled + isinstance(step, Cancel)
        return Held(made, cancelled)
