"""The story of an order, from its rows: what is awaited in every state, what each peer was asked, and that no personal data leaves them."""

from typing import Any

import msgspec
import pytest

from schemas.records import (
    Address,
    ExceptionCommand,
    NormalisedOrder,
    NoteOrder,
    OrderSnapshot,
    ReleaseLine,
    ReleaseOrder,
    ShipmentLine,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
)
from tables.deliveries import notes, releases, shipments
from tables.deliveries.notes import NoteRow
from tables.deliveries.release_row import AtWarehouse, ReleaseRow
from tables.deliveries.shipments import ShipmentRow
from tables.explain import order as explain
from tables.explain import order_calls
from tables.explain.order_events import changes, decision, describe
from tables.explain.order_report import OrderAnswer, merge
from tables.explain.report import Part
from tables.orders import attention
from tables.orders.rows import OrderRow
from tests.unit.orders.test_despatch import left, parcel, play
from tests.unit.orders.test_fold import RULES, answer, line, order

PERSON = Address(
    name="Ada Lovelace", company="Engines", line1="12 Ada Street", city="Adaville", postcode="AD1 2LO", country="GB",
    phone="+44 555 0100", email="ada@example.org",
)  # fmt: skip
SECRETS = ("Ada", "Engines", "Adaville", "AD1", "0100", "example.org", "the blue door", "love from")


def personal(**fields: Any) -> OrderSnapshot:
    given = {"address": PERSON, "note": "at the blue door", "gift": "with love from Ada", "shipping_method": "express"}
    return order(line("M1", 2), line("C1", 1, "2"), **{**given, **fields})


def waits(row: OrderRow) -> list[tuple[str, str]]:
    return [(one.what, one.detail) for one in explain.awaits(row)]


@pytest.mark.parametrize(
    ("events", "who", "words"),
    [
        ([order(line("M1", 1), paid=False)], "storefront", "confirms the payment"),
        ([order(line("GHOST", 1))], "ecommerce", "unmapped_sku: no listing for SKU GHOST"),
        ([order(line("M1", 1))], "warehouse", "makes the goods out"),
        ([order(line("M1", 1)), answer("PENDING")], "warehouse", "allocates it"),
        ([order(line("M1", 1)), answer("ALLOCATED")], "warehouse", "picks it"),
        ([order(line("M1", 1)), answer("PICK")], "warehouse", "despatches it"),
        ([order(line("M1", 1)), order(line("M1", 1), version=2, state="CANCELLED")], "warehouse", "answer decides"),
    ],
)
def test_what_is_awaited_names_who_and_what(events: list[Any], who: str, words: str) -> None:
    row, _ = play(*events)
    [(what, detail)] = waits(row)
    assert what == who and words in detail


def test_an_order_whose_hold_was_resolved_by_hand_says_so_and_what_moves_it() -> None:
    row, _ = play(order(line("GHOST", 1)))
    by_hand = ExceptionCommand(
        channel="shop", exception_id=f"unmapped_sku:{row.entity}", action="resolve", actor="kim", reason="entered"
    )
    attention.command(row, by_hand, RULES, 6000)
    [(who, words)] = waits(row)
    assert (row.state, who) == ("HELD", "storefront")
    assert (
        "changes the order, which is then judged anew" in words and "unmapped_sku, which was resolved by hand" in words
    )


def test_an_order_that_is_over_awaits_nothing() -> None:
    row, _ = play(order(line("M1", 1), state="CANCELLED", excluded="imported"))
    assert (row.state, waits(row)) == ("CANCELLED", [])
    sent = [order(line("M1", 1)), answer("COMPLETED"), left(9, parcel("a", MUG=1), complete=True)]
    row, effects = play(*sent)
    assert waits(row) == [], "what the storefront lacks is said by its own rows"
    [command] = [one for one in effects if isinstance(one, ShipParcel)]
    row, _ = play(ShipmentOutcome(parcel_id="a", version=command.version, state="SHIPPED", peer_id="9"), row=row)
    assert (row.state, waits(row)) == ("COMPLETED", [])


def test_a_despatch_without_its_order_awaits_it_until_it_is_said() -> None:
    row, _ = play(left(9, parcel("a", MUG=1)))
    [one] = explain.awaits(row, 77_000)
    assert (one.what, one.until) == ("storefront", 77_000)
    assert explain.head(row) is None


