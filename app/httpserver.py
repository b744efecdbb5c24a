"""An ASGI application served in the background of a program that has its own event loop and its own signals. It knows no routes."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

import uvicorn

from app.errors import Problem

Asgi = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the program that serves decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class BackgroundServer:
    """Serves `app` on its own task from `start` to `stop`. `what` names the setting of the address in errors."""

    def __init__(self, app: Asgi, host: str, port: int, *, what: str, grace: float = 5.0) -> None:
        self._host, self._port, self._what = host, port, what
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            interface="asgi3",
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Bind and serve; returns the bound port. `Problem` where the address cannot be had."""
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            bound = socket.socket(family, socket.SOCK_STREAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self._port))
        except OSError as error:
            raise Problem(
                f"{self._what}: cannot listen on {self._host}:{self._port}: {error.strerror or error}; choose another port (0 takes any)"
            ) from error
        self._task = asyncio.create_task(self._server.serve(sockets=[bound]), name=f"http {self._what}")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise Problem(f"{self._what}: the HTTP server ended while starting")
            await asyncio.sleep(0.01)
        port: int = bound.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Take no new connections, let requests in progress end within the grace time, then return."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
