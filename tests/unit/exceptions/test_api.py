"""The HTTP API: who may do what, how much may be asked, what is written; and its document is what the repository keeps."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette

from app.cli import cli
from app.config import load
from app.config.report import as_text
from app.errors import Problem
from app.exceptions import act, api
from app.exceptions.api import ExceptionsApi
from app.exceptions.openapi import document
from app.exceptions.reader import Found, Wanted
from app.settings import Settings
from schemas.records import OperatorCommand
from tests.support.files import SHOP, shop
from tests.unit.exceptions.test_cli import ALL

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
TOKENS = {name: f"{name}-token-0123456789" for name in ("vic", "ole", "ada")}
USERS = f"""
  api:
    users:
      vic: {{role: viewer, token: {TOKENS["vic"]}}}
      ole: {{role: operator, token: {TOKENS["ole"]}}}
      ada: {{role: admin, token: {{file: ada.token}}}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "ada.token").write_text(TOKENS["ada"])
    return load(shop(tmp_path, SHOP.rstrip() + USERS), {}).settings


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[OperatorCommand]:
    found: list[OperatorCommand] = []

    def send_all(_: Settings, commands: Sequence[OperatorCommand]) -> list[str]:
        found.extend(commands)
        return [f"operations.commands:0:{n}" for n, _ in enumerate(commands)]

    monkeypatch.setattr(act, "send_all", send_all)
    monkeypatch.setattr(api, "read", lambda _, wanted: Found({x.exception_id: x for x in ALL if wanted.takes(x)}, True))
    return found


async def ask(settings: Settings, method: str, path: str, user: str = "", **options: Any) -> httpx.Response:
    app = Starlette(routes=ExceptionsApi(settings, document()).routes())
    headers = {"Authorization": f"Bearer {TOKENS.get(user, user)}"} if user else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as client:
        return await client.request(method, path, headers=headers, **options)


def test_the_document_is_kept() -> None:
    shown = CliRunner().invoke(cli, ["config", "openapi"])
    assert shown.output == DOCUMENT.read_text(encoding="utf-8"), "clarus-stream config openapi > docs/openapi.json"
    assert json.loads(shown.output)["openapi"].startswith("3.1")


async def test_without_users_there_is_no_api(tmp_path: Path) -> None:
    bare = load(shop(tmp_path, SHOP), {}).settings
    assert ExceptionsApi(bare, {}).routes() == []


@pytest.mark.usefixtures("sent")
async def test_the_document_is_served_and_all_else_needs_a_token(settings: Settings) -> None:
    assert (await ask(settings, "GET", "/openapi.json")).json() == document()
    for user in ("", "wrong", TOKENS["vic"][:-1], TOKENS["vic"] + "x"):
        refused = await ask(settings, "GET", "/exceptions", user)
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert (await ask(settings, "GET", "/exceptions", "ada")).status_code == 200


@pytest.mark.usefixtures("sent")
async def test_pages_follow_each_other(settings: Settings) -> None:
    seen, path = list[str](), "/exceptions?limit=2"
    for size in (2, 2, 1):
        page = (await ask(settings, "GET", path, "vic")).json()
        assert page["total"] == 5 and len(page["exceptions"]) == size
        seen += [one["exception_id"] for one in page["exceptions"]]
        path = f"/exceptions?limit=2&after={page['next']}"
    assert page["next"] is None and len(set(seen)) == 5


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "type=ghost",
        "state=shut",
        "older_than=soon",
        "after=x/y",
        "kind=a",
        f"channel={'x' * 600}",
    ],
)
async def test_wrong_questions_are_refused(settings: Settings, query: str) -> None:
    answer = await ask(settings, "GET", f"/exceptions?{query}", "vic")
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.usefixtures("sent")
async def test_one_is_shown_with_the_words(settings: Settings) -> None:
    shown = (await ask(settings, "GET", "/exceptions/stock_drift:bc-us//M1", "vic")).json()
    assert shown["exception"]["exception_id"] == "stock_drift:bc-us//M1" and shown["words"]["mend"]
    assert (await ask(settings, "GET", "/exceptions/unmapped_sku:nobody", "vic")).status_code == 404