def test_lines_are_told_with_units_eaches_and_what_was_sent() -> None:
    row, _ = play(order(line("M12", 2), line("B1", 1, "2"), line("GHOST", 1, "3")), left(9, parcel("a", MUG=12)))
    head = explain.head(row)
    assert head is not None
    shown = [(x.sku, x.units, x.sent, x.product, x.eaches) for x in head.lines]
    assert shown == [("M12", 2, 1, "MUG", 24), ("B1", 1, 0, "BOX", 3), ("GHOST", 1, 0, "", 0)]
    assert explain.skus(row) == ["BOX", "CARD", "MUG"]


def test_no_personal_data_leaves_a_row_or_an_event() -> None:
    row, _ = play(personal(), answer("ALLOCATED"), left(9, parcel("a", MUG=2)))
    seen = [
        explain.head(row),
        explain.parcels(row),
        explain.exceptions(row.exceptions.values(), row.entity),
        explain.awaits(row),
    ]
    release = released(row)
    seen += [order_calls.release_call(release, "clarus"), order_calls.release_awaits(release, 1, 1)]
    moved = msgspec.structs.replace(PERSON, line1="1 Other Road Adaville")
    seen += [describe(personal(version=2, address=moved, note="new note of Ada"), personal())]
    text = str(msgspec.to_builtins(seen))
    assert [word for word in SECRETS if word in text] == []
    head = explain.head(row)
    assert head is not None and head.given == ["address", "note", "gift message"]


def released(row: OrderRow) -> ReleaseRow:
    wanted = ReleaseRow(row.reference, row.key)
    command = ReleaseOrder(
        channel="clarus", order_key=row.key, reference=row.reference, number="A7", version=5,
        lines=[ReleaseLine(sku="MUG", eaches=2)], address=PERSON, texts={"delivery": "at the blue door"},
    )  # fmt: skip
    releases.want_release(wanted, command, 1000)
    return wanted


def test_a_release_is_told_step_by_step() -> None:
    row = ReleaseRow("shop:7", "shop:7")
    row = released(play(personal())[0])
    [wait] = order_calls.release_awaits(row, 120_000, 1000)
    assert "looked up before anything is sent" in wait.detail
    assert order_calls.release_call(row, "clarus").shown == "not known yet"
    releases.found(row, [], 1001, 120_000, 1001)
    [wait] = order_calls.release_awaits(row, 120_000, 1001)
    assert "to be created" in wait.detail
    step = releases.next_step(row, 1001)
    assert isinstance(step, releases.Create)
    releases.begin(row, step, 2000)
    releases.unknown(row, 2500)
    call = order_calls.release_call(row, "clarus")
    assert (call.intent, call.intent_at, call.attempts, call.shown) == ("create", 2000, 1, "not known yet")
    [wait] = order_calls.release_awaits(row, 120_000, 2500)
    assert (wait.what, wait.until) == ("answer", 122_500)
    releases.found(row, [AtWarehouse("77", "PENDING", "MAIN")], 3000, 120_000, 3000)
    call = order_calls.release_call(row, "clarus")
    assert (call.answered, call.wanted, call.shown) == (5, 5, "goods out 77 PENDING in MAIN")
    assert order_calls.release_awaits(row, 120_000, 3000) == []
    releases.found(row, [], 4000, 120_000, 4000)
    [wait] = order_calls.release_awaits(row, 120_000, 4000)
    assert (wait.what, wait.until) == ("answer", 124_000) and "do not show the goods out" in wait.detail


def test_what_keeps_a_channel_back_is_said() -> None:
    def held(*given: Any) -> list[str]:
        return [f"{one.what}: {one.detail}" for one in order_calls.held_back("bc", *given)]

    assert held("closed", 0, True, []) == []
    assert held("closed", 2, True, []) == ["peer: bc: the last 2 requests failed, they are tried again"]
    assert "breaker open" in held("open", 5, True, [])[0]
    assert held("closed", 0, False, ["no scope for orders"]) == [
        "start check: nothing is written to bc until it agrees: no scope for orders"
    ]


