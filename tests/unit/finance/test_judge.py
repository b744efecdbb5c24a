"""How an order's money stands: what is matched, what is open, what does not fit, when, and that it goes away by itself."""

from typing import Any

import pytest

from schemas.records import (
    AuthoriseReturn,
    ExceptionCommand,
    RefundOutcome,
    ReturnLine,
    StorefrontReturn,
    WarehouseReturn,
)
from tests.unit.finance.support import DAY, Books, bought, paid
from tests.unit.orders.test_despatch import left, parcel
from tests.unit.orders.test_fold import answer

SENT = [answer("PICK"), left(9, parcel("a", MUG=2, CARD=1), complete=True), answer("COMPLETED")]
HELD: dict[str, Any] = {"hold": "looks like fraud"}


def came_back(read_at: int = 20, **eaches: int) -> WarehouseReturn:
    return WarehouseReturn(return_id="R1", reference="R1", state="COMPLETED", read_at=read_at, received=eaches)


def test_paid_and_despatched_is_matched_and_open_before() -> None:
    books = Books()(bought(captured=0))
    assert (books.row.status, books.row.reasons) == ("open", ["not captured yet", "not despatched yet"])
    books(bought(2))
    assert (books.row.status, books.row.reasons) == ("open", ["not despatched yet"])
    books(left(9, parcel("a", MUG=2)))
    assert books.row.reasons == ["despatched in part"]
    books(*SENT[:1], left(10, parcel("a", MUG=2), parcel("b", CARD=1), complete=True))
    assert (books.row.status, books.row.reasons, books.told) == ("matched", [], [])
    assert books.sums() == {"ordered": 2800, "captured": 2800, "despatched": 2800}


@pytest.mark.parametrize("state", [{"currency": ""}, {"captured": None}])
def test_amounts_that_are_not_told_are_open_and_say_so(state: dict[str, Any]) -> None:
    books = Books()(bought(**state), *SENT).later(9 * DAY)
    assert (books.row.status, books.row.reasons, books.told) == ("open", ["amounts are not told by the storefront"], [])


def test_captured_and_not_at_the_warehouse_is_a_mismatch_after_its_time_and_goes_away_by_itself() -> None:
    books = Books()(bought(**HELD))
    assert books.row.status == "open" and books.open() == {}
    books.later(books.row.due - books.now - 1)
    assert books.open() == {}
    books.later(1)
    text = "28.00 EUR is captured, and the order is not at the warehouse: HELD, payment_hold"
    assert books.open() == {"payment_mismatch": text} and books.row.status == "mismatched" and books.row.due == 0
    assert [one.owner for one in books.told] == ["finance"]
    books(bought(2))
    assert books.order.state == "RELEASING", "finance's exception holds nothing back"
    assert books.open() == {} and books.row.status == "open"
    assert books.told[-1].history[-1].action == "resolved"


def test_a_finding_keeps_its_time_while_its_text_changes() -> None:
    books = Books()(bought(captured=1000, **HELD))
    books.later(3_000_000)(bought(2, captured=2800, **HELD)).later(600_000)
    assert "28.00 EUR" in books.open()["payment_mismatch"]


def test_cancelled_without_a_refund() -> None:
    books = Books()(bought(captured=0))(bought(2, captured=0, state="CANCELLED"))
    assert (books.row.status, books.sums()) == ("matched", {})
    books = Books()(bought())(bought(2, state="CANCELLED"))
    assert books.row.status == "open" and books.row.reasons == ["cancelled, and 28.00 EUR is not refunded"]
    assert books.sums() == {"captured": 2800}, "it is not ordered any more"
    books.later(DAY)
    assert books.open() == {"payment_mismatch": "cancelled, and 28.00 EUR is not refunded"}
    books(bought(3, state="CANCELLED", refunded=1000))
    assert books.open() == {"payment_mismatch": "cancelled, and 18.00 EUR is not refunded"}
    books(bought(4, state="CANCELLED", refunded=2800))
    assert (books.open(), books.row.status) == ({}, "matched")


def test_more_captured_than_ordered_and_less_than_was_sent() -> None:
    books = Books()(bought(captured=3000), *SENT).later(DAY)
    assert books.open() == {"payment_mismatch": "2.00 EUR more is captured than the order comes to"}
    books = Books()(bought(captured=2000), *SENT).later(DAY - 1)
    assert books.open() == {} and books.row.status == "open"
    books.later(1)
    assert books.open() == {"payment_mismatch": "left the warehouse, and 8.00 EUR of 28.00 EUR is not captured"}


def test_what_the_warehouse_did_not_send_is_to_be_refunded() -> None:
    short = left(9, parcel("a", MUG=2), complete=True)
    books = Books()(bought(), short).later(DAY)
    assert books.open() == {"payment_mismatch": "5.00 EUR is captured for what the warehouse did not send"}
    assert books.sums()["despatched"] == 2300
    books(bought(2, refunded=500))
    assert (books.open(), books.row.status) == ({}, "matched")


