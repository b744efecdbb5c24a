"""The product's processes and the wait for quiet."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.drill.processes import PROGRAM, Process, ProcessFailed, clean_environment
from app.ports import free_port

SERVER = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


class Served(Process):
    """A process that is no part of the product but behaves like one."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-c", SERVER, str(port)]
        super().__init__("served", command, f"http://127.0.0.1:{port}/ready", folder, folder / "disk")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as found:
        yield found


async def pid(client: httpx.AsyncClient, port: int) -> int:
    return int((await client.get(f"http://127.0.0.1:{port}/")).text)


async def gone(number: int) -> bool:
    for _ in range(100):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_killed_process_is_restarted_and_only_a_fresh_disk_is_emptied(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    port = free_port()
    process = Served(tmp_path, port)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "rows").touch()
    await process.start()
    try:
        await process.ready(client)
        first = await pid(client, port)
        await process.kill("KILL", fresh=False)
        await process.ready(client)
        second = await pid(client, port)
        assert second != first
        assert (tmp_path / "disk" / "rows").exists()
        await process.kill("TERM", fresh=True)
        await process.ready(client)
        assert not (tmp_path / "disk").exists()
        assert process.failures == []
        third = await pid(client, port)
    finally:
        await process.stop()
    assert await gone(third)


async def test_two_kills_of_one_process_restart_it_once(tmp_path: Path, client: httpx.AsyncClient) -> None:
    port = free_port()
    process = Served(tmp_path, port)
    await process.start()
    try:
        await process.ready(client)
        await asyncio.gather(process.kill("KILL", fresh=True), process.kill("KILL", fresh=True))
        await process.ready(client)
        assert await pid(client, port) == process.pid and not process.failures
    finally:
        await process.stop()


async def test_a_process_that_ends_by_itself_is_a_failure_and_comes_back(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    port = free_port()
    process = Served(tmp_path, port)
    await process.start()
    try:
        await process.ready(client)
        first = await pid(client, port)
        os.kill(first, signal.SIGKILL)
        assert await gone(first)
        await process.ready(client)
        assert await pid(client, port) != first
        assert "served ended by itself, exit status -9" in process.failures[0]
    finally:
        await process.stop()


async def test_a_process_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, client: httpx.AsyncClient) -> None:
    process = Process("ingress", [*PROGRAM, "ingress", "--config", "none.yaml"], "http://127.0.0.1:1/ready", tmp_path)
    await process.start()
    with pytest.raises(ProcessFailed, match=r"(?s)ingress ended while starting, exit status 2.*none.yaml"):
        await process.ready(client)
    await process.stop()


def test_the_products_own_variables_do_not_reach_into_a_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARUS_STREAM__KAFKA__BOOTSTRAP", "production:9092")
    monkeypatch.setenv("CLARUS_STREAM_CONFIG", "production.yaml")
    monkeypatch.setenv("KEPT", "yes")
    found = clean_environment()
    assert not [name for name in found if name.startswith("CLARUS_STREAM")]
    assert found["KEPT"] == "yes"
