"""From what is known of an order's money to how it stands: matched, open or mismatched, with the reasons in words. Pure.

A finding is what does not fit. Some are only open for a while (a refund takes its time), then mismatched; others are mismatched at once. Whether refunds fit
their returns is judged by `tables/returns/mismatch.py`; what it says counts here.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from tables.finance.facts import Facts
from tables.finance.rows import MoneyRow, Status
from tables.money import words

Wait = Literal["none", "release", "refund"]
TYPE: Final = "payment_mismatch"


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds for which something may be open before it counts as mismatched."""

    release: int = 3_600_000
    refund: int = 86_400_000

    def of(self, wait: Wait) -> int:
        """How long."""
        return {"none": 0, "release": self.release, "refund": self.refund}[wait]


class Finding(NamedTuple):
    """What does not fit, and how long it may be so. Its time is counted by `code`, whatever the text says."""

    code: str
    text: str
    wait: Wait = "none"


class Verdict(NamedTuple):
    """How it stands. `exception`: what finance must look at, empty for nothing; `due`: when it is to be judged again, 0 for not."""

    status: Status
    reasons: list[str]
    exception: str
    due: int


def findings(given: Facts) -> list[Finding]:
    """Everything that does not fit."""
    found: list[Finding] = []

    def amount(minor: int) -> str:
        return words(minor, given.currency, given.digits)

    if given.foreign:
        text = f"money moved in {', '.join(given.foreign)} beside {given.currency or 'no currency'}: those amounts are not counted"
        found.append(Finding("foreign", text))
    if not given.told:
        return found
    if given.charged_back:
        found.append(Finding("charged_back", f"{amount(given.charged_back)} was charged back"))
    left, over = _left(given), _over(given)
    if over > given.back:
        found.append(_too_much(given, amount(over)))
    short = given.despatched - given.captured
    if short > 0 and given.complete and not (given.charged_back or given.agreed):
        text = f"left the warehouse, and {amount(short)} of {amount(given.despatched)} is not captured"
        found.append(Finding("not_captured", text, "refund"))
    if left > 0 and not (given.cancelled or given.at_warehouse or given.nothing_to_send):
        why = f": {given.state}{f', {given.reason}' if given.reason else ''}"
        text = f"{amount(left)} is captured, and the order is not at the warehouse{why}"
        found.append(Finding("not_released", text, "release"))
    return found


def _left(given: Facts) -> int:
    """What was captured and did not go back."""
    return given.captured - given.refunded - given.charged_back


def _over(given: Facts) -> int:
    """What of it the customer does not owe."""
    return _left(given) - (given.keeps - given.back)


def _too_much(given: Facts, amount: str) -> Finding:
    if given.cancelled:
        return Finding("cancelled", f"cancelled, and {amount} is not refunded", "refund")
    if given.unsent:
        return Finding("unsent", f"{amount} is captured for what the warehouse did not send", "refund")
    return Finding("over", f"{amount} more is captured than the order comes to", "refund")


def progress(given: Facts) -> list[str]:
    """What is still on its way, and as it should be."""
    if not given.told:
        return ["amounts are not told by the storefront"]
    found: list[str] = []
    if given.pending:
        found.append(f"a refund of {words(given.pending, given.currency, given.digits)} is not made yet")
    if given.coming:
        found.append("a return is on its way")
    elif 0 < _over(given) <= given.back:
        found.append("a refund is not shown by the storefront yet")
    if given.cancelled:
        return found
    if given.captured < given.keeps and (given.agreed or not (given.complete and given.despatched)):
        found.append("captured in part" if given.captured else "not captured yet")
    if not given.complete and given.keeps:
        found.append("despatched in part" if given.despatched else "not despatched yet")
    return found


def judge(row: MoneyRow, given: Facts, waits: Waits, now: int) -> Verdict:
    """How the order stands now. `row.since` and `row.accepted` are brought up to date."""
    found = findings(given)
    row.since = {one.code: row.since.get(one.code, now) for one in found}
    mismatched, still, due = list[str](), list[str](), 0
    for one in found:
        at = row.since[one.code] + waits.of(one.wait)
        if at <= now:
            mismatched.append(one.text)
        else:
            still.append(one.text)
            due = min(due or at, at)
    text = "; ".join(mismatched)
    if row.accepted != text:
        row.accepted = ""
    unaccepted = [*([] if row.accepted else mismatched), *([given.refund_mismatch] if given.refund_mismatch else [])]
    accepted = [f"accepted by hand: {row.accepted}"] if row.accepted else []
    waiting = [*still, *progress(given)]
    status: Status = "mismatched" if unaccepted else "open" if waiting else "matched"
    return Verdict(status, [*unaccepted, *waiting, *accepted], "" if row.accepted else text, due)
