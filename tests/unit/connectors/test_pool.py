"""What goes over the wire and what a broken wire means, with a server that answers as each test says."""

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from app.connectors.http import make_client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts requests, keeps their heads, and lets `answer` write what comes back. A connection lasts until `answer` closes it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.heads: list[str] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                length = next(
                    (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
                )
                await reader.readexactly(length)
                await self._answer(len(self.heads), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    answer: Answer, timeout: float = 5, connections: int = 2
) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    client = make_client(timeout, connections)
    try:
        yield server, client
    finally:
        await client.aclose()
        listening.close()


def writing(data: bytes, *, close: bool = False) -> Answer:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close:
            await writer.drain()
            writer.close()

    return answer


async def test_a_request_goes_out_as_it_was_given_and_its_answer_comes_back_whole() -> None:
    body = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 409 Conflict\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\nX-One: a\r\nX-One: b\r\n\r\n"
    async with serving(writing(head.encode() + body)) as (server, client):
        where = server.url + "/graph%2Fql?where=id%3D%22a+b%22"
        response = await client.post(where, json={"b": "ü"}, headers={"X-Auth-Token": "t"})
    assert (response.status_code, response.json(), response.headers.get_list("x-one")) == (409, {"a": 1}, ["a", "b"])
    assert 0 < response.elapsed.total_seconds() < 5
    assert response.request.method == "POST"
    sent = server.heads[0].lower()
    assert sent.startswith("post /graph%2fql?where=id%3d%22a+b%22 http/1.1")
    assert sent.count("content-length:") == sent.count("host:") == sent.count("x-auth-token: t") == 1
    assert "content-type: application/json" in sent
    assert "python-httpx" in sent


async def test_connections_are_kept_bounded_and_without_cookies_or_redirects() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with serving(answer) as (server, client):
        answers = await asyncio.gather(*(client.get(server.url) for _ in range(6)))
    assert [one.status_code for one in answers] == [302] * 6
    assert server.connections == 2
    assert not any("cookie:" in head.lower() for head in server.heads)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_kept_connection_that_breaks_ends_the_request_which_is_not_sent_again(method: str) -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(OK)
        else:
            writer.close()

    async with serving(answer) as (server, client):
        await client.get(server.url)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.request(method, server.url)
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
        b"no HTTP at all\r\n\r\n",
    ],
)
async def test_whatever_reached_the_peer_is_never_said_to_be_unsent(answer: bytes) -> None:
    async with serving(writing(answer, close=True)) as (server, client):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)) as raised:
            await client.post(server.url + "/?who=me", json={})
    assert len(server.heads) == 1
    assert "who" not in str(raised.value)


async def test_an_answer_that_does_not_come_is_a_read_timeout() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await asyncio.sleep(1)

    async with serving(answer, timeout=0.1) as (server, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.post(server.url)


async def test_what_finds_no_connection_was_not_sent() -> None:
    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(OK)

    async with serving(answer, timeout=1, connections=1) as (server, client):
        first = asyncio.ensure_future(client.get(server.url))
        await asyncio.sleep(0.05)
        with pytest.raises((httpx.ConnectTimeout, httpx.PoolTimeout)):
            await client.post(server.url, timeout=0.1)
        assert (await first).status_code == 200
    assert len(server.heads) == 1


async def test_nobody_there_and_a_handshake_that_fails_are_connect_errors() -> None:
    async def no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    listening = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    client = make_client(1, 2)
    for url in (nobody, f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"):
        with pytest.raises(httpx.ConnectError):
            await client.post(url)
    await client.aclose()
    listening.close()


async def test_a_proxy_of_the_environment_is_used_but_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    async with serving(writing(OK)) as (server, direct):
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("no_proxy", "inside.example")
        await direct.get(server.url + "/direct")
        proxied = make_client(1, 2)
        await proxied.get("http://shop.example/far")
        with pytest.raises(httpx.ConnectError):
            await proxied.get("http://inside.example/near")
        await proxied.get(server.url + "/loopback")
        await proxied.aclose()
    assert [head.split()[1] for head in server.heads] == ["/direct", "http://shop.example/far", "/loopback"]
