"""Every kind of inventory event has its line of words, with its figures in it."""

from typing import get_args

import pytest

from schemas.records import (
    BundleHold,
    ComponentStock,
    InventoryEventBody,
    Record,
    StockOutcome,
)
from tables.explain.inputs import describe
from tests.unit.stock.memory import baseline, level, line, read_back, reflected, watermark

SAID: list[tuple[Record, list[str]]] = [
    (level(7, 5, 2, reflected("1", 1)), ["read 7", "MAIN 5", "NORTH 2", "1 lines"]),
    (level(7, 5, 2, chunk=1, chunks=3), ["part 2 of 3"]),
    (line("9", 2, version=4), ["shop:9 line 1 v4", "2 OPEN", "lowered 2"]),
    (line("9", 2, restocked_at=9000), ["put back"]),
    (watermark(77, 3), ["shop", "77", "order partition 3"]),
    (read_back(4, 9000, 5, verify=True), ["shows 4, believed 5 gross (with what it has taken)", "verifies"]),
    (baseline(12, epoch=3), ["counts from 12", "epoch 3"]),
    (StockOutcome(sku="MUG", listing="a//b", epoch=1, version=8, bound=6, at=1), ["a//b v8", "at most 6"]),
    (
        ComponentStock(sku="BOX", component="MUG", version=3, pools={}, joint={"A+B": 4}, taken={}),
        ["component MUG v3", "A+B 4"],
    ),
    (
        ComponentStock(sku="BOX", component="MUG", version=3, pools={}, joint={}, taken={}, granted={"A": 7}),
        ["grants A 7"],
    ),
    (
        BundleHold(sku="MUG", bundle="BOX", version=5, seen=3, sure=True, bounds={"a//b": 6}, most={"A": 9}),
        ["bundle BOX v5", "knows v3", "a//b 6"],
    ),
]


@pytest.mark.parametrize(("body", "words"), SAID, ids=lambda x: type(x).__name__)
def test_the_line_holds_the_figures(body: InventoryEventBody, words: list[str]) -> None:
    shown = describe(body)
    assert "\n" not in shown
    for word in words:
        assert word in shown


def test_no_kind_is_left_out() -> None:
    assert {type(body) for body, _ in SAID} == set(get_args(InventoryEventBody))
