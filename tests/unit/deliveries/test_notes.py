"""A note is one line of ours in a text of other people's: written once, replaced and never doubled, whatever answers are lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import NoteOrder
from tables.deliveries import looks, notes
from tables.deliveries.notes import MARK, NoteRow, Placed, Wait, Write, noted, without_note

LATE = 300


def command(text: str = "refused", version: int = 1, *, open_: bool = True) -> NoteOrder:
    return NoteOrder(channel="shop", order_id="7", number="A7", version=version, text=text, open=open_)


def row_of(*commands: NoteOrder) -> NoteRow:
    row = NoteRow("shop", "7")
    for one in commands:
        notes.want(row, one, 1000)
    return row


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("", f"{MARK}refused"),
        ("VIP", f"VIP\n{MARK}refused"),
        ("VIP\r\n", f"VIP\r\n{MARK}refused"),
        (f"VIP\r\n{MARK}older\r\ncall first", f"VIP\r\n{MARK}refused\r\ncall first"),
        (f"{MARK}one\nVIP\n{MARK}two", f"{MARK}refused\nVIP\n"),
        (f"he wrote {MARK}", f"he wrote {MARK}\n{MARK}refused"),
    ],
)
def test_our_line_is_added_or_replaced_and_the_rest_stays(shown: str, wanted: str) -> None:
    assert noted(shown, command()) == wanted


def test_a_text_of_several_lines_is_one_line() -> None:
    assert noted("", command("a\n b\r\nc")) == f"{MARK}a b c"


@given(st.text(), st.text())
def test_what_others_wrote_is_kept_and_a_second_time_changes_nothing(shown: str, text: str) -> None:
    once = noted(shown, command(text))
    assert noted(once, command(text)) == once
    assert once.count(MARK) >= 1
    assert "".join(without_note(once).split()) == "".join(without_note(shown).split())


def test_that_it_is_over_is_said_only_where_our_note_stands() -> None:
    over = command("settled", 2, open_=False)
    assert noted("VIP", over) == "VIP"
    assert noted(f"VIP\n{MARK}refused", over) == f"VIP\n{MARK}settled"


def test_an_older_command_changes_nothing() -> None:
    row = row_of(command("new", 3))
    assert not notes.want(row, command("old", 2), 2000)
    assert notes.next_step(row, "", 1000, LATE) == Write(f"{MARK}new")


def test_a_lost_request_is_not_repeated_before_it_cannot_land_any_more() -> None:
    row = row_of(command())
    notes.begin(row, 1000)
    assert notes.next_step(row, "VIP", 1200, LATE) == Wait(1300), "nobody lived to give it up"
    looks.unknown(row, 1280)
    assert notes.next_step(row, "VIP", 1300, LATE) == Wait(1550)
    assert notes.next_step(row, "VIP", 1579, LATE) == Wait(1580)
    assert notes.next_step(row, "VIP", 1580, LATE) == Write(f"VIP\n{MARK}refused")
    assert notes.next_step(row, f"VIP\n{MARK}refused", 1300, LATE) == Placed()


def test_a_newer_text_waits_for_an_older_request_that_may_still_land() -> None:
    row = row_of(command())
    notes.begin(row, 1000)
    notes.want(row, command("settled", 2, open_=False), 1050)
    assert isinstance(notes.next_step(row, "VIP", 1100, LATE), Wait)
    assert notes.next_step(row, f"{MARK}refused", 1300, LATE) == Write(f"{MARK}settled")
    assert not notes.accepted(row) and notes.pending(row)


def test_a_refusal_is_over_until_an_operator_or_a_newer_command() -> None:
    row = row_of(command())
    assert not notes.again(row, 1100)
    notes.begin(row, 1000)
    assert notes.refused(row, "400: no such field") and not notes.pending(row)
    assert notes.again(row, 2000) and notes.pending(row) and not row.refused
    notes.begin(row, 2000)
    assert notes.accepted(row)
    notes.placed(row)
    assert not notes.pending(row) and not notes.again(row, 3000)
