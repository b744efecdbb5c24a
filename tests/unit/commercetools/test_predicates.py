"""The simulator's reading of query predicates."""

import pytest

from app.simulators.commercetools.predicates import PredicateError, parse

ENTRY = {
    "id": "b",
    "sku": 'quo"te\\x',
    "quantityOnStock": 5,
    "supplyChannel": {"typeId": "channel", "id": "c1"},
    "lastModifiedAt": "2026-01-15T10:30:00.250Z",
    "lineItems": [{"variant": {"sku": "A"}}, {"variant": {"sku": "B"}}],
    "active": True,
}


@pytest.mark.parametrize(
    "text",
    [
        'sku = "quo\\"te\\\\x"',
        'sku in ("other", "quo\\"te\\\\x")',
        'supplyChannel(id="c1")',
        'supplyChannel(id="c1" and typeId = "channel")',
        "supplyChannel is defined",
        "key is not defined",
        "quantityOnStock >= 5 and quantityOnStock < 6",
        "quantityOnStock <> 4",
        'lastModifiedAt >= "2026-01-15T10:30:00Z"',
        'lastModifiedAt < "2026-01-15T10:30:00.3Z"',
        'lastModifiedAt > "2027-01-01T00:00:00.000Z" or (lastModifiedAt = "2026-01-15T10:30:00.250Z" and id > "a")',
        'lineItems(variant(sku = "B"))',
        'not (sku = "A")',
        'sku not in ("A")',
        "active = true",
        "`quantityOnStock` = :wanted",
        "sku in :skus",
        "sku in (:skus)",
        'sku = "A" or sku = "B" or quantityOnStock = 5',
    ],
)
def test_it_matches(text: str) -> None:
    variables = {"skus": ["A", 'quo"te\\x'], "wanted": ["5"]}
    text = text.replace(":wanted", "5")
    assert parse(text, variables).matches(ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        'sku = "A"',
        "supplyChannel is not defined",
        'supplyChannel(id="c2")',
        'lastModifiedAt > "2026-01-15T10:30:00.250Z"',
        'lineItems(variant(sku = "C"))',
        'missing = "x"',
        'quantityOnStock = "5"',
        'quantityOnStock = 5 and sku = "A"',
    ],
)
def test_it_does_not_match(text: str) -> None:
    assert not parse(text).matches(ENTRY)


@pytest.mark.parametrize(
    "text", ["", "sku", "sku = ", '= "a"', 'sku in ("a"', 'sku = "a" sku = "b"', "sku in :none", "#"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(PredicateError):
        parse(text)


def test_it_tells_which_values_alone_can_match() -> None:
    assert parse('sku in ("A","B") and supplyChannel is not defined').only["sku"] == {"A", "B"}
    assert parse('(sku = "A" and key = "k") or sku = "B"').only == {"sku": {"A", "B"}}
    assert parse('sku = "A" or key = "k"').only == {}
    assert parse('not (sku = "A")').only == {}
