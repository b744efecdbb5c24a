"""The breaker opens after failures in a row and tries one request after a pause."""

from app.delivery.breaker import Breaker


def opened() -> Breaker:
    breaker = Breaker(3, 5.0)
    for _ in range(3):
        breaker.failed(10.0)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3, 5.0)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.wait(0.0) == 0
    assert opened().wait(11.0) == 4.0


def test_one_request_tries_after_the_pause_and_closes_it() -> None:
    breaker = opened()
    assert breaker.wait(15.0) == 0
    breaker.leave()
    assert breaker.wait(15.0) > 0, "the others wait for the trial"
    breaker.succeeded()
    assert breaker.wait(15.0) == 0 and breaker.state == "closed"


def test_a_failed_trial_doubles_the_pause() -> None:
    breaker = opened()
    breaker.leave()
    breaker.failed(15.0)
    assert breaker.wait(15.0) == 10.0
    assert breaker.opened == 2


def test_a_trial_that_was_given_up_lets_another_one_try() -> None:
    breaker = opened()
    breaker.leave()
    breaker.abandoned()
    assert breaker.wait(15.0) == 0
