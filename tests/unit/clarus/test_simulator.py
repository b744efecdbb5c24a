"""The simulated warehouse itself: orders' states, stock arithmetic, and the floor that works alone."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.simulators.clarus import ClarusSimulator
from app.simulators.contract import FloorSpeed, StepRefused, WarehouseOrder, WarehouseSimulator
from tests.support.clarus import FAST, MANUAL, until

Make = Callable[..., ClarusSimulator]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[ClarusSimulator] = []

    def build(**options: Any) -> ClarusSimulator:
        simulator = ClarusSimulator("clarus", 1, warehouses=["MAIN", "NORTH"], **{"floor": MANUAL, **options})
        made.append(simulator)
        return simulator

    yield build
    for one in made:
        await one.floor.stop()


def stocked(simulator: ClarusSimulator, **quantities: int) -> ClarusSimulator:
    for sku, quantity in quantities.items():
        simulator.add_product(sku)
        simulator.receive(sku, "MAIN", quantity)
    return simulator


def place(simulator: ClarusSimulator, key: str, *lines: tuple[str, int], warehouse: str | None = "MAIN") -> None:
    order = simulator.book.create(
        simulator.account,
        simulator.stockroom.warehouses[warehouse] if warehouse else None,
        None,
        None,
        {"reference": key, "external_system_reference1": key, "expected_date_of_dispatch": "2026-01-01T00:00:00Z"},
        {},
        [(simulator.stockroom.products[sku], quantity, {}) for sku, quantity in lines],
    )
    simulator.floor.created(order)


def shown(simulator: ClarusSimulator, key: str) -> WarehouseOrder:
    return next(order for order in simulator.orders() if order.upstream == key)


def main(simulator: ClarusSimulator, sku: str) -> tuple[int, int]:
    stock = simulator.stock()[sku]["MAIN"]
    return stock["available"], stock["held"]


def check_sums(simulator: ClarusSimulator) -> None:
    """Balances are what their stock records and the orders' lines add up to."""
    for balance in simulator.stockroom.balances():
        by_status = {
            status: sum(s.quantity for s in balance.records if s.status == status) for status in ("available", "held")
        }
        assert by_status == {"available": balance.on_hand, "held": balance.held}
        lines = [
            line
            for order in simulator.book.orders.values()
            if order.warehouse is balance.warehouse
            for line in order.lines
            if line.product is balance.product
        ]
        assert balance.allocated == sum(line.allocated for line in lines)
        assert balance.picked == sum(line.picked for line in lines)
        assert min(balance.available, balance.held, balance.allocated, balance.picked) >= 0


async def test_it_is_a_warehouse_simulator(make: Make) -> None:
    simulator: WarehouseSimulator = make()
    assert simulator.quiet()


async def test_movements_book_at_most_what_is_there_and_say_so(make: Make) -> None:
    simulator = stocked(make(), MUG=10)
    assert simulator.adjust("MUG", "MAIN", -3) == -3
    assert simulator.hold("MUG", "MAIN", 5) == 5
    assert main(simulator, "MUG") == (2, 5)
    assert simulator.adjust("MUG", "MAIN", -9) == -2
    assert simulator.adjust("MUG", "MAIN", -1) == 0
    assert simulator.hold("MUG", "MAIN", 1) == 0
    assert simulator.release("MUG", "MAIN", 9) == 5
    assert simulator.move("MUG", "MAIN", "NORTH", 9) == 5
    assert simulator.move("MUG", "MAIN", "NORTH", 1) == 0
    assert simulator.adjust("MUG", "MAIN", 4) == 4
    assert main(simulator, "MUG") == (4, 0)
    assert simulator.stock()["MUG"]["NORTH"] == {"available": 5, "held": 0}
    check_sums(simulator)


