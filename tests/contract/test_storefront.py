"""What every storefront connector promises, run against its simulator. docs/connectors/certification.md numbers the promises."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.connectors.contract import AnswerKind, Priority, ShownOrder, StockRequest
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused, Throttled, Unauthorised, Unavailable
from app.simulators.base import now_ms
from app.simulators.contract import NewLine, NewOrder
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ShipmentLine, ShipParcel
from tables.catalogue import Listing
from tables.deliveries.peers import PeerKind
from tables.deliveries.shipments import lines_of
from tests.contract.storefronts import CASES, NAME, Case, Shop, connected, until
from tests.support.orders import fetched

ODD_SKUS = [
    "plain",
    "000123",
    'quo"te',
    "back\\slash",
    "a b,c;d",
    "ünï-çødé",
    "per%cent&and=is",
    "(brackets)",
    "x" * 120,
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
async def shop(case: Case) -> AsyncIterator[Shop]:
    async with connected(case) as running:
        assert all(finding.ok for finding in await running.storefront.probe() if finding.blocking)
        yield running


def order(number: str, *lines: tuple[str, int], paid: bool = True) -> NewOrder:
    return NewOrder(number, [NewLine(sku, qty) for sku, qty in lines], paid=paid)


# ---- start-up -------------------------------------------------------------------------------------------------------------------------------


async def test_the_probe_finds_nothing_that_blocks_a_good_project_also_when_repeated(shop: Shop) -> None:
    again = await shop.storefront.probe()
    assert again
    assert [finding for finding in again if not finding.ok] == []


async def test_the_probe_names_wrong_credentials_with_a_remedy_and_without_the_secret(case: Case) -> None:
    async with connected(case, **{case.secret: "wrong-secret-value"}) as shop:
        bad = [finding for finding in await shop.storefront.probe() if not finding.ok]
    assert bad
    assert all(finding.remedy for finding in bad)
    assert "wrong-secret-value" not in repr(bad)


async def test_calls_with_wrong_credentials_raise_unauthorised_and_writes_say_not_sent(case: Case) -> None:
    async with connected(case, **{case.secret: "wrong-secret-value"}) as shop:
        listing = shop.listing("A")
        with pytest.raises(Unauthorised) as raised:
            await shop.storefront.read_stock([listing], Priority.SWEEP)
        answer = await shop.write(StockRequest(listing, 1, 1, 1, 1, False, "some-id", 1))
    assert answer.kind is AnswerKind.NOT_SENT
    assert "wrong-secret-value" not in str(raised.value) + answer.detail


# ---- reading stock --------------------------------------------------------------------------------------------------------------------------


async def test_every_listing_has_a_reading_whatever_its_sku(shop: Shop) -> None:
    listings = [shop.listing(sku) for sku in ODD_SKUS]
    for number, listing in enumerate(listings):
        await shop.stock(listing, number + 1)
    readings = await shop.storefront.read_stock(listings, Priority.SWEEP)
    assert {id: reading.quantity for id, reading in readings.items()} == {
        listing.id: number + 1 for number, listing in enumerate(listings)
    }
    assert not any(reading.missing for reading in readings.values())


async def test_a_sku_that_the_storefront_does_not_have_is_missing_with_its_name(shop: Shop) -> None:
    known, unknown = shop.listing("known"), Listing(NAME, "unknown-sku", "unknown-sku")
    readings = await shop.storefront.read_stock([known, unknown], Priority.SWEEP)
    assert readings[known.id].missing == ""
    assert "unknown-sku" in readings[unknown.id].missing


async def test_a_full_batch_is_read_at_once(shop: Shop) -> None:
    listings = [
        shop.listing(f"batch-with-a-rather-long-sku-{number:04d}") for number in range(shop.storefront.max_read)
    ]
    readings = await shop.storefront.read_stock(listings, Priority.SWEEP)
    assert set(readings) == {listing.id for listing in listings}


async def test_the_times_of_a_reading_enclose_the_peers_time(shop: Shop) -> None:
    listing = shop.listing("A")
    await shop.storefront.read_stock([listing], Priority.SWEEP)
    before = now_ms()
    reading = (await shop.storefront.read_stock([listing], Priority.SWEEP))[listing.id]
    after = now_ms()
    assert reading.at_from <= after
    assert reading.at_to >= before
    assert reading.at_to - reading.at_from < 10_000


# ---- writing stock --------------------------------------------------------------------------------------------------------------------------


async def test_a_difference_lands_and_is_read_back(shop: Shop) -> None:
    listing = shop.listing("A")
    await shop.stock(listing, 10)
    answer = await shop.write(await shop.request(listing, -4))
    await shop.quiet()
    assert answer.kind is AnswerKind.OK
    assert answer.at_from <= now_ms() <= answer.at_to + 10_000
    assert shop.simulator.quantity("A") == 6
    assert (await shop.storefront.read_stock([listing], Priority.SWEEP))[listing.id].quantity == 6


async def test_a_difference_keeps_an_order_that_nobody_has_seen(shop: Shop) -> None:
    listing = shop.listing("A")
    await shop.stock(listing, 10)
    request = await shop.request(listing, 5)
    await shop.simulator.place(order("1001", ("A", 3)))
    await shop.write(request)
    await shop.quiet()
    answer = await shop.write(await shop.request(listing, 1))
    await shop.quiet()
    landed = 5 if shop.storefront.kind is not PeerKind.VERSIONED else shop.simulator.quantity("A") - (10 - 3 + 1)
    assert answer.kind is AnswerKind.OK
    assert landed in (0, 5)  # 0: the order had raised the version, nothing of the first write landed
    assert shop.simulator.quantity("A") == 10 - 3 + landed + 1


async def test_a_refused_or_conflicting_write_changes_nothing(shop: Shop) -> None:
    listing = shop.listing("A")
    await shop.stock(listing, 2)
    if shop.storefront.kind is PeerKind.VERSIONED:
        stale = await shop.request(listing, 5)
        await shop.write(await shop.request(listing, 1))
        answer, expected = await shop.write(stale), AnswerKind.CONFLICT
    else:
        answer, expected = await shop.write(await shop.request(listing, -3)), AnswerKind.REFUSED
    await shop.quiet()
    assert answer.kind is expected
    assert answer.detail
    assert shop.simulator.quantity("A") == (3 if expected is AnswerKind.CONFLICT else 2)


async def test_a_write_to_a_sku_that_is_gone_fails_for_good_with_the_peers_words(shop: Shop) -> None:
    gone = Listing(NAME, "gone", "gone")
    answer = await shop.write(StockRequest(gone, 1, 1, 1, 1, False, "00000000-0000-4000-8000-000000000000", 1))
    assert answer.listing == gone.id
    assert answer.kind in (AnswerKind.FAILED, AnswerKind.CONFLICT)
    assert answer.detail


@pytest.mark.parametrize("fault", ["timeout", "reset", "malformed", "status"])
async def test_a_write_whose_answer_is_lost_is_unknown_and_never_raises(case: Case, fault: str) -> None:
    async with connected(case, timeout=0.5) as shop:
        await shop.storefront.probe()
        listing = shop.listing("A")
        await shop.stock(listing, 1)
        request = await shop.request(listing, 2)
        shop.fault(fault, after_effect=True)  # type: ignore[arg-type]
        answer = await shop.write(request)
    assert answer.kind is AnswerKind.UNKNOWN
    assert answer.detail


async def test_a_throttled_write_was_not_sent_and_says_when_to_come_again(shop: Shop) -> None:
    listing = shop.listing("A")
    request = await shop.request(listing, 2)
    shop.fault("status", status=429, retry_after=3.0)
    answer = await shop.write(request)
    assert answer.kind is AnswerKind.NOT_SENT
    assert answer.retry_after == 3.0


async def test_a_write_to_a_peer_that_is_away_was_not_sent(shop: Shop) -> None:
    listing = shop.listing("A")
    request = await shop.request(listing, 2)
    await shop.simulator.stop()
    assert (await shop.write(request)).kind is AnswerKind.NOT_SENT


async def test_reads_under_faults_raise_the_error_that_says_what_may_be_done(case: Case) -> None:
    expected: dict[str, type[PeerError]] = {"timeout": Unavailable, "reset": Unavailable, "malformed": Malformed}
    for fault, error in expected.items():
        async with connected(case, timeout=0.5) as shop:
            listing = shop.listing("A")
            await shop.storefront.read_stock([listing], Priority.SWEEP)
            shop.fault(fault)  # type: ignore[arg-type]
            with pytest.raises(error):
                await shop.storefront.read_stock([listing], Priority.SWEEP)
            with pytest.raises(error):
                await shop.poll()


async def test_a_throttled_read_raises_throttled_and_the_hint_says_so(shop: Shop) -> None:
    listing = shop.listing("A")
    shop.fault("status", status=429, retry_after=2.0)
    with pytest.raises(Throttled) as raised:
        await shop.storefront.read_stock([listing], Priority.SWEEP)
    assert raised.value.retry_after == 2.0


# ---- orders ---------------------------------------------------------------------------------------------------------------------------------


async def test_a_poll_brings_every_order_whole_with_what_it_took(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    await shop.stock(shop.listing("B"), 10)
    placed = await shop.simulator.place(order("1001", ("A", 3), ("B", 1), ("untracked", 2)))
    orders = await shop.poll()
    assert [found.number for found in orders] == ["1001"]
    (found,) = orders
    assert (found.order_id, found.channel, found.state, found.paid) == (placed.order_id, NAME, "OPEN", True)
    assert {line.sku: (line.quantity, line.tracked) for line in found.lines} == {
        "A": (3, True),
        "B": (1, True),
        "untracked": (2, False),
    }
    assert len({line.line_id for line in found.lines}) == 3
    slack = shop.storefront.order_resolution_ms
    for line in found.lines:
        assert line.taken_from - slack <= placed.placed_at <= line.taken_to + slack
    assert found.address is not None
    assert found.address.country


async def test_a_poll_tells_when_it_began_and_which_page_is_the_last(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    await shop.simulator.place(order("1001", ("A", 1)))
    pages = [page async for page in shop.storefront.poll_orders(0, Priority.SWEEP)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(page.started_at <= now_ms() for page in pages)


async def test_a_poll_leaves_out_what_did_not_change_since(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    await shop.simulator.place(order("1001", ("A", 1)))
    assert await shop.poll(now_ms() + 3_600_000) == []


async def test_payment_and_cancel_make_newer_versions(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    await shop.simulator.place(order("1001", ("A", 1), paid=False))
    (unpaid,) = await shop.poll()
    await shop.simulator.pay("1001")
    (paid,) = await shop.poll()
    await shop.simulator.cancel("1001")
    (cancelled,) = await shop.poll()
    assert (unpaid.paid, paid.paid, cancelled.state) == (False, True, "CANCELLED")
    assert unpaid.version <= paid.version <= cancelled.version
    assert unpaid.modified_at <= paid.modified_at <= cancelled.modified_at


async def test_a_fetched_order_is_the_polled_one(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    placed = await shop.simulator.place(order("1001", ("A", 1)))
    assert await fetched(shop.storefront, placed.order_id, Priority.RELEASE) == (await shop.poll())[0]


async def test_an_order_that_is_not_there_is_none(shop: Shop) -> None:
    assert await fetched(shop.storefront, "987654321", Priority.RELEASE) is None


# ---- notifications --------------------------------------------------------------------------------------------------------------------------


async def test_notifications_lead_to_the_order_as_it_is_polled(shop: Shop) -> None:
    await shop.stock(shop.listing("A"), 10)
    placed = await shop.simulator.place(order("1001", ("A", 1)))
    await shop.simulator.cancel("1001")
    await until(lambda: shop.simulator.notifier.pending == 0)
    meanings = [meaning for note in shop.heard for meaning in shop.intake.parse(note)]
    assert meanings
    latest = await fetched(shop.storefront, placed.order_id, Priority.RELEASE)
    for meaning in meanings:
        if isinstance(meaning, OrderSnapshot):
            assert (meaning.order_id, meaning.number, meaning.lines) == (
                placed.order_id,
                "1001",
                latest.lines if latest else [],
            )
        else:
            assert meaning == FetchOrder(channel=NAME, order_id=placed.order_id)
    about_the_order = {shop.intake.entity(note.body) for note in shop.heard if shop.intake.parse(note)}
    assert len(about_the_order) == 1
    assert about_the_order != {""}


async def test_what_cannot_be_read_is_a_value_error_and_its_entity_is_empty(shop: Shop) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'"text"'):
        with pytest.raises(ValueError, match=r".+"):
            shop.intake.parse(RawNotification(channel=NAME, route="orders", headers={}, body=body))
        assert shop.intake.entity(body) == ""


async def test_notifications_of_unknown_kinds_mean_nothing(shop: Shop) -> None:
    note = RawNotification(channel=NAME, route="orders", headers={}, body=b'{"something": "else"}')
    assert shop.intake.parse(note) == []


# ---- shipments ------------------------------------------------------------------------------------------------------------------------------


async def sold(shop: Shop, number: str, *lines: tuple[str, int]) -> OrderSnapshot:
    """An order of tracked listings, as the connector sees it."""
    for sku, quantity in lines:
        await shop.stock(shop.listing(sku), quantity)
    placed = await shop.simulator.place(order(number, *lines))
    seen = await fetched(shop.storefront, placed.order_id, Priority.RELEASE)
    assert seen is not None
    return seen


def parcel(seen: OrderSnapshot, name: str, *units: int, **given: Any) -> ShipParcel:
    """A parcel with so many units of the order's lines, in their order."""
    lines = [ShipmentLine(line_id=line.line_id, units=n) for line, n in zip(seen.lines, units, strict=False) if n]
    return ShipParcel(
        channel=NAME,
        order_id=seen.order_id,
        number=seen.number,
        parcel_id=name,
        key=f"clarus-{name}",
        version=1,
        wanted=True,
        lines=lines,
        tracking=given.pop("tracking", f"TRACK-{name}"),
        address=seen.lines[0].address,
        **given,
    )


