"""Exactly one goods out for an order, whatever is lost, repeated or killed."""

import random
from dataclasses import dataclass, field

import msgspec
import pytest

from schemas.records import CancelOrder, ReleaseLine, ReleaseOrder, WarehouseOrder
from tables.deliveries import parcels
from tables.deliveries import releases as rules
from tables.deliveries.release_row import AtWarehouse, Cancel, Change, Create, Idle, LookUp, ReleaseRow, Report
from tables.goods_out import eaches_of

UNKNOWN = 120_000
PENDING = AtWarehouse("7", "PENDING", "MAIN", {"S": 2})


def release(version: int = 1, eaches: int = 2, amends: bool = False) -> ReleaseOrder:
    return ReleaseOrder(
        channel="clarus",
        order_key="shop:1",
        reference="shop:1",
        number="1",
        version=version,
        lines=[ReleaseLine(sku="S", eaches=eaches)],
        amends=amends,
    )


def cancel(version: int = 2) -> CancelOrder:
    return CancelOrder(channel="clarus", order_key="shop:1", reference="shop:1", version=version)


def at(status: str, eaches: int) -> AtWarehouse:
    return AtWarehouse("7", status, "MAIN", {"S": eaches})


def new(now: int = 0) -> ReleaseRow:
    row = ReleaseRow("shop:1", "shop:1")
    assert rules.want_release(row, release(), now)
    return row


def creating(now: int = 0) -> ReleaseRow:
    """A create is under way."""
    row = new(now)
    assert isinstance(rules.next_step(row, now), LookUp)
    rules.found(row, [], now, UNKNOWN, now)
    step = rules.next_step(row, now)
    assert isinstance(step, Create)
    rules.begin(row, step, now)
    return row


def made(now: int = 0) -> ReleaseRow:
    row = creating(now)
    assert [one.status for one in rules.created(row, PENDING, now)] == ["PENDING"]
    return row


def test_a_cancel_of_what_is_not_there_is_answered_and_a_newer_release_creates_it() -> None:
    row = ReleaseRow("shop:1", "shop:1")
    assert rules.want_cancel(row, cancel(1), 0) and isinstance(rules.next_step(row, 0), LookUp)
    assert [(one.status, one.wms_id) for one in rules.found(row, [], 0, UNKNOWN, 0)] == [("DELETED", "")]
    assert rules.want_release(row, release(2), 5) and isinstance(rules.next_step(row, 5), LookUp)
    rules.found(row, [], 5, UNKNOWN, 5)
    assert isinstance(rules.next_step(row, 5), Create)


def test_older_and_equal_commands_change_nothing() -> None:
    row = new()
    assert not rules.want_release(row, release(1), 5)
    assert not rules.want_cancel(row, cancel(0), 5)
    assert row.order == release(1) and not row.cancel


def test_it_is_looked_up_before_it_is_created() -> None:
    assert isinstance(rules.next_step(new(), 0), LookUp)
    assert isinstance(rules.next_step(creating(), 0), LookUp), "an intent is an open outcome"


def test_a_create_of_unknown_outcome_is_not_repeated_before_the_warehouse_must_be_done_with_it() -> None:
    row, now = creating(), 0
    rules.unknown(row, now)
    while now < UNKNOWN:
        step = rules.next_step(row, now)
        if isinstance(step, Idle):
            assert step.until is not None
            now = step.until
            continue
        assert isinstance(step, LookUp)
        assert rules.found(row, [], now, UNKNOWN, now) == []
    rules.found(row, [], now, UNKNOWN, now)
    assert isinstance(rules.next_step(row, now), Create)


def test_a_look_up_that_began_before_the_time_was_over_does_not_count_as_the_last() -> None:
    row = creating()
    rules.unknown(row, 0)
    rules.found(row, [], UNKNOWN - 1, UNKNOWN, UNKNOWN + 500)
    assert row.intent is not None


