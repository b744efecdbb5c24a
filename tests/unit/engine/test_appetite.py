"""A backlog is taken in cycles about as long as the commit interval."""

from app.engine.appetite import Appetite


def test_it_grows_while_full_cycles_are_shorter_than_the_interval() -> None:
    appetite = Appetite(1_000, 0.1)
    appetite.judge(1_000, 0.05)
    assert appetite.most == 2_000
    appetite.judge(2_000, 0.1)
    assert appetite.most == 2_000


def test_it_has_a_bound_and_never_falls_below_what_is_set() -> None:
    appetite = Appetite(1_000, 0.1)
    appetite.judge(1_000, 0.000_1)
    assert appetite.most == 4_000
    appetite.judge(4_000, 3.0)
    assert appetite.most == 1_000


def test_cycles_that_are_not_full_say_nothing() -> None:
    appetite = Appetite(1_000, 0.1)
    appetite.judge(10, 0.000_1)
    appetite.judge(0, 0.0)
    assert appetite.most == 1_000
