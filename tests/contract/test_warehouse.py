"""The contract of a connected warehouse, against the simulated Clarus over real HTTP."""

import asyncio
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from app.connectors.clarus import ClarusIntake, ClarusWarehouse
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import GoodsOut, LineRead, Priority
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Throttled, Unauthorised, Unavailable
from app.simulators.base import Fault, Hosted, now_ms
from app.simulators.clarus import ORDER_EVENTS, STOCK_EVENTS
from schemas.records import AnnounceReturn, RawNotification, ReadStock, ReleaseLine
from tests.support.clarus import ADDRESS, FAST, Clarus, asked, clarus, until

LONG = 1e9


def fault(tenant: Clarus, kind: Any, **fields: Any) -> None:
    tenant.simulator.faults.add(Fault(kind, LONG, **fields))


def quieten(tenant: Clarus) -> None:
    tenant.simulator.faults._active.clear()


# ---- stock ----------------------------------------------------------------------------------------------------------------------------------


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


# ---- orders ---------------------------------------------------------------------------------------------------------------------------------


async def test_an_order_arrives_with_everything_the_warehouse_needs() -> None:
    async with clarus(stock={"MUG": 10, "CUP": 10}, services=[("DPD", "NEXT")]) as tenant:
        created = await tenant.order(
            ("MUG", 2),
            ("CUP", 1),
            carrier="DPD",
            service="NEXT",
            texts={"delivery_notes": "leave with neighbour", "packing_notes": "Happy birthday"},
        )
        (truth,) = tenant.simulator.orders()
        assert created == GoodsOut(truth.wms_id, "ct-eu:1", "PENDING", "MAIN", {"MUG": (2, 0), "CUP": (1, 0)})
        assert (truth.reference, truth.upstream, truth.status) == ("ct-eu:1", "ct-eu:1", "PENDING")
        assert truth.lines == [{"sku": "MUG", "qty": 2}, {"sku": "CUP", "qty": 1}]
        assert (truth.carrier, truth.service) == ("DPD", "NEXT")
        assert truth.notes == {"delivery": "leave with neighbour", "packing": "Happy birthday"}
        data = asked(tenant.sent("/api/goods_outs")[0])["data"]
        assert data["relationships"]["address"]["data"]["attributes"] == {
            "name": "A. Buyer",
            "address_1": "1 High St",
            "address_3": "Leeds",
            "address_5": "Buyers Ltd",
            "postcode": "LS1 1AA",
            "country_code": "GB",
            "email_address": "buyer@example.com",
            "phone_number": "+441130000000",
        }
        assert datetime.fromisoformat(data["attributes"]["expected_date_of_dispatch"]).timestamp() * 1000 > now_ms()


async def test_customer_order_type_priority_and_the_lines_own_identity_arrive() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        tenant.simulator.add_customer("WEB")
        tenant.simulator.add_order_type("B2C")
        line = ReleaseLine(
            sku="MUG", eaches=14, reference="L-1,L-2", number="1,2", code="M1,M12", note="Engraving: Ann"
        )
        leave_at = now_ms() + 3 * 86_400_000
        texts = {"external_system_reference2": "A7", "external_system_reference3": "PO 9", "pick_notes": "top shelf"}
        await tenant.order(lines=[line], customer="WEB", order_type="B2C", priority=5, leave_at=leave_at, texts=texts)
        (truth,) = tenant.simulator.orders()
        assert (truth.customer, truth.order_type, truth.priority) == ("WEB", "B2C", 5)
        assert (truth.references, truth.notes) == (["ct-eu:1", "A7", "PO 9"], {"pick": "top shelf"})
        data = asked(tenant.sent("/api/goods_outs")[0])["data"]["attributes"]
        assert data["lines_changes"][0]["attributes"] == {
            "product_id": tenant.simulator.stockroom.products["MUG"].id,
            "order_quantity": 14,
            "external_system_reference1": "L-1,L-2",
            "alt_line_reference": "L-1,L-2",
            "alt_line_number": "1,2",
            "alt_product_code": "M1,M12",
            "alt_line_note": "Engraving: Ann",
        }
        assert abs(datetime.fromisoformat(data["expected_date_of_dispatch"]).timestamp() * 1000 - leave_at) < 1000


