"""Returns through the ORDERS agent: where their commands go, and what operators do about a mismatch."""

from typing import Any

from agents.holds import HoldRow, Holds, JudgedRow
from agents.orders import Orders
from agents.returns import Returns
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    AnnounceReturn,
    Event,
    ExceptionCommand,
    ExceptionState,
    Record,
    RefundOutcome,
    SettleReturn,
)
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.orders.rules import Rules
from tables.returns.fold import ReturnRules
from tables.returns.rows import OrderReturns
from tests.support.engine import MemoryEngine, MemoryRecord, MemoryTable
from tests.unit.orders.test_fold import CATALOGUE, line
from tests.unit.returns.test_fold import asked, back, bought, left, seen

CODECS = Codecs()


class Agent:
    """The agent of one partition, fed one event at a time."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.returns: MemoryTable[OrderReturns] = MemoryTable("returns", OrderReturns)
        self._agent = Orders(
            OrdersForce(Rules(CATALOGUE, {})),
            CODECS,
            MemoryTable("orders", OrderRow),
            MemoryTable("waits", WaitRow),
            lambda channel: {"shop": 1, "clarus": 2}[channel],
            self.engine.partitions,
            Holds(MemoryTable("held", HoldRow), MemoryTable("judged", JudgedRow)),
            Returns(ReturnRules(CATALOGUE), self.returns),
        )
        self._at = 0

    def of(self, *bodies: Record) -> "Agent":
        for body in bodies:
            self._at += 1
            event = Event(event_id="e", occurred_at=self._at, received_at=5000 + self._at, source="shop", body=body)
            record = MemoryRecord(b"shop:7", CODECS[topics.ORDERS_EVENTS].encode(event), self._at)
            self.engine.fold(self._agent.fold, 3, topics.ORDERS_EVENTS.name, [record])
        return self

    def sent(self, kind: type[Any]) -> list[Any]:
        found = [(one, CODECS[one.topic].decode(one.value).body) for one in self.engine.sent]
        return [(one.key, one.partition, body) for one, body in found if isinstance(body, kind)]

    @property
    def book(self) -> Any:
        return self.engine.run(3, lambda context: context.get(self.returns, "shop:7"))

    @property
    def said(self) -> list[tuple[str, str, str]]:
        states = [body for _, _, body in self.sent(ExceptionState) if body.type == "refund_mismatch"]
        return [(body.state, body.owner, body.detail) for body in states]


def refused(command: SettleReturn) -> RefundOutcome:
    return RefundOutcome(
        return_id=command.return_id, part=command.part, version=command.version, state="REFUSED", detail="declined"
    )


def told(action: str) -> ExceptionCommand:
    return ExceptionCommand(
        channel="", exception_id="refund_mismatch:shop:A7", action=action, actor="kim", reason="because"
    )


def inspected() -> Agent:
    agent = Agent().of(bought(line("M1", 1), returns=[back(_1=1)]), left(MUG=1))
    return agent.of(seen(20, "COMPLETED", restocked={"MUG": 1}))


def test_the_announcement_goes_to_the_warehouse_and_the_refund_to_the_storefront() -> None:
    agent = inspected()
    ((key, partition, announced),) = agent.sent(AnnounceReturn)
    assert (key, partition, announced.lines) == ("return/shop:7:r", 2, {"MUG": 1})
    ((key, partition, command),) = agent.sent(SettleReturn)
    assert (key, partition, command.lines[0].amount) == ("refund/shop:7/r/1", 1, 1000)
    assert agent.said == []


def test_what_could_not_be_refunded_is_finances_and_a_retry_asks_again() -> None:
    agent = inspected()
    agent.of(refused(agent.sent(SettleReturn)[0][2]))
    ((state, owner, detail),) = agent.said
    assert (state, owner) == ("OPEN", "finance")
    assert "10.00 EUR was not refunded: declined" in detail
    agent.of(told("retry"))
    first, second = [body for _, _, body in agent.sent(SettleReturn)]
    assert second.version > first.version
    assert (second.key, second.lines) == (first.key, first.lines)
    assert agent.said[-1][0] == "RESOLVED"


def test_what_a_person_resolved_is_not_opened_again_until_something_else_is_wrong() -> None:
    agent = inspected()
    command = agent.sent(SettleReturn)[0][2]
    agent.of(refused(command), told("resolve"), refused(command))
    assert [state for state, _, _ in agent.said] == ["OPEN", "RESOLVED"]
    agent.of(asked("r2", M1=4))
    assert agent.said[-1][0] == "OPEN"
    assert "more is to come back" in agent.said[-1][2]


def test_a_return_that_cannot_be_announced_is_given_up_when_a_person_resolves_it() -> None:
    agent = Agent().of(bought(line("M1", 2)), left(MUG=2), asked("r2", M1=4), told("resolve"))
    assert agent.book.returns == {}
    agent.of(asked("r3", M1=2))
    assert [body.return_id for _, _, body in agent.sent(AnnounceReturn)] == ["r3"]
    assert [state for state, _, _ in agent.said] == ["OPEN", "RESOLVED"]


def test_orders_without_returns_keep_no_row_of_them() -> None:
    agent = Agent().of(bought(line("M1", 1)), left(MUG=1))
    assert agent.sent(SettleReturn) == agent.sent(AnnounceReturn) == []
    assert agent.book is None
