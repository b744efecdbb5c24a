"""Bad input goes the whole way, from each storefront over the order rules into Clarus: released in a form that Clarus takes, or held by one exception."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.connectors.contract import Priority
from app.simulators.bigcommerce import BigCommerceSimulator
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder, OddLine, WarehouseOrder
from schemas.codec import Codecs
from schemas.records import Event, ExceptionState, NormalisedOrder, OrderSnapshot, ReleaseOrder
from tables.catalogue import Catalogue, Listing, Product
from tables.orders import fold
from tables.orders.effects import Effect, new_row
from tables.orders.rules import CarrierService, Rules
from tests.contract.storefronts import CASES, NAME, Case, Shop, connected, until
from tests.support.clarus import Clarus, clarus

SKUS = ["MUG", "CARD", *(f"P{n:03}" for n in range(500))]
LINE = (NewLine("MUG", 1),)
CATALOGUE = Catalogue([Product(sku, listings=(Listing(NAME, sku, sku),)) for sku in SKUS], [], ["MAIN"])
RULES = Rules(CATALOGUE, {"van": CarrierService("DPD", "NEXT")})


@dataclass
class Ended:
    """What became of one order."""

    snapshots: list[OrderSnapshot]
    state: str
    reason: str
    exceptions: dict[str, str]
    goods_outs: list[WarehouseOrder] = field(default_factory=list)


async def through(shop: Shop, tenant: Clarus, given: NewOrder) -> Ended:
    """Place it, poll it, put it on the wire, fold it, release it."""
    await shop.simulator.place(given)
    await until(shop.simulator.quiet)
    polled = [one for one in await shop.poll() if one.number == given.number]
    row = new_row(NAME, polled[0].order_id)
    effects: list[Effect] = []
    for one in polled:
        effects += fold.snapshot(row, _over_the_wire(one), RULES, 5000)
    releases = [one for one in effects if isinstance(one, ReleaseOrder)]
    for release in releases:
        await tenant.connector.create_order(_over_the_wire(release), Priority.RELEASE)
    said = [one for one in effects if isinstance(one, NormalisedOrder)]
    found = {one.type: one.detail for one in effects if isinstance(one, ExceptionState)}
    made = [one for one in tenant.simulator.orders() if one.upstream == row.key]
    assert len(made) == len(releases)
    return Ended(polled, row.state, said[-1].reason if said else "", found, made)


def _over_the_wire(body: Any) -> Any:
    codec = Codecs()["orders.events" if isinstance(body, OrderSnapshot) else "channel.commands"]
    event = Event(event_id="1", occurred_at=0, received_at=0, source="test", body=body)
    return codec.decode(codec.encode(event)).body


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


async def end(case: Case, given: NewOrder, *, stock: Sequence[str] = ("MUG", "CARD")) -> Ended:
    """What becomes of one order at a storefront of this case."""
    async with connected(case) as shop, clarus(stock=dict.fromkeys(stock, 10), services=[("DPD", "NEXT")]) as tenant:
        return await through(shop, tenant, given)


def entered(*lines: OddLine, **fields: Any) -> NewOrder:
    """An order that another program entered."""
    return NewOrder("1001", (), shipping="van", entered=lines, **fields)


def bought(*lines: NewLine, **fields: Any) -> NewOrder:
    """An order of a customer."""
    return NewOrder("1001", lines or LINE, **{"shipping": "van", **fields})


HELD = {
    "no lines": (entered(), "payment_hold", "no lines"),
    "negative quantity": (entered(OddLine("MUG", 2), OddLine("CARD", -1)), "unit_mismatch", "quantity -1 is below 0"),
    "fractional quantity": (entered(OddLine("MUG", 1.5)), "unit_mismatch", "quantity 1.5 is no whole number"),
    "quantity beyond reason": (entered(OddLine("MUG", 2e9)), "unit_mismatch", "beyond reason"),
    "one line twice": (entered(OddLine("MUG", 1, id="7"), OddLine("MUG", 1, id="7")), "unit_mismatch", "there twice"),
    "unknown SKU": (bought(NewLine("GHOST", 1), NewLine("MUG", 1)), "unmapped_sku", "GHOST"),
    "no SKU": (entered(OddLine("", 1)), "unmapped_sku", "(none)"),
    "SKU of control characters": (entered(OddLine("A\x1b[2J", 1)), "unmapped_sku", "SKU A[2J"),
    "unknown shipping method": (bought(shipping="drone"), "unmapped_shipping_method", "drone"),
    "impossible postcode": (bought(address={"postcode": "nowhere"}), "invalid_address", "none of GB"),
    "impossible country": (bought(address={"country": "Atlantis"}), "invalid_address", "no ISO 3166"),
    "no town": (bought(address={"city": "\x00"}), "invalid_address", "no town"),
}


@pytest.mark.parametrize("name", HELD)
async def test_it_is_held_by_exactly_one_exception_that_says_what_to_do(case: Case, name: str) -> None:
    given, kind, words = HELD[name]
    ended = await end(case, given)
    assert (ended.state, list(ended.exceptions), ended.goods_outs) == ("HELD", [kind], [])
    assert words in ended.exceptions[kind] and "order goes on" in ended.exceptions[kind] + "order goes on" * (
        words == "no lines"
    )


async def test_several_currencies_are_held_and_one_paid_in_another_than_shown_is_not() -> None:
    """commercetools alone keeps a currency for every amount; BigCommerce shows one and charges one."""
    mixed = entered(OddLine("MUG", 1, "EUR"), OddLine("CARD", 1, "GBP"))
    ended = await end(CASES[0], mixed)
    assert (ended.state, list(ended.exceptions)) == ("HELD", ["payment_hold"])
    assert "EUR and GBP" in ended.exceptions["payment_hold"]
    assert (await end(CASES[1], mixed)).state == "RELEASING"


async def test_the_same_product_on_two_lines_is_one_line_of_the_goods_out(case: Case) -> None:
    ended = await end(case, entered(OddLine("MUG", 1), OddLine("CARD", 1), OddLine("MUG", 2)))
    assert ended.goods_outs[0].lines == [{"sku": "MUG", "qty": 3}, {"sku": "CARD", "qty": 1}]


async def test_five_hundred_lines_arrive_whole(case: Case) -> None:
    skus = SKUS[2:]
    ended = await end(case, entered(*(OddLine(sku, 1) for sku in skus)), stock=skus)
    assert (ended.state, ended.exceptions) == ("RELEASING", {})
    assert sorted(line["sku"] for line in ended.goods_outs[0].lines) == sorted(skus)


async def test_a_note_of_10_kb_arrives_whole_and_a_gift_message_of_10_kb_stands_whole_in_the_order_notes(
    case: Case,
) -> None:
    note, gift = "ring the bell twice " * 500, "many happy returns " * 530
    ended = await end(case, bought(note=note, gift=gift))
    (made,) = ended.goods_outs
    assert made.notes["delivery"] == note.strip()
    assert len(made.notes["packing"]) <= 255 and gift.strip() in made.notes["order"]
    assert "packing_notes: 255 of" in ended.reason and "happy" not in ended.reason


async def test_emoji_and_control_characters_arrive_as_clarus_can_print_them(case: Case) -> None:
    given = bought(
        note="leave it 🎁 with \x1b[31mAnn\x00",
        gift="♥ \u202eyou",
        address={"name": "Ann 🦊 Lee", "line1": "1 High St 🏠"},
    )
    ended = await end(case, given)
    (made,) = ended.goods_outs
    assert made.notes["delivery"] == "leave it 🎁 with [31mAnn" and made.notes["packing"] == "♥ you"
    assert (made.address["name"], made.address["address_1"]) == ("Ann Lee", "1 High St")
    assert "address, street" in ended.reason and "delivery_notes: 2 characters" in ended.reason
    assert "1 High St 🏠" in made.notes["order"]


async def test_an_address_too_long_goes_on_in_the_next_lines(case: Case) -> None:
    ended = await end(case, bought(address={"line1": "The Old Flour Mill " * 10, "company": "Flour & Sons"}))
    address = ended.goods_outs[0].address
    assert all(len(value) <= 80 for name, value in address.items() if name.startswith("address"))
    assert ended.reason == "" and address["address_3"] and address["postcode"] == "LS1 1AA"


async def test_one_order_that_is_not_as_documented_keeps_no_other_from_its_storefront(case: Case) -> None:
    async with connected(case) as shop:
        odd = await shop.simulator.place(NewOrder("1001", LINE))
        await shop.simulator.place(NewOrder("1002", LINE))
        _break(shop.simulator, odd.order_id)
        await until(shop.simulator.quiet)
        seen = {one.number: one for one in await shop.poll()}
    assert seen["1002"].faults == {} and seen["1002"].lines
    assert list(seen["1001"].faults) == ["poison_record"] and not seen["1001"].lines
    assert f"put it right at {NAME}" in seen["1001"].faults["poison_record"]


def _break(simulator: object, order_id: str) -> None:
    """From now on the platform shows the order in a way that nobody documented."""
    if isinstance(simulator, CommercetoolsSimulator):
        simulator._orders.get(order_id)["lineItems"][0]["quantity"] = {"value": 1}
    else:
        assert isinstance(simulator, BigCommerceSimulator)
        simulator._orders.get(order_id).lines[0].odd = "two"  # type: ignore[assignment]
