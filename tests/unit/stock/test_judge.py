"""R7 and R8: what counts since a baseline, and what a read-back proves. Truth is made first; then only what a storefront tells is used."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Correction, ExceptionState, StockTarget
from tables.deliveries.peers import Bounds
from tables.stock import judge, takes
from tables.stock.rows import RING_MS, ListingState, Take, WaitingRead
from tests.unit.stock.memory import MUG, SLACK, adopted, baseline, line, read_back, rules, targets, watermark


@dataclass
class Truth:
    """Units lowered at true times, and a read at a true time that may miss decrements of the last `lag` milliseconds."""

    lowered: list[tuple[int, int, bool]]  # time, units, shown although within the lag
    read_at: int
    lag: int
    resolution: int

    def quantity(self, gross: int) -> int:
        return gross - sum(
            n for t, n, shown in self.lowered if t <= self.read_at and (shown or t <= self.read_at - self.lag)
        )

    def told(self) -> list[Take]:
        return [Take(t // self.resolution * self.resolution, t, n) for t, n, _ in self.lowered]

    @property
    def bounds(self) -> Bounds:
        return Bounds(6000, 2000, self.lag, 0 if self.resolution == 1 else 2 * self.resolution)


truths = st.builds(
    Truth,
    st.lists(st.tuples(st.integers(10_000, 60_000), st.integers(1, 3), st.booleans()), max_size=12),
    st.integers(10_000, 60_000),
    st.sampled_from([0, 2000, 10_000]),
    st.sampled_from([1, 1000]),
)


def counted(truth: Truth) -> ListingState:
    state = ListingState(epoch=1, ready=True)
    for take in truth.told():
        takes.add(state, take, truth.bounds.order_slack, 0)
    return state


@settings(deadline=None)
@given(truth=truths, gross=st.integers(0, 60), believed=st.integers(-5, 5), width=st.integers(0, 300))
def test_a_final_judgement_of_a_write_never_leaves_more_there_than_is_believed(
    truth: Truth, gross: int, believed: int, width: int
) -> None:
    read = WaitingRead(
        1, truth.quantity(gross), truth.read_at - width, truth.read_at + width, gross + believed, verify=True
    )
    found = judge.at_watermark(counted(truth), read, truth.bounds)
    if found.final:
        assert read.published + found.drift >= gross


@settings(deadline=None)
@given(truth=truths, gross=st.integers(0, 60))
def test_a_true_belief_is_never_corrected(truth: Truth, gross: int) -> None:
    read = WaitingRead(1, truth.quantity(gross), truth.read_at, truth.read_at, gross, verify=False)
    assert judge.at_watermark(counted(truth), read, truth.bounds).drift == 0
    assert judge.at_once(counted(truth), read, truth.bounds) is None


@settings(deadline=None)
@given(truth=truths, gross=st.integers(0, 60), believed=st.integers(-9, 9), unseen=st.integers(0, 12))
def test_before_the_watermark_only_what_stays_true_is_said(
    truth: Truth, gross: int, believed: int, unseen: int
) -> None:
    early = counted(Truth(truth.lowered[unseen:], truth.read_at, truth.lag, truth.resolution))
    read = WaitingRead(1, truth.quantity(gross), truth.read_at, truth.read_at, gross + believed, verify=True)
    found = judge.at_once(early, read, truth.bounds)
    if found is not None:
        assert not found.final
        assert 0 < found.drift <= -believed


@settings(deadline=None)
@given(truth=truths, gross=st.integers(0, 60), believed=st.integers(1, 9))
def test_with_exact_times_every_difference_is_found(truth: Truth, gross: int, believed: int) -> None:
    exact = Truth([(t, n, True) for t, n, _ in truth.lowered if t != truth.read_at], truth.read_at, 0, 1)
    state = ListingState(epoch=1, takes=exact.told(), taken=sum(n for _, n, _ in exact.lowered))
    for wrong in (-believed, believed):
        read = WaitingRead(1, exact.quantity(gross), exact.read_at, exact.read_at, gross + wrong, verify=True)
        assert judge.at_watermark(state, read, exact.bounds) == judge.Judgement(-wrong, True)


@settings(deadline=None)
@given(truth=truths, width=st.integers(0, 300), late=st.integers(0, 12))
def test_since_a_baseline_never_more_is_counted_than_was_taken_after_it(truth: Truth, width: int, late: int) -> None:
    state = ListingState()
    told = truth.told()
    for take in told[late:]:
        takes.add(state, take, truth.bounds.order_slack, 0)
    takes.rebase(state, 7, truth.read_at - width, truth.read_at + width, 5, truth.bounds.order_slack)
    for take in told[:late]:
        takes.add(state, take, truth.bounds.order_slack, 0)
    assert state.taken <= sum(n for t, n, _ in truth.lowered if t > truth.read_at)


@settings(deadline=None)
@given(truth=truths, late=st.booleans())
def test_what_was_put_back_after_a_baseline_is_never_missed(truth: Truth, late: bool) -> None:
    state = ListingState()
    for take in truth.told() if not late else []:
        takes.add(state, Take(take.at_from, take.at_to, -take.units), truth.bounds.order_slack, 0)
    takes.rebase(state, 7, truth.read_at, truth.read_at, 5, truth.bounds.order_slack)
    for take in truth.told() if late else []:
        takes.add(state, Take(take.at_from, take.at_to, -take.units), truth.bounds.order_slack, 0)
    assert state.taken <= -sum(n for t, n, _ in truth.lowered if t > truth.read_at)


def test_a_flash_sale_keeps_the_ring_short_and_the_sum_right() -> None:
    state = ListingState(epoch=1)
    for number in range(1, 10_001):
        takes.add(state, Take(number * 6, number * 6, 1), 0, 0)
    assert state.taken == 10_000
    assert len(state.takes) <= 61


def test_old_takes_leave_the_ring_but_not_the_sum() -> None:
    state = ListingState(epoch=1)
    takes.add(state, Take(5000, 5000, 2), 0, 5000)
    takes.add(state, Take(RING_MS + 9000, RING_MS + 9000, 3), 0, RING_MS + 9000)
    assert (state.taken, [t.units for t in state.takes]) == (5, [3])


def test_a_read_that_waits_keeps_the_takes_it_needs() -> None:
    state = ListingState(epoch=1, reads=[WaitingRead(1, 5, 6000, 6000, 5, True)])
    takes.add(state, Take(5000, 5000, 2), 0, 0)
    takes.add(state, Take(RING_MS + 9000, RING_MS + 9000, 3), 0, RING_MS + 9000)
    assert len(state.takes) == 2


# ---- the same through the fold ----


def corrections(effects: list[object]) -> list[tuple[int, bool, int]]:
    return [(e.drift, e.final, e.pver) for e in effects if isinstance(e, Correction)]


def test_a_read_is_judged_when_all_its_orders_are_folded() -> None:
    ledger = adopted(rules(partitions=2))
    ledger(watermark(4000, 1))
    assert corrections([*ledger(read_back(8, 9000, 10))]) == []
    assert corrections([*ledger(line("1", 2, at=8000))]) == []
    assert corrections([*ledger(watermark(9000))]) == []
    assert corrections([*ledger(watermark(9000, 1))]) == [(0, True, 1)]


def test_what_is_missing_at_the_watermark_is_drift() -> None:
    ledger = adopted(rules())
    ledger(read_back(7, 9000, 10), line("1", 2, at=8000))
    assert corrections([*ledger(watermark(9000))]) == [(-1, True, 1)]


def test_a_decrease_that_did_not_happen_is_said_at_once() -> None:
    ledger = adopted(rules())
    assert corrections([*ledger(read_back(10, 9000, 7, verify=True))]) == [(3, False, 1)]
    assert corrections([*ledger(watermark(9000))]) == []


def test_a_sale_at_the_moment_of_the_read_makes_it_be_read_again() -> None:
    ledger = adopted(rules(bounds=SLACK))
    ledger(watermark(20_000))
    ledger(line("1", 3, at=29_500), read_back(7, 30_000, 7, pver=4, verify=True))
    assert corrections([*ledger(watermark(31_999))]) == []
    assert corrections([*ledger(watermark(32_000))]) == [(0, False, 4)]
    ledger(read_back(4, 40_000, 7, pver=4, verify=True))
    assert corrections([*ledger(watermark(42_000))]) == [(0, True, 4)]


def test_a_read_of_an_older_epoch_is_not_judged() -> None:
    ledger = adopted(rules())
    ledger(baseline(8, at=6000, epoch=2), watermark(6000))
    assert ledger(read_back(8, 9000, 3, epoch=1), watermark(9000)) == []


def test_a_read_of_an_epoch_that_is_not_known_asks_for_a_baseline_above_it() -> None:
    ledger = adopted(rules())
    (command,) = ledger(read_back(8, 9000, 3, epoch=9), watermark(9000))
    assert isinstance(command, StockTarget) and (command.epoch, command.version) == (10, 0)


def test_a_new_baseline_counts_from_its_own_read() -> None:
    ledger = adopted(rules(), main=10, quantity=10)
    ledger(line("1", 2, at=5000), line("2", 3, at=7000))
    ledger(baseline(8, at=6000, epoch=2))
    assert ledger.mug.listings[MUG.id].taken == 3
    effects = ledger(watermark(6000))
    assert targets(effects) == [(8, 8)]


def test_an_older_baseline_changes_nothing() -> None:
    ledger = adopted(rules())
    ledger(baseline(3, epoch=1), baseline(3, epoch=0))
    assert ledger.mug.listings[MUG.id].ready


def reported(effects: list[object]) -> list[tuple[str, str]]:
    return [(e.state, e.detail) for e in effects if isinstance(e, ExceptionState)]


def test_drift_without_a_write_is_reported_and_resolved_by_a_read_that_agrees() -> None:
    ledger = adopted(rules())
    ledger(read_back(10, 8000, 10), watermark(8000), read_back(7, 9000, 10))
    ((state, detail),) = reported([*ledger(watermark(9000))])
    assert state == "OPEN" and detail.startswith("3 units fewer on offer")
    ledger(read_back(7, 20_000, 7, pver=2))
    assert [state for state, _ in reported([*ledger(watermark(20_000))])] == ["RESOLVED"]
    ledger(read_back(7, 30_000, 7, pver=2))
    assert reported([*ledger(watermark(30_000))]) == []


def test_units_raised_by_hand_are_reported_at_once() -> None:
    effects = [*adopted(rules())(read_back(11, 9000, 10))]
    assert corrections(effects) == [(1, False, 1)]
    ((_, detail),) = reported(effects)
    assert detail.startswith("1 unit more on offer")


def test_the_result_of_a_write_is_no_drift() -> None:
    ledger = adopted(rules())
    assert reported([*ledger(read_back(12, 9000, 10, verify=True))]) == []
    assert reported([*ledger(read_back(7, 9000, 10, pver=2, verify=True), watermark(9000))]) == []


def test_fewer_units_at_the_first_read_since_the_baseline_are_its_own_lag() -> None:
    ledger = adopted(rules())
    effects = [*ledger(read_back(8, 9000, 10), watermark(9000))]
    assert corrections(effects) == [(-2, True, 1)]
    assert reported(effects) == []
