"""How fast a SKU sells at present: by the storefronts' own times of records, so that a replay gives the same result. Pure."""

from decimal import Decimal

from tables.catalogue import Listing, Policy
from tables.stock.rows import Rules, SkuRow, StockState
from tables.stock.takes import sold_since

SPEED_MS = 30_000
"""The present selling speed is what was sold in so many milliseconds of storefront time; takes are kept longer than that."""

REMEMBERED_MS = 2 * SPEED_MS
"""How long after its last sale a listing is still known to sell: a unit on its way to one that has sold out may take longer than `SPEED_MS` to come."""


def sold(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """Units sold through the listing in the last `SPEED_MS` of its storefront's time."""
    known = row.listings.get(listing.id)
    return sold_since(known, _clock(state, rules, row, listing) - SPEED_MS) if known is not None else 0


def pace(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """Units sold through the listing in the `SPEED_MS` before its last sale, for `REMEMBERED_MS` after it: one that has sold out is not slow for that."""
    known = row.listings.get(listing.id)
    newest = max((take.at_to for take in known.takes if take.units > 0), default=0) if known is not None else 0
    if known is None or _clock(state, rules, row, listing) - newest > REMEMBERED_MS:
        return 0
    return sold_since(known, newest - SPEED_MS)


def sold_lately(state: StockState, rules: Rules, row: SkuRow) -> int:
    """Eaches sold through all listings of the product, and through bundles where their sales are followed here (`policy.follows`)."""
    found = 0
    for listing_id in row.listings:
        listing = rules.catalogue.listings.get(listing_id)
        if listing is not None:
            found += sold(state, rules, row, listing) * rules.catalogue.eaches(listing, row.sku)
    return found


def cover(state: StockState, rules: Rules, row: SkuRow, policy: Policy) -> Decimal:
    """Eaches that the policy keeps back for its seconds of cover at the present speed."""
    if not policy.velocity:
        return Decimal(0)
    return Decimal(policy.velocity * sold_lately(state, rules, row) * 1000) / SPEED_MS


def _clock(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """The newest storefront time the log speaks of."""
    newest = max((take.at_to for take in row.listing(listing.id).takes), default=0)
    return max(newest, state.watermark(listing.channel).reached)
