"""One write (ledger.md R5-R8) row by row: what the listing needs next, and what each answer of each kind of peer means."""

import msgspec
import pytest

from schemas.records import Correction, StockTarget
from tables.deliveries import listing as rules
from tables.deliveries.listing import (
    Adopt,
    CheckBack,
    ListingRow,
    LookUp,
    Mark,
    Step,
    Tell,
    Wait,
    Write,
)
from tables.deliveries.peers import Bounds, PeerKind

BOUNDS = Bounds(late_max=6000, apply_max=2000, visible_lag=10_000, order_slack=0)
CT, BC, ABSOLUTE, READ_MODIFY = PeerKind.VERSIONED, PeerKind.RELATIVE, PeerKind.ABSOLUTE, PeerKind.READ_MODIFY
T = 1_000_000
EPOCH = T


def command(version: int, inc: int, dec: int | None = None, to_zero: bool = False, epoch: int = EPOCH) -> StockTarget:
    return StockTarget(
        channel="shop",
        sku="MUG",
        listing="shop//M1",
        epoch=epoch,
        version=version,
        inc=inc,
        dec=inc if dec is None else dec,
        to_zero=to_zero,
        priority=5,
    )


def adopted(quantity: int = 0, marker: Mark | None = (0, 0, 0), set_once: bool = True) -> ListingRow:
    row = ListingRow("shop//M1", "shop", "MUG")
    rules.adopt(row, quantity, T, T + 20, marker, "id-1", 3, EPOCH, set_once)
    return row


def wanting(quantity: int, *commands: StockTarget, now: int = T) -> ListingRow:
    row = adopted(quantity)
    for one in commands:
        assert rules.want(row, one, now)
    return row


def step(row: ListingRow, kind: PeerKind, now: int = T + 10_000, sweep: bool = False) -> Step:
    return rules.next_step(row, kind, BOUNDS, now, sweep)


def begin(row: ListingRow, kind: PeerKind, now: int = T + 10_000) -> rules.Intent:
    write = step(row, kind, now)
    assert isinstance(write, Write)
    return rules.begin(row, write, now)


def correction(row: ListingRow, drift: int, final: bool = True, pver: int | None = None) -> Correction:
    return Correction(
        channel="shop",
        sku="MUG",
        listing=row.listing,
        epoch=row.epoch,
        pver=row.pver if pver is None else pver,
        drift=drift,
        final=final,
    )


class TestCommands:
    def test_a_listing_without_a_baseline_is_adopted_and_executes_nothing(self) -> None:
        row = ListingRow("shop//M1", "shop", "MUG")
        assert not rules.want(row, command(1, 5), T)
        assert step(row, CT) == Adopt()
        assert rules.pending(row)

    def test_older_and_equal_versions_are_superseded(self) -> None:
        row = wanting(0, command(2, 5))
        assert not rules.want(row, command(2, 9), T)
        assert not rules.want(row, command(1, 9), T)
        assert row.inc == 5

    def test_a_command_of_an_older_epoch_is_ignored(self) -> None:
        row = adopted()
        assert not rules.want(row, command(7, 5, epoch=EPOCH - 1), T)
        assert row.epoch == EPOCH

    def test_a_command_of_a_newer_epoch_asks_for_a_baseline_above_it(self) -> None:
        row = adopted()
        assert not rules.want(row, command(7, 5, epoch=EPOCH + 50), T)
        assert step(row, CT) == Adopt()
        assert rules.adopt(row, 4, T, T, None, "id-1", 1, EPOCH + 10, True).epoch == EPOCH + 51

    def test_without_a_command_an_adopted_listing_is_left_alone(self) -> None:
        assert step(adopted(4), CT, sweep=True) == Wait(None)

    def test_nothing_to_write_is_told_once(self) -> None:
        row = wanting(5, command(1, 5))
        assert step(row, BC) == Tell()
        assert rules.tell(row, T, T).bound == 5
        assert step(row, BC) == Wait(None)
        assert not rules.pending(row)

    def test_between_dec_and_inc_nothing_is_written(self) -> None:
        row = wanting(6, command(1, -2, dec=6, to_zero=True))
        assert step(row, CT) == Tell()

    def test_an_adoption_waits_until_no_request_of_ours_can_land(self) -> None:
        row = wanting(0, command(1, 5))
        begin(row, BC, T)
        rules.unknown(row, BC, BOUNDS, T + 2000)
        rules.want(row, command(1, 5, epoch=EPOCH + 1), T)
        assert step(row, BC, T + 3000) == Wait(T + 8000)
        assert step(row, BC, T + 8000) == Adopt()


