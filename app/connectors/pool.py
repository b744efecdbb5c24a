"""Connections to a peer for httpx, carried by aiohttp: its parser is compiled, which more than halves what a request costs.

Beside speed the one thing that matters here is what a failure says: `ConnectError`, `ConnectTimeout` and `ProxyError` only where no byte of the request can
have reached the peer, and no request is ever sent twice by itself (decision 0150).
"""

import time
import urllib.request
from datetime import timedelta
from typing import Final

import aiohttp
import httpx
from yarl import URL

_LONGEST_HEADER: Final = 64 * 1024
_NEVER_SENT: Final = (
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
)
_SENT: Final = (
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (TimeoutError, httpx.ReadTimeout),
    (OSError, httpx.ReadError),
)


class Pool(httpx.AsyncBaseTransport):
    """At most `connections` at a time; an answer is read whole. Proxies are those of the environment, never for loopback."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._tls = httpx.create_ssl_context()
        self._proxies = urllib.request.getproxies()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, its answer with the body."""
        session = self._session = self._session or self._open()
        timeout, began = request.extensions.get("timeout", {}), time.perf_counter()
        try:
            async with session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy(request.url),
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("pool"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _meaning(error) from error
        response = httpx.Response(answer.status, headers=answer.raw_headers, content=body)
        response.elapsed = timedelta(seconds=time.perf_counter() - began)  # httpx sets it when a stream is closed
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            middlewares=(_once,),
        )

    def _proxy(self, url: httpx.URL) -> str | None:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or url.host in ("127.0.0.1", "localhost", "::1") or urllib.request.proxy_bypass(url.host):
            return None
        return proxy


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A connection that breaks ends the request: aiohttp would send a GET, PUT or DELETE again, over our head and beside the peer's budget."""
    try:
        return await send(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _meaning(error) from error


def _meaning(error: aiohttp.ClientError | OSError) -> httpx.TransportError:
    """The same failure in httpx's words."""
    kind = next(meaning for known, meaning in (*_NEVER_SENT, *_SENT) if isinstance(error, known))
    said = (
        error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    )  # its text would show the query
    return kind(said or type(error).__name__)
