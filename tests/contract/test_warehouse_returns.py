"""Receipts of returns at a connected warehouse, against the simulated Clarus over real HTTP."""

from typing import Any

import pytest

from app.connectors.contract import Priority
from app.connectors.errors import Refused
from schemas.records import AnnounceReturn
from tests.support.clarus import clarus


def announcement(**changed: Any) -> AnnounceReturn:
    given: dict[str, Any] = {
        "channel": "clarus",
        "order_key": "ct-eu:7",
        "number": "A7",
        "order_reference": "ct-eu:7",
        "return_id": "r",
        "reference": "ct-eu:7:r",
        "version": 1,
        "lines": {"MUG": 2},
        "reason": "wrong size",
    }
    return AnnounceReturn(**given | changed)


async def test_a_receipt_is_found_by_its_reference_with_what_arrived_and_what_was_inspected() -> None:
    async with clarus(stock={"MUG": 5}, receipt_lines="lines") as tenant:
        asked = announcement()
        assert (await tenant.connector.find_returns([asked], Priority.DESPATCH)) == {"ct-eu:7:r": []}
        made = await tenant.connector.announce_return(asked, "MAIN", Priority.DESPATCH)
        tenant.simulator.receive_return("ct-eu:7", [])
        tenant.simulator.inspect("ct-eu:7", [("MUG", 1, "restock")])
        (seen,) = (await tenant.connector.find_returns([asked], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.wms_id, seen.state, seen.received, seen.restocked) == (made, "RECEIVED", {"MUG": 2}, {"MUG": 1})
        tenant.simulator.inspect("ct-eu:7", [], "scrap")
        (seen,) = (await tenant.connector.find_returns([asked], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.state, seen.scrapped) == ("COMPLETED", {"MUG": 1})
        read = await tenant.read("MUG")
        assert (read.balances["MAIN"], read.held.get("MAIN", 0)) == (6, 0)


async def test_a_tenant_without_the_field_tells_the_status_alone() -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        await tenant.connector.announce_return(announcement(), "MAIN", Priority.DESPATCH)
        (seen,) = (await tenant.connector.find_returns([announcement()], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.state, seen.lines) == ("ANNOUNCED", False)


async def test_a_return_of_what_clarus_does_not_know_is_refused_and_nothing_is_sent() -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        with pytest.raises(Refused, match="no product GHOST"):
            await tenant.connector.announce_return(announcement(lines={"GHOST": 1}), "MAIN", Priority.DESPATCH)
        with pytest.raises(Refused, match="ELSEWHERE is not one of the configured"):
            await tenant.connector.announce_return(announcement(), "ELSEWHERE", Priority.DESPATCH)
        assert tenant.simulator.returns() == []
