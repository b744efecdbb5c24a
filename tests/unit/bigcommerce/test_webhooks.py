"""BigCommerce webhooks: who sent them and what they mean."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import SecretStr

from app.connectors.bigcommerce import BigCommerceIntake
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.bigcommerce.webhooks import signature
from schemas.records import FetchOrder, RawNotification

NOW = 1_772_442_900_000
BODY = b'{"scope":"store/order/updated"}'


def intake(**changes: Any) -> BigCommerceIntake:
    given = {
        "system": "bigcommerce",
        "store_hash": "abc123",
        "client_secret": SecretStr("s3cret"),
        "webhook_secret": SecretStr("told"),
        **changes,
    }
    return BigCommerceIntake("bc", BigCommerceSettings.model_validate(given))


def signed(body: bytes = BODY, key: str = "s3cret", at: int = NOW // 1000) -> dict[str, str]:
    digest = hmac.new(key.encode(), f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_the_published_example_of_the_scheme_comes_out() -> None:
    """The example of the Standard Webhooks specification."""
    key = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
    body = b'{"event_type":"ping","data":{"success":true}}'
    digest = signature(key, "msg_loFOjxBNrRLzqYUf", "1731705121", body)
    assert base64.b64encode(digest).decode() == "rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_a_signed_one_is_accepted_and_any_change_is_not() -> None:
    headers = signed()
    assert intake().verify(headers, BODY, NOW)
    assert not intake().verify(headers, BODY + b" ", NOW)
    assert not intake().verify({**headers, "webhook-id": "msg_2"}, BODY, NOW)
    assert not intake().verify(signed(key="other"), BODY, NOW)


def test_one_of_several_signatures_is_enough_and_rubbish_among_them_is_passed_over() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v2,xx v1,*** v1a {headers['webhook-signature']}"
    assert intake().verify(headers, BODY, NOW)
    assert not intake().verify({**headers, "webhook-signature": "v1,"}, BODY, NOW)


@pytest.mark.parametrize(("age", "ok"), [(0, True), (299, True), (301, False), (-301, False)])
def test_old_ones_are_refused(age: int, ok: bool) -> None:
    assert intake().verify(signed(), BODY, NOW + age * 1000) is ok


def test_a_time_that_is_none_is_refused() -> None:
    assert not intake().verify({**signed(), "webhook-timestamp": "soon"}, BODY, NOW)


def test_without_a_signature_the_secret_header_decides() -> None:
    assert intake().verify({"x-clarus-stream-secret": "told"}, BODY, NOW)
    assert not intake().verify({"x-clarus-stream-secret": "guessed"}, BODY, NOW)
    assert not intake().verify({}, BODY, NOW)
    assert intake(webhook_header="X-Mine").verify({"x-mine": "told"}, BODY, NOW)


def test_a_wrong_signature_is_not_healed_by_the_secret_header() -> None:
    assert not intake().verify({**signed(key="other"), "x-clarus-stream-secret": "told"}, BODY, NOW)


def test_without_secrets_nothing_is_accepted() -> None:
    bare = intake(client_secret=SecretStr(""), webhook_secret=SecretStr(""))
    assert not bare.verify({}, BODY, NOW)
    assert not bare.verify({"x-clarus-stream-secret": ""}, BODY, NOW)
    assert not bare.verify(signed(key=""), BODY, NOW)


def parse(payload: Any) -> list[Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(intake().parse(RawNotification(channel="bc", route="bc", headers={}, body=body)))


ORDER = {"type": "order", "id": 250}


@pytest.mark.parametrize(
    ("scope", "data", "order_id"),
    [
        ("store/order/created", ORDER, "250"),
        ("store/order/updated", ORDER, "250"),
        ("store/order/statusUpdated", {**ORDER, "status": {"previous_status_id": 0, "new_status_id": 11}}, "250"),
        ("store/order/refund/created", {**ORDER, "refund": {"refund_id": 1}}, "250"),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250", "transaction_id": "7"}, "250"),
        ("store/channel/12/order/created", {"order_id": 250}, "250"),
    ],
)
def test_every_event_about_an_order_means_fetch_it(scope: str, data: dict[str, Any], order_id: str) -> None:
    payload = {"scope": scope, "producer": "stores/abc123", "data": data}
    assert parse(payload) == [FetchOrder(channel="bc", order_id=order_id)]
    assert intake().entity(json.dumps(payload).encode()) == order_id


@pytest.mark.parametrize("scope", ["store/product/updated", "store/sku/inventory/updated", "store/ordering/created"])
def test_other_events_mean_nothing(scope: str) -> None:
    assert parse({"scope": scope, "data": {"type": "product", "id": 3}}) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"<html>",
        b"[]",
        {"scope": "store/order/created", "data": {}},
        {"scope": "store/order/created", "data": {"type": "order", "id": "../1"}},
        {"scope": "store/order/created", "producer": "stores/other", "data": ORDER},
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(payload: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(payload)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b'{"data": 3}', b'{"data": {"type": "order"}}'])
def test_an_entity_that_cannot_be_told_is_empty(body: bytes) -> None:
    assert intake().entity(body) == ""
