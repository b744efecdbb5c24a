"""A storefront's owner brings listings to what their rows want, whatever happens to its requests."""

from collections import deque

import pytest

from app.connectors.contract import AnswerKind, Finding, Priority
from app.connectors.errors import Unavailable
from app.delivery.listing_rows import Due
from app.delivery.listings import DueQueue
from schemas.records import Baseline, Correction, ExceptionState, ReadBack, StockOutcome
from tables.deliveries.peers import PeerKind
from tests.unit.delivery.rig import Rig, until


async def test_every_listing_is_adopted_at_the_start_and_its_baseline_told() -> None:
    rig = Rig(skus=3)
    async with rig.running():
        await rig.adopted()
        assert {(one.listing, one.sku, one.quantity) for one in rig.sent(Baseline)} == {
            (f"shop//c{n}", f"S{n}", 10) for n in range(3)
        }
        assert not rig.storefront.writes


async def test_a_target_is_written_and_its_outcome_told() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        await until(lambda: rig.runtime.pending() == {"shop": 0})


async def test_the_latest_target_wins_and_its_outcome_covers_those_it_replaced() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 9))
        await until(lambda: rig.storefront.writes)
        for version, inc in ((2, 8), (3, 7), (4, 3)):
            rig.tell(rig.target(version, inc))
        rig.storefront.gate.set()
        await until(lambda: rig.storefront.quantities["shop//c0"] == 3)
        await until(lambda: rig.sent(StockOutcome)[-1:] and rig.sent(StockOutcome)[-1].version == 4)
        assert len(rig.storefront.writes) == 2


async def test_a_target_that_needs_no_write_has_an_outcome_too() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 10))
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        assert not rig.storefront.writes


async def test_an_intent_is_committed_before_its_request_leaves() -> None:
    rig = Rig()
    seen: list[object] = []
    rig.storefront.on_write = lambda: seen.append(rig.listing().intent)
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.sent(StockOutcome))
    assert seen and all(intent is not None for intent in seen)


@pytest.mark.parametrize("kind", PeerKind)
@pytest.mark.parametrize("units", [4, 15])
async def test_a_target_is_written_once_though_nobody_could_tell_whether_its_intent_was_committed(
    kind: PeerKind, units: int
) -> None:
    rig = Rig(kind)

    def written_or_verified() -> bool:
        """Where no marker tells, a raise counts as if it were there until the ledger has judged a read-back."""
        return rig.storefront.quantities["shop//c0"] == units or any(one.verify for one in rig.sent(ReadBack))

    async with rig.running():
        await rig.adopted()
        rig.engine.doubt_next = 2
        rig.tell(rig.target(1, units))
        await until(written_or_verified)
        for back in [one for one in rig.sent(ReadBack) if one.quantity != one.published]:
            rig.tell(correction(back))
        await until(lambda: rig.storefront.quantities["shop//c0"] == units)
        assert [one.delta for _, requests in rig.storefront.writes for one in requests] == [units - 10]


def correction(back: ReadBack) -> Correction:
    """The listing shows exactly what it shows."""
    drift = back.quantity - back.published
    return Correction(
        channel="shop", sku="S0", listing="shop//c0", epoch=back.epoch, pver=back.pver, drift=drift, final=True
    )


async def test_a_crash_between_intent_and_answer_does_not_write_twice_where_the_marker_tells() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 15))
        rig.storefront.gate.clear()
        await until(lambda: rig.storefront.writes)
        request = rig.storefront.writes[0][1][0]
        await rig.crash()
        rig.storefront._write(request)
        rig.storefront.gate.set()
        rig.engine.give(rig.place("shop"))
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        assert rig.storefront.quantities["shop//c0"] == 15
        assert len(rig.storefront.writes) == 1


async def test_a_crash_before_the_request_left_sends_it_again_after_the_look_up() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 15))
        rig.storefront.gate.clear()
        await until(lambda: rig.storefront.writes)
        await rig.crash()
        rig.storefront.gate.set()
        rig.engine.give(rig.place("shop"))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 15)
        assert len(rig.storefront.writes) == 2


async def test_an_unknown_outcome_is_looked_up_before_anything_is_repeated() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.storefront.fates["shop//c0"] = deque([AnswerKind.UNKNOWN])
        rig.tell(rig.target(1, 15))
        await until(lambda: [one.version for one in rig.sent(StockOutcome)] == [1])
        assert rig.storefront.quantities["shop//c0"] == 15
        assert len(rig.storefront.writes) == 1


