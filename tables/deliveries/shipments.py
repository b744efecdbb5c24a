"""The durable row of one parcel at its storefront and the rules of one order's parcels: each is there once, or not at all. Pure.

No storefront has an idempotency key for shipments. So the order's shipments are read before anything is written; an intent is committed before a request
leaves; and one whose outcome is unknown is looked for until it is found or cannot land any more. A parcel is known again by our key where the storefront
keeps one (commercetools), else by its own id once that is known, else by tracking number and contents (BigCommerce). Times are our milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from schemas.records import ShipmentOutcome, ShipParcel
from tables.deliveries.looks import lands_until, look_wait

Extent = Literal["none", "part", "whole"]
"""How much of an order is at the customer."""


class ShipIntent(msgspec.Struct, array_like=True, frozen=True):
    """A request that was committed before it left."""

    kind: Literal["ship", "amend", "remove"]
    at: int
    version: int
    given_up: int = 0
    """As `looks.Sent`."""


class ShipmentRow(msgspec.Struct, array_like=True):
    """One parcel. `version` is the newest command's, `answered` the newest one whose outcome the ORDERS agent knows.

    `placed`: the storefront shows what that command wants; it is answered when the order's own state there says so too.
    """

    channel: str
    order_id: str
    parcel_id: str
    command: ShipParcel | None = None
    version: int = 0
    answered: int = 0
    placed: int = 0
    intent: ShipIntent | None = None
    peer_id: str = ""
    attempts: int = 0
    looks: int = 0
    next_at: int = 0
    since: int = 0
    caused_at: int = 0

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{prefix(self.channel, self.order_id)}{self.parcel_id}"


def prefix(channel: str, order_id: str) -> str:
    """What the keys of one order's rows begin with."""
    return f"{channel}/{order_id}/"


@dataclass(frozen=True, slots=True)
class AtStorefront:
    """One shipment as the storefront shows it; `key` is ours where it keeps one. `lines`: line id to units."""

    peer_id: str
    tracking: str
    lines: Mapping[str, int] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Ship:
    """`begin`, commit, ship it."""

    command: ShipParcel


@dataclass(frozen=True, slots=True)
class Amend:
    """It is there with other words: `begin`, commit, change tracking and carrier."""

    command: ShipParcel
    peer_id: str


@dataclass(frozen=True, slots=True)
class Remove:
    """It is there and shall not be, or with other contents: `begin`, commit, remove it."""

    command: ShipParcel
    peer_id: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The storefront shows what is wanted; `peer_id` is empty where nothing is."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again then: a request may still land."""

    until: int


Step = Ship | Amend | Remove | Placed | Wait


# ---- commands -------------------------------------------------------------------------------------------------------------------------------


def want(row: ShipmentRow, command: ShipParcel, now: int) -> bool:
    """What is wanted of the parcel. False where the command is not newer. An intent whose outcome is open survives."""
    if command.version <= row.version:
        return False
    row.command, row.version = command, command.version
    row.since = row.since or now
    row.attempts, row.next_at = 0, now
    return True


def pending(row: ShipmentRow) -> bool:
    """Is an answer still owed?"""
    return row.answered < row.version


# ---- what to do next ------------------------------------------------------------------------------------------------------------------------


def next_step(
    row: ShipmentRow, shown: Sequence[AtStorefront], siblings: Sequence[ShipmentRow], looked_at: int, late: int
) -> Step:
    """What to do about one parcel, given what a look that began at `looked_at` showed of its order.

    `siblings` are the order's other rows: what they hold is not this parcel. `late`: how long a lost request may still land.
    """
    command = row.command
    assert command is not None  # noqa: S101 - a row is made by its first command
    found = _find(row, command, shown, siblings)
    if row.intent is not None and found is None and row.intent.kind == "ship":
        over = lands_until(row.intent, late)
        if looked_at < over:
            return Wait(min(looked_at + look_wait(row.looks), over))
    if not command.wanted:
        return Placed("") if found is None else Remove(command, found.peer_id)
    if found is None:
        return Ship(command)
    if found.lines != lines_of(command):
        return Remove(command, found.peer_id)
    return Placed(found.peer_id) if found.tracking == command.tracking else Amend(command, found.peer_id)