@pytest.mark.parametrize("change", [False, True])
def test_the_warehouse_may_work_on_a_request_until_so_long_after_it_was_given_up(change: bool) -> None:
    row, there = (changing(), [PENDING]) if change else (creating(), [])
    rules.unknown(row, 50_000)
    over = 50_000 + UNKNOWN
    rules.found(row, there, over - 1, UNKNOWN, over - 1)
    assert row.intent is not None and row.next_at == over
    rules.found(row, there, over, UNKNOWN, over)
    assert row.intent is None


def test_a_late_find_is_the_order() -> None:
    row = creating()
    rules.unknown(row, 0)
    assert [(one.status, one.wms_id) for one in rules.found(row, [PENDING], 5_000, UNKNOWN, 5_000)] == [
        ("PENDING", "7")
    ]
    assert not rules.pending(row) and rules.at_work(row)


def test_an_open_create_survives_a_cancel_which_waits_for_it() -> None:
    row = creating()
    rules.want_cancel(row, cancel(), 10)
    assert row.intent is not None
    assert isinstance(rules.next_step(row, 10), LookUp)
    assert rules.found(row, [PENDING], 20, UNKNOWN, 20) == []
    step = rules.next_step(row, row.next_at)
    assert isinstance(step, Cancel)


def test_a_cancel_after_a_lost_create_that_never_landed_is_answered_as_deleted() -> None:
    row = creating()
    rules.want_cancel(row, cancel(), 10)
    assert [one.status for one in rules.found(row, [], UNKNOWN, UNKNOWN, UNKNOWN)] == ["DELETED"]
    assert not rules.pending(row)


def test_a_create_answered_after_its_cancel_came_is_cancelled() -> None:
    row = creating()
    rules.want_cancel(row, cancel(), 10)
    assert rules.created(row, PENDING, 20) == []
    assert isinstance(rules.next_step(row, 20), LookUp), "what is cancelled is looked at first"
    rules.found(row, [PENDING], 21, UNKNOWN, 21)
    assert isinstance(rules.next_step(row, row.next_at), Cancel)


def test_what_was_looked_at_before_the_cancel_is_looked_at_again() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    assert isinstance(rules.next_step(row, 10), LookUp)


@pytest.mark.parametrize("answer", ["DELETED", "CANCELLED"])
def test_a_cancel_that_was_granted_is_over(answer: str) -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [PENDING], 10, UNKNOWN, 10)
    rules.begin(row, Cancel(), 10)
    assert [one.status for one in rules.cancelled(row, answer, "", 20)] == [answer]
    assert isinstance(rules.next_step(row, 20), Idle) and row.order is None


def test_a_cancel_that_was_refused_leaves_the_order_at_the_warehouse() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [AtWarehouse("7", "PICK", "MAIN")], 10, UNKNOWN, 10)
    rules.begin(row, Cancel(), 10)
    assert [(one.status, one.detail) for one in rules.cancelled(row, "CANCEL_REFUSED", "picked", 20)] == [
        ("CANCEL_REFUSED", "picked")
    ]
    assert rules.at_work(row) and not rules.pending(row) and not row.deleting
    assert [one.status for one in rules.found(row, [AtWarehouse("7", "COMPLETED", "MAIN")], 30, UNKNOWN, 30)] == [
        "COMPLETED"
    ]


def test_a_command_that_is_not_newer_is_answered_again() -> None:
    """ORDERS lost its row: the new one counts from the storefront's version and may come to the number that was answered before."""
    row = made()
    assert not rules.want_release(row, release(), 10)
    assert isinstance(rules.next_step(row, 10), Report)
    assert [(one.status, one.ordered) for one in rules.report(row, "")] == [("PENDING", {"S": 2})]
    rules.want_cancel(row, cancel(), 20)
    rules.found(row, [PENDING], 20, UNKNOWN, 20)
    rules.begin(row, Cancel(), 20)
    assert [one.status for one in rules.cancelled(row, "DELETED", "", 30)] == ["DELETED"]
    assert not rules.want_cancel(row, cancel(), 40) and isinstance(rules.next_step(row, 40), Report)
    assert [one.status for one in rules.report(row, "")] == ["DELETED"] and not rules.pending(row)


