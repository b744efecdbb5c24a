"""Returns and refunds through their owners: intents before requests, lost answers looked for, refusals and delays said, pauses and shadow kept."""

import asyncio

import msgspec
import pytest

from app.connectors.errors import OutcomeUnknown, Refused, Unavailable
from schemas.records import (
    AnnounceReturn,
    ChannelMode,
    ExceptionState,
    OperatorState,
    Payment,
    RefundLine,
    RefundOutcome,
    SettleReturn,
    WarehouseReturn,
)
from tables.deliveries.peers import PeerKind
from tables.deliveries.receipts import ReceiptRow, SeenReceipt
from tables.deliveries.refunds import RefundRow
from tables.returns.fold import KEY
from tests.unit.delivery.rig import Rig, until

LOST = OutcomeUnknown("shop", "POST refunds", "no answer")
QUICK = {"sweeps": {"returns": "50ms"}, "delivery": {"create_unknown": "300ms"}, "bounds": {"late_max": "300ms"}}


def command(version: int = 1, part: int = 1, amount: int = 400) -> SettleReturn:
    return SettleReturn(
        channel="shop",
        order_id="7",
        number="A7",
        return_id="r",
        part=part,
        key=f"{KEY}x-{part}",
        version=version,
        currency="EUR",
        lines=[RefundLine(line_id="1", units=1, amount=amount)],
    )


def announcement(version: int = 1) -> AnnounceReturn:
    return AnnounceReturn(
        channel="clarus",
        order_key="shop:7",
        number="A7",
        order_reference="shop:7",
        return_id="r",
        reference="shop:7:r",
        version=version,
        lines={"S0": 1},
    )


def outcomes(rig: Rig) -> list[tuple[int, str]]:
    return [(one.part, one.state) for one in rig.sent(RefundOutcome)]


def refund_row(rig: Rig) -> RefundRow:
    row: RefundRow = rig.row(rig.tables.refunds, "shop/7/r/1")
    return row


async def test_parts_of_an_order_are_refunded_once_each_and_the_storefronts_items_follow_before_they_are_told() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(command(), command(2, 2), command(2, 2))
        await until(lambda: len(outcomes(rig)) == 2)
        assert sorted(outcomes(rig)) == [(1, "SETTLED"), (2, "SETTLED")]
        assert [one.key for one in rig.storefront.refunded] == [f"{KEY}x-1", f"{KEY}x-2"]
        assert rig.storefront.settled
        await until(lambda: rig.runtime.pending()["shop"] == 0)


async def test_the_intent_is_committed_before_the_request_leaves_and_a_successor_looks_first() -> None:
    rig = Rig(PeerKind.RELATIVE)
    async with rig.running():
        rig.storefront.gate.clear()
        rig.tell(command())
        await until(lambda: rig.storefront.refunded)
        assert refund_row(rig).intent is not None
        made = Payment(payment_id="99", kind="REFUND", state="DONE", amount=400, key=f"{KEY}x-1")
        rig.storefront.refunds["7"] = [made]
        await rig.crash()
    rig.storefront.gate.set()
    async with rig.running():
        await until(lambda: outcomes(rig) == [(1, "SETTLED")])
    assert len(rig.storefront.refunded) == 1
    assert refund_row(rig).refund_id == "99"


@pytest.mark.parametrize("kind", [PeerKind.VERSIONED, PeerKind.RELATIVE])
@pytest.mark.parametrize("lands", [True, False])
async def test_a_lost_answer_never_makes_a_second_refund(kind: PeerKind, lands: bool) -> None:
    rig = Rig(kind, **QUICK)
    rig.storefront.lands = lands
    rig.storefront.refund_fates.append(LOST)
    async with rig.running():
        rig.tell(command())
        await until(lambda: outcomes(rig) == [(1, "SETTLED")])
    assert len(rig.storefront.refunds["7"]) == 1
    assert len(rig.storefront.refunded) == (1 if lands else 2)


async def test_what_somebody_else_gave_back_is_counted_and_not_given_again() -> None:
    rig = Rig()
    rig.storefront.refunds["7"] = [Payment(payment_id="h", kind="REFUND", state="DONE", amount=400)]
    async with rig.running():
        rig.tell(command())
        await until(lambda: outcomes(rig) == [(1, "SETTLED")])
    assert rig.storefront.refunded == []
    assert [(one.amount, one.by_hand) for one in rig.sent(RefundOutcome)] == [(0, 400)]


async def test_a_refusal_is_told_and_not_repeated_and_a_newer_command_is_tried() -> None:
    rig = Rig()
    rig.storefront.refund_fates.append(Refused("shop", "POST refunds", "422: not settled"))
    async with rig.running():
        rig.tell(command())
        await until(lambda: outcomes(rig) == [(1, "REFUSED")])
        rig.storefront.captured = 300
        rig.tell(command(2))
        await until(lambda: len(outcomes(rig)) == 2)
        rig.storefront.captured = 1000
        rig.tell(command(3))
        await until(lambda: outcomes(rig)[-1] == (1, "SETTLED"))
    details = [one.detail for one in rig.sent(RefundOutcome)]
    assert details[0] == "422: not settled"
    assert "above what was paid" in details[1]
    assert len(rig.storefront.refunded) == 2


