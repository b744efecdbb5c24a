"""What a SKU adds to the sums that operators watch."""

from tables.catalogue import Catalogue, Listing, Product
from tables.stock.figures import figures
from tables.stock.rows import ListingState, Quota, SkuRow, WaitingOutcome

BOX = Product(
    "MUG", {"each": 1, "box": 6}, {}, (Listing("a", "MUG", "MUG"), Listing("b", "MUG-6", "MUG", unit="box", eaches=6))
)
CATALOGUE = Catalogue([BOX], [], ["MAIN"])


def row(available: tuple[int, int], free: int, demand: int = 0) -> SkuRow:
    first, second = (ListingState(epoch=1, ready=True, available=units) for units in available)
    listings = {"a//MUG": first, "b//MUG-6": second}
    return SkuRow("MUG", read_no=1, free={"MAIN": free}, demand={"MAIN": demand}, listings=listings)


def test_shared_listings_expose_what_they_show_together_beyond_what_there_is() -> None:
    assert dict(figures(row((10, 1), 12, 2), CATALOGUE)) == {
        ("overlap", ""): 6,
        ("exposure", "a"): 6,
        ("exposure", "b"): 6,
    }
    assert dict(figures(row((2, 1), 1), CATALOGUE))[("exposure", "a")] == 2


def test_a_buffer_that_is_large_enough_leaves_no_exposure() -> None:
    assert figures(row((4, 1), 10), CATALOGUE) == ()


def test_one_listing_that_shows_something_cannot_sell_what_another_sells() -> None:
    assert figures(row((12, 0), 6), CATALOGUE) == ()


def test_a_split_pool_shows_what_is_on_its_way_and_what_waits() -> None:
    split = row((0, 0), 12)
    split.listings["a//MUG"].quota = Quota(target=3, conf=8, waiting=[WaitingOutcome(1, 3, 5)])
    split.listings["a//MUG"].taken = 1
    split.listings["b//MUG-6"].quota = Quota(target=1, conf=0, issued={4: 1})
    assert dict(figures(split, CATALOGUE)) == {("transfer", "a"): 5, ("outcomes", "a"): 1, ("split", ""): 1}


def test_listings_not_ready_and_open_drift_are_counted_where_they_are() -> None:
    new = row((0, 0), 12)
    new.listings["b//MUG-6"].ready = False
    new.listings["a//MUG"].drift_at = 7
    assert dict(figures(new, CATALOGUE)) == {("unready", "b"): 1, ("exceptions", "stock_drift"): 1}


def test_a_component_does_not_count_the_listings_of_its_bundles() -> None:
    gift = Product("GIFT", {"each": 1}, {"MUG": 2}, (Listing("a", "GIFT", "GIFT"),))
    sold = row((1, 0), 12)
    sold.listings["a//GIFT"] = ListingState(taken=3)
    assert figures(sold, Catalogue([BOX, gift], [], ["MAIN"])) == ()
