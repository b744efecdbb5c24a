"""Stock writes at BigCommerce: adjustments of many rows, and what an answer says about each row (bigcommerce.md 3.2, 3.3, 3.6; ledger.md R5, R6).

A 422 applied nothing: the rows it names are judged by its words and the others are sent again without them; one that names no row is narrowed down by halves.
Both within a bound of requests; what is left over is answered NOT_SENT.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from app.connectors.bigcommerce.client import Client, error_text
from app.connectors.bigcommerce.stock import StockReader
from app.connectors.contract import AnswerKind, Priority, StockAnswer, StockRequest
from app.connectors.errors import PeerError, Unavailable

_ADDRESS = re.compile(r"^(variant_id|product_id):(\d+)$")
_LOCATIONS = re.compile(r"location[^\[]*\[([\d,\s]+)\]", re.IGNORECASE)
_WORDS = (
    (re.compile(r"absolute adjustment", re.IGNORECASE), AnswerKind.NEEDS_ABSOLUTE),
    (re.compile(r"locked|temporar|try again|timed? ?out", re.IGNORECASE), AnswerKind.NOT_SENT),
    (
        re.compile(r"not found|does ?n[o']t exist|unknown|disabled|tracked by|invalid|more than once", re.IGNORECASE),
        AnswerKind.FAILED,
    ),
)
_OTHER_KIND = re.compile(r"tracked by", re.IGNORECASE)
_NOTHING_DONE = (401, 403, 404, 409, 423, 429)
_REQUESTS = 24
_TEXT = 300


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a request: how the item is addressed, and where."""

    request: StockRequest
    kind: str
    number: int
    location: int

    def json(self) -> dict[str, int]:
        quantity = 0 if self.request.zero else self.request.delta
        return {"location_id": self.location, self.kind: self.number, "quantity": quantity}

    def named(self, text: str) -> bool:
        return re.search(rf"\b{self.kind}\b\W{{0,3}}{self.number}\b", text) is not None


