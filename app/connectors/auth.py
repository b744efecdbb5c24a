"""Who we are at a peer: OAuth tokens on the requests of a connector, kept, renewed in time and once more where the peer refuses one.

The token request goes through the same transport as every other request, so it counts against the same budget.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx

from app.connectors.contract import Priority, Transport
from app.connectors.errors import Malformed, Unauthorised, Unavailable
from app.connectors.http import READ, describe, json_object


class Credentials(Protocol):
    """What says who we are to one peer."""

    async def headers(self, priority: Priority) -> Mapping[str, str]:
        """Headers for the next request. `Unavailable` (or `Unauthorised`) where they cannot be had."""
        ...

    def refused(self, headers: Mapping[str, str]) -> bool:
        """The peer answered 401 to these; True where new ones can be had."""
        ...


class AuthorisedTransport:
    """A `Transport` over another one that adds credentials, and renews them once where the peer answers 401."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport, self._credentials = transport, credentials

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `Transport.request`; with `authorise` off it goes out as it is."""
        if not authorise:
            return await self._transport.request(method, url, priority=priority, authorise=False, **options)
        given = dict(options.pop("headers", None) or {})
        headers = await self._credentials.headers(priority)
        try:
            return await self._transport.request(
                method, url, priority=priority, headers={**given, **headers}, **options
            )
        except Unauthorised as error:
            if error.status != 401 or not self._credentials.refused(headers):
                raise
        headers = await self._credentials.headers(priority)
        return await self._transport.request(method, url, priority=priority, headers={**given, **headers}, **options)

    def peer_time(self) -> tuple[int, int]:
        """As `Transport.peer_time`."""
        return self._transport.peer_time()


class ClientCredentials:
    """OAuth 2.0 client credentials with HTTP Basic: a bearer token, kept until shortly before it ends, asked for by one task at a time.

    `form` is the token request's form but for the grant type. `extra` headers go out with every request. `scope` is what the last token was granted, as told.
    """

    def __init__(
        self,
        peer: str,
        transport: Transport,
        url: str,
        client: tuple[str, str],
        form: Mapping[str, str],
        extra: Mapping[str, str] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peer, self._transport, self._url, self._client = peer, transport, url, client
        self._form, self._extra, self._steady = {"grant_type": "client_credentials", **form}, dict(extra or {}), steady
        self._token, self._until = "", 0.0
        self.scope = ""
        self._lock = asyncio.Lock()

    async def headers(self, priority: Priority) -> Mapping[str, str]:
        """As `Credentials.headers`."""
        async with self._lock:
            if not self._token or self._steady() >= self._until:
                await self._renew(priority)
            return {**self._extra, "Authorization": f"Bearer {self._token}"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """As `Credentials.refused`: forgets the token unless another one has come meanwhile."""
        if headers.get("Authorization") == f"Bearer {self._token}":
            self._token = ""
        return True

    async def _renew(self, priority: Priority) -> None:
        request = describe("POST", self._url)
        response = await self._transport.request(
            "POST",
            self._url,
            priority=priority,
            authorise=False,
            data=self._form,
            auth=httpx.BasicAuth(*self._client),
            extensions=dict(READ),
        )
        if response.status_code != 200:
            raise Unauthorised(
                self._peer,
                request,
                f"no token ({response.status_code}); check the client id, its secret and scopes",
                status=response.status_code,
            )
        try:
            body = json_object(self._peer, request, response)
        except Malformed as error:
            raise Unavailable(self._peer, request, error.detail) from error
        token, lifetime = body.get("access_token"), body.get("expires_in", 3600)
        if not isinstance(token, str) or not token or not isinstance(lifetime, (int, float)):
            raise Unavailable(self._peer, request, "the answer holds no access_token")
        self._token, self.scope = token, str(body.get("scope", ""))
        self._until = self._steady() + max(0.0, lifetime - min(60.0, lifetime * 0.1))