async def test_a_bundle_ordered_whole_is_told_as_its_components_from_allocation_to_parcel() -> None:
    stock, bundles = {"MUG": 10, "CARD": 10}, {"BOX": {"MUG": 2, "CARD": 1}}
    contents = {"package_contents": "stocks"}
    async with clarus(stock=stock, bundles=bundles, settings=contents, **contents) as tenant:
        line = ReleaseLine(sku="BOX", eaches=3, parts=bundles["BOX"])
        order = await tenant.order(lines=[line, ReleaseLine(sku="CARD", eaches=1)])
        assert order.lines == {"MUG": (6, 0), "CARD": (4, 0)}
        assert tenant.simulator.orders()[0].lines == [{"sku": "BOX", "qty": 3}, {"sku": "CARD", "qty": 1}]
        tenant.simulator.allocate(order.reference)
        reads = await tenant.connector.read_stock(["MUG", "CARD"], Priority.SWEEP)
        assert {sku: (read.balances["MAIN"], read.lines[order.reference].out) for sku, read in reads.items()} == {
            "MUG": (4, 6),
            "CARD": (6, 4),
        }
        assert (await tenant.read("CARD")).lines[order.reference].out == 4, "asked for alone, too"
        boxes = [{"sku": "BOX", "qty": 2}, {"sku": "CARD", "qty": 1}]
        tenant.simulator.despatch(order.reference, [{"tracking": "P1", "lines": boxes}])
        despatch = (await tenant.connector.read_despatches([order.reference], Priority.SWEEP, {}))[order.reference]
        assert despatch.order.despatched == {"MUG": 4, "CARD": 3}
        assert [package.contents for package in despatch.packages] == [{"MUG": 4, "CARD": 3}]


async def test_a_bundle_of_which_a_component_is_short_waits_for_it() -> None:
    async with clarus(stock={"MUG": 3, "CARD": 9}, bundles={"BOX": {"MUG": 2, "CARD": 1}}) as tenant:
        order = await tenant.order(lines=[ReleaseLine(sku="BOX", eaches=2, parts={"MUG": 2, "CARD": 1})])
        tenant.simulator.allocate(order.reference)
        found = await tenant.find(order)
        assert found is not None and (found.status, found.lines) == ("PART_ALLOCATED", {"MUG": (4, 2), "CARD": (2, 1)})
        assert (await tenant.read("MUG")).balances["MAIN"] == 1
        assert await tenant.connector.cancel_order(found, Priority.RELEASE) == "CANCELLED"
        assert (await tenant.read("MUG")).balances["MAIN"] == 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"customer": "NOBODY"}, "no customer 'NOBODY'"), ({"order_type": "X"}, "no order type 'X'")],
)
async def test_a_customer_or_order_type_that_clarus_does_not_have_is_refused_by_name(
    fields: dict[str, str], words: str
) -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        with pytest.raises(Refused, match=words):
            await tenant.order(("MUG", 1), **fields)
        assert not tenant.sent("/api/goods_outs")


async def test_a_day_that_is_over_is_now() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.order(("MUG", 1), leave_at=1000)
        data = asked(tenant.sent("/api/goods_outs")[0])["data"]["attributes"]
        assert abs(datetime.fromisoformat(data["expected_date_of_dispatch"]).timestamp() * 1000 - now_ms()) < 70_000


async def test_orders_are_found_by_reference_twins_and_absent_ones_too() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        first = await tenant.order(("MUG", 1), reference="R1")
        second = await tenant.order(("MUG", 2), reference="R1")
        found = await tenant.connector.find_orders(["R1", "R2"], Priority.RELEASE)
        assert [one.wms_id for one in found["R1"]] == [first.wms_id, second.wms_id]
        assert [one.lines for one in found["R1"]] == [{"MUG": (1, 0)}, {"MUG": (2, 0)}]
        assert found["R2"] == []


