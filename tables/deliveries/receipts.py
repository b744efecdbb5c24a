"""The durable row of one return at the warehouse and its rules: exactly one goods-in receipt for it, looked at until it is complete. Pure.

Clarus has no idempotency key. So the reference is looked up before any create, an intent is committed before a request leaves, and a create whose outcome is
unknown is looked up until it is found or Clarus cannot be working on it any more. Times are our milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from schemas.records import AnnounceReturn, ReceiptState, WarehouseReturn
from tables.deliveries.looks import lands_until, look_wait, taken_over

_OVER: Final = ("COMPLETED", "GONE", "REFUSED")


class ReceiptIntent(msgspec.Struct, array_like=True, frozen=True):
    """A create that was committed before it left."""

    at: int
    version: int
    given_up: int = 0
    """As `looks.Sent`."""


class ReceiptRow(msgspec.Struct, array_like=True):
    """One return. `version` is the newest command's, `answered` the newest one the ORDERS agent has an answer for."""

    reference: str
    order_key: str
    return_id: str
    command: AnnounceReturn | None = None
    version: int = 0
    answered: int = 0
    intent: ReceiptIntent | None = None
    wms_id: str = ""
    told: WarehouseReturn | None = None
    looked: bool = False  # looked up since the last command or request
    attempts: int = 0
    looks: int = 0
    next_at: int = 0
    since: int = 0
    requested_at: int = 0  # begin or answer of the last request: older look-ups do not count


@dataclass(frozen=True, slots=True)
class SeenReceipt:
    """One receipt as the warehouse shows it; quantities are eaches by product code. `lines` False: it does not tell them."""

    wms_id: str
    state: ReceiptState
    received: Mapping[str, int] = field(default_factory=dict)
    restocked: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    scrapped: Mapping[str, int] = field(default_factory=dict)
    lines: bool = True


def want(row: ReceiptRow, command: AnnounceReturn, now: int) -> bool:
    """The return shall be announced. False where the command is not newer. An intent whose outcome is open survives."""
    if command.version <= row.version:
        return False
    row.command, row.version, row.since = command, command.version, now
    row.attempts, row.looked = 0, False
    if row.told is not None and row.told.state in _OVER:
        row.told, row.wms_id = None, ""
    if row.intent is None:
        row.next_at = now
    return True


def pending(row: ReceiptRow) -> bool:
    """Is an answer still owed or an outcome open?"""
    return row.intent is not None or row.answered < row.version


def is_open(row: ReceiptRow) -> bool:
    """Is there something to look at still, now or later?"""
    return pending(row) or row.told is None or row.told.state not in _OVER


def foreign(row: ReceiptRow, now: int) -> None:
    """Taken over from another owner or an earlier life: an intent is an unknown outcome, and its request may still be on its way."""
    row.looked = False
    taken_over(row, now)
    if row.intent is not None:
        row.next_at = now


def may_announce(row: ReceiptRow, now: int) -> bool:
    """Certainly not there, asked for, and due."""
    return row.looked and row.intent is None and row.answered < row.version and not row.wms_id and row.next_at <= now


def begin(row: ReceiptRow, now: int) -> None:
    """An attempt: the caller commits the row before the request leaves."""
    row.attempts += 1
    row.looks, row.looked = 0, False
    row.intent, row.requested_at = ReceiptIntent(now, row.version), now


def announced(row: ReceiptRow, wms_id: str, now: int) -> list[WarehouseReturn]:
    """Clarus made it."""
    row.intent, row.requested_at, row.next_at = None, now, now
    return _tell(row, SeenReceipt(wms_id, "ANNOUNCED"), now)


def refused(row: ReceiptRow, detail: str, now: int) -> list[WarehouseReturn]:
    """Clarus said no: over until a newer command."""
    intent, row.intent = row.intent, None
    if intent is not None and intent.version < row.version:
        return []
    return _tell(row, SeenReceipt("", "REFUSED"), now, detail)


def not_sent(row: ReceiptRow, wait: int, now: int) -> None:
    """It certainly had no effect: try again after `wait`."""
    row.intent, row.requested_at, row.next_at = None, now, now + wait


def found(
    row: ReceiptRow, there: Sequence[SeenReceipt], looked_at: int, create_unknown: int, every: int, now: int
) -> list[WarehouseReturn]:
    """What the look-up that began at `looked_at` showed, the oldest receipt first; what ORDERS is to be told. It is looked at again after `every`."""
    if looked_at < row.requested_at:
        row.next_at = now
        return []
    row.looks += 1
    row.next_at = now + every
    if there:
        row.intent, row.looked = None, True
        return _tell(row, _most(there), looked_at)
    if row.intent is not None:
        over = lands_until(row.intent, create_unknown)
        if looked_at < over:
            row.next_at = min(now + look_wait(row.looks), over)
            return []
        row.intent, row.looked, row.next_at = None, True, now
        return []
    if row.wms_id:
        return _tell(row, SeenReceipt(row.wms_id, "GONE"), looked_at)
    row.looked, row.next_at = True, now
    return []


def _most(there: Sequence[SeenReceipt]) -> SeenReceipt:
    """The one that goods came in on, else the oldest that nobody cancelled."""
    alive = [one for one in there if one.state != "GONE"] or list(there)
    return max(alive, key=lambda one: sum(one.received.values()))


def _tell(row: ReceiptRow, seen: SeenReceipt, at: int, detail: str = "") -> list[WarehouseReturn]:
    row.answered, row.wms_id = row.version, seen.wms_id
    received, restocked = dict(seen.received), dict(seen.restocked)
    if not seen.lines and seen.state == "COMPLETED" and row.command is not None:
        received = restocked = dict(row.command.lines)
    told = WarehouseReturn(
        return_id=row.return_id,
        reference=row.reference,
        wms_id=seen.wms_id,
        state=seen.state,
        read_at=max(at, row.told.read_at + 1 if row.told is not None else 0),
        received=_some(received),
        restocked=_some(restocked),
        quarantined=_some(seen.quarantined),
        scrapped=_some(seen.scrapped),
        detail=detail,
    )
    if row.told is not None and msgspec.structs.replace(told, read_at=row.told.read_at) == row.told:
        return []
    row.told = told
    return [told]


def _some(eaches: Mapping[str, int]) -> dict[str, int]:
    return {code: n for code, n in eaches.items() if n}
