"""The warehouse's owner reads dirty SKUs, explains lines that are gone, and makes exactly one goods out of an order."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from app.connectors.contract import Finding, GoodsOut, JointRead, LineRead, Priority
from app.connectors.errors import OutcomeUnknown, PeerError, Refused, Unavailable
from app.delivery.release_looks import NAMED_GAP
from app.delivery.stock import CROWDED, GATHER
from schemas.records import (
    CancelOrder,
    ExceptionState,
    ReadStock,
    ReleaseLine,
    ReleaseOrder,
    StockLevel,
    WarehouseOrder,
)
from tables.deliveries import absence, twins
from tests.unit.delivery.rig import Rig, until

REFERENCE = "shop:1"


def release(version: int = 1, reference: str = REFERENCE, eaches: int = 2, amends: bool = False) -> ReleaseOrder:
    return ReleaseOrder(
        channel="clarus",
        order_key=reference,
        reference=reference,
        number="1",
        version=version,
        lines=[ReleaseLine(sku="S0", eaches=eaches)],
        amends=amends,
    )


def cancel(version: int = 2) -> CancelOrder:
    return CancelOrder(channel="clarus", order_key=REFERENCE, reference=REFERENCE, version=version)


def dirty(sku: str = "S0") -> ReadStock:
    return ReadStock(channel="clarus", sku=sku, reason="test")


def unknown() -> PeerError:
    return OutcomeUnknown("clarus", "POST /api/orders", "ReadTimeout")


def statuses(rig: Rig) -> list[str]:
    return [one.status for one in rig.sent(WarehouseOrder)]


def lines(rig: Rig) -> set[tuple[str, int, bool]]:
    return {(one.reference, one.out, one.closed) for level in rig.sent(StockLevel) for one in level.lines}


async def started(rig: Rig) -> None:
    """The reads of the start are told."""
    await until(lambda: {one.sku for one in rig.sent(StockLevel)} >= set(rig.warehouse.balances))


async def test_every_sku_is_read_at_the_start() -> None:
    rig = Rig(skus=3)
    async with rig.running("clarus"):
        await started(rig)
        assert {one.sku: one.balances for one in rig.sent(StockLevel)} == {f"S{n}": {"MAIN": 10} for n in range(3)}
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_dirty_sku_is_read_and_only_differences_are_told() -> None:
    rig = Rig()
    rig.warehouse.lines["S0"] = {"a": LineRead(2, "MAIN"), "b": LineRead(1, "MAIN")}
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.lines["S0"]["b"] = LineRead(3, "MAIN")
        rig.tell(dirty(), channel="clarus")
        await until(lambda: len(rig.sent(StockLevel)) >= 2)
        first, second = rig.sent(StockLevel)[:2]
        assert [(one.reference, one.out) for one in first.lines] == [("a", 2), ("b", 1)]
        assert [(one.reference, one.out) for one in second.lines] == [("b", 3)]
        assert second.read_no > first.read_no


async def test_skus_that_become_dirty_one_after_the_other_gather_before_the_next_read() -> None:
    rig = Rig(skus=20)
    began: list[float] = []
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.reads.clear()
        rig.warehouse.on_read = lambda: began.append(time.monotonic())
        for number in range(20):
            rig.tell(dirty(f"S{number}"), channel="clarus")
            await asyncio.sleep(0.01)
        await until(lambda: {sku for _, skus in rig.warehouse.reads for sku in skus} == set(rig.warehouse.balances))
        assert all(later - earlier > 0.9 * GATHER / 1000 for earlier, later in pairwise(began))


async def test_nobody_waits_for_the_read_of_a_sku_with_many_open_lines() -> None:
    rig = Rig(skus=3)
    rig.warehouse.lines["S0"] = {f"order-{n}": LineRead(1, "MAIN") for n in range(CROWDED)}
    read, under_way, over = rig.warehouse.read_stock, asyncio.Event(), asyncio.Event()

    async def slow(skus: Sequence[str], priority: Priority) -> Mapping[str, JointRead]:
        if "S0" in skus:
            under_way.set()
            await over.wait()
        return await read(skus, priority)

    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.read_stock = slow  # type: ignore[method-assign]
        told = len(rig.sent(StockLevel))
        rig.tell(dirty("S0"), dirty("S1"), channel="clarus")
        await under_way.wait()
        await until(lambda: [one.sku for one in rig.sent(StockLevel)[told:]] == ["S1"])
        rig.tell(dirty("S2"), channel="clarus")
        await until(lambda: [one.sku for one in rig.sent(StockLevel)[told:]] == ["S1", "S2"])
        over.set()
        await until(lambda: rig.sent(StockLevel)[-1].sku == "S0" and rig.runtime.pending() == {"clarus": 0})


async def test_what_happens_during_a_read_is_read_again() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await started(rig)
        told = len(rig.sent(StockLevel))

        def happen() -> None:
            rig.warehouse.on_read = lambda: None
            rig.warehouse.balances["S0"]["MAIN"] = 6
            rig.tell(dirty(), channel="clarus")

        rig.warehouse.on_read = happen
        rig.tell(dirty(), channel="clarus")
        await until(lambda: [one.balances["MAIN"] for one in rig.sent(StockLevel)[told:]] == [10, 6])
        row = rig.row(rig.tables.reads, "S0", "clarus")
        assert row.done == row.wanted


async def test_a_line_that_is_gone_is_looked_up_before_the_read_is_told() -> None:
    rig = Rig()
    rig.warehouse.lines["S0"] = {name: LineRead(2, "MAIN") for name in ("back", "done", "lost")}
    rig.warehouse.orders = {
        "back": [GoodsOut("1", "back", "PENDING", "MAIN", {"S0": (2, 0)})],
        "done": [GoodsOut("2", "done", "COMPLETED", "MAIN", {"S0": (2, 2)})],
    }
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.lines["S0"] = {}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: len(rig.sent(StockLevel)) >= 2)
        level = rig.sent(StockLevel)[1]
        assert {(one.reference, one.out, one.closed) for one in level.lines} == {("back", 0, False), ("done", 2, True)}
        row = rig.row(rig.tables.reads, "S0", "clarus")
        assert set(row.lines) == {"lost"}
        looks = len(rig.warehouse.looks)
        await until(lambda: len(rig.warehouse.looks) > looks)
        assert rig.warehouse.looks[-1] == ["lost"]


async def test_a_sku_the_warehouse_does_not_know_is_an_exception() -> None:
    rig = Rig(skus=2)
    del rig.warehouse.balances["S1"]
    async with rig.running("clarus"):
        await until(lambda: [one.exception_id for one in rig.sent(ExceptionState)] == ["unmapped_sku:S1"])
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        rig.warehouse.balances["S1"] = {"MAIN": 1}
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])


async def test_the_feed_finds_what_no_webhook_told() -> None:
    rig = Rig(skus=2, sweeps={"feed": "20ms"})
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.balances["S1"]["MAIN"] = 3
        rig.warehouse.changes = {"S1", "not ours"}
        await until(lambda: rig.sent(StockLevel)[-1].balances == {"MAIN": 3})
        assert rig.row(rig.tables.polls, "clarus", "clarus").feed


async def test_a_foreign_goods_out_that_vanishes_does_not_leave_its_sku_unread_for_ever() -> None:
    rig = Rig()
    rig.warehouse.lines["S0"] = {"theirs": LineRead(2, "MAIN")}
    async with rig.running("clarus"):
        await started(rig)
        began = rig.engine.now_ms()
        rig.warehouse.lines["S0"] = {}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: ("theirs", 0, True) in lines(rig))
        assert rig.engine.now_ms() >= began + 400, "create_unknown"
        assert len(rig.warehouse.looks) >= absence.LOOKS
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_foreign_goods_out_that_shows_again_counts_again() -> None:
    rig = Rig()
    rig.warehouse.lines["S0"] = {"theirs": LineRead(2, "MAIN")}
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.lines["S0"] = {}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: len(rig.warehouse.looks) >= 2)
        rig.warehouse.lines["S0"] = {"theirs": LineRead(2, "MAIN")}
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        assert lines(rig) == {("theirs", 2, False)}


async def test_the_sweep_reads_every_sku_again() -> None:
    rig = Rig(skus=3, sweeps={"stock": "150ms"})
    rig.warehouse.max_read = 1
    async with rig.running("clarus"):
        await until(lambda: all(sum(one.sku == sku for one in rig.sent(StockLevel)) >= 2 for sku in ("S0", "S1", "S2")))
        assert Priority.SWEEP in {priority for priority, _ in rig.warehouse.reads}


async def test_a_release_makes_one_goods_out_and_has_its_skus_read() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await started(rig)
        reads = len(rig.warehouse.reads)
        rig.tell(release(), release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        assert rig.warehouse.looks[0] == [REFERENCE], "looked up before it was created"
        assert len(rig.warehouse.creates) == 1
        await until(lambda: len(rig.warehouse.reads) > reads)
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_an_order_that_is_there_already_is_not_created() -> None:
    rig = Rig()
    rig.warehouse.orders[REFERENCE] = [GoodsOut("7", REFERENCE, "ALLOCATED", "MAIN", {"S0": (2, 2)})]
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: [(one.status, one.wms_id) for one in rig.sent(WarehouseOrder)] == [("ALLOCATED", "7")])
        assert not rig.warehouse.creates


async def test_a_create_that_was_made_but_not_answered_is_found() -> None:
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        assert len(rig.warehouse.creates) == 1


async def test_a_create_that_was_lost_is_sent_again_only_when_the_warehouse_cannot_be_at_it_any_more() -> None:
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    rig.warehouse.lands = False
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: len(rig.warehouse.creates) == 1)
        rig.warehouse.lands = True
        looks = len(rig.warehouse.looks)
        began = rig.row(rig.tables.releases, REFERENCE, "clarus").intent.at
        await until(lambda: len(rig.warehouse.creates) == 2)
        assert rig.row(rig.tables.releases, REFERENCE, "clarus").since <= began
        assert len(rig.warehouse.looks) > looks
        assert rig.engine.now_ms() >= began + 400
        await until(lambda: statuses(rig) == ["PENDING"])


async def test_a_cancel_waits_for_the_outcome_of_the_create() -> None:
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    rig.warehouse.lands = False
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: rig.warehouse.creates)
        rig.tell(cancel(), channel="clarus")
        late = rig.warehouse.make(REFERENCE, "PENDING", {"S0": (2, 0)})
        looks = len(rig.warehouse.looks)
        await until(lambda: len(rig.warehouse.looks) > looks)
        assert statuses(rig) == []
        rig.warehouse.orders[REFERENCE] = [late]  # the first create lands at last
        await until(lambda: statuses(rig) == ["DELETED"])
        assert [one.wms_id for one in rig.warehouse.cancels] == [late.wms_id]
        assert len(rig.warehouse.creates) == 1


async def test_a_cancel_of_what_was_never_made_is_answered_without_a_request() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        rig.tell(release(), cancel(), channel="clarus")
        await until(lambda: statuses(rig) == ["DELETED"])
        assert not rig.warehouse.creates and not rig.warehouse.cancels


async def test_the_warehouse_decides_about_a_cancel() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        rig.warehouse.become(REFERENCE, "PICK")
        rig.warehouse.cancel_fates.append(Refused("clarus", "POST cancel", "picked already"))
        rig.tell(cancel(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "CANCEL_REFUSED"])
        assert rig.sent(WarehouseOrder)[-1].detail == "picked already"
        assert rig.warehouse.cancels[0].status == "PICK"
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_cancel_whose_answer_was_lost_is_looked_up() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        rig.warehouse.cancel_fates.append(unknown())
        rig.tell(cancel(), channel="clarus")
        await until(lambda: rig.warehouse.cancels)
        rig.warehouse.orders.pop(REFERENCE)
        await until(lambda: statuses(rig)[-1] == "DELETED")
        assert len(rig.warehouse.cancels) == 1


async def test_a_refused_release_is_told_and_a_newer_one_is_tried() -> None:
    rig = Rig()
    rig.warehouse.create_fates.append(Refused("clarus", "POST /api/orders", "no such product"))
    rig.warehouse.lands = False
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["REFUSED"])
        assert rig.sent(WarehouseOrder)[0].detail == "no such product"
        rig.warehouse.lands = True
        rig.tell(release(2), channel="clarus")
        await until(lambda: statuses(rig) == ["REFUSED", "PENDING"])


async def test_a_crash_after_the_intent_is_an_unknown_create() -> None:
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    async with rig.running("clarus"):
        rig.warehouse.away = None
        rig.tell(release(), channel="clarus")
        await until(lambda: rig.warehouse.creates)
        await rig.crash()
        assert rig.row(rig.tables.releases, REFERENCE, "clarus").intent is not None
        rig.engine.give(rig.place("clarus"))
        await until(lambda: statuses(rig) == ["PENDING"])
        assert len(rig.warehouse.creates) == 1


async def allocated(rig: Rig) -> None:
    """Its order is at the warehouse and allocated, and ORDERS was told."""
    await started(rig)
    rig.tell(release(), channel="clarus")
    await until(lambda: statuses(rig) == ["PENDING"])
    rig.warehouse.become(REFERENCE, "ALLOCATED", {"S0": (2, 2)})
    rig.warehouse.lines["S0"] = {REFERENCE: LineRead(2, "MAIN")}
    rig.tell(dirty(), channel="clarus")
    await until(lambda: statuses(rig) == ["PENDING", "ALLOCATED"])


async def test_a_cancel_of_an_order_that_somebody_deleted_at_the_warehouse_ends_and_so_do_the_reads_of_its_skus() -> (
    None
):
    rig = Rig()
    async with rig.running("clarus"):
        await allocated(rig)
        rig.warehouse.orders.clear()
        rig.warehouse.lines["S0"] = {}
        rig.tell(cancel(), dirty(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "ALLOCATED", "DELETED"])
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        assert not rig.warehouse.cancels


async def test_an_order_that_vanished_at_the_warehouse_is_told_and_the_reads_of_its_skus_end() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await allocated(rig)
        kept, looks = dict(rig.warehouse.orders), len(rig.warehouse.looks)
        rig.warehouse.orders.clear()
        rig.warehouse.lines["S0"] = {}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "ALLOCATED", "DELETED"], 10)
        assert sum(REFERENCE in names for names in rig.warehouse.looks[looks:]) >= absence.LOOKS
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        assert (REFERENCE, 0, True) in lines(rig)
        assert not rig.warehouse.cancels and len(rig.warehouse.creates) == 1

        rig.warehouse.orders.update(kept)
        rig.warehouse.lines["S0"] = {REFERENCE: LineRead(2, "MAIN")}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: statuses(rig)[3:] == ["ALLOCATED"])


async def test_an_order_that_waits_and_vanished_is_told_but_not_while_the_warehouse_is_away() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await started(rig)
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        rig.warehouse.orders.clear()
        rig.warehouse.away = Unavailable("clarus", "POST /graphql", "connection refused")
        rig.tell(dirty(), channel="clarus")
        await asyncio.sleep(0.8)
        assert statuses(rig) == ["PENDING"]
        rig.warehouse.away = None
        await until(lambda: statuses(rig) == ["PENDING", "DELETED"], 10)
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_despatched_order_is_told_when_its_line_is_gone() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await allocated(rig)
        rig.warehouse.become(REFERENCE, "COMPLETED")
        rig.warehouse.lines["S0"] = {}
        rig.tell(dirty(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "ALLOCATED", "COMPLETED"])
        row = rig.row(rig.tables.releases, REFERENCE, "clarus")
        assert row.order is None, "what is over keeps no address"


def changed(reference: str = REFERENCE) -> ReadStock:
    """A webhook named the order."""
    return ReadStock(channel="clarus", sku="S0", reason="webhook", reference=reference)


async def test_an_order_that_a_notification_names_is_looked_up_whatever_the_read_of_its_sku_shows() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await allocated(rig)
        rig.warehouse.become(REFERENCE, "COMPLETED")
        rig.tell(changed(), changed("shop:nobody-knows"), channel="clarus")
        await until(lambda: statuses(rig)[-1] == "COMPLETED")
        assert rig.warehouse.looks[-1] == [REFERENCE]
        looks = len(rig.warehouse.looks)
        rig.tell(changed(), channel="clarus")
        await asyncio.sleep(3 * NAMED_GAP)
        assert len(rig.warehouse.looks) == looks, "it is over"


async def test_what_a_look_up_saw_of_an_order_that_became_busy_meanwhile_is_looked_for_again() -> None:
    rig = Rig()
    find, named, own = rig.warehouse.find_orders, asyncio.Event(), asyncio.Event()

    async def crossing(references: Sequence[str], priority: Priority) -> Mapping[str, list[GoodsOut]]:
        """The order's own look-up begins before the despatch and ends after the one that shows it."""
        if not named.is_set():
            named.set()
            rig.tell(cancel(), channel="clarus")
            await own.wait()
            return await find(references, priority)
        if not own.is_set():
            found = await find(references, priority)
            rig.warehouse.become(REFERENCE, "COMPLETED", despatched={"S0": 2})
            own.set()
            await asyncio.sleep(0.05)
            return found
        return await find(references, priority)

    async with rig.running("clarus"):
        await allocated(rig)
        rig.warehouse.cancel_fates.append("CANCEL_REFUSED")
        rig.warehouse.find_orders = crossing  # type: ignore[method-assign]
        rig.tell(changed(), channel="clarus")
        await until(lambda: statuses(rig)[-1] == "COMPLETED")


