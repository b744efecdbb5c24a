"""Error texts and rate headers of the BigCommerce API."""

from typing import Any

import httpx
import pytest

from app.connectors.bigcommerce.client import error_text, rate_hint

WINDOW = {
    "X-Rate-Limit-Requests-Left": "0",
    "X-Rate-Limit-Requests-Quota": "150",
    "X-Rate-Limit-Time-Reset-Ms": "12500",
    "X-Rate-Limit-Time-Window-Ms": "30000",
}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            [{"status": 404, "message": "The requested resource was not found."}],
            "The requested resource was not found.",
        ),
        ({"status": 422, "title": "Payload contains invalid fields", "errors": {"items.0": "bad"}}, "(items.0: bad)"),
        ({"status": 400, "detail": "no"}, "no"),
        ([], "no text"),
        ("x", "no text"),
    ],
)
def test_both_families_of_errors_are_read(body: Any, text: str) -> None:
    assert text in error_text(httpx.Response(422, json=body))


def test_an_error_that_is_no_json_is_named_by_its_status() -> None:
    assert error_text(httpx.Response(502, text="<html>")) == "Bad Gateway"


def test_the_budget_is_read_from_any_answer() -> None:
    hint = rate_hint(httpx.Response(200, headers=WINDOW))
    assert hint is not None
    assert (hint.remaining, hint.quota, hint.reset_after, hint.retry_after, hint.throttled) == (
        0,
        150,
        12.5,
        None,
        False,
    )
    assert rate_hint(httpx.Response(200)) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (WINDOW, 12.5),
        ({**WINDOW, "X-Retry-After": "20"}, 20),
        ({**WINDOW, "X-Retry-After": "3"}, 12.5),
        ({"Retry-After": "4"}, 4),
        ({}, None),
        ({"X-Retry-After": "soon"}, None),
    ],
)
def test_a_429_waits_for_the_longer_of_what_it_says(headers: dict[str, str], wait: float | None) -> None:
    hint = rate_hint(httpx.Response(429, headers=headers))
    assert hint is not None
    assert hint.throttled
    assert hint.retry_after == wait
