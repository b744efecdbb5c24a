"""Talking to Clarus: token, tenant header, GraphQL and REST requests, and what their answers mean (fact sheet 1 and 2).

It knows no stock and no orders. It keeps a token; time-outs, budgets and repeats are the transport's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.connectors.auth import AuthorisedTransport
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import Priority, RateHint, Transport
from app.connectors.errors import Malformed, OutcomeUnknown, Refused, Unauthorised, Unavailable
from app.connectors.http import READ, describe, json_object, retry_after

PEER = "clarus"

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A filtered list: root, the node's fields, and the filter with its type (fact sheet 2.2)."""

    root: str
    node: str
    filter_type: str
    where: Mapping[str, Mapping[str, Any]]


class ClarusCredentials:
    """OAuth client credentials (fact sheet 1.2): one bearer token, renewed a margin before its end and once when it is refused."""

    def __init__(
        self, settings: ClarusSettings, transport: Transport, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._transport, self._steady = settings, transport, steady
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def headers(self, priority: Priority) -> Mapping[str, str]:
        """Authorisation and tenant, for one request. `Unavailable` or `Unauthorised` where there is no token to be had."""
        async with self._lock:
            if not self._token or self._steady() >= self._until:
                await self._renew(priority)
            return {"Authorization": f"Bearer {self._token}", "X-Clarus-Subdomain": self._settings.subdomain}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forget the token that these headers carried, unless another one has come meanwhile."""
        if headers.get("Authorization") == f"Bearer {self._token}":
            self._token = ""
        return True

    async def _renew(self, priority: Priority) -> None:
        given = self._settings
        url = given.base_url.rstrip("/") + given.token_path
        body = {
            "grant_type": "client_credentials",
            "client_id": given.client_id,
            "client_secret": given.client_secret.get_secret_value(),
            **({"scope": given.scopes} if given.scopes else {}),
        }
        options: dict[str, Any] = {"json": body} if given.oauth_encoding == "json" else {"data": body}
        response = await self._transport.request(
            "POST",
            url,
            priority=priority,
            authorise=False,
            headers={"Accept": "application/json"},
            extensions=dict(READ),
            **options,
        )
        request = describe("POST", url)
        if response.status_code != 200:
            detail = f"no token ({response.status_code}); check clarus.client_id and its secret"
            raise Unauthorised(PEER, request, detail, status=response.status_code)
        answer = json_object(PEER, request, response)
        token, lifetime = answer.get("access_token"), answer.get("expires_in", given.token_lifetime_s)
        if not isinstance(token, str) or not token or not isinstance(lifetime, (int, float)):
            raise Malformed(PEER, request, "the answer holds no access_token")
        self._token = token
        self._until = self._steady() + lifetime - min(given.token_margin_s, lifetime / 10)


class ClarusClient:
    """Requests to one tenant."""

    def __init__(
        self, settings: ClarusSettings, transport: Transport, credentials: ClarusCredentials | None = None
    ) -> None:
        self.settings = settings
        self._transport = AuthorisedTransport(transport, credentials or ClarusCredentials(settings, transport))

    def peer_time(self) -> tuple[int, int]:
        """Bounds of Clarus' clock now, milliseconds."""
        return self._transport.peer_time()

    async def query(self, text: str, variables: Mapping[str, Any], priority: Priority, what: str) -> dict[str, Any]:
        """`data` of one GraphQL query. `what` names it in errors. `Refused` where Clarus does not understand it, `Unavailable` where a part failed."""
        url = self.settings.base_url.rstrip("/") + self.settings.graphql_path
        request = f"{describe('POST', url)} ({what})"
        response = await self._transport.request(
            "POST",
            url,
            priority=priority,
            headers={"Accept": "application/json"},
            json={"query": text, "variables": dict(variables)},
            extensions=dict(READ),
        )
        body = json_object(PEER, request, response)
        data, errors = body.get("data"), body.get("errors")
        if errors or response.status_code != 200:
            kind = Unavailable if data or self._retryable(response) else Refused
            raise kind(PEER, request, _messages(body) or f"answered {response.status_code}")
        if not isinstance(data, dict):
            raise Malformed(PEER, request, "the answer holds no data")
        return data

    async def pages(
        self, lists: Mapping[str, Listed], priority: Priority
    ) -> AsyncIterator[tuple[str, list[Node], bool]]:
        """All rows of several lists, in as few requests as there are pages.

        Yields the list's name of ours, the rows of one page and whether it was the only page.
        """
        after: dict[str, str | None] = dict.fromkeys(lists)
        only = True
        while after:
            what = ", ".join(dict.fromkeys(lists[name].root for name in after))
            text, variables = _list_query({name: lists[name] for name in after}, after)
            data = await self.query(text, {**variables, "first": self.settings.page_size}, priority, what)
            cursors: dict[str, str | None] = {}
            for name, cursor in after.items():
                rows, following = _page(data, name, lists[name].root)
                if following is not None and following == cursor:
                    raise Malformed(PEER, lists[name].root, "the list does not go on from its cursor")
                yield name, rows, only and following is None
                if following is not None:
                    cursors[name] = following
            after, only = cursors, False

    async def sample(self, listed: Listed, priority: Priority) -> list[Node]:
        """The first page of one list."""
        async for _, rows, _ in self.pages({"list": listed}, priority):
            return rows
        return []

    async def rows(self, listed: Listed, priority: Priority) -> list[Node]:
        """All rows of one list."""
        found: list[Node] = []
        async for _, rows, _ in self.pages({"list": listed}, priority):
            found.extend(rows)
        return found

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None, priority: Priority) -> dict[str, Any]:
        """One REST operation; {} where the answer has no body. `Refused` with Clarus' words for 4xx, with its status (404: unknown id).

        `OutcomeUnknown` where the answer cannot be read.
        """
        url = self.settings.base_url.rstrip("/") + self.settings.rest_prefix + path
        request = describe(method, url)
        options: dict[str, Any] = {} if body is None else {"json": body}
        response = await self._transport.request(
            method, url, priority=priority, headers={"Accept": "application/json"}, **options
        )
        status = response.status_code
        if status == 204 or (status == 200 and not response.content):
            return {}
        if self._retryable(response):
            raise Unavailable(PEER, request, f"answered {status}", retry_after=retry_after(response), status=status)
        if status >= 400:
            words = _messages(_body(response))
            raise Refused(PEER, request, words or f"answered {status}", status=status)
        try:
            return json_object(PEER, request, response)
        except Malformed as error:
            raise OutcomeUnknown(PEER, request, error.detail, status=status) from error

    def _retryable(self, response: httpx.Response) -> bool:
        return response.status_code in self.settings.retryable_statuses

    @staticmethod
    def rate_hint(response: httpx.Response) -> RateHint | None:
        """Clarus publishes no limits and no headers (fact sheet 1.6): only a 429 says something."""
        if response.status_code != 429:
            return None
        return RateHint(retry_after=retry_after(response), throttled=True)


