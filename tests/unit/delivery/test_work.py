"""What is to be done and what is at the warehouse is found in the store, without looking through what is over and without keeping it in memory."""

from collections import Counter
from typing import Any

from app.delivery.at_work import LOOKED_THROUGH, UNSEEN_AT_ONCE, AtWork
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.work import due_prefix
from tests.unit.delivery.rig import Rig, until
from tests.unit.delivery.test_shipments import outcomes, parcel
from tests.unit.delivery.test_warehouse import release, started, statuses

MANY = 3 * LOOKED_THROUGH


def keys(rig: Rig, table: Any, channel: str, prefix: str = "") -> list[str]:
    found: list[str] = rig.engine.run(
        rig.place(channel), lambda context: [key for key, _ in context.scan(table, prefix)]
    )
    return found


def desk(rig: Rig) -> Any:
    return rig.runtime._owners["clarus"].desk


def at_work(rig: Rig, number: int, status: str = "PENDING", skus: tuple[str, ...] = ("S0", "S1")) -> ReleaseRow:
    return ReleaseRow(f"shop:{number}", f"shop:{number}", wms_id="1", status=status, skus=list(skus))


def keep(rig: Rig, work: AtWork, *rows: ReleaseRow) -> None:
    def commit(context: Any) -> None:
        for row in rows:
            context.put(rig.tables.releases, row.reference, row)
            work.note(context, row)

    rig.engine.run(rig.place("clarus"), commit)


async def test_a_parcel_is_due_until_it_is_answered() -> None:
    rig = Rig()
    rig.tell(parcel(1), parcel(2, "q", whole=True))
    assert keys(rig, rig.tables.due, "shop") == ["shop/shipment/7"]
    async with rig.running():
        await until(lambda: len(outcomes(rig)) == 2)
        await until(lambda: keys(rig, rig.tables.due, "shop") == [])
    assert len(keys(rig, rig.tables.shipments, "shop")) == 2


async def test_an_order_is_due_until_it_is_at_the_warehouse_and_at_work_until_it_is_over() -> None:
    rig = Rig()
    rig.tell(release(), channel="clarus")
    assert keys(rig, rig.tables.due, "clarus", due_prefix("clarus", "order")) == ["clarus/order/shop:1"]
    async with rig.running("clarus"):
        await started(rig)
        await until(lambda: statuses(rig) == ["PENDING"])
        assert keys(rig, rig.tables.due, "clarus") == []
        assert keys(rig, rig.tables.at_work, "clarus") == ["S0\x1fshop:1"]
        rig.warehouse.orders["shop:1"] = [
            type(one)(one.wms_id, one.reference, "CANCELLED", one.warehouse, one.lines)
            for one in rig.warehouse.orders["shop:1"]
        ]
        await until(lambda: keys(rig, rig.tables.at_work, "clarus") == [], 10)
    assert "CANCELLED" in statuses(rig)


async def test_every_order_that_a_read_does_not_show_has_its_turn_and_no_look_passes_more_than_it_may() -> None:
    rig = Rig(skus=2)
    async with rig.running("clarus"):
        await started(rig)
        work, shown = AtWork(desk(rig)), {f"shop:{n}" for n in range(0, MANY, 2)}
        keep(rig, work, *(at_work(rig, n) for n in range(MANY)))
        seen: Counter[str] = Counter()
        for _ in range(2 * MANY // UNSEEN_AT_ONCE):
            found = rig.engine.run(rig.place("clarus"), lambda context: work.unseen(context, "S0", shown))
            assert len(found) <= UNSEEN_AT_ONCE
            assert not shown & set(found)
            seen.update(found)
        assert seen.keys() == {f"shop:{n}" for n in range(1, MANY, 2)}
        assert max(seen.values()) - min(seen.values()) <= 2


async def test_a_turn_goes_over_every_order_once_and_forgets_what_is_over() -> None:
    rig = Rig(skus=2)
    async with rig.running("clarus"):
        await started(rig)
        work = AtWork(desk(rig))
        keep(rig, work, *(at_work(rig, n) for n in range(250)))
        keep(rig, work, at_work(rig, 7, "COMPLETED"), at_work(rig, 8, skus=("S1",)))

        def turn() -> list[str]:
            found: list[str] = rig.engine.run(rig.place("clarus"), lambda context: work.next(context, 100))
            return found

        seen = [name for _ in range(6) for name in turn()]
        assert sorted(seen) == sorted(f"shop:{n}" for n in range(250) if n != 7)
        assert turn() == []
        assert "S0\x1fshop:8" not in keys(rig, rig.tables.at_work, "clarus")


async def test_orders_that_come_after_a_turn_over_none_have_their_turn_within_a_sweep() -> None:
    rig = Rig(skus=2, sweeps={"stock": "100ms"})
    async with rig.running("clarus"):
        await started(rig)
        work = AtWork(desk(rig))

        def turn() -> list[str]:
            found: list[str] = rig.engine.run(rig.place("clarus"), lambda context: work.next(context, 100))
            return found

        assert turn() == []
        keep(rig, work, *(at_work(rig, n) for n in range(3)))
        seen: set[str] = set()

        def all_seen() -> bool:
            seen.update(turn())
            return seen == {f"shop:{n}" for n in range(3)}

        await until(all_seen)
