"""Playing steps against the simulators that ship: what is booked, refused, waited for; the load's customers."""

import random
import time
from collections.abc import Mapping

import pytest

from app.drill.file import DrillFile, KillStep, WmsStep
from app.drill.load import Shoppers, checkout
from app.drill.model import Offers
from app.drill.peers import Peers
from app.drill.simulators import RealPeers
from app.drill.steps import Player, StepResult, new_order
from app.simulators.base import Call
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.contract import StepRefused, StorefrontOrder
from tests.unit.drill.support import drill_file

KILLED: list[KillStep] = []


async def _kill(step: KillStep) -> None:
    KILLED.append(step)


async def _live(channel: str) -> None: ...


async def _authorise(order_key: str, name: str, lines: Mapping[str, int]) -> None: ...


async def _freeze(seconds: float) -> None:
    raise StepRefused(f"frozen for {seconds}")


async def play(file: DrillFile, filled: bool = True) -> tuple[Peers, Player]:
    """Play a file without any product: the storefronts are filled by hand."""
    peers = Peers(file, RealPeers())
    for product in file.products:
        if not product.bundle:
            peers.clarus.add_product(product.sku)
        for channel, listing in product.listed():
            peers.storefronts[channel].add_listing(listing.sku)
            if filled:
                await peers.storefronts[channel].set_stock(listing.sku, 50)
        for warehouse, stock in product.opening().items():
            peers.clarus.receive(product.sku, warehouse, stock.available + stock.held)
            if stock.held:
                peers.clarus.hold(product.sku, warehouse, stock.held)
    peers.opening = len(peers.clarus.journal.entries)
    player = Player(file, peers, _kill, _freeze, _live, _authorise)
    await player.play(time.monotonic())
    return peers, player


def by_index(player: Player) -> list[StepResult]:
    return sorted(player.script.results, key=lambda result: result.index)


async def test_movements_take_at_most_what_is_there_and_say_what_was_booked() -> None:
    steps = [
        {"at": 0, "wms": {"receive": {"sku": "A", "warehouse": "MAIN", "qty": 5}}},
        {"at": 0, "wms": {"move": {"sku": "A", "from": "MAIN", "to": "NORTH", "qty": 1000}}},
        {"at": 0, "wms": {"adjust": {"sku": "B", "warehouse": "MAIN", "qty": -100}}},
        {"at": 0, "wms": {"release": {"sku": "B", "warehouse": "MAIN", "qty": 100}}},
        {"at": 0, "wms": {"hold": {"sku": "B", "warehouse": "MAIN", "qty": 1}}},
    ]
    peers, player = await play(drill_file(steps=steps))
    assert [result.booked for result in by_index(player)] == [5, 25, -9, 2, 1]
    assert peers.clarus.stock()["A"]["NORTH"] == {"available": 29, "held": 0}
    assert peers.clarus.stock()["B"]["MAIN"] == {"available": 1, "held": 1}


