"""Orders with money, and a ledger that is folded event by event as the ORDERS agent does it."""

from typing import Any

import msgspec

from schemas.records import (
    ExceptionCommand,
    ExceptionState,
    OrderEventBody,
    OrderSnapshot,
    Payment,
    ShipmentOutcome,
    WarehouseDespatch,
    WarehouseOrder,
)
from tables.finance import fold as finance
from tables.finance.fold import Rules
from tables.finance.judge import Waits
from tables.finance.rows import MoneyRow
from tables.orders import attention, fold
from tables.orders.rows import OrderRow
from tests.unit.orders.test_despatch import RULES as ORDER_RULES
from tests.unit.orders.test_fold import CATALOGUE, line, order

DAY = 86_400_000
NOW = 20_000 * DAY  # 2024-10-04
RULES = Rules(CATALOGUE, Waits(release=3_600_000, refund=DAY))


def paid(payment_id: str, amount: int, kind: Any = "CHARGE", state: Any = "DONE", at: int = NOW) -> Payment:
    return Payment(payment_id=payment_id, kind=kind, state=state, amount=amount, at=at)


def bought(version: int = 1, **fields: Any) -> OrderSnapshot:
    """Two mugs for 20.00 and a card for 5.00, shipping 3.00; captured whole."""
    given: dict[str, Any] = {
        "currency": "EUR", "total": 2800, "shipping_price": 300, "captured": 2800, "refunded": 0, **fields,
    }  # fmt: skip
    found = order(line("M1", 2, price=2000), line("C1", 1, "2", price=500), version=version, **given)
    found.created_at, found.modified_at = NOW, NOW + version
    return found


class Books:
    """One order, its row and its ledger; events at `now`, which goes on."""

    def __init__(self) -> None:
        self.order = fold.new_row("shop", "7")
        self.row = finance.new_row(self.order)
        self.now = NOW
        self.told: list[ExceptionState] = []

    def __call__(self, *events: OrderEventBody) -> "Books":
        for event in events:
            event = msgspec.convert(msgspec.to_builtins(event), type(event))
            match event:
                case OrderSnapshot():
                    fold.snapshot(self.order, event, ORDER_RULES, self.now)
                case WarehouseOrder():
                    fold.warehouse(self.order, event, self.now)
                case WarehouseDespatch():
                    fold.despatched(self.order, event, ORDER_RULES, self.now)
                case ShipmentOutcome():
                    fold.shipment(self.order, event, ORDER_RULES, self.now)
                case ExceptionCommand():
                    attention.command(self.order, event, ORDER_RULES, self.now)
                    self.told += finance.command(self.row, event, self.now)
            self.told += finance.follow(self.row, self.order, event, RULES, self.now)
            self.order = msgspec.msgpack.decode(msgspec.msgpack.encode(self.order), type=OrderRow)
            self.row = msgspec.msgpack.decode(msgspec.msgpack.encode(self.row), type=MoneyRow)
        return self

    def later(self, milliseconds: int) -> "Books":
        """Time passes, and the order is judged again."""
        self.now += milliseconds
        self.told += finance.follow(self.row, self.order, None, RULES, self.now)
        return self

    def open(self) -> dict[str, str]:
        """Open exceptions by type, as subscribers know them."""
        newest = {one.exception_id: one for one in self.told}
        return {one.type: one.detail for one in newest.values() if one.state != "RESOLVED"}

    def sums(self) -> dict[str, int]:
        """By kind, over all days."""
        total: dict[str, int] = {}
        for kinds in self.row.days.values():
            for kind, amount in kinds.items():
                total[kind] = total.get(kind, 0) + amount
        return {kind: amount for kind, amount in total.items() if amount}
