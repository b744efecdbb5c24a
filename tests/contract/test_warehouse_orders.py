"""Goods outs at a connected warehouse: created, found, changed and cancelled; against the simulated Clarus over real HTTP."""

from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from app.connectors import warehouse_for
from app.connectors.contract import GoodsOut, Priority
from app.connectors.errors import OutcomeUnknown, Refused
from app.settings import Settings
from app.simulators.base import now_ms
from schemas.records import ReleaseLine
from tables.catalogue import Catalogue, Product
from tests.support.clarus import ADDRESS, Clarus, asked, clarus, fault, quieten, until


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


async def test_a_bundle_that_a_mapping_brings_while_the_connector_works_is_told_as_its_components() -> None:
    catalogue = Catalogue([Product("MUG"), Product("CARD")], [], ["MAIN", "NORTH"])
    async with clarus(stock={"MUG": 10, "CARD": 10}, settings={"bundles": "parent"}) as tenant:
        given = Settings(clarus=tenant.settings)
        tenant.connector = warehouse_for(given, tenant.transport, catalogue)  # type: ignore[assignment]
        assert (await tenant.read("MUG")).lines == {}
        parts = {"MUG": 2, "CARD": 1}
        tenant.simulator.add_bundle("BOX", parts)
        catalogue.become(Catalogue([*catalogue.products.values(), Product("BOX", bundle=parts)], [], ["MAIN", "NORTH"]))
        order = await tenant.order(lines=[ReleaseLine(sku="BOX", eaches=3, parts=parts)])
        tenant.simulator.allocate(order.reference)
        found = await tenant.find(order)
        assert found is not None and found.lines == {"MUG": (6, 6), "CARD": (3, 3)}
        assert (await tenant.read("MUG")).lines[order.reference].out == 6
        checked = [
            one.detail for one in await tenant.connector.probe(Priority.SWEEP) if one.check == "bills of materials"
        ]
        assert checked == ["1 of 1 bundles are the same in Clarus"]


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


# ---- changes -----------------------------------------------------------------------------------------------------------------------------


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
