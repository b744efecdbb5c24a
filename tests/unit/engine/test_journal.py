"""The journal of `at_least_once`: whatever is torn, doubled or left behind, rows and input positions are those of the last cycle that counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine import journal
from app.engine.journal import Damaged, JournalFold

A, B = b"epoch--A", b"epoch--B"
ROWS = [b"t\x00x", b"t\x00y", b"t\x00z"]


class Log:
    """A partition of the journal, as the broker keeps it."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def claim(self, epoch: bytes) -> None:
        self.records.append((journal.MARKER_KEY, journal.claim(epoch)))

    def rows(self, epoch: bytes, cycle: int, rows: dict[bytes, bytes | None]) -> None:
        prefix = journal.prefix(epoch, cycle)
        self.records += [(key, journal.row(prefix, value)) for key, value in rows.items()]

    def marker(self, epoch: bytes, cycle: int, rows: int, positions: dict[str, int]) -> None:
        self.records.append((journal.MARKER_KEY, journal.marker(journal.prefix(epoch, cycle), rows, positions)))

    def cycle(self, epoch: bytes, cycle: int, rows: dict[bytes, bytes | None], positions: dict[str, int]) -> None:
        self.rows(epoch, cycle, rows)
        self.marker(epoch, cycle, len(rows), positions)

    def fold(self, fold: JournalFold | None = None, stop: int | None = None) -> tuple[dict[bytes, bytes], JournalFold]:
        fold = fold or JournalFold()
        state: dict[bytes, bytes] = {}
        for offset in range(fold.offset, len(self.records) if stop is None else stop):
            fold.feed(offset, *self.records[offset])
        apply(state, fold)
        return state, fold


def apply(state: dict[bytes, bytes], fold: JournalFold) -> None:
    for key, value in fold.take():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def test_rows_count_once_their_marker_is_there() -> None:
    log = Log()
    log.claim(A)
    log.cycle(A, 1, {ROWS[0]: b"1", ROWS[1]: b"1"}, {"in": 10})
    log.rows(A, 2, {ROWS[0]: b"2"})
    state, fold = log.fold()
    assert state == {ROWS[0]: b"1", ROWS[1]: b"1"}
    assert fold.positions == {"in": 10}
    assert fold.offset == 4


def test_a_deleted_row_is_gone() -> None:
    log = Log()
    log.claim(A)
    log.cycle(A, 1, {ROWS[0]: b"1"}, {"in": 1})
    log.cycle(A, 2, {ROWS[0]: None}, {"in": 2})
    assert log.fold()[0] == {}


def test_rows_left_behind_by_a_predecessor_never_count() -> None:
    log = Log()
    log.claim(A)
    log.cycle(A, 1, {ROWS[0]: b"1"}, {"in": 1})
    log.rows(A, 2, {ROWS[0]: b"torn"})
    log.claim(B)
    log.cycle(B, 1, {ROWS[1]: b"2"}, {"in": 2})
    state, fold = log.fold()
    assert state == {ROWS[0]: b"1", ROWS[1]: b"2"}
    assert fold.positions == {"in": 2}


def test_a_frozen_predecessor_that_wakes_up_changes_nothing() -> None:
    log = Log()
    log.claim(A)
    log.cycle(A, 1, {ROWS[0]: b"1"}, {"in": 1})
    log.claim(B)
    log.cycle(B, 1, {ROWS[0]: b"2"}, {"in": 2})
    log.cycle(A, 2, {ROWS[0]: b"ghost", ROWS[2]: b"ghost"}, {"in": 3})
    state, fold = log.fold()
    assert state == {ROWS[0]: b"2"}
    assert fold.positions == {"in": 2}


def test_a_cycle_that_was_given_up_does_not_leak_into_the_next() -> None:
    log = Log()
    log.claim(A)
    log.rows(A, 1, {ROWS[0]: b"given up", ROWS[1]: b"given up"})
    log.cycle(A, 2, {ROWS[0]: b"kept"}, {"in": 5})
    assert log.fold()[0] == {ROWS[0]: b"kept"}


def test_a_record_written_twice_is_harmless() -> None:
    log = Log()
    log.claim(A)
    log.rows(A, 1, {ROWS[0]: b"1"})
    log.rows(A, 1, {ROWS[0]: b"1"})
    log.marker(A, 1, 1, {"in": 1})
    assert log.fold()[0] == {ROWS[0]: b"1"}


def test_a_marker_without_all_its_rows_is_refused() -> None:
    log = Log()
    log.claim(A)
    log.rows(A, 1, {ROWS[0]: b"1"})
    log.marker(A, 1, 2, {"in": 1})
    with pytest.raises(Damaged, match="2 rows, 1 are there"):
        log.fold()


def test_a_foreign_record_is_refused() -> None:
    with pytest.raises(Damaged, match="no known kind"):
        JournalFold().feed(0, b"k", b"somebody else wrote this")


Step = st.one_of(
    st.tuples(
        st.just("cycle"), st.booleans(), st.dictionaries(st.sampled_from(ROWS), st.none() | st.binary(max_size=2))
    ),
    st.tuples(
        st.just("torn"), st.booleans(), st.dictionaries(st.sampled_from(ROWS), st.none() | st.binary(max_size=2))
    ),
    st.tuples(st.just("takeover"), st.booleans(), st.just({})),
)


@given(st.lists(Step, max_size=30), st.integers(min_value=0, max_value=100))
def test_any_history_folds_to_what_the_owner_committed_wherever_the_reader_paused(
    steps: list[tuple[str, bool, dict[bytes, bytes | None]]], pause: int
) -> None:
    """`late` writes come from the owner before the current one."""
    log, model = Log(), dict[bytes, bytes]()
    positions: dict[str, int] = {}
    epochs = [b"epoch%03d" % 0]
    log.claim(epochs[0])
    for number, (kind, late, rows) in enumerate(steps, 1):
        epoch = epochs[-2] if late and len(epochs) > 1 else epochs[-1]
        if kind == "takeover":
            epochs.append(b"epoch%03d" % number)
            log.claim(epochs[-1])
        elif kind == "torn":
            log.rows(epoch, number, rows)
        else:
            log.cycle(epoch, number, rows, {"in": number})
            if epoch == epochs[-1]:
                positions = {"in": number}
                for key, value in rows.items():
                    if value is None:
                        model.pop(key, None)
                    else:
                        model[key] = value
    stop = min(pause, len(log.records))
    state, first = log.fold(stop=stop)
    second = JournalFold(first.epoch, first.positions, first.offset)
    for offset in range(second.offset, len(log.records)):
        second.feed(offset, *log.records[offset])
    apply(state, second)
    assert state == model
    assert second.positions == positions