class Adjuster:
    """Writes adjustments, one request at a time: the runtime sees to that, and within one call the halves follow each other."""

    def __init__(self, client: Client, reader: StockReader) -> None:
        self._client, self._reader = client, reader
        self._outdated: set[str] = set()

    async def write(self, requests: Sequence[StockRequest], priority: Priority) -> dict[str, StockAnswer]:
        """All relative or all zero; an answer for each by listing id. Raises nothing but cancellation."""
        try:
            rows, answers = await self._rows(requests, priority)
        except PeerError as error:
            return _all(requests, AnswerKind.NOT_SENT, error.detail, retry_after=error.retry_after)
        left = [_REQUESTS]
        zero = bool(requests) and requests[0].zero
        return answers | await self._send(rows, zero, priority, left)

    async def _rows(
        self, requests: Sequence[StockRequest], priority: Priority
    ) -> tuple[list[_Row], dict[str, StockAnswer]]:
        """Rows of what can be addressed; answers for what cannot."""
        answers: dict[str, StockAnswer] = {}
        addresses = {r.listing.id: r.peer_id for r in requests if r.peer_id and r.peer_id not in self._outdated}
        lost = [r.listing for r in requests if not _ADDRESS.match(addresses.get(r.listing.id, ""))]
        if lost:
            for listing_id, reading in (await self._reader.read(lost, priority)).items():
                if reading.missing:
                    answers[listing_id] = StockAnswer(listing_id, AnswerKind.FAILED, detail=reading.missing)
                addresses[listing_id] = reading.peer_id
                self._outdated.discard(reading.peer_id)
        rows: list[_Row] = []
        taken: dict[tuple[str, int, int], str] = {}
        for request in requests:
            listing, match = request.listing, _ADDRESS.match(addresses.get(request.listing.id, ""))
            location = self._reader.location(listing)
            if listing.id in answers or match is None or location is None:
                answers.setdefault(
                    listing.id, StockAnswer(listing.id, AnswerKind.FAILED, detail="no item or location to address")
                )
                continue
            row = _Row(request, match[1], int(match[2]), location)
            other = taken.setdefault((row.kind, row.number, location), listing.id)
            if other != listing.id:
                text = f"the same item and location as {other}: list it once in the products"
                answers[listing.id] = StockAnswer(listing.id, AnswerKind.FAILED, detail=text)
                continue
            rows.append(row)
        return rows, answers

    async def _send(
        self, rows: Sequence[_Row], zero: bool, priority: Priority, left: list[int]
    ) -> dict[str, StockAnswer]:
        if not rows:
            return {}
        if left[0] == 0:
            return _none(rows, "not sent: narrowing down a refused batch was stopped")
        left[0] -= 1
        method, path = ("PUT", "absolute") if zero else ("POST", "relative")
        body = {"reason": "clarus-stream", "items": [row.json() for row in rows]}
        try:
            response = await self._client.send(method, f"/v3/inventory/adjustments/{path}", priority, json=body)
        except PeerError as error:
            left[0] = 0
            kind = AnswerKind.NOT_SENT if isinstance(error, Unavailable) else AnswerKind.UNKNOWN
            return _every(rows, kind, error.detail, error.retry_after)
        at_from, at_to = self._client.time_of(response)
        status, text = response.status_code, error_text(response)
        if status == 200 and _accepted(response):
            return {
                row.request.listing.id: StockAnswer(row.request.listing.id, AnswerKind.OK, at_from, at_to)
                for row in rows
            }
        if 400 <= status < 500 and status not in (*_NOTHING_DONE, 408):
            return await self._refused(rows, zero, text, priority, left)
        left[0] = 0
        kind = AnswerKind.NOT_SENT if status in _NOTHING_DONE else AnswerKind.UNKNOWN
        return _every(rows, kind, f"{status}: {text[:_TEXT]}")

    async def _refused(
        self, rows: Sequence[_Row], zero: bool, text: str, priority: Priority, left: list[int]
    ) -> dict[str, StockAnswer]:
        """A 4xx about the content: nothing of the request was applied (3.3)."""
        named = [row for row in rows if row.named(text)]
        if not named and (lost := _LOCATIONS.search(text)):
            ids = {int(n) for n in lost[1].split(",") if n.strip()}
            named = [row for row in rows if row.location in ids]
        if not named and len(rows) > 1:
            return await self._halves(rows, zero, priority, left)
        named = named or list(rows)
        answers = dict[str, StockAnswer]()
        for row in named:
            kind = _meaning(row.request, text)
            if kind is AnswerKind.FAILED and _OTHER_KIND.search(text):
                kind = AnswerKind.NOT_SENT
                self._outdated.add(f"{row.kind}:{row.number}")
                self._reader.forget()
            answers[row.request.listing.id] = StockAnswer(row.request.listing.id, kind, detail=text[:_TEXT])
        rest = [row for row in rows if row.request.listing.id not in answers]
        return answers | await self._send(rest, zero, priority, left)

    async def _halves(
        self, rows: Sequence[_Row], zero: bool, priority: Priority, left: list[int]
    ) -> dict[str, StockAnswer]:
        middle = len(rows) // 2
        first = await self._send(rows[:middle], zero, priority, left)
        return first | await self._send(rows[middle:], zero, priority, left)


def _meaning(request: StockRequest, text: str) -> AnswerKind:
    """What a refusal's words say of one row. Unknown words mean, for a decrease, that it would go below zero: that wording is not documented (3.6)."""
    for words, kind in _WORDS:
        if words.search(text) and not (kind is AnswerKind.NEEDS_ABSOLUTE and request.zero):
            return kind
    return AnswerKind.REFUSED if request.delta < 0 and not request.zero else AnswerKind.FAILED


def _accepted(response: httpx.Response) -> bool:
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, Mapping) and bool(body.get("transaction_id"))


def _all(
    requests: Sequence[StockRequest], kind: AnswerKind, detail: str, retry_after: float | None = None
) -> dict[str, StockAnswer]:
    return {r.listing.id: StockAnswer(r.listing.id, kind, detail=detail, retry_after=retry_after) for r in requests}


def _every(
    rows: Sequence[_Row], kind: AnswerKind, detail: str, retry_after: float | None = None
) -> dict[str, StockAnswer]:
    return _all([row.request for row in rows], kind, detail, retry_after)


def _none(rows: Sequence[_Row], detail: str, retry_after: float | None = None) -> dict[str, StockAnswer]:
    return _every(rows, AnswerKind.NOT_SENT, detail, retry_after)
