"""What a joint read means for the ledger (R1)."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import ReflectedLine
from tables.deliveries import reads
from tables.deliveries.reads import CHUNK, Found, Joint, ReadRow, SeenLine

LINE = SeenLine(2, "MAIN")


def joint(lines: dict[str, SeenLine], *, moved: bool = False, available: int = 10) -> Joint:
    return Joint("S", {"MAIN": available}, {}, lines, moved)


def told(
    row: ReadRow, read: Joint, found: dict[str, list[Found]] | None = None, **given: object
) -> list[ReflectedLine]:
    deleted = given.get("deleted", ())
    assert isinstance(deleted, tuple)
    levels = reads.tell(row, read, found or {}, deleted, 1_000, clean=bool(given.get("clean", True)))
    return [line for level in levels for line in level.lines]


def row_with(**lines: SeenLine) -> ReadRow:
    return ReadRow("S", wanted=1, lines=dict(lines))


def test_a_read_settles_what_was_asked_before_it() -> None:
    row = row_with()
    told(row, joint({}))
    assert not row.dirty


def test_what_was_asked_during_the_read_stays_asked() -> None:
    row = row_with()
    told(row, joint({}), clean=False)
    assert row.dirty


def test_lines_that_moved_in_every_repeat_are_told_and_read_again() -> None:
    row = row_with()
    assert told(row, joint({"a": LINE}, moved=True))
    assert row.dirty


def test_only_differences_are_told() -> None:
    row = row_with(a=LINE, b=LINE)
    assert [(one.reference, one.out) for one in told(row, joint({"a": LINE, "b": SeenLine(5, "MAIN")}))] == [("b", 5)]


def test_a_change_of_warehouse_is_a_difference() -> None:
    row = row_with(a=LINE)
    assert [one.warehouse for one in told(row, joint({"a": SeenLine(2, "NORTH")}))] == ["NORTH"]


def test_an_absent_line_must_be_looked_up() -> None:
    row = row_with(a=LINE, b=LINE, over=SeenLine(2, "MAIN", True))
    assert reads.absent(row, {"b": LINE}) == ["a"]


def test_an_absent_line_that_is_pending_again_has_nothing_out() -> None:
    row = row_with(a=LINE)
    assert [(one.out, one.closed) for one in told(row, joint({}), {"a": [Found("PENDING", 0, "MAIN")]})] == [(0, False)]
    assert not row.lines and not row.dirty


def test_an_absent_line_of_a_finished_order_is_closed() -> None:
    for status, out in (("COMPLETED", 2), ("CANCELLED", 0)):
        row = row_with(a=LINE)
        found = {"a": [Found(status, out, "MAIN")]}
        assert [(one.out, one.closed) for one in told(row, joint({}), found)] == [(out, True)]
        assert not row.lines and not row.dirty


def test_an_absent_line_that_is_not_found_stays_as_it_was_and_is_looked_up_again() -> None:
    row = row_with(a=LINE)
    assert told(row, joint({}), {"a": []}) == []
    assert row.lines == {"a": LINE} and row.dirty


def test_an_absent_line_that_was_not_looked_up_is_never_taken_for_deleted() -> None:
    row = row_with(a=LINE)
    assert told(row, joint({}), {}, deleted=("a",)) == []
    assert row.lines == {"a": LINE} and row.dirty


def test_an_absent_line_that_we_had_deleted_is_closed() -> None:
    row = row_with(a=LINE)
    assert [(one.out, one.closed) for one in told(row, joint({}), {"a": []}, deleted=("a",))] == [(0, True)]
    assert not row.dirty


def test_a_foreign_goods_out_that_several_looks_do_not_show_over_some_time_counts_as_deleted() -> None:
    row = row_with(a=LINE, shown=LINE)
    shown = {"shown": LINE}
    for began, gone in ((1_000, []), (1_100, []), (1_200, []), (2_999, []), (3_000, ["a"])):
        assert reads.vanished(row, shown, ["a", "shown"], began, 2_000) == gone
    reads.tell(row, joint(shown), {"a": []}, ["a"], 3_000, clean=True)
    assert not row.dirty and row.lines == shown
    assert reads.vanished(row, shown, [], 3_100, 2_000) == [] and not row.unseen


def test_two_looks_at_a_foreign_goods_out_are_too_few_and_one_that_shows_it_begins_anew() -> None:
    row = row_with(a=LINE)
    reads.vanished(row, {}, ["a"], 1_000, 2_000)
    assert reads.vanished(row, {}, ["a"], 9_000, 2_000) == []
    reads.vanished(row, {"a": LINE}, [], 9_500, 2_000)
    for began in (10_000, 10_100, 10_200):
        assert reads.vanished(row, {}, ["a"], began, 2_000) == []


def test_a_line_that_opened_again_after_the_balances_were_read_counts_as_nothing_out_and_is_read_again() -> None:
    row = row_with(a=LINE)
    assert [(one.out, one.closed) for one in told(row, joint({}), {"a": [Found("ALLOCATED", 2, "MAIN")]})] == [
        (0, False)
    ]
    assert row.dirty
    assert [(one.reference, one.out) for one in told(row, joint({"a": LINE}))] == [("a", 2)]


def test_a_line_that_came_and_went_between_two_reads_is_looked_up() -> None:
    row = row_with()
    reads.expect(row, "a")
    assert reads.absent(row, {}) == ["a"]
    found = {"a": [Found("COMPLETED", 2, "MAIN")]}
    assert [(one.reference, one.out, one.closed) for one in told(row, joint({}), found)] == [("a", 2, True)]


def test_what_is_expected_does_not_hide_what_was_seen() -> None:
    row = row_with(a=LINE)
    reads.expect(row, "a")
    assert row.lines == {"a": LINE}


def test_the_read_number_rises_and_a_lost_row_does_not_start_below_its_past() -> None:
    row = row_with()
    first = reads.tell(row, joint({}), {}, (), 5_000, clean=True)[0].read_no
    second = reads.tell(row, joint({}), {}, (), 4_000, clean=True)[0].read_no
    rebuilt = reads.tell(ReadRow("S"), joint({}), {}, (), 6_000, clean=True)[0].read_no
    assert first < second < rebuilt


def test_only_the_first_read_of_a_row_is_whole() -> None:
    row = ReadRow("S")
    reads.expect(row, "gone")
    assert [level.whole for level in reads.tell(row, joint({"a": LINE}), {}, (), 5_000, clean=True)] == [True]
    assert [level.whole for level in reads.tell(row, joint({"a": LINE}), {}, (), 6_000, clean=True)] == [False]


@given(st.integers(0, 3 * CHUNK + 1))
def test_long_reads_come_in_chunks_with_the_balances_in_the_last(count: int) -> None:
    lines = {f"o{n}": LINE for n in range(count)}
    levels = reads.tell(row_with(), joint(lines), {}, (), 1_000, clean=True)
    assert sum(len(level.lines) for level in levels) == count
    assert all(len(level.lines) <= CHUNK for level in levels)
    assert [level.chunk for level in levels] == list(range(len(levels)))
    assert {level.chunks for level in levels} == {len(levels)}
    assert len({level.read_no for level in levels}) == 1
    assert [bool(level.balances) for level in levels] == [False] * (len(levels) - 1) + [True]


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5)), max_size=8))
def test_differences_add_up_to_what_the_warehouse_shows(shown: list[dict[str, int]]) -> None:
    row, ledger = ReadRow("S"), dict[str, int]()
    for number, outs in enumerate(shown):
        read = joint({name: SeenLine(out, "MAIN") for name, out in outs.items()})
        found = {name: [Found("PENDING", 0, "MAIN")] for name in reads.absent(row, read.lines)}
        for level in reads.tell(row, read, found, (), number, clean=True):
            ledger.update({line.reference: line.out for line in level.lines})
        assert {name: out for name, out in ledger.items() if out} == outs
