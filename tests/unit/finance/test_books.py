"""What was booked: whatever comes in whatever order, days come to what is known, and every line has one status."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import AuthoriseReturn, RefundOutcome, WarehouseReturn
from tables.finance import facts
from tables.finance.fold import day
from tables.finance.report import FinanceLine, Report, line
from tables.finance.rows import KINDS, STATUSES
from tests.unit.finance.support import DAY, NOW, Books, bought, paid
from tests.unit.orders.test_despatch import left, parcel
from tests.unit.orders.test_fold import CATALOGUE, answer

cents = st.integers(0, 4000)
MONEY = st.fixed_dictionaries(
    {
        "total": st.sampled_from([2800, 2500, 0]),
        "captured": st.one_of(st.none(), cents),
        "state": st.sampled_from(["OPEN", "OPEN", "CANCELLED"]),
        "currency": st.sampled_from(["EUR", "EUR", "EUR", "USD", ""]),
        "payments": st.lists(
            st.builds(
                paid,
                st.sampled_from("abcd"),
                cents,
                st.sampled_from(["CHARGE", "REFUND", "CHARGEBACK"]),
                st.sampled_from(["DONE", "PENDING", "FAILED"]),
                st.integers(0, 5).map(lambda days: NOW + days * DAY),
            ),
            max_size=4,
            unique_by=lambda one: one.payment_id,
        ),
    }
)


@st.composite
def snapshots(draw: st.DrawFn) -> Any:
    fields = draw(MONEY)
    if fields["captured"] is not None:
        back = [one for one in fields["payments"] if one.kind != "CHARGE" and one.state != "FAILED"]
        fields["refunded"] = sum(one.amount for one in back) + draw(st.integers(0, 500))
    else:
        fields["refunded"] = None
    found = bought(draw(st.integers(1, 6)), **fields)
    found.modified_at = NOW + draw(st.integers(0, 5)) * DAY
    return found


PARCELS = st.lists(
    st.sampled_from([parcel("a", MUG=2), parcel("b", CARD=1), parcel("c", MUG=1)]),
    max_size=2,
    unique_by=lambda x: x.parcel_id,
)
EVENTS = st.one_of(
    snapshots(),
    st.sampled_from(["PENDING", "ALLOCATED", "CANCELLED", "REFUSED", "COMPLETED"]).map(answer),
    st.builds(lambda at, found, end: left(at, *found, complete=end), st.integers(1, 99), PARCELS, st.booleans()),
    st.builds(
        lambda at, mugs: WarehouseReturn(
            return_id="R", reference="R", state="RECEIVED", read_at=at, received={"MUG": mugs}, restocked={"MUG": mugs}
        ),
        st.integers(1, 99),
        st.integers(0, 3),
    ),
    st.just(AuthoriseReturn(return_id="R", lines={"M1": 2}, actor="kim", reason="too small")),
    st.builds(
        lambda part, amount: RefundOutcome(return_id="R", part=part, version=1, state="SETTLED", amount=amount),
        st.integers(1, 2),
        cents,
    ),
    st.integers(0, 2 * DAY),
)


def play(events: list[Any]) -> Books:
    books = Books()
    for event in events:
        if isinstance(event, int):
            books.later(event)
        else:
            books(event)
    return books


@given(st.lists(EVENTS, max_size=12))
def test_days_come_to_what_is_known_whatever_happens(events: list[Any]) -> None:
    books = play(events)
    order, told = books.order, books.sums()
    seen = order.snapshot if order is not None else None
    booked: Counter[str] = Counter()
    for name, amount in books.row.booked.items():
        head = name.partition("/")[0]
        booked["captured" if head == "charge" else head] += amount
    assert told == {kind: amount for kind, amount in booked.items() if amount}
    if seen is not None and seen.currency == books.row.currency and seen.captured is not None and seen.currency:
        known: Counter[str] = Counter()
        for fact in facts.booked(seen, facts.facts(order, seen, books.returns, books.row, CATALOGUE)):
            known[fact.kind] += fact.amount
        assert told == {kind: amount for kind, amount in known.items() if amount}
        assert told.get("captured", 0) == seen.captured
        assert told.get("refunded", 0) + told.get("charged_back", 0) == seen.refunded
    assert all(kinds.keys() <= set(KINDS) and all(kinds.values()) for kinds in books.row.days.values())


@given(st.lists(EVENTS, max_size=12))
def test_every_exception_that_is_open_is_what_the_row_has_and_time_alone_ends_in_rest(events: list[Any]) -> None:
    books = play(events)
    known = books.row.exception
    assert books.open().get("payment_mismatch") == (known.detail if known is not None else None)
    if books.order is not None and books.order.snapshot is not None:
        assert (books.row.status == "mismatched") == bool(books.open())
    books.later(3 * DAY)
    assert books.row.due == 0
    before = len(books.told)
    books.later(3 * DAY)
    assert len(books.told) == before, "nothing is told again"


@given(st.lists(st.lists(EVENTS, min_size=1, max_size=8), max_size=6))
def test_matched_open_and_mismatched_come_to_everything_to_the_cent(orders: list[list[Any]]) -> None:
    report, lines = Report(2), list[FinanceLine]()
    for number, events in enumerate(orders):
        row = play(events).row
        row.order_id = str(number)
        lines += [line(row, date) for date in row.days]
    for one in report.watch(lines):
        assert one.status in STATUSES
    for kind in KINDS:
        total = sum(one.amounts.get(kind, 0) for one in lines)
        assert sum(sums.of(kind) for sums in report.sums()) == total
        for sums in report.sums():
            assert sums.of(kind) == sum(sums.amounts[kind][status] for status in STATUSES)
    assert report.orders().total() == len(lines)
    assert len(report.mismatched) <= 2


def test_each_movement_is_booked_on_its_own_day() -> None:
    first, later = NOW, NOW + 3 * DAY
    books = Books()(
        bought(captured=2000, payments=[paid("a", 1500, at=first), paid("b", 500, at=first + DAY)]),
    )
    assert books.row.days == {
        day(first): {"ordered": 2800, "captured": 1500},
        day(first + DAY): {"captured": 500},
    }
    again = bought(2, captured=2800, total=2500, payments=[paid("a", 1500, at=first), paid("b", 500, at=first + DAY)])
    again.modified_at = later
    books(again)
    assert books.row.days[day(later)] == {"ordered": -300, "captured": 800}


def test_a_payment_that_failed_afterwards_is_taken_back_on_the_day_it_did() -> None:
    books = Books()(bought(captured=2800, payments=[paid("a", 2800)]))
    gone = bought(2, captured=0, payments=[paid("a", 2800, state="FAILED")])
    gone.modified_at = NOW + DAY
    books(gone)
    assert books.row.days[day(NOW)]["captured"] == 2800 and books.row.days[day(NOW + DAY)] == {"captured": -2800}
