"""Both stores keep the same promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.config import StoreKind
from app.engine.errors import EngineConfigError
from app.engine.store import Mark, Store, StoreSet

MARK = Mark("topic/id", 7, 1_000, b"epoch--A", {"in": 3})


@pytest.fixture(params=["memory", "rocksdict"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreSet]:
    kind: StoreKind = request.param
    made = StoreSet(kind, tmp_path / "stores")
    made.open()
    yield made
    made.close()


@pytest.fixture
def store(stores: StoreSet) -> Store:
    return stores.get(0)


def test_rows_and_mark_are_applied_together(store: Store) -> None:
    assert store.mark is None
    store.apply([(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"4"), (b"c", None)], MARK)
    assert (store.get(b"a"), store.get(b"b"), store.get(b"c")) == (b"3", b"2", None)
    assert store.mark == MARK


def test_rows_are_right_however_many_were_written_since(store: Store) -> None:
    for number in range(5):
        store.apply([(b"k%05d" % key, b"%d" % number) for key in range(number, 10_000, 5 - number)], MARK)
    store.apply([(b"k%05d" % key, None) for key in range(9_000, 10_000)], MARK)
    assert [store.get(b"k%05d" % key) for key in range(9_000)] == [value for _, value in store.scan(b"k")]
    assert store.get(b"k09999") is None


def test_a_scan_is_in_byte_order_and_stops_at_its_prefix(store: Store) -> None:
    store.apply([(b"t\x00b", b"2"), (b"s\x00z", b"0"), (b"t\x00a\xc3\xa9", b"1"), (b"u\x00a", b"3")], MARK)
    assert list(store.scan(b"t\x00")) == [(b"t\x00a\xc3\xa9", b"1"), (b"t\x00b", b"2")]
    assert list(store.scan(b"v")) == []


def test_a_wiped_store_is_empty(store: Store) -> None:
    store.apply([(b"a", b"1")], MARK)
    store.wipe()
    assert store.mark is None
    assert store.get(b"a") is None
    assert list(store.scan(b"")) == []


def test_a_partition_that_rests_keeps_its_rows(stores: StoreSet) -> None:
    stores.get(1).apply([(b"a", b"1")], MARK)
    stores.rest(1)
    assert stores.get(1).get(b"a") == b"1"
    stores.rest(99)


def test_partitions_are_apart(stores: StoreSet) -> None:
    stores.get(1).apply([(b"a", b"1")], MARK)
    assert stores.get(2).get(b"a") is None


def test_what_is_on_disk_is_there_after_a_restart(tmp_path: Path) -> None:
    first = StoreSet("rocksdict", tmp_path)
    first.open()
    first.get(3).apply([(b"a", b"1")], MARK)
    first.close()
    second = StoreSet("rocksdict", tmp_path)
    second.open()
    assert second.get(3).get(b"a") == b"1"
    assert second.get(3).mark == MARK
    second.close()


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    first, second = StoreSet("rocksdict", tmp_path), StoreSet("rocksdict", tmp_path)
    first.open()
    with pytest.raises(EngineConfigError, match="in use by another process"):
        second.open()
    first.close()
    second.open()
    second.close()


TABLES = st.sampled_from([b"t\x00", b"u\x00"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    batches=st.lists(
        st.lists(st.tuples(TABLES, st.binary(min_size=1, max_size=2), st.none() | st.binary(max_size=2))), max_size=5
    ),
    table=TABLES,
    prefix=st.binary(max_size=1).filter(lambda key: key != b"\xff"),
)
def test_a_store_behaves_like_a_sorted_dict(
    store: Store, batches: list[list[tuple[bytes, bytes, bytes | None]]], table: bytes, prefix: bytes
) -> None:
    store.wipe()
    model: dict[bytes, bytes] = {}
    for batch in batches:
        rows = [(of + key, value) for of, key, value in batch]
        store.apply(rows, MARK)
        for key, value in rows:
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        for wanted, start in ((table + prefix, b""), (table, table + prefix), (b"", b"")):
            found = sorted((k, v) for k, v in model.items() if k.startswith(wanted) and k >= start)
            assert list(store.scan(wanted, start)) == [one for one in found if wanted or one[0] != b"\x00mark"]
    assert all(store.get(key) == value for key, value in model.items())
