"""What left the warehouse: packages read until they hold it, told when they are new, and what they hold where nobody says so."""

from schemas.records import WarehouseDespatch
from tables.deliveries import parcels
from tables.deliveries.parcels import SeenPackage
from tables.deliveries.release_row import ReleaseRow

WAIT = 10_000


def package(package_id: str, tracking: str = "", contents: dict[str, int] | None = None) -> SeenPackage:
    return SeenPackage(package_id, tracking or f"T{package_id}", "RM", "48", contents)


def read(
    row: ReleaseRow, despatched: dict[str, int], *packages: SeenPackage, complete: bool = False, at: int = 2000
) -> WarehouseDespatch | None:
    return parcels.tell(row, despatched, complete, packages, at, WAIT, at)


def lines(told: WarehouseDespatch | None) -> dict[str, dict[str, int]]:
    return {one.parcel_id: one.lines for one in told.parcels} if told is not None else {}


def order() -> ReleaseRow:
    row = ReleaseRow("shop:7", "shop:7", wms_id="33")
    assert parcels.note(row, {"A": 2}, False, 1000)
    return row


def test_a_look_up_asks_for_packages_once_per_change() -> None:
    row = ReleaseRow("shop:7", "shop:7")
    assert not parcels.note(row, {}, False, 1000)
    assert parcels.note(row, {"A": 1}, False, 1000) and row.parcels_due == 1000
    assert not parcels.note(row, {"A": 1}, False, 2000)
    assert parcels.note(row, {}, True, 3000)


def test_packages_are_told_when_they_are_new_and_not_again() -> None:
    row = order()
    told = read(row, {"A": 2}, package("1", contents={"A": 2}))
    assert lines(told) == {"1": {"A": 2}} and row.parcels_due == 0
    assert read(row, {"A": 2}, package("1", contents={"A": 2}), at=3000) is None
    later = read(
        row, {"A": 3}, package("1", contents={"A": 2}), package("2", contents={"A": 1}), complete=True, at=3000
    )
    assert lines(later) == {"1": {"A": 2}, "2": {"A": 1}} and later is not None and later.complete
    assert later.read_at > (told.read_at if told else 0)


def test_a_package_without_its_number_is_waited_for_and_told_without_in_the_end() -> None:
    row = order()
    bare = SeenPackage("1", "", "RM", "48", {"A": 2})
    assert read(row, {"A": 2}, bare) is None and 2000 < row.parcels_due <= 4000
    assert lines(read(row, {"A": 2}, bare, complete=True, at=1000 + WAIT)) == {"1": {"A": 2}} and row.parcels_due == 0


def test_what_left_without_a_package_is_told_as_the_rest_after_the_wait() -> None:
    row = order()
    assert read(row, {"A": 2}, complete=True) is None
    told = read(row, {"A": 2}, complete=True, at=1000 + WAIT)
    assert lines(told) == {"33-rest": {"A": 2}} and told is not None and told.complete


def test_an_order_is_not_complete_while_packages_are_missing() -> None:
    row = order()
    told = read(row, {"A": 2}, package("1", contents={"A": 1}), complete=True)
    assert lines(told) == {"1": {"A": 1}} and told is not None and not told.complete


def test_where_nobody_tells_what_is_in_a_package_it_is_what_left_since() -> None:
    row = order()
    assert lines(read(row, {"A": 2}, package("1"))) == {"1": {"A": 2}}
    told = read(row, {"A": 2, "B": 3}, package("1"), package("2"), package("3"), at=3000)
    assert lines(told) == {"1": {"A": 2}, "2": {"B": 3}} and told is not None
    assert [one.also for one in told.parcels] == [[], ["T3"]]


def test_a_despatch_that_was_taken_back_is_told_as_nothing() -> None:
    row = order()
    read(row, {"A": 2}, package("1", contents={"A": 2}))
    assert parcels.note(row, {}, False, 3000)
    told = read(row, {}, at=3000)
    assert told is not None and told.parcels == []