async def test_a_sku_that_moves_during_every_read_is_read_again_without_a_back_off() -> None:
    rig = Rig(delivery={"backoff": "1h", "backoff_max": "1h"})
    async with rig.running("clarus"):
        await started(rig)
        rig.warehouse.moved.add("S0")
        rig.tell(dirty(), channel="clarus")
        await until(lambda: len(rig.sent(StockLevel)) >= 4)
        assert rig.runtime.pending() == {"clarus": 1}
        rig.warehouse.moved.clear()
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_the_warehouse_away_is_one_exception_and_everything_is_done_when_it_is_back() -> None:
    rig = Rig(skus=3)
    rig.warehouse.away = Unavailable("clarus", "POST /graphql", "connection refused")
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: [one.exception_id for one in rig.sent(ExceptionState)] == ["delivery_failed:clarus"])
        assert rig.runtime.pending()["clarus"] > 0
        rig.warehouse.away = None
        await until(lambda: statuses(rig) == ["PENDING"])
        await started(rig)
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])


async def test_no_level_is_told_before_the_start_check_agrees() -> None:
    rig = Rig()
    rig.warehouse.findings = [Finding("available", False, "what is available cannot be told", "set release_point")]
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN"])
        assert not rig.sent(StockLevel) and not rig.warehouse.creates
        rig.warehouse.findings = []
        await started(rig)
        await until(lambda: statuses(rig) == ["PENDING"])


