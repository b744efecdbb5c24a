"""The durable row of one part of a return at its storefront and its rules: refunded once, never above what was paid, whoever refunded it. Pure.

No storefront has an idempotency key for refunds. So the order's payments are read before anything is written, an intent is committed before a request leaves,
and one whose outcome is unknown is looked for until it is found or cannot land any more. Ours are known by our mark; what somebody else gave back for the same
units, or without saying for what, is taken off. Times are our milliseconds, amounts minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from schemas.records import Payment, RefundLine, RefundOutcome, RefundState, SettleReturn
from tables.deliveries.looks import lands_until, look_wait
from tables.money import words
from tables.returns.fold import KEY

_PROVIDER_LONGEST: Final = 60_000


class RefundIntent(msgspec.Struct, array_like=True, frozen=True):
    """A refund that was committed before it left; `ours`: what we had refunded before it."""

    at: int
    version: int
    ours: int
    given_up: int = 0
    """As `looks.Sent`."""


class RefundRow(msgspec.Struct, array_like=True):
    """One part. `version` is the newest command's, `answered` the newest one whose outcome the ORDERS agent knows.

    `settled`: the money is right for that command; it is answered when the return's own states at the storefront are so too. `covered` says which of other
    people's refunds this part counts: by payment id an amount, by payment id and line id units. `failed` are attempts of ours that the provider declined,
    `sure` is what the storefront took from us, shown or not. `beyond`, by line id: by how much what went back for its units is more than they are worth; below
    0 it makes up for another part's.
    """

    channel: str
    order_id: str
    return_id: str
    part: int
    command: SettleReturn | None = None
    version: int = 0
    answered: int = 0
    settled: int = 0
    intent: RefundIntent | None = None
    refund_id: str = ""
    amount: int = 0
    by_hand: int = 0
    covered: dict[str, int] = {}
    failed: int = 0
    sure: int = 0
    attempts: int = 0
    looks: int = 0
    next_at: int = 0
    since: int = 0
    caused_at: int = 0
    beyond: dict[str, int] = {}

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{prefix(self.channel, self.order_id)}{self.return_id}/{self.part}"


def prefix(channel: str, order_id: str) -> str:
    """What the keys of one order's rows begin with."""
    return f"{channel}/{order_id}/"


@dataclass(frozen=True, slots=True)
class Refund:
    """`begin`, commit, refund it."""

    key: str
    amount: int
    lines: tuple[RefundLine, ...]
    shipping: int
    ours: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Everything went back: `amount` by us, `by_hand` by others. `covered` and `beyond` as in the row."""

    amount: int
    by_hand: int
    refund_id: str
    covered: dict[str, int]
    beyond: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refuse:
    """It cannot be refunded: a person must look."""

    detail: str
    failed: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again then: a request may still land, or the payment provider still works on it."""

    until: int


Step = Refund | Settled | Refuse | Wait


def want(row: RefundRow, command: SettleReturn, now: int) -> bool:
    """What is wanted of the part. False where the command is not newer. An intent whose outcome is open survives."""
    if command.version <= row.version:
        return False
    row.command, row.version = command, command.version
    row.since = row.since or now
    row.attempts, row.next_at = 0, now
    return True


def pending(row: RefundRow) -> bool:
    """Is an answer still owed?"""
    return row.answered < row.version


# ---- what to do next ------------------------------------------------------------------------------------------------------------------------


def next_step(
    row: RefundRow,
    captured: int,
    shown: Sequence[Payment],
    siblings: Sequence[RefundRow],
    looked_at: int,
    late: int,
    now: int,
) -> Step:
    """What to do about one part, given the order's payments as a look that began at `looked_at` showed them.

    `siblings` are the order's other rows: what they count is not this part's. `late`: how long a lost request may still land.
    """
    command = row.command
    assert command is not None  # noqa: S101 - a row is made by its first command
    wanted = command.shipping + sum(line.amount for line in command.lines)
    if not wanted:
        return Settled(0, 0, "", {})
    mine = [one for one in shown if one.kind == "REFUND" and one.key == command.key]
    gone = [one for one in mine if one.state != "FAILED"]
    ours, failed = sum(one.amount for one in gone), len(mine) - len(gone)
    intent = row.intent
    landed = intent is None or ours > intent.ours or failed > row.failed
    if intent is not None and not landed:
        over = lands_until(intent, late)
        if looked_at < over:
            return Wait(min(looked_at + look_wait(row.looks), over))
    if failed > row.failed:
        return Refuse("the payment provider declined it", failed)
    if ours < row.sure:
        return Wait(now + look_wait(row.looks))
    foreign = [one for one in shown if one.kind == "REFUND" and one.state != "FAILED" and not one.key.startswith(KEY)]
    lines, covered, beyond = _cover(command, foreign, siblings)
    by_hand = wanted - command.shipping - sum(line.amount for line in lines)
    rest = command.shipping + sum(line.amount for line in lines) - ours
    for one in foreign:
        if rest <= 0 or one.lines:
            continue
        step = min(rest, one.amount - sum(sibling.covered.get(one.payment_id, 0) for sibling in siblings))
        if step > 0:
            covered[one.payment_id] = step
            rest, by_hand = rest - step, by_hand + step
    rest = min(rest, _room_of_return(row, command, shown, siblings))
    if rest <= 0:
        if any(one.state == "PENDING" for one in gone):
            return Wait(now + look_wait(row.looks, _PROVIDER_LONGEST))
        return Settled(ours, by_hand, ", ".join(one.payment_id for one in gone), covered, beyond)
    back = sum(one.amount for one in shown if one.kind != "CHARGE" and one.state != "FAILED")
    if rest > captured - back:
        return Refuse(_above(command, rest, captured, back), failed)
    return Refund(command.key, rest, tuple(lines), command.shipping, ours)


