"""`why ORDER`: workers tell what they own, and the order is found by every name people have for it."""

import httpx
import pytest
from confluent_kafka import KafkaError, KafkaException

from app.errors import Problem
from app.settings import Settings
from app.why import order_ask, order_story
from schemas.catalogue import ORDERS_STATUS
from schemas.records import NoteOrder
from tables.deliveries.fetches import FetchRow
from tables.deliveries.notes import NoteRow
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.troubles import TroubleRow
from tests.support.engine import MemoryEngine
from tests.unit.why.rig import CHANNELS, PARTITIONS, TABLES, Topic, Workers, asked, place, record, state


def test_a_worker_tells_everything_that_lies_here(settings: Settings, engine: MemoryEngine) -> None:
    found = asked(settings, engine)
    told = found.answer
    assert told.head is not None and (told.head.state, told.head.number) == ("ALLOCATED", "A7")
    assert [(x.peer, x.shown) for x in told.calls] == [("clarus", "goods out 77 ALLOCATED"), ("shop", "nothing there")]
    assert [(x.tracking, x.state) for x in told.parcels] == [("T-77", "told")]
    assert [x.exception_id for x in told.exceptions] == ["despatch_gap:shop:A7"]
    assert [x.what for x in told.awaits] == ["warehouse", "resume", "answer"]
    assert {sku: one.eaches for sku, one in found.lines.items()} == {"MUG": 1}
    assert found.missing == []


def test_what_keeps_a_whole_channel_back_is_told_where_the_order_waits_for_it(
    settings: Settings, engine: MemoryEngine
) -> None:
    away = TroubleRow("delivery_failed", "shop", "POST /orders: 503", 5000)
    idle = TroubleRow("delivery_failed", "clarus", "GET /graphql: 500", 5000)
    engine.run(place("shop"), lambda context: context.put(TABLES.delivery.troubles, "shop/delivery_failed:shop", away))
    engine.run(
        place("clarus"), lambda context: context.put(TABLES.delivery.troubles, "clarus/delivery_failed:clarus", idle)
    )
    told = asked(settings, engine).answer.exceptions
    assert [one.exception_id for one in told] == ["delivery_failed:shop", "despatch_gap:shop:A7"]


def test_an_owner_whose_requests_fail_says_so_where_the_order_waits_for_it(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"detail": "no scope for orders", "blocking": True, "ok": False}
    owner = {"breaker": "open", "failures_in_a_row": 5, "writes": False, "findings": [wrong]}
    monkeypatch.setitem(CHANNELS, "shop", owner)
    monkeypatch.setitem(CHANNELS, "clarus", owner)
    told = [(one.what, one.detail) for one in asked(settings, engine).answer.awaits]
    assert [what for what, _ in told] == ["warehouse", "resume", "peer", "start check", "answer"]
    assert "shop lets no request through for a moment, 5 failed in a row" in told[2][1]
    assert "no scope for orders" in told[3][1]


def test_what_the_order_says_to_the_shops_people_is_told_with_what_became_of_it(
    settings: Settings, engine: MemoryEngine
) -> None:
    given = NoteOrder(channel="shop", order_id="7", number="A7", version=1, text="refused", open=True)
    note = NoteRow("shop", "7", given, version=1)
    table = TABLES.delivery.notes
    engine.run(place("shop"), lambda context: context.put(table, note.key, note))
    told = asked(settings, engine).answer
    assert ("note that a late change is open", "not known yet") in [(one.what, one.shown) for one in told.calls]
    assert "the note to the storefront's people is to be written, attempt 1" in [one.detail for one in told.awaits]
    trouble = TroubleRow("delivery_failed", "shop:7/note", "no such field", 5000)
    note = NoteRow("shop", "7", given, version=1, answered=1, refused="no such field")
    key = "shop/delivery_failed:shop:7/note"
    engine.run(place("shop"), lambda context: context.put(TABLES.delivery.troubles, key, trouble))
    engine.run(place("shop"), lambda context: context.put(table, note.key, note))
    told = asked(settings, engine).answer
    assert "refused: no such field" in [one.shown for one in told.calls]
    assert "delivery_failed:shop:7/note" in [one.exception_id for one in told.exceptions]


def test_asking_changes_nothing(settings: Settings, engine: MemoryEngine) -> None:
    before = [dict(rows) for rows in engine.rows]
    asked(settings, engine)
    assert ([dict(rows) for rows in engine.rows], engine.sent) == (before, [])


