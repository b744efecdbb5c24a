"""A channel in shadow is read and polled and never written to; going live takes a new baseline of every listing before the first write."""

import httpx
import msgspec
import pytest

from app.errors import Problem
from app.shadow.ask import ask
from app.shadow.worker import Shadows
from schemas.records import Baseline, ChannelMode, ReadBack, ReadListing
from tables.deliveries.listing_row import ListingRow
from tables.deliveries.peers import PeerKind
from tables.explain.shadow import Held, ShadowAnswer
from tests.unit.delivery.rig import Rig, until
from tests.unit.delivery.test_warehouse import release, started


def mode(shadow: bool, channel: str = "shop") -> ChannelMode:
    return ChannelMode(channel=channel, shadow=shadow, actor="kim", reason="roll-out")


def in_force(rig: Rig, channel: str = "shop") -> str:
    found = rig.runtime.status().get(channel, {}).get("mode", {}).get("in_force", "")
    return str(found)


def shadowed(kind: PeerKind = PeerKind.VERSIONED, skus: int = 1, **settings: object) -> Rig:
    """A rig whose configuration starts the storefront and the warehouse in shadow."""
    rig = Rig(kind, skus, **settings)
    rig.settings.channels["shop"].mode = "shadow"
    rig.settings.clarus.mode = "shadow"
    rig.runtime = rig.start()
    return rig


@pytest.mark.parametrize("kind", [PeerKind.VERSIONED, PeerKind.RELATIVE])
async def test_going_live_reads_again_before_the_first_write(kind: PeerKind) -> None:
    rig = shadowed(kind)
    async with rig.running():
        await rig.adopted()
        epoch = rig.listing().epoch
        rig.tell(rig.target(1, 3), ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: rig.sent(ReadBack))
        assert rig.sent(ReadBack)[-1].shadow
        assert (rig.storefront.writes, rig.runtime.pending()) == ([], {"shop": 0})
        rig.storefront.quantities["shop//c0"] = 40  # somebody else writes
        rig.tell(mode(False))
        await until(lambda: rig.listing().epoch > epoch)
        assert rig.sent(Baseline)[-1].quantity == 40
        assert rig.storefront.writes == []  # the command of the epoch before counts no more
        rig.tell(rig.target(1, 7))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 7)
        assert in_force(rig) == "live"


async def test_a_restart_keeps_it_live_though_the_configuration_says_shadow() -> None:
    rig = shadowed()
    async with rig.running():
        await rig.adopted()
        rig.tell(mode(False))
        await until(lambda: in_force(rig) == "live")
        await rig.crash()
        rig.engine.give(rig.place("shop"))
        await until(lambda: in_force(rig) == "live")
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)


async def test_a_configuration_that_says_live_does_not_end_a_shadow() -> None:
    rig = shadowed()
    async with rig.running():
        await rig.adopted()
        rig.settings.channels["shop"].mode = "live"
        await rig.crash()
        rig.engine.give(rig.place("shop"))
        await until(lambda: in_force(rig) == "shadow")
        rig.tell(rig.target(1, 4), ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: rig.sent(ReadBack))
        assert rig.storefront.writes == []


async def test_back_to_shadow_lets_a_write_under_way_end_and_begins_no_other() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.writes)
        rig.tell(mode(True), rig.target(2, 2))
        await until(lambda: in_force(rig) == "shadow")
        rig.storefront.gate.set()
        await until(lambda: rig.listing().intent is None)
        assert rig.listing().published == rig.storefront.quantities["shop//c0"] == 4
        rig.tell(ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: rig.sent(ReadBack))
        assert len(rig.storefront.writes) == 1


async def test_going_live_while_a_write_of_before_is_under_way_waits_for_its_end() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        epoch = rig.listing().epoch
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.writes)
        rig.tell(mode(True), mode(False))
        await until(lambda: rig.listing().epoch == 0)
        assert len(rig.sent(Baseline)) == 1
        rig.storefront.gate.set()
        await until(lambda: rig.listing().epoch > epoch)
        assert rig.sent(Baseline)[-1].quantity == 4


async def test_a_live_channel_that_is_told_to_go_live_keeps_its_baseline() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(mode(True), mode(False))
        await until(lambda: len(rig.sent(Baseline)) == 2)
        epoch = rig.listing().epoch
        rig.tell(mode(False), rig.target(1, 4))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)
        assert rig.listing().epoch == epoch


async def test_the_warehouse_in_shadow_gets_orders_only_when_it_goes_live() -> None:
    rig = shadowed()
    async with rig.running("clarus"):
        await started(rig)
        rig.tell(release(), channel="clarus")
        await until(lambda: rig.warehouse.looks)
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        assert rig.warehouse.creates == []
        rig.tell(mode(False, "clarus"), channel="clarus")
        await until(lambda: [order.reference for order in rig.warehouse.creates] == ["shop:1"])


def test_every_listing_of_the_channel_loses_its_baseline_in_the_commit_that_goes_live() -> None:
    rig = Rig(skus=2)
    place, table = rig.place("shop"), rig.tables.listings
    for key in ("shop//c0", "shop//c1"):
        known = ListingRow(key, "shop", "S0", epoch=7)
        rig.engine.run(place, lambda context, known=known: context.put(table, known.listing, known))  # type: ignore[misc]
    rig.tell(mode(False))
    assert [rig.listing(key).epoch for key in ("shop//c0", "shop//c1")] == [0, 0]


async def test_a_worker_compares_the_channels_of_its_own() -> None:
    rig = shadowed(skus=2)
    shadows = Shadows(rig.engine, rig.tables, {"shop": True, "clarus": True}, "w1", rig.place)
    async with rig.running("shop", "clarus"):
        await rig.adopted()
        await started(rig)
        rig.tell(rig.target(1, 3))
        rig.tell(release(), channel="clarus")
        await until(lambda: rig.warehouse.looks)
        await until(lambda: rig.runtime.pending() == {"shop": 0, "clarus": 0})
        found = await shadows.channel("shop")
        assert (found.here, found.shadow, found.actor) == (True, True, "configuration")
        verdicts = {one.listing: (one.verdict, one.difference) for one in found.listings}
        assert verdicts == {"shop//c0": ("lower", -7), "shop//c1": ("unknown", 0)}
        assert (await shadows.channel("clarus")).held == Held(releases=1, cancels=0)


def transport(*answers: ShadowAnswer | int) -> httpx.MockTransport:
    left = iter(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        one = next(left)
        return httpx.Response(one) if isinstance(one, int) else httpx.Response(200, content=msgspec.json.encode(one))

    return httpx.MockTransport(answer)


def test_workers_are_asked_until_one_owns_the_channel() -> None:
    settings = Rig().settings
    elsewhere, here = ShadowAnswer("shop", "w1", 1, 3, False), ShadowAnswer("shop", "w2", 1, 3, True, shadow=True)
    assert ask(settings, "shop", ["http://a", "http://b", "http://c"], transport(503, elsewhere, here)) == here
    with pytest.raises(Problem, match=r"does not own shop \(partition 3\)"):
        ask(settings, "shop", ["http://a"], transport(elsewhere))
    with pytest.raises(Problem, match="shpo is no channel of this configuration; near it: shop"):
        ask(settings, "shpo", ["http://a"], transport())
