"""The comparison of a listing in shadow is the write that delivery would make next."""

from typing import Any

import pytest

from tables.deliveries.listing import next_step
from tables.deliveries.listing_row import ListingRow, Write
from tables.deliveries.peers import Bounds, PeerKind
from tables.explain.shadow import compare, summary


def row(shown: int, taken: int, inc: int, dec: int, **fields: Any) -> ListingRow:
    gross = shown + taken
    given: dict[str, Any] = {"epoch": 1, "version": 1, "shown": shown, "shown_at": 5, **fields}
    return ListingRow("shop//c", "shop", "S", inc=inc, dec=dec, published=gross, high=gross, **given)


@pytest.mark.parametrize(
    ("known", "verdict", "would"),
    [
        (row(5, 2, 7, 7), "equal", 5),
        (row(5, 2, 10, 10), "raise", 8),
        (row(5, 2, 4, 4), "lower", 2),
        (row(5, 2, 2, 2, to_zero=True), "zero", 0),
        (row(5, 2, -3, 2), "zero", 0),
        (row(0, 2, -3, 2), "equal", 0),
    ],
)
def test_a_listing_would_show_what_the_next_write_makes_of_it(known: ListingRow, verdict: str, would: int) -> None:
    found = compare(known)
    assert (found.verdict, found.would_show) == (verdict, would)
    step = next_step(known, PeerKind.VERSIONED, Bounds(0, 0, 0, 0), 1)
    assert (step.delta if isinstance(step, Write) else 0) == found.difference


@pytest.mark.parametrize("lacking", [{"epoch": 0}, {"version": 0}, {"shown_at": 0}])
def test_without_a_read_or_a_figure_nothing_is_said(lacking: dict[str, int]) -> None:
    assert compare(row(5, 0, 9, 9, **lacking)).verdict == "unknown"


def test_sums_count_every_listing_once_and_units_beyond_our_figure() -> None:
    found = summary(
        map(compare, [row(5, 0, 5, 5), row(5, 0, 9, 9), row(5, 0, 2, 2), row(4, 0, 0, 0), row(1, 0, 1, 1, epoch=0)])
    )
    assert (found.equal, found.raised, found.lowered, found.zero, found.unknown) == (1, 1, 1, 1, 1)
    assert (found.listings, found.exposed) == (5, 7)
