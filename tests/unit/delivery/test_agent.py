"""The DELIVERY agent folds commands into rows, in the partition of their channel, and says which rows changed."""

import pytest

from schemas.records import (
    CancelOrder,
    Correction,
    Event,
    FetchOrder,
    ReadStock,
    ReleaseLine,
    ReleaseOrder,
    StockTarget,
)
from tables.deliveries.listing import ListingRow
from tests.support.engine import MemoryRecord
from tests.unit.delivery.rig import Rig


def target(version: int, epoch: int = 7) -> StockTarget:
    return StockTarget(
        channel="shop",
        sku="S0",
        listing="shop//c0",
        epoch=epoch,
        version=version,
        inc=version,
        dec=version,
        to_zero=False,
        priority=4,
    )


def release(version: int) -> ReleaseOrder:
    return ReleaseOrder(
        channel="clarus",
        order_key="shop:1",
        reference="shop:1",
        number="1",
        version=version,
        lines=[ReleaseLine(sku="S0", eaches=2)],
    )


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def changes(rig: Rig) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    rig.agent.on_change = lambda channel, kind, key: found.append((channel, kind, key))
    return found


def test_a_target_for_an_unknown_listing_makes_its_row(rig: Rig, changes: list[tuple[str, str, str]]) -> None:
    rig.tell(target(3))
    row = rig.listing()
    assert (row.channel, row.sku, row.epoch) == ("shop", "S0", 0)
    assert changes == [("shop", "listing", "shop//c0")]


def test_the_newest_target_of_the_epoch_wins_in_any_order(rig: Rig) -> None:
    row = ListingRow("shop//c0", "shop", "S0", epoch=7)
    rig.engine.run(rig.place("shop"), lambda context: context.put(rig.tables.listings, "shop//c0", row))
    rig.tell(target(2), target(5), target(3), target(9, epoch=6))
    assert (rig.listing().version, rig.listing().inc) == (5, 5)


def test_the_newest_judgement_of_a_read_back_waits_for_the_owner(rig: Rig, changes: list[tuple[str, str, str]]) -> None:
    for pver in (1, 2):
        rig.tell(Correction(channel="shop", sku="S0", listing="shop//c0", epoch=7, pver=pver, drift=1, final=True))
    assert rig.row(rig.tables.corrections, "shop//c0").pver == 2
    assert changes == [("shop", "listing", "shop//c0")] * 2


def test_hints_of_one_sku_are_one_dirty_row(rig: Rig, changes: list[tuple[str, str, str]]) -> None:
    rig.tell(*[ReadStock(channel="clarus", sku="S0", reason="webhook")] * 3, channel="clarus")
    row = rig.row(rig.tables.reads, "S0", "clarus")
    assert row.dirty and row.wanted == 3
    assert changes == [("clarus", "read", "S0")] * 3


def test_an_order_to_fetch_is_one_row(rig: Rig, changes: list[tuple[str, str, str]]) -> None:
    rig.tell(FetchOrder(channel="shop", order_id="1"), FetchOrder(channel="shop", order_id="1"))
    assert rig.row(rig.tables.fetches, "shop/1").wanted == 2
    assert changes[0] == ("shop", "fetch", "shop/1")


def test_an_older_release_changes_nothing_that_is_wanted_and_is_answered_again(
    rig: Rig, changes: list[tuple[str, str, str]]
) -> None:
    rig.tell(release(2), channel="clarus")
    wanted = rig.row(rig.tables.releases, "shop:1", "clarus").order
    changes.clear()
    rig.tell(release(1), channel="clarus")
    row = rig.row(rig.tables.releases, "shop:1", "clarus")
    assert (row.version, row.order) == (2, wanted) and row.answered < row.version
    assert changes == [("clarus", "release", "shop:1")]


def test_a_cancel_without_a_release_has_a_row_of_its_own(rig: Rig) -> None:
    rig.tell(CancelOrder(channel="clarus", order_key="shop:1", reference="shop:1", version=4), channel="clarus")
    row = rig.row(rig.tables.releases, "shop:1", "clarus")
    assert row.cancel and row.order is None


def test_an_unreadable_command_is_set_aside_and_the_rest_goes_on(rig: Rig) -> None:
    codec = rig.codecs["channel.commands"]
    fine = codec.encode(Event(event_id="t", occurred_at=0, received_at=0, source="t", body=target(1)))
    records = [MemoryRecord(b"a", b"\x00garbage"), MemoryRecord(b"b", fine), MemoryRecord(b"c", None)]
    batch = rig.engine.fold(rig.agent.fold, rig.place("shop"), "channel.commands", records)
    assert [record.key for record, reason in batch.dead if reason] == [b"a", b"c"]
    assert rig.row(rig.tables.listings, "shop//c0") is not None