async def test_a_conflict_sends_the_same_delta_with_the_version_told() -> None:
    rig = Rig(bounds={"late_max": "0ms"})
    async with rig.running():
        await rig.adopted()
        rig.storefront.versions["shop//c0"] = 7
        rig.storefront.quantities["shop//c0"] = 8  # two were sold meanwhile: 8 on offer, 10 gross
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 2)
        reads = len(rig.storefront.reads)
        assert [requests[0].peer_version for _, requests in rig.storefront.writes] == [1, 7]
        assert reads == 1


async def test_rows_go_out_in_batches_and_a_refused_row_does_not_hold_back_the_others() -> None:
    rig = Rig(PeerKind.RELATIVE, skus=5)
    async with rig.running():
        await rig.adopted()
        rig.storefront.quantities["shop//c2"] = 1  # nine were sold unseen
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 9, key="shop//c0"))
        await until(lambda: len(rig.storefront.writes) == 1)
        rig.tell(*(rig.target(1, 5, key=f"shop//c{n}") for n in range(1, 5)))
        rig.storefront.gate.set()
        await until(lambda: [rig.storefront.quantities[f"shop//c{n}"] for n in range(5)] == [9, 5, 0, 5, 5])
        batch = rig.storefront.writes[1][1]
        assert {one.listing.id for one in batch} == {f"shop//c{n}" for n in range(1, 5)}
        assert [one.zero for _, requests in rig.storefront.writes[2:] for one in requests] == [True]


async def test_one_adjustment_request_at_a_time_where_the_peer_asks_for_it() -> None:
    rig = Rig(PeerKind.RELATIVE, skus=25)
    most = 0

    def count() -> None:
        nonlocal most
        most = max(most, rig.runtime._owners["shop"]._listings._write_tasks)  # type: ignore[attr-defined]

    rig.storefront.on_write = count
    async with rig.running():
        await rig.adopted()
        rig.tell(*(rig.target(1, 5, key=key) for key in rig.catalogue.listings))
        await until(lambda: set(rig.storefront.quantities.values()) == {5})
    assert most == 1
    assert all(len(requests) <= rig.storefront.max_rows for _, requests in rig.storefront.writes)


async def test_decreases_to_zero_go_before_increases() -> None:
    rig = Rig(PeerKind.RELATIVE, skus=20)
    async with rig.running():
        await rig.adopted()
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 20, key="shop//c0"))
        await until(lambda: rig.storefront.writes)
        rig.tell(*(rig.target(1, 30, key=f"shop//c{n}", priority=5) for n in range(1, 15)))
        rig.tell(*(rig.target(1, 0, key=f"shop//c{n}", priority=1, to_zero=True) for n in range(15, 20)))
        rig.storefront.gate.set()
        await until(lambda: len(rig.storefront.writes) >= 3)
        priority, requests = rig.storefront.writes[1]
        assert priority is Priority.DECREASE
        assert {one.listing.id for one in requests} == {f"shop//c{n}" for n in range(15, 20)}


async def test_an_asynchronous_write_is_read_back_and_the_judgement_ends_it() -> None:
    rig = Rig(PeerKind.RELATIVE)
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: [one for one in rig.sent(ReadBack) if one.verify])
        back = rig.sent(ReadBack)[-1]
        assert (back.quantity, back.published) == (4, 4)
        assert not rig.sent(StockOutcome)
        rig.tell(correction(back))
        await until(lambda: [(one.version, one.bound) for one in rig.sent(StockOutcome)] == [(1, 4)])
        await until(lambda: rig.runtime.pending() == {"shop": 0})
        assert rig.row(rig.tables.corrections, "shop//c0") is None


async def test_a_listing_the_storefront_does_not_know_is_an_exception_until_it_does() -> None:
    rig = Rig(skus=2)
    rig.storefront.missing = {"shop//c1"}
    async with rig.running():
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN"])
        opened = rig.sent(ExceptionState)[0]
        assert (opened.exception_id, opened.owner) == ("unmapped_sku:shop//c1", "ecommerce")
        await until(lambda: rig.runtime.pending() == {"shop": 0})
        rig.storefront.missing = set()
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])
        await rig.adopted()


async def test_a_refusal_for_good_is_an_exception_and_is_tried_again_with_the_current_target() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.storefront.fates["shop//c0"] = deque([AnswerKind.FAILED] * 2)
        rig.tell(rig.target(1, 4))
        await until(lambda: [one.type for one in rig.sent(ExceptionState)] == ["delivery_failed"])
        rig.tell(rig.target(2, 3))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 3)
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])
        assert rig.storefront.writes[-1][1][0].delta == -7


