"""A create whose answer was lost may land later: the late goods out is found, and one of the two stays."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.deliveries import releases as rules
from tables.deliveries import twins
from tables.deliveries.release_row import (
    AtWarehouse,
    Cancel,
    CancelTwin,
    Create,
    Idle,
    LookUp,
    ProcessPicks,
    ReleaseRow,
    Report,
)
from tests.unit.deliveries.test_releases import UNKNOWN, cancel, creating, made

MINUTE = 60_000


def at(wms_id: str, status: str = "PENDING") -> AtWarehouse:
    return AtWarehouse(wms_id, status, "MAIN", {"S": 2})


def doubtful(now: int = 0) -> ReleaseRow:
    """A create of unknown outcome was sent again, and the second one was answered."""
    row = creating(now)
    rules.unknown(row, now)
    rules.found(row, [], now + UNKNOWN, UNKNOWN, now + UNKNOWN)
    step = rules.next_step(row, now + UNKNOWN)
    assert isinstance(step, Create)
    rules.begin(row, step, now + UNKNOWN)
    rules.created(row, at("9"), now + UNKNOWN)
    return row


def test_a_create_that_was_answered_is_not_looked_up_again() -> None:
    assert rules.next_step(made(), 10 * MINUTE) == Idle(None) and twins.due(made()) is None


def test_one_whose_outcome_was_unknown_is_looked_up_after_1_10_and_60_minutes() -> None:
    row, now, looks = doubtful(), UNKNOWN, []
    while not isinstance(step := rules.next_step(row, now), Idle) or step.until is not None:
        if isinstance(step, Idle):
            assert step.until is not None
            now = step.until
            continue
        assert isinstance(step, LookUp)
        looks.append(now)
        assert rules.found(row, [at("9")], now, UNKNOWN, now) == []
    assert looks == [10 * MINUTE, 60 * MINUTE], "the look before the second create was the one after a minute"


def test_a_late_twin_that_the_warehouse_has_not_begun_with_is_cancelled() -> None:
    row = doubtful()
    told = rules.found(row, [at("7"), at("9")], 10 * MINUTE, UNKNOWN, 10 * MINUTE)
    assert [one.ordered for one in told] == [{"S": 4}], "while both are there, both count"
    assert rules.pending(row) and row.wms_id == "9"
    assert rules.next_step(row, 10 * MINUTE) == CancelTwin("7")
    rules.twin_not_cancelled(row, 500, 10 * MINUTE)
    assert rules.next_step(row, 10 * MINUTE) == Idle(10 * MINUTE + 500)
    assert rules.next_step(row, 10 * MINUTE + 500) == CancelTwin("7")
    rules.twin_cancelled(row, "DELETED")
    assert not rules.pending(row)
    assert isinstance(rules.next_step(row, 11 * MINUTE), LookUp), "there may be more of them"
    rules.found(row, [at("9")], 11 * MINUTE, UNKNOWN, 11 * MINUTE)
    assert rules.next_step(row, 11 * MINUTE) == Idle(60 * MINUTE)


def test_the_one_that_is_furthest_along_is_kept() -> None:
    row = doubtful()
    rules.found(row, [at("7", "ALLOCATED"), at("9")], 10 * MINUTE, UNKNOWN, 10 * MINUTE)
    assert (row.wms_id, row.status) == ("7", "ALLOCATED")
    assert rules.next_step(row, 10 * MINUTE) == CancelTwin("9")


def test_two_that_the_warehouse_has_begun_with_are_for_a_person_until_one_is_gone() -> None:
    row = doubtful()
    rules.found(row, [at("7", "ALLOCATED"), at("9", "PICK")], 10 * MINUTE, UNKNOWN, 10 * MINUTE)
    assert (row.wms_id, row.twin, row.doubled) == ("9", "", ["9 (PICK)", "7 (ALLOCATED)"])
    rules.found(row, [at("9", "PICK"), at("7", "CANCELLED")], 11 * MINUTE, UNKNOWN, 11 * MINUTE)
    assert row.doubled == []


def test_a_goods_out_that_lands_after_its_order_was_cancelled_is_cancelled_too() -> None:
    row = creating()
    rules.unknown(row, 0)
    rules.want_cancel(row, cancel(), 10)
    assert [one.status for one in rules.found(row, [], UNKNOWN, UNKNOWN, UNKNOWN)] == ["DELETED"]
    assert rules.next_step(row, UNKNOWN) == Idle(10 * MINUTE)
    assert rules.found(row, [], 9 * MINUTE, UNKNOWN, 9 * MINUTE) == [], "nothing new, nothing told"
    assert isinstance(rules.next_step(row, 10 * MINUTE), LookUp)
    assert rules.found(row, [at("7", "ALLOCATED")], 10 * MINUTE, UNKNOWN, 10 * MINUTE) == []
    assert rules.next_step(row, 10 * MINUTE) == CancelTwin("7")


def test_an_order_that_the_warehouse_opens_again_is_no_twin() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [at("7")], 20, UNKNOWN, 20)
    step = rules.next_step(row, 20)
    assert isinstance(step, Cancel)
    rules.begin(row, step, 20)
    rules.cancelled(row, "CANCELLED", "", 30)
    assert [one.status for one in rules.found(row, [at("7", "PICK")], 40, UNKNOWN, 40)] == ["PICK"]
    assert not row.twin


# ---- pick processing ------------------------------------------------------------------------------------------------------------------------


def test_picks_are_processed_at_once_where_that_is_our_business_and_again_while_the_order_waits() -> None:
    row = made()
    assert rules.next_step(row, 0) == Idle(None), "the warehouse's business"
    assert rules.next_step(row, 0, picks=True) == ProcessPicks("7")
    rules.picks_processed(row, 600_000)
    assert rules.next_step(row, 1, picks=True) == Idle(600_000)
    rules.found(row, [at("7")], 2, UNKNOWN, 2)
    assert rules.next_step(row, 600_000, picks=True) == ProcessPicks("7")
    rules.found(row, [at("7", "ALLOCATED")], 3, UNKNOWN, 3)
    assert rules.next_step(row, 600_000, picks=True) == Idle(None)
    rules.picks_processed(row, 900_000)
    assert rules.next_step(row, 900_000, picks=True) == Idle(None), "the answer of a request that was under way"


def test_after_an_unknown_create_picks_wait_for_the_first_look_for_a_twin() -> None:
    row = creating()
    rules.unknown(row, 0)
    rules.found(row, [at("7")], 5_000, UNKNOWN, 5_000)
    assert rules.next_step(row, 5_000, picks=True) == Idle(MINUTE)
    assert isinstance(rules.next_step(row, MINUTE, picks=True), LookUp)
    rules.found(row, [at("7")], MINUTE, UNKNOWN, MINUTE)
    assert rules.next_step(row, MINUTE, picks=True) == ProcessPicks("7")


def test_a_cancelled_order_is_not_processed() -> None:
    row = made()
    rules.want_cancel(row, cancel(), 10)
    rules.found(row, [at("7")], 20, UNKNOWN, 20)
    assert isinstance(rules.next_step(row, 20, picks=True), Cancel)


# ---- any order of everything ----------------------------------------------------------------------------------------------------------------


@dataclass
class Clarus:
    """Creates land when they like, up to an hour late."""

    there: dict[str, str] = field(default_factory=dict)
    landing: list[tuple[int, str]] = field(default_factory=list)

    def look(self, now: int) -> list[AtWarehouse]:
        for due, name in [one for one in self.landing if one[0] <= now]:
            self.there[name] = "PENDING"
            self.landing.remove((due, name))
        return [at(name, status) for name, status in self.there.items()]


@given(st.lists(st.integers(0, 55 * MINUTE), min_size=1, max_size=4), st.booleans())
def test_whenever_lost_creates_land_within_the_hour_one_goods_out_is_left(delays: list[int], cancelling: bool) -> None:
    clarus, row, now, sent = Clarus(), ReleaseRow("shop:1", "shop:1"), 0, 0
    rules.want_release(row, made().order, 0)  # type: ignore[arg-type]
    for _ in range(400):
        if cancelling and sent == len(delays) and row.version == 1:
            rules.want_cancel(row, cancel(), now)
        match rules.next_step(row, now):
            case Idle(None):
                break
            case Idle(until):
                assert until is not None
                now = max(now + 1, until)
            case LookUp():
                rules.found(row, clarus.look(now), now, UNKNOWN, now)
            case Create() as step:
                rules.begin(row, step, now)
                if sent < len(delays):
                    clarus.landing.append((now + delays[sent], f"late-{sent}"))
                    rules.unknown(row, now)
                else:
                    clarus.there[f"made-{sent}"] = "PENDING"
                    rules.created(row, at(f"made-{sent}"), now)
                sent += 1
            case Cancel() as step:
                rules.begin(row, step, now)
                clarus.there.pop(row.wms_id, None)
                rules.cancelled(row, "DELETED", "", now)
            case CancelTwin(name):
                clarus.there.pop(name, None)
                rules.twin_cancelled(row, "DELETED")
            case Report():
                rules.report(row, "")
            case other:
                pytest.fail(f"unexpected {other}")
    assert not clarus.landing
    alive = list(clarus.there)
    assert len(alive) == (0 if row.cancel else 1), (alive, row)
    assert row.cancel or alive == [row.wms_id]
    assert twins.due(row) is None
