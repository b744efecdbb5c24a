"""How fast a SKU sells at present: by the storefronts' own times of records, so that a replay gives the same result. Pure."""

from decimal import Decimal

from tables.catalogue import Listing, Policy
from tables.stock.rows import Rules, SkuRow, StockState
from tables.stock.takes import sold_since

SPEED_MS = 30_000
"""The present selling speed is what was sold in so many milliseconds of storefront time; takes are kept longer than that."""


def sold(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """Units sold through the listing in the last `SPEED_MS` of its storefront's time."""
    known = row.listings.get(listing.id)
    return sold_since(known, _clock(state, rules, row, listing) - SPEED_MS) if known is not None else 0


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
