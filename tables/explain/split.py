"""A split pool, explained (R9): who is limited together and by how much, what bundles were granted, why nothing is guaranteed, what is awaited. Pure."""

from copy import deepcopy

from tables.catalogue import Product
from tables.explain.report import Granted, Limit, Split, Waiting
from tables.stock import grants
from tables.stock.escrow import Seller, high
from tables.stock.policy import is_split, no_guarantee, pool_limits, splits
from tables.stock.pool import set_of
from tables.stock.rows import Rules, SkuRow, StockState


def explain(state: StockState, rules: Rules, row: SkuRow, product: Product) -> Split | None:
    """None where the pool is shared. The row is not changed."""
    if not is_split(row) and not splits(rules, row, product):
        return None
    row = deepcopy(row)
    limits = grants.limits(row, product, rules.catalogue) if product.bundle else pool_limits(state, rules, row, product)
    sellers, names = list[Seller | None](), [listing.id for listing in product.listings]
    for listing in product.listings:
        known = row.listing(listing.id)
        sellers.append(Seller(known.quota, known.taken, listing.eaches) if known.quota is not None else None)
    granted: list[Granted] = []
    for taker in [] if product.bundle else grants.takers(rules.catalogue, row.sku):
        seller = grants.seller(row, taker, 0) if taker.key in row.grants.get(taker.bundle, {}) else None
        sellers.append(seller)
        names.append(f"{taker.bundle} ({taker.key})")
        if seller is not None:
            granted.append(_granted(taker, seller))
    found = [
        Limit(
            [names[i] for i in limit.members],
            limit.left,
            sum(one.aim for i in limit.members if (one := sellers[i]) is not None),
            sum(one.held for i in limit.members if (one := sellers[i]) is not None),
        )
        for limit in limits or []
    ]
    return Split(found, granted, no_guarantee(rules, row, product), _awaits(row, product, sellers, names))


def _granted(taker: grants.Taker, seller: Seller) -> Granted:
    quota = seller.quota
    return Granted(
        bundle=taker.bundle,
        warehouses=sorted(set_of(taker.key)),
        eaches=taker.eaches,
        target=quota.target,
        holds=quota.conf,
        issued={str(version): figure for version, figure in sorted(quota.issued.items())},
        high=high(quota),
        taken=seller.taken,
        reserved=seller.held // taker.eaches,
    )


def _awaits(row: SkuRow, product: Product, sellers: list[Seller | None], names: list[str]) -> list[Waiting]:
    found: list[Waiting] = []
    for name, seller in zip(names, sellers, strict=True):
        own = row.listings.get(name)
        if seller is None and own is not None and own.ready:
            continue
        if seller is None:
            found.append(Waiting("adoption", f"nothing is offered before {name} is known, too (R7)"))
        elif seller.quota.unsure:
            text = (
                f"nothing is granted before {name} is settled since the pool was split (version {seller.quota.unsure})"
            )
            found.append(Waiting("switch", text))
    for sku in product.bundle:
        if sku not in row.components:
            found.append(Waiting("component", f"no word from component {sku} yet"))
    return found
