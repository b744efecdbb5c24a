"""A paused target is read and polled but never written to; when the pause ends it gets its newest wanted state. A resync reads, whatever the sweep does."""

import pytest

from schemas.records import OperatorState, ReadBack, ReadListing, StockOutcome
from tables.deliveries.peers import PeerKind
from tests.unit.delivery.rig import Rig, until
from tests.unit.delivery.test_warehouse import release, started


def pause(target: str = "", channel: str = "shop", paused: bool = True) -> OperatorState:
    return OperatorState(channel=channel, target=target, paused=paused, actor="kim", reason="stocktake")


def paused_here(rig: Rig, channel: str = "shop") -> list[str]:
    return [one["target"] for one in rig.runtime.status()[channel]["paused"]]


@pytest.mark.parametrize("kind", [PeerKind.VERSIONED, PeerKind.RELATIVE])
@pytest.mark.parametrize("target", ["", "S0"])
async def test_nothing_is_written_until_it_is_resumed_then_the_newest(kind: PeerKind, target: str) -> None:
    rig = Rig(kind)
    async with rig.running():
        await rig.adopted()
        rig.tell(pause(target))
        await until(lambda: paused_here(rig) == [target or "shop"])
        for version, inc in ((1, 15), (2, 3), (3, 12)):
            rig.tell(rig.target(version, inc))
        rig.tell(ReadListing(channel="shop", listing="shop//c0", reason="test"))
        await until(lambda: rig.sent(ReadBack))
        assert rig.storefront.writes == []
        assert rig.runtime.pending() == {"shop": 1}
        rig.tell(pause(target, paused=False))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 12)
        assert paused_here(rig) == []
        assert len(rig.storefront.writes) == 1


async def test_a_paused_sku_holds_up_no_other() -> None:
    rig = Rig(skus=2)
    async with rig.running():
        await rig.adopted()
        rig.tell(pause("S0"), rig.target(1, 4), rig.target(1, 4, key="shop//c1"))
        await until(lambda: rig.storefront.quantities["shop//c1"] == 4)
        assert rig.storefront.quantities["shop//c0"] == 10


async def test_a_pause_outlives_the_worker() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(pause())
        await rig.crash()
        rig.engine.give(rig.place("shop"))
        await until(lambda: rig.runtime.status().get("shop", {}).get("paused"))
        rig.tell(rig.target(1, 4), ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: rig.sent(ReadBack))
        assert rig.storefront.writes == []


async def test_a_pause_and_its_end_in_one_batch_leave_nothing_behind() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(pause(), rig.target(1, 4), pause(paused=False))
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        assert rig.storefront.quantities["shop//c0"] == 4


async def test_a_paused_warehouse_gets_no_orders_but_is_read() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await started(rig)
        rig.tell(pause(channel="clarus"), release(), channel="clarus")
        await until(lambda: rig.warehouse.looks)
        await until(lambda: paused_here(rig, "clarus") == ["clarus"])
        await until(lambda: not rig.runtime.status()["clarus"]["backlog"]["reads"])
        assert rig.warehouse.creates == []
        assert rig.runtime.pending()["clarus"] == 1
        rig.tell(pause(channel="clarus", paused=False), channel="clarus")
        await until(lambda: [order.reference for order in rig.warehouse.creates] == ["shop:1"])
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_resync_reads_one_listing_or_all_and_is_done_once() -> None:
    rig = Rig(skus=2)
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 4), rig.target(1, 10, key="shop//c1"))
        await until(lambda: len(rig.sent(StockOutcome)) == 2)
        before = len(rig.sent(ReadBack))
        rig.tell(ReadListing(channel="shop", listing="shop//c0", reason="test"))
        await until(lambda: len(rig.sent(ReadBack)) == before + 1)
        assert rig.sent(ReadBack)[-1].listing == "shop//c0"
        assert rig.listing().resync is False
        rig.tell(ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: {one.listing for one in rig.sent(ReadBack)[before + 1 :]} == {"shop//c0", "shop//c1"})
        await until(lambda: rig.runtime.pending() == {"shop": 0})
