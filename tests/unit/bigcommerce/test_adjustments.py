"""What an answer to an adjustment says of its rows, by the words and shapes of the fact sheet, against a store that answers as told."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.connectors.bigcommerce import BigCommerceStorefront
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.contract import AnswerKind, Priority, StockAnswer, StockRequest
from app.connectors.errors import OutcomeUnknown, Throttled
from tables.catalogue import Listing

Answer = Callable[[list[dict[str, Any]]], httpx.Response | Exception]
OK = httpx.Response(200, json={"transaction_id": "t"})


class Told:
    """A transport whose adjustments are answered by a function of their rows."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.sent = answer, list[tuple[str, list[dict[str, Any]]]]()

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        rows = options["json"]["items"]
        self.sent.append((f"{method} {url.rpartition('/')[2]}", rows))
        given = self.answer(rows)
        if isinstance(given, Exception):
            raise given
        fresh = httpx.Response(given.status_code, content=given.content, headers=given.headers)
        await fresh.aread()
        fresh.elapsed = timedelta(milliseconds=20)
        return fresh

    def peer_time(self) -> tuple[int, int]:
        return 1000, 1010


async def write(
    transport: Told, *deltas: int, zero: bool = False, addresses: list[str] | None = None
) -> list[StockAnswer]:
    settings = BigCommerceSettings(system="bigcommerce", store_hash="h", access_token=SecretStr("secret"))
    connector = BigCommerceStorefront("bc", settings, transport)
    names = addresses or [f"variant_id:{n}" for n in range(1, len(deltas) + 1)]
    requests = [
        StockRequest(Listing("bc", f"S{n}", f"S{n}"), 1, 1, delta, 0, zero, name, 0)
        for n, (delta, name) in enumerate(zip(deltas, names, strict=True), 1)
    ]
    answers = await connector.write_stock(requests, Priority.INCREASE)
    return [answers[r.listing.id] for r in requests]


def problem(title: str, status: int = 422) -> httpx.Response:
    body = {"status": status, "title": title, "type": "https://x.example", "errors": {}}
    return httpx.Response(status, content=json.dumps(body), headers={"Content-Type": "application/problem+json"})


def kinds(answers: list[StockAnswer]) -> list[AnswerKind]:
    return [answer.kind for answer in answers]


def refuse_where(bad: Callable[[dict[str, Any]], bool], title: str) -> Answer:
    return lambda rows: problem(title) if any(bad(row) for row in rows) else OK


async def test_rows_are_one_request_with_the_location_and_the_address_of_each() -> None:
    transport = Told(lambda rows: OK)
    answers = await write(transport, 5, -2, addresses=["variant_id:78", "product_id:130"])
    assert kinds(answers) == [AnswerKind.OK, AnswerKind.OK]
    assert transport.sent == [
        (
            "POST relative",
            [
                {"location_id": 1, "variant_id": 78, "quantity": 5},
                {"location_id": 1, "product_id": 130, "quantity": -2},
            ],
        )
    ]
    assert (answers[0].at_from, answers[0].at_to) == (980, 1010)


async def test_zero_is_absolute() -> None:
    transport = Told(lambda rows: OK)
    await write(transport, 0, zero=True)
    assert transport.sent == [("PUT absolute", [{"location_id": 1, "variant_id": 1, "quantity": 0}])]


async def test_a_row_that_was_never_set_is_named_and_the_others_go_through() -> None:
    title = "Items with identity: [variant_id 2] requires absolute adjustment before relative"
    transport = Told(refuse_where(lambda row: row["variant_id"] == 2, title))
    assert kinds(await write(transport, 1, 1, 1)) == [AnswerKind.OK, AnswerKind.NEEDS_ABSOLUTE, AnswerKind.OK]
    assert [len(rows) for _, rows in transport.sent] == [3, 2]


async def test_a_number_within_a_longer_number_is_not_named() -> None:
    title = "Items with identity: [variant_id 12] requires absolute adjustment before relative"
    transport = Told(refuse_where(lambda row: row["variant_id"] == 12, title))
    answers = await write(transport, *[1] * 12)
    assert kinds(answers) == [AnswerKind.OK] * 11 + [AnswerKind.NEEDS_ABSOLUTE]


