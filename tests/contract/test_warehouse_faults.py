"""Tokens and faults of a connected warehouse: what may have happened is told apart; against the simulated Clarus over real HTTP."""

import asyncio
from typing import Any

import httpx
import pytest

from app.connectors.contract import Priority
from app.connectors.errors import Malformed, OutcomeUnknown, Throttled, Unauthorised, Unavailable
from tests.support.clarus import asked, clarus, fault, quieten, until


async def test_one_token_serves_many_requests_at_once() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await asyncio.gather(*(tenant.read("MUG") for _ in range(5)))
        assert len(tenant.sent("/oauth/token")) == 1


async def test_a_refused_token_is_renewed_once() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        tenant.simulator._tokens.clear()
        assert (await tenant.read("MUG")).balances["MAIN"] == 10
        fault(tenant, "token_expired")
        with pytest.raises(Unauthorised):
            await tenant.read("MUG")


async def test_a_token_can_be_asked_for_with_json() -> None:
    async with clarus(stock={"MUG": 10}, settings={"oauth_encoding": "json", "scopes": "all"}) as tenant:
        await tenant.read("MUG")
        assert asked(tenant.sent("/oauth/token")[0])["scope"] == "all"


async def test_wrong_credentials_and_a_wrong_tenant_are_unauthorised_and_say_no_secret() -> None:
    async with clarus(stock={"MUG": 10}, settings={"client_secret": "open sesame"}) as tenant:
        with pytest.raises(Unauthorised) as caught:
            await tenant.read("MUG")
        assert "sesame" not in str(caught.value)
    async with clarus(stock={"MUG": 10}, settings={"subdomain": "another"}) as tenant:
        with pytest.raises(Unauthorised):
            await tenant.read("MUG")


@pytest.mark.parametrize(
    ("kind", "fields", "read", "write"),
    [
        ("status", {"status": 429, "retry_after": 5}, Throttled, Throttled),
        ("status", {"status": 503}, Unavailable, OutcomeUnknown),
        ("reset", {}, Unavailable, OutcomeUnknown),
        ("malformed", {}, Malformed, OutcomeUnknown),
        ("conflict", {}, None, Unavailable),
        ("partial", {}, Unavailable, None),
    ],
)
async def test_faults_are_told_apart_by_what_may_have_happened(
    kind: Any, fields: dict[str, Any], read: type[Exception] | None, write: type[Exception] | None
) -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        order = await tenant.order(("MUG", 1))
        fault(tenant, kind, **fields)
        if read is not None:
            with pytest.raises(read) as caught:
                await tenant.read("MUG")
            assert type(caught.value) is read
        if write is not None:
            with pytest.raises(write) as caught:
                await tenant.order(("MUG", 1))
            assert type(caught.value) is write
            with pytest.raises(write):
                await tenant.connector.cancel_order(order, Priority.RELEASE)


async def test_a_create_whose_answer_is_lost_is_found_by_its_reference() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        release = tenant.release(("MUG", 1))
        fault(tenant, "timeout", after_effect=True)
        patient, tenant.transport._client.timeout = tenant.transport._client.timeout, httpx.Timeout(0.5)
        with pytest.raises(OutcomeUnknown):
            await tenant.connector.create_order(release, Priority.RELEASE)
        tenant.transport._client.timeout = patient
        quieten(tenant)
        await until(lambda: len(tenant.simulator.orders()) == 1)
        assert len((await tenant.connector.find_orders([release.reference], Priority.RELEASE))[release.reference]) == 1


async def test_a_cancel_that_cannot_be_looked_at_afterwards_is_unknown() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        order = await tenant.order(("MUG", 1))

        def hook(request: httpx.Request) -> None:
            if request.url.path == "/graphql":
                fault(tenant, "down")

        tenant.transport.before = hook
        with pytest.raises(OutcomeUnknown):
            await tenant.connector.cancel_order(order, Priority.RELEASE)