def test_two_workers_together_tell_all_of_it_and_one_alone_says_what_lacks(
    settings: Settings, engine: MemoryEngine
) -> None:
    def owning(*partitions: int) -> MemoryEngine:
        other = MemoryEngine(PARTITIONS)
        other.rows, other.lost = engine.rows, set(range(PARTITIONS)) - set(partitions)
        return other

    home = place("shop:7")
    rest = [number for number in range(PARTITIONS) if number != home]
    workers = Workers(a=owning(home), b=owning(*rest))
    both = order_ask.ask(settings, "shop:7", ["http://a", "http://b/"], workers)
    whole = asked(settings, engine)
    assert both.missing == [] and both.answer.head == whole.answer.head and both.lines == whole.lines
    assert sorted(both.answer.calls, key=str) == sorted(whole.answer.calls, key=str)
    alone = order_ask.ask(settings, "shop:7", ["http://a"], Workers(a=owning(home)))
    lacking = {line.partition(" lies")[0] for line in alone.missing}
    assert {"channel shop", "channel clarus"} - {
        f"channel {x}" for x in ("shop", "clarus") if place(x) == home
    } <= lacking


@pytest.mark.parametrize("word", ["A7", "shop:A7", "shop:7", "7"])
def test_an_order_is_found_by_key_id_and_number(
    word: str, settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [("mall:9", record(ORDERS_STATUS, state("9", "9", channel="mall"), 1)), ("x", b"foreign A7")]
    values += [("shop:7", record(ORDERS_STATUS, state("7", "A7"), 1))] * 2
    topic = Topic(**{ORDERS_STATUS.name: values})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    assert asked(settings, engine, word).answer.key == "shop:7"


def test_a_hashed_reference_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 60
    topic = Topic(**{ORDERS_STATUS.name: [("k", record(ORDERS_STATUS, state(long, "A8"), 1))]})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    assert order_ask.search(settings, "#" + "a" * 40) == [f"shop:{long}"]


def test_a_number_of_two_orders_names_both(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [(key, record(ORDERS_STATUS, state(key, "A1", channel=key), 1)) for key in ("shop", "mall")]
    topic = Topic(**{ORDERS_STATUS.name: values})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    with pytest.raises(Problem, match="A1 names 2 orders: mall:mall, shop:shop; say which one"):
        asked(settings, engine, "A1")


def test_an_id_of_one_channel_that_is_a_number_of_another_names_both(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [("mall:31", record(ORDERS_STATUS, state("31", "7", channel="mall"), 1))]
    topic = Topic(**{ORDERS_STATUS.name: values})
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, topic))
    with pytest.raises(Problem, match="7 names 2 orders: shop:7, mall:31"):
        asked(settings, engine, "7")
    assert asked(settings, engine, "shop:7").answer.key == "shop:7"


def test_without_a_broker_an_order_is_found_by_its_id_and_it_is_said_that_others_were_not_looked_for(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(Topic):
        def list_topics(self, topic: str, timeout: float) -> None:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, Away()))
    found = asked(settings, engine, "7")
    assert found.answer.key == "shop:7" and "other orders of this number" in found.missing[0]
    with pytest.raises(Problem, match="cannot be searched for A7"):
        asked(settings, engine, "A7")


def test_what_is_nowhere_says_how_far_orders_are_known_and_what_to_try(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_ask, "LogReader", lambda *args: order_story.LogReader(*args, Topic()))
    with pytest.raises(Problem) as caught:
        asked(settings, engine, "shop:404")
    text = "\n".join(caught.value.lines)
    for words in ("no SKU, listing or order shop:404", "orders of shop are known up to 2023-11-14", "CHANNEL:ID"):
        assert words in text


def test_an_order_that_is_only_to_be_fetched_is_known(settings: Settings, engine: MemoryEngine) -> None:
    fetch = FetchRow("shop", "8", 1, 4000)
    engine.run(place("shop"), lambda context: context.put(TABLES.delivery.fetches, fetch.key, fetch))
    answer = asked(settings, engine, "shop:8").answer
    assert answer.head is None and answer.known
    assert [one.detail for one in answer.awaits] == ["a notification named it 6 s ago: it is to be fetched"]


def test_a_key_of_no_channel_is_404(engine: MemoryEngine) -> None:
    with httpx.Client(transport=Workers(w=engine)) as client:
        found = client.get("http://w/why/order/nowhere%3A7")
        assert found.status_code == 404 and "CHANNEL:ID" in found.json()["error"]


def test_a_release_row_alone_is_enough_to_know_an_order(settings: Settings) -> None:
    engine = MemoryEngine(PARTITIONS)
    row = ReleaseRow("mall:5", "mall:5", version=1, answered=1, wms_id="9", status="COMPLETED")
    engine.run(place("clarus"), lambda context: context.put(TABLES.delivery.releases, "mall:5", row))
    told = asked(settings, engine, "mall:5").answer
    assert told.known and told.head is None and told.calls[0].shown == "goods out 9 COMPLETED"
