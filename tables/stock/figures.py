"""What one SKU adds to the sums that operators watch: units that could be oversold, escrow's units on their way, listings not ready. Pure.

*Exposure* is said where several listings share the pool: `beyond` = eaches they show together, less what the warehouses can still promise (free less open
demand, not below 0); a channel's part is min(what its listing shows, `beyond`). Bundles are left out: their pool is their components'.
"""

from tables.catalogue import Catalogue
from tables.stock.drift import TYPE as DRIFT
from tables.stock.escrow import high
from tables.stock.rows import SkuRow

EXPOSURE, OVERLAP, SPLIT, TRANSFER, OUTCOMES, UNREADY, EXCEPTIONS = (
    "exposure",
    "overlap",
    "split",
    "transfer",
    "outcomes",
    "unready",
    "exceptions",
)
Parts = tuple[tuple[tuple[str, str], int], ...]
"""Name and label of a sum, and what is added to it."""


def figures(row: SkuRow, catalogue: Catalogue) -> Parts:
    """Name and channel (or type) of each sum to the amount, which is never 0."""
    listings = catalogue.listings
    found: list[tuple[tuple[str, str], int]] = []
    shown: list[tuple[str, int]] = []
    together, split = 0, False
    for listing_id, known in row.listings.items():
        listing = listings.get(listing_id)
        if listing is None or listing.product != row.sku:
            continue  # a component's row also keeps what its bundles' listings sold; their figures are in the bundle's own row
        channel, quota = listing.channel, known.quota
        if not known.ready:
            found.append(((UNREADY, channel), 1))
        if known.drift_at:
            found.append(((EXCEPTIONS, DRIFT), 1))
        if quota is None:
            if known.available > 0:
                eaches = known.available * listing.eaches
                shown.append((channel, eaches))
                together += eaches
            continue
        split = True
        moving = max(0, high(quota) - known.taken) - max(0, quota.target - known.taken)
        if moving:
            found.append(((TRANSFER, channel), moving * listing.eaches))
        if quota.waiting:
            found.append(((OUTCOMES, channel), len(quota.waiting)))
    if split:
        found.append(((SPLIT, ""), 1))
    elif len(shown) > 1 and row.read_no:
        beyond = together - max(0, sum(row.free.values()) - sum(row.demand.values()))
        if beyond > 0:
            found.append(((OVERLAP, ""), beyond))
            found += [((EXPOSURE, channel), min(eaches, beyond)) for channel, eaches in shown]
    return tuple(found)
