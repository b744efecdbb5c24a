"""R3: what is kept of takes. However long a SKU sells, its row stays small; what is kept by the minute errs on the safe side, and nothing recent is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.deliveries.peers import Bounds
from tables.stock import judge, takes
from tables.stock.rows import ListingState, Take, WaitingRead
from tables.stock.speed import REMEMBERED_MS, SPEED_MS

SOLD = st.lists(
    st.tuples(st.integers(1, 900_000), st.integers(0, 3_000), st.sampled_from([1, 1, 1, 2, -1])),
    min_size=100,
    max_size=300,
)
"""When, how exactly that is known, and units; negative: put back."""


def kept(told: list[Take], every: int, epoch: int = 1) -> ListingState:
    """The state after these takes, looked through for old ones after every so many."""
    state = ListingState(epoch=epoch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(takes, "THINNED_EVERY", every)
        for one in told:
            takes.add(state, Take(one.at_from, one.at_to, one.units), 0, 0)
    return state


def in_order(sold: list[tuple[int, int, int]]) -> list[Take]:
    return [Take(at, at + vague, units) for at, vague, units in sorted(sold)]


def test_a_sku_that_sells_every_second_keeps_what_is_recent_one_by_one_and_the_rest_by_the_minute() -> None:
    state = ListingState(epoch=1)
    for second in range(1, 3_601):
        takes.add(state, Take(second * 1000, second * 1000, 1), 0, 0)
    assert state.taken == 3_600
    assert len(state.takes) <= takes.FINE_MS // takes.BUCKET_MS + 15 + 1 + takes.THINNED_EVERY
    assert sum(take.units for take in state.takes) >= 15 * 60
    assert all(take.at_to - take.at_from < takes.COARSE_MS for take in state.takes)
    assert [take.units for take in state.takes][-takes.FINE_MS // takes.BUCKET_MS :] == [1] * 90


def test_a_read_that_waits_and_a_late_watermark_keep_takes_one_by_one() -> None:
    for reads, watermark in ([WaitingRead(1, 5, 6000, 6000, 5, True)], 0), ([], 6000):
        state = ListingState(epoch=1, reads=reads)
        for second in range(1, 401):
            takes.add(state, Take(second * 1000, second * 1000, 1), 0, watermark)
        assert len(state.takes) == 400


def test_the_selling_speed_never_looks_at_takes_kept_by_the_minute() -> None:
    assert takes.FINE_MS >= REMEMBERED_MS + SPEED_MS


@given(SOLD, st.integers(1, 950_000))
@settings(deadline=None, max_examples=40)
def test_a_baseline_read_long_ago_counts_no_more_than_it_would_by_single_takes(
    sold: list[tuple[int, int, int]], read_at: int
) -> None:
    told, found = in_order(sold), []
    for every in (takes.THINNED_EVERY, 10_000):
        state = kept(told, every, epoch=0)
        takes.rebase(state, 1, read_at, read_at, 1_000, 0)
        found.append(state.taken)
    assert found[0] <= found[1]


@given(SOLD, st.integers(1, 950_000))
@settings(deadline=None, max_examples=40)
def test_a_read_of_long_ago_proves_no_more_than_it_would_by_single_takes(
    sold: list[tuple[int, int, int]], read_at: int
) -> None:
    bounds = Bounds(0, 0, 1_000, 0)
    read, told = WaitingRead(1, 1_000, read_at, read_at, 1_000, True), in_order(sold)
    low, high = judge.bracket(kept(told, takes.THINNED_EVERY), read, bounds)
    exactly = judge.bracket(kept(told, 10_000), read, bounds)
    assert low <= exactly[0] and high >= exactly[1]