class TestVersioned:
    def test_ok_publishes_and_tells(self) -> None:
        row = wanting(2, command(1, 5))
        intent = begin(row, CT)
        assert (intent.delta, intent.gross, intent.zero) == (3, 5, False)
        assert step(row, CT) == Wait(None)
        (outcome,) = rules.acknowledged(row, CT, BOUNDS, T, T + 1, 4)
        assert (outcome.version, outcome.bound, outcome.at) == (1, 5, T + 1)
        assert (row.published, row.high, row.peer_version, row.told) == (5, 5, 4, 1)
        assert step(row, CT) == Wait(None)

    def test_an_outcome_is_bounded_by_what_is_still_to_be_raised(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.want(row, command(2, 9), T)
        (outcome,) = rules.acknowledged(row, CT, BOUNDS, T, T, 4)
        assert (outcome.version, outcome.bound) == (1, 9)

    def test_a_conflict_is_sent_again_with_the_version_told(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.conflict(row, CT, BOUNDS, 9, T + 6000)
        assert row.peer_version == 9
        assert step(row, CT) == Write(3)

    def test_a_conflict_while_an_attempt_is_unknown_is_looked_up(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.unknown(row, CT, BOUNDS, T)
        rules.looked_up(row, CT, BOUNDS, 2, (0, 0, 0), 5, T + 100, T)
        begin(row, CT)
        rules.conflict(row, CT, BOUNDS, 9, T + 6000)
        assert step(row, CT) == LookUp()

    def test_a_conflict_soon_after_the_baseline_may_be_a_lost_rows_request(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.conflict(row, CT, BOUNDS, 9, T + 5999)
        assert step(row, CT) == LookUp()

    def test_an_unknown_outcome_is_looked_up_and_the_marker_says_it_landed(self) -> None:
        row = wanting(2, command(1, 5))
        intent = begin(row, CT)
        rules.unknown(row, CT, BOUNDS, T)
        assert step(row, CT) == LookUp()
        (outcome,) = rules.looked_up(row, CT, BOUNDS, 5, (EPOCH, intent.attempt, 5), 5, T, T)
        assert (row.published, row.high, outcome.bound) == (5, 5, 5)

    def test_an_unchanged_marker_says_it_did_not_land_yet(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.unknown(row, CT, BOUNDS, T)
        assert rules.looked_up(row, CT, BOUNDS, 2, (0, 0, 0), 7, T, T) == []
        assert step(row, CT) == Write(3)
        assert row.peer_version == 7

    def test_without_any_marker_an_increase_is_assumed_and_verified(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.unknown(row, CT, BOUNDS, T)
        rules.looked_up(row, CT, BOUNDS, 2, None, 7, T, T)
        assert (row.published, row.high, row.verify) == (5, 5, 1)

    def test_no_outcome_while_a_request_may_still_land_and_a_look_before_it(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT, T)
        rules.unknown(row, CT, BOUNDS, T + 2000)
        rules.looked_up(row, CT, BOUNDS, 2, (0, 0, 0), 5, T + 2100, T)
        rules.want(row, command(2, 2), T + 2200)
        assert step(row, CT, T + 2200) == Wait(T + 8000)
        assert step(row, CT, T + 8000) == LookUp()
        rules.looked_up(row, CT, BOUNDS, 2, (0, 0, 0), 5, T + 8100, T, began=T + 7999)
        assert step(row, CT, T + 8100) == LookUp()
        rules.looked_up(row, CT, BOUNDS, 2, (0, 0, 0), 5, T + 8200, T, began=T + 8100)
        assert step(row, CT, T + 8200) == Tell()

    def test_a_late_request_of_an_earlier_epoch_needs_a_new_baseline(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, CT)
        rules.unknown(row, CT, BOUNDS, T)
        rules.looked_up(row, CT, BOUNDS, 9, (EPOCH - 5, 17, 9), 7, T, T)
        assert row.epoch == 0

    def test_attempts_go_on_above_the_marker_found_at_the_baseline(self) -> None:
        row = adopted(4, (77, 12, 9))
        rules.want(row, command(1, 5), T)
        assert begin(row, CT).attempt == 13


class TestRelative:
    def test_an_increase_counts_at_once_and_is_verified(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, BC)
        assert rules.acknowledged(row, BC, BOUNDS, T, T, 0) == []
        assert (row.published, row.high, row.verify) == (5, 5, 1)
        rules.tell(row, T, T)
        assert step(row, BC, T + 2000) == Wait(T + 2001)
        assert step(row, BC, T + 2001) == CheckBack()

    def test_a_decrease_does_not_count_above_before_its_read_back(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        assert (row.published, row.high) == (5, 8)
        rules.want(row, command(2, 7), T)
        assert isinstance(step(row, BC), CheckBack)

    def test_a_verified_decrease_ends_the_interval_and_is_told(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        back = rules.read_back(row, BOUNDS, 5, T, T, row.pver, T)
        assert back is not None and back.verify and back.published == 5
        assert step(row, BC) == Wait(None)
        (outcome,) = rules.corrected(row, correction(row, 0), BC, BOUNDS, T, T)
        assert (row.published, row.high, outcome.bound, row.verify) == (5, 5, 5, 0)

    def test_a_dropped_decrease_is_corrected_and_sent_again(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        rules.read_back(row, BOUNDS, 8, T, T, row.pver, T)
        assert rules.corrected(row, correction(row, 3, final=False), BC, BOUNDS, T, T) == []
        assert (row.published, row.high) == (8, 8)
        assert step(row, BC) == Write(-3)

    def test_a_read_too_close_to_an_order_is_repeated(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        rules.read_back(row, BOUNDS, 5, T, T, row.pver, T)
        rules.corrected(row, correction(row, 0, final=False), BC, BOUNDS, T, T)
        assert step(row, BC) == CheckBack()
        assert row.high == 8

    def test_a_time_out_of_an_increase_assumes_it_there(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, BC)
        rules.unknown(row, BC, BOUNDS, T)
        assert (row.published, row.high, row.unsure_until) == (5, 5, T + 6000)
        rules.tell(row, T, T)
        assert step(row, BC, T + 5999) == Wait(T + 6000)

    def test_a_time_out_of_a_decrease_is_sent_again_at_once(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.unknown(row, BC, BOUNDS, T)
        assert (row.published, row.high) == (8, 8)
        assert step(row, BC, T) == Write(-3)

    def test_to_zero_is_absolute_and_holds_everything_but_another_zero(self) -> None:
        row = wanting(8, command(1, 3, dec=3, to_zero=True))
        intent = begin(row, BC)
        assert intent.zero and intent.gross == 3
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        assert (row.published, row.high, row.hold) == (3, 8, True)
        rules.want(row, command(2, 12), T)
        assert isinstance(step(row, BC), CheckBack)
        rules.want(row, command(3, 2, dec=2, to_zero=True), T)
        assert step(row, BC) == Write(-1, zero=True)

    def test_the_hold_ends_with_the_final_judgement(self) -> None:
        row = wanting(8, command(1, 3, to_zero=True))
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        rules.want(row, command(2, 12), T)
        rules.corrected(row, correction(row, 0), BC, BOUNDS, T, T)
        assert step(row, BC) == Write(9)

    def test_a_zero_that_certainly_did_not_leave_holds_nothing(self) -> None:
        row = wanting(8, command(1, 3, to_zero=True))
        begin(row, BC)
        rules.not_sent(row, T)
        rules.want(row, command(2, 12), T)
        assert step(row, BC) == Write(4)

    def test_refused_below_zero_becomes_zero(self) -> None:
        row = wanting(8, command(1, 5))
        begin(row, BC)
        rules.refused(row, BC, T)
        assert step(row, BC) == Write(-3, zero=True)

    def test_a_listing_never_set_is_set_to_zero_first(self) -> None:
        row = adopted(0, None, set_once=False)
        rules.want(row, command(1, 5), T)
        intent = begin(row, BC)
        assert (intent.delta, intent.gross, intent.zero) == (0, 0, True)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        assert isinstance(step(row, BC), CheckBack)
        rules.corrected(row, correction(row, 0), BC, BOUNDS, T, T)
        assert step(row, BC) == Write(5)

    def test_the_peers_own_word_that_it_was_never_set_does_the_same(self) -> None:
        row = wanting(0, command(1, 5))
        begin(row, BC)
        rules.needs_absolute(row, T)
        assert step(row, BC) == Write(0, zero=True)


class TestOtherPeers:
    def test_a_peer_that_does_not_decrement_takes_the_figure_itself(self) -> None:
        row = wanting(9, command(1, 5))
        assert begin(row, ABSOLUTE).gross == 5
        (outcome,) = rules.acknowledged(row, ABSOLUTE, BOUNDS, T, T, 0)
        assert (row.published, row.high, outcome.bound) == (5, 5, 5)

    def test_its_time_out_is_sent_again_and_read_back(self) -> None:
        row = wanting(9, command(1, 5))
        begin(row, ABSOLUTE)
        rules.unknown(row, ABSOLUTE, BOUNDS, T)
        assert step(row, ABSOLUTE) == Write(-4)
        rules.want(row, command(2, 9), T)
        rules.tell(row, T, T)
        assert step(row, ABSOLUTE) == CheckBack()

    def test_read_and_write_settles_at_once(self) -> None:
        row = wanting(9, command(1, 5, to_zero=True))
        assert begin(row, READ_MODIFY).zero is False
        assert len(rules.acknowledged(row, READ_MODIFY, BOUNDS, T, T, 0)) == 1
        assert (row.published, row.high) == (5, 5)

    @pytest.mark.parametrize("kind", [READ_MODIFY, CT, ABSOLUTE])
    def test_where_no_zero_can_be_set_a_refusal_is_read_back_before_anything_else(self, kind: PeerKind) -> None:
        row = wanting(9, command(1, 5))
        begin(row, kind)
        rules.refused(row, kind, T)
        assert step(row, kind) == CheckBack()


class TestReadBacks:
    def test_a_write_meanwhile_makes_the_read_worthless(self) -> None:
        row = wanting(2, command(1, 5))
        before = row.pver
        begin(row, BC)
        assert rules.read_back(row, BOUNDS, 2, T, T, before, T) is None
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        assert rules.read_back(row, BOUNDS, 2, T, T, before, T) is None

    def test_a_judgement_of_an_older_read_changes_nothing(self) -> None:
        row = wanting(2, command(1, 5))
        old = row.pver
        begin(row, BC)
        rules.acknowledged(row, BC, BOUNDS, T, T, 0)
        assert rules.corrected(row, correction(row, 7, pver=old), BC, BOUNDS, T, T) == []
        assert row.published == 5

    def test_nothing_is_corrected_while_a_write_is_under_way(self) -> None:
        row = wanting(2, command(1, 5))
        begin(row, BC)
        assert rules.corrected(row, correction(row, 7), BC, BOUNDS, T, T) == []
        assert row.published == 2

    def test_drift_found_by_a_sweep_moves_what_is_believed_and_the_ordinary_path_writes(self) -> None:
        row = wanting(5, command(1, 5))
        rules.tell(row, T, T)
        assert step(row, CT, sweep=True) == CheckBack()
        rules.read_back(row, BOUNDS, 9, T, T, row.pver, T)
        (outcome,) = rules.corrected(row, correction(row, 4), CT, BOUNDS, T, T)
        assert (row.published, row.high, outcome.version) == (9, 9, 1)
        assert step(row, CT) == Write(-4)

    def test_a_sweep_asks_again_even_where_an_answer_is_due(self) -> None:
        row = wanting(5, command(1, 5))
        rules.tell(row, T, T)
        rules.read_back(row, BOUNDS, 5, T, T, row.pver, T)
        assert step(row, CT) == Wait(None)
        assert step(row, CT, sweep=True) == CheckBack()


class TestTakingOver:
    @pytest.mark.parametrize("kind", [CT, BC])
    def test_an_intent_found_is_unknown_and_waits_for_the_other_owners_request(self, kind: PeerKind) -> None:
        row = wanting(2, command(1, 5))
        begin(row, kind, T)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ListingRow)
        rules.foreign(row, kind, BOUNDS, T + 1000)
        rules.want(row, command(2, 1), T)
        assert step(row, kind, T + 5999) == Wait(T + 6000)
        assert row.unsure_until == T + 7000
        assert step(row, kind, T + 6000) == (LookUp() if kind is CT else Write(-4))

    def test_without_an_intent_nothing_changes(self) -> None:
        row = wanting(2, command(1, 5))
        before = msgspec.msgpack.encode(row)
        rules.foreign(row, BC, BOUNDS, T)
        assert msgspec.msgpack.encode(row) == before

    def test_an_answer_after_the_row_moved_on_changes_nothing(self) -> None:
        row = wanting(2, command(1, 5))
        assert rules.acknowledged(row, BC, BOUNDS, T, T, 0) == []
        assert row.published == 2
