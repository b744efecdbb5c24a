"""From a SKU's state to what follows: commands to listings whose figures changed, available to sell for subscribers, component stock for bundles. Pure.

Called once for a SKU after any number of events: only what differs from what was sent last is sent.
"""

from schemas.records import AvailableToSell, StockTarget
from tables.catalogue import Listing
from tables.stock import grants
from tables.stock.bundles import component_stock
from tables.stock.policy import offers
from tables.stock.rows import Effect, ListingState, Rules, StockState
from tables.stock.target import Offer, priority_of


def publish(state: StockState, rules: Rules, sku: str, cause: str) -> list[Effect]:
    """Everything about the SKU that others do not know yet. `cause`: the kind of the event that may have changed it."""
    row = state.sku(sku)
    product = rules.catalogue.products.get(sku)
    if row is None or product is None:
        return []
    effects: list[Effect] = []
    for listing_id, figures in offers(state, rules, row, product).items():
        listing, known = rules.catalogue.listings[listing_id], row.listing(listing_id)
        if known.available != figures.available:
            known.available, known.available_version = figures.available, known.available_version + 1
            effects.append(_available(sku, listing, known, cause))
        if known.ready and (not known.sent or (known.inc, known.dec) != (figures.inc, figures.dec)):
            effects.append(_command(sku, listing, known, figures))
    if row.read_no:
        for bundle in rules.catalogue.bundles_of(sku):
            told = component_stock(row, bundle, rules.catalogue) if bundle.listings else None
            if told is not None:
                effects.append(told)
    if product.bundle:
        effects += grants.words(row, product, rules)
    if effects:
        state.put_sku(row)
    return effects


def _available(sku: str, listing: Listing, known: ListingState, cause: str) -> AvailableToSell:
    return AvailableToSell(
        sku=sku,
        listing=listing.id,
        channel=listing.channel,
        location=listing.location,
        channel_sku=listing.sku,
        unit=listing.unit,
        available=known.available,
        version=known.available_version,
        cause=cause,
    )


def _command(sku: str, listing: Listing, known: ListingState, figures: Offer) -> StockTarget:
    priority = priority_of(known.dec, figures)
    known.version += 1
    known.inc, known.dec, known.sent = figures.inc, figures.dec, True
    if known.quota is not None:
        known.quota.issued[known.version] = figures.inc
    return StockTarget(
        channel=listing.channel,
        sku=sku,
        listing=listing.id,
        epoch=known.epoch,
        version=known.version,
        inc=figures.inc,
        dec=figures.dec,
        to_zero=figures.to_zero,
        priority=priority,
        escrow=known.quota is not None,
    )
