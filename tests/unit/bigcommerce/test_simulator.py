"""The simulated BigCommerce store without HTTP: limits, the order of adjustments and sales, orders and their stock."""

import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulators.base import Faults, Journal
from app.simulators.bigcommerce import limits
from app.simulators.bigcommerce.inventory import MAX_QUANTITY, Adjustment, Inventory, Level, Unprocessable
from app.simulators.bigcommerce.limits import Rate, Window
from app.simulators.bigcommerce.orders import Orders
from app.simulators.bigcommerce.v2 import header
from app.simulators.contract import NewLine, NewOrder, StepRefused


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(limits.time, "monotonic", clock.monotonic)
    yield clock


class TestWindow:
    def test_a_quota_holds_for_thirty_seconds_and_then_begins_anew(self, clock: Clock) -> None:
        window = Window(2)
        assert [window.take(), window.take()] == [0, 0]
        clock.now += 12
        assert window.take() == 18
        assert window.headers() == {
            "X-Rate-Limit-Requests-Left": "0",
            "X-Rate-Limit-Requests-Quota": "2",
            "X-Rate-Limit-Time-Reset-Ms": "18000",
            "X-Rate-Limit-Time-Window-Ms": "30000",
        }
        clock.now += 18
        assert window.take() == 0
        assert window.headers()["X-Rate-Limit-Requests-Left"] == "1"

    def test_a_steady_rate_is_told_in_the_same_headers(self, clock: Clock) -> None:
        rate = Rate(4)
        assert [rate.take() for _ in range(5)] == [0, 0, 0, 0, 0.25]
        assert rate.headers()["X-Rate-Limit-Time-Reset-Ms"] == "1000"
        clock.now += 0.5
        assert rate.headers()["X-Rate-Limit-Requests-Left"] == "2"


def inventory(*skus: str, silent: bool = False) -> Inventory:
    rng = random.Random(1)
    made = Inventory(rng, Faults(rng), Journal(), 0.0, silent)
    for sku in skus:
        made.add(sku, 1, "variant")
    return made


def row(sku: str = "TEE", quantity: int = 1, **changes: object) -> dict[str, object]:
    return {"location_id": 1, "sku": sku, "quantity": quantity, **changes}


class TestAdjustments:
    @pytest.mark.parametrize(
        ("bad", "title"),
        [
            ({}, "exactly one"),
            ({"sku": "TEE", "variant_id": 1001, "location_id": 1, "quantity": 1}, "exactly one"),
            ({"sku": "TEE", "quantity": 1}, "required"),
            (row(quantity="1"), "integers"),  # type: ignore[arg-type]
            (row(sku=5), "string"),  # type: ignore[arg-type]
            (row(quantity=MAX_QUANTITY + 1), "too large"),
            (row("GONE"), r"\[sku GONE\] not found"),
            (row("tee"), r"\[sku tee\] not found"),
            (row(location_id=7), r"Location not found, identities: \[7\]"),
            (
                {"location_id": 1, "product_id": 101, "quantity": 1},
                "tracked by variant, please update stock by variant",
            ),
            (row(), "requires absolute adjustment before relative"),
        ],
    )
    async def test_one_bad_row_refuses_the_whole_request(self, bad: dict[str, object], title: str) -> None:
        stock = inventory("TEE", "MUG")
        stock.items["MUG"].level(1).onhand = 5
        with pytest.raises(Unprocessable) as raised:
            stock.adjust({"items": [row("MUG"), bad]}, absolute=False)
        assert re.search(title, f"{raised.value.title} {raised.value.errors}")
        assert stock.pending == 0

    @pytest.mark.parametrize("body", [None, {}, {"items": []}, {"items": [row()] * 2001}])
    async def test_a_body_without_rows_or_with_too_many_is_refused(self, body: object) -> None:
        with pytest.raises(Unprocessable):
            inventory("TEE").adjust(body, absolute=True)

    async def test_the_same_item_twice_is_refused_however_it_is_addressed(self) -> None:
        stock = inventory("TEE")
        with pytest.raises(Unprocessable, match="more than once"):
            stock.adjust({"items": [row(), {"location_id": 1, "variant_id": 1001, "quantity": 1}]}, absolute=True)

    def test_sales_between_acceptance_and_effect_let_a_decrease_be_dropped(self) -> None:
        level = Level(5, [Adjustment(False, -4, 0.0)])
        assert level.final() == 1
        level.onhand = 3  # two were sold meanwhile
        assert level.final() == 3
        assert not level.settle(level.queue[0])

    @given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), max_size=12), st.none() | st.integers(0, 9))
    def test_what_will_be_is_what_comes(self, changes: list[tuple[bool, int]], start: int | None) -> None:
        level = Level(start, [Adjustment(absolute, abs(q) if absolute else q, 0.0) for absolute, q in changes])
        expected = level.final()
        for change in level.queue:
            level.settle(change)
        assert (level.onhand or 0) == expected >= 0