def _cover(
    command: SettleReturn, foreign: Sequence[Payment], siblings: Sequence[RefundRow]
) -> tuple[list[RefundLine], dict[str, int], dict[str, int]]:
    """The lines without the units that others refunded, which refunds those were, and by line what went back beyond its worth.

    What others gave back for units counts in full: a unit refunded at its price may be worth less by its inspection, and the others do not pay for it twice,
    be they of this part or of another one of the return.
    """
    lines: list[RefundLine] = []
    covered: dict[str, int] = {}
    beyond: dict[str, int] = {}
    for line in command.lines:
        left, given, alone = line.units, 0, True
        for one in foreign:
            name = f"{one.payment_id}/{line.line_id}"
            free = one.lines.get(line.line_id, 0) - sum(sibling.covered.get(name, 0) for sibling in siblings)
            step = min(left, free)
            if step > 0:
                covered[name] = step
                left -= step
                alone = alone and len(one.lines) == 1  # else how much of it is this line's is an estimate
                given += one.amount * step // sum(one.lines.values())
        owed_back = sum(one.beyond.get(line.line_id, 0) for one in siblings if one.return_id == command.return_id)
        amount = max(0, min(line.amount * left // line.units, line.amount - given) - max(0, owed_back))
        over = given + amount - line.amount
        if over < 0 or (over and alone):
            beyond[line.line_id] = over
        if left:
            lines.append(RefundLine(line_id=line.line_id, units=left, amount=amount))
    return lines, covered, beyond


def _room_of_return(
    row: RefundRow, command: SettleReturn, shown: Sequence[Payment], siblings: Sequence[RefundRow]
) -> int:
    """What may still go back for the return as a whole. It binds only where the order's own row was lost and its parts were numbered anew."""
    known = [one.command for one in siblings if one.return_id == row.return_id and one.command is not None]
    total = max(command.total, *(one.total for one in known), 0)
    of_return = command.key.rpartition("-")[0] + "-"
    ours = [one for one in shown if one.kind == "REFUND" and one.state != "FAILED" and one.key.startswith(of_return)]
    wanted = command.shipping + sum(line.amount for line in command.lines)
    return total - sum(one.amount for one in ours) if command.total else wanted


def _above(command: SettleReturn, rest: int, captured: int, back: int) -> str:
    def shown(amount: int) -> str:
        return words(amount, command.currency, command.digits)

    if not captured:
        return "the storefront shows no captured payment"
    return f"{shown(rest)} would be above what was paid: {shown(captured)} captured, {shown(back)} given back already"


def begin(row: RefundRow, step: Refund, now: int) -> None:
    """An attempt: the caller commits the row before the request leaves."""
    row.attempts += 1
    row.looks = 0
    row.intent = RefundIntent(now, row.version, step.ours)


# ---- answers --------------------------------------------------------------------------------------------------------------------------------


def accepted(row: RefundRow, amount: int, now: int) -> None:
    """The storefront took so much of it: looks say what became of it, and until one shows it nothing more is asked for."""
    row.sure = amount + (row.intent.ours if row.intent is not None else 0)
    row.intent, row.next_at = None, now


def settled(row: RefundRow, step: Settled) -> None:
    """A look showed that everything went back."""
    row.intent, row.settled = None, row.version
    row.amount, row.by_hand, row.refund_id = step.amount, step.by_hand, step.refund_id
    row.covered, row.beyond = step.covered, step.beyond


def refused(row: RefundRow, detail: str, failed: int | None = None) -> list[RefundOutcome]:
    """It is not refunded: over until a newer command. Where one is there already, that one is tried."""
    intent, row.intent = row.intent, None
    row.failed, row.sure = row.failed if failed is None else failed, 0
    if intent is not None and intent.version < row.version:
        return []
    row.answered, row.since, row.caused_at = row.version, 0, 0
    return [_outcome(row, "REFUSED", detail)]


def not_sent(row: RefundRow, wait: int, now: int) -> None:
    """It certainly had no effect: look and try again after `wait`."""
    row.intent, row.next_at = None, now + wait


def waited(row: RefundRow, until: int) -> None:
    """A look did not show the end of it yet."""
    row.looks += 1
    row.next_at = until


def answer(row: RefundRow) -> RefundOutcome:
    """The outcome of the newest command, which is settled."""
    row.answered, row.since, row.caused_at = row.version, 0, 0
    return _outcome(row, "SETTLED", "")


def _outcome(row: RefundRow, state: RefundState, detail: str) -> RefundOutcome:
    return RefundOutcome(
        return_id=row.return_id,
        part=row.part,
        version=row.version,
        state=state,
        amount=row.amount,
        by_hand=row.by_hand,
        refund_id=row.refund_id,
        detail=detail,
    )
