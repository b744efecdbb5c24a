"""What every storefront connector promises about a note to the shop's people, against its simulator. docs/connectors/certification.md numbers the promises."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from app.connectors.contract import Priority, ShownNote
from app.connectors.errors import OutcomeUnknown, Refused, Unavailable
from app.simulators.bigcommerce import BigCommerceSimulator
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from tables.deliveries.notes import MARK
from tables.deliveries.peers import PeerKind
from tests.contract.storefronts import CASES, Case, Shop, connected
from tests.support.orders import fetched

OURS = f"ring first\n{MARK}the warehouse refused 🚚"


@pytest.fixture(params=CASES, ids=lambda case: case.name)
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    case: Case = request.param
    async with connected(case) as found:
        await found.storefront.probe()
        yield found


async def bought(shop: Shop, number: str, note: str = "ring twice") -> str:
    return (await shop.simulator.place(NewOrder(number, [NewLine("free", 1)], note=note))).order_id


async def read(shop: Shop, order_id: str) -> ShownNote:
    shown = await shop.storefront.note(order_id, Priority.DESPATCH)
    assert shown is not None
    return shown


async def write(shop: Shop, order_id: str, text: str) -> None:
    await shop.storefront.write_note(order_id, text, await read(shop, order_id), Priority.DESPATCH)


@pytest.mark.parametrize("note", ["ring twice", ""])
async def test_a_note_is_read_as_it_was_written_and_nothing_else_of_the_order_changes(shop: Shop, note: str) -> None:
    order_id = await bought(shop, "1", note)
    before = await fetched(shop.storefront, order_id, Priority.RELEASE)
    assert (await read(shop, order_id)).text == ""
    for text in (OURS, f"{OURS}, settled"):
        await write(shop, order_id, text)
        assert (await read(shop, order_id)).text == text == shop.simulator.orders()["1"].staff_note
    after = await fetched(shop.storefront, order_id, Priority.RELEASE)
    assert before is not None and after is not None
    assert (after.lines, after.note, after.status, after.paid) == (before.lines, note, before.status, before.paid)


async def test_our_own_words_are_no_fact_that_the_warehouse_could_be_told(shop: Shop) -> None:
    order_id = await bought(shop, "2")
    before = await fetched(shop.storefront, order_id, Priority.RELEASE)
    await write(shop, order_id, f"{MARK}the warehouse refused")
    after = await fetched(shop.storefront, order_id, Priority.RELEASE)
    assert before is not None and after is not None
    assert after.fields == before.fields


async def test_an_order_that_is_not_there_has_no_note(shop: Shop) -> None:
    assert await shop.storefront.note("999999", Priority.DESPATCH) is None


async def test_a_lost_answer_to_a_note_is_unknown(shop: Shop) -> None:
    order_id = await bought(shop, "3")
    shown = await read(shop, order_id)
    shop.fault("status", status=503)
    with pytest.raises(OutcomeUnknown):
        await shop.storefront.write_note(order_id, OURS, shown, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await shop.storefront.note(order_id, Priority.DESPATCH)
    assert shop.simulator.orders()["3"].staff_note == ""


async def test_a_versioned_storefront_lets_no_note_land_on_an_order_that_changed(shop: Shop) -> None:
    if shop.storefront.kind is not PeerKind.VERSIONED:
        pytest.skip("it has no versions")
    order_id = await bought(shop, "4")
    shown = await read(shop, order_id)
    await shop.simulator.cancel("4")
    with pytest.raises(Unavailable):
        await shop.storefront.write_note(order_id, OURS, shown, Priority.DESPATCH)
    assert (await read(shop, order_id)).text == ""


async def test_a_note_that_does_not_fit_is_refused(shop: Shop) -> None:
    order_id = await bought(shop, "5")
    if isinstance(shop.simulator, BigCommerceSimulator):
        text = "x" * 65_536
    else:
        simulator, text = cast(CommercetoolsSimulator, shop.simulator), OURS
        kind = simulator._order_type
        kind["fieldDefinitions"] = [one for one in kind["fieldDefinitions"] if one["name"] != "warehouseSays"]
    with pytest.raises(Refused):
        await write(shop, order_id, text)
    assert (await read(shop, order_id)).text == ""


async def test_a_custom_type_of_the_orders_own_stays(shop: Shop) -> None:
    if not isinstance(shop.simulator, CommercetoolsSimulator):
        pytest.skip("it has no custom types")
    order_id = await bought(shop, "6")
    before = shop.simulator._orders.get(order_id)["custom"]["type"]
    await write(shop, order_id, OURS)
    custom = shop.simulator._orders.get(order_id)["custom"]
    assert custom["type"] == before
    assert custom["fields"]["deliveryNote"] == "ring twice"