def test_look_ups_of_others_do_not_put_a_cancel_off_that_is_to_be_tried_again() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [PENDING], 10, UNKNOWN, 10)
    rules.begin(row, Cancel(), 10)
    rules.unknown(row, 20)
    rules.found(row, [PENDING], 1_000, UNKNOWN, 1_000)
    until = row.next_at
    assert until > 1_000
    for now in range(1_100, until, 100):
        rules.found(row, [PENDING], now, UNKNOWN, now)
    assert isinstance(rules.next_step(row, until), Cancel)


def test_a_repeated_command_changes_nothing_of_a_request_under_way() -> None:
    row = creating()
    row.looks = 3
    rules.unknown(row, 10)
    until = row.next_at
    assert not rules.want_release(row, release(), 20)
    assert row.intent is not None and row.next_at == until


def test_what_somebody_amends_at_the_warehouse_is_told_with_all_goods_outs_of_the_reference() -> None:
    row = made()
    (told,) = rules.found(row, [AtWarehouse("7", "PENDING", "MAIN", {"S": 1, "T": 1})], 10, UNKNOWN, 10)
    assert (told.status, told.ordered, row.skus) == ("PENDING", {"S": 1, "T": 1}, ["S"])
    assert not rules.found(row, [AtWarehouse("7", "PENDING", "MAIN", {"S": 1, "T": 1})], 20, UNKNOWN, 20)
    both = [AtWarehouse("7", "PENDING", "MAIN", {"S": 1}), AtWarehouse("9", "PENDING", "MAIN", {"S": 1, "T": 2})]
    assert [one.ordered for one in rules.found(row, both, 30, UNKNOWN, 30)] == [{"S": 2, "T": 2}]
    gone = [AtWarehouse("7", "PENDING", "MAIN", {"S": 1}), AtWarehouse("9", "CANCELLED", "MAIN", {"S": 1})]
    assert [one.ordered for one in rules.found(row, gone, 40, UNKNOWN, 40)] == [{"S": 1}]


def looked(row: ReleaseRow, start: int, end: int, step: int = 10_000) -> list[WarehouseOrder]:
    """Look-ups that do not show it, one every `step` from `start` on, the last at `end`."""
    told: list[WarehouseOrder] = []
    for at_ms in [*range(start, end, step), end]:
        told += rules.found(row, [], at_ms, UNKNOWN, at_ms)
    return told


def test_an_order_that_one_look_up_does_not_show_is_looked_for_and_nothing_is_told() -> None:
    row = made()
    assert rules.found(row, [], 10, UNKNOWN, 10) == []
    assert rules.at_work(row) and rules.pending(row) and rules.pending_since(row) == 10
    step = rules.next_step(row, 10)
    assert isinstance(step, Idle) and step.until is not None
    assert isinstance(rules.next_step(row, step.until), LookUp)
    assert rules.found(row, [PENDING], 20, UNKNOWN, 20) == [] and not rules.pending(row)


@pytest.mark.parametrize("status", ["PENDING", "ALLOCATED"])
def test_an_order_that_vanished_counts_as_deleted_once_look_ups_did_not_show_it_for_long_enough(status: str) -> None:
    row = made()
    rules.found(row, [at(status, 2)], 5, UNKNOWN, 5)
    assert looked(row, 10, 9 + UNKNOWN) == [] and rules.at_work(row)
    assert [(one.status, one.wms_id) for one in looked(row, 10 + UNKNOWN, 10 + UNKNOWN)] == [("DELETED", "7")]
    assert not rules.pending(row) and row.order is None and row.picks_at is None
    assert looked(row, 20 + UNKNOWN, 500_000) == [], "it is told once"


