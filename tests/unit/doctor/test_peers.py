"""Peers are asked politely: reads only, few, counted; what their answers say of clock and budget is judged."""

import time

import httpx
import pytest

from app.connectors.contract import Finding, Priority, RateHint, Transport
from app.connectors.errors import ReadOnly
from app.connectors.http import READ
from app.doctor import peers
from app.doctor.checks import run
from app.doctor.peers import LookingTransport, budget, of_finding, skew
from app.errors import Problem
from app.settings import ProductSettings, Settings, from_mapping
from tables.catalogue import Catalogue
from tests.unit.delivery.peers import ScriptedWarehouse


def transport(per_second: float = 1_000, most: int = 60) -> LookingTransport:
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, headers={"X-Left": "7"}))
    )
    found = LookingTransport("bc", 5, per_second, most=most, client=client)
    found.rate_hint = lambda response: RateHint(remaining=int(response.headers["X-Left"]))
    return found


async def test_what_would_write_does_not_leave() -> None:
    looking = transport()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(ReadOnly, match="doctor changes nothing"):
            await looking.request(method, "http://peer/x", priority=Priority.SWEEP)
    assert looking.requests == 0
    await looking.request("GET", "http://peer/x", priority=Priority.SWEEP)
    await looking.request("POST", "http://peer/graphql", priority=Priority.SWEEP, extensions=READ)
    assert (looking.requests, looking.hint) == (2, RateHint(remaining=7))


async def test_a_peer_is_asked_so_many_times_at_most() -> None:
    looking = transport(most=3)
    for _ in range(3):
        await looking.request("GET", "http://peer/x", priority=Priority.SWEEP)
    with pytest.raises(ReadOnly, match="at most 3 requests"):
        await looking.request("GET", "http://peer/x", priority=Priority.SWEEP)


async def test_requests_leave_a_few_a_second() -> None:
    looking, began = transport(per_second=20), time.monotonic()
    for _ in range(5):
        await looking.request("GET", "http://peer/x", priority=Priority.SWEEP)
    assert time.monotonic() - began >= 0.2


def test_a_blocking_finding_fails_another_one_warns() -> None:
    assert of_finding("bc", Finding("token", True, "there", "renew it")).remedy == ""
    assert of_finding("bc", Finding("token", False, "gone", "renew it")).state == "fail"
    assert of_finding("bc", Finding("webhooks", False, "none", "register", blocking=False)).state == "warn"


@pytest.mark.parametrize(
    ("low", "high", "state", "text"),
    [
        (-900, 1_100, "ok", "-0.9 to +1.1 s"),
        (1_900, 3_900, "ok", "+1.9 to +3.9 s"),
        (2_100, 4_000, "warn", "at least 2.1 s ahead of ours"),
        (-9_000, -5_000, "warn", "at least 5.0 s behind ours"),
    ],
)
def test_a_clock_is_only_wrong_where_that_is_certain(low: int, high: int, state: str, text: str) -> None:
    result = skew("bc", low, high)
    assert result.state == state
    assert text in result.detail


def test_a_budget_that_is_nearly_used_up_is_worth_a_look() -> None:
    assert budget("ct", None) == []
    assert (
        budget("bc", RateHint(remaining=140, quota=150, reset_after=12))[0].detail
        == "140 of 150 requests left, anew in 12 s"
    )
    assert budget("bc", RateHint(remaining=14, quota=150))[0].state == "warn"
    assert budget("bc", RateHint(remaining=3))[0].state == "ok"


@pytest.mark.parametrize("readable", [True, False])
async def test_the_warehouse_is_compared_with_the_imported_mappings_or_says_that_it_was_not(
    readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = from_mapping({"warehouses": ["MAIN"], "products": [{"sku": "A"}]})
    imported = Catalogue([ProductSettings(sku="IMPORTED").to_product()], [], ["MAIN"])
    asked: list[Catalogue] = []

    def mapped(_: Settings) -> Catalogue:
        if readable:
            return imported
        raise Problem("kafka: away")

    def warehouse(_: Settings, __: Transport, catalogue: Catalogue) -> ScriptedWarehouse:
        asked.append(catalogue)
        return ScriptedWarehouse()

    monkeypatch.setattr(peers, "mapped", mapped)
    monkeypatch.setattr(peers, "warehouse_for", warehouse)
    results = await run(peers.checks(settings, {}, {}))
    assert [set(one.products) for one in asked] == [{"IMPORTED"} if readable else {"A"}]
    warned = [one.detail for one in results if one.check == "mappings"]
    assert [("kafka: away" in text) for text in warned] == ([] if readable else [True])