def test_a_parcel_is_told_until_the_storefront_has_it() -> None:
    command = ShipParcel(
        channel="shop", order_id="7", number="A7", parcel_id="p", key="clarus-p", version=3, wanted=True,
        lines=[ShipmentLine(line_id="1", units=2)], tracking="T1",
    )  # fmt: skip
    row = ShipmentRow("shop", "7", "p")
    shipments.want(row, command, 1000)
    [wait] = order_calls.shipment_awaits([row], 900_000)
    assert "attempt 1" in wait.detail and wait.until == 901_000
    shipments.begin(row, shipments.Ship(command), 1500)
    [wait] = order_calls.shipment_awaits([row], 900_000)
    assert wait.what == "answer" and order_calls.shipment_call(row).intent == "ship"
    shipments.accepted(row, "9")
    shipments.answer(row)
    call = order_calls.shipment_call(row)
    assert (call.shown, call.answered, order_calls.shipment_awaits([row], 1)) == ("shipment 9", 3, [])


def test_a_note_is_told_until_the_storefront_shows_it_or_refused_it() -> None:
    row = NoteRow("shop", "7")
    notes.want(row, NoteOrder(channel="shop", order_id="7", number="A7", version=3, text="no", open=True), 1000)
    [wait] = order_calls.note_awaits(row, 1000)
    assert (wait.what, wait.until) == ("delivery", 0) and "attempt 1" in wait.detail
    notes.begin(row, 1500)
    [wait] = order_calls.note_awaits(row, 1500)
    assert wait.what == "answer" and order_calls.note_call(row).intent == "write"
    notes.placed(row)
    assert order_calls.note_awaits(row, 1600) == []
    assert order_calls.note_call(row).shown == "as wanted"
    notes.refused(row, "no such field")
    assert order_calls.note_call(row).shown == "refused: no such field"


def test_changes_between_two_versions_are_said_and_personal_ones_only_named() -> None:
    before = order(line("M1", 2), line("C1", 1, "2"), paid=False, note="a", status="Pending")
    after = order(line("M1", 3), line("M12", 1, "3"), version=2, note="b", status="Paid", shipping_method="express")
    assert changes(before, after) == [
        "M1 2 → 3",
        "C1 1 → 0",
        "M12 0 → 1",
        "status Pending → Paid",
        "payment not paid → paid",
        "shipping method none → express",
        "note",
    ]
    assert changes(before, before) == []
    assert changes(after, order(line("M1", 3), line("M12", 1, "3"), state="CANCELLED", note="b", status="Paid"))[
        -1:
    ] == ["cancelled"]


def test_every_event_has_words() -> None:
    despatch = left(9, parcel("a", "T1", MUG=2), complete=True)
    commanded = ExceptionCommand(channel="shop", exception_id="x:y", action="retry", actor="kim", reason="mapped")
    state = NormalisedOrder(
        channel="shop", order_id="7", number="A7", reference="shop:7", state="HELD", reason="unpaid", version=1
    )
    assert describe(despatch) == "T1: MUG 2; nothing more will leave"
    assert (
        describe(WarehouseDespatch(reference="", wms_id="", read_at=1, complete=False, parcels=[]))
        == "nothing left; more may leave"
    )
    assert describe(answer("REFUSED", "no such service")) == "goods out 1 REFUSED: no such service"
    changed = msgspec.structs.replace(answer("ALLOCATED"), ordered={"MUG": 2})
    assert describe(changed) == "goods out 1 ALLOCATED, asks for MUG 2"
    assert describe(ShipmentOutcome(parcel_id="a", version=1, state="REFUSED", detail="no")) == "parcel a REFUSED: no"
    assert describe(commanded) == "retry x:y by kim: mapped"
    assert decision(state) == "HELD: unpaid"
    assert describe(order(line("M1", 2), status="Paid")) == "v1, wanted, Paid, paid, 1 lines, 2 units"


def test_pieces_of_two_workers_are_one_answer() -> None:
    row, _ = play(personal(), answer("ALLOCATED"))
    one = OrderAnswer(
        "shop:7", "a", 1, [Part("order", 0, True), Part("channel clarus", 1, False)], True, explain.head(row), awaits=explain.awaits(row)
    )  # fmt: skip
    other = OrderAnswer(
        "shop:7", "b", 2, [Part("order", 0, False), Part("channel clarus", 1, True)], False, None, calls=[order_calls.release_call(released(row), "clarus")]
    )  # fmt: skip
    joint = merge([one, other])
    assert joint.known and joint.head == one.head and joint.calls == other.calls and joint.worker == "a, b"
    assert all(part.here for part in joint.parts) and joint.awaits == one.awaits
