"""Mappings as a book: what is made of the records, what must hold between them, what an import would change, and when it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Mapping, OrderSnapshot
from tables.catalogue import PolicyRule
from tables.mappings import book as books
from tables.mappings.book import Entry, place
from tables.mappings.changes import changes
from tables.mappings.checks import Setting, faults, settled
from tables.mappings.force import orders_force
from tables.mappings.kinds import (
    Bundle,
    Instruction,
    Location,
    MappingRecord,
    Shipping,
    Sku,
    SkuRule,
    Status,
    Unit,
    from_fields,
    from_value,
    value_of,
)
from tables.mappings.log import Log
from tables.mappings.statuses import meant
from tables.orders.rules import CarrierService, ReleaseRules, Rules
from tables.orders.rules import Instruction as Told

SETTING = Setting(("eu", "us"), ("MAIN", "NORTH"), (PolicyRule("*", "*", {"buffer": 1}),))
BASE = books.from_records(
    [
        Unit(product="000123", unit="each", eaches=1),
        Unit(product="000123", unit="case", eaches=12),
        Unit(product="CARD", unit="each", eaches=1),
        Bundle(product="GIFT", components={"000123": 2, "CARD": 1}),
        Sku(channel="eu", sku="123", product="000123"),
        Sku(channel="us", sku="SKU-123", product="000123", unit="case"),
        Shipping(method="express", carrier="DPD", service="NEXT"),
    ]
)


def with_(*records: MappingRecord) -> dict[books.Key, Entry]:
    return books.over(BASE, {place(one): Entry(one, 1) for one in records})


def told(*records: MappingRecord) -> list[str]:
    return [str(fault) for fault in faults(with_(*records), SETTING)]


def test_the_book_becomes_products_listings_and_policies() -> None:
    catalogue = SETTING.catalogue(with_(Sku(channel="eu", sku="GIFT", product="GIFT")))
    assert [(x.id, x.product, x.eaches) for x in catalogue.listings.values()] == [
        ("eu//123", "000123", 1),
        ("us//SKU-123", "000123", 12),
        ("eu//GIFT", "GIFT", 1),
    ]
    assert catalogue.products["GIFT"].bundle == {"000123": 2, "CARD": 1}
    assert catalogue.policy(catalogue.listings["eu//123"]).buffer == 1


@pytest.mark.parametrize("spelt", ["sku123", "SKU-123", "s-k-u-0123", "0SKU123"])
def test_a_rule_says_which_spellings_are_the_same_sku(spelt: str) -> None:
    rule = SkuRule(channel="us", case="ignore", leading_zeros="ignore", ignore="-")
    catalogue = SETTING.catalogue(with_(rule, Sku(channel="us", sku="0123", product="CARD")))
    found = catalogue.find("us", spelt)
    assert (found.product if found else None) == ("000123" if spelt != "s-k-u-0123" else None)
    assert catalogue.find("us", "123") == catalogue.listings["us//0123"], "leading zeros do not count"
    assert catalogue.find("eu", "0123") is None, "the other channel has no rule"


def test_a_rule_that_makes_two_products_one_is_refused() -> None:
    found = told(Sku(channel="eu", sku="0123", product="CARD"), SkuRule(leading_zeros="ignore"))
    assert found == ["sku_rule *: it makes 123 (000123) and 0123 (CARD) one SKU at eu; ignore less there"]


def test_a_location_has_its_own_warehouses_and_others_are_lost() -> None:
    listed = Sku(channel="eu", sku="123", location="berlin", product="000123")
    catalogue = SETTING.catalogue(with_(Location(channel="eu", location="berlin", warehouses=["NORTH"]), listed))
    assert catalogue.policy(catalogue.listings["eu/berlin/123"]).warehouses == ("NORTH",)
    assert catalogue.policy(catalogue.listings["eu//123"]).warehouses == ("MAIN", "NORTH")
    lost = [catalogue.is_lost("eu", name) for name in ("", "berlin", "paris")]
    assert lost == [False, False, True] and not catalogue.is_lost("us", "paris")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (Sku(channel="xx", sku="1", product="CARD"), "there is no channel 'xx'; allowed: eu, us"),
        (Sku(channel="eu", sku="1", product="123"), "there is no product '123'; did you mean '000123'?"),
        (Sku(channel="eu", sku="1", product="CARD", unit="case"), "'CARD' has no unit 'case'; allowed: each"),
        (Bundle(product="B", components={"GIFT": 1}), "its component 'GIFT' is itself a bundle"),
        (Bundle(product="B", components={"CART": 1}), "there is no product 'CART'; did you mean 'CARD'?"),
        (Status(channel="eu", status="X", means="later"), "means is 'later'; allowed: wait, wanted, hold, sent, cancelled"),
        (Status(channel="clarus", status="X", means="wait"), "means is 'wait'; allowed: PENDING, ALLOCATED"),
        (Location(channel="eu", location="b", warehouses=["MAINE"]), "there is no warehouse 'MAINE'; allowed: MAIN, NORTH; did"),
        (SkuRule(), "it ignores nothing"),
        (Instruction(field="wrap", to="pack_notes"), "to is 'pack_notes'; allowed: delivery_notes, external_system_reference3, load_reference"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_named_with_what_to_do(record: MappingRecord, words: str) -> None:
    (found,) = told(record)
    assert found.startswith(f"{record.kind} {record.key}: ") and words in found


def test_what_fits_no_more_is_left_out_and_the_rest_counts() -> None:
    lost = Sku(channel="gone", sku="1", product="CARD")
    late = Shipping(channel="us", method="express", carrier="UPS")
    book, left = settled(BASE, {place(one): Entry(one, 3) for one in (lost, late)}, SETTING)
    assert [fault.key for fault in left] == [place(lost)]
    assert place(lost) not in book and book[place(late)].record == late
    nested = Bundle(product="CARD", components={"000123": 1})
    book, left = settled(BASE, {place(nested): Entry(nested, 3)}, SETTING)
    assert [fault.key for fault in left] == [place(nested)] and book == BASE, (
        "it would break a bundle of the configuration"
    )


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("unit", {"product": "A", "unit": "case", "eaches": 2.5}, "eaches is 2.5; allowed: a whole number from 1 to 1000000, never a fraction"),
        ("unit", {"product": "A", "unit": "a/b", "eaches": 2}, "unit is 'a/b'; allowed: text without a slash of at most 40 characters"),
        ("unit", {"product": 123, "unit": "case", "eaches": 2}, "product is 123; allowed: text of at most 200 characters, in quotes where"),
        ("unit", {"product": "A", "unit": "case"}, "eaches is missing"),
        ("sku_rule", {"case": "upper"}, "case is 'upper'; allowed: exact, ignore"),
        ("sku", {"sku": "1", "colour": "red"}, "colour is no field of it; allowed: channel, sku, product, unit, location"),
        ("bundle", {"product": "A", "components": {"B": 0}}, "components is {'B': 0}; allowed: codes, each with a whole number"),
        ("location", {"channel": "eu", "location": "x", "warehouses": []}, "warehouses is []; allowed: a list that is not empty"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_what_is_allowed(kind: str, fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError) as raised:
        from_fields(kind, fields)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize("entry", list(BASE.values()), ids=lambda entry: entry.record.name)
def test_a_record_reads_back_as_it_was_written(entry: Entry) -> None:
    assert from_value(entry.record.kind, value_of(entry.record)) == entry.record


def test_shipping_methods_of_a_channel_stand_above_those_of_all() -> None:
    book = with_(Shipping(channel="us", method="express", carrier="UPS", priority=2))
    force = orders_force(Rules(SETTING.catalogue(book), {}), book, "1")
    assert force.rules_of("us").shipping == {"express": CarrierService("UPS", "", 2)}
    assert force.rules_of("eu").shipping == {"express": CarrierService("DPD", "NEXT")}


def test_instructions_stand_beside_the_configurations_and_replace_the_same_one() -> None:
    ours = Told("wrap", "packing_notes", "wrap it", frozenset({"yes"})), Told("door", "delivery_notes")
    book = with_(
        Instruction(field="wrap", to="packing_notes", value="Yes", text="wrap in paper"),
        Instruction(channel="us", field="wrap", to="packing_notes", value="Yes", text="wrap in foil"),
        Instruction(channel="us", field="fragile", to="pick_notes"),
    )
    rules = Rules(SETTING.catalogue(book), {}, release={"us": ReleaseRules(order_type="B2B", instructions=ours)})
    force = orders_force(rules, book, "1", ["eu", "us"])
    assert force.rules_of("us").of_channel("us") == ReleaseRules(
        order_type="B2B",
        instructions=(
            Told("wrap", "packing_notes", "wrap in foil", frozenset({"yes"})),
            Told("door", "delivery_notes"),
            Told("fragile", "pick_notes"),
        ),
    )
    [paper] = force.rules_of("eu").of_channel("eu").instructions
    assert paper.text == "wrap in paper"
    assert orders_force(rules, BASE, "1", ["eu", "us"]).rules.release is rules.release


def test_a_mapped_status_says_what_the_order_is() -> None:
    seen = OrderSnapshot(
        channel="eu", order_id="1", number="1", version=1, state="OPEN", status="B2B check", paid=False, unmapped=True, created_at=0, modified_at=0,
        lines=[],
    )  # fmt: skip
    outcomes = {
        means: meant(seen, {("eu", "B2B check"): means}) for means in ("wait", "wanted", "hold", "sent", "cancelled")
    }
    assert not any(one.unmapped for one in outcomes.values())
    assert [means for means, one in outcomes.items() if one.paid] == ["wanted"]
    assert outcomes["hold"].hold and outcomes["sent"].excluded and outcomes["cancelled"].state == "CANCELLED"
    assert meant(seen, {("us", "B2B check"): "wanted"}) is seen and seen.unmapped


def test_changes_name_what_differs_from_what_is_in_force_and_replace_removes_the_rest() -> None:
    imported = {
        place(one): Entry(one, 1) for one in (Shipping(method="old", carrier="A"), Shipping(method="kept", carrier="B"))
    }
    same = Shipping(method="express", carrier="DPD", service="NEXT")
    given = [same, Shipping(method="kept", carrier="C"), Shipping(method="new", carrier="D")]
    found = changes(BASE, imported, given, set())
    assert [(one.what, one.key[1]) for one in found] == [("changed", "*/kept"), ("new", "*/new")]
    found = changes(BASE, imported, given, set(), replace=True)
    assert [(one.what, one.key[1]) for one in found] == [("changed", "*/kept"), ("new", "*/new"), ("removed", "*/old")]


def row(record: MappingRecord | None, version: int, kind: str = "", key: str = "") -> Mapping:
    if record is not None:
        kind, key = record.kind, record.key
    return Mapping(
        kind=kind, key=key, version=version, value=value_of(record) if record else "", actor="ada", reason="r"
    )


def test_an_import_counts_when_it_is_whole() -> None:
    log, one, two = Log(), Shipping(method="a", carrier="A"), Shipping(method="b", carrier="B")
    assert not log.feed(row(one, 1), 5) and not log.feed(row(two, 1), 5) and not log.entries
    assert log.feed(row(None, 1, "import"), 5) and log.version == 1
    assert [(entry.record, entry.version, entry.actor, entry.at) for entry in log.entries.values()] == [
        (one, 1, "ada", 5),
        (two, 1, "ada", 5),
    ]
    log.feed(row(None, 2, *place(one)), 6)
    log.feed(row(Shipping(method="b", carrier="C"), 2), 6)
    assert len(log.entries) == 2 and log.unfinished == [place(one), place(two)] and log.newest == 2, (
        "its end did not come"
    )
    log.feed(row(two, 3), 7)
    log.feed(row(one, 3), 7)
    assert log.feed(row(None, 3, "import"), 7) and log.unfinished == []
    assert [entry.record for entry in log.entries.values()] == [one, two]


def test_a_record_of_another_version_of_the_product_is_told_and_does_not_count() -> None:
    log = Log()
    log.feed(Mapping(kind="moon", key="x", version=1, value="{}", actor="a"), 1)
    log.feed(Mapping(kind="unit", key="A/each", version=1, value='{"product":"A"}', actor="a"), 1)
    log.feed(row(None, 1, "import"), 1)
    assert (
        not log.entries
        and log.unreadable[("moon", "x")] == "there is no kind moon"
        and ("unit", "A/each") in log.unreadable
    )


@given(
    st.lists(
        st.tuples(st.booleans(), st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "X", "Y"]))), max_size=8
    )
)
def test_a_compacted_log_reads_as_the_whole_one(imports: list[tuple[bool, dict[str, str]]]) -> None:
    """Imports of methods (no carrier: removed), each finished or broken off; the last one is finished and undoes what was broken off."""
    written: list[Mapping] = []
    truth: dict[str, str] = {}
    for finished, methods in [*imports, (True, {})]:
        before = Log()
        for one in written:
            before.feed(one, 1)
        version = before.newest + 1
        restored = {key: before.entries.get(key) for key in before.unfinished}
        wanted = {place(Shipping(method=name)): carrier for name, carrier in methods.items()}
        rows = {key: row(entry.record if entry else None, version, *key) for key, entry in restored.items()}
        rows |= {
            key: row(Shipping(method=key[1][2:], carrier=carrier) if carrier else None, version, *key)
            for key, carrier in wanted.items()
        }
        written += [*rows.values(), *([row(None, version, "import")] if finished else [])]
        if finished:
            truth = {name: carrier for name, carrier in {**truth, **methods}.items() if carrier}
    newest = {(one.kind, one.key): number for number, one in enumerate(written)}
    for log in (written, [one for number, one in enumerate(written) if newest[one.kind, one.key] == number]):
        read = Log()
        for one in log:
            read.feed(one, 1)
        shown = {e.record.method: e.record.carrier for e in read.entries.values() if isinstance(e.record, Shipping)}
        assert shown == truth and read.unfinished == []
