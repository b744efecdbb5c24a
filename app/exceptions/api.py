"""The HTTP API of exceptions, on a worker's operations address: list, get, acknowledge, resolve, retry. Off where no users are configured.

It reads the public topic and writes commands, as the command line does. Reads take turns and few may wait, so that asking cannot hold a worker up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, cast

import msgspec
from confluent_kafka import KafkaException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.errors import Problem
from app.exceptions.access import Access, User
from app.exceptions.act import LONGEST_REASON, act, obstacle
from app.exceptions.reader import EVERY, Found, Wanted, read, wanted
from app.settings import Role, Settings
from schemas.records import ExceptionState
from tables.exceptions import CATALOGUE, Kind
from tables.handling import ACTIONS, Action

LARGEST_BODY: Final = 65_536
MOST_IDS: Final = 100
LARGEST_PAGE: Final = 200
PAGE: Final = 50
WAITING: Final = 4
PARAMETERS: Final = ("type", "owner", "channel", "state", "older_than", "limit", "after")


class Page(msgspec.Struct):
    """Exceptions, the oldest first. `whole` is false where not all could be read; `next` is the value of `after` for the next page."""

    total: int
    whole: bool
    exceptions: list[ExceptionState]
    next: str | None = None


class Shown(msgspec.Struct):
    """One exception with the catalogue's words."""

    exception: ExceptionState
    words: Kind | None


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What to act on, and why. More than one id needs the role admin."""

    ids: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=500)]],
        msgspec.Meta(min_length=1, max_length=MOST_IDS),
    ]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON)]


class Accepted(msgspec.Struct):
    """The commands are written; the workers carry them out within a moment."""

    commands: dict[str, str]


class Failure(msgspec.Struct):
    """Why not, and what to do."""

    error: str


class Refusal(Exception):
    """Ends a request with a status and its reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


Handler = Callable[[Request, User], Awaitable[Response]]


class ExceptionsApi:
    """The routes of one worker. `document` is what /openapi.json answers."""

    def __init__(self, settings: Settings, document: dict[str, Any]) -> None:
        self._settings, self._document = settings, document
        self._access = Access(settings.settings.api.users)
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    def routes(self) -> list[Route]:
        """None without users."""
        if not self._settings.settings.api.users:
            return []
        acting = [
            Route(f"/exceptions/{action}", self._for("operator", self._acting(action)), methods=["POST"])
            for action in ACTIONS
        ]
        return [
            Route("/openapi.json", self._openapi),
            Route("/exceptions", self._for("viewer", self._list)),
            *acting,
            Route("/exceptions/{id:path}", self._for("viewer", self._show)),
        ]

    def _for(self, role: Role, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            user = self._access.user(request.headers.get("authorization", ""))
            if user is None:
                headers = {"WWW-Authenticate": "Bearer"}
                return _json(
                    Failure("a bearer token of settings.api.users is needed"), HTTPStatus.UNAUTHORIZED, headers
                )
            try:
                if not user.may(role):
                    raise Refusal(HTTPStatus.FORBIDDEN, f"this needs the role {role}")
                return await handler(request, user)
            except Refusal as refusal:
                later = {"Retry-After": "2"} if refusal.status == HTTPStatus.TOO_MANY_REQUESTS else None
                return _json(Failure(refusal.reason), refusal.status, later)
            except Problem as problem:
                return _json(Failure(problem.lines[0]), HTTPStatus.SERVICE_UNAVAILABLE)
            except KafkaException:
                return _json(Failure("kafka does not answer; try again"), HTTPStatus.SERVICE_UNAVAILABLE)

        return handle

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(self._document)

    async def _list(self, request: Request, _: User) -> Response:
        given = request.query_params
        if unknown := sorted(set(given) - set(PARAMETERS)):
            raise Refusal(HTTPStatus.BAD_REQUEST, f"{unknown[0][:40]}: there is {', '.join(PARAMETERS)}")
        if any(len(value) > 500 for value in given.values()):
            raise Refusal(HTTPStatus.BAD_REQUEST, "a parameter has at most 500 characters")
        limit = given.get("limit", str(PAGE))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= LARGEST_PAGE):
            raise Refusal(HTTPStatus.BAD_REQUEST, f"limit: 1 to {LARGEST_PAGE}")
        try:
            choice = wanted(
                given.get("type"), given.get("owner"), given.get("channel"), given.get("state"), given.get("older_than"),
                time.time(),
            )  # fmt: skip
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        found = await self._read(choice)
        listed, start = found.in_order(), _place(given.get("after", ""))
        rest = [one for one in listed if (one.opened_at, one.exception_id) > start]
        page = rest[: int(limit)]
        more = f"{page[-1].opened_at}/{page[-1].exception_id}" if len(rest) > len(page) else None
        return _json(Page(len(listed), found.whole, page, more))

    async def _show(self, request: Request, _: User) -> Response:
        [one] = await self._named([request.path_params["id"]])
        return _json(Shown(one, CATALOGUE.get(one.type)))

    def _acting(self, action: str) -> Handler:
        async def handle(request: Request, user: User) -> Response:
            try:
                asked = msgspec.json.decode(await _body(request), type=Asked)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                form = '{"ids": ["TYPE:ENTITY"], "reason": "why"}'
                raise Refusal(HTTPStatus.BAD_REQUEST, f"{error}; send {form}") from None
            if not asked.reason.strip():
                raise Refusal(HTTPStatus.BAD_REQUEST, "the reason is empty")
            if len(asked.ids) > 1 and not user.may("admin"):
                raise Refusal(HTTPStatus.FORBIDDEN, "more than one at a time needs the role admin")
            chosen, wish = await self._named(asked.ids), cast(Action, action)
            for one in chosen:
                if why := obstacle(one, wish):
                    raise Refusal(HTTPStatus.CONFLICT, f"{one.exception_id}: {why}; nothing was changed")
            placed = await asyncio.to_thread(act, self._settings, chosen, wish, user.name, asked.reason)
            names = [one.exception_id for one in chosen]
            return _json(Accepted(dict(zip(names, placed, strict=True))), HTTPStatus.ACCEPTED)

        return handle

    async def _named(self, ids: list[str]) -> list[ExceptionState]:
        found = (await self._read(Wanted(EVERY, ids=frozenset(ids)))).states
        for one in ids:
            if one not in found:
                raise Refusal(HTTPStatus.NOT_FOUND, f"there is no exception {one[:200]}; GET /exceptions has their ids")
        return list(found.values())

    async def _read(self, choice: Wanted) -> Found:
        if self._waiting >= WAITING:
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "others are reading: try again in a few seconds")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(read, self._settings, choice)
        finally:
            self._waiting -= 1


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST_BODY} bytes")
    return bytes(body)


def _place(after: str) -> tuple[int, str]:
    opened, _, name = after.partition("/")
    if after and not (opened.isascii() and opened.isdigit() and len(opened) < 20):
        raise Refusal(HTTPStatus.BAD_REQUEST, "after: the value of `next` of the page before")
    return (int(opened), name) if after else (-1, "")


def _json(
    answer: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, "application/json")
