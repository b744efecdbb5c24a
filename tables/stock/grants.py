"""Bundles under escrow: a component grants quota to its bundles, which lie in other partitions and tell it what their listings hold of it. Pure.

A component's row is the ledger of its pool. Each bundle counts there as one seller per warehouse set, in bundle units of so many eaches, and is told in
`ComponentStock` how many units its listings may *ever* have lowered. The bundle's row splits the least that its components grant among its listings, and
answers with `BundleHold`: which grant it follows, and how many units each listing will at most ever have lowered. Both sides count units lowered since
the component belongs to the bundle, from the same records, so a sale that one of them has not seen yet changes neither figure: it counts there as not
sold yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from schemas.records import BundleHold
from tables.catalogue import Catalogue, Product
from tables.stock import bundles, guarantee
from tables.stock.escrow import Seller, high
from tables.stock.pool import Region, key_of, set_of
from tables.stock.rows import Hold, Quota, Rules, SkuRow
from tables.stock.target import units_of


@dataclass(frozen=True, slots=True)
class Taker:
    """A bundle's listings of one warehouse set, as a seller of one component."""

    bundle: str
    key: str
    eaches: int
    listings: tuple[str, ...]


# ---- in the component's row ----


def takers(catalogue: Catalogue, component: str) -> list[Taker]:
    """Who sells the component as a part of a bundle."""
    found: list[Taker] = []
    for bundle in catalogue.bundles_of(component):
        found += [
            Taker(bundle.sku, key, bundle.bundle[component], tuple(bundle.listings[i].id for i in places))
            for key, places in _by_set(catalogue, bundle).items()
        ]
    return found


