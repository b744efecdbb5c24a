"""A worker killed exactly at an effect: before its request arrives, between effect and commit, after the commit, and before a request that lands late.

`bench/effect_kills.py` kills at every site, at every moment, with every disk; here are some of each.
"""

import pytest

from tests.brokers import TestBroker
from tests.faults.effect_rig import run_cases
from tests.faults.effect_sites import Case, named
from tests.faults.effect_trap import Moment

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

SOME: list[tuple[str, Moment]] = [
    ("goods out created", "between"),
    ("goods out created", "late"),
    ("goods out changed", "between"),
    ("goods out cancelled", "between"),
    ("twin cancelled", "between"),
    ("note, bc", "between"),
    ("goods out changed", "late"),
    ("stock lowered, ct", "between"),
    ("stock raised, bc", "between"),
    ("shipment created, bc", "late"),
    ("shipment created, ct", "after"),
    ("shipment removed, bc", "between"),
    ("tracking amended, ct", "before"),
    ("goods-in receipt created", "between"),
    ("refund, ct", "between"),
    ("refund, bc", "late"),
    ("picks processed", "between"),
    ("release command, Kafka", "between"),
]


async def test_every_effect_happens_once_wherever_its_worker_is_killed(kafka: TestBroker) -> None:
    cases = [
        Case(number, named(name), moment, "fresh" if number % 2 else "keep")
        for number, (name, moment) in enumerate(SOME)
    ]
    verdict = await run_cases(kafka.bootstrap, cases)
    assert (verdict.missed, verdict.lost, verdict.doubled, verdict.checks) == ([], [], [], [])