@pytest.mark.parametrize(
    ("title", "delta", "kind"),
    [
        ("[variant_id 1] insufficient stock", -3, AnswerKind.REFUSED),
        ("[variant_id 1] in words nobody wrote down", -3, AnswerKind.REFUSED),
        ("[variant_id 1] in words nobody wrote down", 3, AnswerKind.FAILED),
        ("[variant_id 1] not found", -3, AnswerKind.FAILED),
        ("[variant_id 1] belongs to a disabled location", 3, AnswerKind.FAILED),
        ("[Item with variant_id 1 is tracked by product, please update stock by product id]", 3, AnswerKind.NOT_SENT),
        ("[variant_id 1] is temporarily locked", -3, AnswerKind.NOT_SENT),
        ("Location not found, identities: [3,1]", -3, AnswerKind.FAILED),
        ("no row named", -3, AnswerKind.REFUSED),
    ],
)
async def test_a_refusal_is_judged_by_its_words(title: str, delta: int, kind: AnswerKind) -> None:
    (answer,) = await write(Told(lambda rows: problem(title)), delta)
    assert answer.kind is kind
    assert title in answer.detail


async def test_a_refused_zero_is_never_taken_for_a_refused_decrease() -> None:
    (answer,) = await write(Told(lambda rows: problem("[variant_id 1] no")), 0, zero=True)
    assert answer.kind is AnswerKind.FAILED


async def test_a_refusal_that_names_nobody_is_narrowed_down() -> None:
    transport = Told(refuse_where(lambda row: row["variant_id"] == 77, "something is wrong"))
    answers = await write(transport, *[-1] * 200)
    assert [n for n, answer in enumerate(answers, 1) if answer.kind is not AnswerKind.OK] == [77]
    assert answers[76].kind is AnswerKind.REFUSED
    assert len(transport.sent) <= 17


async def test_narrowing_down_is_bounded_and_what_is_left_was_not_sent() -> None:
    transport = Told(lambda rows: problem("something is wrong"))
    answers = await write(transport, *[-1] * 200)
    assert len(transport.sent) == 24
    assert set(kinds(answers)) == {AnswerKind.REFUSED, AnswerKind.NOT_SENT}


async def test_after_a_lost_answer_nothing_more_of_the_batch_is_sent() -> None:
    lost = OutcomeUnknown("bc", "POST", "time-out")
    transport = Told(lambda rows: problem("something is wrong") if len(rows) > 2 else lost)
    answers = await write(transport, *[1] * 8)
    assert kinds(answers) == [AnswerKind.UNKNOWN] * 2 + [AnswerKind.NOT_SENT] * 6


async def test_throttled_rows_were_not_sent_and_say_how_long_to_wait() -> None:
    answers = await write(Told(lambda rows: Throttled("bc", "POST", "429", retry_after=12.0)), 1, 1)
    assert kinds(answers) == [AnswerKind.NOT_SENT] * 2
    assert answers[0].retry_after == 12.0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(500), AnswerKind.UNKNOWN),
        (httpx.Response(408), AnswerKind.UNKNOWN),
        (httpx.Response(200, text="<html>"), AnswerKind.UNKNOWN),
        (httpx.Response(200, json={}), AnswerKind.UNKNOWN),
        (httpx.Response(423), AnswerKind.NOT_SENT),
        (httpx.Response(404), AnswerKind.NOT_SENT),
    ],
)
async def test_other_answers_say_what_they_leave_open(answer: httpx.Response, kind: AnswerKind) -> None:
    assert kinds(await write(Told(lambda rows: answer), 1, -1)) == [kind] * 2


async def test_two_listings_of_one_item_and_location_are_told_apart_before_anything_is_sent() -> None:
    transport = Told(lambda rows: OK)
    answers = await write(transport, 1, 1, addresses=["product_id:5", "product_id:5"])
    assert kinds(answers) == [AnswerKind.OK, AnswerKind.FAILED]
    assert [len(rows) for _, rows in transport.sent] == [1]
