"""Notifications of one order are counted in one row."""

from tables.deliveries import fetches
from tables.deliveries.fetches import FetchRow


def test_many_notifications_are_one_row_with_the_time_of_the_first() -> None:
    row = FetchRow("shop", "1")
    for now in (100, 200, 300):
        fetches.want(row, now)
    assert (row.key, row.wanted, row.asked_at) == ("shop/1", 3, 100)