async def test_an_order_the_storefront_refuses_is_a_failed_step_and_an_unknown_sku_is_untracked() -> None:
    steps = [
        {"at": 0, "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 51}]}},
        {"at": 0, "order": {"channel": "ct", "id": "2", "lines": [{"sku": "GHOST", "qty": 500}]}},
        {"at": 0, "order": {"channel": "bc", "id": 77, "paid": False, "lines": [{"sku": "A-CASE", "qty": 1}]}},
        {"at": 0.01, "pay": {"channel": "bc", "id": 77}},
        {"at": 0.02, "cancel": {"channel": "bc", "id": 77}},
        {"at": 0.03, "cancel": {"channel": "bc", "id": 77}},
    ]
    peers, player = await play(drill_file(steps=steps))
    assert [result.ok for result in by_index(player)] == [False, True, True, True, True, False]
    assert player.script.placed == 2
    assert player.script.unpaid == {("bc", "77")}
    assert peers.orders()["bc"][0].state == "cancelled"


def test_an_order_that_names_no_shipping_has_the_usual_one_and_none_where_it_says_so() -> None:
    lines = [{"sku": "A", "qty": 1}]
    given = [{"channel": "ct", "id": n, "lines": lines, **more} for n, more in enumerate(({}, {"shipping": ""}), 1)]
    placed = [step.order for step in drill_file(steps=[{"at": 0, "order": order} for order in given]).steps]
    assert [new_order(order, "van").shipping for order in placed if order is not None] == ["van", ""]


async def test_steps_of_an_order_wait_for_it_in_turn_and_give_up_after_settle() -> None:
    steps = [
        {"at": 0, "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 1}]}},
        {"at": 0, "wms": {"allocate": {"order": "1"}}},
        {
            "at": 0,
            "wms": {"despatch": {"order": "ct:1", "parcels": [{"tracking": "T", "lines": [{"sku": "A", "qty": 1}]}]}},
        },
    ]
    started = time.monotonic()
    _, player = await play(drill_file(steps=steps, settle="0.2s"))
    assert 0.3 < time.monotonic() - started < 5
    assert [result.ok for result in by_index(player)] == [True, False, False]
    assert "the warehouse did not get this order within 0.2 s" in by_index(player)[1].detail


async def test_a_step_of_an_order_that_its_storefront_refused_fails_at_once_and_says_why() -> None:
    steps = [
        {"at": 0, "wms": {"allocate": {"order": "1"}}},
        {"at": "0.1s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 51}]}},
        {"at": "0.1s", "wms": {"inspect": {"order": "1"}}},
    ]
    started = time.monotonic()
    _, player = await play(drill_file(steps=steps, settle="30s"))
    assert time.monotonic() - started < 5
    early, refused, late = by_index(player)
    assert not (early.ok or refused.ok or late.ok)
    assert refused.detail and early.detail == late.detail
    assert early.detail.startswith("ct:1: its storefront refused this order") and refused.detail in early.detail


async def test_a_step_of_an_order_that_the_warehouse_deleted_does_not_wait_for_another() -> None:
    file = drill_file(steps=[{"at": 0, "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 1}]}}])
    peers, player = await play(file)
    (order,) = peers.orders()["ct"]
    key, clarus = f"ct:{order.order_id}", peers.clarus
    assert isinstance(clarus, ClarusSimulator)
    given = {"reference": "1", "external_system_reference1": key, "expected_date_of_dispatch": "2026-01-01T00:00:00Z"}
    product = clarus.stockroom.products["A"]
    clarus.book.create(clarus.account, None, None, None, given, {}, [(product, 1, {})])
    clarus.cancel(key)
    with pytest.raises(StepRefused, match="ct:1: the warehouse has deleted this order"):
        await player._warehouse(WmsStep.model_validate({"allocate": {"order": "1"}}))


async def test_a_manual_edit_counts_what_it_raised() -> None:
    steps = [
        {"at": 0, "channel": {"set_stock": {"channel": "ct", "sku": "A", "qty": 58}}},
        {"at": 0.01, "channel": {"set_stock": {"channel": "ct", "sku": "A", "qty": 10}}},
    ]
    _, player = await play(drill_file(steps=steps))
    assert [result.booked for result in by_index(player)] == [8, -48]
    assert player.script.raised == {("ct", "A"): 8}


async def test_faults_are_in_force_for_their_time_and_kills_are_passed_on() -> None:
    KILLED.clear()
    steps = [
        {"at": 0, "fault": {"peer": "bc", "kind": "status", "status": 429, "retry_after": "5s", "for": "0.1s"}},
        {"at": 0, "fault": {"peer": "kafka", "kind": "down", "for": "0.1s"}},
        {"at": 0.05, "kill": {"process": "ingress", "signal": "TERM"}},
    ]
    peers, player = await play(drill_file(steps=steps))
    assert [result.ok for result in by_index(player)] == [True, False, True]
    assert [(step.process, step.signal) for step in KILLED] == [("ingress", "TERM")]
    assert peers.storefronts["bc"].faults.find("status") is None


async def test_the_load_is_open_loop_seeded_and_placed_in_full() -> None:
    steps = [{"at": 0, "load": {"orders_per_second": 100, "for": "0.3s", "skus": ["A", "B"], "qty": [1, 2]}}]
    peers, player = await play(drill_file(steps=steps))
    assert player.script.placed == 30
    again, _ = await play(drill_file(steps=steps))

    def bought(found: Peers) -> list[list[tuple[str, int]]]:
        return [
            [(line.sku, line.qty) for line in order.lines] for orders in found.orders().values() for order in orders
        ]

    assert bought(peers) == bought(again)


async def test_who_finds_nothing_left_places_no_order() -> None:
    steps = [{"at": 0, "load": {"orders_per_second": 100, "for": "0.1s"}}]
    _, player = await play(drill_file(steps=steps), filled=False)
    assert (player.script.placed, player.script.turned_away) == (0, 10)


async def test_a_short_line_is_dropped_and_the_rest_is_bought() -> None:
    file = drill_file()
    peers, _ = await play(file)
    storefront, offers = peers.storefronts["ct"], Offers(file)
    a, b = offers.find("ct", "A"), offers.find("ct", "B")
    assert a is not None
    assert b is not None
    order = await checkout(storefront, [(a, 60), (b, 2)], True, "")
    assert isinstance(order, StorefrontOrder)
    assert [(line.sku, line.qty) for line in order.lines] == [("B", 2)]
    assert await checkout(storefront, [(a, 60)], True, "") is None


def test_zipf_prefers_the_first_products_and_lines_are_distinct() -> None:
    products = [{"sku": f"P{n}", "channels": {"ct": f"P{n}"}} for n in range(50)]
    load = {"at": 0, "load": {"orders_per_second": 1, "for": "1s", "lines": [2, 4]}}
    file = drill_file(products=products, steps=[load])
    given = file.steps[0].load
    assert given is not None
    shoppers = Shoppers(given, Offers(file), ["ct", "bc"], random.Random(1))
    drawn = [shoppers.draw() for _ in range(2000)]
    assert {channel for channel, _ in drawn} == {"ct"}
    assert all(len({offer.sku for offer, _ in basket}) == len(basket) for _, basket in drawn)
    assert {len(basket) for _, basket in drawn} == {2, 3, 4}
    count = [sum(offer.sku == f"P{n}" for _, basket in drawn for offer, _ in basket) for n in (0, 9, 49)]
    assert count[0] > 4 * count[1] > 4 * count[2]


async def test_going_live_fails_where_the_peer_was_written_to_before() -> None:
    channels = {"ct": {"system": "commercetools", "shadow": True}, "bc": {"system": "bigcommerce", "shadow": True}}
    peers, player = await play(drill_file(channels=channels, steps=[{"at": 0, "go_live": {"channel": "ct"}}]))
    assert [result.ok for result in by_index(player)] == [True]
    assert peers.in_shadow == {"bc"}
    peers.storefronts["bc"].journal.calls.append(Call(0, "stock", "PUT", "/inventory/adjustments/relative", 200))
    peers.storefronts["bc"].journal.calls.append(Call(0, "other", "GET", "/v2/store", 200))
    peers.storefronts["bc"].journal.calls.append(Call(0, "other", "POST", "/oauth/token", 200))
    again = Player(
        drill_file(channels=channels, steps=[{"at": 0, "go_live": {"channel": "bc"}}]),
        peers,
        _kill,
        _freeze,
        _live,
        _authorise,
    )
    await again.play(time.monotonic())
    [failed] = by_index(again)
    assert (
        not failed.ok
        and failed.detail == "bc got 1 writes while in shadow, the first: PUT /inventory/adjustments/relative"
    )


async def test_a_listing_in_shadow_need_not_show_the_right_figure_at_time_zero() -> None:
    channels = {"ct": {"system": "commercetools"}, "bc": {"system": "bigcommerce", "shadow": True}}
    peers, _ = await play(drill_file(channels=channels), filled=False)
    assert {name.split(":")[0] for name in peers.wrong()} == {"ct"}
    peers.in_shadow.clear()
    assert "bc" in {name.split(":")[0] for name in peers.wrong()}


async def test_figures_alone_say_too_little_where_a_bundle_sells_from_a_split_pool() -> None:
    for mode, ambiguous in (("auto", True), ("shared", False)):
        products = [
            {"sku": "A", "channels": {"ct": "A", "bc": "A"}, "stock": {"MAIN": 5}},
            {"sku": "SET", "bundle": {"A": 2}, "channels": {"ct": "SET"}},
        ]
        peers, _ = await play(drill_file(products=products, policies=[{"mode": mode}]), filled=False)
        assert peers.ambiguous() is ambiguous
        assert bool(peers.wrong()) is not ambiguous  # nothing is on offer yet
