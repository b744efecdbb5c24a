"""The report of reconciliation: from rows, so that it survives a restart; of several workers it is the sum, and what is missing is said."""

import httpx
import msgspec
import pytest

from app.connectors.contract import Finding
from app.connectors.errors import Unavailable
from app.errors import Problem
from app.reconciliation.cli import ask
from app.reconciliation.worker import Reconciliation
from schemas.records import ReadListing, StockOutcome
from tables.explain.reconciliation import ChannelSweep, ReconciliationAnswer, merge
from tables.reconciliation import SweepRow, count
from tests.unit.delivery.rig import Rig, until


def report(rig: Rig) -> Reconciliation:
    return Reconciliation(rig.engine, rig.tables, ["shop"], rig.engine.partitions, "w1", rig.place)


async def test_a_listing_the_storefront_lacks_is_kept_with_its_times_until_it_is_over() -> None:
    rig = Rig(skus=2)
    rig.storefront.missing = {"shop//c1"}
    async with rig.running():
        await until(lambda: rig.row(rig.tables.differences, "shop/catalogue/shop//c1"))
        first = rig.row(rig.tables.differences, "shop/catalogue/shop//c1").first_seen
        await until(lambda: rig.row(rig.tables.differences, "shop/catalogue/shop//c1").last_seen > first)
        [row] = (await report(rig).answer()).differences
        assert (row.kind, row.entity, row.first_seen, row.over_at) == ("catalogue", "shop//c1", first, 0)
        assert "no such SKU" in row.detail
        rig.storefront.missing = set()
        await until(lambda: rig.row(rig.tables.differences, "shop/catalogue/shop//c1").over_at)


async def test_a_setting_that_the_rules_would_have_otherwise_is_kept() -> None:
    rig = Rig()
    rig.storefront.findings = [Finding("restock", False, "the store restocks by itself", "turn it off", blocking=False)]
    async with rig.running():
        await until(lambda: rig.row(rig.tables.differences, "shop/setting/restock"))
        rig.storefront.findings = [Finding("restock", True, "only the warehouse restocks")]
        await rig.crash()
        rig.engine.give(rig.place("shop"))
        await until(lambda: rig.row(rig.tables.differences, "shop/setting/restock").over_at)


async def test_read_backs_that_nobody_answers_are_counted_and_outlive_the_worker() -> None:
    rig = Rig(skus=2)
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 10), rig.target(1, 10, key="shop//c1"))
        await until(lambda: len(rig.sent(StockOutcome)) == 2)
        rig.storefront.away = Unavailable("shop", "GET stock", "503")
        rig.tell(ReadListing(channel="shop", listing="", reason="test"))
        await until(lambda: (rig.row(rig.tables.sweeps, "shop") or SweepRow()).unanswered >= 2)
        await rig.crash()
        [found] = (await report(rig).answer()).channels
        assert found.unanswered >= 2
        assert (found.here, found.listings, found.unread) == (True, 2, 0)
        assert found.oldest in ("shop//c0", "shop//c1") and found.oldest_at


def test_counts_of_several_partitions_and_workers_add_up() -> None:
    row = SweepRow()
    for cause, at in (("equal", 5), ("write", 6), ("raised", 7), ("equal", 9)):
        count(row, cause, at)  # type: ignore[arg-type]
    assert (row.checked, row.equal, row.causes, row.since, row.last) == (4, 2, {"write": 1, "raised": 1}, 5, 9)
    first = ChannelSweep("shop", 4, 2, 1, 1, 3, {"write": 1, "raised": 1}, 5, 9)
    second = ChannelSweep("shop", 1, 0, 1, 0, 0, {"write": 1}, 2, 3, True, 7, 1, 0, "shop//x", 11)
    joint = merge([ReconciliationAnswer("a", 1, 2, [0], [first]), ReconciliationAnswer("b", 2, 2, [1], [second])])
    expected = ChannelSweep("shop", 5, 2, 2, 1, 3, {"write": 2, "raised": 1}, 2, 9, True, 7, 1, 0, "shop//x", 11)
    assert (joint.partitions, joint.channels) == ([0, 1], [expected])


def test_a_partition_that_nobody_asked_owns_is_named() -> None:
    settings = Rig().settings
    answer = ReconciliationAnswer("w1", 1, 3, [0, 2], [ChannelSweep("shop"), ChannelSweep("other")])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=msgspec.json.encode(answer)))
    asked = ask(settings, ["http://a"], "shop", transport)
    assert [one.channel for one in asked.answer.channels] == ["shop"]
    assert "partitions 1 of 3" in asked.missing[0]
    with pytest.raises(Problem, match="no worker answered"):
        ask(settings, ["http://a"], None, httpx.MockTransport(lambda _: httpx.Response(503)))