async def test_an_order_that_was_despatched_between_two_reads_is_found_and_its_line_closed() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await started(rig)
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        rig.warehouse.balances["S0"]["MAIN"] = 8
        rig.warehouse.become(REFERENCE, "COMPLETED", {"S0": (2, 2)})
        rig.tell(dirty(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "COMPLETED"])
        await until(lambda: (REFERENCE, 2, True) in lines(rig))


async def made(rig: Rig) -> None:
    """A goods out of two is there."""
    rig.tell(release(), channel="clarus")
    await until(lambda: statuses(rig) == ["PENDING"])


async def test_a_changed_release_changes_the_goods_out_that_is_there() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await made(rig)
        rig.tell(release(2, eaches=3, amends=True), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "PENDING"])
        assert rig.sent(WarehouseOrder)[-1].holds == 2
        assert [one.version for one in rig.warehouse.changed] == [2] and len(rig.warehouse.creates) == 1
        assert rig.warehouse.orders[REFERENCE][0].lines == {"S0": (3, 0)}
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_change_after_allocation_is_not_sent() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await made(rig)
        rig.warehouse.become(REFERENCE, "ALLOCATED")
        rig.tell(release(2, eaches=3, amends=True), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "CHANGE_REFUSED", "ALLOCATED"])
        assert rig.warehouse.changed == []
        await until(lambda: rig.runtime.pending() == {"clarus": 0})


