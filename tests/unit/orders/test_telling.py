"""What a storefront's people are told of a change or cancel that the warehouse did not take: each word once, and when it is over."""

from typing import Any

import msgspec
import pytest

from app.order_rules import order_rules
from app.settings import from_mapping
from schemas.records import NoteOrder
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules
from tables.orders.telling import CANCELLED, SETTLED, telling
from tests.unit.orders.test_changes import WITH_CONTACT, by_hand, edited, play, released, said
from tests.unit.orders.test_fold import line

TOLD = Rules(WITH_CONTACT.catalogue, WITH_CONTACT.shipping, contact="the dispatch desk", told=frozenset({"shop"}))


def hear(row: OrderRow, *events: Any) -> list[NoteOrder]:
    found: list[NoteOrder] = []
    for event in events:
        play(row, event)
        found += telling(row, TOLD)
    return found


def test_a_cancel_that_the_warehouse_refuses_is_told_once_with_whom_to_call() -> None:
    row = released(said("PICK"))
    refusal = said("CANCEL_REFUSED", "a parcel has left")
    (note,) = hear(row, edited(state="CANCELLED"), refusal, refusal, said("PICK"))
    assert note.open and (note.channel, note.order_id, note.number) == ("shop", "7", "A7")
    assert "the warehouse refused: a parcel has left" in note.text and "Call the dispatch desk" in note.text


def test_a_cancel_that_the_warehouse_takes_is_no_news() -> None:
    row = released(said("ALLOCATED"))
    assert hear(row, edited(state="CANCELLED"), said("CANCELLED")) == []


def test_that_it_was_cancelled_after_all_is_told() -> None:
    row = released(said("PICK"))
    first, second = hear(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "picking"), said("CANCELLED"))
    assert first.open and not second.open
    assert second.text == CANCELLED and second.version > first.version


def test_an_edit_that_came_too_late_is_told_each_time_it_changes_and_when_it_is_over() -> None:
    row = released(said("ALLOCATED"))
    notes = hear(
        row,
        edited(line("M1", 1), line("M12", 1, "2")),
        edited(line("M1", 2), line("M12", 1, "2"), version=3),
        edited(version=4),
    )
    assert [note.open for note in notes] == [True, True, False]
    assert notes[0].text != notes[1].text and notes[2].text == SETTLED
    assert [note.version for note in notes] == sorted({note.version for note in notes})


def test_somebody_who_resolves_it_by_hand_ends_it_at_the_storefront_too() -> None:
    row = released(said("ALLOCATED"))
    hear(row, edited(line("M1", 1), line("M12", 1, "2")))
    assert hear(row, by_hand("acknowledge")) == []
    (note,) = hear(row, by_hand("resolve"))
    assert not note.open and note.text == SETTLED


def test_a_channel_that_is_told_nothing_hears_nothing_until_it_is() -> None:
    row = released(said("PICK"))
    play(row, edited(state="CANCELLED"), said("CANCEL_REFUSED", "picking"))
    assert telling(row, WITH_CONTACT) == []
    (note,) = telling(row, TOLD)
    assert note.open


def test_a_row_that_was_kept_before_there_were_notes_is_read() -> None:
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(released()))
    row = msgspec.convert(kept[:-1], OrderRow)
    assert row.told == ""


@pytest.mark.parametrize(
    ("bigcommerce", "commercetools", "told"),
    [
        ({}, {}, {"bc"}),
        ({"late_change_note": "off"}, {"late_change_field": "says", "late_change_type": "ops"}, {"ct"}),
    ],
)
def test_the_settings_of_a_channel_say_whether_its_people_are_told(
    bigcommerce: dict[str, str], commercetools: dict[str, str], told: set[str]
) -> None:
    channels = {"bc": {"system": "bigcommerce", **bigcommerce}, "ct": {"system": "commercetools", **commercetools}}
    settings = from_mapping({"channels": channels, "warehouses": ["MAIN"]})
    assert order_rules(settings, settings.catalogue()).told == told