async def test_allocated_stock_cannot_be_adjusted_held_or_moved_away(make: Make) -> None:
    simulator = stocked(make(), MUG=10)
    place(simulator, "o1", ("MUG", 8))
    simulator.allocate("o1")
    assert main(simulator, "MUG") == (2, 0)
    assert simulator.adjust("MUG", "MAIN", -5) == -2
    assert simulator.hold("MUG", "MAIN", 5) == 0
    assert simulator.move("MUG", "MAIN", "NORTH", 5) == 0
    check_sums(simulator)


async def test_every_change_is_in_the_journal_as_booked(make: Make) -> None:
    simulator = stocked(make(), MUG=10)
    simulator.adjust("MUG", "MAIN", -30)
    place(simulator, "o1", ("MUG", 1))
    entries = [(e["what"], e.get("qty")) for e in simulator.journal.entries]
    assert entries == [("received", 10), ("adjusted", -10), ("order created", None)]


@pytest.mark.parametrize("act", ["receive", "hold", "release"])
async def test_what_does_not_exist_is_refused(make: Make, act: str) -> None:
    simulator = stocked(make(), MUG=10)
    for sku, warehouse, quantity in (("GHOST", "MAIN", 1), ("MUG", "MOON", 1), ("MUG", "MAIN", -1)):
        with pytest.raises(StepRefused):
            getattr(simulator, act)(sku, warehouse, quantity)


async def test_steps_of_unknown_orders_and_in_wrong_states_are_refused(make: Make) -> None:
    simulator = stocked(make(), MUG=10)
    parcel = {"tracking": "P", "lines": [{"sku": "MUG", "qty": 1}]}
    with pytest.raises(StepRefused, match="no order of o1"):
        simulator.allocate("o1")
    place(simulator, "o1", ("MUG", 1))
    with pytest.raises(StepRefused, match="PENDING"):
        simulator.despatch("o1", [parcel])
    simulator.allocate("o1")
    with pytest.raises(StepRefused, match="ALLOCATED"):
        simulator.allocate("o1")
    with pytest.raises(StepRefused, match="2 of MUG to despatch, 1 allocated"):
        simulator.despatch("o1", [{"tracking": "P", "lines": [{"sku": "MUG", "qty": 2}]}])
    simulator.despatch("o1", [parcel])
    with pytest.raises(StepRefused, match="COMPLETED"):
        simulator.cancel("o1")


async def test_parcels_go_out_one_by_one_and_the_last_completes_the_order(make: Make) -> None:
    simulator = stocked(make(), MUG=12, CUP=2)
    place(simulator, "o1", ("MUG", 12), ("CUP", 2))
    simulator.allocate("o1")
    simulator.despatch("o1", [{"tracking": "P1", "lines": [{"sku": "CUP", "qty": 2}]}])
    assert shown(simulator, "o1").status == "PICK"
    simulator.despatch("o1", [{"tracking": "P2", "lines": [{"sku": "MUG", "qty": 12}]}])
    order = shown(simulator, "o1")
    assert order.status == "COMPLETED"
    assert [parcel["tracking"] for parcel in order.parcels] == ["P1", "P2"]
    assert order.taken == {("MUG", "MAIN"): 12, ("CUP", "MAIN"): 2}
    check_sums(simulator)


@pytest.mark.parametrize(
    ("before", "status", "available"),
    [((), "DELETED", 10), (("allocate",), "CANCELLED", 10), (("allocate", "pick"), "CANCELLED", 10)],
)
async def test_the_cancel_matrix(make: Make, before: tuple[str, ...], status: str, available: int) -> None:
    simulator = stocked(make(), MUG=10)
    place(simulator, "o1", ("MUG", 4))
    for step in before:
        getattr(simulator, step)("o1")
    simulator.cancel("o1")
    order = shown(simulator, "o1")
    assert (order.status, order.taken, main(simulator, "MUG")[0]) == (status, {}, available)
    check_sums(simulator)