def test_a_vanished_order_that_shows_meanwhile_starts_anew() -> None:
    row = made()
    looked(row, 10, UNKNOWN)
    rules.found(row, [PENDING], 1 + UNKNOWN, UNKNOWN, 1 + UNKNOWN)
    assert looked(row, 2 + UNKNOWN, 1 + 2 * UNKNOWN) == [] and rules.at_work(row)


def test_two_look_ups_with_an_outage_between_them_prove_nothing() -> None:
    row = made()
    assert looked(row, 10, 20_000) == []
    assert looked(row, 3 * UNKNOWN, 3 * UNKNOWN + 60_000) == [] and rules.at_work(row)
    assert [one.status for one in looked(row, 3 * UNKNOWN + 70_000, 4 * UNKNOWN)] == ["DELETED"]


def test_few_look_ups_prove_nothing_however_short_the_time_is_that_clarus_may_need() -> None:
    row = made()
    assert rules.found(row, [], 10, 100, 10) == [] and rules.found(row, [], 500, 100, 500) == []
    assert [one.status for one in rules.found(row, [], 600, 100, 600)] == ["DELETED"]


def test_a_vanished_order_that_shows_again_later_counts_again() -> None:
    row = made()
    looked(row, 10, 10 + UNKNOWN)
    assert row.status == "DELETED"
    step = rules.next_step(row, 20 + UNKNOWN)
    assert isinstance(step, Idle) and step.until is not None, "it is looked for again for a while"
    assert isinstance(rules.next_step(row, step.until), LookUp)
    told = rules.found(row, [PENDING], step.until, UNKNOWN, step.until)
    assert [one.status for one in told] == ["PENDING"] and rules.at_work(row) and not row.twin


def test_what_is_cancelled_while_it_is_looked_for_is_over() -> None:
    row = made()
    rules.found(row, [], 10, UNKNOWN, 10)
    rules.want_cancel(row, cancel(), 20)
    rules.found(row, [PENDING], 30, UNKNOWN, 30)
    step = rules.next_step(row, row.next_at)
    assert isinstance(step, Cancel)
    rules.begin(row, step, 40_000)
    rules.cancelled(row, "DELETED", "", 40_001)
    assert not rules.pending(row) and not rules.watched(row, picks=True)


def test_a_cancel_of_unknown_outcome_is_done_when_the_order_is_gone_and_repeated_when_it_is_not() -> None:
    for there, done in (([], True), ([PENDING], False)):
        row = made()
        rules.want_cancel(row, cancel(), 10)
        rules.found(row, [PENDING], 10, UNKNOWN, 10)
        rules.begin(row, Cancel(), 10)
        rules.unknown(row, 20)
        answers = rules.found(row, there, 30, UNKNOWN, 30)
        assert [one.status for one in answers] == (["DELETED"] if done else [])
        assert isinstance(rules.next_step(row, 60_000), Idle if done else Cancel)


def test_a_lost_cancel_that_lands_after_the_pick_list_was_taken_back_has_deleted_the_order() -> None:
    row = made()
    rules.found(row, [at("ALLOCATED", 1)], 5, UNKNOWN, 5)
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [at("ALLOCATED", 1)], 10, UNKNOWN, 10)
    rules.begin(row, Cancel(), 10)
    rules.unknown(row, 20)
    assert rules.found(row, [PENDING], 30, UNKNOWN, 30) == []
    assert [one.status for one in rules.found(row, [], 40, UNKNOWN, 40)] == ["DELETED"]


def test_a_refusal_is_told_and_a_newer_release_starts_over() -> None:
    row = creating()
    assert [(one.status, one.detail) for one in rules.refused(row, "no product")] == [("REFUSED", "no product")]
    assert isinstance(rules.next_step(row, 10), Idle)
    rules.want_release(row, release(2), 20)
    assert isinstance(rules.next_step(row, 20), LookUp)


def test_a_refusal_of_what_is_not_wanted_any_more_is_not_told() -> None:
    row = creating()
    rules.want_release(row, release(2), 10)
    assert rules.refused(row, "no product") == []
    rules.found(row, [], 20, UNKNOWN, 20)
    step = rules.next_step(row, 20)
    assert isinstance(step, Create) and step.order.version == 2


