"""The product's real processes in a drill: started, waited for, killed and restarted, ended. It reads nothing but their readiness and keeps their logs."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx

READY_SECONDS = 60.0
PROGRAM = (sys.executable, "-m", "app.cli")
"""The product's command."""
STOP_SECONDS = 10.0
_RESTARTS = 3


class ProcessFailed(Exception):
    """A process of the product did not start, or ended by itself; the text holds the end of its log."""


def clean_environment() -> dict[str, str]:
    """Our environment without the product's own variables: they stand above a configuration file and would reach into a drill."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLARUS_STREAM")}


class Process:
    """One process. It is restarted at once after `kill`, and a few times where it ends by itself; every such end is a failure of the drill."""

    def __init__(
        self, name: str, command: Sequence[str], ready_url: str, folder: Path, disk: Path | None = None
    ) -> None:
        self.name, self._command, self._ready_url = name, command, ready_url
        self._folder, self._disk = folder, disk
        self.log = folder / f"{name}.log"
        self.failures: list[str] = []
        self._running: asyncio.subprocess.Process | None = None
        self._meant = False
        self._replaced: asyncio.subprocess.Process | None = None
        self._was_ready = False
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its number while it runs; 0 before it was started."""
        return self._running.pid if self._running is not None else 0

    async def start(self) -> None:
        """Start it and watch over it."""
        with self.log.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=clean_environment(),
                start_new_session=True,
            )
        self._meant = False
        self._watcher = asyncio.create_task(self._watch(self._running), name=f"watch {self.name}")

    async def _watch(self, running: asyncio.subprocess.Process) -> None:
        status = await running.wait()
        if self._meant:
            return
        self.failures.append(f"{self.name} ended by itself, exit status {status}:\n{self.tail()}")
        if self._was_ready and len(self.failures) <= _RESTARTS:
            await asyncio.sleep(1.0)
            if not self._meant:
                await self.start()

    async def ready(self, client: httpx.AsyncClient, seconds: float = READY_SECONDS) -> None:
        """Wait until it says that it is ready. ProcessFailed where it ends before or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self._was_ready and self._running is not None and self._running.returncode is not None:
                raise ProcessFailed(
                    f"{self.name} ended while starting, exit status {self._running.returncode}:\n{self.tail()}"
                )
            if await self.is_ready(client):
                self._was_ready = True
                return
            await asyncio.sleep(0.1)
        raise ProcessFailed(f"{self.name} was not ready within {seconds:.0f} s:\n{self.tail()}")

    async def is_ready(self, client: httpx.AsyncClient) -> bool:
        """Does it answer that it is ready?"""
        try:
            return (await client.get(self._ready_url, timeout=2)).status_code == 200
        except httpx.HTTPError:
            return False

    async def kill(self, name: str, *, fresh: bool) -> None:
        """Send the signal, wait for the end, restart at once; `fresh` empties its disk before. Of several kills of one process the first restarts it."""
        running = self._running
        if running is None:
            return
        self._meant = True
        await _end(running, signal.Signals[f"SIG{name}"], STOP_SECONDS)
        if self._replaced is running:
            return
        self._replaced = running
        if fresh and self._disk is not None:
            await asyncio.to_thread(shutil.rmtree, self._disk, ignore_errors=True)
        await self.start()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; bounded."""
        self._meant = True
        if self._running is not None:
            await _end(self._running, signal.SIGTERM, STOP_SECONDS)
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        try:
            return (
                "\n".join(f"  {line}" for line in self.log.read_text(errors="replace").splitlines()[-lines:])
                or "  (no log)"
            )
        except OSError:
            return "  (no log)"


async def _end(running: asyncio.subprocess.Process, number: signal.Signals, seconds: float) -> None:
    if running.returncode is None:
        with suppress(ProcessLookupError):
            running.send_signal(number)
    try:
        async with asyncio.timeout(seconds):
            await running.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()