async def test_a_pick_list_is_cancelled_and_the_order_waits_again(make: Make) -> None:
    simulator = stocked(make(), MUG=10)
    place(simulator, "o1", ("MUG", 4))
    simulator.allocate("o1")
    simulator.pick("o1")
    simulator.unallocate("o1")
    assert (shown(simulator, "o1").status, main(simulator, "MUG")) == ("PENDING", (10, 0))
    simulator.allocate("o1")
    assert shown(simulator, "o1").status == "ALLOCATED"
    check_sums(simulator)


async def test_a_despatch_is_taken_back_and_the_order_completes_again(make: Make) -> None:
    simulator = stocked(make(), MUG=4)
    place(simulator, "o1", ("MUG", 4))
    simulator.allocate("o1")
    simulator.despatch("o1", [{"tracking": "P1", "lines": [{"sku": "MUG", "qty": 4}]}])
    simulator.undespatch("o1")
    assert (shown(simulator, "o1").status, shown(simulator, "o1").parcels) == ("PICK", [])
    check_sums(simulator)
    simulator.despatch("o1", [{"tracking": "P2", "lines": [{"sku": "MUG", "qty": 4}]}])
    assert shown(simulator, "o1").status == "COMPLETED"
    completed = [e for e in simulator.journal.entries if e["what"] == "completed"]
    assert len(completed) == 2


async def test_whole_storage_units_are_despatched_where_they_are_rounded_up(make: Make) -> None:
    simulator = stocked(make(round_up={"MUG": 6}), MUG=20)
    place(simulator, "o1", ("MUG", 4))
    simulator.allocate("o1")
    assert shown(simulator, "o1").taken == {("MUG", "MAIN"): 6}
    simulator.despatch("o1", [{"tracking": "P1", "lines": [{"sku": "MUG", "qty": 6}]}])
    assert shown(simulator, "o1").status == "COMPLETED"
    assert main(simulator, "MUG") == (14, 0)


async def test_an_order_without_warehouse_goes_where_it_is_covered_best(make: Make) -> None:
    simulator = stocked(make(), MUG=3)
    simulator.receive("MUG", "NORTH", 5)
    for key, quantity, warehouse in (("o1", 4, "NORTH"), ("o2", 9, "MAIN")):
        place(simulator, key, ("MUG", quantity), warehouse=None)
        simulator.allocate(key)
        assert {place for _, place in shown(simulator, key).taken} == {warehouse}
    assert shown(simulator, "o2").status == "PART_ALLOCATED"


async def test_the_floor_takes_an_order_from_creation_to_a_parcel_with_tracking(make: Make) -> None:
    simulator = stocked(make(floor=FAST), MUG=4)
    simulator.floor.start()
    place(simulator, "o1", ("MUG", 4))
    await until(lambda: simulator.quiet())
    order = shown(simulator, "o1")
    assert order.status == "COMPLETED"
    assert order.parcels == [{"tracking": "TRK00000001-1", "lines": [{"sku": "MUG", "qty": 4}]}]


async def test_a_floor_without_speed_only_follows_steps(make: Make) -> None:
    simulator = stocked(make(), MUG=4)
    simulator.floor.start()
    place(simulator, "o1", ("MUG", 4))
    assert simulator.quiet()
    assert shown(simulator, "o1").status == "PENDING"


async def test_orders_short_of_stock_are_quiet_and_go_on_oldest_first_when_it_comes(make: Make) -> None:
    simulator = stocked(make(floor=FAST), MUG=3)
    simulator.floor.start()
    for n in range(4):
        place(simulator, f"o{n}", ("MUG", 2))
    await until(lambda: simulator.quiet())
    assert [shown(simulator, f"o{n}").status for n in range(4)] == ["COMPLETED", "PART_ALLOCATED", "PENDING", "PENDING"]
    simulator.receive("MUG", "MAIN", 3)
    assert not simulator.quiet()
    await until(lambda: simulator.quiet())
    assert [shown(simulator, f"o{n}").status for n in range(4)] == ["COMPLETED", "COMPLETED", "COMPLETED", "PENDING"]
    check_sums(simulator)


