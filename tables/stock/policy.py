"""Which figures the listings of one product are offered: the one place that chooses between sharing a pool and splitting it (R4, R9). Pure.

`escrow` always splits; `auto` splits a pool that is small (`escrow_floor`) and shares a large one. What cannot be split is shared, and `notes` says why.
"""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from tables.catalogue import Catalogue, Listing, Mode, Policy, Product
from tables.stock import bundles, escrow
from tables.stock.escrow import Seller
from tables.stock.pool import key_of, pool
from tables.stock.rows import Rules, SkuRow, StockState
from tables.stock.takes import sold_since
from tables.stock.target import Offer, offer, units_of

SPEED_MS = 30_000
"""The present selling speed is what was sold in so many milliseconds of storefront time; takes are kept longer than that."""

WIDE = 2
"""Under `auto` a split pool is shared again above so many times its floor, so that it does not switch to and fro."""


def offers(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """The figures of every listing whose product is known well enough: read at the warehouse, or with a word from every component."""
    mode = mode_of(rules, product)
    if mode is not Mode.SHARED and row.read_no:
        policy = rules.catalogue.policy(product.listings[0])
        base = pool(row.free, row.demand, policy.warehouses)
        if mode is Mode.ESCROW or base <= policy.escrow_floor * (WIDE if _is_split(row) else 1):
            return split(state, rules, row, product, base)
    if _is_split(row):
        for known in row.listings.values():
            known.quota = None
        state.put_sku(row)
    return shared(state, rules, row, product)


def _is_split(row: SkuRow) -> bool:
    return any(known.quota is not None for known in row.listings.values())


def mode_of(rules: Rules, product: Product) -> Mode:
    """How the product's pool is treated: `shared` where it has one listing only, one of them is shared, or it cannot be split."""
    known = rules.modes.get(product.sku)
    if known is None:
        known = wanted_mode(rules.catalogue, product)
        if known is not Mode.SHARED and obstacle(rules.catalogue, product) is not None:
            known = Mode.SHARED
        rules.modes[product.sku] = known
    return known


def wanted_mode(catalogue: Catalogue, product: Product) -> Mode:
    """What the policies ask for; `shared` where nobody else sells from the pool."""
    modes = {catalogue.policy(listing).mode for listing in product.listings}
    bundled = any(bundle.listings for bundle in catalogue.bundles_of(product.sku))
    if not product.listings or (len(product.listings) == 1 and not bundled and not product.bundle):
        return Mode.SHARED
    if Mode.ESCROW in modes:
        return Mode.ESCROW
    return Mode.SHARED if Mode.SHARED in modes or product.bundle else Mode.AUTO


def obstacle(catalogue: Catalogue, product: Product) -> str | None:
    """Why the product's pool cannot be split, and what would have to be otherwise; None: it can."""
    if product.bundle:
        return "it is a bundle; a bundle's components cannot be split yet"
    if bundle := next((b for b in catalogue.bundles_of(product.sku) if b.listings), None):
        return f"the listed bundle {bundle.sku} sells from the same pool"
    policies = [catalogue.policy(listing) for listing in product.listings]
    if any(policy.mode is Mode.SHARED for policy in policies):
        return "one of its listings is shared; mode must be the same on all of them"
    if any(policy.share != 1 for policy in policies):
        return "share must be 1 on all its listings; quotas are moved by need"
    if any(policy.min_to_list for policy in policies):
        return "min_to_list must be 0 on all its listings"
    if len({key_of(policy.warehouses) for policy in policies}) > 1:
        return "warehouses must be the same on all its listings"
    for name in ("percent", "buffer", "velocity", "escrow_floor"):
        if len({getattr(policy, name) for policy in policies}) > 1:
            return f"{name} belongs to the pool and must be the same on all its listings"
    return None


def split(state: StockState, rules: Rules, row: SkuRow, product: Product, base: int) -> dict[str, Offer]:
    """Every listing is offered its own part of the pool (R9); nothing before all of them are adopted (R7).

    Percent, buffer and velocity are the pool's and count once; `max` limits a listing.
    """
    states = {listing.id: row.listing(listing.id) for listing in product.listings}
    if not all(known.ready for known in states.values()):
        return {}
    sellers: dict[str, Seller] = {}
    for listing in product.listings:
        known, policy = states[listing.id], rules.catalogue.policy(listing)
        if known.quota is None:
            known.quota = escrow.begin(known.inc, known.version, known.sent)
            known.sent = False
        sold = sold_since(known, clock(state, rules, row, listing) - SPEED_MS)
        most = None if policy.max is None else policy.max // listing.eaches
        sellers[listing.id] = Seller(known.quota, known.taken, listing.eaches, sold, most)
    common = replace(rules.catalogue.policy(product.listings[0]), max=None)
    escrow.divide(list(sellers.values()), units_of(base, common, 1, cover(state, rules, row, product, common)))
    state.put_sku(row)
    return {
        listing.id: _quota_offer(sellers[listing.id], listing.channel not in rules.decrementless)
        for listing in product.listings
    }


def _quota_offer(seller: Seller, decrements: bool) -> Offer:
    target, shown = seller.quota.target, max(0, seller.quota.target - seller.taken)
    if not decrements:
        return Offer(shown, shown, shown == 0, shown)
    dec = max(target, seller.taken)
    return Offer(target, dec, dec <= seller.taken, shown)


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
        velocity = cover(state, rules, row, product, policy)
        decrements = listing.channel not in rules.decrementless
        found[listing.id] = offer(base, policy, listing.eaches, taken, velocity, decrements)
    return found


def cover(state: StockState, rules: Rules, row: SkuRow, product: Product, policy: Policy) -> Decimal:
    """Eaches that the policy keeps back for its seconds of cover at the present speed."""
    if not policy.velocity:
        return Decimal(0)
    return Decimal(policy.velocity * sold_lately(state, rules, row, product) * 1000) / SPEED_MS


def sold_lately(state: StockState, rules: Rules, row: SkuRow, product: Product) -> int:
    """Eaches sold through all listings of the product in the last `SPEED_MS` of each storefront's time."""
    return sum(
        sold_since(row.listing(listing.id), clock(state, rules, row, listing) - SPEED_MS) * listing.eaches
        for listing in product.listings
    )


def clock(state: StockState, rules: Rules, row: SkuRow, listing: Listing) -> int:
    """The newest storefront time the log speaks of: driven by records, so that a replay gives the same result."""
    newest = max((take.at_to for take in row.listing(listing.id).takes), default=0)
    return max(newest, state.watermark(listing.channel).reached)


def notes(catalogue: Catalogue, decrementless: Collection[str] = ()) -> list[str]:
    """One line for every product with several listings whose last units may be sold twice though its policy is not `shared`."""
    found: list[str] = []
    for product in catalogue.products.values():
        mode = wanted_mode(catalogue, product)
        if mode is Mode.SHARED:
            continue
        weak = sorted({listing.channel for listing in product.listings} & set(decrementless))
        if why := obstacle(catalogue, product):
            found.append(f"{product.sku}: no guarantee, mode {mode} shares its pool: {why}")
        elif weak:
            found.append(f"{product.sku}: no guarantee, {', '.join(weak)} does not lower its own quantities")
    return found