async def test_what_clarus_refuses_is_told_in_its_words() -> None:
    async with clarus(stock={"MUG": 10}, unique_references=True) as tenant:
        await tenant.order(("MUG", 1), reference="R1")
        with pytest.raises(Refused, match="reference has already been taken"):
            await tenant.order(("MUG", 1), reference="R1")
        with pytest.raises(Refused, match="no product GHOST"):
            await tenant.order(("GHOST", 1))
        with pytest.raises(Refused, match="no carrier 'DRONE'"):
            await tenant.order(("MUG", 1), carrier="DRONE")
        with pytest.raises(Refused, match="ELSEWHERE is not one of the configured"):
            await tenant.order(("MUG", 1), warehouse="ELSEWHERE")
        assert len(tenant.simulator.orders()) == 1


async def test_the_cancel_of_a_pending_order_deletes_it_and_of_an_allocated_one_frees_its_stock() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        pending, allocated, picked = [await tenant.order(("MUG", 2)) for _ in range(3)]
        tenant.simulator.allocate(allocated.reference)
        tenant.simulator.allocate(picked.reference)
        tenant.simulator.pick(picked.reference)
        assert await tenant.connector.cancel_order(pending, Priority.RELEASE) == "DELETED"
        assert await tenant.connector.cancel_order(allocated, Priority.RELEASE) == "CANCELLED"
        assert await tenant.connector.cancel_order(picked, Priority.RELEASE) == "CANCELLED"
        assert (await tenant.read("MUG")).balances["MAIN"] == 10
        assert await tenant.find(pending) is None


async def test_a_despatched_order_refuses_its_cancel_and_repeats_give_the_same_answer() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        done, gone = [await tenant.order(("MUG", 2)) for _ in range(2)]
        tenant.simulator.allocate(done.reference)
        tenant.simulator.despatch(done.reference, [{"tracking": "P", "lines": [{"sku": "MUG", "qty": 2}]}])
        for _ in range(2):
            assert await tenant.connector.cancel_order(done, Priority.RELEASE) == "CANCEL_REFUSED"
            assert await tenant.connector.cancel_order(gone, Priority.RELEASE) == "DELETED"


async def test_a_cancel_is_of_one_order_not_of_its_twin() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        first = await tenant.order(("MUG", 1), reference="R1")
        second = await tenant.order(("MUG", 1), reference="R1")
        assert await tenant.connector.cancel_order(first, Priority.RELEASE) == "DELETED"
        assert await tenant.find(second) is not None


async def test_picks_are_processed_by_the_adapter_where_it_shall() -> None:
    async with clarus(stock={"MUG": 10}, settings={"process_picks": "adapter"}) as tenant:
        order = await tenant.order(("MUG", 2))
        assert tenant.connector.processes_picks
        assert len(await tenant.connector.process_picks([order], Priority.RELEASE)) == 1
        await until(lambda: tenant.simulator.orders()[0].status == "ALLOCATED")
        assert await tenant.connector.process_picks([order], Priority.RELEASE) == []  # allocated already: fine
    async with clarus() as tenant:
        assert not tenant.connector.processes_picks, "the warehouse's business unless the settings say otherwise"


# ---- the feed -------------------------------------------------------------------------------------------------------------------------------


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


# ---- tokens and faults ----------------------------------------------------------------------------------------------------------------------


async def test_one_token_serves_many_requests_at_once() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await asyncio.gather(*(tenant.read("MUG") for _ in range(5)))
        assert len(tenant.sent("/oauth/token")) == 1


async def test_a_refused_token_is_renewed_once() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        tenant.simulator._tokens.clear()
        assert (await tenant.read("MUG")).balances["MAIN"] == 10
        fault(tenant, "token_expired")
        with pytest.raises(Unauthorised):
            await tenant.read("MUG")


async def test_a_token_can_be_asked_for_with_json() -> None:
    async with clarus(stock={"MUG": 10}, settings={"oauth_encoding": "json", "scopes": "all"}) as tenant:
        await tenant.read("MUG")
        assert asked(tenant.sent("/oauth/token")[0])["scope"] == "all"