def test_a_cancel_of_a_refused_order_is_answered_as_deleted() -> None:
    row = creating()
    rules.refused(row, "no product")
    rules.want_cancel(row, cancel(), 20)
    assert [one.status for one in rules.found(row, [], 20, UNKNOWN, 20)] == ["DELETED"]


def test_what_was_certainly_not_sent_is_tried_again_after_the_back_off() -> None:
    row = creating()
    rules.not_sent(row, 500, 10)
    assert rules.next_step(row, 10) == Idle(510)
    assert isinstance(rules.next_step(row, 510), LookUp)


def changing(now: int = 10, eaches: int = 3) -> ReleaseRow:
    """A change of the lines, or of the address where they stay, is under way."""
    row = made()
    rules.want_release(row, release(2, eaches, amends=True), now)
    assert isinstance(rules.next_step(row, now), LookUp)
    assert rules.found(row, [PENDING], now, UNKNOWN, now) == []
    step = rules.next_step(row, now)
    assert isinstance(step, Change)
    rules.begin(row, step, now)
    return row


def test_a_newer_release_of_an_order_that_is_there_changes_it_and_the_answer_says_which_it_is_now() -> None:
    row = changing()
    (answer,) = rules.changed(row, at("PENDING", 3), 20)
    assert (answer.status, answer.holds, answer.ordered) == ("PENDING", 2, {"S": 3})
    assert not rules.pending(row)


@pytest.mark.parametrize("status", ["ALLOCATED", "PART_ALLOCATED", "PICK", "COMPLETED"])
def test_a_change_is_not_asked_for_once_the_warehouse_has_begun(status: str) -> None:
    row = made()
    rules.want_release(row, release(2, 3, amends=True), 10)
    answers = rules.found(row, [at(status, 2)], 10, UNKNOWN, 10)
    assert [(one.status, one.holds) for one in answers] == [("CHANGE_REFUSED", 1), (status, 1)]
    assert status in answers[0].detail and answers[0].ordered == {"S": 2}
    assert isinstance(rules.next_step(row, 10_000), Idle)
    assert rules.found(row, [at(status, 2)], 20, UNKNOWN, 20) == [], "it is told once"


def test_a_change_of_an_order_that_somebody_cancelled_is_answered_by_that() -> None:
    row = made()
    rules.want_release(row, release(2, 3, amends=True), 10)
    assert [one.status for one in rules.found(row, [at("CANCELLED", 2)], 10, UNKNOWN, 10)] == ["CANCELLED"]


def test_look_ups_of_others_do_not_put_a_change_off_that_is_to_be_tried_again() -> None:
    """The stock sweep looks up every order at the warehouse, more often than the longest wait for a look."""
    row = changing()
    rules.unknown(row, 20)
    assert rules.found(row, [PENDING], 20 + UNKNOWN, UNKNOWN, 20 + UNKNOWN) == []
    turn = row.next_at
    assert turn > 20 + UNKNOWN and row.intent is None
    for now in range(21 + UNKNOWN, turn, 100):
        assert isinstance(rules.next_step(row, now), Idle)
        assert rules.found(row, [PENDING], now, UNKNOWN, now) == []
    assert isinstance(rules.next_step(row, turn), Change)


def test_a_change_of_an_order_that_vanished_is_answered_once_it_cannot_be_a_slip() -> None:
    row = made()
    rules.want_release(row, release(2, 3, amends=True), 10)
    assert looked(row, 20, 19 + UNKNOWN) == []
    assert [one.status for one in looked(row, 20 + UNKNOWN, 20 + UNKNOWN)] == ["DELETED"]
    assert not rules.pending(row)