async def shown(shop: Shop, order_id: str) -> ShownOrder:
    found = await shop.storefront.shipments(order_id, Priority.DESPATCH)
    assert found is not None
    return found


def held(shop: Shop, number: str) -> list[tuple[str, dict[str, int]]]:
    """What the storefront itself says of an order's shipments."""
    shipments = shop.simulator.orders()[number].shipments
    return [(one["tracking"], {line["sku"]: line["qty"] for line in one["lines"]}) for one in shipments]


async def test_parcels_are_shown_as_they_were_shipped_and_the_order_says_how_far_it_is(shop: Shop) -> None:
    seen = await sold(shop, "5001", ("A", 3), ("B", 1))
    assert (await shown(shop, seen.order_id)).shipments == []
    for name, units, extent in (("1", (2, 0), "part"), ("2", (1, 1), "whole")):
        one = parcel(seen, name, *units, carrier="Royal Mail", link="https://track.example/1", also=[f"MORE-{name}"])
        peer_id = await shop.storefront.ship(one, extent, await shown(shop, seen.order_id), Priority.DESPATCH)
        await shop.storefront.settle(seen.order_id, extent, Priority.DESPATCH)
        there = {at.peer_id: at for at in (await shown(shop, seen.order_id)).shipments}
        assert there[peer_id].tracking == f"TRACK-{name}"
        assert there[peer_id].lines == lines_of(one)
        assert shop.simulator.orders()["5001"].state == {"part": "part_shipped", "whole": "shipped"}[extent]
    assert [one for one in held(shop, "5001") if one[1]] == [("TRACK-1", {"A": 2}), ("TRACK-2", {"A": 1, "B": 1})]


