"""Which figures the listings of one product are offered: the one place that chooses between sharing a pool and splitting it (R4, R9). Pure.

`escrow` always splits; `auto` splits a pool that is small (`escrow_floor`) and shares a large one. What cannot be split is shared, and `notes` says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tables.catalogue import Catalogue, Listing, Mode, Product
from tables.stock import bundles, escrow, grants, guarantee, speed
from tables.stock.escrow import Seller
from tables.stock.pool import Region, pool, regions, set_of
from tables.stock.rows import Rules, SkuRow, StockState
from tables.stock.target import Offer, offer, units_of

WIDE = 2
"""Under `auto` a split pool is shared again above so many times its floor, so that it does not switch to and fro."""


def offers(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """The figures of every listing whose product is known well enough: read at the warehouse, or with a word from every component."""
    if product.bundle:
        if grants.is_split(row, product):
            return _split_bundle(state, rules, row, product)
    elif splits(rules, row, product):
        return _split(state, rules, row, product)
    if is_split(row):
        for known in row.listings.values():
            known.quota = None
        row.grants = {}
        state.put_sku(row)
    return shared(state, rules, row, product)


def is_split(row: SkuRow) -> bool:
    """Are there quotas, of its listings or of bundles?"""
    return bool(row.grants) or any(known.quota is not None for known in row.listings.values())


def splits(rules: Rules, row: SkuRow, product: Product) -> bool:
    """Is the pool of this product to be split now? The seller with the smallest pool decides; a bundle's pool is its components'."""
    mode = mode_of(rules, product) if row.read_no else Mode.SHARED
    if mode is Mode.AUTO:
        policies = [rules.catalogue.policy(listing) for listing in sellers_of(rules.catalogue, product)]
        least = min(pool(row.free, row.demand, warehouses) for warehouses in {p.warehouses for p in policies})
        return least <= policies[0].escrow_floor * (WIDE if is_split(row) else 1)
    return mode is Mode.ESCROW


def mode_of(rules: Rules, product: Product) -> Mode:
    """How the product's pool is treated: `shared` where it has one seller only, one of them is shared, or it cannot be split."""
    known = rules.modes.get(product.sku)
    if known is None:
        known = wanted_mode(rules.catalogue, product)
        if known is not Mode.SHARED and obstacle(rules.catalogue, product) is not None:
            known = Mode.SHARED
        rules.modes[product.sku] = known
    return known


def follows(rules: Rules, listing: Listing, sku: str) -> bool:
    """Is the speed of a bundle's listing followed in this component's row?"""
    product = rules.catalogue.products.get(sku)
    return product is not None and listing.product != sku and mode_of(rules, product) is not Mode.SHARED


def sellers_of(catalogue: Catalogue, product: Product) -> list[Listing]:
    """Every listing that sells from the product's pool: its own, and those of bundles that use it."""
    return [*product.listings, *(x for bundle in catalogue.bundles_of(product.sku) for x in bundle.listings)]


def wanted_mode(catalogue: Catalogue, product: Product) -> Mode:
    """What the policies ask for; `shared` where nobody else sells from the pool, and for a bundle: it has no pool, its components have."""
    sellers = sellers_of(catalogue, product)
    if product.bundle or len(sellers) < 2:
        return Mode.SHARED
    modes = {catalogue.policy(listing).mode for listing in sellers}
    if Mode.ESCROW in modes:
        return Mode.ESCROW
    return Mode.SHARED if Mode.SHARED in modes else Mode.AUTO


def obstacle(catalogue: Catalogue, product: Product) -> str | None:
    """Why the product's pool cannot be split, and what would have to be otherwise; None: it can."""
    sellers = sellers_of(catalogue, product)
    policies = [catalogue.policy(listing) for listing in sellers]
    bundled = sorted({listing.product for listing in sellers if listing.product != product.sku})
    all_of = f"all its listings and those of {', '.join(bundled)}" if bundled else "all its listings"
    if any(policy.mode is Mode.SHARED for policy in policies):
        return f"one of its listings is shared; mode must be the same on {all_of}"
    if any(policy.share != 1 for policy in policies):
        return f"share must be 1 on {all_of}; quotas are moved by need"
    if any(policy.min_to_list for policy in policies):
        return f"min_to_list must be 0 on {all_of}"
    for name in ("percent", "buffer", "velocity", "escrow_floor"):
        if len({getattr(policy, name) for policy in policies}) > 1:
            return f"{name} belongs to the pool and must be the same on {all_of}"
    return None


