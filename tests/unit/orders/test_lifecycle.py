"""The life-cycle's table: whole, without rows that never count, and on the operators' page as it is."""

from pathlib import Path
from typing import get_args

import pytest

from schemas.records import LifecycleState, WarehouseStatus
from tables.orders.lifecycle import AT_WAREHOUSE, FORWARD, TABLE, Event, Transition, following, page

PAGE = Path(__file__).parents[3] / "docs" / "orders.md"
STATES = set(get_args(LifecycleState))


def test_the_page_of_operators_shows_the_table() -> None:
    assert page() in PAGE.read_text(encoding="utf-8"), (
        "put what `clarus-stream config lifecycle` prints into docs/orders.md"
    )


def test_every_state_can_be_come_to_and_left() -> None:
    assert {row.to for row in TABLE} == STATES - {"RECEIVED"}
    assert {state for row in TABLE for state in row.states} == STATES


def test_every_event_and_every_status_of_the_warehouse_has_its_place() -> None:
    assert {row.event for row in TABLE} == set(Event)
    assert set(AT_WAREHOUSE) == set(get_args(WarehouseStatus)) - {"UNMAPPED"}


def test_no_row_is_hidden_by_one_before_it() -> None:
    for n, row in enumerate(TABLE):
        for before in TABLE[:n]:
            same = before.event is row.event and before.guard in (None, row.guard)
            assert not (same and set(before.states) & set(row.states)), (before, row)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.event.name}-{row.to}")
def test_a_step_back_says_why_and_only_a_step_back_does(row: Transition) -> None:
    rank = {state: n for n, state in enumerate(FORWARD)} | {"IGNORED": 0}
    back = [row.to in FORWARD and rank.get(state, len(FORWARD)) > rank[row.to] for state in row.states]
    assert all(back) if row.back else not any(back)


def test_a_pair_without_a_row_leaves_the_state() -> None:
    assert following("COMPLETED", Event.REFUSE, ()) is None
