"""Returns folded: announced once they can come back, refunded by what the inspection found and not before, never more than the lines cost."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import (
    AnnounceReturn,
    AuthoriseReturn,
    OrderSnapshot,
    Payment,
    RefundOutcome,
    ReturnLine,
    SettleReturn,
    StorefrontReturn,
    WarehouseDespatch,
    WarehouseParcel,
    WarehouseReturn,
)
from tables.orders import fold as orders
from tables.orders import shipping
from tables.orders.effects import new_row
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules
from tables.returns import fold
from tables.returns.amounts import Shares
from tables.returns.fold import ReturnRules
from tables.returns.mismatch import mismatch
from tables.returns.rows import OrderReturns
from tests.unit.orders.test_fold import CATALOGUE, line, order

Event = OrderSnapshot | WarehouseDespatch | AuthoriseReturn | WarehouseReturn | RefundOutcome
ORDER_RULES = Rules(CATALOGUE, {})
HALF = Shares({"restocked": Fraction(1), "quarantined": Fraction(1), "scrapped": Fraction(1, 2)}, shipping=True)


class Play:
    """One order and its returns, as the ORDERS agent folds them."""

    def __init__(self, shares: Shares | None = None) -> None:
        self.row, self.book = new_row("shop", "7"), OrderReturns()
        self.rules = ReturnRules(CATALOGUE, shares or Shares())
        self.now = 5000
        self.commands: list[fold.Command] = []

    def of(self, *events: Event) -> "Play":
        for event in events:
            self.now += 1
            body = msgspec.convert(msgspec.to_builtins(event), type(event))
            self.commands += self._fold(body)
            self.row = msgspec.msgpack.decode(msgspec.msgpack.encode(self.row), type=OrderRow)
            self.book = msgspec.msgpack.decode(msgspec.msgpack.encode(self.book), type=OrderReturns)
        return self

    def _fold(self, body: Event) -> Sequence[fold.Command]:
        match body:
            case OrderSnapshot():
                orders.snapshot(self.row, body, ORDER_RULES, self.now)
            case WarehouseDespatch():
                shipping.despatched(self.row, body, ORDER_RULES, self.now)
            case AuthoriseReturn():
                return fold.authorise(self.row, self.book, body, self.rules, self.now)
            case WarehouseReturn():
                return fold.warehouse(self.row, self.book, body, self.rules, self.now)
            case RefundOutcome():
                fold.settled(self.book, body)
                return []
        return fold.shown(self.row, self.book, self.rules, self.now)

    @property
    def announced(self) -> list[AnnounceReturn]:
        return [one for one in self.commands if isinstance(one, AnnounceReturn)]

    @property
    def settles(self) -> list[SettleReturn]:
        return [one for one in self.commands if isinstance(one, SettleReturn)]

    @property
    def amounts(self) -> list[int]:
        return [sum(x.amount for x in one.lines) + one.shipping for one in self.settles]

    @property
    def problem(self) -> str:
        return mismatch(self.row, self.book)


def bought(*lines: Any, version: int = 1, **money: Any) -> OrderSnapshot:
    seen = order(*lines, version=version)
    for one in seen.lines:
        one.price = 1000 * one.quantity
    return msgspec.structs.replace(seen, currency="EUR", captured=100_000, refunded=0, **money)


def left(read_at: int = 10, complete: bool = True, **eaches: int) -> WarehouseDespatch:
    parcel = WarehouseParcel(parcel_id="p", tracking="T", lines=eaches)
    return WarehouseDespatch(reference="shop:7", wms_id="1", read_at=read_at, complete=complete, parcels=[parcel])


def back(return_id: str = "r", item: str = "", **units: int) -> StorefrontReturn:
    lines = [ReturnLine(line_id=name[1:], units=n, item_id=item) for name, n in units.items()]
    return StorefrontReturn(return_id=return_id, lines=lines)


def asked(return_id: str = "r", **units: int) -> AuthoriseReturn:
    return AuthoriseReturn(return_id=return_id, lines=units, actor="ann", reason="wrong size")


def seen(read_at: int, state: Any = "RECEIVED", return_id: str = "r", **figures: dict[str, int]) -> WarehouseReturn:
    received: dict[str, int] = {}
    for eaches in figures.values():
        for code, n in eaches.items():
            received[code] = received.get(code, 0) + n
    given = {"received": received} | figures
    return WarehouseReturn(return_id=return_id, reference="x", state=state, read_at=read_at, **given)


def outcome(command: SettleReturn, state: Any = "SETTLED", **more: Any) -> RefundOutcome:
    return RefundOutcome(return_id=command.return_id, part=command.part, version=command.version, state=state, **more)


def test_a_return_is_announced_once_the_goods_are_known_to_have_left_and_only_once() -> None:
    play = Play().of(bought(line("M1", 2), returns=[back(_1=2)]))
    assert play.commands == []
    play.of(left(MUG=2), left(11, MUG=2), bought(line("M1", 2), version=2, returns=[back(_1=2)]))
    (command,) = play.announced
    assert (command.lines, command.order_reference, command.number) == ({"MUG": 2}, "shop:7", play.row.number)
    assert command.reference == "shop:7:r"


def test_nothing_is_refunded_before_an_inspection() -> None:
    play = Play().of(bought(line("M1", 2), returns=[back(_1=2)]), left(MUG=2))
    play.of(seen(20, received={"MUG": 2}), seen(21, "COMPLETED", received={"MUG": 2}))
    assert play.settles == []
    play.of(seen(22, "COMPLETED", received={"MUG": 2}, restocked={"MUG": 2}))
    assert play.amounts == [2000]


def test_each_inspection_is_one_part_and_an_older_or_repeated_read_is_none() -> None:
    play = Play().of(bought(line("M1", 3), returns=[back(_1=3)]), left(MUG=3))
    first, second = seen(20, restocked={"MUG": 1}), seen(30, restocked={"MUG": 3})
    play.of(first, first, second, first, second)
    assert [(one.part, one.lines[0].units) for one in play.settles] == [(1, 1), (2, 2)]
    assert len({one.key for one in play.settles}) == 2


def test_a_scrapped_unit_gives_its_share_and_the_shipping_comes_with_the_last_unit() -> None:
    play = Play(HALF).of(bought(line("M1", 2), returns=[back(_1=2)], shipping_price=500), left(MUG=2))
    play.of(seen(20, restocked={"MUG": 1}), seen(30, restocked={"MUG": 1}, scrapped={"MUG": 1}))
    assert play.amounts == [1000, 500 + 500]


def test_parts_of_a_price_that_does_not_divide_come_to_the_price() -> None:
    snapshot = bought(line("M1", 3), returns=[back("a", _1=1), back("b", _1=2)])
    snapshot.lines[0].price = 1000
    play = Play().of(snapshot, left(MUG=3))
    play.of(seen(20, return_id="b", restocked={"MUG": 2}), seen(20, return_id="a", restocked={"MUG": 1}))
    assert play.amounts == [666, 334]


def test_a_case_comes_back_as_a_whole_and_is_worth_what_its_pieces_are() -> None:
    play = Play(HALF).of(bought(line("M12", 1), returns=[back(_1=1)]), left(MUG=12))
    assert play.announced[0].lines == {"MUG": 12}
    play.of(seen(20, restocked={"MUG": 11}))
    assert play.settles == []
    play.of(seen(21, restocked={"MUG": 11}, scrapped={"MUG": 1}))
    assert play.amounts == [1000 * 23 // 24]


def test_the_storefronts_items_are_told_when_they_arrived_and_what_became_of_them() -> None:
    play = Play().of(bought(line("M1", 1), returns=[back(item="i", _1=1)]), left(MUG=1))
    play.of(seen(20, received={"MUG": 1}))
    (arrived,) = play.settles
    assert (arrived.part, arrived.lines, arrived.items[0].condition) == (0, [], "ARRIVED")
    play.of(seen(21, scrapped={"MUG": 1}))
    (item,) = play.settles[-1].items
    assert (item.item_id, item.condition, item.refunded) == ("i", "UNUSABLE", True)


def test_an_operators_return_is_one_however_often_it_is_asked_for() -> None:
    play = Play().of(bought(line("M1", 2)), left(MUG=2), asked(M1=1), asked(M1=1))
    assert [one.reason for one in play.announced] == ["wrong size"]


def test_a_return_of_what_was_not_ordered_or_did_not_leave_is_said_to_finance() -> None:
    play = Play().of(bought(line("M1", 2)), left(MUG=2), asked(TEA=1))
    assert "the order has no TEA: it has M1" in play.problem
    play.of(asked("r2", M1=3))
    assert "more is to come back than left the warehouse" in play.problem
    assert play.announced == []


def test_a_return_of_an_order_that_is_not_known_yet_is_said_and_taken_up_when_the_order_comes() -> None:
    play = Play().of(asked(M1=1))
    assert "has not told of this order yet" in play.problem and not play.commands
    play.of(bought(line("M1", 2)), left(MUG=2))
    assert [one.return_id for one in play.announced] == ["r"] and play.problem == ""
    given_up = Play().of(asked(M1=1))
    fold.dismiss(given_up.book)
    assert not given_up.of(bought(line("M1", 2)), left(MUG=2)).commands


def test_what_a_refused_refund_says_is_gone_when_a_retry_settles_it() -> None:
    play = Play().of(bought(line("M1", 1), returns=[back(_1=1)]), left(MUG=1), seen(20, restocked={"MUG": 1}))
    play.of(outcome(play.settles[0], "REFUSED", detail="declined"))
    assert "10.00 EUR was not refunded: declined" in play.problem
    play.commands += fold.retry(play.row, play.book, play.rules, play.now + 1)
    assert [one.key for one in play.settles] == [play.settles[0].key] * 2
    play.of(outcome(play.settles[0], "REFUSED", detail="declined"))  # of the older command
    assert play.problem == ""
    play.of(outcome(play.settles[1], amount=1000))
    assert play.problem == ""


def test_a_refund_that_no_return_explains_is_said_until_a_return_does_or_a_person_accepts_it() -> None:
    theirs = Payment(payment_id="x", kind="REFUND", state="DONE", amount=1000)
    play = Play().of(bought(line("M1", 2)), left(MUG=2))
    play.of(msgspec.structs.replace(bought(line("M1", 2), version=2), refunded=1000, payments=[theirs]))
    assert "10.00 EUR was refunded at the storefront without a return" in play.problem
    accepted = msgspec.structs.replace(play.book, accepted=play.problem)
    assert mismatch(play.row, accepted) == ""
    play.of(asked(M1=1))
    assert play.problem == ""
    play.of(seen(20, "COMPLETED", restocked={"MUG": 1}))
    play.of(outcome(play.settles[0], by_hand=1000))
    assert play.problem == ""


def test_a_refund_for_goods_that_never_left_needs_no_return_and_more_than_was_paid_is_always_said() -> None:
    theirs = Payment(payment_id="x", kind="REFUND", state="DONE", amount=1000)
    short = msgspec.structs.replace(bought(line("M1", 2), version=2), refunded=1000, payments=[theirs])
    assert Play().of(bought(line("M1", 2)), left(MUG=1), short).problem == ""
    above = msgspec.structs.replace(short, captured=900)
    assert "10.00 EUR was refunded and 9.00 EUR paid" in Play().of(bought(line("M1", 2)), left(MUG=1), above).problem


def test_payments_that_a_notification_does_not_hold_and_an_older_read_do_not_take_back_what_is_known() -> None:
    theirs = Payment(payment_id="x", kind="REFUND", state="DONE", amount=1000)
    known = msgspec.structs.replace(bought(line("M1", 1)), refunded=1000, payments=[theirs])
    silent = msgspec.structs.replace(bought(line("M1", 1), version=2), captured=None, refunded=None)
    for later in (silent, msgspec.structs.replace(silent, version=1), bought(line("M1", 1))):
        row = Play().of(known, later).row
        assert row.snapshot is not None
        assert (row.snapshot.captured, row.snapshot.refunded, row.snapshot.payments) == (100_000, 1000, [theirs])
    newer = msgspec.structs.replace(bought(line("M1", 1), version=2), refunded=1500)
    assert Play().of(known, newer).row.snapshot.refunded == 1500  # type: ignore[union-attr]


figures = st.fixed_dictionaries({kind: st.integers(0, 3) for kind in ("restocked", "quarantined", "scrapped")})
reads = st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 9), figures)


@given(st.lists(reads, max_size=12), st.integers(0, 5000), st.booleans(), st.randoms(use_true_random=False))
def test_in_any_order_of_any_events_no_unit_is_refunded_twice_and_never_more_than_the_line_cost(
    given_reads: list[tuple[str, int, dict[str, int]]], price: int, twice: bool, rng: Any
) -> None:
    snapshot = bought(line("M1", 3), returns=[back("a", _1=2), back("b", _1=1)])
    snapshot.lines[0].price = price
    events: list[Event] = [snapshot, left(MUG=3)]
    events += [
        seen(at, return_id=name, **{kind: {"MUG": n} for kind, n in found.items()}) for name, at, found in given_reads
    ]
    events = events * 2 if twice else events
    rng.shuffle(events)
    play = Play(HALF).of(*events)
    units = {"a": 0, "b": 0}
    for one in play.settles:
        units[one.return_id] += sum(x.units for x in one.lines)
    most = {name: max([sum(f.values()) for n, _, f in given_reads if n == name], default=0) for name in units}
    assert units["a"] <= min(2, most["a"])
    assert units["b"] <= min(1, most["b"])
    assert sum(sum(x.amount for x in one.lines) for one in play.settles) <= price
    assert len({(one.return_id, one.part) for one in play.settles}) == len(play.settles)
