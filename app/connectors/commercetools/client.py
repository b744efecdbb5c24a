"""The HTTP side of one commercetools project: URLs, token, errors, queries and the supply channels' ids. What is said there is the business of its callers.

Fact sheet sections 1, 2 and 3.10.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from app.connectors.auth import AuthorisedTransport, ClientCredentials
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Priority, RateHint, Transport
from app.connectors.errors import Malformed, Refused
from app.connectors.http import describe, json_object, retry_after

Doc = dict[str, Any]

PAGE = 500
MAX_WHERE = 6_000
"""Longest predicate, URL-encoded: the vendor's own library caps it at 10,000 characters, proxies often at 8,192 for the whole line."""


def literal(text: str) -> str:
    """A string in a query predicate."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def one_of(field: str, values: Iterable[str]) -> str:
    """`field in (…)`."""
    return f"{field} in ({','.join(map(literal, values))})"


def encoded_length(text: str) -> int:
    """Characters it takes in a URL."""
    return len(quote(text, safe=""))


class Client:
    """Requests to one project. `name` is the channel, for errors."""

    def __init__(self, name: str, settings: CommercetoolsSettings, transport: Transport) -> None:
        self.name, self._settings = name, settings
        form = {"scope": settings.scopes} if settings.scopes else {}
        token_url = settings.auth_url.rstrip("/") + "/oauth/token"
        client = settings.client_id, settings.client_secret.get_secret_value()
        self.credentials = ClientCredentials(name, transport, token_url, client, form)
        self._transport = AuthorisedTransport(transport, self.credentials)
        self._base = f"{settings.api_url.rstrip('/')}/{quote(settings.project_key, safe='')}"
        self._ids: dict[str, str] = dict(settings.supply_channels)
        self._keys: dict[str, str] = {id: key for key, id in self._ids.items()}

    def peer_time(self) -> tuple[int, int]:
        """As `Transport.peer_time`."""
        return self._transport.peer_time()

    def may(self, *scopes: str) -> bool:
        """Does the last token hold one of these scopes of the project? True where it does not tell its scopes."""
        granted, project = self.credentials.scope.split(), self._settings.project_key
        return not granted or any(f"{scope}:{project}" in granted for scope in (*scopes, "manage_project"))

    async def send(self, method: str, path: str, priority: Priority, **options: Any) -> httpx.Response:
        """One request, whatever its 4xx; the errors of `Transport.request`."""
        return await self._transport.request(method, f"{self._base}/{path}", priority=priority, **options)

    async def get(self, path: str, priority: Priority, params: Mapping[str, Any] | None = None) -> Doc | None:
        """A resource, or None for 404. `Refused` with the API's words for another 4xx, `Malformed` where the body is none."""
        response = await self.send("GET", path, priority, params=params)
        if response.status_code == 404:
            return None
        return self.read("GET", path, response)

    def read(self, method: str, path: str, response: httpx.Response) -> Doc:
        """The body of a 2xx answer. `Refused` with the API's words, or `Malformed`."""
        request = describe(method, f"{self._base}/{path}")
        if not response.is_success:
            raise Refused(self.name, request, error_text(response), status=response.status_code)
        return json_object(self.name, request, response)

    async def query(
        self,
        path: str,
        priority: Priority,
        where: str,
        *,
        limit: int,
        sort: Iterable[str] = (),
        expand: str = "",
    ) -> list[Doc]:
        """One page of resources that match, without the total; the references that `expand` names come as resources."""
        params: dict[str, Any] = {"where": where, "limit": limit, "withTotal": "false"}
        if sort:
            params["sort"] = list(sort)
        if expand:
            params["expand"] = expand
        page = self.read("GET", path, await self.send("GET", path, priority, params=params))
        results = page.get("results")
        if not isinstance(results, list):
            raise Malformed(self.name, describe("GET", f"{self._base}/{path}"), "a page without results")
        return results

    async def all(
        self, path: str, priority: Priority, field: str, since: str, expand: str = ""
    ) -> AsyncIterator[tuple[list[Doc], bool]]:
        """Everything whose time `field` is `since` or later, oldest first, by keyset paging (never by offset): pages, and whether each is the last."""
        where = f"{field} >= {literal(since)}"
        while True:
            page = await self.query(path, priority, where, limit=PAGE, sort=(f"{field} asc", "id asc"), expand=expand)
            last = len(page) < PAGE
            yield page, last
            if last:
                return
            at, id = literal(str(page[-1][field])), literal(str(page[-1]["id"]))
            where = f"{field} > {at} or ({field} = {at} and id > {id})"

    async def channel_ids(self, keys: Iterable[str], priority: Priority) -> Mapping[str, str]:
        """Ids of supply channels by key; a key without one is left out. Looked up once."""
        unknown = sorted({key for key in keys if key not in self._ids})
        for start in range(0, len(unknown), 50):
            part = unknown[start : start + 50]
            for channel in await self.query("channels", priority, one_of("key", part), limit=len(part)):
                self._remember(channel)
        return self._ids

    async def channel_key(self, id: str, priority: Priority) -> str:
        """The key of a supply channel; "" where the project has it no longer. Looked up once."""
        if id not in self._keys:
            channel = await self.get(f"channels/{quote(id, safe='')}", priority)
            if channel is None:
                return ""
            self._remember(channel)
        return self._keys[id]

    def _remember(self, channel: Doc) -> None:
        self._ids[channel["key"]], self._keys[channel["id"]] = channel["id"], channel["key"]


def error_text(response: httpx.Response) -> str:
    """Status, code and message of an error answer (fact sheet 2.1), without anything the answer quotes from our request."""
    try:
        body = response.json()
        errors = body.get("errors") or [{}]
        return f"{response.status_code} {errors[0].get('code', '')}: {body.get('message', '')}"[:300]
    except (ValueError, AttributeError, LookupError, TypeError):
        return f"{response.status_code} without a readable body"


def error_codes(response: httpx.Response) -> list[Doc]:
    """The errors of an answer; none where the body is not one."""
    try:
        errors = response.json()["errors"]
    except (ValueError, LookupError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def rate_hint(response: httpx.Response) -> RateHint | None:
    """X-RateLimit headers and Retry-After: documented for one of the APIs only, taken where they come (fact sheet 2.4)."""
    remaining, quota = _number(response, "X-RateLimit-Remaining"), _number(response, "X-RateLimit-Limit")
    wait, throttled = retry_after(response), response.status_code == 429
    if remaining is None and quota is None and wait is None and not throttled:
        return None
    return RateHint(remaining=remaining, quota=quota, retry_after=wait, throttled=throttled)


def _number(response: httpx.Response, header: str) -> int | None:
    text = response.headers.get(header, "")
    return int(text) if text.isdecimal() else None
