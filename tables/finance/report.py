"""What finance is told: one line for each order and day on which its money or goods moved, and their sums. Pure.

Every line belongs to exactly one status, so for each day, channel and currency the three of them come to everything, to the minor unit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from tables.finance.rows import KINDS, STATUSES, MoneyRow, Status


class FinanceLine(msgspec.Struct, frozen=True):
    """One order on one day. `amounts`: by kind, minor units, what moved that day; `status` and `reasons` are the order's, as it stands now."""

    day: str
    channel: str
    order_id: str
    number: str
    reference: str
    currency: str
    digits: int
    amounts: dict[str, int]
    status: Status
    reasons: list[str]

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in a report."""
        return self.day, f"{self.channel}:{self.order_id}"


class FinancePage(msgspec.Struct, frozen=True):
    """Some lines of one partition in their order. `here`: the worker owns it; `next`: what to ask on from, empty at the end."""

    worker: str
    partition: int
    here: bool
    lines: list[FinanceLine] = []
    next: str = ""


class Sums(msgspec.Struct):
    """One day, channel and currency: orders that moved, and amounts by kind, each by status."""

    day: str
    channel: str
    currency: str
    digits: int
    orders: Counter[str]
    amounts: dict[str, Counter[str]]

    def of(self, kind: str) -> int:
        """Of all orders."""
        return self.amounts[kind].total()


def line(row: MoneyRow, day: str) -> FinanceLine:
    """What moved of an order on a day."""
    return FinanceLine(
        day,
        row.channel,
        row.order_id,
        row.number,
        row.reference,
        row.currency,
        row.digits,
        dict(row.days.get(day, {})),
        row.status,
        list(row.reasons),
    )


class Report:
    """Sums of lines as they come by. Of the lines themselves it keeps the first `kept` mismatched ones, and of open ones how often each reason is met."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._sums: dict[tuple[str, str, str], Sums] = {}
        self.mismatched: dict[tuple[str, str], FinanceLine] = {}
        self.more_mismatched = False
        self.waiting: Counter[str] = Counter()

    def watch(self, lines: Iterable[FinanceLine]) -> Iterator[FinanceLine]:
        """The same lines, counted."""
        for one in lines:
            self.add(one)
            yield one

    def add(self, one: FinanceLine) -> None:
        """Count a line."""
        key = one.day, one.channel, one.currency
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums(*key, one.digits, Counter(), {kind: Counter() for kind in KINDS})
        sums.orders[one.status] += 1
        for kind, amount in one.amounts.items():
            sums.amounts[kind][one.status] += amount
        if one.status == "open":
            self.waiting.update({_plain(reason) for reason in one.reasons})
        if one.status == "mismatched":
            order = one.channel, one.order_id
            if order in self.mismatched or len(self.mismatched) < self._kept:
                self.mismatched[order] = one
            else:
                self.more_mismatched = True

    def sums(self) -> list[Sums]:
        """By day, channel and currency."""
        return [self._sums[key] for key in sorted(self._sums)]

    def orders(self) -> Counter[str]:
        """Lines by status."""
        total: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
        for one in self._sums.values():
            total.update(one.orders)
        return total


def _plain(reason: str) -> str:
    """A reason without what stands in it of one order only: its amounts."""
    return " ".join("…" if any(letter.isdigit() for letter in word) else word for word in reason.split())
