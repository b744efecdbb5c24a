"""From what is known of an order's money to how it stands: matched, open or mismatched, with the reasons in words. Pure.

A finding is what does not fit. Some are only open for a while (a refund takes its time), then mismatched; others are mismatched at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from tables.finance.facts import Facts
from tables.finance.rows import MoneyRow, Status
from tables.money import words

Wait = Literal["none", "release", "refund"]
PAYMENT: Final = "payment_mismatch"
REFUND: Final = "refund_mismatch"
TYPES: Final = (PAYMENT, REFUND)


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds for which something may be open before it counts as mismatched."""

    release: int = 3_600_000
    refund: int = 86_400_000

    def of(self, wait: Wait) -> int:
        """How long."""
        return {"none": 0, "release": self.release, "refund": self.refund}[wait]


class Finding(NamedTuple):
    """What does not fit: under which exception, and how long it may be so. Its time is counted by `code`, whatever the text says."""

    code: str
    type: str
    text: str
    wait: Wait = "none"


class Verdict(NamedTuple):
    """How it stands. `exceptions`: type to text; `due`: when it is to be judged again, 0 for not."""

    status: Status
    reasons: list[str]
    exceptions: dict[str, str]
    due: int


def findings(given: Facts) -> list[Finding]:
    """Everything that does not fit."""
    found: list[Finding] = []

    def amount(minor: int) -> str:
        return words(minor, given.currency, given.digits)

    if given.foreign:
        text = f"money moved in {', '.join(given.foreign)} beside {given.currency or 'no currency'}: those amounts are not counted"
        found.append(Finding("foreign", PAYMENT, text))
    if not given.told:
        return found
    if given.charged_back:
        found.append(Finding("charged_back", PAYMENT, f"{amount(given.charged_back)} was charged back"))
    if given.refunded > given.captured:
        text = f"{amount(given.refunded)} was refunded, only {amount(given.captured)} was captured"
        found.append(Finding("above_paid", REFUND, text))
        return found
    left = given.captured - given.refunded - given.charged_back
    over = left - (given.keeps - given.back)
    beyond = given.refunded - max(0, given.captured - given.keeps + given.back) - _allowed(given)
    if over > 0:
        found.append(_too_much(given, over, amount(over)))
    elif beyond > 0 and not given.charged_back:
        text = f"{amount(beyond)} was refunded without a return, a cancel or a line that was not sent"
        found.append(Finding("refund_without_return", REFUND, text))
    short = given.despatched - given.captured
    if short > 0 and given.complete and not given.charged_back:
        text = f"left the warehouse, and {amount(short)} of {amount(given.despatched)} is not captured"
        found.append(Finding("not_captured", PAYMENT, text, "refund"))
    if left > 0 and not (given.cancelled or given.at_warehouse or given.nothing_to_send):
        why = f": {given.state}{f', {given.reason}' if given.reason else ''}"
        text = f"{amount(left)} is captured, and the order is not at the warehouse{why}"
        found.append(Finding("not_released", PAYMENT, text, "release"))
    return found


def _allowed(given: Facts) -> int:
    """What may have gone back before its reason is certain: what is on its way back, what did not leave yet, and shipping with goods that come back."""
    unsent = 0 if given.complete else given.keeps - given.despatched
    return given.coming + unsent + (given.shipping if given.returned or given.coming else 0)


def _too_much(given: Facts, over: int, amount: str) -> Finding:
    if given.cancelled:
        return Finding("cancelled", PAYMENT, f"cancelled, and {amount} is not refunded", "refund")
    if given.back and over <= given.back:
        return Finding("not_refunded", REFUND, f"goods came back, and {amount} of them is not refunded", "refund")
    if given.unsent and over <= given.unsent:
        return Finding("unsent", PAYMENT, f"{amount} is captured for what the warehouse did not send", "refund")
    return Finding("over", PAYMENT, f"{amount} more is captured than the order comes to", "refund")


def progress(given: Facts) -> list[str]:
    """What is still on its way, and as it should be."""
    if not given.told:
        return ["amounts are not told by the storefront"]
    found: list[str] = []
    if given.pending:
        found.append(f"a refund of {words(given.pending, given.currency, given.digits)} is not made yet")
    if given.cancelled:
        return found
    if given.captured < given.keeps and not (given.complete and given.despatched):
        found.append("not captured yet" if not given.captured else "captured in part")
    if not given.complete and given.keeps:
        found.append("despatched in part" if given.despatched else "not despatched yet")
    if given.coming:
        found.append("a return is on its way")
    return found


def judge(row: MoneyRow, given: Facts, waits: Waits, now: int) -> Verdict:
    """How the order stands now. `row.since` is brought up to date: when each finding was first made."""
    found = findings(given)
    row.since = {one.code: row.since.get(one.code, now) for one in found}
    mismatched, still, due = list[Finding](), list[Finding](), 0
    for one in found:
        at = row.since[one.code] + waits.of(one.wait)
        if at <= now:
            mismatched.append(one)
        else:
            still.append(one)
            due = min(due or at, at)
    exceptions = {kind: text for kind in TYPES if (text := "; ".join(x.text for x in mismatched if x.type == kind))}
    row.accepted = {kind: text for kind, text in row.accepted.items() if exceptions.get(kind) == text}
    unaccepted = [one.text for one in mismatched if one.type not in row.accepted]
    accepted = [f"accepted by hand: {text}" for text in row.accepted.values()]
    waiting = [*(one.text for one in still), *progress(given)]
    status: Status = "mismatched" if unaccepted else "open" if waiting else "matched"
    return Verdict(status, [*unaccepted, *waiting, *accepted], _open(exceptions, row.accepted), due)


def _open(exceptions: Mapping[str, str], accepted: Mapping[str, str]) -> dict[str, str]:
    return {kind: text for kind, text in exceptions.items() if kind not in accepted}
