"""The story of an order as people and programs see it: every event with what came of it, money, returns, and no personal data."""

import io

import pytest
from rich.console import Console

from app.settings import Settings
from app.why import order_ask, order_show, order_story
from schemas.catalogue import INTEGRATION_EXCEPTIONS, ORDERS_EVENTS, ORDERS_STATUS
from schemas.records import ExceptionState, ExceptionStep
from tables.deliveries.receipts import ReceiptIntent, ReceiptRow
from tables.deliveries.refunds import RefundRow
from tables.explain.order_report import OrderAnswer
from tests.support.engine import MemoryEngine
from tests.unit.explain.test_order import SECRETS, personal
from tests.unit.finance.support import DAY, Books, bought
from tests.unit.finance.test_judge import SENT, authorised, came_back
from tests.unit.orders.test_fold import answer
from tests.unit.why.rig import PARTITIONS, TABLES, Topic, asked, place, record, state


def story(settings: Settings) -> order_story.Story:
    step = ExceptionStep(at=20_000, action="opened", actor="", reason="")
    gap = ExceptionState(
        exception_id="despatch_gap:shop:A7", type="despatch_gap", entity="shop:A7", owner="integration", state="OPEN",
        detail="a parcel is not there", opened_at=20_000, changed_at=20_000, history=[step],
    )  # fmt: skip
    topic = Topic(
        **{
            ORDERS_EVENTS.name: [
                ("shop:7", record(ORDERS_EVENTS, personal(paid=False), 10_000, "ingress.webhooks:1:5:0")),
                ("shop:8", record(ORDERS_EVENTS, personal(version=7), 10_500)),
                ("shop:7", record(ORDERS_EVENTS, personal(version=2, note="of Ada, new"), 11_000)),
                ("shop:7", record(ORDERS_EVENTS, answer("PENDING"), 11_000, source="clarus")),
            ],
            ORDERS_STATUS.name: [
                (
                    "shop:7",
                    record(ORDERS_STATUS, state("7", "A7", "HELD", reason="unpaid"), 10_000, "orders.events:0:0:1"),
                ),
                ("shop:7", record(ORDERS_STATUS, state("7", "A7", "RELEASING"), 11_000, "orders.events:0:2:1")),
                ("shop:7", record(ORDERS_STATUS, state("7", "A7", "RELEASED"), 11_000, "orders.events:0:3:1")),
            ],
            INTEGRATION_EXCEPTIONS.name: [("x", record(INTEGRATION_EXCEPTIONS, gap, 20_000))],
        }
    )
    return order_story.read_story(settings, "shop:7", ["shop:7", "shop:A7"], 50, 1_000, topic)