def test_a_cancel_of_an_order_that_vanished_is_answered_once_it_cannot_be_a_slip() -> None:
    row = made()
    rules.found(row, [at("ALLOCATED", 2)], 5, UNKNOWN, 5)
    rules.want_cancel(row, cancel(), 10)
    assert looked(row, 20, 19 + UNKNOWN) == [] and rules.pending(row)
    assert [one.status for one in looked(row, 20 + UNKNOWN, 20 + UNKNOWN)] == ["DELETED"]
    assert not rules.pending(row)


def test_a_change_of_unknown_outcome_that_shows_in_the_lines_is_done() -> None:
    row = changing()
    rules.unknown(row, 20)
    assert isinstance(rules.next_step(row, row.next_at), LookUp)
    assert [one.holds for one in rules.found(row, [at("PENDING", 3)], 500, UNKNOWN, 500)] == [2]


@pytest.mark.parametrize("eaches", [2, 3], ids=["nothing that shows", "lines"])
def test_a_change_of_unknown_outcome_is_not_repeated_before_the_warehouse_must_be_done_with_it(eaches: int) -> None:
    row, now = changing(eaches=eaches), 20
    rules.unknown(row, now)
    while now < 20 + UNKNOWN:
        step = rules.next_step(row, now)
        if isinstance(step, Idle):
            assert step.until is not None
            now = step.until
            continue
        assert isinstance(step, LookUp)
        assert rules.found(row, [PENDING], now, UNKNOWN, now) == []
    rules.found(row, [PENDING], now, UNKNOWN, now)
    assert isinstance(rules.next_step(row, row.next_at), Change)


def test_what_was_changed_last_is_what_it_becomes() -> None:
    row = changing()
    rules.want_release(row, release(3, 5, amends=True), 15)
    assert rules.changed(row, at("PENDING", 3), 20) == []
    step = rules.next_step(row, row.next_at)
    assert isinstance(step, Change) and step.order.version == 3


def test_a_cancel_does_not_wait_for_a_change() -> None:
    row = changing()
    rules.unknown(row, 20)
    rules.want_cancel(row, cancel(3), 30)
    assert rules.found(row, [PENDING], 40, UNKNOWN, 40) == []
    assert isinstance(rules.next_step(row, row.next_at), Cancel)


def test_a_refused_change_leaves_the_goods_out_as_it_was() -> None:
    row = changing()
    (answer,) = rules.change_refused(row, "no product")
    assert (answer.status, answer.holds, answer.detail) == ("CHANGE_REFUSED", 1, "no product")
    assert rules.at_work(row) and not rules.pending(row)


def test_a_change_that_came_before_its_create_was_answered_is_made_afterwards() -> None:
    row = creating()
    rules.want_release(row, release(2, 3, amends=True), 10)
    assert rules.created(row, PENDING, 20) == []
    step = rules.next_step(row, 20)
    assert isinstance(step, Change) and step.order.version == 2


def test_a_change_of_a_release_that_never_landed_is_its_create() -> None:
    row = creating()
    rules.want_release(row, release(2, 3, amends=True), 10)
    rules.found(row, [], UNKNOWN, UNKNOWN, UNKNOWN)
    step = rules.next_step(row, UNKNOWN)
    assert isinstance(step, Create) and step.order.version == 2


def test_lines_that_the_warehouse_changed_by_itself_are_told() -> None:
    row = made()
    assert [(one.status, one.ordered) for one in rules.found(row, [at("PENDING", 1)], 10, UNKNOWN, 10)] == [
        ("PENDING", {"S": 1})
    ]
    assert rules.found(row, [at("PENDING", 1)], 20, UNKNOWN, 20) == []


def test_a_release_that_is_told_again_to_a_row_that_was_lost_takes_what_is_there_and_a_change_changes_it() -> None:
    for amends, done in ((False, Idle), (True, Change)):
        row = ReleaseRow("shop:1", "shop:1")
        rules.want_release(row, release(2, 3, amends), 0)
        rules.found(row, [PENDING], 0, UNKNOWN, 0)
        assert isinstance(rules.next_step(row, 0), done)