async def test_a_change_whose_answer_was_lost_is_looked_up_and_not_repeated() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await made(rig)
        rig.warehouse.change_fates.append(unknown())
        rig.tell(release(2, eaches=3, amends=True), channel="clarus")
        await until(lambda: [one.holds for one in rig.sent(WarehouseOrder)] == [1, 2])
        assert len(rig.warehouse.changed) == 1


async def test_a_change_that_clarus_refuses_is_told_in_its_words() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await made(rig)
        rig.warehouse.change_fates.append(Refused("clarus", "PATCH /api/goods_outs/1", "postcode is not valid"))
        rig.tell(release(2, eaches=3, amends=True), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING", "CHANGE_REFUSED"])
        assert rig.sent(WarehouseOrder)[-1].detail == "postcode is not valid"
        assert rig.warehouse.orders[REFERENCE][0].lines == {"S0": (2, 0)}


async def test_a_crash_after_the_intent_of_a_change_is_an_unknown_change() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        await made(rig)
        rig.warehouse.change_fates.append(unknown())
        rig.tell(release(2, eaches=3, amends=True), channel="clarus")
        await until(lambda: rig.warehouse.changed)
        await rig.crash()
        assert rig.row(rig.tables.releases, REFERENCE, "clarus").intent is not None
        rig.engine.give(rig.place("clarus"))
        await until(lambda: rig.sent(WarehouseOrder)[-1].holds == 2)
        assert len(rig.warehouse.changed) == 1


# ---- twins and picks ------------------------------------------------------------------------------------------------------------------------


async def test_a_twin_is_cancelled_and_the_order_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "AFTER", (50, 100, 150))
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        first = rig.warehouse.orders[REFERENCE][0]
        rig.warehouse.orders[REFERENCE].append(GoodsOut("late", REFERENCE, "PENDING", "MAIN", first.lines))
        await until(lambda: [one.wms_id for one in rig.warehouse.cancels] == ["late"])
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
        assert [one.wms_id for one in rig.warehouse.orders[REFERENCE]] == [first.wms_id]
        await until(lambda: rig.sent(WarehouseOrder)[-1].ordered == {"S0": 2})
        assert set(statuses(rig)) == {"PENDING"}


