"""One return at the warehouse: one goods-in receipt for it, and what is told of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import AnnounceReturn
from tables.deliveries import looks
from tables.deliveries import receipts as rules
from tables.deliveries.receipts import ReceiptRow, SeenReceipt

UNKNOWN, EVERY = 6000, 1000


def command(version: int = 1) -> AnnounceReturn:
    return AnnounceReturn(
        channel="clarus",
        order_key="shop:7",
        number="A7",
        order_reference="shop:7",
        return_id="r",
        reference="shop:7:r",
        version=version,
        lines={"MUG": 2},
    )


def row_of(version: int = 1) -> ReceiptRow:
    row = ReceiptRow("shop:7:r", "shop:7", "r")
    assert rules.want(row, command(version), 100)
    return row


def look(row: ReceiptRow, *there: SeenReceipt, at: int = 200) -> list[Any]:
    return [(one.state, one.restocked) for one in rules.found(row, list(there), at, UNKNOWN, EVERY, at)]


def test_it_is_looked_for_before_it_is_made() -> None:
    row = row_of()
    assert not rules.may_announce(row, 150)
    assert look(row) == []
    assert rules.may_announce(row, 200)
    assert look(row, SeenReceipt("9", "ANNOUNCED")) == [("ANNOUNCED", {})]
    assert not rules.may_announce(row, 300)
    assert not rules.pending(row)


def test_a_lost_create_is_looked_for_until_clarus_cannot_be_working_on_it() -> None:
    row = row_of()
    look(row)
    rules.begin(row, 300)
    looks.unknown(row, 350)
    look(row, at=400)
    assert not rules.may_announce(row, row.next_at)
    look(row, at=300 + UNKNOWN)
    assert not rules.may_announce(row, 350 + UNKNOWN), "it was given up later"
    look(row, at=350 + UNKNOWN)
    assert rules.may_announce(row, 350 + UNKNOWN)
    assert look(row, SeenReceipt("9", "ANNOUNCED"), at=7000) == [("ANNOUNCED", {})]


def test_a_look_that_began_before_the_last_request_says_nothing() -> None:
    row = row_of()
    look(row)
    rules.begin(row, 300)
    rules.announced(row, "9", 350)
    assert rules.found(row, [], 320, UNKNOWN, EVERY, 400) == []
    assert row.wms_id == "9"


def test_figures_are_told_when_they_change_and_a_deleted_receipt_is_gone() -> None:
    row = row_of()
    here = SeenReceipt("9", "RECEIVED", {"MUG": 2}, {"MUG": 1})
    assert look(row, here) == [("RECEIVED", {"MUG": 1})]
    assert look(row, here, at=300) == []
    assert look(row, at=400) == [("GONE", {})]
    assert not rules.is_open(row)


def test_without_figures_a_completed_receipt_counts_as_announced_and_one_under_way_as_nothing() -> None:
    row = row_of()
    assert look(row, SeenReceipt("9", "RECEIVED", lines=False)) == [("RECEIVED", {})]
    assert look(row, SeenReceipt("9", "COMPLETED", lines=False), at=300) == [("COMPLETED", {"MUG": 2})]


def test_a_refused_announcement_may_be_made_anew() -> None:
    row = row_of()
    look(row)
    rules.begin(row, 300)
    (said,) = rules.refused(row, "no such product", 350)
    assert (said.state, said.detail) == ("REFUSED", "no such product")
    assert not rules.is_open(row)
    assert rules.want(row, command(2), 400)
    look(row, at=450)
    assert rules.may_announce(row, 450)


fates = st.sampled_from(["ok", "lost", "lost late", "lost before", "unavailable", "restart", "wait"])


@given(st.lists(fates, max_size=30))
def test_whatever_is_lost_or_killed_there_is_one_receipt(script: list[str]) -> None:
    row, now = row_of(), 1000
    there: list[SeenReceipt] = []
    flying: list[int] = []
    for fate in [*script, *["ok", "wait"] * 5]:
        now += 500 if fate != "wait" else UNKNOWN
        for due in [due for due in flying if due <= now]:
            flying.remove(due)
            there.append(SeenReceipt(str(len(there)), "ANNOUNCED"))
        if fate == "restart":
            rules.foreign(row, now)
        rules.found(row, there, now, UNKNOWN, EVERY, now)
        if not rules.may_announce(row, now):
            continue
        rules.begin(row, now)
        if fate in ("ok", "lost", "restart", "wait"):
            there.append(SeenReceipt(str(len(there)), "ANNOUNCED"))
        if fate == "lost late":
            flying.append(now + UNKNOWN - 1)
        if fate == "ok":
            rules.announced(row, there[-1].wms_id, now)
        elif fate == "unavailable":
            rules.not_sent(row, 100, now)
        else:
            looks.unknown(row, now)
    assert len(there) == 1
    assert not rules.pending(row)