def test_the_same_status_is_told_once() -> None:
    row = made()
    assert rules.found(row, [PENDING], 10, UNKNOWN, 10) == []
    assert [one.status for one in rules.found(row, [AtWarehouse("7", "PICK", "MAIN")], 20, UNKNOWN, 20)] == ["PICK"]


def test_a_live_goods_out_counts_before_a_cancelled_one_of_the_same_reference() -> None:
    row = creating()
    rules.found(row, [AtWarehouse("1", "CANCELLED", "MAIN"), PENDING], 10, UNKNOWN, 10)
    assert row.wms_id == "7"


def test_a_look_up_that_began_before_the_answer_of_a_cancel_shows_the_past() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [PENDING], 10, UNKNOWN, 10)
    rules.begin(row, Cancel(), 10)
    rules.cancelled(row, "DELETED", "", 20)
    assert rules.found(row, [PENDING], 15, UNKNOWN, 25) == []
    assert row.status == "DELETED"


# ---- a warehouse that loses answers, and an owner that dies -----------------------------------------------------------------------------------


@dataclass
class Clarus:
    """Goods outs of one reference. A create or change may land up to `UNKNOWN` after it was sent; one that adds a line adds it again when it is repeated."""

    rng: random.Random
    there: dict[str, dict[str, int]] = field(default_factory=dict)
    late: list[tuple[int, ReleaseOrder, bool]] = field(default_factory=list)
    made: int = 0

    def settle(self, now: int) -> None:
        for one in [one for one in self.late if one[0] <= now]:
            self.late.remove(one)
            self.change(one[1]) if one[2] else self.create(one[1])

    def create(self, order: ReleaseOrder) -> AtWarehouse:
        self.made += 1
        self.there[str(self.made)] = eaches_of(order)
        return self.shown()[-1]

    def change(self, order: ReleaseOrder) -> AtWarehouse:
        """As it was computed when it was sent: `begin` remembers by `base` which lines it found."""
        for lines in self.there.values():
            added = {sku: n for sku, n in eaches_of(order).items() if sku not in self.base}
            kept = {sku: n for sku, n in eaches_of(order).items() if sku in self.base}
            fresh = {sku: n for sku, n in lines.items() if sku not in self.base}
            lines.clear()
            lines.update(kept)
            for sku, n in [*fresh.items(), *added.items()]:
                lines[sku] = lines.get(sku, 0) + n
        return (self.shown() or [PENDING])[0]

    def look(self) -> None:
        """The lines that a change is computed from."""
        self.base = set().union(*self.there.values()) if self.there else set()

    base: set[str] = field(default_factory=set)

    def shown(self) -> list[AtWarehouse]:
        return [AtWarehouse(wms_id, "PENDING", "MAIN", dict(lines)) for wms_id, lines in self.there.items()]


@pytest.mark.parametrize("seed", range(300))
def test_whatever_is_lost_there_is_one_goods_out_or_none_after_a_cancel(seed: int) -> None:
    rng = random.Random(seed)
    clarus, row, now = Clarus(rng), new(), 0
    cancels_at = rng.choice([None, rng.randint(0, 200_000)])
    changes_at = rng.choice([None, rng.randint(0, 200_000)]) if cancels_at is None else None
    told: list[WarehouseOrder] = []
    for _ in range(2_000):
        clarus.settle(now)
        if changes_at is not None and now >= changes_at and cancels_at is None:
            wanted = release(3, rng.randint(1, 3), amends=True)
            wanted.lines.append(ReleaseLine(sku="T", eaches=1))
            rules.want_release(row, wanted, now)
            changes_at = None
        if cancels_at is not None and now >= cancels_at:
            rules.want_cancel(row, cancel(), now)
            cancels_at = None
        if rng.random() < 0.05:  # the owner dies; the next one reads the committed row
            row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ReleaseRow)
            rules.foreign(row, now)
        told += act(row, clarus, now, rng)
        now += rng.choice([1, 50, 1_000, 10_000])
        assert len(clarus.there) <= 1
    assert not rules.pending(row)
    assert told[-1].status == ("DELETED" if row.cancel else "PENDING")
    assert len(clarus.there) == (0 if row.cancel else 1)
    if not row.cancel and row.order is not None:
        assert clarus.shown()[0].ordered == eaches_of(row.order), "the newest lines, each once"


