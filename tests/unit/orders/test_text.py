"""Text of storefronts, made fit for a warehouse."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.orders.text import cut, listed, one_line, printable, shown


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("leave with neighbour", "leave with neighbour", 0),
        ("two\r\nlines\rthree", "two\nlines\nthree", 0),
        ("a\x00b\x07c\x1b[31m", "abc[31m", 3),
        ("pay \u202etxt.exe", "pay txt.exe", 1),
        ("party 🎉", "party 🎉", 0),
        ("half \ud83d a pair", "half  a pair", 1),
        ("e\u0301", "é", 0),
    ],
)
def test_what_cannot_be_printed_is_taken_out_and_counted(text: str, kept: str, gone: int) -> None:
    assert printable(text) == (kept, gone)


def test_emoji_are_taken_out_whole_where_they_are_not_wanted() -> None:
    assert printable("family 👨\u200d👩\u200d👧 ❤️ here", emoji=False) == ("family   here", 7)
    assert one_line("family 👨\u200d👩\u200d👧 here", emoji=False)[0] == "family here"


def test_a_cut_leaves_no_half_characters() -> None:
    assert cut("short", 5) == "short" and cut("x" * 9, 0) == "x" * 9
    assert cut("abcdefgh", 5) == "abcd…"
    assert cut("abc👨\u200d👩\u200d👧", 6) == "abc…"
    assert cut("abce\u0301fgh", 5) == "abc…"


@given(st.text(), st.integers(1, 300))
def test_any_text_becomes_one_that_utf_8_holds_within_the_limit(text: str, limit: int) -> None:
    for made in (cut(printable(text)[0], limit), cut(one_line(text, emoji=False)[0], limit)):
        assert len(made) <= limit
        made.encode()
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in made if c != "\n")
    assert "\n" not in one_line(text)[0]


def test_words_quoted_in_an_exception_are_few_and_short() -> None:
    assert shown("A\x1b[2J" + "x" * 200) == "A[2J" + "x" * 55 + "…"
    assert listed(["B", "A", "B"]) == "A, B"
    assert listed([f"S{n:03}" for n in range(500)]).endswith("S009 and 490 more")
