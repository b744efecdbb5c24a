"""Every judged read-back is counted once, with the cause that can be told, and one that turns up later is put right."""

from typing import Any

from schemas.records import ExceptionState
from tables.reconciliation import DifferenceRow
from tables.stock.rows import Effect
from tests.unit.stock.memory import MUG, SLACK, Ledger, adopted, baseline, line, read_back, rules, watermark


def ledger() -> Ledger:
    """MUG at 10, adopted with 10 on offer, and a first read-back that agreed."""
    made = adopted(rules(), main=10, quantity=10)
    made(read_back(10, 4500, 10), watermark(5000))
    return made


def counts(made: Ledger) -> dict[str, int]:
    row = made.state.sweep("shop")
    assert row.checked == row.equal + sum(row.causes.values())
    return {"equal": row.equal, **row.causes}


def difference(made: Ledger) -> DifferenceRow:
    row = made.state.difference(f"shop/drift/{MUG.id}")
    assert row is not None
    return row


def told(effects: list[Effect]) -> list[str]:
    return [one.state for one in effects if isinstance(one, ExceptionState)]


def test_more_or_less_than_anything_explains_is_unexplained_until_it_agrees_again() -> None:
    made = ledger()
    assert told(made(read_back(13, 6000, 10), watermark(7000))) == ["OPEN"]
    assert (difference(made).cause, difference(made).units, difference(made).over_at) == ("raised", 3, 0)
    assert told(made(read_back(13, 8000, 13), watermark(9000))) == ["RESOLVED"]
    assert difference(made).over_at == 8000
    assert counts(made) == {"equal": 2, "raised": 1}
    made(read_back(12, 10_000, 13), watermark(11_000))
    assert (difference(made).cause, difference(made).first_seen, difference(made).over_at) == ("lowered", 10_000, 0)


def test_a_difference_while_a_write_was_verified_is_the_writes() -> None:
    made = ledger()
    assert told(made(read_back(8, 6000, 10, verify=True), watermark(7000))) == []
    assert counts(made) == {"equal": 1, "write": 1}


def test_a_read_that_must_be_repeated_is_not_counted() -> None:
    made = adopted(rules(bounds=SLACK), main=10, quantity=10)
    made(line("1", 2, at=20_000), read_back(8, 20_500, 9, verify=True), watermark(30_000))
    assert counts(made) == {"equal": 0}


def test_in_shadow_what_others_write_is_followed_and_nobody_is_told() -> None:
    made = ledger()
    shadow: Any = read_back(2, 6000, 10)
    shadow.shadow = True
    assert told(made(shadow, watermark(7000))) == []
    assert counts(made) == {"equal": 1, "shadow": 1}


def test_an_order_that_turns_up_late_was_the_cause_and_its_other_half_too() -> None:
    made = ledger()
    made(read_back(8, 6000, 10), watermark(7000))
    assert counts(made) == {"equal": 1, "lowered": 1}
    assert told(made(line("1", 2, at=5800))) == ["OPEN"]
    assert counts(made) == {"equal": 1, "unseen_order": 1}
    assert difference(made).cause == "unseen_order"
    made(read_back(8, 9000, 8), watermark(10_000))  # taken 2 now: 8 + 2 are there, 8 were believed
    assert counts(made) == {"equal": 1, "unseen_order": 2}
    made(read_back(8, 11_000, 10), watermark(12_000))
    assert counts(made) == {"equal": 2, "unseen_order": 2}


def test_a_restock_that_turns_up_late_was_the_cause() -> None:
    made = ledger()
    made(line("1", 2, at=5500), watermark(5800))
    made(read_back(10, 6000, 10), watermark(7000))
    assert counts(made) == {"equal": 1, "raised": 1}
    made(line("1", 2, version=2, at=5500, restocked_at=5900, state="CLOSED"))
    assert counts(made) == {"equal": 1, "restock": 1}
    made(read_back(10, 9000, 12), watermark(10_000))
    assert counts(made) == {"equal": 1, "restock": 2}


def test_an_order_after_the_read_explains_nothing() -> None:
    made = ledger()
    made(read_back(8, 6000, 10), watermark(7000))
    made(line("1", 2, at=8000))
    assert counts(made) == {"equal": 1, "lowered": 1}


def test_fewer_at_the_first_read_back_are_the_baselines() -> None:
    made = adopted(rules(), main=10, quantity=10)
    made(read_back(9, 4500, 10), watermark(5000))
    assert counts(made) == {"equal": 0, "baseline": 1}


def test_a_new_baseline_forgets_what_was_to_be_explained() -> None:
    made = ledger()
    made(read_back(8, 6000, 10), watermark(7000), baseline(8, at=8000, epoch=2), watermark(9000))
    made(line("1", 2, at=5800))
    assert counts(made) == {"equal": 1, "lowered": 1}
