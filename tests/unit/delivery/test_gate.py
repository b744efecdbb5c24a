"""The gate decides when a request goes out, and what it means when it fails. Against a real server on the loopback."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from app.connectors.contract import Priority, RateHint
from app.connectors.errors import NotSent, OutcomeUnknown, Throttled, Unauthorised, Unavailable
from app.connectors.http import READ, make_client
from app.delivery.breaker import Breaker
from app.delivery.bucket import Bucket
from app.delivery.gate import SERVICE_LEVELS, Gate
from tests.unit.delivery.rig import until

Answer = Callable[[str], Awaitable[tuple[int, dict[str, str]]]]


class Server:
    """Answers every request as `answer` says, and counts paths and concurrency."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.most = self.now = 0
        self.url = ""

        async def fine(path: str) -> tuple[int, dict[str, str]]:
            return 200, {}

        self.answer: Answer = fine

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            status, headers = await self.answer(scope["path"])
        finally:
            self.now -= 1
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app = Server()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    web = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(web.serve(sockets=[listener]))
    await until(lambda: web.started)
    yield app
    web.should_exit = True
    await task


@asynccontextmanager
async def gate(**given: Any) -> AsyncIterator[Gate]:
    made = Gate(
        "shop",
        client=make_client(2.0, 10),
        bucket=given.pop("bucket", Bucket(1000.0)),
        breaker=given.pop("breaker", Breaker(3, 0.2)),
        parallel=given.pop("parallel", 4),
        timeout=given.pop("timeout", 2.0),
        **given,
    )
    try:
        yield made
    finally:
        await made.close()


async def send(to: Gate, url: str, priority: Priority = Priority.SWEEP, method: str = "GET") -> httpx.Response:
    return await to.request(method, url, priority=priority)


async def test_an_answer_is_returned_whatever_the_peer_says_of_the_request(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        return int(path[1:]), {}

    server.answer = answer
    async with gate() as out:
        assert [(await send(out, f"{server.url}/{status}")).status_code for status in (200, 404, 409, 422)] == [
            200,
            404,
            409,
            422,
        ]
        assert out.calls == Counter(ok=1, refused=3)


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("GET", 429, Throttled),
        ("POST", 429, Throttled),
        ("POST", 401, Unauthorised),
        ("GET", 503, Unavailable),
        ("POST", 500, OutcomeUnknown),
    ],
)
async def test_what_a_status_means(server: Server, method: str, status: int, error: type[Exception]) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        return status, {}

    server.answer = answer
    async with gate() as out:
        with pytest.raises(error):
            await send(out, server.url, method=method)