class TestOrders:
    @pytest.fixture
    def shop(self) -> tuple[Inventory, Orders, list[tuple[int, bool, int]]]:
        stock, told = inventory("TEE", "MUG"), list[tuple[int, bool, int]]()
        stock.items["TEE"].level(1).onhand = 5
        settings = {"refund_order_stock_adjustment": False, "edit_order_stock_adjustment": True}
        orders = Orders(stock, Journal(), settings, lambda order, new, before: told.append((order.id, new, before)))
        return stock, orders, told

    def test_an_order_lowers_stock_at_once_whether_paid_or_not(self, shop: tuple[Inventory, Orders, list]) -> None:  # type: ignore[type-arg]
        stock, orders, told = shop
        orders.place(NewOrder("7", [NewLine("TEE", 2)]))
        unpaid = orders.place(NewOrder("", [NewLine("TEE", 1), NewLine("TEE", 1)], paid=False))
        assert stock.items["TEE"].level(1).onhand == 1
        assert (unpaid.id, unpaid.status_id) == (1001, 7)
        assert told == [(7, True, 0), (1001, True, 0)]

    @pytest.mark.parametrize(
        ("number", "lines", "why"),
        [
            ("7", [NewLine("TEE", 6)], "5 available"),
            ("7", [NewLine("TEE", 3), NewLine("TEE", 3)], "6 wanted"),
            ("7", [NewLine("MUG", 1)], "0 available"),
            ("A1", [NewLine("X", 1)], "positive integers"),
            ("0", [NewLine("X", 1)], "positive integers"),
        ],
    )
    def test_what_the_platform_would_refuse_is_refused_as_a_whole(
        self,
        shop: tuple[Inventory, Orders, list],  # type: ignore[type-arg]
        number: str,
        lines: list[NewLine],
        why: str,
    ) -> None:
        stock, orders, told = shop
        with pytest.raises(StepRefused, match=why):
            orders.place(NewOrder(number, lines))
        assert stock.items["TEE"].level(1).onhand == 5
        assert told == []

    def test_an_edit_that_asks_too_much_changes_nothing(self, shop: tuple[Inventory, Orders, list]) -> None:  # type: ignore[type-arg]
        stock, orders, _ = shop
        order = orders.place(NewOrder("7", [NewLine("TEE", 2)]))
        with pytest.raises(StepRefused):
            orders.edit(order, [NewLine("TEE", 6)], None)
        assert stock.items["TEE"].level(1).onhand == 3
        orders.edit(order, [NewLine("TEE", 5), NewLine("X", 1)], None)
        assert stock.items["TEE"].level(1).onhand == 0
        assert [(x.sku, x.qty, x.tracked) for x in order.truth().lines] == [("TEE", 5, True), ("X", 1, False)]

    @pytest.mark.parametrize(("paid", "then", "captured"), [(True, "captured", 2000), (False, "", 0)])
    def test_a_cancel_keeps_the_money_that_was_captured_until_it_is_refunded(
        self,
        shop: tuple[Inventory, Orders, list],  # type: ignore[type-arg]
        paid: bool,
        then: str,
        captured: int,
    ) -> None:
        _, orders, _ = shop
        order = orders.place(NewOrder("7", [NewLine("TEE", 2)], paid=paid))
        orders.set_status(order, 5)
        assert (order.truth().state, order.truth().captured) == ("cancelled", captured)
        assert header(order, "")["payment_status"] == then

    def test_a_payment_that_comes_later_is_captured_then(self, shop: tuple[Inventory, Orders, list]) -> None:  # type: ignore[type-arg]
        _, orders, _ = shop
        order = orders.place(NewOrder("7", [NewLine("TEE", 2)], paid=False))
        orders.set_status(order, 11)
        orders.set_status(order, 12)
        assert (order.truth().paid, order.truth().captured) == (False, 2000)

    def test_parcels_move_the_status_by_themselves(self, shop: tuple[Inventory, Orders, list]) -> None:  # type: ignore[type-arg]
        _, orders, _ = shop
        order = orders.place(NewOrder("7", [NewLine("TEE", 2)]))
        line = order.lines[0].id
        orders.ship(order, {line: 1}, "T1", {})
        assert order.truth().state == "part_shipped"
        with pytest.raises(ValueError, match="cannot be shipped"):
            orders.ship(order, {line: 2}, "T2", {})
        orders.ship(order, {line: 1}, "T2", {})
        truth = order.truth()
        assert truth.state == "shipped"
        assert truth.shipments == [
            {"tracking": "T1", "lines": [{"sku": "TEE", "qty": 1}]},
            {"tracking": "T2", "lines": [{"sku": "TEE", "qty": 1}]},
        ]
        with pytest.raises(StepRefused):
            orders.edit(order, [], None)