def test_refunded_above_what_was_captured_is_a_mismatch_at_once() -> None:
    books = Books()(bought(refunded=2801, state="CANCELLED"))
    assert books.open() == {"refund_mismatch": "28.01 EUR was refunded, only 28.00 EUR was captured"}


def test_a_refund_without_a_return_is_a_mismatch_at_once_and_a_return_explains_it() -> None:
    books = Books()(bought(), *SENT, bought(2, refunded=2000))
    assert list(books.open()) == ["refund_mismatch"]
    assert "20.00 EUR was refunded without a return" in books.open()["refund_mismatch"]
    books(came_back(MUG=2))
    assert (books.open(), books.row.status) == ({}, "matched")
    assert books.sums() == {"ordered": 2800, "captured": 2800, "despatched": 2800, "refunded": 2000, "returned": 2000}


def test_shipping_may_go_back_with_the_goods() -> None:
    books = Books()(bought(), *SENT, came_back(MUG=2), bought(2, refunded=2300))
    assert (books.open(), books.row.status) == ({}, "matched")


@pytest.mark.parametrize("by", ["storefront", "operator"])
def test_a_refund_ahead_of_an_authorised_return_is_open(by: str) -> None:
    told = StorefrontReturn(return_id="R1", lines=[ReturnLine(line_id="1", units=1)])
    authorised = AuthoriseReturn(return_id="R1", lines={"M1": 1}, actor="kim", reason="too small")
    books = Books()(bought(), *SENT)
    if by == "operator":
        books(authorised)
    books(bought(2, refunded=1000, returns=[told] if by == "storefront" else []))
    assert (books.open(), books.row.status, books.row.reasons) == ({}, "open", ["a return is on its way"])


def test_goods_that_came_back_are_to_be_refunded() -> None:
    books = Books()(bought(), *SENT, came_back(MUG=1)).later(DAY)
    assert books.open() == {"refund_mismatch": "goods came back, and 10.00 EUR of them is not refunded"}
    books(RefundOutcome(return_id="R1", part=1, version=1, state="SETTLED", amount=900))
    assert books.open() == {"refund_mismatch": "goods came back, and 9.00 EUR of them is not refunded"}
    books(bought(2, refunded=900))
    assert (books.open(), books.row.status) == ({}, "matched"), "what was settled for the return decides"


def test_a_chargeback_and_a_second_currency_are_mismatches_at_once() -> None:
    books = Books()(bought(), *SENT, bought(2, refunded=2800, payments=[paid("b", 2800, "CHARGEBACK")]))
    assert books.open() == {"payment_mismatch": "28.00 EUR was charged back"}
    assert books.sums()["charged_back"] == 2800 and "refunded" not in books.sums()
    books = Books()(bought(foreign=["USD"]), *SENT)
    assert books.open() == {"payment_mismatch": "money moved in USD beside EUR: those amounts are not counted"}
    books = Books()(bought(), bought(2, currency="USD", total=9900))
    assert list(books.open()) == ["payment_mismatch"] and books.sums()["ordered"] == 2800


def test_a_refund_before_the_goods_left_waits_for_the_warehouse() -> None:
    books = Books()(bought(), answer("ALLOCATED"), bought(2, refunded=500))
    assert (books.open(), books.row.status) == ({}, "open")
    books(left(9, parcel("a", MUG=2), complete=True))
    assert (books.open(), books.row.status) == ({}, "matched")


def test_what_needs_no_warehouse_is_matched_when_it_is_paid() -> None:
    books = Books()(bought(excluded="complete at the storefront already"))
    assert (books.order.state, books.row.status) == ("IGNORED", "matched")
    assert Books()(bought(excluded="imported", captured=0)).row.status == "open"


def test_resolved_by_hand_is_accepted_until_it_says_something_else() -> None:
    books = Books()(bought(), *SENT, bought(2, refunded=1000))
    [opened] = books.told
    books(
        ExceptionCommand(
            channel="shop", exception_id=opened.exception_id, action="resolve", actor="kim", reason="goodwill"
        )
    )
    assert (books.open(), books.row.status) == ({}, "matched")
    assert books.row.reasons == [f"accepted by hand: {opened.detail}"]
    assert (books.told[-1].state, books.told[-1].actor, books.told[-1].reason) == ("RESOLVED", "kim", "goodwill")
    books.later(DAY)
    assert books.open() == {}
    books(bought(3, refunded=1500))
    assert list(books.open()) == ["refund_mismatch"]


def test_acknowledged_stays_open() -> None:
    books = Books()(bought(), *SENT, bought(2, refunded=1000))
    name = books.told[0].exception_id
    books(ExceptionCommand(channel="shop", exception_id=name, action="acknowledge", actor="kim", reason="looking"))
    assert books.told[-1].state == "ACKNOWLEDGED" and books.row.status == "mismatched"


def test_before_its_order_nothing_is_booked() -> None:
    books = Books()(left(9, parcel("a", MUG=2, CARD=1), complete=True))
    assert (books.row.days, books.told) == ({}, [])
    assert books(bought()).sums() == {"ordered": 2800, "captured": 2800, "despatched": 2800}
