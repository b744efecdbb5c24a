"""`GET /finance/{partition}` of a worker: lines of the ledger of money from one of its partitions, a page at a time. It changes nothing."""

import asyncio
from datetime import date
from itertools import islice
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.finance import FinanceTables, day_key
from app.engine.api import Context, Engine
from app.why.look import look
from tables.finance.report import FinanceLine, FinancePage, line

SECONDS: Final = 10.0
ROWS_AT_ONCE: Final = 500
"""Orders looked at in one cycle: the engine must not be held up by a question."""


class FinanceRoutes:
    """One worker's ledger of money."""

    def __init__(self, engine: Engine, tables: FinanceTables, worker: str) -> None:
        self._engine, self._tables, self._worker = engine, tables, worker

    def routes(self) -> list[Route]:
        """For the operators' server."""
        return [Route("/finance/{partition:int}", self._show)]

    async def _show(self, request: Request) -> Response:
        partition, asked = request.path_params["partition"], request.query_params
        first, last, channel = asked.get("from", ""), asked.get("to", ""), asked.get("channel", "")
        try:
            date.fromisoformat(first), date.fromisoformat(last)
        except ValueError:
            return JSONResponse({"error": "from and to: days such as 2026-11-27"}, 400)
        after = asked.get("after") or day_key(first, "")
        try:
            async with asyncio.timeout(SECONDS):
                page = await look(self._engine, partition, lambda context: self._page(context, after, last, channel))
        except TimeoutError:
            return JSONResponse({"error": f"the worker finished no cycle within {SECONDS:g} s: see /status"}, 503)
        page = page or FinancePage(self._worker, partition, False)
        return Response(msgspec.json.encode(page), media_type="application/json")

    def _page(self, context: Context, after: str, last: str, channel: str) -> FinancePage:
        found: list[FinanceLine] = []
        end = ""
        for key, _ in islice(context.scan(self._tables.days, after=after), ROWS_AT_ONCE):
            day, _, order = key.partition("/")
            if day > last:
                end = ""
                break
            end = key
            if channel and order.partition(":")[0] != channel:
                continue
            row = context.get(self._tables.money, order)
            if row is not None:
                found.append(line(row, day))
        return FinancePage(self._worker, context.partition, True, found, end)