async def test_two_goods_outs_that_are_begun_with_are_one_exception_until_one_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(twins, "AFTER", (50, 100, 400))
    rig = Rig()
    rig.warehouse.create_fates.append(unknown())
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: statuses(rig) == ["PENDING"])
        lines = rig.warehouse.orders[REFERENCE][0].lines
        rig.warehouse.orders[REFERENCE] = [
            GoodsOut(name, REFERENCE, "ALLOCATED", "MAIN", lines) for name in ("wms-1", "late")
        ]
        await until(lambda: bool(troubles(rig)))
        assert troubles(rig)[-1] == ("stuck_order", "OPEN") and not rig.warehouse.cancels
        assert "late (ALLOCATED)" in rig.sent(ExceptionState)[-1].detail
        rig.warehouse.orders[REFERENCE].pop()
        await until(lambda: troubles(rig)[-1] == ("stuck_order", "RESOLVED"))


async def test_an_order_that_makes_no_progress_is_an_exception_until_it_goes_on() -> None:
    rig = Rig(delivery={"progress_level": "200ms"}, sweeps={"stock": "50ms"})
    async with rig.running("clarus"):
        await made(rig)
        await until(lambda: troubles(rig) == [("stuck_order", "OPEN")])
        assert "shop:1 is PENDING at the warehouse without a step on" in rig.sent(ExceptionState)[-1].detail
        rig.warehouse.become(REFERENCE, "ALLOCATED")
        await until(lambda: ("stuck_order", "RESOLVED") in troubles(rig))
        await until(lambda: troubles(rig)[-1] == ("stuck_order", "OPEN"))
        rig.warehouse.become(REFERENCE, "COMPLETED", despatched={"S0": 2})
        await until(lambda: troubles(rig)[-1] == ("stuck_order", "RESOLVED"))


def troubles(rig: Rig) -> list[tuple[str, str]]:
    return [(one.type, one.state) for one in rig.sent(ExceptionState)]


async def test_picks_are_asked_for_where_that_is_our_business_and_a_failure_does_not_touch_the_order() -> None:
    rig = Rig()
    rig.warehouse.processes_picks = True
    rig.warehouse.pick_fates.extend([Unavailable("clarus", "POST picks", "503"), None])
    async with rig.running("clarus"):
        rig.tell(release(), channel="clarus")
        await until(lambda: len(rig.warehouse.picks) == 2)
        assert statuses(rig) == ["PENDING"] and len(rig.warehouse.creates) == 1
        await until(lambda: rig.runtime.pending() == {"clarus": 0})
