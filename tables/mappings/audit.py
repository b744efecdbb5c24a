"""Where the warehouse's and the storefronts' catalogues differ, under the mappings in force: SKU, barcode, weight and unit. Pure.

What a peer does not tell is not compared. Weights are those of one selling unit; a hundredth, or a gram, is rounding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Protocol

from tables.catalogue import Catalogue, Listing, Product

What = Literal["sku", "barcode", "weight", "unit"]
CASE: Final = "case"
"""The unit whose eaches the warehouse tells."""


class Item(Protocol):
    """A product or variant of a peer."""

    @property
    def barcode(self) -> str | None: ...
    @property
    def grams(self) -> Decimal | None: ...
    @property
    def case(self) -> int | None: ...


Items = Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `entity`: a listing, or a product. Both sides in words; empty: it has none."""

    channel: str
    entity: str
    product: str
    what: What
    warehouse: str
    storefront: str

    @property
    def text(self) -> str:
        """In words."""
        if self.what == "sku":
            side = (
                f"{self.channel} has no SKU {self.storefront}"
                if self.storefront
                else f"{self.channel} has no product {self.warehouse}"
            )
            return f"{side}, which the mappings name"
        return f"{self.what} is {self.warehouse or 'none'} at the warehouse and {self.storefront or 'none'} at {self.channel}"


def differences(catalogue: Catalogue, channel: str, warehouse: Items, storefront: Items) -> list[Difference]:
    """Everything that differs at the listings of one channel. Products that the warehouse does not know are `unknown`'s."""
    return [
        found
        for listing in catalogue.of_channel(channel)
        for found in _listing(catalogue, listing, warehouse, storefront)
    ]


def unknown(catalogue: Catalogue, name: str, warehouse: Items) -> list[Difference]:
    """Products that the warehouse does not have, and cases that have other eaches there. `name`: the warehouse's channel."""
    found: list[Difference] = []
    for product in catalogue.products.values():
        if product.bundle:
            continue
        item = warehouse.get(product.sku)
        if item is None:
            found.append(Difference(name, product.sku, product.sku, "sku", product.sku, ""))
        elif CASE in product.units and item.case is not None and item.case != product.units[CASE]:
            ours = f"{product.units[CASE]} eaches (mapped)"
            found.append(Difference(name, product.sku, product.sku, "unit", f"{CASE} of {item.case}", ours))
    return found


def unmapped(catalogue: Catalogue, channel: str, storefront: Items) -> list[str]:
    """SKUs of the storefront that no listing has: orders of them would be held."""
    places = {listing.location for listing in catalogue.of_channel(channel)} | {""}
    return sorted(sku for sku in storefront if not any(catalogue.find(channel, sku, place) for place in places))


def _listing(catalogue: Catalogue, listing: Listing, warehouse: Items, storefront: Items) -> Iterator[Difference]:
    shown = storefront.get(listing.sku)
    if shown is None:
        yield Difference(listing.channel, listing.id, listing.product, "sku", "", listing.sku)
        return
    product = catalogue.products[listing.product]
    known = warehouse.get(listing.product)
    single = known is not None and not product.bundle and listing.eaches == 1
    barcodes = (known.barcode if known is not None and single else None, shown.barcode)
    if None not in barcodes and barcodes[0] != barcodes[1]:
        yield _other(listing, "barcode", barcodes[0] or "", barcodes[1] or "")
    weight = _grams(product, listing, warehouse)
    if weight is not None and shown.grams is not None and _apart(weight, shown.grams):
        what: What = "unit" if _by_eaches(weight, shown.grams, listing, product) else "weight"
        yield _other(listing, what, f"{_words(weight)} a {listing.unit}", f"{_words(shown.grams)} a {listing.unit}")


def _grams(product: Product, listing: Listing, warehouse: Items) -> Decimal | None:
    """Grams of one selling unit by the warehouse's figures; None where one of them is not told."""
    parts = product.bundle or {product.sku: listing.eaches}
    total = Decimal(0)
    for code, eaches in parts.items():
        item = warehouse.get(code)
        if item is None or item.grams is None:
            return None
        total += item.grams * eaches
    return total


def _apart(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) > max(Decimal(1), max(one, other) / 100)


def _by_eaches(weight: Decimal, shown: Decimal, listing: Listing, product: Product) -> bool:
    """Would it fit another unit of the product? Then the unit is wrong, not the weight."""
    if product.bundle:
        return False
    each = weight / listing.eaches
    return any(eaches != listing.eaches and not _apart(each * eaches, shown) for eaches in product.units.values())


def _other(listing: Listing, what: What, warehouse: str, storefront: str) -> Difference:
    return Difference(listing.channel, listing.id, listing.product, what, warehouse, storefront)


def _words(grams: Decimal) -> str:
    return f"{grams.quantize(Decimal('0.1')).normalize():f} g"
