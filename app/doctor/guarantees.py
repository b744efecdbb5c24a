"""Which listings can carry the promise that the last unit is never sold twice, by the configuration alone. What peers add to it comes with their own checks."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from app.connectors import unguarded
from app.doctor.checks import Result
from app.settings import Settings
from tables.catalogue import Catalogue, Mode, Product
from tables.stock.policy import obstacle, wanted_mode

AREA: Final = "listings"
_SHOWN: Final = 3


def look(settings: Settings) -> list[Result]:
    """How many listings there are, and what is promised of each. Pure but for the connectors' types."""
    return results(settings.catalogue(), unguarded(settings.channels))


def results(catalogue: Catalogue, weak: Mapping[str, str]) -> list[Result]:
    """`weak`: channels by which nothing can be promised, with the reason."""
    total = len(catalogue.listings)
    if not total:
        return [Result(AREA, "listings", "warn", "no product is listed anywhere", "name products in the configuration")]
    counts: Counter[str] = Counter()
    without: dict[str, list[str]] = {}
    for product in catalogue.products.values():
        if product.listings:
            kind, why = _promise(catalogue, product, weak)
            counts[kind] += len(product.listings)
            if why:
                without.setdefault(why, []).append(product.sku)
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    found = [Result(AREA, "listings", "ok", f"{total}: {text}")]
    for why, skus in sorted(without.items()):
        named = ", ".join(sorted(skus)[:_SHOWN]) + (f" and {len(skus) - _SHOWN} more" if len(skus) > _SHOWN else "")
        detail = f"no guarantee for {named}: {why}"
        found.append(
            Result(
                AREA, "guarantee", "warn", detail, "change the policy, or accept that the last units can be sold twice"
            )
        )
    return found


def _promise(catalogue: Catalogue, product: Product, weak: Mapping[str, str]) -> tuple[str, str]:
    """What is promised of a product's listings, and why not more where more was asked for."""
    lacking = sorted({listing.channel for listing in product.listings} & weak.keys())
    mode = wanted_mode(catalogue, product)
    sellers = len(product.listings) + sum(len(b.listings) for b in catalogue.bundles_of(product.sku))
    if lacking:
        return "without guarantee", "; ".join(f"{channel}: {weak[channel]}" for channel in lacking)
    if mode is Mode.SHARED:
        alone = sellers == 1 and not product.bundle
        return ("alone on their stock", "") if alone else ("shared by policy", "")
    if why := obstacle(catalogue, product):
        return "without guarantee", why
    return ("with escrow" if mode is Mode.ESCROW else "with escrow when stock is low", "")
