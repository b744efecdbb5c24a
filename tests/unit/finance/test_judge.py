"""How an order's money stands: what is matched, what is open, what does not fit, when, and that it goes away by itself."""

from typing import Any

import pytest

from schemas.records import AuthoriseReturn, ExceptionCommand, RefundOutcome, WarehouseReturn
from tests.unit.finance.support import DAY, Books, bought, paid
from tests.unit.orders.test_despatch import left, parcel
from tests.unit.orders.test_fold import answer

SENT = [answer("PICK"), left(9, parcel("a", MUG=2, CARD=1), complete=True), answer("COMPLETED")]
HELD: dict[str, Any] = {"hold": "looks like fraud"}


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


def test_what_is_sent_before_it_is_paid_by_agreement_stays_open() -> None:
    books = Books()(bought(captured=0, agreed=True), *SENT).later(9 * DAY)
    assert (books.open(), books.row.status, books.row.reasons) == ({}, "open", ["not captured yet"])
    assert books(bought(2, agreed=True)).row.status == "matched"


def test_what_the_warehouse_did_not_send_is_to_be_refunded() -> None:
    short = left(9, parcel("a", MUG=2), complete=True)
    books = Books()(bought(), short).later(DAY)
    assert books.open() == {"payment_mismatch": "5.00 EUR is captured for what the warehouse did not send"}
    assert books.sums()["despatched"] == 2300
    books(bought(2, refunded=500))
    assert (books.open(), books.row.status) == ({}, "matched")


def authorised(units: int = 2) -> AuthoriseReturn:
    return AuthoriseReturn(return_id="R1", lines={"M1": units}, actor="kim", reason="too small")


def came_back(mugs: int, read_at: int = 20, state: Any = "COMPLETED") -> WarehouseReturn:
    eaches = {"MUG": mugs}
    return WarehouseReturn(
        return_id="R1", reference="R1", state=state, read_at=read_at, received=eaches, restocked=eaches
    )


def test_a_return_is_open_until_its_refund_is_settled_and_shown() -> None:
    books = Books()(bought(), *SENT, authorised())
    assert (books.row.status, books.row.reasons) == ("open", ["a return is on its way"])
    books(came_back(2))
    assert books.row.status == "open" and books.sums()["returned"] == 2000
    assert books.returns is not None
    [part] = books.returns.returns["R1"].parts
    assert part.wanted == 2000
    books(RefundOutcome(return_id="R1", part=1, version=part.version, state="SETTLED", amount=2000, refund_id="r"))
    assert books.row.reasons == ["a refund is not shown by the storefront yet"]
    books(bought(2, refunded=2000, payments=[paid("c", 2800), paid("r", 2000, "REFUND")]))
    assert (books.open(), books.row.status, books.row.reasons) == ({}, "matched", [])
    assert books.sums() == {"ordered": 2800, "captured": 2800, "despatched": 2800, "refunded": 2000, "returned": 2000}


def test_what_the_rules_of_returns_do_not_like_is_a_mismatch() -> None:
    books = Books()(bought(), *SENT, bought(2, refunded=2000, payments=[paid("x", 2000, "REFUND")]))
    assert list(books.open()) == ["refund_mismatch"] and "without a return" in books.open()["refund_mismatch"]
    assert books.row.status == "mismatched" and books.row.exception is None
    assert books.row.reasons == [books.open()["refund_mismatch"]]


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


def operated(action: str, name: str, reason: str) -> ExceptionCommand:
    return ExceptionCommand(channel="shop", exception_id=name, action=action, actor="kim", reason=reason)


def test_resolved_by_hand_is_accepted_until_it_says_something_else() -> None:
    books = Books()(bought(foreign=["USD"]), *SENT)
    [opened] = books.told
    books(operated("resolve", opened.exception_id, "paid in cash"))
    assert (books.open(), books.row.status) == ({}, "matched")
    assert books.row.reasons == [f"accepted by hand: {opened.detail}"]
    assert (books.told[-1].state, books.told[-1].actor, books.told[-1].reason) == ("RESOLVED", "kim", "paid in cash")
    books(bought(2, foreign=["USD"])).later(DAY)
    assert books.open() == {}
    books(bought(3, foreign=["GBP", "USD"]))
    assert list(books.open()) == ["payment_mismatch"]


def test_acknowledged_stays_open() -> None:
    books = Books()(bought(foreign=["USD"]), *SENT)
    books(operated("acknowledge", books.told[0].exception_id, "looking"))
    assert books.told[-1].state == "ACKNOWLEDGED" and books.row.status == "mismatched"


def test_before_its_order_nothing_is_booked() -> None:
    books = Books()(left(9, parcel("a", MUG=2, CARD=1), complete=True))
    assert (books.row.days, books.told) == ({}, [])
    assert books(bought()).sums() == {"ordered": 2800, "captured": 2800, "despatched": 2800}
