"""Sums over rows: right after changes, after a partition came or went, and while its rows are still being read."""

import asyncio

from app import sums
from app.engine.api import Context
from app.sums import Sums, SumsKeeper
from tables.stock.figures import Parts
from tests.support.engine import MemoryEngine, MemoryTable
from tests.unit.delivery.rig import until

TABLE = MemoryTable("t", int)


def parts(value: int) -> Parts:
    return ((("x", "a"), value),) if value else ()


def keeper(engine: MemoryEngine, kept: Sums, seen: list[int], gone: list[int]) -> SumsKeeper:
    def look(context: Context) -> None:
        seen.append(context.partition)

    return SumsKeeper(engine, kept, [(TABLE, lambda key: f"t/{key}", parts)], look, gone.append)


async def test_a_partition_that_comes_is_read_in_small_pieces_and_taken_away_when_it_goes() -> None:
    engine, kept, seen, gone = MemoryEngine(), Sums(), list[int](), list[int]()
    number = 2 * sums.ROWS_AT_ONCE + 3
    for at in range(number):
        engine.run(1, lambda context, at=at: context.put(TABLE, f"{at:05}", 2 if at % 2 else 0))
    one = keeper(engine, kept, seen, gone)
    engine.give(1)
    assert one.incomplete == 1
    await until(lambda: not one.incomplete)
    assert kept.totals["x", "a"] == number // 2 * 2
    assert (seen, engine.submitted) == ([1], 4)
    kept.change(1, {"t/00001": parts(5)})
    assert kept.totals["x", "a"] == number // 2 * 2 + 3
    kept.change(1, {"t/00001": ()})
    assert kept.totals["x", "a"] == number // 2 * 2 - 2
    engine.lose(1)
    assert (kept.totals["x", "a"], gone) == (0, [1])


def test_what_was_folded_meanwhile_is_newer_than_what_was_read() -> None:
    kept = Sums()
    kept.begin(1)
    kept.change(1, {"k": parts(7)})
    kept.change(1, {"gone": ()})
    kept.read(1, {"k": parts(3), "gone": parts(4), "other": parts(1)})
    kept.end(1)
    assert kept.totals["x", "a"] == 8


async def test_a_partition_that_goes_while_it_is_read_leaves_nothing() -> None:
    engine, kept = MemoryEngine(), Sums()
    engine.run(1, lambda context: context.put(TABLE, "k", 3))
    one = keeper(engine, kept, [], [])
    engine.give(1)
    engine.lose(1)
    await asyncio.sleep(0.01)
    assert (one.incomplete, kept.totals["x", "a"]) == (0, 0)
    await one.close()


async def test_a_partition_that_comes_back_while_it_is_read_is_read_from_the_beginning() -> None:
    engine, kept = MemoryEngine(), Sums()
    number = 2 * sums.ROWS_AT_ONCE
    for at in range(number):
        engine.run(1, lambda context, at=at: context.put(TABLE, f"{at:05}", 1))

    def counted(value: int) -> Parts:
        if next(passed) == sums.ROWS_AT_ONCE + 1:
            engine.lose(1)
            engine.give(1)
        return parts(value)

    passed = iter(range(10 * number))
    one = SumsKeeper(engine, kept, [(TABLE, lambda key: f"t/{key}", counted)], lambda _: None, lambda _: None)
    engine.give(1)
    await until(lambda: not one.incomplete)
    assert kept.totals["x", "a"] == number


def test_rows_that_change_in_kind_leave_nothing_behind() -> None:
    kept = Sums()
    a, b = ("x", "a"), ("x", "b")
    for shown in (((a, 1),), ((b, 2), (a, 3)), ((a, 4), (b, 5)), ((b, 6),)):
        kept.change(1, {"k": shown})
        assert +kept.totals == dict(shown)
    kept.change(1, {"k": ()})
    assert not +kept.totals