def _list_query(lists: Mapping[str, Listed], after: Mapping[str, str | None]) -> tuple[str, dict[str, Any]]:
    """The documented form, once per list under an alias, and its variables but `first`."""
    declared, parts, variables = ["$first: Int"], [], dict[str, Any]()
    for name, one in lists.items():
        declared.append(f"$f_{name}: {one.filter_type}, $a_{name}: String")
        parts.append(
            f"{name}: {one.root} {{ all(filter: $f_{name}, first: $first, after: $a_{name}) "
            f"{{ pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {one.node} }} }} }} }}"
        )
        variables[f"f_{name}"] = dict(one.where)
        if after[name] is not None:
            variables[f"a_{name}"] = after[name]
    return f"query({', '.join(declared)}) {{ {' '.join(parts)} }}", variables


def _page(data: Mapping[str, Any], name: str, root: str) -> tuple[list[Node], str | None]:
    """Rows of one page, and the cursor to go on from; None at the end."""
    try:
        listed = data[name]["all"]
        rows = [edge["node"] for edge in listed["edges"]]
        info = listed["pageInfo"]
        return rows, info["endCursor"] if info["hasNextPage"] else None
    except (KeyError, TypeError) as error:
        raise Malformed(PEER, root, "the list is not in the documented form") from error


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _messages(body: Mapping[str, Any]) -> str:
    """The words of an error list or of a GraphQL answer (fact sheet 1.5), at most 500 characters."""
    words: list[str] = []
    for one in body.get("errors") or []:
        if isinstance(one, dict):
            code = f"{one['code']} {one.get('symbol', '')}: " if "code" in one else ""
            words.append(f"{code}{one.get('details') or one.get('message') or 'no details'}".strip())
    if not words and isinstance(body.get("error"), str):
        words.append(body["error"])
    return "; ".join(words)[:500]
