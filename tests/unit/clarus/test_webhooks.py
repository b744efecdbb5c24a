"""What is read out of Clarus' webhooks, whose bodies are not published."""

import json
from typing import Any

import pytest

from app.connectors.clarus import ClarusIntake
from app.connectors.clarus.settings import ClarusSettings
from schemas.records import RawNotification, ReadStock

MUG = {"id": 5, "code": "MUG"}
HEADERS = {"x-claruswms-subdomain": "acme", "x-claruswms-automation-id": "43"}


def intake(**settings: Any) -> ClarusIntake:
    given = {"subdomain": "acme", "automations": {"43": "stock.received"}, **settings}
    return ClarusIntake(ClarusSettings.model_validate(given))


def skus(body: object) -> list[str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    commands = intake().parse(RawNotification(channel="clarus", route="", headers=HEADERS, body=raw))
    assert all(isinstance(c, ReadStock) and (c.channel, c.reason) == ("clarus", "webhook") for c in commands)
    return [c.sku for c in commands if isinstance(c, ReadStock)]


@pytest.mark.parametrize(
    "body",
    [
        {"id": 1, "product": MUG, "quantity": 3},
        {"data": {"id": 1, "product": MUG}},
        {"data": {"id": 1, "type": "stocks", "attributes": {"product": MUG}}},
        {"id": 1, "product": "MUG"},
        {"id": 1, "product_code": "MUG"},
        {"id": 1, "product": {"id": 5}, "product_code": "MUG"},
        {"transaction_source": {"product": MUG}, "transaction_target": {"product": MUG}},
    ],
)
def test_a_product_is_found_wherever_it_is_documented_to_stand(body: object) -> None:
    assert skus(body) == ["MUG"]


def test_an_order_gives_each_product_of_its_lines_once() -> None:
    lines = [{"product": MUG}, {"product": {"code": "CUP"}}, {"product": MUG}]
    assert skus({"id": 7, "reference": "ct-eu:1", "lines": lines}) == ["MUG", "CUP"]
    assert skus({"data": {"id": 7, "attributes": {"goods_out_lines": lines}}}) == ["MUG", "CUP"]


@pytest.mark.parametrize(
    ("more", "reference"),
    [
        ({"reference": "ct-eu:1"}, "ct-eu:1"),
        ({"goods_out": {"id": 7, "reference": "ct-eu:1"}, "reference": "PL-1"}, "ct-eu:1"),
        ({}, ""),
        ({"reference": 7}, ""),
        ({"reference": "x" * 1000}, ""),
    ],
)
def test_the_order_that_changed_is_named_with_its_products(more: dict[str, Any], reference: str) -> None:
    body = json.dumps({"id": 7, "lines": [{"product": MUG}, {"product": {"code": "CUP"}}], **more}).encode()
    commands = intake().parse(RawNotification(channel="clarus", route="", headers=HEADERS, body=body))
    assert commands == [
        ReadStock(channel="clarus", sku=sku, reason="webhook", reference=reference) for sku in ("MUG", "CUP")
    ]


@pytest.mark.parametrize(
    "body", [{"id": 7}, {"product": {"id": 5}}, {"product": 5}, {"lines": [1, None]}, {"lines": "x"}]
)
def test_a_body_without_a_product_code_gives_nothing(body: object) -> None:
    assert skus(body) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"data": 1', b"[" * 100_000])
def test_what_is_no_json_object_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(ValueError, match="JSON"):
        skus(body)
    assert intake().entity(body) == ""


def test_a_body_nested_without_end_ends() -> None:
    body: dict[str, Any] = {"product": MUG}
    for _ in range(50):
        body = {"lines": [body]}
    assert skus(body) == []


@pytest.mark.parametrize(
    ("headers", "settings", "good"),
    [
        (HEADERS, {}, True),
        ({**HEADERS, "x-claruswms-subdomain": "other"}, {}, False),
        ({"x-claruswms-automation-id": "43"}, {}, False),
        ({**HEADERS, "x-claruswms-automation-id": "44"}, {}, False),
        ({"x-claruswms-subdomain": "acme"}, {}, False),
        ({"x-claruswms-subdomain": "acme"}, {"automations": {}}, True),
    ],
)
def test_only_our_tenant_and_our_automations_are_let_in(
    headers: dict[str, str], settings: dict[str, Any], good: bool
) -> None:
    assert intake(**settings).verify(headers, b"", 0) is good


@pytest.mark.parametrize(
    ("body", "entity"),
    [
        ({"id": 9, "product": MUG}, "MUG"),
        ({"data": {"id": 9, "reference": "ct-eu:1"}}, "ct-eu:1"),
        ({"id": 9}, "9"),
        ({"id": True}, ""),
    ],
)
def test_the_entity_is_the_product_else_the_order_else_the_record(body: object, entity: str) -> None:
    assert intake().entity(json.dumps(body).encode()) == entity