async def test_a_tracking_number_is_corrected_without_a_second_shipment(shop: Shop) -> None:
    seen = await sold(shop, "5002", ("A", 1))
    peer_id = await shop.storefront.ship(
        parcel(seen, "1", 1), "whole", await shown(shop, seen.order_id), Priority.DESPATCH
    )
    right = parcel(seen, "1", 1, tracking="RIGHT")
    await shop.storefront.amend(right, peer_id, await shown(shop, seen.order_id), Priority.DESPATCH)
    assert held(shop, "5002") == [("RIGHT", {"A": 1})]


async def test_a_shipment_that_was_taken_back_is_gone_and_the_order_is_open_again(shop: Shop) -> None:
    seen = await sold(shop, "5003", ("A", 2))
    one = parcel(seen, "1", 2)
    peer_id = await shop.storefront.ship(one, "whole", await shown(shop, seen.order_id), Priority.DESPATCH)
    await shop.storefront.settle(seen.order_id, "whole", Priority.DESPATCH)
    await shop.storefront.unship(one, peer_id, await shown(shop, seen.order_id), Priority.DESPATCH)
    await shop.storefront.settle(seen.order_id, "none", Priority.DESPATCH)
    assert (held(shop, "5003"), shop.simulator.orders()["5003"].state) == ([], "open")
    again = parcel(seen, "1", 1)
    await shop.storefront.ship(again, "part", await shown(shop, seen.order_id), Priority.DESPATCH)
    assert held(shop, "5003") == [("TRACK-1", {"A": 1})]


