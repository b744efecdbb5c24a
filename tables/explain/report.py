"""What an explanation of a SKU consists of: plain records, made by a worker and read by the command line. No rules.

Quantities are eaches unless a field says selling units; times are milliseconds, 0 where there is none. Decimals are written out as text.
"""

import msgspec


class Term(msgspec.Struct, frozen=True):
    """One step of a formula: `operation` with `operand`, applied to the result of the step before, gives `result`."""

    name: str
    operation: str
    operand: str
    result: str
    note: str = ""


class Union(msgspec.Struct, frozen=True):
    """R2: one union of the listing's warehouses with demand sets, and what it leaves. The least one is the pool."""

    warehouses: list[str]
    free: int
    demand: int
    left: int


class Waiting(msgspec.Struct, frozen=True):
    """Something that is awaited, in words, and until when where that is known."""

    what: str
    detail: str
    until: int = 0


class Target(msgspec.Struct, frozen=True):
    """One listing in the ledger: R2-R4 now, and what the ledger last told delivery. inc, dec and taken are selling units."""

    listing: str
    channel: str
    channel_sku: str
    location: str
    unit: str
    mode: str
    unions: list[Union]
    terms: list[Term]
    inc: int | None  # None: the product is not known well enough
    dec: int | None
    to_zero: bool
    available: int | None
    epoch: int
    version: int
    told_inc: int
    told_dec: int
    told: bool
    drift: str
    watermark: int
    quota: "Quota | None"
    awaits: list[Waiting]


class Quota(msgspec.Struct, frozen=True):
    """R9: a listing's part of a split pool, gross selling units. `high`: what it may hold at most, the greatest of target, conf and `issued`
    (by version, not confirmed yet); `reserved`: what of that it may still sell, and what the pool therefore keeps for it."""

    target: int
    conf: int
    issued: dict[str, int]
    high: int
    reserved: int
    unsure: int = 0  # nothing is granted before the outcome of this version is settled, 0: no such wait


class Granted(msgspec.Struct, frozen=True):
    """R9: what a component under escrow grants to a bundle for the listings of one warehouse set, in units of the bundle that may ever be lowered.

    `holds`: by the bundle's newest word. `issued`: by version of our word to it, not known to have arrived but for the first.
    """

    bundle: str
    warehouses: list[str]
    eaches: int
    target: int
    holds: int
    issued: dict[str, int]
    high: int
    taken: int
    reserved: int


class Limit(msgspec.Struct, frozen=True):
    """R9: sellers that are limited together, eaches (of a bundle: units) that may be split among them, what they aim at, and what is kept for them."""

    sellers: list[str]
    left: int
    aimed: int
    reserved: int


class Split(msgspec.Struct, frozen=True):
    """R9: the SKU's pool is split. `no_guarantee`: the sellers by which nothing is promised, each with its reason."""

    limits: list[Limit]
    granted: list[Granted]
    no_guarantee: list[str]
    awaits: list[Waiting]


class Told(msgspec.Struct, frozen=True):
    """A bundle with a component: eaches of it in one bundle, and what the component says it can still promise, by warehouse and by warehouse set."""

    bundle: str
    component: str
    eaches: int
    version: int
    pools: dict[str, int]
    joint: dict[str, int]
    granted: dict[str, int] = {}


class Ledger(msgspec.Struct, frozen=True):
    """The SKU's row: levels of the newest joint read, open demand by warehouse set, listings, bundles."""

    sku: str
    read_no: int
    free: dict[str, int]
    held: dict[str, int]
    demand: dict[str, int]
    targets: list[Target]
    bundles: list[Told]
    split: Split | None = None  # None: the pool is shared


class OpenLine(msgspec.Struct, frozen=True):
    """An order line that counts: `counts` = `eaches` - `reflected` (already out of the balances), against `warehouses`."""

    reference: str
    line: str
    version: int
    state: str
    eaches: int
    reflected: int
    counts: int
    warehouses: list[str]


class Lines(msgspec.Struct, frozen=True):
    """The first open lines, how many there are and what they come to. `complete`: all of the SKU's rows were looked at."""

    first: list[OpenLine]
    count: int
    eaches: int
    complete: bool


class Delivered(msgspec.Struct, frozen=True):
    """One listing in delivery, selling units: it certainly has `published` and may at most have `high`, both gross (on offer and already taken)."""

    listing: str
    channel: str
    epoch: int
    version: int
    inc: int
    dec: int
    to_zero: bool
    published: int
    high: int
    told: int
    checked_at: int
    changed_at: int
    awaits: list[Waiting]


class WarehouseRead(msgspec.Struct, frozen=True):
    """The SKU's reads at the warehouse; dirty: a read is due."""

    read_no: int
    read_at: int
    dirty: bool
    lines: int


class Part(msgspec.Struct, frozen=True):
    """A piece of the answer and the partition it lies in. `here`: the worker that answers owns that partition."""

    what: str
    partition: int
    here: bool


class Answer(msgspec.Struct, frozen=True):
    """What one worker knows of a SKU: only what lies in its partitions."""

    sku: str
    worker: str
    at: int
    parts: list[Part]
    ledger: Ledger | None = None
    lines: Lines | None = None
    listings: list[Delivered] = []
    read: WarehouseRead | None = None


def merge(answers: list[Answer]) -> Answer:
    """The answers of several workers as one; ValueError where there is none."""
    if not answers:
        raise ValueError("no answers to merge")
    found = {part.what: part for answer in answers for part in answer.parts if part.here}
    listings = {one.listing: one for answer in answers for one in answer.listings}
    return Answer(
        sku=answers[0].sku,
        worker=", ".join(answer.worker for answer in answers),
        at=max(answer.at for answer in answers),
        parts=[found.get(part.what, part) for part in answers[0].parts],
        ledger=next((a.ledger for a in answers if a.ledger is not None), None),
        lines=next((a.lines for a in answers if a.lines is not None), None),
        listings=[listings[key] for key in sorted(listings)],
        read=next((a.read for a in answers if a.read is not None), None),
    )