async def test_a_refund_that_comes_late_is_finances_until_it_is_there() -> None:
    rig = Rig(delivery={"refund_level": "50ms"})
    rig.storefront.refund_fates.append(Unavailable("shop", "POST refunds", "away", retry_after=1.5))
    async with rig.running():
        rig.tell(command())
        await until(lambda: outcomes(rig) == [(1, "SETTLED")], 10)
    said = [(one.type, one.owner, one.state) for one in rig.sent(ExceptionState)]
    assert said == [("refund_mismatch", "finance", "OPEN"), ("refund_mismatch", "finance", "RESOLVED")]


async def test_nothing_is_refunded_while_the_channel_is_paused() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(OperatorState(channel="shop", target="", paused=True, actor="x", reason="y"), command())
        await until(lambda: rig.storefront.looks)
        assert rig.storefront.refunded == []
        rig.tell(OperatorState(channel="shop", target="", paused=False, actor="x", reason="y"))
        await until(lambda: outcomes(rig) == [(1, "SETTLED")])


# ---- at the warehouse -----------------------------------------------------------------------------------------------------------------------


def told(rig: Rig) -> list[str]:
    return [one.state for one in rig.sent(WarehouseReturn)]


async def test_a_return_is_announced_once_and_followed_until_it_is_complete() -> None:
    rig = Rig(**QUICK)
    async with rig.running("clarus"):
        rig.tell(announcement(), announcement(), channel="clarus")
        await until(lambda: told(rig) == ["ANNOUNCED"])
        assert [warehouse for _, warehouse in rig.warehouse.announced] == ["MAIN"]
        await until(lambda: rig.runtime.pending()["clarus"] == 0)
        rig.warehouse.receipts["shop:7:r"] = [SeenReceipt("receipt-1", "COMPLETED", {"S0": 1}, {"S0": 1})]
        await until(lambda: told(rig) == ["ANNOUNCED", "COMPLETED"])
    assert len(rig.warehouse.announced) == 1


@pytest.mark.parametrize("lands", [True, False])
async def test_a_lost_answer_never_makes_a_second_receipt(lands: bool) -> None:
    rig = Rig(**QUICK)
    rig.warehouse.lands = lands
    rig.warehouse.create_fates.append(OutcomeUnknown("clarus", "POST goods_in_receipts", "no answer"))
    async with rig.running("clarus"):
        rig.tell(announcement(), channel="clarus")
        await until(lambda: told(rig) == ["ANNOUNCED"])
    assert len(rig.warehouse.receipts["shop:7:r"]) == 1
    assert len(rig.warehouse.announced) == (1 if lands else 2)


async def test_a_successor_looks_for_what_the_one_before_it_may_have_announced() -> None:
    rig = Rig(**QUICK)
    row = ReceiptRow("shop:7:r", "shop:7", "r")
    async with rig.running("clarus"):
        rig.warehouse.away = Unavailable("clarus", "POST graphql", "away")
        rig.tell(announcement(), channel="clarus")
        await until(lambda: rig.row(rig.tables.receipts, "shop:7:r", "clarus"))
        await rig.crash()
    row = rig.row(rig.tables.receipts, "shop:7:r", "clarus")
    assert row.version == 1
    rig.warehouse.away = None
    rig.warehouse.receipts["shop:7:r"] = [SeenReceipt("9", "ANNOUNCED")]
    async with rig.running("clarus"):
        await until(lambda: told(rig) == ["ANNOUNCED"])
    assert rig.warehouse.announced == []


async def test_what_clarus_refuses_is_told_in_its_words() -> None:
    rig = Rig(**QUICK)
    rig.warehouse.create_fates.append(Refused("clarus", "POST goods_in_receipts", "no such product"))
    rig.warehouse.lands = False
    async with rig.running("clarus"):
        rig.tell(announcement(), channel="clarus")
        await until(lambda: told(rig) == ["REFUSED"])
    assert [one.detail for one in rig.sent(WarehouseReturn)] == ["no such product"]


async def test_nothing_is_announced_while_the_warehouse_is_paused_and_nobody_asks_on_and_on() -> None:
    rig = Rig(**QUICK)
    async with rig.running("clarus"):
        pause = OperatorState(channel="clarus", target="", paused=True, actor="x", reason="y")
        rig.tell(pause, announcement(), channel="clarus")
        await until(lambda: rig.warehouse.return_looks)
        await asyncio.sleep(0.3)
        assert rig.warehouse.announced == []
        assert rig.warehouse.return_looks <= 2
        rig.tell(msgspec.structs.replace(pause, paused=False), channel="clarus")
        await until(lambda: told(rig) == ["ANNOUNCED"])


async def test_refunds_in_shadow_are_held_back_and_count_for_nothing() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(ChannelMode(channel="shop", shadow=True, actor="x", reason="y"), command(), command(2, 2, amount=0))
        await until(lambda: rig.storefront.looks)
        await until(lambda: rig.runtime.pending()["shop"] == 0)
        looks = rig.storefront.looks
        await asyncio.sleep(0.3)
        assert (rig.storefront.refunded, rig.storefront.settled, rig.storefront.looks) == ([], [], looks)
        rig.tell(ChannelMode(channel="shop", shadow=False, actor="x", reason="y"))
        await until(lambda: len(outcomes(rig)) == 2)
