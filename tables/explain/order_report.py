"""What the story of an order consists of: plain records, made by a worker (rows) and by the command line (logs). No rules, and no personal data.

Times are our milliseconds unless a field says otherwise, 0 where there is none.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from schemas.records import ExceptionStep
from tables.explain.report import Lines, Part, Waiting


class Ordered(msgspec.Struct, frozen=True):
    """One line as the storefront has it: its own SKU and selling units. `product` is empty where no listing is known; `counts`: eaches wanted here."""

    line_id: str
    sku: str
    units: int
    sent: int
    product: str
    eaches: int
    note: str = ""


class Head(msgspec.Struct, frozen=True):
    """The order's row: what its storefront last said and where it stands. `status`, `created_at` and `modified_at` are the storefront's."""

    channel: str
    order_id: str
    number: str
    reference: str
    state: str
    reason: str
    version: int
    status: str
    paid: bool
    cancelled: bool
    created_at: int
    modified_at: int
    shipping_method: str
    given: list[str]  # what came with it and is not shown: an address, a note
    released: bool
    cancel_asked: bool
    wms_status: str
    lines: list[Ordered]


class Open(msgspec.Struct, frozen=True):
    """One open exception and everything that was done about it."""

    exception_id: str
    owner: str
    state: str
    detail: str
    opened_at: int
    history: list[ExceptionStep]


class Call(msgspec.Struct, frozen=True):
    """What is wanted at a peer and how far that is. `wanted` and `answered` are versions; `intent`: a request that may be under way, since `intent_at`.

    `looks` are read-backs after a lost answer. `shown` is what the peer has by its newest answer.
    """

    peer: str
    what: str
    wanted: int
    answered: int
    attempts: int
    looks: int
    intent: str
    intent_at: int
    next_at: int
    shown: str
    since: int


class Parcel(msgspec.Struct, frozen=True):
    """One parcel: what is in it (eaches by product, selling units by line), and where the storefront has it."""

    parcel_id: str
    tracking: str
    carrier: str
    service: str
    contents: dict[str, int]
    units: dict[str, int]
    wanted: bool
    state: str
    detail: str


class Returned(msgspec.Struct, frozen=True):
    """One return: units by line that are authorised, the receipt's state, eaches by what became of them, and each refund of it, in words."""

    return_id: str
    reference: str
    units: dict[str, int]
    receipt: str
    received: dict[str, int]
    restocked: dict[str, int]
    quarantined: dict[str, int]
    scrapped: dict[str, int]
    refunds: list[str]
    problem: str


class Money(msgspec.Struct, frozen=True):
    """The order's money, decimals as text; `days`: what moved on which day, by kind. `status` and `reasons` are finance's."""

    currency: str
    total: str
    captured: str
    refunded: str
    status: str
    reasons: list[str]
    days: dict[str, dict[str, str]]


class OrderAnswer(msgspec.Struct, frozen=True):
    """What one worker knows of an order: only what lies in its partitions. `known`: something about it is there."""

    key: str
    worker: str
    at: int
    parts: list[Part]
    known: bool = False
    head: Head | None = None
    exceptions: list[Open] = []
    calls: list[Call] = []
    parcels: list[Parcel] = []
    returns: list[Returned] = []
    money: Money | None = None
    skus: list[str] = []  # whose demand the order has
    orders_known_to: int = 0  # storefront time up to which every order of the channel is known
    awaits: list[Waiting] = []


class OrderMore(msgspec.Struct, frozen=True):
    """By SKU, the lines of one order that count against stock, and the receipts of its returns, as far as one worker has them."""

    parts: list[Part]
    lines: dict[str, Lines]
    calls: list[Call] = []


class Told(msgspec.Struct, frozen=True):
    """One line of the story: `at` we knew, `occurred_at` it happened by its source; `place` is where it lies in the log, `cause` what it follows from."""

    at: int
    occurred_at: int
    kind: Literal["event", "decision", "exception"]
    source: str
    what: str
    text: str
    place: str
    cause: str = ""


def merge(answers: list[OrderAnswer]) -> OrderAnswer:
    """The answers of several workers as one; ValueError where there is none. Each piece lies with one worker."""
    if not answers:
        raise ValueError("no answers to merge")
    return OrderAnswer(
        key=answers[0].key,
        worker=", ".join(dict.fromkeys(answer.worker for answer in answers)),
        at=max(answer.at for answer in answers),
        parts=found([answer.parts for answer in answers]),
        known=any(answer.known for answer in answers),
        head=next((answer.head for answer in answers if answer.head is not None), None),
        exceptions=[one for answer in answers for one in answer.exceptions],
        calls=[one for answer in answers for one in answer.calls],
        parcels=[one for answer in answers for one in answer.parcels],
        returns=[one for answer in answers for one in answer.returns],
        money=next((answer.money for answer in answers if answer.money is not None), None),
        skus=sorted({sku for answer in answers for sku in answer.skus}),
        orders_known_to=max(answer.orders_known_to for answer in answers),
        awaits=[one for answer in answers for one in answer.awaits],
    )


def found(given: Iterable[list[Part]]) -> list[Part]:
    """Each piece once: as the worker says that has it, else as any."""
    parts: dict[str, Part] = {}
    for part in (part for parts_of_one in given for part in parts_of_one):
        if part.here or part.what not in parts:
            parts[part.what] = part
    return list(parts.values())
