"""What a connected warehouse shows of its stock and of what was taken from it, by reads and by its feed; against the simulated Clarus over real HTTP."""

from typing import Any

import httpx
import pytest

from app.connectors.contract import LineRead, Priority
from app.simulators.base import now_ms
from tests.support.clarus import asked, clarus


async def test_a_read_gives_available_and_held_of_every_warehouse() -> None:
    async with clarus(stock={"000123": 10, "MUG": 3}) as tenant:
        tenant.simulator.receive("000123", "NORTH", 4)
        tenant.simulator.hold("000123", "MAIN", 6)
        read = await tenant.read("000123")
        assert read.balances == {"MAIN": 4, "NORTH": 4}
        assert read.held == {"MAIN": 6}
        assert (read.lines, read.moved, read.missing) == ({}, False, "")


async def test_a_warehouse_without_any_stock_of_a_product_has_zero() -> None:
    async with clarus(stock={"MUG": 3}) as tenant:
        assert (await tenant.read("MUG")).balances == {"MAIN": 3, "NORTH": 0}


async def test_an_unknown_sku_is_missing_and_found_as_soon_as_it_is_created() -> None:
    async with clarus(stock={"MUG": 3}) as tenant:
        assert "NEW" in (await tenant.read("NEW")).missing
        tenant.simulator.add_product("NEW")
        assert (await tenant.read("NEW")).missing == ""


async def test_codes_that_differ_in_case_or_zeros_are_different_products() -> None:
    async with clarus(stock={"0123": 1, "123": 2, "abc": 3}) as tenant:
        reads = await tenant.connector.read_stock(["0123", "123", "abc", "ABC"], Priority.SWEEP)
        assert [reads[sku].balances.get("MAIN") for sku in ("0123", "123", "abc")] == [1, 2, 3]
        assert reads["ABC"].missing


async def test_pending_lines_are_not_out_and_allocated_picked_and_despatched_ones_are() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        order = await tenant.order(("MUG", 4))
        assert (await tenant.read("MUG")).lines == {}
        for step in ("allocate", "pick"):
            getattr(tenant.simulator, step)(order.reference)
            read = await tenant.read("MUG")
            assert read.lines == {order.reference: LineRead(4, "MAIN")}
            assert read.balances["MAIN"] == 6
        tenant.simulator.despatch(order.reference, [{"tracking": "P1", "lines": [{"sku": "MUG", "qty": 3}]}])
        assert (await tenant.read("MUG")).lines == {order.reference: LineRead(4, "MAIN", despatched=3)}
        tenant.simulator.despatch(order.reference, [{"tracking": "P2", "lines": [{"sku": "MUG", "qty": 1}]}])
        assert (await tenant.read("MUG")).lines == {}
        found = await tenant.find(order)
        assert found is not None
        assert (found.status, found.lines) == ("COMPLETED", {"MUG": (4, 4)})


@pytest.mark.parametrize("contents", ["stocks", ""])
async def test_what_left_of_many_orders_is_read_with_its_packages_in_four_requests(contents: str) -> None:
    async with clarus(stock={"MUG": 10, "CARD": 5}, services=[("RM", "48")], package_contents=contents) as tenant:
        split = await tenant.order(("MUG", 3), ("CARD", 1), carrier="RM", service="48")
        whole, waits = await tenant.order(("MUG", 1)), await tenant.order(("MUG", 1))
        for order in (split, whole, waits):
            tenant.simulator.allocate(order.reference)
        tenant.simulator.despatch(split.reference, [{"tracking": "P1", "lines": [{"sku": "MUG", "qty": 2}]}])
        tenant.simulator.despatch(
            split.reference, [{"tracking": "P2", "lines": [{"sku": "MUG", "qty": 1}, {"sku": "CARD", "qty": 1}]}]
        )
        tenant.simulator.despatch(whole.reference, [{"tracking": "P3", "lines": [{"sku": "MUG", "qty": 1}]}])
        tenant.transport.answers.clear()
        names = [split.reference, whole.reference, waits.reference, "nobody's"]
        found = await tenant.connector.read_despatches(names, Priority.DESPATCH, {})
        assert len(tenant.transport.answers) == 4
        assert found.keys() == {split.reference, whole.reference, waits.reference}
        seen = {name: [(p.tracking, p.contents) for p in one.packages] for name, one in found.items()}
        told = [{"MUG": 2}, {"MUG": 1, "CARD": 1}, {"MUG": 1}] if contents else [None, None, None]
        assert seen == {
            split.reference: [("P1", told[0]), ("P2", told[1])],
            whole.reference: [("P3", told[2])],
            waits.reference: [],
        }
        order = found[split.reference].order
        assert (order.status, order.despatched) == ("COMPLETED", {"MUG": 3, "CARD": 1})
        assert {(p.carrier, p.service) for p in found[split.reference].packages} == {("RM", "48")}
        tenant.simulator.undespatch(split.reference)
        seen_before = {name: one.order for name, one in found.items()}
        tenant.transport.answers.clear()
        found_so = await tenant.connector.read_despatches(names[:3], Priority.DESPATCH, seen_before)
        assert len(tenant.transport.answers) == 2
        assert found_so[whole.reference] == found[whole.reference]
        again = (await tenant.connector.read_despatches([split.reference], Priority.DESPATCH, {}))[split.reference]
        assert (again.order.status, again.order.despatched, again.packages) == ("PICK", {}, [])


