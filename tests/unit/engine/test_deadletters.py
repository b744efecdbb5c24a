"""Where unreadable records stop being an accident."""

import pytest

from app.engine.deadletters import WINDOW, DeadLetterLimits
from app.engine.errors import DeadLetterLimit


def batch(limits: DeadLetterLimits, start: int, count: int, bad: set[int], topic: str = "in") -> None:
    limits.judge(topic, range(start, start + count), bad)


def test_a_run_up_to_the_limit_is_bearable_and_one_more_is_not() -> None:
    limits = DeadLetterLimits(1.0, 3)
    batch(limits, 0, 4, {1, 2, 3})
    limits.keep()
    with pytest.raises(DeadLetterLimit, match="4 unreadable records of in in a row"):
        batch(limits, 4, 1, {4})


def test_a_readable_record_ends_a_run() -> None:
    limits = DeadLetterLimits(1.0, 3)
    for start in range(0, 40, 4):
        batch(limits, start, 4, {start, start + 1, start + 2})
        limits.keep()


def test_the_share_is_that_of_the_last_thousand() -> None:
    limits = DeadLetterLimits(0.01, 100)
    batch(limits, 0, 100, set(range(0, 100, 10)))
    limits.keep()
    with pytest.raises(DeadLetterLimit, match="11 of the last 1000"):
        batch(limits, 100, 1, {100})


def test_old_ones_are_forgotten() -> None:
    limits = DeadLetterLimits(0.01, 100)
    batch(limits, 0, 100, set(range(0, 100, 10)))
    limits.keep()
    batch(limits, 100, WINDOW, set())
    limits.keep()
    batch(limits, 100 + WINDOW, 100, set(range(100 + WINDOW, 200 + WINDOW, 10)))


def test_an_aborted_cycle_counts_nothing() -> None:
    limits = DeadLetterLimits(1.0, 3)
    for _ in range(5):
        batch(limits, 0, 2, {0, 1})
        limits.forget()
    batch(limits, 0, 3, {0, 1, 2})


def test_topics_are_judged_apart() -> None:
    limits = DeadLetterLimits(1.0, 3)
    batch(limits, 0, 3, {0, 1, 2}, "a")
    batch(limits, 0, 3, {0, 1, 2}, "b")