async def test_a_write_that_was_not_answered_in_time_is_unknown_and_a_read_is_not(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        await asyncio.sleep(0.3)
        return 200, {}

    server.answer = answer
    async with gate(timeout=0.05) as out:
        with pytest.raises(OutcomeUnknown):
            await send(out, f"{server.url}/slow", method="POST")
        with pytest.raises(Unavailable):
            await send(out, f"{server.url}/slow")


async def test_a_refused_connection_certainly_had_no_effect() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with gate() as out:
            with pytest.raises(Unavailable) as caught:
                await send(out, url, method="POST")
            assert not isinstance(caught.value, OutcomeUnknown)


async def test_no_more_requests_at_a_time_than_allowed(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        await asyncio.sleep(0.01)
        return 200, {}

    server.answer = answer
    async with gate(parallel=3) as out:
        await asyncio.gather(*(send(out, f"{server.url}/{n}") for n in range(12)))
    assert server.most == 3


async def test_what_matters_most_goes_first(server: Server) -> None:
    release = asyncio.Event()

    async def answer(path: str) -> tuple[int, dict[str, str]]:
        await release.wait()
        return 200, {}

    server.answer = answer
    async with gate(parallel=1) as out:
        order = [Priority.SWEEP, Priority.INCREASE, Priority.RELEASE, Priority.DECREASE, Priority.OTHER_DECREASE]
        first = asyncio.create_task(send(out, f"{server.url}/first"))
        await until(lambda: server.paths)
        rest = [asyncio.create_task(send(out, f"{server.url}/{p.name}", p)) for p in order]
        await until(lambda: out.waiting() == len(order))
        release.set()
        await asyncio.gather(first, *rest)
    assert server.paths[1:] == ["/DECREASE", "/RELEASE", "/OTHER_DECREASE", "/INCREASE", "/SWEEP"]


async def test_nothing_waits_longer_than_its_service_level_when_more_urgent_work_never_ends(server: Server) -> None:
    clock = 0.0

    async def answer(path: str) -> tuple[int, dict[str, str]]:
        nonlocal clock
        clock += 1.0
        return 200, {}

    server.answer = answer
    levels = {**SERVICE_LEVELS, Priority.INCREASE: 6.0, Priority.DECREASE: 50.0}
    async with gate(parallel=1, steady=lambda: clock, bucket=Bucket(1e6), service_levels=levels) as out:

        async def urgent() -> None:
            for _ in range(8):
                await send(out, f"{server.url}/urgent", Priority.DECREASE)

        hurry = [asyncio.create_task(urgent()) for _ in range(3)]
        await until(lambda: server.paths)
        asked = clock
        await send(out, f"{server.url}/increase", Priority.INCREASE)
        waited = server.paths.index("/increase") - asked
        await asyncio.gather(*hurry)
    assert 5 <= waited <= 9
    assert server.paths[-1] == "/urgent", "it did not simply come last"


async def test_a_429_lets_nothing_through_until_the_peers_own_time(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        return (429, {"Retry-After": "7"}) if path == "/throttled" else (200, {})

    server.answer = answer
    async with gate() as out:
        with pytest.raises(Throttled) as caught:
            await send(out, f"{server.url}/throttled")
        assert caught.value.retry_after == 7.0
        assert 6.0 < out.wait() <= 7.0
        waiting = asyncio.create_task(send(out, f"{server.url}/after"))
        await asyncio.sleep(0.02)
        assert server.paths == ["/throttled"]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert out.waiting() <= 1


async def test_the_peers_rate_headers_hold_requests_back(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        return 200, {"left": "2"}

    server.answer = answer
    async with gate() as out:
        out.rate_hint = lambda response: RateHint(remaining=2 - (len(server.paths) - 1), quota=3, reset_after=60.0)
        await send(out, f"{server.url}/1")
        tasks = [asyncio.create_task(send(out, f"{server.url}/{n}", Priority.DECREASE)) for n in range(2, 6)]
        await until(lambda: len(server.paths) == 3)
        await asyncio.sleep(0.02)
        assert len(server.paths) == 3
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_breaker_opens_and_one_request_tries(server: Server) -> None:
    broken = True

    async def answer(path: str) -> tuple[int, dict[str, str]]:
        return (503 if broken else 200), {}

    server.answer = answer
    async with gate() as out:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await send(out, server.url)
        with pytest.raises(NotSent) as caught:
            await send(out, server.url)
        assert caught.value.retry_after and len(server.paths) == 3
        assert out.calls["not_sent"] == 1
        broken = False
        await until(lambda: out.wait() == 0)
        assert (await send(out, server.url)).status_code == 200
        assert out.breaker.state == "closed"


async def test_requests_that_wait_when_the_breaker_opens_are_not_sent(server: Server) -> None:
    async def answer(path: str) -> tuple[int, dict[str, str]]:
        await asyncio.sleep(0.01)
        return 503, {}

    server.answer = answer
    async with gate(parallel=1) as out:
        results = await asyncio.gather(*(send(out, f"{server.url}/{n}") for n in range(10)), return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in results)
    assert len(server.paths) == 3


async def test_a_cancelled_request_gives_its_place_back(server: Server) -> None:
    hold = asyncio.Event()

    async def answer(path: str) -> tuple[int, dict[str, str]]:
        if path == "/hold":
            await hold.wait()
        return 200, {}

    server.answer = answer
    async with gate(parallel=1) as out:
        held = asyncio.create_task(send(out, f"{server.url}/hold"))
        await until(lambda: server.paths)
        waiting = asyncio.create_task(send(out, f"{server.url}/never"))
        await asyncio.sleep(0)
        waiting.cancel()
        held.cancel()
        await asyncio.gather(held, waiting, return_exceptions=True)
        assert out.under_way == 0
        assert (await send(out, f"{server.url}/next")).status_code == 200
        hold.set()
    assert "/never" not in server.paths


async def test_nothing_goes_out_after_the_gate_is_closed(server: Server) -> None:
    async with gate() as out:
        pass
    with pytest.raises(Unavailable):
        await send(out, server.url)
    assert not server.paths


async def test_a_channel_in_shadow_lets_only_reads_out(server: Server) -> None:
    asked: list[str] = []

    async def answer(path: str) -> tuple[int, dict[str, str]]:
        asked.append(path)
        return 200, {}

    server.answer = answer
    async with gate() as out:
        out.read_only = True
        with pytest.raises(NotSent, match="in shadow"):
            await send(out, f"{server.url}/write", method="POST")
        await out.request("POST", f"{server.url}/query", priority=Priority.SWEEP, extensions=dict(READ))
        await send(out, f"{server.url}/read")
        assert asked == ["/query", "/read"]