async def test_wrong_credentials_and_a_wrong_tenant_are_unauthorised_and_say_no_secret() -> None:
    async with clarus(stock={"MUG": 10}, settings={"client_secret": "open sesame"}) as tenant:
        with pytest.raises(Unauthorised) as caught:
            await tenant.read("MUG")
        assert "sesame" not in str(caught.value)
    async with clarus(stock={"MUG": 10}, settings={"subdomain": "another"}) as tenant:
        with pytest.raises(Unauthorised):
            await tenant.read("MUG")


@pytest.mark.parametrize(
    ("kind", "fields", "read", "write"),
    [
        ("status", {"status": 429, "retry_after": 5}, Throttled, Throttled),
        ("status", {"status": 503}, Unavailable, OutcomeUnknown),
        ("reset", {}, Unavailable, OutcomeUnknown),
        ("malformed", {}, Malformed, OutcomeUnknown),
        ("conflict", {}, None, Unavailable),
        ("partial", {}, Unavailable, None),
    ],
)
async def test_faults_are_told_apart_by_what_may_have_happened(
    kind: Any, fields: dict[str, Any], read: type[Exception] | None, write: type[Exception] | None
) -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        order = await tenant.order(("MUG", 1))
        fault(tenant, kind, **fields)
        if read is not None:
            with pytest.raises(read) as caught:
                await tenant.read("MUG")
            assert type(caught.value) is read
        if write is not None:
            with pytest.raises(write) as caught:
                await tenant.order(("MUG", 1))
            assert type(caught.value) is write
            with pytest.raises(write):
                await tenant.connector.cancel_order(order, Priority.RELEASE)


async def test_a_create_whose_answer_is_lost_is_found_by_its_reference() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        await tenant.read("MUG")
        release = tenant.release(("MUG", 1))
        fault(tenant, "timeout", after_effect=True)
        patient, tenant.transport._client.timeout = tenant.transport._client.timeout, httpx.Timeout(0.5)
        with pytest.raises(OutcomeUnknown):
            await tenant.connector.create_order(release, Priority.RELEASE)
        tenant.transport._client.timeout = patient
        quieten(tenant)
        await until(lambda: len(tenant.simulator.orders()) == 1)
        assert len((await tenant.connector.find_orders([release.reference], Priority.RELEASE))[release.reference]) == 1


async def test_a_cancel_that_cannot_be_looked_at_afterwards_is_unknown() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        order = await tenant.order(("MUG", 1))

        def hook(request: httpx.Request) -> None:
            if request.url.path == "/graphql":
                fault(tenant, "down")

        tenant.transport.before = hook
        with pytest.raises(OutcomeUnknown):
            await tenant.connector.cancel_order(order, Priority.RELEASE)


# ---- start-up probe -------------------------------------------------------------------------------------------------------------------------


async def probed(tenant: Clarus) -> dict[str, tuple[bool, bool, str]]:
    return {f.check: (f.ok, f.blocking, f.detail + f.remedy) for f in await tenant.connector.probe(Priority.SWEEP)}


async def test_the_probe_of_an_idle_tenant_agrees_and_says_what_it_could_not_prove() -> None:
    async with clarus(stock={"MUG": 10}) as tenant:
        found = await probed(tenant)
        assert all(ok for ok, _, _ in found.values())
        assert "no line can prove it" in found["line quantities"][2]
        assert "nothing is allocated" in found["meaning of available"][2]


async def test_the_probe_proves_the_settings_on_real_orders() -> None:
    async with clarus(stock={"MUG": 10, "CUP": 5}) as tenant:
        for _ in range(2):
            order = await tenant.order(("MUG", 2))
            tenant.simulator.allocate(order.reference)
        tenant.simulator.pick(order.reference)
        tenant.simulator.hold("MUG", "MAIN", 1)
        found = await probed(tenant)
        assert found["line quantities"][:2] == (True, True)
        assert found["meaning of available"][:2] == (True, True)
        assert found["automations"][0]


