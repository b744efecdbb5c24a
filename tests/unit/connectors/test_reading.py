"""How odd values of storefronts' orders are read."""

from typing import Any

import pytest

from app.connectors.reading import FACTS, LINES, TEXT, Faults, facts, one_currency, readable, text, whole
from schemas.records import OrderLine, OrderSnapshot


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, ""),
        ("  a ", "a"),
        (True, "true"),
        (1.5, "1.5"),
        ({"de": "Becher", "en": "Mug"}, "Mug"),
        ({"de": "Becher"}, "Becher"),
        ({}, ""),
        ({"key": "gold", "label": "Gold"}, "Gold"),
        (["a", 2, None], "a, 2"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("party 🎉", "party 🎉"),
    ],
)
def test_any_value_is_read_as_text_that_utf_8_holds(value: Any, read: str) -> None:
    assert text(value) == read
    text(value).encode()


def test_a_text_beyond_reason_says_how_long_it_was() -> None:
    read = text("x" * 1_000_000)
    assert len(read) <= TEXT and "of 1000000 characters" in read


@pytest.mark.parametrize(
    ("value", "units", "word"),
    [
        (2, 2, ""),
        ("3", 3, ""),
        (2.0, 2, ""),
        (0, 0, ""),
        (1.5, 2, "1.5 is no whole number"),
        (-2, 0, "-2 is below 0"),
        (-0.5, 0, "below 0"),
        (10**30, 0, "beyond reason"),
    ],
)
def test_a_quantity_is_whole_units_and_what_is_wrong_with_it(value: Any, units: int, word: str) -> None:
    found, wrong = whole(value)
    assert found == units and word in wrong and bool(wrong) is bool(word)


@pytest.mark.parametrize("value", [None, True, "two", float("nan"), float("inf"), []])
def test_what_is_no_number_is_no_quantity(value: Any) -> None:
    with pytest.raises(ValueError):
        whole(value)


def test_lines_of_one_id_are_told_apart_and_said() -> None:
    faults = Faults("shop")
    assert [faults.unique("5"), faults.unique("6"), faults.unique("5")] == ["5", "6", "5#2"]
    assert faults.said() == {"unit_mismatch": "line 5 is there twice: correct it at shop and the order goes on"}
    for number in range(9):
        faults.quantity(-1, str(number))
    assert "and 5 more: correct it" in faults.said()["unit_mismatch"]


def test_facts_are_texts_under_their_names_and_not_without_end() -> None:
    found = facts(("", {"a": 1, "b": None, "c": {"en": "x"}}), ("form.", {"a": ["y"]}))
    assert found == {"a": "1", "c": "x", "form.a": "y"}
    assert len(facts(("", {str(n): "x" for n in range(1000)}))) == FACTS


def test_amounts_in_several_currencies_are_a_fault() -> None:
    assert one_currency(["EUR", None, "EUR"], "shop") == {}
    assert "EUR and GBP" in one_currency(["GBP", "EUR"], "shop")["payment_hold"]


def snapshot(lines: int) -> OrderSnapshot:
    line = OrderLine(line_id="1", sku="A", quantity=1, tracked=False, taken_from=0, taken_to=0)
    return OrderSnapshot(
        channel="shop",
        order_id="1",
        number="1",
        version=3,
        state="OPEN",
        status="",
        paid=True,
        created_at=0,
        modified_at=0,
        lines=[line] * lines,
    )


def failing(error: Exception) -> OrderSnapshot:
    raise error


@pytest.mark.parametrize("error", [KeyError("quantity"), TypeError("x"), ValueError("a date"), AttributeError("get")])
def test_an_order_that_cannot_be_read_is_named_and_what_to_do_is_said(error: Exception) -> None:
    found = readable("shop", 7, None, 99, lambda: failing(error))
    assert (found.order_id, found.number, found.lines, found.paid) == ("7", "7", [], False)
    assert "put it right at shop" in found.faults["poison_record"]


def test_an_order_of_more_lines_than_fit_one_goods_out_is_said_and_one_of_500_is_not() -> None:
    assert readable("shop", 1, 1, 9, lambda: snapshot(500)).faults == {}
    assert f"at most {LINES}" in readable("shop", 1, 1, 9, lambda: snapshot(LINES + 1)).faults["poison_record"]
