"""Bundles: what components tell them, how many complete bundles that makes, and how much of their own sales every component has counted. Pure.

A bundle's row lies in another partition than its components' rows, so a component's figures always come together with the bundle units whose component
demand they already contain (finding 16).
"""

from collections.abc import Iterable, Mapping

from schemas.records import ComponentStock
from tables.catalogue import Catalogue, Product
from tables.stock.pool import key_of, pool
from tables.stock.rows import Component, ComponentSent, SkuRow


def component_stock(row: SkuRow, bundle: Product, catalogue: Catalogue) -> ComponentStock | None:
    """What this component's row tells a bundle now; None where nothing changed."""
    sets = {key_of(catalogue.policy(listing).warehouses) for listing in bundle.listings}
    singles = sorted({w for key in sets for w in key.split("+")})
    pools = {w: pool(row.free, row.demand, [w]) for w in singles}
    joint = {key: pool(row.free, row.demand, key.split("+")) for key in sorted(sets)}
    taken = {listing.id: row.lowered.get(listing.id, 0) for listing in bundle.listings}
    quotas = row.grants.get(bundle.sku, {})
    granted = {key: quota.target for key, quota in quotas.items()}
    last = row.told.get(bundle.sku)
    if last is not None and (last.pools, last.joint, last.taken, last.granted) == (pools, joint, taken, granted):
        return None
    version = next_version(row, bundle.sku)
    if last is None or last.granted != granted:
        for quota in quotas.values():
            quota.issued[version] = quota.target
    row.told[bundle.sku] = ComponentSent(version, pools, joint, taken, granted)
    return ComponentStock(
        sku=bundle.sku, component=row.sku, version=version, pools=pools, joint=joint, taken=taken, granted=granted
    )


def next_version(row: SkuRow, bundle: str) -> int:
    """Of this component's next word to the bundle."""
    last = row.told.get(bundle)
    return last.version + 1 if last else row.read_no


def fold(row: SkuRow, told: ComponentStock) -> bool:
    """Keep a component's newest word in the bundle's row. False: it is not newer."""
    known = row.components.get(told.component)
    if known is not None and told.version <= known.version:
        return False
    ahead = known.ahead if known else {x: max(0, row.lowered.get(x, 0) - n) for x, n in told.taken.items()}
    at = told.version if known is None or known.granted != told.granted else known.granted_at
    row.components[told.component] = Component(
        told.version, told.pools, told.joint, told.taken, ahead, told.granted, at
    )
    return True


def base(bundle: Mapping[str, int], row: SkuRow, warehouses: tuple[str, ...]) -> int | None:
    """Complete bundles of these warehouses; below 0 where a component is promised beyond what is there. None while a component is unknown.

    No bundle is packed from two warehouses, and none may use what several warehouses together have promised already.
    """
    key = key_of(warehouses)
    if any(c not in row.components or key not in row.components[c].joint for c in bundle):
        return None
    jointly = min(row.components[c].joint[key] // n for c, n in bundle.items())
    if jointly < 0:
        return jointly
    return min(single(bundle, row, warehouses), jointly)


def single(bundle: Mapping[str, int], row: SkuRow, warehouses: Iterable[str]) -> int:
    """Complete bundles, each packed in one of these warehouses. Every component has spoken."""
    return sum(min(max(0, row.components[c].pools.get(w, 0)) // n for c, n in bundle.items()) for w in set(warehouses))


def taken(listing: str, row: SkuRow) -> int:
    """Units taken that every component's figures already contain."""
    own = row.lowered.get(listing, 0)
    unseen = max((own - c.taken.get(listing, 0) - c.ahead.get(listing, 0) for c in row.components.values()), default=0)
    return row.listing(listing).taken - max(0, unseen)