def lost(row: ReleaseRow, clarus: Clarus, step: Create | Change, fate: float, now: int) -> None:
    """Not sent, or sent without an answer: it lands late or never."""
    if fate < 0.7:
        rules.not_sent(row, 500, now)
        return
    if fate < 0.9:
        clarus.late.append((now + clarus.rng.randint(0, UNKNOWN - 1), step.order, isinstance(step, Change)))
    rules.unknown(row, now)


def act(row: ReleaseRow, clarus: Clarus, now: int, rng: random.Random) -> list[WarehouseOrder]:
    """One step of an owner; a third of the requests loses its answer, some of them land late or never."""
    step = rules.next_step(row, now)
    match step:
        case LookUp():
            return rules.found(row, clarus.shown(), now, UNKNOWN, now)
        case Report():
            return rules.report(row, "")
        case Create():
            rules.begin(row, step, now)
            fate = rng.random()
            if fate < 0.6:
                return rules.created(row, clarus.create(step.order), now)
            lost(row, clarus, step, fate, now)
        case Change():
            rules.begin(row, step, now)
            clarus.look()
            fate = rng.random()
            if fate < 0.4:
                return rules.changed(row, clarus.change(step.order), now)
            lost(row, clarus, step, fate, now)
        case Cancel():
            rules.begin(row, step, now)
            if rng.random() < 0.7:
                clarus.there.clear()
            if rng.random() < 0.3 or clarus.there:
                rules.unknown(row, now)
            else:
                return rules.cancelled(row, "DELETED", "", now)
    return []


def test_a_bundle_ordered_whole_concerns_the_stock_of_its_components() -> None:
    row = ReleaseRow("shop:1", "shop:1")
    command = release()
    command.lines = [ReleaseLine(sku="BOX", eaches=2, parts={"MUG": 2, "CARD": 1})]
    rules.want_release(row, command, 0)
    assert row.skus == ["CARD", "MUG"] and rules.eaches_of(command) == {"MUG": 4, "CARD": 2}


# ---- no step on -----------------------------------------------------------------------------------------------------------------------------


def test_an_order_that_stands_at_the_warehouse_is_for_a_person_until_it_goes_on() -> None:
    row = made(1_000)
    assert not rules.standing(msgspec.structs.replace(row, stands_from=0), 5_000, 6_001), (
        "of an earlier version: not seen yet"
    )
    assert not rules.standing(row, 5_000, 6_000)
    assert "goods out shop:1 is PENDING" in rules.standing(row, 5_000, 6_001)
    rules.found(row, [at("PENDING", 2)], 7_000, UNKNOWN, 7_000)
    assert rules.standing(row, 5_000, 7_000), "a look that shows the same is no step"
    for step in (at("ALLOCATED", 2), at("ALLOCATED", 3)):
        now = row.stands_from + 6_000
        assert rules.standing(row, 5_000, now)
        rules.found(row, [step], now, UNKNOWN, now)
        assert not rules.standing(row, 5_000, now)
    now = row.stands_from + 6_000
    assert parcels.note(row, {"S": 1}, complete=False, now=now) and not rules.standing(row, 5_000, now)
    rules.found(row, [at("COMPLETED", 3)], now, UNKNOWN, now)
    assert not rules.standing(row, 5_000, now + 1_000_000), "it is over"


def test_an_order_that_shall_leave_later_may_stand_until_then() -> None:
    row = ReleaseRow("shop:1", "shop:1")
    rules.want_release(row, msgspec.structs.replace(release(), leave_at=50_000), 0)
    rules.found(row, [PENDING], 1_000, UNKNOWN, 1_000)
    assert not rules.standing(row, 5_000, 55_000)
    assert rules.standing(row, 5_000, 55_001)
