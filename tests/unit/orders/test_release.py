"""What reaches the warehouse of an order, what keeps it from going there, and what is said of both."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.records import Address, ExceptionState, NormalisedOrder, OrderSnapshot, ReleaseOrder
from tables.orders import answers, fold
from tables.orders.differences import differences, eaches_of
from tables.orders.effects import Effect, new_row, status_of
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Instruction, ReleaseRules, Rules, Wording
from tests.unit.orders.test_fold import ADDRESS, CATALOGUE, answer, line, of, order

RULES = Rules(CATALOGUE, {"express": CarrierService("DPD", "NEXT", 5)})


def ruled(wording: Wording | None = None, **fields: Any) -> Rules:
    return replace(RULES, release={"shop": ReleaseRules(**fields)}, wording=wording or Wording())


def seen(*snapshots: OrderSnapshot, rules: Rules = RULES) -> tuple[OrderRow, list[Effect]]:
    row = new_row("shop", "7")
    return row, [effect for one in snapshots for effect in fold.snapshot(row, one, rules, 5000)]


def released(given: OrderSnapshot, rules: Rules = RULES) -> ReleaseOrder:
    row, effects = seen(given, rules=rules)
    assert row.state == "RELEASING", row.reason
    (release,) = of(ReleaseOrder, effects)
    assert isinstance(release, ReleaseOrder)
    return release


def held(given: OrderSnapshot, rules: Rules = RULES) -> dict[str, str]:
    row, effects = seen(given, rules=rules)
    assert row.state == "HELD" and not of(ReleaseOrder, effects)
    return {one.type: one.detail for one in of(ExceptionState, effects)}


# ---- what is carried ------------------------------------------------------------------------------------------------------------------------


def test_everything_the_packer_needs_is_in_the_goods_out() -> None:
    given = order(
        line("M1", 2, "L-1", note="Engraving: Ann", name="Mug"),
        line("M12", 1, "L-2"),
        line("C1", 1, "L-3"),
        shipping_method="express",
        note="ring twice",
        gift="Happy birthday",
        purchase_order="PO 9",
        customer="C77",
        requested_at=1_000_000,
        fields={"giftWrap": "true", "dock": "4"},
    )
    rules = ruled(
        customer="WEB-{customer}",
        order_type="B2C",
        lead=400_000,
        instructions=(
            Instruction("giftWrap", "packing_notes", "Gift wrap", frozenset({"true"})),
            Instruction("giftWrap", "pick_notes", "No wrap", frozenset({"false"})),
            Instruction("dock", "string1", "Dock {value}"),
            Instruction("absent", "string2"),
        ),
    )
    release = released(given, rules)
    assert release.texts == {
        "external_system_reference2": "A7",
        "external_system_reference3": "PO 9",
        "delivery_notes": "ring twice",
        "packing_notes": "Happy birthday\nGift wrap\nMug: Engraving: Ann",
        "string1": "Dock 4",
    }
    assert (release.customer, release.order_type, release.priority) == ("WEB-C77", "B2C", 5)
    assert (release.carrier, release.service, release.leave_at) == ("DPD", "NEXT", 600_000)
    mug, card = release.lines
    assert (mug.sku, mug.eaches, mug.reference, mug.number, mug.code) == ("MUG", 14, "L-1,L-2", "1,2", "M1,M12")
    assert mug.note == "Engraving: Ann"
    assert (card.sku, card.reference, card.number, card.code) == ("CARD", "L-3", "3", "C1")
    assert release.address == ADDRESS


def test_a_bundles_components_name_the_line_they_are_of() -> None:
    release = released(order(line("B1", 1, "L-1"), line("C1", 1, "L-2")))
    assert {one.sku: (one.eaches, one.reference) for one in release.lines} == {
        "MUG": (2, "L-1"),
        "CARD": (2, "L-1,L-2"),
    }


def test_a_guest_has_no_customer_of_his_own_but_the_shops_where_one_is_named() -> None:
    assert released(order(line("M1", 1)), ruled(customer="WEB-{customer}")).customer == ""
    assert released(order(line("M1", 1)), ruled(customer="WEB")).customer == "WEB"


def test_where_notes_go_is_a_setting() -> None:
    given = order(line("M1", 1), note="n", gift="g")
    texts = released(given, ruled(Wording("order_notes", "pick_notes"))).texts
    assert (texts["order_notes"], texts["pick_notes"]) == ("n", "g")


# ---- what is cut ----------------------------------------------------------------------------------------------------------------------------


def test_what_is_cut_stands_whole_in_the_order_notes_and_is_said_in_the_public_state_without_its_content() -> None:
    given = order(
        line("M1", 1),
        gift="g" * 300,
        purchase_order="p" * 300,
        address=Address(name="Ann", line1="x" * 300, city="Leeds", postcode="LS1 1AA", country="GB", phone="9" * 60),
    )
    row, effects = seen(given)
    (release,) = of(ReleaseOrder, effects)
    assert len(release.texts["packing_notes"]) == 255 and release.texts["packing_notes"].endswith("…")
    for whole in ("g" * 300, "p" * 300, "x" * 300, "9" * 60):
        assert whole in release.texts["order_notes"]
    said = of(NormalisedOrder, effects)[-1].reason
    assert said == (
        "cut for the warehouse: packing_notes: 255 of 300 characters; external_system_reference3: 255 of 300 characters;"
        " address, street; address, phone"
    )
    answers.warehouse(row, answer("PENDING"), RULES, 5000)
    assert status_of(row).reason == said


def test_a_note_of_10_kb_goes_whole_and_one_setting_says_how_long_notes_may_be() -> None:
    note = "no peanuts please " * 600
    assert released(order(line("M1", 1), note=note)).texts["delivery_notes"] == note.strip()
    texts = released(order(line("M1", 1), note=note), ruled(Wording(notes=1000))).texts
    assert len(texts["delivery_notes"]) <= 1000 and len(texts["order_notes"]) <= 1000


def test_control_characters_go_and_emoji_stay_unless_the_settings_say_otherwise() -> None:
    given = order(line("M1", 1), note="a\x00b 🎉\x1b[2J", gift="\u202egift")
    assert released(given).texts["delivery_notes"] == "ab 🎉[2J"
    assert released(given).texts["packing_notes"] == "gift"
    assert released(given, ruled(Wording(emoji=False))).texts["delivery_notes"] == "ab [2J"
    _, effects = seen(given)
    assert "delivery_notes: 2 characters that cannot be printed" in of(NormalisedOrder, effects)[-1].reason


def test_five_hundred_lines_are_one_goods_out_whose_references_fit() -> None:
    lines = [line(("M1", "C1")[n % 2], 1, f"{n:08x}-0000-0000-0000-000000000000") for n in range(500)]
    release = released(order(*lines))
    assert [(one.sku, one.eaches) for one in release.lines] == [("MUG", 250), ("CARD", 250)]
    for one in release.lines:
        assert len(one.reference) <= 255 and one.reference.endswith(",…") and len(one.number) <= 255


# ---- what holds it --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (order(), "payment_hold", "no lines"),
        (order(line("M1", 0)), "payment_hold", "no lines"),
        (order(line("M1", 1), address=None), "invalid_address", "it has none"),
        (order(line("M1", 1), address=Address(name="A", line1="1", city="B", country="GB")), "invalid_address", "no postcode"),
        (order(line("M1", 2), faults={"unit_mismatch": "line 1: quantity 1.5: correct it at shop"}), "unit_mismatch", "quantity 1.5"),
        (order(line("M1", 1), faults={"payment_hold": "its amounts are in EUR and GBP: correct or cancel it at shop"}), "payment_hold", "EUR and GBP"),
        (order(line("M1", 1), shipping_method="drone\x1b[2J"), "unmapped_shipping_method", "'drone[2J'"),
        (order(line("GHOST", 1)), "unmapped_sku", "GHOST"),
        (order(line("", 1)), "unmapped_sku", "(none)"),
    ],
)  # fmt: skip
def test_bad_input_is_held_by_exactly_one_exception_that_says_what_to_do(
    given: OrderSnapshot, kind: str, words: str
) -> None:
    found = held(given)
    assert list(found) == [kind]
    assert words in found[kind] and ("the order goes on" in found[kind] or "shop" in found[kind])


def test_five_hundred_unknown_skus_are_one_exception_that_can_be_read() -> None:
    found = held(order(*(line(f"GHOST-{n:03}", 1, str(n)) for n in range(500))))
    assert len(found["unmapped_sku"]) < 300 and "490 more" in found["unmapped_sku"]


def test_an_address_that_is_corrected_releases_the_order() -> None:
    wrong = Address(name="A", line1="1 High St", city="Leeds", postcode="LS1", country="GB")
    row, effects = seen(order(line("M1", 1), address=wrong), order(line("M1", 1), version=2))
    assert [(one.type, one.state) for one in of(ExceptionState, effects)] == [
        ("invalid_address", "OPEN"),
        ("invalid_address", "RESOLVED"),
    ]
    assert len(of(ReleaseOrder, effects)) == 1 and row.state == "RELEASING"


def test_what_is_collected_needs_no_address_and_a_setting_lets_any_order_go_without() -> None:
    assert released(order(line("M1", 1), address=None, collected=True)).address is None
    assert released(order(line("M1", 1), address=None), ruled(address_needed=False)).address is None


def test_an_agreed_status_releases_without_a_payment_and_may_ask_for_a_purchase_order() -> None:
    given = order(line("M1", 1), paid=False, agreed=True)
    assert released(given)
    asks = ruled(purchase_order_needed=True)
    assert "no purchase order number" in held(given, asks)["payment_hold"]
    assert released(order(line("M1", 1), paid=False, agreed=True, purchase_order="PO 9"), asks)
    assert released(order(line("M1", 1)), asks), "a paid order needs none"


def test_an_exception_is_resolved_when_the_order_was_sent_otherwise() -> None:
    row, effects = seen(
        order(line("GHOST", 1)), order(line("GHOST", 1), version=2, excluded="shipped at the storefront already")
    )
    assert row.state == "IGNORED"
    assert [one.state for one in of(ExceptionState, effects)] == ["OPEN", "RESOLVED"]


def test_an_order_that_cannot_be_read_changes_nothing_and_is_mended_by_the_next_that_can() -> None:
    unread = order(version=0, faults={"poison_record": "it is not as documented"})
    row, effects = seen(order(line("M1", 1), paid=False), unread, order(line("M1", 1), version=2))
    assert [(one.type, one.state) for one in of(ExceptionState, effects)] == [
        ("poison_record", "OPEN"),
        ("poison_record", "RESOLVED"),
    ]
    assert row.state == "RELEASING" and row.version == 2
    row, effects = seen(unread)
    assert row.snapshot is None and [one.entity for one in of(ExceptionState, effects)] == ["shop:A7"]


# ---- bundles --------------------------------------------------------------------------------------------------------------------------------


def test_a_bundle_is_ordered_whole_where_the_warehouse_assembles_it_and_counts_as_its_components() -> None:
    whole = replace(RULES, bundles_whole=True)
    given = order(line("B1", 2, "L-1"), line("C1", 1, "L-2"), line("B1", 1, "L-3"))
    release = released(given, whole)
    box, card = release.lines
    assert (box.sku, box.eaches, box.parts, box.reference) == ("BOX", 3, {"MUG": 2, "CARD": 1}, "L-1,L-3")
    assert (card.sku, card.eaches, card.parts, card.reference) == ("CARD", 1, {}, "L-2")
    parts = released(given)
    assert eaches_of(release) == eaches_of(parts) == {"MUG": 6, "CARD": 4}
    assert differences(release, parts) == []