async def test_the_probe_stops_writes_where_real_orders_contradict_the_settings() -> None:
    settings = {"line_quantities": "cumulative", "release_point": "despatched"}
    async with clarus(stock={"MUG": 10}, settings=settings) as tenant:
        for _ in range(2):
            order = await tenant.order(("MUG", 2))
            tenant.simulator.allocate(order.reference)
        tenant.simulator.pick(order.reference)
        found = await probed(tenant)
        assert found["line quantities"][:2] == (False, True)
        assert "set clarus.line_quantities to exclusive" in found["line quantities"][2]
        assert found["meaning of available"][:2] == (False, True)
        assert "set clarus.release_point to allocated" in found["meaning of available"][2]


async def test_the_probe_names_a_wrong_account_warehouse_and_automation() -> None:
    async with clarus(settings={"account": "NOBODY"}) as tenant:
        assert "no account 'NOBODY'" in (await probed(tenant))["account"][2]
    async with clarus(settings={"automations": {"999": "stock.received"}}) as tenant:
        ok, blocking, detail = (await probed(tenant))["automations"]
        assert (ok, blocking) == (False, False)
        assert "999" in detail
    async with clarus() as tenant:
        elsewhere = ClarusWarehouse(tenant.settings, tenant.transport, ["MAIN", "SOUTH"])
        findings = {f.check: f for f in await elsewhere.probe(Priority.SWEEP)}
        assert not findings["warehouses"].ok
        assert "no warehouse SOUTH" in findings["warehouses"].detail


async def test_the_probe_reports_a_peer_that_is_away() -> None:
    async with clarus() as tenant:
        fault(tenant, "down")
        assert not (await probed(tenant))["account"][0]


# ---- webhooks -------------------------------------------------------------------------------------------------------------------------------


