"""What agents and submitted functions see inside a cycle, and what of it is sealed."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine import EngineConfig, EngineConfigError, create_app
from app.engine.cycle import Cycle, EngineBatch, Naming, Output, OutputRun, ScopeContext, Trial
from app.engine.store import Mark
from app.engine.store.memory import MemoryStore

MARK = Mark("t", 0, 0)


class Item(msgspec.Struct):
    n: int
    tags: list[str] = []


APP = create_app(EngineConfig(bootstrap="nowhere:1", store="memory"))
ITEMS: Any = APP.Table("items", row=Item)
OTHERS: Any = APP.Table("others", row=Item)


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.apply([(ITEMS.key(key), ITEMS.encode(Item(n))) for key, n in {"a": 1, "b": 2, "c": 3}.items()], MARK)
    made.apply([(OTHERS.key("a"), OTHERS.encode(Item(9)))], MARK)
    return made


@pytest.fixture
def cycle() -> Cycle:
    return Cycle(1_234, Naming("pre.", "pre.dead"))


@pytest.fixture
def context(cycle: Cycle, store: MemoryStore) -> ScopeContext:
    return ScopeContext(cycle.scope(5, store))


def test_rows_are_those_of_the_store_until_they_are_put(context: ScopeContext) -> None:
    row = context.get(ITEMS, "a")
    row.n = 100
    assert context.get(ITEMS, "a") == Item(1)
    context.put(ITEMS, "a", row)
    assert context.get(ITEMS, "a") == Item(100)
    assert context.get(OTHERS, "a") == Item(9)


def test_many_rows_and_outputs_at_once_are_as_one_by_one(cycle: Cycle, context: ScopeContext) -> None:
    context.put(ITEMS, "b", Item(20))
    context.delete(ITEMS, "c")
    assert context.get_many(ITEMS, ["a", "b", "c", "d"]) == [Item(1), Item(20), None, None]
    context.put_many(ITEMS, {"a": Item(10), "d": Item(40)})
    assert context.get_many(ITEMS, ["d", "a"]) == [Item(40), Item(10)]
    context.send_many("out", [("k", b"v"), ("l", None)], headers={"h": "é"})
    context.send_many("out", [])
    sealed = cycle.seal({5: {}})
    assert sealed.outputs == [OutputRun("pre.out", [(b"k", b"v"), (b"l", None)], (("h", "é".encode()),))]
    assert dict(sealed.rows[5])[ITEMS.key("d")] == ITEMS.encode(Item(40))
    with pytest.raises(TypeError, match="use delete"):
        context.put_many(ITEMS, {"a": None})  # type: ignore[dict-item]


def test_a_deleted_row_is_gone_and_can_come_back(context: ScopeContext) -> None:
    context.delete(ITEMS, "a")
    assert context.get(ITEMS, "a") is None
    context.put(ITEMS, "a", Item(5))
    assert context.get(ITEMS, "a") == Item(5)


def test_a_scan_merges_changes_in_key_order(context: ScopeContext) -> None:
    context.put(ITEMS, "aa", Item(11))
    context.put(ITEMS, "0", Item(10))
    context.put(ITEMS, "z", Item(12))
    context.put(ITEMS, "c", Item(33))
    context.delete(ITEMS, "b")
    context.delete(ITEMS, "never")
    assert [(key, row.n) for key, row in context.scan(ITEMS)] == [("0", 10), ("a", 1), ("aa", 11), ("c", 33), ("z", 12)]
    assert [key for key, _ in context.scan(ITEMS, "a")] == ["a", "aa"]


def test_none_is_no_row(context: ScopeContext) -> None:
    with pytest.raises(TypeError, match="use delete"):
        context.put(ITEMS, "a", None)


def test_a_failed_trial_leaves_nothing_behind_not_even_in_rows_changed_before(
    cycle: Cycle, context: ScopeContext, store: MemoryStore
) -> None:
    context.put(ITEMS, "a", Item(50, ["kept"]))
    trial = Trial(cycle.scope(5, store))
    for row in (trial.get(ITEMS, "a"), *(row for _, row in trial.scan(ITEMS))):
        row.n = -1
        row.tags.append("spoilt")
    trial.put(ITEMS, "b", Item(-1))
    trial.delete(ITEMS, "c")
    trial.send("out", "k", b"v")
    assert [key for key, _ in context.scan(ITEMS)] == ["a", "b", "c"]
    assert context.get(ITEMS, "a") == Item(50, ["kept"])
    assert context.get(ITEMS, "b") == Item(2)
    sealed = cycle.seal({5: {"in": 7}})
    assert sealed.outputs == []
    assert sealed.rows == {5: [(ITEMS.key("a"), ITEMS.encode(Item(50, ["kept"])))]}


def test_a_merged_trial_belongs_to_the_cycle(cycle: Cycle, context: ScopeContext, store: MemoryStore) -> None:
    trial = Trial(cycle.scope(5, store))
    trial.put(ITEMS, "new", Item(7))
    assert [key for key, _ in trial.scan(ITEMS)] == ["a", "b", "c", "new"]
    trial.delete(ITEMS, "a")
    trial.send("out", "k", b"v", partition=3, headers={"h": "é"})
    trial.merge()
    assert context.get(ITEMS, "new") == Item(7)
    sealed = cycle.seal({5: {"in": 7}})
    assert sealed.outputs == [Output("pre.out", b"k", b"v", 3, (("h", "é".encode()),))]
    assert dict(sealed.rows[5]) == {ITEMS.key("new"): ITEMS.encode(Item(7)), ITEMS.key("a"): None}
    assert sealed.positions == {5: {"in": 7}}


def test_a_sealed_cycle_does_not_follow_later_changes(cycle: Cycle, context: ScopeContext) -> None:
    row = Item(1)
    context.put(ITEMS, "x", row)
    sealed = cycle.seal({5: {"in": 0}})
    row.n = 99
    assert sealed.rows[5] == [(ITEMS.key("x"), ITEMS.encode(Item(1)))]


def test_untouched_partitions_are_not_committed(cycle: Cycle, store: MemoryStore) -> None:
    Trial(cycle.scope(1, store)).get(ITEMS, "a")
    assert not cycle.touched
    assert cycle.seal({1: {"in": 0}}).positions == {}


async def test_a_batch_swallows_the_agents_error_and_tells_it(cycle: Cycle, store: MemoryStore) -> None:
    finished = asyncio.get_running_loop().create_future()
    batch = EngineBatch(cycle.scope(0, store), "in", "pre.in", [], finished)
    with batch:
        raise RuntimeError("agent")
    assert (batch.succeeded, str(batch.error)) == (False, "agent")
    assert finished.done()


async def test_a_cancelled_batch_is_not_swallowed(cycle: Cycle, store: MemoryStore) -> None:
    batch = EngineBatch(cycle.scope(0, store), "in", "pre.in", [], asyncio.get_running_loop().create_future())
    with pytest.raises(asyncio.CancelledError), batch:
        raise asyncio.CancelledError
    assert not batch.succeeded


def test_a_table_is_declared_once() -> None:
    app = create_app(EngineConfig(bootstrap="nowhere:1", store="memory"))
    app.Table("t", row=Item)
    with pytest.raises(EngineConfigError, match="declared twice"):
        app.Table("t", row=Item)
    with pytest.raises(EngineConfigError, match="needs a name"):
        app.Table("", row=Item)


KEYS = st.sampled_from(["a", "ab", "b", "ba", "é", "z"])
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9)))


@given(stored=CHANGES, changed=CHANGES, tried=CHANGES, prefix=st.sampled_from(["", "a", "b", "é"]))
def test_a_trial_over_changes_over_a_store_reads_like_one_dict(
    stored: list[tuple[str, int | None]],
    changed: list[tuple[str, int | None]],
    tried: list[tuple[str, int | None]],
    prefix: str,
) -> None:
    store, model = MemoryStore(), dict[str, int]()
    scope = Cycle(0, Naming("", "")).scope(0, store)
    context, trial = ScopeContext(scope), Trial(scope)
    for key, n in stored:
        store.apply([(ITEMS.key(key), None if n is None else ITEMS.encode(Item(n)))], MARK)
    for target, changes in ((context, changed), (trial, tried)):
        for key, n in changes:
            if n is None:
                target.delete(ITEMS, key)
            else:
                target.put(ITEMS, key, Item(n))
            assert [row.n for one, row in target.scan(ITEMS, key) if one == key] == ([] if n is None else [n])
    for key, n in (*stored, *changed, *tried):
        if n is None:
            model.pop(key, None)
        else:
            model[key] = n
    wanted = sorted((key, n) for key, n in model.items() if key.startswith(prefix))
    assert [(key, row.n) for key, row in trial.scan(ITEMS, prefix)] == wanted
    assert all((row := trial.get(ITEMS, key)) is not None and row.n == n for key, n in model.items())
    trial.merge()
    assert [(key, row.n) for key, row in context.scan(ITEMS, prefix)] == wanted
