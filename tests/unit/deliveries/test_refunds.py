"""One part's refund at a storefront that may lose answers, be late, decline, and have people of its own: once, and never above what was paid."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import Payment, RefundLine, RefundOutcome, SettleReturn
from tables.deliveries import looks
from tables.deliveries import refunds as rules
from tables.deliveries.refunds import Refund, RefundRow, Refuse, Settled, Wait
from tables.returns.fold import KEY

LATE = 6000


def command(amount: int = 1000, version: int = 1, part: int = 1, units: int = 1, shipping: int = 0) -> SettleReturn:
    return SettleReturn(
        channel="shop",
        order_id="7",
        number="A7",
        return_id="r",
        part=part,
        key=f"{KEY}r-{part}",
        version=version,
        currency="EUR",
        lines=[RefundLine(line_id="1", units=units, amount=amount)],
        shipping=shipping,
    )


def row_of(given_command: SettleReturn, now: int = 100) -> RefundRow:
    row = RefundRow("shop", "7", "r", given_command.part)
    assert rules.want(row, given_command, now)
    return row


def refund(amount: int = 1000, key: str = "", payment_id: str = "x", state: Any = "DONE", **lines: int) -> Payment:
    named = {name[1:]: n for name, n in lines.items()}
    return Payment(payment_id=payment_id, kind="REFUND", state=state, amount=amount, key=key, lines=named)


def step(row: RefundRow, *shown: Payment, captured: int = 5000, siblings: Any = (), at: int = 200) -> rules.Step:
    return rules.next_step(row, captured, shown, siblings, at, LATE, at)


def test_what_is_not_there_is_refunded_and_what_is_there_is_settled() -> None:
    row = row_of(command())
    found = step(row)
    assert isinstance(found, Refund)
    assert (found.amount, found.key, found.lines[0].units) == (1000, f"{KEY}r-1", 1)
    assert step(row, refund(key=f"{KEY}r-1")) == Settled(1000, 0, "x", {})


def test_an_older_or_equal_command_changes_nothing() -> None:
    row = row_of(command(version=5))
    assert not rules.want(row, command(version=5), 200)
    assert not rules.want(row, command(version=4), 200)


def test_a_lost_answer_is_looked_for_until_the_request_cannot_land_any_more() -> None:
    row = row_of(command())
    found = step(row)
    assert isinstance(found, Refund)
    rules.begin(row, found, 200)
    assert step(row, at=200 + LATE - 1) == Wait(200 + LATE), "nobody lived to give it up"
    looks.unknown(row, 700)
    assert isinstance(step(row, at=800), Wait)
    assert step(row, at=700 + LATE - 1) == Wait(700 + LATE)
    assert isinstance(step(row, at=700 + LATE), Refund)
    assert isinstance(step(row, refund(key=f"{KEY}r-1"), at=300), Settled)


def test_what_the_storefront_took_is_waited_for_and_not_asked_again() -> None:
    row = row_of(command())
    found = step(row)
    assert isinstance(found, Refund)
    rules.begin(row, found, 200)
    rules.accepted(row, 1000, 210)
    assert isinstance(step(row, at=99_999), Wait)


def test_a_refund_of_somebody_else_counts_for_its_units_or_where_it_names_none_for_its_amount() -> None:
    row = row_of(command(2000, units=2))
    assert step(row, refund(1000, _1=1)) == Refund(
        f"{KEY}r-1", 1000, (RefundLine(line_id="1", units=1, amount=1000),), 0, 0
    )
    assert step(row, refund(2000, _1=2)) == Settled(0, 2000, "", {"x/1": 2})
    assert step(row, refund(9000, _9=1), captured=20_000) == Refund(
        f"{KEY}r-1", 2000, (RefundLine(line_id="1", units=2, amount=2000),), 0, 0
    )
    partly = step(row, refund(700))
    assert isinstance(partly, Refund)
    assert partly.amount == 1300
    assert step(row, refund(2500)) == Settled(0, 2000, "", {"x": 2000})
    assert isinstance(step(row, refund(2000, state="FAILED")), Refund)


def test_a_unit_refunded_by_hand_at_more_than_its_inspection_says_is_not_paid_for_by_the_others() -> None:
    row = row_of(command(1000, units=3))  # one of three is sold again, two were thrown away and are worth nothing
    assert step(row, refund(1000, _1=1)) == Settled(0, 1000, "", {"x/1": 1})
    found = step(row, refund(1500, _1=1, _9=2))  # its third of what went back for three units
    assert isinstance(found, Refund)
    assert found.amount == 500


def settle(row: RefundRow, *shown: Payment, siblings: Any = ()) -> RefundRow:
    """The part, brought to its end by one refund of ours at most."""
    found = step(row, *shown, siblings=siblings)
    if isinstance(found, Refund):
        found = step(row, *shown, refund(found.amount, found.key, f"ours-{row.part}"), siblings=siblings)
    assert isinstance(found, Settled)
    rules.settled(row, found)
    rules.answer(row)
    return row


def test_what_was_refunded_by_hand_beyond_a_units_worth_is_set_against_later_parts_of_its_line_once() -> None:
    by_hand = refund(1000, _1=1)
    first = settle(row_of(command(500)), by_hand)  # inspected, and worth half of what somebody gave back for it
    assert (first.amount, first.by_hand) == (0, 500)
    second = settle(row_of(command(300, part=2)), by_hand, siblings=[first])
    third = settle(row_of(command(1000, part=3)), by_hand, siblings=[first, second])
    fourth = settle(row_of(command(1000, part=4)), by_hand, siblings=[first, second, third])
    assert [(one.amount, one.by_hand) for one in (second, third, fourth)] == [(0, 300), (800, 200), (1000, 0)]
    assert settle(row_of(command(300, version=2, part=2)), by_hand, siblings=[first, third, fourth]).amount == 0


def test_what_is_beyond_a_units_worth_is_not_set_against_another_line_or_return() -> None:
    by_hand = refund(1000, _1=1)
    first = settle(row_of(command(500)), by_hand)
    other_line = command(1000, part=2)
    other_line.lines[0].line_id = "2"
    assert settle(row_of(other_line), by_hand, siblings=[first]).amount == 1000
    elsewhere = RefundRow("shop", "7", "another", 1, covered=first.covered, beyond=first.beyond)
    assert settle(row_of(command(1000, part=2)), by_hand, siblings=[elsewhere]).amount == 1000


def test_how_much_of_a_refund_of_several_lines_was_for_one_of_them_is_not_known_well_enough_to_be_set_against_another_part() -> (
    None
):
    by_hand = refund(1500, _1=1, _9=2)  # 10.00 and two of 2.50
    both = command(1000)
    both.lines.append(RefundLine(line_id="9", units=2, amount=500))
    first = settle(row_of(both), by_hand)
    later = command(250, part=2)
    later.lines[0].line_id = "9"
    assert settle(row_of(later), by_hand, siblings=[first]).amount == 250


def test_a_refund_of_somebody_else_counts_once_among_the_parts_of_an_order() -> None:
    other = RefundRow("shop", "7", "r", 2, covered={"x": 1000, "y/1": 1})
    row = row_of(command())
    assert isinstance(step(row, refund(1000), siblings=[other]), Refund)
    assert isinstance(step(row, refund(1000, payment_id="y", _1=1), siblings=[other]), Refund)
    assert isinstance(step(row, refund(1500), siblings=[other]), Refund)
    assert isinstance(step(row, refund(2000), siblings=[other]), Settled)


def test_nothing_is_refunded_above_what_was_paid() -> None:
    row = row_of(command())
    found = step(row, refund(500, _9=1), captured=1400)
    assert isinstance(found, Refuse)
    assert "10.00 EUR would be above what was paid: 14.00 EUR captured, 5.00 EUR given back" in found.detail
    assert isinstance(step(row, captured=0), Refuse)
    assert step(row_of(command(0)), captured=0) == Settled(0, 0, "", {})


def test_a_refund_is_not_settled_while_the_provider_works_on_it_and_a_declined_one_is_said_once() -> None:
    row = row_of(command())
    assert isinstance(step(row, refund(key=f"{KEY}r-1", state="PENDING")), Wait)
    declined = refund(key=f"{KEY}r-1", state="FAILED")
    found = step(row, declined)
    assert isinstance(found, Refuse)
    (said,) = rules.refused(row, found.detail, found.failed)
    assert (said.state, said.version) == ("REFUSED", 1)
    assert rules.want(row, command(version=2), 300)
    assert isinstance(step(row, declined), Refund)


def test_parts_that_were_numbered_anew_after_a_loss_give_no_more_than_the_return_is_worth() -> None:
    whole = msgspec.structs.replace(command(3000, units=3), total=3000)
    there = [refund(1000, key=f"{KEY}r-1"), refund(2000, key=f"{KEY}r-2", payment_id="y")]
    assert step(row_of(whole), *there) == Settled(1000, 0, "x", {})
    assert isinstance(step(row_of(whole), there[0]), Refund)
    first = row_of(msgspec.structs.replace(command(1000), total=1000))
    second = row_of(msgspec.structs.replace(command(2000, part=2), total=3000))
    assert isinstance(step(first, there[1], siblings=[second]), Refund)


# ---- a storefront that does everything wrong ------------------------------------------------------------------------------------------------


@dataclass
class Shop:
    """Payments of one order; requests may still be on their way."""

    captured: int
    refunds: list[Payment] = field(default_factory=list)
    flying: list[tuple[int, Payment]] = field(default_factory=list)

    def land(self, now: int) -> None:
        for due, one in list(self.flying):
            if due <= now:
                self.flying.remove((due, one))
                self.take(one)

    def take(self, one: Payment) -> bool:
        """As storefronts do it, it only looks at what is left of the payment."""
        if sum(x.amount for x in self.refunds if x.state != "FAILED") + one.amount > self.captured:
            return False
        self.refunds.append(one)
        return True


fates = st.sampled_from(["ok", "lost", "lost late", "lost before", "refused", "declined", "crash", "unavailable"])
acts = st.one_of(
    fates,
    st.tuples(st.just("by hand"), st.integers(1, 2500)),
    st.tuples(st.just("again"), st.integers(1, 3)),
    st.just("wait"),
)


@example(script=["lost late"], amounts=[100], captured=5000)
@example(script=["lost late", ("by hand", 100), "wait"], amounts=[100, 100], captured=250)
@settings(max_examples=300)
@given(st.lists(acts, max_size=40), st.lists(st.integers(0, 2000), min_size=1, max_size=3), st.integers(0, 5000))
def test_whatever_is_lost_late_repeated_or_killed_no_part_is_refunded_twice_or_above_what_was_paid(
    script: list[Any], amounts: list[int], captured: int
) -> None:
    shop, now, count = Shop(captured), 1000, 0
    total = sum(amounts)
    rows = [
        row_of(msgspec.structs.replace(command(amount, part=n), total=total), now)
        for n, amount in enumerate(amounts, 1)
    ]
    told: list[RefundOutcome] = []
    for act in [*script, *["ok", "wait"] * 20]:
        now += 500
        shop.land(now)
        if isinstance(act, tuple) and act[0] == "by hand":
            count += 1
            shop.take(refund(act[1], payment_id=f"hand-{count}"))
            continue
        if isinstance(act, tuple):
            row = rows[act[1] % len(rows)]
            if row.command is not None:
                rules.want(row, msgspec.structs.replace(row.command, version=row.version + 1), now)
            continue
        if act == "wait":
            now += LATE
            continue
        rows = [msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=RefundRow) for row in rows]
        row = next((one for one in rows if rules.pending(one) and one.settled < one.version), None)
        if row is None:
            continue
        siblings = [one for one in rows if one is not row]
        found = rules.next_step(row, shop.captured, list(shop.refunds), siblings, now, LATE, now)
        match found:
            case Settled():
                rules.settled(row, found)
                told.append(rules.answer(row))
            case Refuse():
                told += rules.refused(row, found.detail, found.failed)
            case Wait():
                rules.waited(row, found.until)
            case Refund():
                rules.begin(row, found, now)
                count += 1
                made = refund(found.amount, found.key, f"ours-{count}", "FAILED" if act == "declined" else "DONE")
                if act == "refused":
                    told += rules.refused(row, "no")
                elif act == "unavailable":
                    rules.not_sent(row, 100, now)
                elif act in ("ok", "declined"):
                    if shop.take(made):
                        rules.accepted(row, found.amount, now)
                    else:
                        told += rules.refused(row, "too much")
                elif act in ("lost", "crash"):
                    shop.take(made)
                    looks.unknown(row, now)
                elif act == "lost late":
                    shop.flying.append((now + LATE - 1, made))
                    looks.unknown(row, now)
                else:
                    looks.unknown(row, now)
    gone = [one for one in shop.refunds if one.state != "FAILED"]
    assert sum(one.amount for one in gone) <= captured
    for row, amount in zip(rows, amounts, strict=True):
        ours = sum(one.amount for one in gone if one.key == f"{KEY}r-{row.part}")
        assert ours <= amount
        if row.settled == row.version:
            assert row.amount + row.by_hand == amount or not amount
            assert row.amount == ours
    by_hand = sum(one.amount for one in gone if not one.key)
    assert sum(row.by_hand for row in rows if row.settled) <= by_hand
