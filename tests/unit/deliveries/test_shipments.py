"""One parcel at a storefront: looked for before it is written, written once, taken back once."""

from typing import Any

import pytest

from schemas.records import ShipmentLine, ShipParcel
from tables.deliveries import looks, shipments
from tables.deliveries.shipments import Amend, AtStorefront, Placed, Remove, Ship, ShipmentRow, Wait

LATE = 60_000


def command(version: int = 1, *, parcel_id: str = "p", tracking: str = "T", units: int = 2, **given: Any) -> ShipParcel:
    return ShipParcel(
        channel="shop",
        order_id="7",
        number="A7",
        parcel_id=parcel_id,
        key=f"clarus-{parcel_id}",
        version=version,
        wanted=given.pop("wanted", True),
        lines=[ShipmentLine(line_id="1", units=units)],
        tracking=tracking,
        **given,
    )


def row(wanted: ShipParcel | None = None) -> ShipmentRow:
    found = ShipmentRow("shop", "7", (wanted or command()).parcel_id)
    assert shipments.want(found, wanted or command(), 1000)
    return found


def there(peer_id: str = "9", tracking: str = "T", units: int = 2, key: str = "") -> AtStorefront:
    return AtStorefront(peer_id, tracking, {"1": units}, key)


def step(one: ShipmentRow, *shown: AtStorefront, at: int = 2000, late: int = LATE, siblings: Any = ()) -> Any:
    return shipments.next_step(one, shown, siblings, at, late)


def test_what_is_not_there_is_shipped_and_what_is_there_is_not_shipped_again() -> None:
    assert isinstance(step(row()), Ship)
    assert step(row(), there()) == Placed("9")
    assert step(row(), there(key="clarus-p", tracking="T")) == Placed("9")


def test_an_older_command_changes_nothing() -> None:
    one = row(command(5))
    assert not shipments.want(one, command(5), 2000) and not shipments.want(one, command(4, wanted=False), 2000)
    assert one.command is not None and one.command.wanted


def test_a_lost_request_is_looked_for_until_it_cannot_land_any_more() -> None:
    one = row()
    shipments.begin(one, Ship(command()), 2000)
    waits = step(one, at=2000 + LATE - 1)
    assert waits == Wait(2000 + LATE), "nobody lived to give it up"
    looks.unknown(one, 3000)
    waits = step(one, at=2000 + LATE)
    assert isinstance(waits, Wait) and 2000 + LATE < waits.until <= 3000 + LATE
    assert step(one, there(), at=3000) == Placed("9")
    assert isinstance(step(one, at=3000 + LATE), Ship)
    assert isinstance(step(one, at=3000, late=0), Ship)


def test_two_parcels_alike_are_two_shipments() -> None:
    first, second = row(command(parcel_id="a", tracking="")), row(command(parcel_id="b", tracking=""))
    shipments.begin(first, Ship(command()), 2000)
    shipments.accepted(first, "9")
    assert isinstance(step(second, there("9", ""), siblings=[first]), Ship)
    assert step(second, there("9", ""), there("10", ""), siblings=[first]) == Placed("10")


def test_other_words_are_amended_and_other_contents_replaced() -> None:
    one = row()
    one.peer_id = "9"
    assert step(one, there(tracking="OLD")) == Amend(command(), "9")
    assert step(one, there(units=1)) == Remove(command(), "9")
    shipments.begin(one, Remove(command(), "9"), 2000)
    shipments.accepted(one, "")
    assert one.placed == 0 and isinstance(step(one), Ship)


def test_what_was_taken_back_is_removed_and_answered_so() -> None:
    one = row()
    shipments.begin(one, Ship(command()), 2000)
    shipments.accepted(one, "9")
    shipments.answer(one)
    assert shipments.want(one, command(2, wanted=False), 3000)
    back = step(one, there())
    assert back == Remove(command(2, wanted=False), "9")
    shipments.begin(one, back, 3000)
    shipments.accepted(one, "")
    assert shipments.answer(one).state == "REMOVED"
    assert step(row(command(wanted=False))) == Placed("")


def test_a_take_back_waits_for_a_shipment_that_may_still_land() -> None:
    one = row()
    shipments.begin(one, Ship(command()), 2000)
    looks.unknown(one, 2000)
    shipments.want(one, command(2, wanted=False), 2500)
    assert isinstance(step(one, at=3000), Wait)
    assert isinstance(step(one, there(), at=4000), Remove)


def test_a_refusal_of_an_older_command_lets_the_newer_one_be_tried() -> None:
    one = row()
    shipments.begin(one, Ship(command()), 2000)
    shipments.want(one, command(2, units=1), 2500)
    assert shipments.refused(one, "no") == [] and shipments.pending(one)
    shipments.begin(one, Ship(command(2)), 3000)
    (said,) = shipments.refused(one, "no")
    assert (said.state, said.version, said.detail) == ("REFUSED", 2, "no") and not shipments.pending(one)


@pytest.mark.parametrize(
    ("whole", "refused", "extent"), [(True, False, "whole"), (False, False, "part"), (True, True, "part")]
)
def test_an_order_is_whole_when_the_newest_command_says_so_and_all_parcels_are_there(
    whole: bool, refused: bool, extent: str
) -> None:
    first, second = row(command(1, parcel_id="a")), row(command(2, parcel_id="b", whole=whole))
    assert shipments.extent([first, second]) == "none"
    for one in (second,) if refused else (first, second):
        shipments.placed(one, one.parcel_id)
    if refused:
        shipments.refused(first, "no")
    assert shipments.extent([first, second]) == extent
