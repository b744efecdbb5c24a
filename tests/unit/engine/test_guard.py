"""Calls that hang are given up; the next one has a thread of its own."""

import threading

import pytest

from app.engine.guard import GuardedCalls, HungCall


def test_a_call_runs_and_its_error_arrives() -> None:
    calls = GuardedCalls("test", lambda: None)
    done: list[int] = []
    calls.run(lambda: done.append(1), 5)
    with pytest.raises(LookupError, match="mine"):
        calls.run(lambda: {}["mine"], 5)
    calls.run(lambda: done.append(2), 5)
    calls.close()
    assert done == [1, 2]


def test_a_call_that_hangs_is_given_up_and_the_next_one_runs() -> None:
    release = threading.Event()
    calls = GuardedCalls("test", lambda: None)
    with pytest.raises(HungCall, match=r"did not return within 0\.05 s"):
        calls.run(lambda: bool(release.wait()) and None, 0.05)
    done: list[int] = []
    calls.run(lambda: done.append(1), 5)
    release.set()
    calls.close()
    assert done == [1]


def test_a_call_is_given_up_where_nobody_will_wait_for_it_and_the_next_one_runs() -> None:
    release = threading.Event()

    def no_longer() -> None:
        raise TimeoutError("no time left")

    calls = GuardedCalls("test", no_longer)
    with pytest.raises(TimeoutError, match="no time left"):
        calls.run(lambda: bool(release.wait()) and None, 60)
    done: list[int] = []
    calls.run(lambda: done.append(1), 5)
    release.set()
    calls.close()
    assert done == [1]


def test_one_thread_serves_all_calls() -> None:
    calls = GuardedCalls("test", lambda: None)
    threads: set[int] = set()
    for _ in range(3):
        calls.run(lambda: threads.add(threading.get_ident()), 5)
    calls.close()
    assert len(threads) == 1
    assert threading.get_ident() not in threads
