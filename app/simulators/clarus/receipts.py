"""Goods-in receipts of the simulated Clarus, as far as returns need them: announced, received line by line, inspected, complete (fact sheet 8).

What arrived waits out of sale until it was inspected. The inspection's figures stand in custom fields of the lines, as one tenant may have agreed on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from app.simulators.base import Journal, now_ms
from app.simulators.clarus.model import Account, Product, Warehouse
from app.simulators.clarus.orderbook import Denied
from app.simulators.clarus.stockroom import Stockroom

Outcome = Literal["restock", "quarantine", "scrap"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("restock", "quarantine", "scrap")


@dataclass(slots=True, eq=False)
class ReceiptLine:
    """One product that is expected; `inspected` by outcome."""

    id: int
    product: Product
    expected: int
    received: int = 0
    inspected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))

    @property
    def open(self) -> int:
        """Eaches that arrived and nobody looked at."""
        return self.received - sum(self.inspected.values())


@dataclass(slots=True, eq=False)
class Receipt:
    """A receipt. `status` as the API's samples write it."""

    id: int
    created_at: int
    account: Account
    warehouse: Warehouse
    attributes: dict[str, Any]
    lines: list[ReceiptLine] = field(default_factory=list)
    status: str = "pending"

    @property
    def reference(self) -> str:
        return str(self.attributes.get("reference") or "")

    @property
    def upstream(self) -> str:
        """What the announcing system wrote into external_system_reference1."""
        return str(self.attributes.get("external_system_reference1") or "")


class ReceiptBook:
    """All receipts."""

    def __init__(self, stockroom: Stockroom, journal: Journal) -> None:
        self._stockroom, self._journal = stockroom, journal
        self._ids = iter(range(1, 1 << 40))
        self.all: dict[int, Receipt] = {}

    def create(
        self, account: Account, warehouse: Warehouse, attributes: dict[str, Any], lines: Sequence[tuple[Product, int]]
    ) -> Receipt:
        """Announce goods."""
        made = Receipt(next(self._ids), now_ms(), account, warehouse, attributes)
        made.lines = [ReceiptLine(next(self._ids), product, expected) for product, expected in lines]
        self.all[made.id] = made
        self._journal.note("receipt announced", order=made.upstream, reference=made.reference)
        return made

    def with_reference(self, references: Sequence[str]) -> Iterator[Receipt]:
        """Receipts with one of these references."""
        return (one for one in self.all.values() if one.reference in references)

    def of(self, upstream: str) -> list[Receipt]:
        """The receipts of an order key, oldest first."""
        return [one for one in self.all.values() if one.upstream == upstream]

    def receive(self, upstream: str, lines: Sequence[tuple[str, int]]) -> None:
        """Goods of the oldest receipt that waits for some arrive: these, or all that are expected. They are kept out of sale."""
        receipt = self._first(upstream, lambda line: line.expected - line.received, "waits for no goods")
        for line, units in self._split(receipt, lines, lambda line: line.expected - line.received):
            line.received += units
            self._stockroom.take_back(self._stockroom.balance(line.product, receipt.warehouse), units)
        receipt.status = "receiving"
        self._journal.note("return received", order=upstream, reference=receipt.reference)

    def inspect(self, upstream: str, lines: Sequence[tuple[str, int, Outcome]], rest: Outcome) -> None:
        """The oldest receipt with goods that nobody looked at: these lines have their outcomes; without lines all that arrived has the outcome `rest`."""
        receipt = self._first(upstream, lambda line: line.open, "has no goods to inspect: nothing was received")
        given = lines or [(line.product.code, line.open, rest) for line in receipt.lines if line.open]
        for sku, qty, outcome in given:
            for line, units in self._split(receipt, [(sku, qty)], lambda line: line.open):
                line.inspected[outcome] += units
                balance = self._stockroom.balance(line.product, receipt.warehouse)
                if outcome == "restock":
                    self._stockroom.release(balance, units)
                elif outcome == "scrap":
                    self._stockroom.scrap(balance, units)
        if all(line.open == 0 and line.received >= line.expected for line in receipt.lines):
            receipt.status = "completed"
        self._journal.note("return inspected", order=upstream, reference=receipt.reference)

    def _first(self, upstream: str, open_units: Any, otherwise: str) -> Receipt:
        for receipt in self.of(upstream):
            if any(open_units(line) > 0 for line in receipt.lines):
                return receipt
        raise Denied(f"the return of {upstream} {otherwise}" if self.of(upstream) else f"no return of {upstream}")

    @staticmethod
    def _split(receipt: Receipt, lines: Sequence[tuple[str, int]], open_units: Any) -> list[tuple[ReceiptLine, int]]:
        """These quantities over the receipt's lines; without any, all that is open. Denied where there is not so much."""
        if not lines:
            return [(line, open_units(line)) for line in receipt.lines if open_units(line) > 0]
        found = []
        for sku, qty in lines:
            left = qty
            for line in receipt.lines:
                step = min(left, open_units(line)) if line.product.code == sku else 0
                if step > 0:
                    found.append((line, step))
                    left -= step
            if left:
                raise Denied(f"the return {receipt.reference} has {qty - left} of {sku}, not {qty}")
        return found
