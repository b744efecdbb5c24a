"""What every storefront connector promises about money and return items, run against its simulator. docs/connectors/certification.md numbers the promises."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from app.connectors.contract import Priority, ShownPayments
from app.connectors.errors import OutcomeUnknown, Refused, Unavailable
from app.simulators.bigcommerce import BigCommerceSimulator
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from schemas.records import OrderSnapshot, RefundLine, ReturnItem, SettleReturn
from tables.deliveries.peers import PeerKind
from tables.deliveries.refunds import Refund
from tables.returns.fold import key_of
from tests.contract.storefronts import CASES, NAME, Case, Shop, connected
from tests.support.orders import fetched

KEY = key_of("shop:1", "r", 1)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
async def shop(case: Case) -> AsyncIterator[Shop]:
    async with connected(case) as found:
        await found.storefront.probe()
        yield found


async def bought(shop: Shop, number: str, units: int = 2, discount: int = 0) -> OrderSnapshot:
    """An order of one tracked listing, as the connector sees it."""
    await shop.stock(shop.listing("A"), 10)
    placed = await shop.simulator.place(NewOrder(number, [NewLine("A", units)], discount=discount))
    seen = await fetched(shop.storefront, placed.order_id, Priority.RELEASE)
    assert seen is not None
    return seen


def settle(seen: OrderSnapshot, amount: int, units: int = 1, **more: Any) -> SettleReturn:
    return SettleReturn(
        channel=NAME,
        order_id=seen.order_id,
        number=seen.number,
        return_id="r",
        part=1,
        key=KEY,
        version=1,
        currency=seen.currency,
        digits=seen.digits,
        lines=[RefundLine(line_id=seen.lines[0].line_id, units=units, amount=amount)],
        reason="wrong size",
        **more,
    )


def step(command: SettleReturn) -> Refund:
    return Refund(command.key, sum(line.amount for line in command.lines), tuple(command.lines), command.shipping, 0)


async def money(shop: Shop, order_id: str) -> ShownPayments:
    found = await shop.storefront.payments(order_id, Priority.DESPATCH)
    assert found is not None
    return found


async def give_back(shop: Shop, seen: OrderSnapshot, amount: int, units: int = 1) -> int:
    command = settle(seen, amount, units)
    shown = await money(shop, seen.order_id)
    return await shop.storefront.refund(command, step(command), shown, Priority.DESPATCH)


async def test_an_order_tells_what_its_lines_cost_after_every_discount_and_what_was_paid(shop: Shop) -> None:
    seen = await bought(shop, "1", 3, discount=100)
    assert (seen.lines[0].price, seen.captured, seen.refunded) == (2900, seen.total, 0)
    assert seen.total == 2900 + seen.shipping_price
    assert (await money(shop, seen.order_id)).captured == seen.captured


async def test_a_refund_is_found_again_by_its_mark_with_its_amount(shop: Shop) -> None:
    seen = await bought(shop, "2")
    assert await give_back(shop, seen, 1000) == 1000
    await shop.quiet()
    (found,) = (await money(shop, seen.order_id)).refunds
    assert (found.key, found.amount, found.state) == (KEY, 1000, "DONE")
    again = await fetched(shop.storefront, seen.order_id, Priority.RELEASE)
    assert again is not None
    assert (again.refunded, [one.key for one in again.payments if one.kind == "REFUND"]) == (1000, [KEY])


async def test_less_than_the_storefronts_own_reckoning_may_go_back(shop: Shop) -> None:
    seen = await bought(shop, "3")
    await give_back(shop, seen, 333)
    assert shop.simulator.orders()["3"].refunded == "3.33"


async def test_more_than_was_paid_does_not_go_back(shop: Shop) -> None:
    seen = await bought(shop, "4")
    await give_back(shop, seen, seen.lines[0].price, 2)
    left = seen.total - seen.lines[0].price
    with pytest.raises(Refused):
        for _ in range(3):
            await give_back(shop, seen, 1000)
    assert float(shop.simulator.orders()["4"].refunded) * 100 <= seen.lines[0].price + left


async def test_a_refund_that_a_person_made_is_shown_without_our_mark(shop: Shop) -> None:
    seen = await bought(shop, "5")
    await shop.simulator.refund_by_hand("5", [NewLine("A", 1)])
    (found,) = (await money(shop, seen.order_id)).refunds
    assert (found.key, found.amount) == ("", 1000)
    assert found.lines in ({}, {seen.lines[0].line_id: 1})


async def test_a_lost_answer_to_a_refund_is_unknown_and_the_next_look_shows_whether_it_was_made(shop: Shop) -> None:
    seen = await bought(shop, "6")
    shown, command = await money(shop, seen.order_id), settle(seen, 1000)
    shop.fault("status", status=503)
    with pytest.raises((OutcomeUnknown, Unavailable)):
        await shop.storefront.refund(command, step(command), shown, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await shop.storefront.payments(seen.order_id, Priority.DESPATCH)
    assert shop.simulator.orders()["6"].refunded == "0.00"


async def test_an_order_that_is_not_there_has_no_payments(shop: Shop) -> None:
    assert await shop.storefront.payments("999999", Priority.DESPATCH) is None


async def test_a_versioned_storefront_lets_no_second_refund_land_on_what_was_read_before_the_first(shop: Shop) -> None:
    if shop.storefront.kind is not PeerKind.VERSIONED:
        pytest.skip("it has no versions")
    seen = await bought(shop, "7")
    shown, command = await money(shop, seen.order_id), settle(seen, 1000)
    await shop.storefront.refund(command, step(command), shown, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await shop.storefront.refund(command, step(command), shown, Priority.DESPATCH)


async def test_a_store_that_can_only_note_a_refund_is_refused_unless_it_may(shop: Shop) -> None:
    if not isinstance(shop.simulator, BigCommerceSimulator):
        pytest.skip("its payment connector decides")
    seen = await bought(shop, "8")
    shop.simulator.refunds.offline = True
    with pytest.raises(Refused, match="refund it by hand"):
        await give_back(shop, seen, 1000)


async def test_return_items_go_from_advised_to_their_end_and_leave_the_others_as_they_are(shop: Shop) -> None:
    if not shop.storefront.keeps_returns:
        pytest.skip("it keeps none")
    simulator = cast(CommercetoolsSimulator, shop.simulator)
    seen = await bought(shop, "9", 3)
    await simulator.send_back("9", [NewLine("A", 1)])
    await simulator.send_back("9", [NewLine("A", 1)])
    seen = await fetched(shop.storefront, seen.order_id, Priority.RELEASE) or seen
    first, second = seen.returns
    assert (first.open, first.lines[0].units) == (True, 1)

    async def bring(item_id: str, condition: Any, refunded: bool | None = None) -> list[tuple[str, str]]:
        item = ReturnItem(item_id=item_id, line_id=seen.lines[0].line_id, condition=condition, refunded=refunded)
        for _ in range(2):
            await shop.storefront.settle_return(settle(seen, 0, items=[item]), Priority.DESPATCH)
        order = simulator._orders.get(seen.order_id)
        return [(one["items"][0]["shipmentState"], one["items"][0]["paymentState"]) for one in order["returnInfo"]]

    one, other = first.lines[0].item_id, second.lines[0].item_id
    waiting = ("Advised", "NonRefundable")
    assert await bring(one, "ARRIVED") == [("Returned", "Initial"), waiting]
    assert await bring(one, "RESTOCKED", True) == [("BackInStock", "Refunded"), waiting]
    assert await bring(other, "UNUSABLE", False) == [("BackInStock", "Refunded"), ("Unusable", "NotRefunded")]
    again = await fetched(shop.storefront, seen.order_id, Priority.RELEASE)
    assert again is not None
    assert [(x.return_id, x.open) for x in again.returns] == [(first.return_id, False), (second.return_id, False)]
