"""Tokens, list queries and errors of the Clarus client, without a peer."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from app.connectors.clarus.client import ClarusClient, ClarusCredentials, Listed
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import Priority
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unauthorised, Unavailable

LISTED = Listed("products", "id code", "ProductsFilterType", {"code": {"eq": "MUG"}})


class Script:
    """A transport that answers from a list."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.requests = list(answers), list[tuple[str, str, dict[str, Any]]]()

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        self.requests.append((method, url, options))
        return self.answers.pop(0)

    def peer_time(self) -> tuple[int, int]:
        return 0, 0


class Known(ClarusCredentials):
    async def headers(self, priority: Priority) -> Mapping[str, str]:
        return {"Authorization": "Bearer t", "X-Clarus-Subdomain": "acme"}


def client(*answers: httpx.Response, **settings: Any) -> tuple[ClarusClient, Script]:
    script = Script(*answers)
    given = ClarusSettings(base_url="http://clarus", subdomain="acme", **settings)
    return ClarusClient(given, script, Known(given, script)), script


def page(rows: list[str], following: str | None) -> httpx.Response:
    listed = {
        "pageInfo": {"hasNextPage": following is not None, "endCursor": following or "Mg"},
        "edges": [{"node": {"id": row}} for row in rows],
    }
    return httpx.Response(200, json={"data": {"list": {"all": listed}}})


def token(text: str, **fields: Any) -> httpx.Response:
    return httpx.Response(200, json={"access_token": text, "token_type": "Bearer", **fields})


@pytest.mark.parametrize(
    ("fields", "kept_until"),
    [({"expires_in": 7200}, 7140), ({"expires_in": 100}, 90), ({}, 540), ({"expires_in": 0}, 0)],
)
async def test_a_token_is_kept_until_a_margin_before_its_end(fields: dict[str, int], kept_until: float) -> None:
    now, script = 0.0, Script(token("a", **fields), token("b", **fields))
    credentials = ClarusCredentials(ClarusSettings(subdomain="acme"), script, lambda: now)
    assert (await credentials.headers(Priority.SWEEP))["Authorization"] == "Bearer a"
    if kept_until:
        now = kept_until - 1.0
        assert await credentials.headers(Priority.SWEEP) == {
            "Authorization": "Bearer a",
            "X-Clarus-Subdomain": "acme",
        }
    now = float(kept_until)
    assert (await credentials.headers(Priority.SWEEP))["Authorization"] == "Bearer b"


async def test_an_old_token_refused_late_does_not_throw_the_new_one_away() -> None:
    script = Script(token("a"), token("b"))
    credentials = ClarusCredentials(ClarusSettings(), script)
    old = await credentials.headers(Priority.SWEEP)
    assert credentials.refused(old)
    new = await credentials.headers(Priority.SWEEP)
    assert credentials.refused(old)
    assert await credentials.headers(Priority.SWEEP) == new


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), Unauthorised),
        (httpx.Response(200, text="<html>"), Malformed),
        (httpx.Response(200, json={"token_type": "Bearer"}), Malformed),
        (httpx.Response(200, json={"access_token": "a", "expires_in": "soon"}), Malformed),
    ],
)
async def test_an_answer_without_a_token_is_an_error(answer: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        await ClarusCredentials(ClarusSettings(), Script(answer)).headers(Priority.SWEEP)


async def test_the_token_request_is_a_form_without_scope_unless_one_is_set() -> None:
    script = Script(token("a"))
    await ClarusCredentials(ClarusSettings(client_id="me"), script).headers(Priority.SWEEP)
    _, url, options = script.requests[0]
    assert url == "https://clarus-api.com/oauth/token"
    assert options["data"] == {"grant_type": "client_credentials", "client_id": "me", "client_secret": ""}


async def test_every_list_sends_first_and_follows_the_cursor() -> None:
    peer, script = client(page(["1", "2"], "Mg"), page(["3"], None), page_size=2)
    assert [row["id"] for row in await peer.rows(LISTED, Priority.SWEEP)] == ["1", "2", "3"]
    sent = [options["json"]["variables"] for _, _, options in script.requests]
    assert sent == [
        {"first": 2, "f_list": {"code": {"eq": "MUG"}}},
        {"first": 2, "f_list": {"code": {"eq": "MUG"}}, "a_list": "Mg"},
    ]


async def test_a_sample_is_one_page() -> None:
    peer, script = client(page(["1"], "MQ"))
    assert [row["id"] for row in await peer.sample(LISTED, Priority.SWEEP)] == ["1"]
    assert len(script.requests) == 1


async def test_a_list_that_does_not_go_on_is_malformed_instead_of_endless() -> None:
    peer, _ = client(page(["1"], "MQ"), page(["1"], "MQ"))
    with pytest.raises(Malformed, match="does not go on"):
        await peer.rows(LISTED, Priority.SWEEP)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"errors": [{"message": "Field 'x' doesn't exist"}]}, Refused, "Field 'x'"),
        ({"data": {"list": None}, "errors": [{"message": "timed out"}]}, Unavailable, "timed out"),
        ({"data": {"list": {"all": {}}}}, Malformed, "documented form"),
        ({}, Malformed, "no data"),
    ],
)
async def test_graphql_errors_are_told_apart(answer: dict[str, Any], error: type[Exception], words: str) -> None:
    peer, _ = client(httpx.Response(200, json=answer))
    with pytest.raises(error, match=words):
        await peer.rows(LISTED, Priority.SWEEP)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            httpx.Response(422, json={"errors": [{"code": 59, "symbol": "already", "details": "no"}]}),
            Refused,
            "59 already: no",
        ),
        (httpx.Response(404, json={"errors": [{"code": 1, "symbol": "s", "details": "gone"}]}), Refused, "gone"),
        (httpx.Response(422, text="<html>"), Refused, "answered 422"),
        (httpx.Response(409, json={}), Unavailable, "409"),
        (httpx.Response(200, text="<html>"), OutcomeUnknown, "without JSON"),
    ],
)
async def test_rest_errors_are_told_apart(answer: httpx.Response, error: type[Exception], words: str) -> None:
    peer, _ = client(answer)
    with pytest.raises(error, match=words) as caught:
        await peer.send("POST", "/goods_outs", {}, Priority.RELEASE)
    assert type(caught.value) is error


async def test_the_rest_prefix_is_a_setting_and_an_answer_without_body_is_fine() -> None:
    peer, script = client(httpx.Response(204), rest_prefix="/api/v1")
    assert await peer.send("POST", "/goods_outs/1/cancel", None, Priority.RELEASE) == {}
    assert script.requests[0][1] == "http://clarus/api/v1/goods_outs/1/cancel"
    assert "json" not in script.requests[0][2]


def test_only_a_429_says_something_of_the_budget() -> None:
    peer, _ = client()
    assert peer.rate_hint(httpx.Response(200)) is None
    hint = peer.rate_hint(httpx.Response(429, headers={"Retry-After": "7"}))
    assert hint is not None
    assert (hint.throttled, hint.retry_after) == (True, 7.0)