class Door(Hosted):
    """Takes webhooks as an ingress would: the path's secret, then the connector's own check."""

    def __init__(self) -> None:
        super().__init__("door", 1)
        self.intake = ClarusIntake(ClarusSettings())
        self.taken: list[ReadStock] = []
        self.refused = 0
        self.app = self._app

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        good = scope["path"] == "/hooks/clarus/s3cret" and self.intake.verify(headers, body, now_ms())
        if good:
            note = RawNotification(channel="clarus", route="", headers=headers, body=body)
            self.taken += [command for command in self.intake.parse(note) if isinstance(command, ReadStock)]
        self.refused += not good
        await send({"type": "http.response.start", "status": 204 if good else 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def listen(tenant: Clarus) -> Door:
    door = Door()
    door.intake = ClarusIntake(tenant.settings)
    await door.start()
    tenant.simulator.notify_to(f"{door.url}/hooks/clarus/s3cret")
    return door


@pytest.mark.parametrize("envelope", ["bare", "data", "jsonapi"])
async def test_every_change_in_the_warehouse_names_its_sku_in_any_envelope(envelope: Any) -> None:
    async with clarus(stock={"MUG": 10}, envelope=envelope, webhook_lag=(0.0, 0.0)) as tenant:
        door = await listen(tenant)
        simulator = tenant.simulator
        for act in (
            lambda: simulator.receive("MUG", "MAIN", 1),
            lambda: simulator.adjust("MUG", "MAIN", -1),
            lambda: simulator.adjust("MUG", "MAIN", 1),
            lambda: simulator.hold("MUG", "MAIN", 3),
            lambda: simulator.release("MUG", "MAIN", 3),
            lambda: simulator.move("MUG", "MAIN", "NORTH", 2),
        ):
            door.taken.clear()
            act()
            await until(lambda: bool(door.taken))
            await until(simulator.quiet)
            assert {command.sku for command in door.taken} == {"MUG"}
        assert door.refused == 0
        await door.stop()


async def test_orders_name_the_skus_of_their_lines() -> None:
    async with clarus(
        stock={"MUG": 10, "CUP": 1},
        floor=FAST,
        webhook_lag=(0.0, 0.0),
        events=(*STOCK_EVENTS, *ORDER_EVENTS, ("stock_balance", "updated")),
    ) as tenant:
        door = await listen(tenant)
        order = await tenant.order(("MUG", 2), ("CUP", 1))
        await until(lambda: tenant.simulator.orders()[0].status == "COMPLETED")
        await until(tenant.simulator.quiet)
        assert {command.sku for command in door.taken} == {"MUG", "CUP"}
        assert (await tenant.find(order)) is not None
        await door.stop()


async def test_a_forged_webhook_is_refused() -> None:
    async with clarus(stock={"MUG": 10}, webhook_lag=(0.0, 0.0)) as tenant:
        door = await listen(tenant)
        fault(tenant, "webhook", forge=1.0)
        for _ in range(6):
            tenant.simulator.adjust("MUG", "MAIN", 1)
        await until(lambda: door.refused == 6 and len(door.taken) == 6)
        await door.stop()


async def test_a_lost_webhook_is_not_sent_again_and_the_feed_fills_the_gap() -> None:
    async with clarus(stock={"MUG": 10}, webhook_lag=(0.0, 0.0)) as tenant:
        tenant.simulator.notify_to("http://127.0.0.1:9/")
        _, cursor = await tenant.connector.changes_since(str(now_ms() - 60_000), Priority.SWEEP)
        tenant.simulator.adjust("MUG", "MAIN", 1)
        await until(tenant.simulator.quiet)
        assert [note.answered for note in tenant.simulator.notifier.sent] == [False]
        assert (await tenant.connector.changes_since(cursor, Priority.SWEEP))[0] == {"MUG"}


# ---- changes --------------------------------------------------------------------------------------------------------------------------------


async def changed(tenant: Clarus, was: GoodsOut, *lines: tuple[str, int], **fields: Any) -> GoodsOut:
    order = tenant.release(*lines, reference=was.reference, amends=True, **fields)
    return await tenant.connector.change_order(order, was, Priority.RELEASE)


@pytest.mark.parametrize("removal", ["DESTROY", "REMOVE"])
async def test_a_change_makes_the_goods_out_what_a_create_would_have_made_and_repeated_changes_nothing(
    removal: str,
) -> None:
    settings = {"line_removal": removal}
    async with clarus(
        stock={"MUG": 9, "CUP": 9, "CARD": 9}, services=[("DPD", "NEXT")], settings=settings, accept_remove=True
    ) as tenant:
        made = await tenant.order(
            ("MUG", 2), ("CUP", 1), texts={"delivery_notes": "by the door", "order_notes": "keep"}
        )
        address = msgspec.structs.replace(ADDRESS, line1="2 Low St", city="York")
        again = {"address": address, "carrier": "DPD", "service": "NEXT", "texts": {"delivery_notes": ""}}
        for _ in range(2):
            shown = await changed(tenant, made, ("MUG", 3), ("CARD", 1), **again)
            assert (shown.wms_id, shown.status) == (made.wms_id, "PENDING")
            found = await tenant.find(made)
            assert found is not None and found.lines == {"MUG": (3, 0), "CARD": (1, 0)}
        order = tenant.simulator.book.orders[int(made.wms_id)]
        assert (order.address["address_1"], order.address["address_3"]) == ("2 Low St", "York")
        assert order.attributes["delivery_notes"] == "" and order.attributes["order_notes"] == "keep"
        assert order.service is not None and (order.service.carrier.code, order.service.code) == ("DPD", "NEXT")
        assert len(list(tenant.simulator.book.with_reference([made.reference]))) == 1


async def test_address_lines_that_are_gone_are_emptied() -> None:
    async with clarus(stock={"MUG": 9}) as tenant:
        made = await tenant.order(("MUG", 1), address=msgspec.structs.replace(ADDRESS, line2="back door"))
        await changed(tenant, made, ("MUG", 1))
        assert not tenant.simulator.book.orders[int(made.wms_id)].address["address_2"]


async def test_a_change_sends_what_may_have_changed_or_the_whole_as_the_setting_says() -> None:
    for sends, fixed in (("changed", set()), ("whole", {"account_id", "reference", "goods_out_type"})):
        async with clarus(stock={"MUG": 9}, settings={"change_sends": sends}) as tenant:
            made = await tenant.order(("MUG", 1))
            await changed(tenant, made, ("MUG", 2))
            (patch,) = [one for one in tenant.sent("/goods_outs/") if one.method == "PATCH"]
            attributes = asked(patch)["data"]["attributes"]
            assert attributes.keys() & {"account_id", "reference", "goods_out_type"} == fixed
            assert ("expected_date_of_dispatch" in attributes) == (sends == "whole")


@pytest.mark.parametrize("step", ["allocate", "pick"])
async def test_a_goods_out_that_the_warehouse_has_begun_with_is_not_changed(step: str) -> None:
    async with clarus(stock={"MUG": 9}) as tenant:
        made = await tenant.order(("MUG", 2))
        tenant.simulator.allocate(made.reference)
        if step == "pick":
            tenant.simulator.pick(made.reference)
        with pytest.raises(Refused, match=r"ALLOCATED|PICK"):
            await changed(tenant, made, ("MUG", 1))
        assert [one for one in tenant.sent("/goods_outs/") if one.method == "PATCH"] == []


async def test_a_change_whose_answer_is_lost_is_unknown_and_one_of_what_is_gone_is_refused() -> None:
    async with clarus(stock={"MUG": 9}) as tenant:
        made = await tenant.order(("MUG", 2))

        def lose(request: httpx.Request) -> None:
            if request.method == "PATCH":
                fault(tenant, "timeout", after_effect=True)

        tenant.transport.before = lose
        with pytest.raises(OutcomeUnknown):
            await changed(tenant, made, ("MUG", 1))
        tenant.transport.before = None
        quieten(tenant)
        found = await tenant.find(made)
        assert found is not None and found.lines == {"MUG": (1, 0)}
        tenant.simulator.cancel(made.reference)
        with pytest.raises(Refused, match="not there"):
            await changed(tenant, made, ("MUG", 1))


# ---- receipts -------------------------------------------------------------------------------------------------------------------------------


def announcement(**changed: Any) -> AnnounceReturn:
    given: dict[str, Any] = {
        "channel": "clarus",
        "order_key": "ct-eu:7",
        "number": "A7",
        "order_reference": "ct-eu:7",
        "return_id": "r",
        "reference": "ct-eu:7:r",
        "version": 1,
        "lines": {"MUG": 2},
        "reason": "wrong size",
    }
    return AnnounceReturn(**given | changed)


async def test_a_receipt_is_found_by_its_reference_with_what_arrived_and_what_was_inspected() -> None:
    async with clarus(stock={"MUG": 5}, receipt_lines="lines") as tenant:
        asked = announcement()
        assert (await tenant.connector.find_returns([asked], Priority.DESPATCH)) == {"ct-eu:7:r": []}
        made = await tenant.connector.announce_return(asked, "MAIN", Priority.DESPATCH)
        tenant.simulator.receive_return("ct-eu:7", [])
        tenant.simulator.inspect("ct-eu:7", [("MUG", 1, "restock")])
        (seen,) = (await tenant.connector.find_returns([asked], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.wms_id, seen.state, seen.received, seen.restocked) == (made, "RECEIVED", {"MUG": 2}, {"MUG": 1})
        tenant.simulator.inspect("ct-eu:7", [], "scrap")
        (seen,) = (await tenant.connector.find_returns([asked], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.state, seen.scrapped) == ("COMPLETED", {"MUG": 1})
        read = await tenant.read("MUG")
        assert (read.balances["MAIN"], read.held.get("MAIN", 0)) == (6, 0)


async def test_a_tenant_without_the_field_tells_the_status_alone() -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        await tenant.connector.announce_return(announcement(), "MAIN", Priority.DESPATCH)
        (seen,) = (await tenant.connector.find_returns([announcement()], Priority.DESPATCH))["ct-eu:7:r"]
        assert (seen.state, seen.lines) == ("ANNOUNCED", False)


async def test_a_return_of_what_clarus_does_not_know_is_refused_and_nothing_is_sent() -> None:
    async with clarus(stock={"MUG": 5}) as tenant:
        with pytest.raises(Refused, match="no product GHOST"):
            await tenant.connector.announce_return(announcement(lines={"GHOST": 1}), "MAIN", Priority.DESPATCH)
        with pytest.raises(Refused, match="ELSEWHERE is not one of the configured"):
            await tenant.connector.announce_return(announcement(), "ELSEWHERE", Priority.DESPATCH)
        assert tenant.simulator.returns() == []
