"""The HTTP side of ingress: who may post, how much, and what is answered when. It reads no body; what a notification means is the intake agent's work.

| request | for |
| --- | --- |
| `POST /hooks/{channel}` | peers whose notifications carry a proof (BigCommerce: signature or secret header) |
| `POST /hooks/{channel}/{secret}` | peers that prove nothing (`clarus`); the last path segment is the secret |
| `POST /hooks/{channel}/{secret}/{route}` | the same, and `route` tells apart what one peer sends (one address per Clarus automation) |

200 only after the record is durable; 401 forged, 404 no such channel, 408 too slow, 413 too large, 503 with Retry-After while Kafka does not take records.
"""

import asyncio
import hmac
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app import metrics
from app.connectors.contract import Intake
from app.ingress.sink import NotTaken, Sink
from app.ops import ops_routes
from schemas.codec import TopicCodec
from schemas.records import Event, RawNotification

log = structlog.get_logger(__name__)

BODY_SECONDS = 10.0
RETRY_AFTER_SECONDS = 5
_KEPT = frozenset({"content-type", "webhook-id", "webhook-timestamp"})
_KEPT_PREFIX = "x-claruswms-"
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def wall_ms() -> int:
    """Our clock, milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def record_key(channel: str, entity: str) -> str:
    """Key of `ingress.webhooks`: what concerns one thing of one channel stays in order."""
    return f"{channel}:{entity}"


@dataclass(frozen=True, slots=True)
class Door:
    """What one channel's notifications must show. `secret` None: the path needs none, because the notification itself proves where it is from."""

    intake: Intake
    secret: str | None


class _TooLarge(Exception):
    """The body is longer than allowed."""


class Hooks:
    """Takes webhooks for the channels of `doors` and hands them to the sink."""

    def __init__(
        self,
        doors: Mapping[str, Door],
        sink: Sink,
        codec: TopicCodec,
        max_body: int,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._doors, self._sink, self._codec, self._max_body, self._now_ms = doors, sink, codec, max_body, now_ms
        self.stopping = False

    def app(self) -> Starlette:
        """The ASGI application, with liveness, readiness and metrics beside the hooks."""
        paths = ("/hooks/{channel}", "/hooks/{channel}/{secret}", "/hooks/{channel}/{secret}/{route:path}")
        hooks = [Route(path, self._take, methods=["POST"]) for path in paths]
        ops = ops_routes("ingress", lambda: True, lambda: self._sink.ready and not self.stopping)
        app = Starlette(routes=[*hooks, *ops])
        app.router.redirect_slashes = False
        return app

    async def _take(self, request: Request) -> Response:
        channel = request.path_params["channel"]
        door = self._doors.get(channel)
        started = time.monotonic()
        label = "unknown" if door is None else channel
        if door is None:
            response, reason = Response(status_code=404), "unknown_channel"
        else:
            response, reason = await self._answer(channel, door, request)
        metrics.WEBHOOKS.labels(label, str(response.status_code), reason).inc()
        metrics.WEBHOOK_SECONDS.labels(label).observe(time.monotonic() - started)
        return response

    async def _answer(self, channel: str, door: Door, request: Request) -> tuple[Response, str]:
        """Our answer and the reason for it, one of few words."""
        if not self._path_proves(door, request.path_params.get("secret")):
            return Response(status_code=401), "wrong_secret"
        received_at = self._now_ms()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._body(request)
        except _TooLarge:
            return Response(status_code=413, headers={"Connection": "close"}), "too_large"
        except TimeoutError:
            return Response(status_code=408, headers={"Connection": "close"}), "too_slow"
        except ClientDisconnect:
            return Response(status_code=400), "hung_up"
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not door.intake.verify(headers, body, received_at):
            return Response(status_code=401), "forged"
        trace = headers.get("traceparent", "")
        event = Event(
            event_id=uuid.uuid4().hex,
            occurred_at=received_at,
            received_at=received_at,
            source=channel,
            trace=trace if _TRACEPARENT.fullmatch(trace) else None,
            body=RawNotification(
                channel=channel, route=request.path_params.get("route", ""), headers=kept(headers), body=body
            ),
        )
        try:
            await self._sink.put(record_key(channel, door.intake.entity(body)), self._codec.encode(event), [])
        except NotTaken as refused:
            log.warning("webhook not durable, its sender is asked to come again", channel=channel, error=str(refused))
            return Response(status_code=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}), "not_durable"
        metrics.DURABLE_SECONDS.labels(channel).observe(max(0, self._now_ms() - received_at) / 1000)
        return Response(status_code=200), "durable"

    @staticmethod
    def _path_proves(door: Door, given: str | None) -> bool:
        """Is the path's secret right, compared in constant time? A door without one wants none in the path."""
        if door.secret is None:
            return given is None
        return bool(door.secret) and hmac.compare_digest((given or "").encode(), door.secret.encode())

    async def _body(self, request: Request) -> bytes:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body:
            raise _TooLarge
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                raise _TooLarge
            parts.append(part)
        return b"".join(parts)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that an intake may need; everything else, secrets above all, stays outside. Names in lower case."""
    return {name: value for name, value in headers.items() if name in _KEPT or name.startswith(_KEPT_PREFIX)}