async def test_a_partly_allocated_line_is_out_by_what_it_got() -> None:
    async with clarus(stock={"MUG": 3}) as tenant:
        order = await tenant.order(("MUG", 5))
        tenant.simulator.allocate(order.reference)
        read = await tenant.read("MUG")
        assert (read.balances["MAIN"], read.lines[order.reference].out) == (0, 3)


async def test_a_line_belongs_to_the_warehouse_that_allocated_it() -> None:
    async with clarus(stock={"MUG": 1}) as tenant:
        tenant.simulator.receive("MUG", "NORTH", 9)
        order = await tenant.order(("MUG", 5), warehouse=None)
        assert order.warehouse == ""
        tenant.simulator.allocate(order.reference)
        assert (await tenant.read("MUG")).lines[order.reference].warehouse == "NORTH"
        found = await tenant.find(order)
        assert found is not None
        assert found.warehouse == "NORTH"


async def test_many_skus_are_read_in_a_few_requests_and_all_pages_are_followed() -> None:
    skus = [f"S{n:02}" for n in range(20)]
    async with clarus(stock=dict.fromkeys(skus, 50), settings={"page_size": 40}) as tenant:
        orders = [await tenant.order((skus[0], 1), (skus[n % 19 + 1], 1)) for n in range(45)]
        for order in orders:
            tenant.simulator.allocate(order.reference)
        await tenant.read(skus[0])
        tenant.transport.answers.clear()
        assert tenant.connector.max_read == 20
        reads = await tenant.connector.read_stock(skus, Priority.SWEEP)
        assert set(reads[skus[0]].lines) == {order.reference for order in orders}
        assert sum(len(read.lines) for read in reads.values()) == 90
        pages = -(-90 // 40)
        assert len(tenant.transport.answers) == 2 * pages + 1  # lines twice, balances with held stock between them


async def test_a_line_shown_on_two_pages_counts_once() -> None:
    async with clarus(stock={"MUG": 20}, settings={"page_size": 2}) as tenant:
        late, *orders = [await tenant.order(("MUG", 4)) for _ in range(4)]
        for order in orders:
            tenant.simulator.allocate(order.reference)
        tenant.transport.before = on_lines(lambda: tenant.simulator.allocate(late.reference), times=1)
        read = await tenant.read("MUG")
        assert {line.out for line in read.lines.values()} == {4}
        assert (len(read.lines), read.balances["MAIN"]) == (4, 4)


async def test_more_skus_than_fit_are_refused() -> None:
    async with clarus(stock={"MUG": 1}, settings={"page_size": 4}) as tenant:
        assert tenant.connector.max_read == 2
        with pytest.raises(ValueError, match="at most 2"):
            await tenant.connector.read_stock(["A", "B", "C"], Priority.SWEEP)


def on_lines(act: Any, *, times: int = 1 << 30) -> Any:
    """A hook that acts before the second and every later look at lines, at most `times`."""
    seen = 0

    def hook(request: httpx.Request) -> None:
        nonlocal seen
        if b"goods_out_lines" in request.content:
            seen += 1
            if 1 < seen <= times + 1:
                act()

    return hook


async def test_a_line_that_moves_between_the_looks_is_read_again() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        order = await tenant.order(("MUG", 4))
        await tenant.read("MUG")
        tenant.transport.answers.clear()
        tenant.transport.before = on_lines(lambda: tenant.simulator.allocate(order.reference), times=1)
        read = await tenant.read("MUG")
        assert (read.balances["MAIN"], read.lines[order.reference].out, read.moved) == (6, 4, False)
        assert len(tenant.sent("goods_out_lines")) == 3
        assert len(tenant.sent("stock_balances")) == 2


async def test_a_line_that_never_rests_is_taken_at_its_least_and_marked() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        order = await tenant.order(("MUG", 4))
        tenant.simulator.allocate(order.reference)
        await tenant.read("MUG")
        tenant.transport.answers.clear()
        up = True

        def act() -> None:
            nonlocal up
            (tenant.simulator.unallocate if up else tenant.simulator.allocate)(order.reference)
            up = not up

        tenant.transport.before = on_lines(act)
        read = await tenant.read("MUG")
        assert read.moved
        assert read.lines == {order.reference: LineRead(0, "MAIN")}
        assert len(tenant.sent("goods_out_lines")) == 5
        assert len(tenant.sent("stock_balances")) == 4


async def test_only_what_moved_is_read_again() -> None:
    async with clarus(stock={"MUG": 10, "CUP": 10}) as tenant:
        order = await tenant.order(("MUG", 4))
        await tenant.connector.read_stock(["MUG", "CUP"], Priority.SWEEP)
        tenant.transport.answers.clear()
        tenant.transport.before = on_lines(lambda: tenant.simulator.allocate(order.reference), times=1)
        await tenant.connector.read_stock(["MUG", "CUP"], Priority.SWEEP)
        named = [asked(r)["variables"]["f_balances"]["product_id"] for r in tenant.sent("stock_balances")]
        assert [len(ids.get("in", [1])) for ids in named] == [2, 1]


@pytest.mark.parametrize(
    ("settings", "pending", "allocated", "completed"),
    [
        ({"release_point": "created"}, 4, 4, 4),
        ({"release_point": "allocated"}, None, 4, 4),
        ({"release_point": "despatched"}, None, 0, 4),
        ({"line_quantities": "cumulative"}, None, 4, 4),
    ],
)
async def test_what_counts_as_out_follows_the_settings(
    settings: dict[str, str], pending: int | None, allocated: int, completed: int
) -> None:
    async with clarus(stock={"MUG": 10}, settings=settings) as tenant:
        order = await tenant.order(("MUG", 4))
        lines = (await tenant.read("MUG")).lines
        assert (lines[order.reference].out if lines else None) == pending
        tenant.simulator.allocate(order.reference)
        assert (await tenant.read("MUG")).lines[order.reference].out == allocated
        tenant.simulator.despatch(order.reference, [{"tracking": "P1", "lines": [{"sku": "MUG", "qty": 4}]}])
        found = await tenant.find(order)
        assert found is not None
        assert found.lines["MUG"] == (4, completed)


# ---- the feed ----------------------------------------------------------------------------------------------------------------------------


async def test_the_feed_names_each_movement_once() -> None:
    async with clarus(stock={"MUG": 10, "CUP": 10}) as tenant:
        codes, _ = await tenant.connector.changes_since("", Priority.SWEEP)
        assert codes == set()
        codes, cursor = await tenant.connector.changes_since(str(now_ms() - 60_000), Priority.SWEEP)
        assert codes == {"MUG", "CUP"}
        assert await tenant.connector.changes_since(cursor, Priority.SWEEP) == (set(), cursor)
        tenant.simulator.adjust("CUP", "NORTH", 1)
        codes, _ = await tenant.connector.changes_since(cursor, Priority.SWEEP)
        assert codes == {"CUP"}


async def test_the_feed_starts_at_the_peers_time_and_sees_what_comes_after() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        _, cursor = await tenant.connector.changes_since("", Priority.SWEEP)
        tenant.simulator.adjust("MUG", "MAIN", -1)
        codes, _ = await tenant.connector.changes_since(cursor, Priority.SWEEP)
        assert "MUG" in codes


async def test_a_feed_of_many_pages_is_read_whole() -> None:
    async with clarus(stock={f"S{n}": 1 for n in range(35)}, settings={"page_size": 10}) as tenant:
        codes, _ = await tenant.connector.changes_since(str(now_ms() - 60_000), Priority.SWEEP)
        assert len(codes) == 35
