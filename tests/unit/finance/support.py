"""Orders with money, and the ORDERS agent with its ledger over an engine in memory."""

from typing import Any

from agents.finance import Finance, FinanceTables
from agents.holds import HoldRow, Holds, JudgedRow
from agents.orders import Orders
from agents.returns import Returns
from agents.watch import Unwatched
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    Event,
    ExceptionState,
    OrderEventBody,
    OrderSnapshot,
    Payment,
)
from tables.finance.judge import Waits
from tables.finance.rows import MoneyDay, MoneyDue, MoneyRow
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.returns.fold import ReturnRules
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryEngine, MemoryRecord, MemoryTable
from tests.unit.orders.test_despatch import RULES as ORDER_RULES
from tests.unit.orders.test_fold import CATALOGUE, line, order

DAY = 86_400_000
NOW = 20_000 * DAY  # 2024-10-04
CODECS = Codecs()
ORDERS = MemoryTable("orders", OrderRow)
WAITS = Waits(release=3_600_000, refund=DAY)


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
    """One order, its returns and its ledger, folded by the ORDERS agent itself; events at `now`, which goes on."""

    def __init__(self) -> None:
        self.now = NOW
        self.engine = MemoryEngine(1, lambda: self.now)
        self.tables = tables()
        self.agent = agent(self.tables)

    def __call__(self, *events: OrderEventBody) -> "Books":
        for body in events:
            event = Event(event_id="e", occurred_at=self.now, received_at=self.now, source="shop", body=body)
            record = MemoryRecord(b"shop:7", CODECS[topics.ORDERS_EVENTS].encode(event))
            self.engine.fold(self.agent.fold, 0, topics.ORDERS_EVENTS.name, [record])
        return self

    def later(self, milliseconds: int) -> "Books":
        """Time passes; what is due is judged again."""
        self.now += milliseconds
        self.engine.run(0, self.agent.tick)
        return self

    @property
    def order(self) -> OrderRow:
        """The order's row."""
        found: OrderRow = self.engine.run(0, lambda context: context.get(ORDERS, "shop:7"))
        return found

    @property
    def row(self) -> MoneyRow:
        """The ledger's row; one of an order that nothing was booked for where there is none."""
        found: MoneyRow | None = self.engine.run(0, lambda context: context.get(self.tables.money, "shop:7"))
        return found or MoneyRow("shop", "7")

    @property
    def returns(self) -> OrderReturns | None:
        """The order's returns."""
        found: OrderReturns | None = self.engine.run(0, lambda context: context.get(self.tables.returns, "shop:7"))
        return found

    @property
    def told(self) -> list[ExceptionState]:
        """Every record about an exception of finance's, in order."""
        values = [one.value for one in self.engine.sent if one.topic == topics.INTEGRATION_EXCEPTIONS.name]
        bodies = [CODECS[topics.INTEGRATION_EXCEPTIONS].decode(value).body for value in values]
        return [one for one in bodies if one.owner == "finance"]

    def open(self) -> dict[str, str]:
        """Open exceptions of finance's by type, as subscribers know them."""
        newest = {one.exception_id: one for one in self.told}
        return {one.type: one.detail for one in newest.values() if one.state != "RESOLVED"}

    def sums(self) -> dict[str, int]:
        """By kind, over all days."""
        total: dict[str, int] = {}
        for kinds in self.row.days.values():
            for kind, amount in kinds.items():
                total[kind] = total.get(kind, 0) + amount
        return {kind: amount for kind, amount in total.items() if amount}


def tables() -> FinanceTables:
    """Tables of the ledger of money, in memory."""
    return FinanceTables(
        MemoryTable("money", MoneyRow),
        MemoryTable("money_days", MoneyDay),
        MemoryTable("money_due", MoneyDue),
        MemoryTable("returns", OrderReturns),
    )


def agent(given: FinanceTables, partitions: int = 1) -> Orders:
    """The ORDERS agent as a worker has it."""
    returns = Returns(ReturnRules(CATALOGUE), given.returns)
    finance = Finance(WAITS, given, Unwatched())
    waits = MemoryTable("waits", WaitRow)
    holds = Holds(MemoryTable("held", HoldRow), MemoryTable("judged", JudgedRow))
    force = OrdersForce(ORDER_RULES)
    return Orders(force, CODECS, ORDERS, waits, lambda _: 0, partitions, holds, returns, None, finance)
