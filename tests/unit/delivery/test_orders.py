"""A storefront's owner polls orders into a watermark, and fetches those that a notification named."""

from app.connectors.contract import PeerKind
from app.connectors.errors import PeerError, Unavailable
from schemas.records import Baseline, ExceptionState, FetchOrder, OrderSnapshot, OrderWatermark, StockOutcome
from tests.unit.delivery.peers import order
from tests.unit.delivery.rig import Rig, now_ms, until


def fetch(order_id: str) -> FetchOrder:
    return FetchOrder(channel="shop", order_id=order_id)


def sequence(rig: Rig) -> list[str]:
    """Orders and watermarks as they went to orders.events."""
    found = []
    for record in rig.engine.sent:
        if record.topic == "orders.events":
            body = rig.codecs[record.topic].decode(record.value).body
            found.append(body.order_id if isinstance(body, OrderSnapshot) else f"watermark in {record.partition}")
    return found


async def test_the_watermark_goes_to_every_partition_after_the_orders_of_its_poll() -> None:
    rig = Rig()
    rig.storefront.orders = [order(f"o{n}", now_ms()) for n in range(3)]
    async with rig.running():
        await until(lambda: rig.sent(OrderWatermark))
        assert sequence(rig)[:7] == ["o0", "o1", "o2", *(f"watermark in {n}" for n in range(4))]


async def test_a_poll_that_breaks_off_makes_no_watermark_and_is_made_again_from_the_same_time() -> None:
    rig = Rig()
    rig.storefront.orders = [order(f"o{n}", now_ms()) for n in range(3)]
    rig.storefront.break_poll = True
    async with rig.running():
        await until(lambda: len(rig.storefront.polls) >= 2)
        assert not rig.sent(OrderWatermark)
        assert rig.row(rig.tables.polls, "shop") is None
        rig.storefront.break_poll = False
        await until(lambda: rig.sent(OrderWatermark))
        assert {one.order_id for one in rig.sent(OrderSnapshot)} == {"o0", "o1", "o2"}


async def test_a_poll_starts_one_overlap_before_the_last_and_sends_nothing_twice() -> None:
    rig = Rig(sweeps={"orders": "30ms"})
    rig.storefront.orders = [order("o0", now_ms())]
    async with rig.running():
        await until(lambda: len(rig.storefront.polls) >= 3)
        rig.storefront.orders.append(order("o1", now_ms()))
        await until(lambda: len(rig.sent(OrderSnapshot)) == 2)
        rig.storefront.orders[0] = order("o0", now_ms(), status="Held")  # the same version, as within one second
        await until(lambda: len(rig.sent(OrderSnapshot)) == 3)
        assert [one.order_id for one in rig.sent(OrderSnapshot)] == ["o0", "o1", "o0"]
        row = rig.row(rig.tables.polls, "shop")
        assert rig.storefront.polls[-1] <= row.started_at - 60_000 + 1_000


async def test_a_baseline_is_followed_by_a_watermark_that_reaches_it() -> None:
    rig = Rig()
    async with rig.running():
        await until(lambda: rig.sent(Baseline))
        at = rig.sent(Baseline)[0].at_to
        await until(lambda: max((one.up_to for one in rig.sent(OrderWatermark)), default=0) >= at)


async def test_units_that_others_wait_for_make_a_poll_due() -> None:
    rig = Rig()

    def known(at: int) -> bool:
        return max((one.up_to for one in rig.sent(OrderWatermark)), default=0) >= at

    async with rig.running():
        await until(lambda: rig.sent(Baseline))
        await until(lambda: known(rig.sent(Baseline)[0].at_to))
        rig.tell(rig.target(1, 4, escrow=True))
        await until(lambda: rig.sent(StockOutcome))
        await until(lambda: known(rig.sent(StockOutcome)[0].at))


async def test_the_watermark_leaves_the_consistency_margin() -> None:
    rig = Rig(bounds={"consistency_margin": "5s"})
    async with rig.running():
        await until(lambda: rig.sent(OrderWatermark))
        row = rig.row(rig.tables.polls, "shop")
        assert rig.sent(OrderWatermark)[0].up_to == row.watermark == row.started_at - 5_000


async def test_an_order_that_was_asked_for_many_times_is_fetched_and_its_row_goes() -> None:
    rig = Rig()
    rig.storefront.orders = [order("o1", 1)]
    async with rig.running():
        rig.tell(fetch("o1"), fetch("o1"), fetch("gone"))
        await until(lambda: [one.order_id for one in rig.sent(OrderSnapshot)] == ["o1"])
        await until(lambda: rig.row(rig.tables.fetches, "shop/o1") is None)
        await until(lambda: rig.row(rig.tables.fetches, "shop/gone") is None)
        assert sorted(rig.storefront.fetched) == ["gone", "o1"]


async def test_fetches_left_by_an_earlier_owner_are_made() -> None:
    rig = Rig()
    rig.storefront.orders = [order("o1", 1)]
    rig.tell(fetch("o1"))
    assert rig.row(rig.tables.fetches, "shop/o1").wanted == 1
    async with rig.running():
        await until(lambda: [one.order_id for one in rig.sent(OrderSnapshot)] == ["o1"])


async def test_orders_that_are_asked_for_close_together_come_with_one_request() -> None:
    rig = Rig(PeerKind.RELATIVE)
    names = [f"o{n}" for n in range(8)]
    rig.storefront.orders = [order(name, 1) for name in names]
    async with rig.running():
        rig.tell(*map(fetch, names))
        await until(lambda: {one.order_id for one in rig.sent(OrderSnapshot)} == set(names))
    assert sorted(map(len, rig.storefront.fetches)) == [2, 3, 3]


async def test_an_order_that_cannot_be_read_keeps_none_of_those_that_were_asked_for_with_it() -> None:
    rig = Rig(PeerKind.RELATIVE)
    rig.storefront.orders = [order(name, 1) for name in ("o1", "o2", "o3")]
    rig.storefront.unreadable = {"o2"}
    async with rig.running():
        rig.tell(fetch("o1"), fetch("o2"), fetch("o3"))
        await until(lambda: {one.order_id for one in rig.sent(OrderSnapshot)} == {"o1", "o3"})
        await until(lambda: rig.sent(ExceptionState))
        assert {one.exception_id for one in rig.sent(ExceptionState)} == {"delivery_failed:shop:o2"}
        assert rig.row(rig.tables.fetches, "shop/o2") is not None


async def test_an_order_that_cannot_be_fetched_is_an_exception_of_its_own() -> None:
    rig = Rig()
    rig.storefront.orders = [order("o2", 1)]
    rig.storefront.unreadable = {"o1"}
    async with rig.running():
        rig.tell(fetch("o1"))
        while not rig.sent(ExceptionState):
            rig.tell(fetch("o2"))
            await until(lambda: rig.row(rig.tables.fetches, "shop/o2") is None)
        assert "delivery_failed:shop:o1" in [one.exception_id for one in rig.sent(ExceptionState)]


async def test_polls_go_on_after_the_channel_was_away() -> None:
    rig = Rig()
    away: PeerError = Unavailable("shop", "GET /orders", "connection refused")
    rig.storefront.away = away
    async with rig.running():
        await until(lambda: len(rig.storefront.polls) >= 3)
        rig.storefront.away = None
        await until(lambda: rig.sent(OrderWatermark))