def _find(
    row: ShipmentRow, command: ShipParcel, shown: Sequence[AtStorefront], siblings: Sequence[ShipmentRow]
) -> AtStorefront | None:
    for one in shown:
        if (one.key and one.key == command.key) or (row.peer_id and one.peer_id == row.peer_id):
            return one
    taken = {sibling.peer_id for sibling in siblings if sibling.peer_id}
    if row.peer_id or not command.lines:
        return None
    wanted = lines_of(command)
    for one in shown:
        if not one.key and one.peer_id not in taken and one.tracking == command.tracking and one.lines == wanted:
            return one
    return None


def lines_of(command: ShipParcel) -> dict[str, int]:
    """Line id to units."""
    return {line.line_id: line.units for line in command.lines}


def begin(row: ShipmentRow, step: Ship | Amend | Remove, now: int) -> None:
    """An attempt: the caller commits the row before the request leaves."""
    kind: Literal["ship", "amend", "remove"] = (
        "ship" if isinstance(step, Ship) else "amend" if isinstance(step, Amend) else "remove"
    )
    row.attempts += 1
    row.looks = 0
    row.intent = ShipIntent(kind, now, row.version)


# ---- answers --------------------------------------------------------------------------------------------------------------------------------


def accepted(row: ShipmentRow, peer_id: str) -> None:
    """The storefront did what was asked; `peer_id` names the shipment, empty where there is none any more."""
    intent, row.intent, row.peer_id = row.intent, None, peer_id
    shipped = intent is not None and intent.kind != "remove"
    if intent is not None and intent.version == row.version and row.command is not None:
        row.placed = row.version if shipped is row.command.wanted else row.placed


def placed(row: ShipmentRow, peer_id: str) -> None:
    """A look showed what is wanted."""
    row.intent, row.peer_id, row.placed = None, peer_id, row.version


def refused(row: ShipmentRow, detail: str) -> list[ShipmentOutcome]:
    """The storefront said no: over until a newer command. Where one is there already, that one is tried."""
    intent, row.intent = row.intent, None
    if intent is not None and intent.version < row.version:
        return []
    row.answered, row.since = row.version, 0
    return [ShipmentOutcome(parcel_id=row.parcel_id, version=row.version, state="REFUSED", detail=detail)]


def not_sent(row: ShipmentRow, wait: int, now: int) -> None:
    """It certainly had no effect: look and try again after `wait`."""
    row.intent, row.next_at = None, now + wait


def waited(row: ShipmentRow, until: int) -> None:
    """A look did not show it yet."""
    row.looks += 1
    row.next_at = until


def answer(row: ShipmentRow) -> ShipmentOutcome:
    """The outcome of the newest command, which is placed. A removed parcel's row may go."""
    row.answered, row.since, row.caused_at = row.version, 0, 0
    state: Literal["SHIPPED", "REMOVED"] = "SHIPPED" if row.command is not None and row.command.wanted else "REMOVED"
    return ShipmentOutcome(parcel_id=row.parcel_id, version=row.version, state=state, peer_id=row.peer_id)


def extent(rows: Sequence[ShipmentRow], shipping: ShipmentRow | None = None) -> Extent:
    """How much of the order the storefront shows as sent, by what is placed, with `shipping` as if it were; the newest command says if that is everything."""
    there = [row for row in rows if row.peer_id or row is shipping]
    if not there:
        return "none"
    newest = max((row.command for row in rows if row.command is not None), key=lambda command: command.version)
    complete = all(row.placed == row.version or row is shipping for row in rows)
    return "whole" if newest.whole and complete else "part"