@pytest.mark.parametrize("frees", ["cancel", "release", "move"])
async def test_stock_that_becomes_free_in_any_way_serves_who_waits(make: Make, frees: str) -> None:
    simulator = stocked(make(floor=FloorSpeed(0.01, None, None)), MUG=4)
    simulator.floor.start()
    if frees == "cancel":
        place(simulator, "o1", ("MUG", 4))
    elif frees == "release":
        simulator.hold("MUG", "MAIN", 4)
    else:
        simulator.move("MUG", "MAIN", "NORTH", 4)
    await until(lambda: simulator.quiet())
    place(simulator, "o2", ("MUG", 4))
    await until(lambda: simulator.quiet())
    assert shown(simulator, "o2").status == "PENDING"
    if frees == "cancel":
        simulator.cancel("o1")
    elif frees == "release":
        simulator.release("MUG", "MAIN", 4)
    else:
        simulator.move("MUG", "NORTH", "MAIN", 4)
    await until(lambda: simulator.quiet())
    assert shown(simulator, "o2").status == "ALLOCATED"


async def test_a_floor_that_fails_is_not_quiet_in_silence(make: Make) -> None:
    simulator = make(floor=FAST)
    simulator.floor.start()
    simulator.floor.after(0.0, lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        await until(lambda: simulator.quiet())


ACTS = (
    ["place", "receive", "adjust", "hold", "release", "move"]
    + ["allocate", "pick", "despatch", "short"] * 2
    + ["undespatch", "unallocate", "cancel"]
)


def short(simulator: ClarusSimulator, key: str) -> None:
    order = simulator.book.with_upstream(key)
    if order is not None and order.status == "PART_ALLOCATED":
        simulator.book.short(order)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_no_unit_is_lost_or_made(make: Make, seed: int) -> None:
    simulator, rng = stocked(make(), MUG=30, CUP=30), random.Random(seed)
    total, keys = {"MUG": 30, "CUP": 30}, ["none"]
    for n in range(200):
        sku, warehouse = rng.choice(("MUG", "CUP")), rng.choice(("MAIN", "NORTH"))
        quantity, key, act = rng.randint(1, 8), rng.choice(keys[-8:]), rng.choice(ACTS)
        try:
            match act:
                case "place":
                    keys.append(f"o{n}")
                    place(simulator, f"o{n}", (sku, quantity), (sku, 1), warehouse=rng.choice(("MAIN", None)))
                case "receive":
                    total[sku] += simulator.receive(sku, warehouse, quantity)
                case "adjust":
                    total[sku] += simulator.adjust(sku, warehouse, rng.choice((quantity, -quantity)))
                case "hold" | "release":
                    getattr(simulator, act)(sku, warehouse, quantity)
                case "move":
                    simulator.move(sku, warehouse, "MAIN" if warehouse == "NORTH" else "NORTH", quantity)
                case "despatch":
                    simulator.despatch(key, [{"tracking": str(n), "lines": [{"sku": sku, "qty": quantity}]}])
                case "short":
                    short(simulator, key)
                case _:
                    getattr(simulator, act)(key)
        except StepRefused:
            continue
        check_sums(simulator)
        check_totals(simulator, total)
    statuses = {order.status for order in simulator.orders()}
    assert len(statuses) >= 3


def check_totals(simulator: ClarusSimulator, total: dict[str, int]) -> None:
    """What came in is in the warehouses or went out; what orders took is on their lines."""
    for code, everything in total.items():
        lines = [line for line in simulator.book.lines.values() if line.product.code == code]
        balances = list(simulator.stockroom.balances(simulator.stockroom.products[code]))
        inside = sum(b.on_hand + b.held + b.picked for b in balances)
        assert inside + sum(line.despatched for line in lines) == everything
        for warehouse in simulator.stockroom.warehouses.values():
            taken = sum(order.taken.get((code, warehouse.code), 0) for order in simulator.book.orders.values())
            own = [line for line in lines if line.order.warehouse is warehouse]
            assert taken == sum(line.allocated + line.picked + line.despatched for line in own)
