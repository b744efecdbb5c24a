"""What a person sees: every figure of the answer, and what could not be had."""

import io

from rich.console import Console

from app.why.inputs import Tail
from app.why.show import show
from tables.explain.inputs import Input
from tables.explain.ledger import open_lines
from tables.explain.report import Answer
from tests.unit.explain.test_ledger import HALF, begun, explained, orders
from tests.unit.stock.memory import adopted, line, rules


def printed(answer: Answer, tail: Tail | None = None, missing: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=200, highlight=False), answer, tail, missing)
    return stream.getvalue()


def test_terms_lines_and_inputs_are_on_the_screen() -> None:
    ledger = adopted(rules(HALF), main=21)
    for number in range(25):
        ledger(line(str(number), 1))
    lines = open_lines(orders(ledger), 20)  # type: ignore[arg-type]
    given = Input("inventory.events", 2, 77, 1_700_000_000_000, "clarus", "StockLevel", "read 1: MAIN 21")
    shown = printed(Answer("MUG", "w1", 1, [], explained(ledger), lines), Tail([given], 0, 78, True))
    for words in (
        "pool -4 = 21 free in MAIN, NORTH − 25 open demand there",
        "taken = inc",
        "Open order lines: 25, 25 eaches that count (first 20)",
        "MAIN or NORTH",
        "inventory.events:2:77",
        "2023-11-14 22:13:20.000Z",
    ):
        assert words in shown


def test_a_split_pool_is_on_the_screen_with_its_promise_or_why_there_is_none() -> None:
    network = begun(MAIN=20)
    row = explained(network.ledgers["MUG"], "MUG")
    shown = printed(Answer("MUG", "w1", 1, [], row))
    for words in (
        "Pool split (escrow): what is sold is at most what is there",
        "shop//M, mall//M, BOX (MAIN)",
        "granted to BOX from MAIN (2 eaches a unit): 3",
        "quota: target 7, confirmed 7",
    ):
        assert words in shown
    network.adopt("mall//B", "back-orders are accepted")
    network.settle()
    shown = printed(Answer("MUG", "w1", 1, [], explained(network.ledgers["MUG"], "MUG")))
    assert "Pool split (escrow): no guarantee" in shown
    assert "no guarantee: mall//B: back-orders are accepted" in shown


def test_what_is_not_known_is_said() -> None:
    shown = printed(Answer("MUG", "w1", 1, []), None, ("ledger lies in partition 3",))
    assert "not known: ledger lies in partition 3" in shown
