"""Checks run side by side: one that hangs, breaks or has a problem is a line of its own, and keeps nothing else from being looked at."""

import asyncio
import time

from confluent_kafka import KafkaError, KafkaException

from app.doctor.checks import Check, Report, Result, run
from app.errors import Problem

FINE = [Result("kafka", "broker", "ok", "answers")]


def check(look: object, seconds: float = 5.0) -> Check:
    return Check("area", "name", look, seconds, "do this")  # type: ignore[arg-type]


def looked(*looks: object, seconds: float = 5.0) -> list[Result]:
    return asyncio.run(run([check(look, seconds) for look in looks]))


def test_one_that_breaks_is_a_failure_and_the_others_are_still_looked_at() -> None:
    def breaks() -> list[Result]:
        raise RuntimeError("gone")

    broken, fine = looked(breaks, lambda: FINE)
    assert (broken.state, broken.remedy) == ("fail", "do this")
    assert "RuntimeError: gone" in broken.detail
    assert fine is FINE[0]


def test_one_that_blocks_for_ever_ends_with_its_time_and_does_not_keep_the_command() -> None:
    began = time.monotonic()
    [late] = looked(lambda: time.sleep(30), seconds=0.1)
    assert (late.state, late.detail) == ("fail", "no answer within 0.1 s")
    assert time.monotonic() - began < 10


def test_a_coroutine_is_given_no_more_time_either() -> None:
    async def forever() -> list[Result]:
        await asyncio.sleep(30)
        return FINE

    [late] = looked(forever, seconds=0.1)
    assert late.detail == "no answer within 0.1 s"


def test_a_time_out_of_its_own_is_not_taken_for_the_checks_limit() -> None:
    def slow() -> list[Result]:
        raise TimeoutError

    assert looked(slow)[0].detail == "no answer in time"


def test_a_problem_is_parted_into_what_is_wrong_and_what_to_do() -> None:
    def problem() -> list[Result]:
        raise Problem("topic a; or b is missing; create it")

    [found] = looked(problem)
    assert (found.detail, found.remedy) == ("topic a; or b is missing", "create it")


def test_what_kafka_says_is_said_in_its_words() -> None:
    def refused() -> list[Result]:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "waited in vain"))

    assert looked(refused)[0].detail == "waited in vain"


def test_warnings_do_not_fail_the_report() -> None:
    warned = Report([*FINE, Result("a", "b", "warn", "c")], {"bc": 3})
    assert warned.ok
    assert warned.as_dict()["counts"] == {"fail": 0, "warn": 1, "ok": 1}
    assert warned.as_dict()["requests"] == {"bc": 3}
    assert not Report([Result("a", "b", "fail", "c")]).ok
