"""Where a poll starts, and how far the watermark goes."""

from hypothesis import given
from hypothesis import strategies as st

from tables.deliveries import polls
from tables.deliveries.polls import PollRow

HOW = {"overlap": 300_000, "margin": 2_000, "resolution": 1_000}


def test_a_channels_first_poll_is_whole_and_starts_one_overlap_before_now() -> None:
    row = PollRow("shop")
    assert polls.whole_needed(row)
    assert polls.since(row, 1_000_000, whole=True, **HOW) == 700_000


def test_a_channels_first_poll_starts_where_its_orders_become_ours_and_later_ones_do_not() -> None:
    row = PollRow("shop")
    assert polls.since(row, 1_000_000, whole=True, first=20_000, **HOW) == 20_000
    assert polls.since(row, 1_000_000, whole=True, first=2_000_000, **HOW) == 1_000_000
    polls.completed(row, 1_000_000, whole=True, margin=2_000)
    assert polls.since(row, 1_010_000, whole=True, first=20_000, **HOW) == 700_000


def test_a_whole_poll_starts_one_overlap_before_the_last_whole_one() -> None:
    row = PollRow("shop")
    polls.completed(row, 1_000_000, whole=True, margin=2_000)
    polls.completed(row, 1_010_000, whole=False, margin=2_000)
    assert polls.since(row, 1_020_000, whole=True, **HOW) == 700_000


def test_a_short_poll_starts_no_later_than_the_watermark_allows() -> None:
    row = PollRow("shop")
    assert polls.completed(row, 1_000_000, whole=True, margin=2_000) == 998_000
    assert polls.since(row, 1_001_000, whole=False, **HOW) == 998_000 - 2_000 - 1_000


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), min_size=1))
def test_the_watermark_never_falls_and_every_poll_reaches_back_behind_it(made: list[tuple[int, bool]]) -> None:
    row, last = PollRow("shop"), -(10**9)
    for started_at, whole in made:
        watermark = polls.completed(row, started_at, whole=whole or polls.whole_needed(row), margin=2_000)
        assert watermark >= max(last, started_at - 2_000)
        last = watermark
        for kind in (True, False):
            assert polls.since(row, 10**6, whole=kind, **HOW) <= watermark