async def test_a_channel_away_has_one_exception_and_is_caught_up_when_it_is_back() -> None:
    rig = Rig(PeerKind.RELATIVE, skus=4)
    async with rig.running():
        await rig.adopted()
        rig.storefront.away = Unavailable("shop", "PUT /adjustments", "refused")
        rig.tell(*(rig.target(1, 5, key=key) for key in rig.catalogue.listings))
        await until(lambda: [one.exception_id for one in rig.sent(ExceptionState)] == ["delivery_failed:shop"])
        rig.tell(*(rig.target(2, 3, key=key) for key in rig.catalogue.listings))
        rig.storefront.away = None
        await until(lambda: set(rig.storefront.quantities.values()) == {3})
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])


async def test_cycles_that_are_run_again_leave_one_of_everything() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.engine.abort_next = 2
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.sent(StockOutcome))
        assert len(rig.storefront.writes) == 1
        assert rig.listing().attempt == 1
        assert rig.storefront.quantities["shop//c0"] == 4


async def test_a_lost_partition_ends_its_owner_and_keeps_the_intent() -> None:
    rig = Rig()
    async with rig.running():
        await rig.adopted()
        rig.storefront.gate.clear()
        rig.tell(rig.target(1, 4))
        await until(lambda: rig.storefront.writes)
        rig.engine.lose(rig.place("shop"))
        await until(lambda: rig.storefront.closed)
        assert rig.runtime.pending() == {}
        assert rig.listing().intent is not None


async def test_listings_are_read_back_within_the_sweep() -> None:
    rig = Rig(skus=3, sweeps={"listings": "150ms"})
    rig.storefront.max_read = 1
    async with rig.running():
        await rig.adopted()
        rig.tell(*(rig.target(1, 10, key=key) for key in rig.catalogue.listings))
        await until(lambda: {one.listing for one in rig.sent(ReadBack)} == set(rig.catalogue.listings))
        assert {priority for priority, _ in rig.storefront.reads} == {Priority.INCREASE, Priority.SWEEP}


async def test_why_a_storefront_may_sell_beyond_what_it_shows_is_told_with_every_read_and_counted() -> None:
    rig = Rig(skus=2, sweeps={"listings": "150ms"})
    rig.storefront.unguarded = {"shop//c1": "back-orders are accepted"}
    async with rig.running():
        await rig.adopted()
        told = {one.listing: one.unguarded for one in rig.sent(Baseline)}
        assert told == {"shop//c0": "", "shop//c1": "back-orders are accepted"}
        assert rig.runtime.status()["shop"]["unguarded"] == 1
        rig.storefront.unguarded = {}
        rig.tell(*(rig.target(1, 10, key=key) for key in rig.catalogue.listings))
        await until(lambda: "shop//c1" in {one.listing for one in rig.sent(ReadBack) if not one.unguarded})
        await until(lambda: rig.runtime.status()["shop"]["unguarded"] == 0)


async def test_a_setting_of_the_whole_storefront_is_a_reason_of_each_listing() -> None:
    rig = Rig(skus=2, sweeps={"listings": "150ms"})
    why = "the store puts units back by itself"
    rig.storefront.findings = [Finding("restock", False, why, "switch it off", blocking=False, unguarded=why)]
    async with rig.running():
        await rig.adopted()
        rig.tell(*(rig.target(1, 10, key=key) for key in rig.catalogue.listings))
        await until(
            lambda: {one.listing for one in rig.sent(ReadBack) if one.unguarded == why} == set(rig.catalogue.listings)
        )


async def test_nothing_is_written_before_the_start_check_agrees() -> None:
    rig = Rig()
    rig.storefront.findings = [Finding("restock", False, "the store restocks by itself", "switch it off")]
    async with rig.running():
        await rig.adopted()
        rig.tell(rig.target(1, 4))
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN"])
        assert rig.runtime.status()["shop"]["writes"] is False
        assert "switch it off" in rig.sent(ExceptionState)[0].detail
        assert not rig.storefront.writes
        rig.storefront.findings = []
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])


def test_the_queue_is_by_urgency_but_nothing_waits_for_ever() -> None:
    queue = DueQueue()
    queue.put(Due("increase", None, False, Priority.INCREASE, 1_000))
    for n in range(60):
        queue.put(Due(f"decrease {n}", None, False, Priority.DECREASE, 2_000 + n * 1_000))
    order = [due.listing for due in queue.take(61)]
    assert order[0] == "decrease 0"
    assert 25 <= order.index("increase") <= 32


def test_the_queue_holds_one_entry_for_each_listing_however_often_it_changes() -> None:
    queue = DueQueue()
    for n in range(10_000):
        queue.put(Due("a", None, False, Priority.INCREASE, n))
    queue.put(Due("b", None, False, Priority.SWEEP, 0))
    queue.drop("b")
    assert len(queue._heap) < 500
    assert [due.since for due in queue.take(10)] == [9_999]
    assert len(queue) == 0