async def test_a_lost_answer_to_a_shipment_is_unknown_and_the_next_look_shows_it(shop: Shop) -> None:
    seen = await sold(shop, "5004", ("A", 1))
    before = await shown(shop, seen.order_id)
    shop.fault("status", status=503)
    with pytest.raises(OutcomeUnknown):
        await shop.storefront.ship(parcel(seen, "1", 1), "whole", before, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await shop.storefront.shipments(seen.order_id, Priority.DESPATCH)
    assert held(shop, "5004") == []


async def test_an_order_that_is_not_there_has_no_shipments_and_a_line_that_is_not_its_own_is_refused(
    case: Case, shop: Shop
) -> None:
    assert await shop.storefront.shipments("999999", Priority.DESPATCH) is None
    seen = await sold(shop, "5005", ("A", 1))
    wrong = parcel(seen, "1", 1)
    wrong.lines[0].units = 9
    if case.name == "commercetools":
        return  # takes any quantity (fact sheet 5.4)
    with pytest.raises(Refused):
        await shop.storefront.ship(wrong, "part", await shown(shop, seen.order_id), Priority.DESPATCH)


async def test_a_versioned_storefront_lets_nothing_land_on_an_order_that_changed(shop: Shop) -> None:
    if shop.storefront.kind is not PeerKind.VERSIONED:
        pytest.skip("it has no versions")
    seen = await sold(shop, "5006", ("A", 2))
    old = await shown(shop, seen.order_id)
    await shop.storefront.ship(parcel(seen, "1", 1), "part", old, Priority.DESPATCH)
    with pytest.raises(Unavailable):
        await shop.storefront.ship(parcel(seen, "1", 1), "part", old, Priority.DESPATCH)
    fresh = await shown(shop, seen.order_id)
    with pytest.raises(Unavailable):
        await shop.storefront.ship(parcel(seen, "1", 1), "part", fresh, Priority.DESPATCH)
    assert held(shop, "5006") == [("TRACK-1", {"A": 1})]