def test_every_event_is_followed_by_what_came_of_it(settings: Settings) -> None:
    found = story(settings)
    assert [(one.kind, one.text) for one in found.told] == [
        ("event", "v1, wanted, not paid, 2 lines, 3 units"),
        ("decision", "HELD: unpaid"),
        ("event", "v2, wanted, paid, 2 lines, 3 units, changed: payment not paid → paid, note"),
        ("decision", "RELEASING"),
        ("event", "goods out 1 PENDING"),
        ("decision", "RELEASED"),
        ("exception", "despatch_gap opened: a parcel is not there"),
    ]
    assert found.gaps == []
    assert (found.told[0].source, found.told[0].place, found.told[0].cause) == (
        "shop",
        "orders.events:0:0",
        "ingress.webhooks:1:5",
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_screen_has_all_of_it_and_no_personal_data(width: int, settings: Settings, engine: MemoryEngine) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    order_show.show(console, asked(settings, engine), story(settings))
    shown = stream.getvalue()
    plain = " ".join(shown.split())
    for words in (
        "shop:7", "ALLOCATED", "number A7", "not shown here: address, note, gift message", "picks it",
        "shop is paused by kim: import", "despatch_gap:shop:A7", "T-77", "goods out 77 ALLOCATED", "Counts against stock: 1 eaches",
        "→ HELD: unpaid", "goods out 1 PENDING",
    ):  # fmt: skip
        assert words in plain, words
    assert [word for word in SECRETS if word in shown] == []
    assert max(map(len, shown.splitlines())) <= width
    assert ("orders.events:0:3" in shown) == (width > 80)


def test_json_is_the_same_without_personal_data(settings: Settings, engine: MemoryEngine) -> None:
    plain = order_ask.as_plain(asked(settings, engine))
    text = str(plain)
    assert [word for word in SECRETS if word in text] == []
    assert isinstance(plain["answer"], dict) and plain["answer"]["head"]["given"] == ["address", "note", "gift message"]
    assert OrderAnswer.__struct_fields__ == tuple(plain["answer"])


def test_money_and_what_finance_has_open_are_told(settings: Settings) -> None:
    engine, books = MemoryEngine(PARTITIONS), Books()(bought(hold="looks like fraud")).later(DAY)
    home = place("shop:7")
    engine.run(home, lambda context: context.put(TABLES.orders, "shop:7", books.order))
    engine.run(home, lambda context: context.put(TABLES.money, "shop:7", books.row))
    found = asked(settings, engine)
    told = found.answer
    assert told.money is not None and (told.money.total, told.money.captured, told.money.status) == (
        "28.00",
        "28.00",
        "mismatched",
    )
    assert [one.exception_id for one in told.exceptions] == ["payment_hold:shop:A7", "payment_mismatch:shop:A7"]
    assert [one.what for one in told.awaits] == ["customer service", "finance"]
    stream = io.StringIO()
    order_show.show(Console(file=stream, width=120, highlight=False), found, None)
    assert (
        "Money: mismatched: 28.00 EUR is captured" in stream.getvalue()
        and "2024-10-04: ordered 28.00" in stream.getvalue()
    )


def test_returns_are_told_with_their_receipt_and_their_refund(settings: Settings) -> None:
    books = Books()(bought(), *SENT, authorised(), came_back(1, state="RECEIVED"))
    engine, book = MemoryEngine(PARTITIONS), books.returns
    assert book is not None
    home = place("shop:7")
    engine.run(home, lambda context: context.put(TABLES.orders, "shop:7", books.order))
    engine.run(home, lambda context: context.put(TABLES.returns, "shop:7", book))
    reference = book.returns["R1"].reference
    receipt = ReceiptRow(reference, "shop:7", "R1", version=1, attempts=1, intent=ReceiptIntent(9000, 1))
    engine.run(place("clarus"), lambda context: context.put(TABLES.delivery.receipts, reference, receipt))
    refund = RefundRow("shop", "7", "R1", 1, version=2, attempts=3, next_at=99_000)
    engine.run(place("shop"), lambda context: context.put(TABLES.delivery.refunds, refund.key, refund))
    found = asked(settings, engine)
    [told] = found.answer.returns
    assert (told.return_id, told.receipt, told.received, told.refunds) == (
        "R1",
        "RECEIVED",
        {"MUG": 1},
        ["10.00 EUR asked for"],
    )
    calls = {one.what: one for one in found.answer.calls}
    assert calls["one receipt of return R1"].intent == "create"
    assert (calls["refund 1 of return R1"].attempts, calls["refund 1 of return R1"].next_at) == (3, 99_000)
    assert [one.detail for one in found.answer.awaits] == [
        "return R1: what came back is inspected",
        "return R1: its refund is made and shown",
    ]
    stream = io.StringIO()
    order_show.show(Console(file=stream, width=200, highlight=False), found, None)
    assert (
        "R1: M1 2; at the warehouse: RECEIVED; arrived MUG 1, restocked MUG 1; refund: 10.00 EUR asked for"
        in stream.getvalue()
    )
    alone = MemoryEngine(PARTITIONS)
    alone.rows, alone.lost = engine.rows, {place("clarus")}
    assert place("clarus") != home
    assert any("receipts of returns lies in partition" in line for line in asked(settings, alone).missing)
