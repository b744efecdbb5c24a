"""Which figures the listings of one product are offered: the one place that chooses between sharing a pool and splitting it (R4, R9). Pure.

A pool is shared in every mode so far: `auto` and `escrow` are acted on as `shared`, and `notes` says for which products.
"""

from decimal import Decimal

from tables.catalogue import Catalogue, Listing, Mode, Product
from tables.stock import bundles
from tables.stock.pool import pool
from tables.stock.rows import Rules, SkuRow, StockState
from tables.stock.takes import sold_since
from tables.stock.target import Offer, offer

SPEED_MS = 30_000
"""The present selling speed is what was sold in so many milliseconds of storefront time; takes are kept longer than that."""


def offers(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """The figures of every listing whose product is known well enough: read at the warehouse, or with a word from every component."""
    return shared(state, rules, row, product)


def shared(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """Every listing is offered the whole pool under its own policy: the last unit may be sold twice at once, and only escrow can rule that out."""
    found: dict[str, Offer] = {}
    for listing in product.listings:
        policy = rules.catalogue.policy(listing)
        if product.bundle:
            base = bundles.base(product.bundle, row, policy.warehouses)
            taken = bundles.taken(listing.id, row)
        else:
            base = pool(row.free, row.demand, policy.warehouses) if row.read_no else None
            taken = row.listing(listing.id).taken
        if base is None:
            continue
        velocity = Decimal(0)
        if policy.velocity:
            velocity = Decimal(policy.velocity * sold_lately(state, rules, row, product) * 1000) / SPEED_MS
        decrements = listing.channel not in rules.decrementless
        found[listing.id] = offer(base, policy, listing.eaches, taken, velocity, decrements)
    return found


def sold_lately(state: StockState, rules: Rules, row: SkuRow, product: Product) -> int:
    """Eaches sold through all listings of the product in the last `SPEED_MS` of each storefront's time."""
    return sum(
        sold_since(row.listing(listing.id), clock(state, rules, row, listing) - SPEED_MS) * listing.eaches
        for listing in product.listings
    )


def clock(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """The newest storefront time the log speaks of: driven by records, so that a replay gives the same result."""
    newest = max((take.at_to for take in row.listing(listing.id).takes), default=0)
    return max(newest, rules.watermark(state.watermark(listing.channel)))


def notes(catalogue: Catalogue) -> list[str]:
    """One line for every product whose policy asks for more than is in force."""
    found: list[str] = []
    for product in catalogue.products.values():
        modes = {catalogue.policy(listing).mode for listing in product.listings}
        if Mode.ESCROW in modes:
            found.append(f"{product.sku}: mode escrow is not in force yet, the pool is shared")
        elif Mode.AUTO in modes and len(product.listings) > 1:
            found.append(f"{product.sku}: mode auto acts as shared on {len(product.listings)} listings")
    return found
