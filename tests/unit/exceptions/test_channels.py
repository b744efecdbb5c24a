"""Operators' commands for the exceptions of a channel: the row changes, it is told, and a retry makes what waits due now."""

from collections import deque

import pytest

from app.connectors.contract import AnswerKind
from app.delivery.desk import Alarm
from schemas.records import ExceptionCommand, ExceptionState, ReleaseLine, ReleaseOrder
from tables.deliveries import troubles
from tests.unit.delivery.rig import Rig, until


def command(action: str, exception_id: str, channel: str = "shop") -> ExceptionCommand:
    return ExceptionCommand(
        channel=channel, exception_id=exception_id, action=action, actor="kim", reason="peer is back"
    )


def trouble(rig: Rig, kind: str, entity: str, channel: str = "shop") -> str:
    row, _ = troubles.raised(None, kind, entity, "refused", 100)
    key = f"{channel}/{kind}:{entity}"
    rig.engine.run(rig.place(channel), lambda context: context.put(rig.tables.troubles, key, row))
    return f"{kind}:{entity}"


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def changes(rig: Rig) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    rig.agent.on_change = lambda channel, kind, key: found.append((channel, kind, key))
    return found


def test_acknowledge_and_resolve_are_told_with_who_and_why(rig: Rig, changes: list[tuple[str, str, str]]) -> None:
    name = trouble(rig, "delivery_failed", "shop//c0")
    rig.tell(command("acknowledge", name), command("resolve", name), command("resolve", name))
    first, second = rig.sent(ExceptionState)
    assert (first.state, first.actor, first.holder) == ("ACKNOWLEDGED", "kim", "channel/shop")
    assert (second.state, second.reason) == ("RESOLVED", "peer is back")
    assert rig.row(rig.tables.troubles, f"shop/{name}") is None
    assert changes == [("shop", "resolved", f"shop/{name}")]


def test_a_release_that_waits_is_due_now_unless_its_outcome_is_open(
    rig: Rig, changes: list[tuple[str, str, str]]
) -> None:
    name = trouble(rig, "delivery_failed", "shop:1", "clarus")
    order = ReleaseOrder(
        channel="clarus",
        order_key="shop:1",
        reference="shop:1",
        number="1",
        version=1,
        lines=[ReleaseLine(sku="S0", eaches=2)],
    )
    rig.tell(order, channel="clarus")
    row = rig.row(rig.tables.releases, "shop:1", "clarus")
    late = row.next_at = row.next_at + 1_000_000
    rig.engine.run(rig.place("clarus"), lambda context: context.put(rig.tables.releases, "shop:1", row))
    rig.tell(command("retry", name, "clarus"), channel="clarus")
    assert rig.row(rig.tables.releases, "shop:1", "clarus").next_at < late
    assert ("clarus", "retry", "shop:1") in changes


async def test_a_listing_that_is_not_mapped_is_read_again(rig: Rig) -> None:
    changes: list[tuple[str, str, str]] = []
    async with rig.running():
        await rig.adopted()
    name = trouble(rig, "unmapped_sku", "shop//c0")
    rig.agent.on_change = lambda channel, kind, key: changes.append((channel, kind, key))
    rig.tell(command("retry", name))
    assert rig.listing().resync
    assert ("shop", "listing", "shop//c0") in changes


def test_an_alarm_that_is_hastened_gives_every_key_once() -> None:
    alarm = Alarm(lambda: 1000)
    alarm.set("a", 5000)
    alarm.set("b", 9000)
    alarm.hasten()
    assert sorted(alarm.due()) == ["a", "b"]
    assert list(alarm.due()) == []


async def test_a_refused_listing_is_written_at_once_after_a_retry_and_once() -> None:
    rig = Rig(delivery={"backoff": "1h", "backoff_max": "1h", "attempts": 3})
    async with rig.running():
        await rig.adopted()
        rig.storefront.fates["shop//c0"] = deque([AnswerKind.FAILED])
        rig.tell(rig.target(1, 7))
        await until(lambda: rig.sent(ExceptionState))
        rig.tell(rig.target(2, 4))
        rig.tell(command("retry", "delivery_failed:shop//c0"))
        await until(lambda: rig.sent(ExceptionState)[-1].state == "RESOLVED")
    assert rig.storefront.quantities["shop//c0"] == 4
    assert len(rig.storefront.writes) == 2
    steps = [step.action for step in rig.sent(ExceptionState)[-1].history]
    assert steps == ["opened", "retry", "resolved"]
