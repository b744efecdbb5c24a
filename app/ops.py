"""What operators and their tools ask of a running process: metrics, liveness, readiness, status. It answers questions and changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app import metrics
from app.exposition import Process
from app.httpserver import BackgroundServer
from app.settings import OpsSettings

log = structlog.get_logger(__name__)


def ops_routes(
    process: Process,
    live: Callable[[], bool],
    ready: Callable[[], bool],
    status: Callable[[], dict[str, Any]] | None = None,
    measure: Callable[[], None] | None = None,
) -> list[Route]:
    """`/metrics`, `/live`, `/ready` and, where `status` is given, `/status`. The functions are called on the event loop and must not block.

    `measure` brings metrics up to date that are only looked at: it is called before they are read.
    """

    async def show_metrics(_: Request) -> Response:
        if measure is not None:
            measure()
        return Response(metrics.render(process), media_type=metrics.CONTENT_TYPE)

    async def show_live(_: Request) -> Response:
        return PlainTextResponse("live") if live() else PlainTextResponse("not live", 503)

    async def show_ready(_: Request) -> Response:
        return PlainTextResponse("ready") if ready() else PlainTextResponse("not ready", 503)

    async def show_status(_: Request) -> Response:
        return JSONResponse(status() if status is not None else {})

    routes = [Route("/metrics", show_metrics), Route("/live", show_live), Route("/ready", show_ready)]
    return [*routes, Route("/status", show_status)] if status is not None else routes


def _refusing(routes: Sequence[Route]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What is not here is answered as everything else that fails, with what there is."""
    paths = ", ".join(dict.fromkeys(route.path.replace(":path", "").replace(":int", "") for route in routes))

    async def refuse(request: Request, refused: Exception) -> Response:
        assert isinstance(refused, HTTPException)  # noqa: S101 - registered for it
        if refused.status_code == 404:
            text = f"there is no {request.url.path[:200]} here; there is {paths}"
        else:
            text = f"{request.method} {request.url.path[:200]}: {refused.detail}"
        return JSONResponse({"error": text}, refused.status_code, refused.headers)

    return refuse


class OpsServer:
    """The operators' HTTP server of a worker, on its own task of the running event loop. `more` are further routes."""

    def __init__(
        self,
        settings: OpsSettings,
        live: Callable[[], bool],
        ready: Callable[[], bool],
        status: Callable[[], dict[str, Any]],
        measure: Callable[[], None] | None = None,
        more: Sequence[Route] = (),
    ) -> None:
        self._host = settings.host
        routes = [*ops_routes("worker", live, ready, status, measure), *more]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _refusing(routes)})
        self._server = BackgroundServer(app, settings.host, settings.port, what="ops.port")

    async def start(self) -> int:
        """Serve; returns the bound port and logs it. `Problem` where the address cannot be had."""
        port = await self._server.start()
        log.info("operations server listens", host=self._host, port=port)
        return port

    async def stop(self) -> None:
        """Stop serving."""
        await self._server.stop()
