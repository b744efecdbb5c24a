"""What a listing's row of delivery still awaits, said for every state it can be in."""

from typing import Any

import pytest

from tables.deliveries import listing as rules
from tables.deliveries.listing import ListingRow
from tables.deliveries.peers import Bounds, PeerKind
from tables.explain.delivery import awaits, explain
from tests.unit.deliveries.test_listing import EPOCH, T, adopted, command

BOUNDS = Bounds(late_max=6000, apply_max=2000, visible_lag=0, order_slack=0)
CT, BC = PeerKind.VERSIONED, PeerKind.RELATIVE


def what(row: ListingRow, kind: PeerKind = CT, paused: str = "") -> list[str]:
    return [one.what for one in awaits(row, kind, BOUNDS, T + 10_000, paused)]


def wanting(inc: int, quantity: int = 10) -> ListingRow:
    row = adopted(quantity)
    assert rules.want(row, command(1, inc), T)
    return row


def sending(inc: int, kind: PeerKind = CT) -> ListingRow:
    row = wanting(inc)
    step = rules.next_step(row, kind, BOUNDS, T + 10_000)
    assert isinstance(step, rules.Write)
    rules.begin(row, step, T + 10_000)
    return row


def test_a_settled_listing_awaits_nothing() -> None:
    row = sending(14)
    rules.acknowledged(row, CT, BOUNDS, T + 10_010, T + 10_010, 4)
    assert what(row) == []
    shown = explain(row, CT, BOUNDS, T + 10_020)
    assert (shown.published, shown.high, shown.epoch, shown.told) == (14, 14, EPOCH, 1)


def test_a_new_row_awaits_its_baseline_then_a_command_then_a_write() -> None:
    assert what(ListingRow("shop//M1", "shop", "MUG")) == ["baseline"]
    assert what(adopted(10)) == ["command"]
    assert what(wanting(14)) == ["write"]
    assert what(wanting(10)) == ["outcome"]


def test_an_attempt_under_way_says_what_it_changes() -> None:
    [answer, outcome] = awaits(sending(14), CT, BOUNDS, T + 10_000)
    assert "attempt 1 of +4 for version 1" in answer.detail
    assert outcome.what == "outcome"


def test_a_lost_answer_awaits_the_look_up_and_stays_unsure() -> None:
    row = sending(14)
    rules.unknown(row, CT, BOUNDS, T + 12_000)
    assert [x for x in what(row) if x in ("look-up", "unsure")] == ["look-up", "unsure"]


def test_an_asynchronous_write_awaits_its_proof() -> None:
    row = sending(6, BC)
    rules.acknowledged(row, BC, BOUNDS, T + 10_010, T + 10_010, 0)
    assert what(row, BC) == ["outcome", "verify"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hold": True}, "hold"),
        ({"not_before": T + 20_000}, "late request"),
        ({"resync": True}, "read-back"),
        ({"asked": 1, "pver": 1}, "watermark"),
    ],
)
def test_every_other_state_has_its_word(fields: dict[str, Any], expected: str) -> None:
    row = wanting(10)
    for name, value in fields.items():
        setattr(row, name, value)
    assert expected in what(row)


def test_a_pause_stands_first_with_who_and_why() -> None:
    first = awaits(wanting(14), CT, BOUNDS, T, "kim: stocktake")[0]
    assert first.what == "resume"
    assert "kim: stocktake" in first.detail
