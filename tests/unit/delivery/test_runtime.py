"""Owners start with their partition, end with it, come back where they break, and leave each other alone."""

from collections.abc import Sequence

from app.connectors.contract import GoodsOut, Priority
from app.connectors.errors import NotSent, Unavailable
from schemas.records import ExceptionState, StockOutcome
from tests.unit.delivery.rig import Rig, until


async def test_a_channel_has_its_owner_where_its_partition_lies() -> None:
    rig = Rig()
    assert rig.place("shop") != rig.place("clarus"), "the test needs two partitions"
    async with rig.running("clarus"):
        assert set(rig.runtime.pending()) == {"clarus"}
        rig.engine.give(rig.place("shop"))
        assert set(rig.runtime.pending()) == {"clarus", "shop"}
        await until(lambda: set(rig.runtime.status()) == {"clarus", "shop"})
        rig.engine.lose(rig.place("clarus"))
        assert set(rig.runtime.pending()) == {"shop"}
        await until(lambda: rig.warehouse.closed)
        assert not rig.storefront.closed


async def test_a_partition_that_comes_back_has_its_owner_again() -> None:
    rig = Rig()
    async with rig.running("shop"):
        await rig.adopted()
        rig.engine.lose(rig.place("shop"))
        await until(lambda: rig.storefront.closed)
        rig.tell(rig.target(1, 4))
        rig.engine.give(rig.place("shop"))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)


async def test_one_channel_away_does_not_touch_another() -> None:
    rig = Rig()
    rig.warehouse.away = Unavailable("clarus", "POST /graphql", "connection refused")
    async with rig.running("clarus", "shop"):
        await rig.adopted()
        await until(lambda: rig.sent(ExceptionState))
        rig.tell(rig.target(1, 4))
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        await until(lambda: rig.runtime.pending()["shop"] == 0)
        assert {one.exception_id for one in rig.sent(ExceptionState)} == {"delivery_failed:clarus"}


async def test_an_owner_that_breaks_starts_over_from_the_rows() -> None:
    rig = Rig()
    read_stock = rig.storefront.read_stock
    broken = True

    async def read(listings: Sequence[object], priority: Priority) -> object:
        if broken:
            raise KeyError("a bug in a connector")
        return await read_stock(listings, priority)  # type: ignore[arg-type]

    rig.storefront.read_stock = read  # type: ignore[assignment,method-assign]
    async with rig.running("shop"):
        await until(lambda: rig.storefront.closed)
        broken = False
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)


async def test_the_status_names_channels_and_no_orders() -> None:
    rig = Rig()
    rig.warehouse.orders["shop:1"] = [GoodsOut("7", "shop:1", "PENDING", "MAIN", {})]
    async with rig.running("clarus", "shop"):
        await rig.adopted()
        await until(lambda: rig.runtime.status()["clarus"]["writes"])
        status = rig.runtime.status()
        assert set(status) == {"clarus", "shop"}
        assert status["shop"]["breaker"] == "closed"
        rig.runtime.measure()


async def test_requests_that_were_kept_back_are_no_failures_of_the_channel() -> None:
    rig = Rig()
    rig.warehouse.away = NotSent("clarus", "POST /graphql", "not sent")
    async with rig.running("clarus", "shop"):
        await rig.adopted()
        desk = rig.runtime._owners["clarus"].desk
        await until(lambda: rig.warehouse.asked > 3 * rig.settings.settings.delivery.attempts)
        assert desk.failures == 0 and not rig.sent(ExceptionState)
