"""Requests to the BigCommerce API and what its answers have in common: URLs, credentials, pages, error texts, rate headers (bigcommerce.md 1).

What a request means to stock or orders is not decided here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import Priority, RateHint, Transport
from app.connectors.errors import Malformed, Refused, Unavailable
from app.connectors.http import decoded, retry_after


@dataclass(frozen=True, slots=True)
class Listed:
    """All rows of a list, and the bounds of the platform's time at which they were read."""

    rows: list[dict[str, Any]]
    at_from: int
    at_to: int


class Client:
    """The API of one store over the channel's transport. Paths begin with `/v2` or `/v3`."""

    def __init__(self, name: str, settings: BigCommerceSettings, transport: Transport) -> None:
        self.name = name
        self._transport = transport
        self._base = f"{settings.api_url.rstrip('/')}/stores/{settings.store_hash}"
        self._headers = {
            "X-Auth-Token": settings.access_token.get_secret_value(),
            "Accept": "application/json",
            "User-Agent": "clarus-stream",
        }

    def peer_time(self) -> tuple[int, int]:
        """Bounds of the platform's clock now, milliseconds."""
        return self._transport.peer_time()

    def time_of(self, response: httpx.Response) -> tuple[int, int]:
        """Bounds of the platform's time at which it worked on this answer, just received: what the request waited for before it left does not count."""
        earliest, latest = self._transport.peer_time()
        return earliest - math.ceil(response.elapsed.total_seconds() * 1000), latest

    async def send(
        self,
        method: str,
        path: str,
        priority: Priority,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        extensions: Mapping[str, bool] | None = None,
    ) -> httpx.Response:
        """One request; the transport's errors pass through. `extensions=READ` for a POST that changes nothing."""
        options: dict[str, Any] = {"headers": self._headers}
        if params is not None:
            options["params"] = dict(params)
        if json is not None:
            options["json"] = json
        if extensions is not None:
            options["extensions"] = dict(extensions)
        return await self._transport.request(method, self._base + path, priority=priority, **options)

    async def get(self, path: str, priority: Priority, params: Mapping[str, str | int] | None = None) -> Any:
        """Read; None for 204. `Refused` for a 4xx, `Malformed` where the body is not JSON."""
        return self._body(await self.send("GET", path, priority, params=params), path)

    async def find(self, path: str, priority: Priority, params: Mapping[str, str | int] | None = None) -> Any:
        """As `get`, and None for 404."""
        response = await self.send("GET", path, priority, params=params)
        return None if response.status_code == 404 else self._body(response, path)

    def _body(self, response: httpx.Response, path: str) -> Any:
        if response.status_code == 204:
            return None
        request = f"GET {path}"
        if response.status_code >= 500:
            raise Unavailable(self.name, request, f"answered {response.status_code}", status=response.status_code)
        if response.status_code != 200:
            text = f"{response.status_code}: {error_text(response)}"
            raise Refused(self.name, request, text, status=response.status_code)
        try:
            return decoded(response)
        except ValueError as error:
            raise Malformed(self.name, request, "the answer is not JSON") from error

    async def list_v3(self, path: str, priority: Priority, params: Mapping[str, str | int], limit: int = 250) -> Listed:
        """All rows of a V3 list (1.4)."""
        rows: list[dict[str, Any]] = []
        began: int | None = None
        page = 1
        while True:
            response = await self.send("GET", path, priority, params={**params, "limit": limit, "page": page})
            at_from, at_to = self.time_of(response)
            began = at_from if began is None else began
            body = self._body(response, path)
            if body is None:
                return Listed(rows, began, at_to)
            try:
                rows += [row for row in body["data"] if isinstance(row, dict)]
                pages = int(body.get("meta", {}).get("pagination", {}).get("total_pages", 1))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise Malformed(self.name, f"GET {path}", "not a V3 list") from error
            if page >= pages:
                return Listed(rows, began, at_to)
            page += 1

    async def list_v2(self, path: str, priority: Priority, limit: int = 250) -> list[dict[str, Any]]:
        """All rows of a V2 list; an empty one is 204 (1.4)."""
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            body = rows_v2(self.name, path, await self.get(path, priority, {"limit": limit, "page": page}))
            rows += body
            if len(body) < limit:
                return rows
            page += 1


def rows_v2(name: str, path: str, body: Any) -> list[dict[str, Any]]:
    """The rows of one V2 page; `Malformed` where it is no list of objects."""
    if body is None:
        return []
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise Malformed(name, f"GET {path}", "not a V2 list")
    return body


def error_text(response: httpx.Response) -> str:
    """What an error says, in either family's shape (1.5)."""
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase or "no text"
    if isinstance(body, dict) and isinstance(body.get("data"), list):  # so do payment actions
        body = body["data"]
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, dict):
        return "no text"
    text = next((str(body[name]) for name in ("message", "title", "detail") if body.get(name)), "no text")
    errors = body.get("errors")
    if isinstance(errors, dict) and errors:
        text += " (" + "; ".join(f"{field}: {what}" for field, what in errors.items()) + ")"
    return text


def rate_hint(response: httpx.Response) -> RateHint | None:
    """The four rate headers, and on a 429 the longer of the window's rest and `X-Retry-After` (1.2); a 429 may come without any."""
    headers = response.headers
    left, quota = _whole(headers.get("X-Rate-Limit-Requests-Left")), _whole(headers.get("X-Rate-Limit-Requests-Quota"))
    reset = _whole(headers.get("X-Rate-Limit-Time-Reset-Ms"))
    throttled = response.status_code == 429
    if left is None and quota is None and reset is None and not throttled:
        return None
    seconds = None if reset is None else reset / 1000
    wait: float | None = None
    if throttled:
        after = _whole(headers.get("X-Retry-After"))
        waits = [w for w in (seconds, after, retry_after(response)) if w is not None]
        wait = max(waits, default=None)
    return RateHint(remaining=left, quota=quota, reset_after=seconds, retry_after=wait, throttled=throttled)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None