def _split(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """Every listing is offered its own part of the pool (R9), every bundle is granted its own; nothing before all of them are known (R7).

    Percent, buffer and velocity are kept back once wherever sellers are limited together; `max` limits a listing.
    """
    takers = grants.takers(rules.catalogue, row.sku)
    for taker in takers:
        grants.begin(row, taker, pool(row.free, row.demand, set_of(taker.key)))
    state.put_sku(row)
    sellers = _sellers(state, rules, row, product)
    for taker in takers:
        sold = sum(speed.sold(state, rules, row, rules.catalogue.listings[x]) for x in taker.listings)
        sellers.append(grants.seller(row, taker, sold))
    known = [seller for seller in sellers if seller is not None]
    if len(known) < len(sellers):
        return {}
    escrow.divide(known, pool_limits(state, rules, row, product))
    return _quota_offers(rules, product, known)


def pool_limits(state: StockState, rules: Rules, row: SkuRow, product: Product) -> list[Region]:
    """What may be split among the product's listings and then `grants.takers`, by their places: R2 less what the pool's policy keeps back."""
    common = replace(rules.catalogue.policy(sellers_of(rules.catalogue, product)[0]), max=None)
    kept = speed.cover(state, rules, row, common)
    sets = [frozenset(rules.catalogue.policy(listing).warehouses) for listing in product.listings]
    sets += [set_of(taker.key) for taker in grants.takers(rules.catalogue, row.sku)]
    limits = regions(row.free, row.demand, sets)
    return [replace(limit, left=units_of(limit.left, common, 1, kept)) for limit in limits]


def _split_bundle(state: StockState, rules: Rules, row: SkuRow, product: Product) -> dict[str, Offer]:
    """Every listing of the bundle is offered its part of what the components grant (R9)."""
    grants.join(row, product)
    sellers = _sellers(state, rules, row, product)
    state.put_sku(row)
    known = [seller for seller in sellers if seller is not None]
    limits = grants.limits(row, product, rules.catalogue)
    if limits is None or len(known) < len(sellers):
        return {}
    escrow.divide(known, limits)
    return _quota_offers(rules, product, known)


def _sellers(state: StockState, rules: Rules, row: SkuRow, product: Product) -> list[Seller | None]:
    """The product's own listings in their order; None for one that is not adopted. All get a quota once all are adopted."""
    states = [row.listing(listing.id) for listing in product.listings]
    if not all(known.ready for known in states):
        return [None for _ in states]
    found: list[Seller | None] = []
    for listing, known in zip(product.listings, states, strict=True):
        if known.quota is None:
            known.quota = escrow.begin(known.inc, known.version, known.sent)
            known.sent = False
        most = rules.catalogue.policy(listing).max
        units = None if most is None else most // listing.eaches
        idle = not speed.sold(state, rules, row, listing)
        pace = speed.pace(state, rules, row, listing)
        found.append(Seller(known.quota, known.taken, listing.eaches, pace, units, idle))
    return found


def _quota_offers(rules: Rules, product: Product, sellers: Sequence[Seller]) -> dict[str, Offer]:
    return {
        listing.id: quota_offer(seller.quota.target, seller.taken, listing.channel not in rules.decrementless)
        for listing, seller in zip(product.listings, sellers, strict=False)
    }


def quota_offer(target: int, taken: int, decrements: bool) -> Offer:
    """R9: the figures of a listing that has a quota of its own."""
    shown = max(0, target - taken)
    if not decrements:
        return Offer(shown, shown, shown == 0, shown)
    dec = max(target, taken)
    return Offer(target, dec, dec <= taken, shown)


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
        velocity = speed.cover(state, rules, row, policy)
        decrements = listing.channel not in rules.decrementless
        found[listing.id] = offer(base, policy, listing.eaches, taken, velocity, decrements)
    return found


def no_guarantee(rules: Rules, row: SkuRow, product: Product) -> list[str]:
    """Every seller of a split pool by which nothing is guaranteed, with its reason; empty where the pool is shared, or keeps its promise."""
    if not is_split(row):
        return []
    found: list[str] = []
    for listing in product.listings if product.bundle else sellers_of(rules.catalogue, product):
        if listing.product == row.sku:
            why = guarantee.reason(rules, listing.id, row.listing(listing.id))
        else:
            word = row.holds.get(listing.product)
            why = word.unguarded.get(listing.id, "") if word is not None else ""
        if why:
            found.append(f"no guarantee: {listing.id}: {why}")
    return found


def notes(catalogue: Catalogue, unguarded: Mapping[str, str]) -> list[str]:
    """One line for every product with several sellers whose last units may be sold twice though its policy is not `shared`.

    `unguarded`: channels by whose configuration nothing can be promised, with the reason.
    """
    found: list[str] = []
    for product in catalogue.products.values():
        mode = wanted_mode(catalogue, product)
        if mode is Mode.SHARED:
            continue
        weak = sorted({listing.channel for listing in sellers_of(catalogue, product)} & unguarded.keys())
        if why := obstacle(catalogue, product):
            found.append(f"{product.sku}: no guarantee, mode {mode} shares its pool: {why}")
        elif weak:
            reasons = "; ".join(f"{channel}: {unguarded[channel]}" for channel in weak)
            found.append(f"{product.sku}: no guarantee, {reasons}")
    return found
