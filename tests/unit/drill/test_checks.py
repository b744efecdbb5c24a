"""Every check: when it holds, when it fails, and that a failure names the entity and both sides."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from app.drill.checks import (
    Check,
    Evidence,
    budget_respected,
    despatch_once,
    no_duplicate_order,
    no_order_lost,
    no_oversell,
    nothing_unaccounted,
    refund_once,
    run_checks,
    stock_equals_model,
)
from app.drill.file import DrillFile
from app.drill.model import Offers, truth_of
from app.drill.topics import OpenedException
from app.settings import PolicySettings
from app.simulators.base import Notification
from app.simulators.contract import StorefrontOrder, WarehouseOrder, WarehouseReturn
from tests.unit.drill.support import drill_file, goods_out, sold

STOCK = {"A": {"MAIN": 20, "NORTH": 4}, "B": {"MAIN": 9}}


def evidence(
    orders: dict[str, list[StorefrontOrder]] | None = None,
    outs: list[WarehouseOrder] | None = None,
    shown: dict[str, int] | None = None,
    file: DrillFile | None = None,
    stock: Mapping[str, Mapping[str, int]] = STOCK,
    **more: Any,
) -> Evidence:
    offers = Offers(file or drill_file())
    by_key: dict[str, list[WarehouseOrder]] = {}
    for out in outs or []:
        by_key.setdefault(out.upstream, []).append(out)
    levels = {sku: {w: {"available": n, "held": 0} for w, n in by.items()} for sku, by in stock.items()}
    truth = truth_of(offers, orders or {}, outs or [], levels)
    right = {offer.name: truth.figure(offer) for offer in offers.all}
    given: dict[str, Any] = {
        "opening": {"A": 24, "B": 9},
        "bookings": [],
        "raised": {},
        "notifications": {},
        "throttled": {},
        "exceptions": [],
        **more,
    }
    return Evidence(offers, {"ct": [], "bc": [], **(orders or {})}, by_key, truth, {**right, **(shown or {})}, **given)


def problem(entity: str, state: str = "open") -> OpenedException:
    return OpenedException("unmapped_sku", entity, "ecommerce", state, "detail")


async def _taken() -> bool:
    return True


def note(entity: str, answered: bool = True) -> Notification:
    return Notification(entity, _taken, answered)


def test_a_paid_order_is_in_the_warehouse_cancelled_or_an_open_exception() -> None:
    orders = {
        "ct": [
            sold("1", ("A", 1)),
            sold("2", ("A", 1), state="cancelled"),
            sold("3", ("Q", 1)),
            sold("4", ("A", 1), paid=False),
        ],
        "bc": [sold("5", ("A-CASE", 1))],
    }
    check = no_order_lost(evidence(orders, [goods_out("ct:1"), goods_out("bc:5")], exceptions=[problem("ct:N3")]))
    assert (check.ok, check.checked) == (True, 4)


def test_a_lost_order_is_named_with_both_sides() -> None:
    orders = {"ct": [sold("1", ("A", 2)), sold("2", ("Q", 1))]}
    outs = [goods_out("ct:1", status="DELETED")]
    check = no_order_lost(evidence(orders, outs, exceptions=[problem("ct:N2", "resolved")]))
    assert [f["entity"] for f in check.failed] == ["ct:N1", "ct:N2"]
    assert check.failed[0]["storefront"] == "open, paid, A x 2"
    assert check.failed[0]["wms"] == "no goods out"


def test_two_living_goods_outs_of_one_order_are_a_failure_a_deleted_one_is_not() -> None:
    orders = {"ct": [sold("1", ("A", 1)), sold("2", ("A", 1))]}
    outs = [
        goods_out("ct:1"),
        goods_out("ct:1", status="DELETED"),
        goods_out("ct:2"),
        goods_out("ct:2", status="CANCELLED"),
    ]
    check = no_duplicate_order(evidence(orders, outs))
    assert check.checked == 2
    assert [f["entity"] for f in check.failed] == ["ct:N2"]
    assert len(check.failed[0]["wms"]) == 2


def test_a_listing_off_by_one_fails_with_both_figures_and_their_reason() -> None:
    assert stock_equals_model(evidence()).ok
    check = stock_equals_model(evidence({"ct": [sold("1", ("A", 2))]}, shown={"ct:A": 21}))
    assert check.checked == 4
    (failure,) = check.failed
    assert (failure["entity"], failure["storefront"], failure["model"]) == ("ct:A", 21, 22)
    assert "open demand 2" in failure["why"]


def escrowed(shown: dict[str, int], bundle: bool = False, **policy: Any) -> Check:
    file = drill_file()
    file.products = [one for one in file.products if bundle or not one.bundle]
    file.policies = [PolicySettings.model_validate({"match": {}, "mode": "escrow", **policy})]
    return stock_equals_model(evidence(file=file, shown=shown))


def test_a_figure_below_zero_offers_nothing_and_equals_zero() -> None:
    empty = {"A": {"MAIN": 0, "NORTH": 0}, "B": {"MAIN": 0}}
    below = {"ct:A": -1}
    assert "ct:A" in evidence(stock=empty).shown
    assert stock_equals_model(evidence(shown=below, stock=empty)).ok
    assert not stock_equals_model(evidence(shown=below)).ok


def test_escrow_offers_at_most_the_pool_and_keeps_no_unit_back_that_fits() -> None:
    assert escrowed({"ct:A": 12, "bc:A-CASE": 2}).ok  # 12 + 2 * 6 = 24
    assert not escrowed({"ct:A": 13, "bc:A-CASE": 2}).ok
    assert not escrowed({"ct:A": 11, "bc:A-CASE": 2}).ok  # one each is on offer nowhere
    assert escrowed({"ct:A": 6, "bc:A-CASE": 2}, buffer=6).ok


def test_escrow_counts_what_bundles_offer_of_their_components() -> None:
    assert escrowed({"ct:A": 10, "bc:A-CASE": 1, "ct:BOX": 4, "ct:B": 5}, bundle=True).ok  # 10 + 6 + 2 * 4 = 24
    assert not escrowed({"ct:A": 11, "bc:A-CASE": 1, "ct:BOX": 4, "ct:B": 5}, bundle=True).ok
    assert escrowed(
        {"ct:A": 10, "bc:A-CASE": 1, "ct:BOX": 0}, bundle=True
    ).ok  # kept for the bundle, which another component limits


def test_under_escrow_a_buffer_is_kept_of_the_components_and_not_of_the_bundle_again() -> None:
    file = drill_file(policies=[{"mode": "escrow", "buffer": 4}])
    stock = {"A": {"MAIN": 20, "NORTH": 4}, "B": {"MAIN": 100}}
    nothing_else = {"ct:A": 0, "bc:A-CASE": 0, "ct:B": 80}
    assert stock_equals_model(evidence(file=file, stock=stock, shown={**nothing_else, "ct:BOX": 10})).ok  # (24 - 4) / 2
    check = stock_equals_model(evidence(file=file, stock=stock, shown={**nothing_else, "ct:BOX": 11}))
    assert ("ct:BOX", "at most 10") in [(one["entity"], one["model"]) for one in check.failed]


def test_escrow_limits_listings_of_different_warehouses_where_they_meet() -> None:
    listed = {"sku": "A", "channels": {"ct": "A", "bc": "A"}}
    north = {"match": {"channel": "bc"}, "warehouses": ["NORTH"]}
    file = drill_file(products=[listed], policies=[{"mode": "escrow"}, north])

    def ok(both: int, north: int) -> bool:
        stock = {"A": {"MAIN": 10, "NORTH": 5}}
        return stock_equals_model(evidence(file=file, stock=stock, shown={"ct:A": both, "bc:A": north})).ok

    assert ok(10, 5) and ok(12, 3)
    assert not ok(9, 6)  # more of NORTH than is there
    assert not ok(12, 4) and not ok(9, 5)


def test_under_auto_the_floor_decides_and_between_once_and_twice_either_is_right() -> None:
    listed = {
        "sku": "A",
        "units": {"each": 1, "case": 6},
        "channels": {"ct": "A", "bc": {"sku": "A-CASE", "unit": "case"}},
    }

    def auto(floor: int, **shown: int) -> bool:
        file = drill_file(products=[listed], policies=[{"escrow_floor": floor}])
        figures = {"ct:A": shown["each"], "bc:A-CASE": shown["case"]}
        return stock_equals_model(evidence(file=file, shown=figures)).ok

    assert [auto(floor, each=12, case=2) for floor in (24, 23, 12, 11)] == [True, True, True, False]
    assert [auto(floor, each=24, case=4) for floor in (24, 23, 12, 11)] == [False, True, True, True]


def test_oversell_counts_what_was_sold_beyond_supply_and_excuse() -> None:
    orders = {"ct": [sold("1", ("A", 20)), sold("2", ("BOX", 3)), sold("3", ("A", 9), state="cancelled")]}
    assert no_oversell(evidence(orders)).failed[0] == {
        "entity": "A",
        "sold": 26,
        "supply": 24,
        "excused": 0,
        "oversold": 2,
    }
    received = [{"what": "received", "sku": "A", "qty": 1}, {"what": "adjusted", "sku": "A", "qty": 1}]
    assert no_oversell(evidence(orders, bookings=received)).ok
    excused = no_oversell(evidence(orders, bookings=[{"what": "held", "sku": "A", "qty": 2}]))
    assert (excused.ok, excused.more) == (True, {"units": 0, "excused": 2})
    raised = no_oversell(evidence(orders, raised={("bc", "A-CASE"): 1}))
    assert raised.ok


def test_a_lowered_stock_does_not_lower_the_supply_but_excuses() -> None:
    orders = {"ct": [sold("1", ("B", 9))]}
    shrunk = no_oversell(evidence(orders, bookings=[{"what": "adjusted", "sku": "B", "qty": -4}]))
    assert (shrunk.ok, shrunk.more["units"]) == (True, 0)


def test_a_parcel_of_a_cancelled_order_counts_as_sold_and_its_restock_as_excused() -> None:
    gone = goods_out("ct:1", status="COMPLETED", parcels=[{"tracking": "T", "lines": [{"sku": "B", "qty": 5}]}])
    again = sold("2", ("B", 9))
    kept = no_oversell(evidence({"ct": [sold("1", ("B", 5), state="cancelled"), again]}, [gone]))
    assert kept.more["units"] == 5
    put_back = no_oversell(evidence({"ct": [sold("1", ("B", 5), state="cancelled", restocked=True), again]}, [gone]))
    assert put_back.more == {"units": 0, "excused": 5}


def test_only_the_peers_own_limit_breaks_the_budget() -> None:
    check = budget_respected(evidence(throttled={"ct": (4, 0), "bc": (2, 1)}))
    assert check.more == {"throttled": 6}
    assert [f["entity"] for f in check.failed] == ["bc"]


def test_every_notification_came_to_an_end() -> None:
    orders = {"ct": [sold("1", ("A", 1)), sold("2", ("A", 1)), sold("3", ("A", 1), paid=False)]}
    sent = {"ct": [note("ct:N1"), note("2", answered=False), note("N3")], "clarus": [note("A"), note("ct:1")]}
    found = evidence(orders, [goods_out("ct:1")], notifications=sent)
    check = nothing_unaccounted(found, stock_equals_model(found))
    assert check.checked == 5
    assert [f["entity"] for f in check.failed] == ["ct:2"]
    assert "visible in a poll" in check.failed[0]["notification"]


def test_a_stock_hint_is_unaccounted_while_a_listing_of_it_is_wrong() -> None:
    found = evidence(shown={"ct:BOX": 1}, notifications={"clarus": [note("A"), note("B")]})
    check = nothing_unaccounted(found, stock_equals_model(found))
    assert [f["entity"] for f in check.failed] == ["clarus:A", "clarus:B"]  # both are components of the bundle


def shipped(order: StorefrontOrder, *parcels: tuple[str, dict[str, int]], state: str = "shipped") -> StorefrontOrder:
    order.state = state
    order.shipments = [
        {"tracking": tracking, "lines": [{"sku": sku, "qty": n} for sku, n in lines.items()]}
        for tracking, lines in parcels
    ]
    return order


def left(upstream: str, *parcels: tuple[str, dict[str, int]]) -> WarehouseOrder:
    lines = [{"tracking": t, "lines": [{"sku": sku, "qty": n} for sku, n in held.items()]} for t, held in parcels]
    return goods_out(upstream, status="COMPLETED", parcels=lines)


def despatches(order: StorefrontOrder, out: WarehouseOrder, channel: str = "ct", **more: Any) -> Check:
    return despatch_once(evidence({channel: [order]}, [out], **more))


def test_every_parcel_is_compared_with_the_storefronts_shipments() -> None:
    out = left("ct:1", ("T1", {"A": 2}), ("T2", {"B": 1}))
    order = sold("1", ("A", 2), ("B", 1))
    right = despatches(shipped(order, ("T2", {"B": 1}), ("T1", {"A": 2})), out)
    assert (right.checked, right.failed) == (2, [])
    for wrong in (
        [("T1", {"A": 2})],
        [("T1", {"A": 2}), ("T2", {"B": 1}), ("T2", {"B": 1})],
        [("T1", {"A": 2}), ("TX", {"B": 1})],
        [("T1", {"A": 1}), ("T2", {"A": 1, "B": 1})],
        [],
    ):
        check = despatches(shipped(order, *wrong), out)
        assert [f["entity"] for f in check.failed] == ["ct:N1"], wrong
        assert "T1 (A x 2); T2 (B x 1)" in check.failed[0]["wms"]
    assert despatches(shipped(order, ("T1", {"A": 2})), goods_out("ct:1")).failed  # nothing left the warehouse


def test_a_parcel_with_an_exception_that_says_so_need_not_be_there() -> None:
    out, order = left("ct:1", ("T1", {"A": 2})), sold("1", ("A", 2))
    assert despatches(order, out, exceptions=[problem("ct:N1")]).failed
    gap = OpenedException("despatch_gap", "ct:N1", "integration", "open", "detail")
    assert despatches(order, out, exceptions=[gap]).ok
    assert despatches(shipped(order, state="cancelled"), out).checked == 0


def test_cases_and_bundles_may_be_spread_over_parcels_and_more_may_leave_than_was_ordered() -> None:
    case = shipped(sold("1", ("A-CASE", 1)), ("T2", {"A-CASE": 1}))
    out = left("bc:1", ("T1", {"A": 4}), ("T2", {"A": 2}))
    assert despatches(case, out, "bc").ok
    assert despatches(shipped(case, ("T2", {"A-CASE": 1}), ("T2", {"A-CASE": 1})), out, "bc").failed
    assert despatches(shipped(case), out, "bc").failed
    box = shipped(sold("1", ("BOX", 1)), ("T1", {"BOX": 1}))
    assert despatches(box, left("ct:1", ("T1", {"A": 2, "B": 1}))).ok
    over = shipped(sold("1", ("A", 2)), ("T1", {"A": 2}))
    assert despatches(over, left("ct:1", ("T1", {"A": 3}))).ok


def test_checks_outside_the_present_scope_check_nothing() -> None:
    checks = run_checks(evidence())
    assert [name for name, check in checks.items() if check.checked == 0 and name.endswith("_once")] == [
        "despatch_once",
        "refund_once",
    ]
    assert list(checks) == [
        "no_order_lost",
        "no_duplicate_order",
        "stock_equals_model",
        "no_oversell",
        "despatch_once",
        "refund_once",
        "budget_respected",
        "nothing_unaccounted",
    ]


# ---- refunds --------------------------------------------------------------------------------------------------------------------------------

WHOLE = dict.fromkeys(("restock", "quarantine", "scrap"), Fraction(1))


def returned(upstream: str, **inspected: dict[str, int]) -> WarehouseReturn:
    found = {outcome: inspected.get(outcome, {}) for outcome in WHOLE}
    return WarehouseReturn(upstream, f"{upstream}:r", "completed", {}, found)


def refunds(order: StorefrontOrder, *returns: WarehouseReturn, exceptions: Any = (), **more: Any) -> Check:
    given = evidence(orders={"ct": [order]}, exceptions=exceptions)
    given.returns, given.shares = {f"ct:{order.order_id}": list(returns)}, WHOLE
    given.sent_back = {("ct", order.number): {line.sku: line.qty for line in order.lines}}
    for name, value in more.items():
        setattr(given, name, value)
    return refund_once(given)


def paid_order(*refunds: int, by_hand: tuple[tuple[str, int, int], ...] = (), discount: int = 0) -> StorefrontOrder:
    order = sold("1", ("A", 3), ("B", 1), state="shipped")
    for line in order.lines:
        line.price = 1000 * line.qty
    order.captured, order.discount = 4500 - discount, discount
    order.refunds, order.by_hand = list(refunds), list(by_hand)
    return order


def test_an_inspected_return_is_refunded_at_what_its_units_cost() -> None:
    back = returned("ct:1", restock={"A": 1}, scrap={"A": 1})
    assert refunds(paid_order(2000), back).as_dict() == {"ok": True, "checked": 1, "failed": []}
    assert refunds(paid_order(1000, 1000), back).ok
    assert not refunds(paid_order(1000), back).ok
    assert not refunds(paid_order(2000, 2000), back).ok
    assert refunds(paid_order(1950, discount=100), back).ok
    assert not refunds(paid_order(2000, discount=100), back).ok
    assert refunds(paid_order(1500), back, shares=WHOLE | {"scrap": Fraction(1, 2)}).ok


def test_nothing_is_refunded_without_an_inspection_or_before_it() -> None:
    assert refunds(paid_order()).as_dict() == {"ok": True, "checked": 0, "failed": []}
    assert not refunds(paid_order(1000), returned("ct:1")).ok
    back = returned("ct:1", restock={"A": 1})
    assert refunds(paid_order(1000), back, first={"ct:N1": (5, 6)}).ok
    assert not refunds(paid_order(1000), back, first={"ct:N1": (6, 5)}).ok
    assert not refunds(paid_order(1000), back, first={"ct:N1": (0, 5)}).ok


def test_what_a_person_refunded_is_not_owed_again_and_never_more_than_was_paid() -> None:
    back = returned("ct:1", restock={"A": 2})
    assert refunds(paid_order(1000, by_hand=(("A", 1, 1000),)), back).ok
    assert not refunds(paid_order(2000, by_hand=(("A", 1, 1000),)), back).ok
    assert refunds(paid_order(2000, by_hand=(("B", 1, 1000),)), back).ok
    assert not refunds(paid_order(2000, by_hand=(("B", 3, 3000),)), back).ok


def test_pieces_count_for_what_was_sent_back_not_for_the_largest_unit_that_they_would_make() -> None:
    order = sold("1", ("A", 2), ("B", 1), ("BOX", 1), state="shipped")
    for line in order.lines:
        line.price = 1000 * line.qty
    order.captured, order.refunds = 4000, [3000]
    back = returned("ct:1", restock={"A": 2, "B": 1})
    assert refunds(order, back, sent_back={("ct", "N1"): {"A": 2, "B": 1}}).ok
    assert not refunds(order, back, sent_back={("ct", "N1"): {"BOX": 1}}).ok
    assert not refunds(order, back, sent_back={}).ok


def test_an_exception_excuses_what_could_not_be_refunded_and_nothing_else() -> None:
    said = [OpenedException("refund_mismatch", "ct:N1", "finance", "open", "detail")]
    back = returned("ct:1", restock={"A": 1})
    assert refunds(paid_order(), back, exceptions=said).ok
    assert not refunds(paid_order(3000), back, exceptions=said).ok