async def test_roles(settings: Settings, sent: list[OperatorCommand]) -> None:
    one = {"ids": ["unmapped_sku:bc-us:1001"], "reason": "mapped"}
    many = {"ids": ["unmapped_sku:bc-us:1001", "delivery_failed:ct-eu:A2"], "reason": "mapped"}
    assert (await ask(settings, "POST", "/exceptions/retry", "vic", json=one)).status_code == 403
    assert (await ask(settings, "POST", "/exceptions/retry", "ole", json=many)).status_code == 403
    assert sent == []
    assert (await ask(settings, "POST", "/exceptions/retry", "ole", json=one)).status_code == 202
    assert (sent[-1].action, sent[-1].actor, sent[-1].holder) == ("retry", "ole", "order/bc-us:1001")
    answer = await ask(settings, "POST", "/exceptions/acknowledge", "ada", json=many)
    assert answer.status_code == 202 and set(answer.json()["commands"]) == set(many["ids"])
    assert [command.actor for command in sent[1:]] == ["ada", "ada"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": ["unmapped_sku:nobody"], "reason": "x"}, 404),
        ({"ids": ["stuck_order:bc-us:1003"], "reason": "x"}, 409),
        ({"ids": ["unmapped_sku:bc-us:1001"], "reason": " "}, 400),
        ({"ids": ["unmapped_sku:bc-us:1001"], "reason": "x" * 501}, 400),
        ({"ids": [], "reason": "x"}, 400),
        ({"ids": ["a"] * 101, "reason": "x"}, 400),
        ({"ids": ["unmapped_sku:bc-us:1001"], "reason": "x", "actor": "somebody else"}, 400),
        ({"ids": ["x" * 70_000], "reason": "x"}, 413),
    ],
)
async def test_wrong_commands_change_nothing(
    settings: Settings, sent: list[OperatorCommand], body: dict[str, Any], status: int
) -> None:
    answer = await ask(settings, "POST", "/exceptions/retry", "ada", json=body)
    assert answer.status_code == status and answer.json()["error"] and sent == []


async def test_what_a_command_looks_like_is_said_where_it_cannot_be_read(
    settings: Settings, sent: list[OperatorCommand]
) -> None:
    for body in (b"", b"{ids", b"\xff\xfe", b"[]"):
        answer = await ask(settings, "POST", "/exceptions/retry", "ole", content=body)
        assert answer.status_code == 400 and '{"ids": ["TYPE:ENTITY"], "reason": "why"}' in answer.json()["error"]
    assert sent == []


@pytest.mark.usefixtures("sent")
async def test_who_is_turned_away_because_others_read_is_told_when_to_come_again(settings: Settings) -> None:
    busy = ExceptionsApi(settings, document())
    busy._waiting = api.WAITING
    transport = httpx.ASGITransport(Starlette(routes=busy.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        answer = await client.get("/exceptions", headers={"Authorization": f"Bearer {TOKENS['vic']}"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


async def test_a_broker_that_is_away_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Settings, wanted: Wanted) -> Found:
        raise Problem("kafka: nobody there; try again")

    monkeypatch.setattr(api, "read", away)
    assert (await ask(settings, "GET", "/exceptions", "vic")).status_code == 503


def test_tokens_are_shown_nowhere_and_short_ones_are_refused(tmp_path: Path) -> None:
    text = SHOP.rstrip() + "\n  api: {users: {kim: {role: admin, token: %s}}}\n"
    loaded = load(shop(tmp_path, text % TOKENS["ada"]), {})
    assert TOKENS["ada"] not in as_text(loaded) + repr(loaded.settings)
    with pytest.raises(Problem) as refused:
        load(shop(tmp_path, text % "short-secret"), {})
    assert "token" in str(refused.value.lines) and "short-secret" not in str(refused.value.lines)
