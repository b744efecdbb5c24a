"""A request that another owner sent may land until late_max after the takeover: that owner may have died just now. Its intent says nothing of that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.records import (
    AnnounceReturn,
    NoteOrder,
    RefundLine,
    ReleaseLine,
    ReleaseOrder,
    SettleReturn,
    ShipmentLine,
    ShipParcel,
)
from tables.deliveries import notes, receipts, refunds, releases, shipments, work
from tables.deliveries.peers import PeerKind
from tables.deliveries.release_row import Create, ReleaseRow
from tables.deliveries.work import Kind
from tables.returns.fold import KEY
from tests.unit.delivery.rig import Rig, now_ms, until

LATE = 400
LONG_AGO = 10_000


@dataclass(frozen=True)
class Open:
    """A row whose request is under way since `LONG_AGO`, and how often that was sent to the peer."""

    channel: str
    kind: Kind
    table: str
    entity: str
    row: Callable[[int], Any]
    sent: Callable[[Rig], int]
    key: str = ""


def _release(at: int) -> ReleaseRow:
    row = ReleaseRow("shop:7", "shop:7")
    command = ReleaseOrder(
        channel="clarus",
        order_key="shop:7",
        reference="shop:7",
        number="A7",
        version=1,
        lines=[ReleaseLine(sku="S0", eaches=1)],
    )
    releases.want_release(row, command, at)
    releases.begin(row, Create(command), at)
    return row


def _receipt(at: int) -> receipts.ReceiptRow:
    row = receipts.ReceiptRow("shop:7:r", "shop:7", "r")
    command = AnnounceReturn(
        channel="clarus",
        order_key="shop:7",
        number="A7",
        order_reference="shop:7",
        return_id="r",
        reference="shop:7:r",
        version=1,
        lines={"S0": 1},
    )
    receipts.want(row, command, at)
    receipts.begin(row, at)
    return row


def _shipment(at: int) -> shipments.ShipmentRow:
    row = shipments.ShipmentRow("shop", "7", "p")
    command = ShipParcel(
        channel="shop",
        order_id="7",
        number="A7",
        parcel_id="p",
        key="clarus-p",
        version=1,
        wanted=True,
        lines=[ShipmentLine(line_id="1", units=1)],
        tracking="T",
    )
    shipments.want(row, command, at)
    shipments.begin(row, shipments.Ship(command), at)
    return row


def _refund(at: int) -> refunds.RefundRow:
    row = refunds.RefundRow("shop", "7", "r", 1)
    lines = [RefundLine(line_id="1", units=1, amount=400)]
    command = SettleReturn(
        channel="shop",
        order_id="7",
        number="A7",
        return_id="r",
        part=1,
        key=f"{KEY}x-1",
        version=1,
        currency="EUR",
        lines=lines,
    )
    refunds.want(row, command, at)
    refunds.begin(row, refunds.Refund(command.key, 400, tuple(lines), 0, 0), at)
    return row


def _note(at: int) -> notes.NoteRow:
    row = notes.NoteRow("shop", "7")
    notes.want(row, NoteOrder(channel="shop", order_id="7", number="A7", version=1, text="refused", open=True), at)
    notes.begin(row, at)
    return row


OPEN = [
    Open("clarus", "order", "releases", "shop:7", _release, lambda rig: len(rig.warehouse.creates), "shop:7"),
    Open("clarus", "return", "receipts", "shop:7:r", _receipt, lambda rig: len(rig.warehouse.announced), "shop:7:r"),
    Open("shop", "shipment", "shipments", "7", _shipment, lambda rig: len(rig.storefront.shipped)),
    Open("shop", "refund", "refunds", "7", _refund, lambda rig: len(rig.storefront.refunded)),
    Open("shop", "note", "notes", "7", _note, lambda rig: len(rig.storefront.written)),
]


@pytest.mark.parametrize("one", OPEN, ids=lambda one: str(one.kind))
async def test_it_is_sent_again_no_earlier_than_late_max_after_the_first_takeover(one: Open) -> None:
    rig = Rig(PeerKind.RELATIVE, bounds={"late_max": f"{LATE}ms"}, delivery={"create_unknown": f"{LATE}ms"})
    table, row = getattr(rig.tables, one.table), one.row(now_ms() - LONG_AGO)
    key = one.key or row.key

    def left_behind(context: Any) -> None:
        context.put(table, key, row)
        context.put(rig.tables.due, work.due_key(one.channel, one.kind, one.entity), work.DueRow(now_ms()))

    rig.engine.run(rig.place(one.channel), left_behind)

    def given_up() -> int:
        intent = rig.row(table, key, one.channel).intent
        return int(intent.given_up) if intent is not None else 0

    began = now_ms()
    async with rig.running(one.channel):
        await until(given_up)
        first = given_up()
        assert first >= began
        await rig.crash()
    assert given_up() == first
    async with rig.running(one.channel):
        await until(lambda: one.sent(rig))
    assert now_ms() >= first + LATE
    assert one.sent(rig) == 1