def begin(row: SkuRow, taker: Taker, pool: int) -> None:
    """A quota for the bundle where it has none; what it may go on offering where the pool was shared until now.

    Nothing is granted to anybody before its listings are known to hold no more than that.
    """
    quotas = row.grants.setdefault(taker.bundle, {})
    if taker.key not in quotas:
        was_shared = taker.bundle in row.told
        target = _lowered(row, taker.listings) + (max(0, pool) // taker.eaches if was_shared else 0)
        quotas[taker.key] = Quota(target=target, unsure=bundles.next_version(row, taker.bundle))


def hold(row: SkuRow, word: BundleHold) -> bool:
    """Keep a bundle's newest word. False: it is not newer."""
    known = row.holds.get(word.bundle)
    if known is not None and word.version <= known.version:
        return False
    row.holds[word.bundle] = Hold(word.version, word.seen, word.sure, word.bounds, word.most, word.unguarded)
    return True


def seller(row: SkuRow, taker: Taker, sold: int) -> Seller | None:
    """The bundle as a seller of the component; None before it has told what its listings hold.

    Until it follows a newer grant it may use all of the one it follows, whatever it holds now. It is stalled when it follows the newest and holds nothing.
    """
    quota, word = row.grants[taker.bundle][taker.key], row.holds.get(taker.bundle)
    if word is None or any(listing not in word.bounds for listing in taker.listings):
        return None
    if word.sure and word.seen >= quota.unsure:
        quota.unsure = 0
    followed = max((version for version in quota.issued if version <= word.seen), default=0)
    quota.issued = {version: figure for version, figure in quota.issued.items() if version >= followed}
    quota.conf = sum(max(word.bounds[listing], row.lowered.get(listing, 0)) for listing in taker.listings)
    taken = _lowered(row, taker.listings)
    most = max(0, word.most.get(taker.key, 0) - taken)
    follows = bool(quota.issued) and word.seen >= max(quota.issued)
    return Seller(quota, taken, taker.eaches, sold, most, stalled=follows and quota.conf <= taken)


# ---- in the bundle's row ----


def join(row: SkuRow, bundle: Product) -> None:
    """A component that is added later knows nothing of what the bundle sold before. To be called before a sale is counted, and before anything is split."""
    level = dict(row.lowered) if row.joined else {}
    for sku in bundle.bundle:
        row.joined.setdefault(sku, level)


def is_split(row: SkuRow, bundle: Product) -> bool:
    """A component's pool is split: the bundle offers what it is granted."""
    return any(row.components[c].granted for c in bundle.bundle if c in row.components)


def limits(row: SkuRow, bundle: Product, catalogue: Catalogue) -> list[Region] | None:
    """What its listings may offer together, by warehouse set. None before every component has said so."""
    found: list[Region] = []
    for key, places in _by_set(catalogue, bundle).items():
        listings = [bundle.listings[i].id for i in places]
        least = _least(row, bundle, catalogue, key, places, granted=True)
        if least is None:
            return None
        left = least - _lowered(row, listings)
        if len(set_of(key)) > 1:
            left = min(left, bundles.single(bundle.bundle, row, set_of(key)))
        found.append(Region(tuple(places), left))
    return found


def words(row: SkuRow, bundle: Product, rules: Rules) -> list[BundleHold]:
    """What its components with a split pool do not know yet."""
    all_bounds, sure, unguarded = dict[str, int](), True, dict[str, str]()
    for listing in bundle.listings:
        known = row.listing(listing.id)
        if known.quota is None or not known.ready:
            return []
        all_bounds[listing.id] = row.lowered.get(listing.id, 0) + max(0, high(known.quota) - known.taken)
        sure = sure and not known.quota.unsure
        if why := guarantee.reason(rules, listing.id, known):
            unguarded[listing.id] = why
    by_set = _by_set(rules.catalogue, bundle)
    sets = {key: [bundle.listings[i].id for i in places] for key, places in by_set.items()}
    all_most = {key: _most(row, bundle, rules.catalogue, key, places) for key, places in by_set.items()}
    found: list[BundleHold] = []
    for sku in bundle.bundle:
        component, last = row.components.get(sku), row.said.get(sku)
        if component is None or not component.granted:
            continue
        before = row.joined[sku]
        bounds = {listing: units - before.get(listing, 0) for listing, units in all_bounds.items()}
        most = {key: units - sum(before.get(x, 0) for x in sets[key]) for key, units in all_most.items()}
        if (
            last is not None
            and last.seen >= component.granted_at
            and (last.sure, last.bounds, last.most, last.unguarded) == (sure, bounds, most, unguarded)
        ):
            continue
        version = last.version + 1 if last else max(known.epoch for known in row.listings.values())
        row.said[sku] = Hold(version, component.version, sure, bounds, most, unguarded)
        found.append(
            BundleHold(
                sku=sku,
                bundle=bundle.sku,
                version=version,
                seen=component.version,
                sure=sure,
                bounds=bounds,
                most=most,
                unguarded=unguarded,
            )
        )
    return found


def _most(row: SkuRow, bundle: Product, catalogue: Catalogue, key: str, places: Iterable[int]) -> int:
    """Units that are worth a grant: a component need not keep for the bundle what another component lacks, or what its listings must not offer."""
    listings = [bundle.listings[i] for i in places]
    ids = [listing.id for listing in listings]
    found = _least(row, bundle, catalogue, key, places, granted=False)
    if found is None:
        return 0
    lowered = _lowered(row, ids)
    if len(set_of(key)) > 1:
        found = min(found, lowered + bundles.single(bundle.bundle, row, set_of(key)))
    offered = [catalogue.policy(listing).max for listing in listings]
    return min(found, lowered + sum(n for n in offered if n is not None)) if None not in offered else found


def _least(
    row: SkuRow, bundle: Product, catalogue: Catalogue, key: str, places: Iterable[int], *, granted: bool
) -> int | None:
    """The least over the components of the units that may ever have been lowered, as the bundle counts them: by the grant of a split pool, else by what
    is there. Of a pool that is not split nobody else has kept back what the policy asks for."""
    found: list[int] = []
    sellers = [bundle.listings[i] for i in places]
    common, listings = replace(catalogue.policy(sellers[0]), max=None), [seller.id for seller in sellers]
    for sku, eaches in bundle.bundle.items():
        component = row.components.get(sku)
        if component is None or key not in component.joint:
            return None
        before = sum(row.joined.get(sku, {}).get(x, 0) for x in listings)
        if granted and component.granted:
            if key not in component.granted:
                return None
            found.append(component.granted[key] + before)
        else:
            counted = sum(component.taken.get(x, 0) for x in listings)
            there = component.joint[key]
            left = there // eaches if component.granted else units_of(there, common, eaches, Decimal(0))
            found.append(left + counted + before)
    return min(found)


def _by_set(catalogue: Catalogue, bundle: Product) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, listing in enumerate(bundle.listings):
        found.setdefault(key_of(catalogue.policy(listing).warehouses), []).append(i)
    return found


def _lowered(row: SkuRow, listings: Iterable[str]) -> int:
    return sum(row.lowered.get(listing, 0) for listing in listings)
