"""Tokens: asked for once, renewed in time, once more where the peer refuses one."""

import asyncio
from typing import Any

import httpx
import pytest

from app.connectors.auth import AuthorisedTransport, ClientCredentials
from app.connectors.contract import Priority
from app.connectors.errors import Unauthorised, Unavailable
from app.connectors.http import DirectTransport


class Peer:
    """Issues numbered tokens and takes those it knows."""

    def __init__(self, lifetime: float = 3600) -> None:
        self.lifetime, self.issued, self.now = lifetime, 0, 0.0
        self.valid: set[str] = set()
        self.refuses = False
        self.requests: list[httpx.Request] = []
        self.token_answer: httpx.Response | None = None
        direct = DirectTransport("shop", client=httpx.AsyncClient(transport=httpx.MockTransport(self.answer)))
        self.credentials = ClientCredentials(
            "shop",
            direct,
            "https://auth/oauth/token",
            ("me", "s3cret"),
            {"scope": "all"},
            {"X-Tenant": "t1"},
            self.time,
        )
        self.transport = AuthorisedTransport(direct, self.credentials)

    def time(self) -> float:
        return self.now

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            if self.token_answer is not None:
                return self.token_answer
            assert request.content == b"grant_type=client_credentials&scope=all"
            self.issued += 1
            self.valid.add(f"Bearer t{self.issued}")
            body = {"access_token": f"t{self.issued}", "expires_in": self.lifetime, "scope": "all"}
            return httpx.Response(200, json=body)
        self.requests.append(request)
        known = request.headers.get("Authorization") in self.valid and not self.refuses
        return httpx.Response(200 if known else 401)

    async def call(self, **options: Any) -> httpx.Response:
        return await self.transport.request("GET", "https://api/x", priority=Priority.SWEEP, **options)


async def test_one_token_serves_many_requests_also_at_once() -> None:
    peer = Peer()
    await asyncio.gather(*(peer.call(headers={"X-Own": "1"}) for _ in range(10)))
    assert peer.issued == 1
    assert {(r.headers["X-Own"], r.headers["X-Tenant"], r.headers["Authorization"]) for r in peer.requests} == {
        ("1", "t1", "Bearer t1")
    }


async def test_it_is_renewed_before_it_ends() -> None:
    peer = Peer(lifetime=1000)
    await peer.call()
    peer.now = 939
    await peer.call()
    assert peer.issued == 1
    peer.now = 941
    await peer.call()
    assert peer.issued == 2


async def test_a_refused_token_is_renewed_once() -> None:
    peer = Peer()
    await peer.call()
    peer.valid.clear()
    assert (await peer.call()).status_code == 200
    assert peer.issued == 2


async def test_a_peer_that_refuses_every_token_is_asked_twice_only() -> None:
    peer = Peer()
    peer.refuses = True
    with pytest.raises(Unauthorised):
        await peer.call()
    assert len(peer.requests) == 2


async def test_several_requests_refused_at_once_renew_once() -> None:
    peer = Peer()
    await peer.call()
    peer.valid.clear()
    await asyncio.gather(*(peer.call() for _ in range(5)))
    assert peer.issued == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_scope"}), Unauthorised),
        (httpx.Response(401), Unauthorised),
        (httpx.Response(503), Unavailable),
        (httpx.Response(200, text="<html>"), Unavailable),
        (httpx.Response(200, json={}), Unavailable),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_secret_is_not_told(
    answer: httpx.Response, error: type[Exception]
) -> None:
    peer = Peer()
    peer.token_answer = answer
    with pytest.raises(error) as raised:
        await peer.call()
    assert peer.requests == []
    assert "s3cret" not in str(raised.value)


async def test_a_request_that_is_not_to_be_authorised_carries_nothing() -> None:
    peer = Peer()
    with pytest.raises(Unauthorised):
        await peer.call(authorise=False)
    assert "Authorization" not in peer.requests[0].headers
    assert peer.issued == 0
