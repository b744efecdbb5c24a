"""Parcels through a storefront's owner: intents before requests, lost answers looked for, refusals and delays said, pauses kept."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.connectors.contract import GoodsOut, Package, Priority
from app.connectors.errors import OutcomeUnknown, Refused, Unavailable
from schemas.records import (
    ExceptionState,
    OperatorState,
    ReadStock,
    ReleaseLine,
    ReleaseOrder,
    ShipmentLine,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
)
from tables.deliveries.peers import PeerKind
from tables.deliveries.shipments import ShipmentRow
from tests.unit.delivery.rig import Rig, until

LOST = OutcomeUnknown("shop", "POST shipments", "no answer")


def parcel(version: int = 1, parcel_id: str = "p", **given: Any) -> ShipParcel:
    return ShipParcel(
        channel="shop",
        order_id="7",
        number="A7",
        parcel_id=parcel_id,
        key=f"clarus-{parcel_id}",
        version=version,
        wanted=given.pop("wanted", True),
        lines=[ShipmentLine(line_id="1", units=1)],
        tracking=f"T{parcel_id}",
        **given,
    )


def outcomes(rig: Rig) -> list[tuple[str, str]]:
    return [(one.parcel_id, one.state) for one in rig.sent(ShipmentOutcome)]


def shipment_row(rig: Rig, parcel_id: str = "p") -> ShipmentRow | None:
    row: ShipmentRow | None = rig.row(rig.tables.shipments, f"shop/7/{parcel_id}")
    return row


async def test_two_parcels_of_an_order_are_shipped_once_each_and_then_the_order_is_settled() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(parcel(1, "a"), parcel(2, "b", whole=True), parcel(2, "b", whole=True))
        await until(lambda: len(outcomes(rig)) == 2)
        assert [one.parcel_id for one in rig.storefront.shipped] == ["a", "b"]
        assert rig.storefront.extents[-1] == "whole"
        await until(lambda: rig.runtime.pending()["shop"] == 0)


async def test_an_order_that_says_so_by_itself_is_not_settled_by_another_request() -> None:
    rig = Rig()
    rig.storefront.tells_extent = True
    async with rig.running():
        rig.tell(parcel(1, "a"), parcel(2, "b", whole=True))
        await until(lambda: len(outcomes(rig)) == 2)
        assert (rig.storefront.said["7"], rig.storefront.extents) == ("whole", [])
        rig.tell(parcel(3, "b", wanted=False))
        await until(lambda: outcomes(rig)[2:] == [("b", "REMOVED")])
        assert rig.storefront.extents == ["part"]


async def test_the_intent_is_committed_before_the_request_leaves_and_a_successor_looks_first() -> None:
    rig = Rig(PeerKind.RELATIVE)
    async with rig.running():
        rig.storefront.gate.clear()
        rig.tell(parcel())
        await until(lambda: rig.storefront.shipped)
        row = shipment_row(rig)
        assert row is not None and row.intent is not None and row.intent.kind == "ship"
        rig.storefront.parcels["7"] = {"99": rig.storefront.shipped[0]}
        await rig.crash()
    rig.storefront.gate.set()
    async with rig.running():
        await until(lambda: outcomes(rig) == [("p", "SHIPPED")])
    assert len(rig.storefront.shipped) == 1
    row = shipment_row(rig)
    assert row is not None and row.peer_id == "99"


@pytest.mark.parametrize("kind", [PeerKind.VERSIONED, PeerKind.RELATIVE])
@pytest.mark.parametrize("lands", [True, False])
async def test_a_lost_answer_never_makes_a_second_shipment(kind: PeerKind, lands: bool) -> None:
    rig = Rig(kind)
    rig.storefront.lands = lands
    rig.storefront.ship_fates.append(LOST)
    async with rig.running():
        rig.tell(parcel())
        await until(lambda: outcomes(rig) == [("p", "SHIPPED")])
    assert len(rig.storefront.parcels["7"]) == 1
    assert len(rig.storefront.shipped) == (1 if lands else 2)


async def test_a_refusal_is_told_and_not_repeated_and_an_order_nobody_knows_is_one() -> None:
    rig = Rig()
    rig.storefront.ship_fates.append(Refused("shop", "POST shipments", "400: no such line"))
    async with rig.running():
        rig.tell(parcel())
        await until(lambda: outcomes(rig) == [("p", "REFUSED")])
        rig.storefront.unknown_orders.add("7")
        rig.tell(parcel(2))
        await until(lambda: outcomes(rig) == [("p", "REFUSED")] * 2)
    assert [one.detail for one in rig.sent(ShipmentOutcome)] == ["400: no such line", "it has no such order"]
    assert len(rig.storefront.shipped) == 1


async def test_a_despatch_that_was_taken_back_is_removed_and_leaves_no_row() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(parcel())
        await until(lambda: outcomes(rig) == [("p", "SHIPPED")])
        rig.tell(parcel(2, wanted=False))
        await until(lambda: outcomes(rig)[-1] == ("p", "REMOVED"))
        assert rig.storefront.parcels["7"] == {} and rig.storefront.extents[-1] == "none"
        assert shipment_row(rig) is None


async def test_a_parcel_that_comes_late_is_an_exception_until_it_is_there() -> None:
    rig = Rig(delivery={"despatch_level": "50ms"})
    rig.storefront.ship_fates.extend([Unavailable("shop", "POST shipments", "away", retry_after=1.5)])
    async with rig.running():
        rig.tell(parcel())
        await until(lambda: outcomes(rig) == [("p", "SHIPPED")], 10)
    said = [(one.type, one.entity, one.owner, one.state) for one in rig.sent(ExceptionState)]
    assert said == [
        ("despatch_gap", "shop:A7", "integration", "OPEN"),
        ("despatch_gap", "shop:A7", "integration", "RESOLVED"),
    ]


async def test_nothing_is_shipped_while_the_channel_is_paused() -> None:
    rig = Rig()
    async with rig.running():
        pause = OperatorState(channel="shop", target="", paused=True, actor="x", reason="y")
        rig.tell(pause, parcel())
        await until(lambda: rig.storefront.looks)
        assert rig.storefront.shipped == []
        rig.tell(OperatorState(channel="shop", target="", paused=False, actor="x", reason="y"))
        await until(lambda: outcomes(rig) == [("p", "SHIPPED")])


RELEASE = ReleaseOrder(
    channel="clarus",
    order_key="shop:7",
    reference="shop:7",
    number="A7",
    version=1,
    lines=[ReleaseLine(sku="S0", eaches=2)],
)
HINT = ReadStock(channel="clarus", sku="S0", reason="webhook")


async def test_what_left_the_warehouse_is_told_with_its_packages_when_they_come() -> None:
    rig = Rig()
    async with rig.running("clarus"):
        rig.tell(RELEASE, channel="clarus")
        await until(lambda: rig.warehouse.orders.get("shop:7"))
        rig.warehouse.become("shop:7", "COMPLETED", {"S0": (2, 2)}, {"S0": 2})
        rig.tell(HINT, channel="clarus")
        await until(lambda: rig.row(rig.tables.releases, "shop:7", "clarus").parcel_reads)
        rig.warehouse.packages["shop:7"] = [Package("31", "RM1", "RM", "48", {"S0": 2})]
        await until(lambda: any(one.parcels for one in rig.sent(WarehouseDespatch)), 10)
        assert rig.warehouse.known[0] == ["shop:7"] and rig.warehouse.known[-1] == []
        told = rig.sent(WarehouseDespatch)[-1]
        assert told.complete and [(one.parcel_id, one.tracking, one.lines) for one in told.parcels] == [
            ("31", "RM1", {"S0": 2})
        ]


async def test_what_leaves_while_packages_are_read_is_told_even_if_the_worker_dies_after_that_read() -> None:
    rig = Rig()
    warehouse, packages = rig.warehouse, [Package(n, f"RM{n}", "RM", "48", {"S0": 1}) for n in ("31", "32")]
    answer, reads = warehouse.read_despatches, list[Sequence[str]]()

    def despatched() -> dict[str, int]:
        found: dict[str, int] = rig.row(rig.tables.releases, "shop:7", "clarus").despatched
        return found

    async def slow(references: Sequence[str], priority: Priority, known: Mapping[str, GoodsOut]) -> Any:
        found = await answer(references, priority, known)
        reads.append(references)
        if len(reads) == 1:
            warehouse.become("shop:7", "COMPLETED", {"S0": (2, 2)}, {"S0": 2})
            warehouse.packages["shop:7"] = packages
            rig.tell(HINT, channel="clarus")
            await until(lambda: despatched() == {"S0": 2})
        elif len(reads) == 2:
            await asyncio.Event().wait()
        return found

    warehouse.read_despatches = slow  # type: ignore[method-assign]
    async with rig.running("clarus"):
        rig.tell(RELEASE, channel="clarus")
        await until(lambda: warehouse.orders.get("shop:7"))
        warehouse.become("shop:7", "PICK", {"S0": (2, 2)}, {"S0": 1})
        warehouse.packages["shop:7"] = packages[:1]
        rig.tell(HINT, channel="clarus")
        await until(lambda: len(reads) == 2)
        await rig.crash()
        rig.engine.give(rig.place("clarus"))
        await until(lambda: [len(one.parcels) for one in rig.sent(WarehouseDespatch)][-1:] == [2])
        assert rig.sent(WarehouseDespatch)[-1].complete and despatched() == {"S0": 2}
