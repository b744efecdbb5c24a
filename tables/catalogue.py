"""Products, listings and policies as the rules need them: what is sold where, in which unit, from which warehouses.

Pure data, made from the configuration by `app.settings`. A *listing* is one quantity field at one storefront: channel, location and channel SKU.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from tables.mappings.spelling import Spelling


class Mode(StrEnum):
    """How several listings share one pool (`ledger.md` R4, R9)."""

    SHARED = "shared"
    ESCROW = "escrow"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Listing:
    """One quantity field at one storefront. `product` is the Clarus code or bundle code, `eaches` the eaches of one selling unit (1 for a bundle)."""

    channel: str
    sku: str
    product: str
    unit: str = "each"
    eaches: int = 1
    location: str = ""
    id: str = field(init=False, compare=False)
    """Stable identity: channel, location and channel SKU."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.channel}/{self.location}/{self.sku}")


@dataclass(frozen=True, slots=True)
class Policy:
    """How much of the pool a listing offers. Quantities in eaches but `min_to_list` and `max` as R4 reads them (eaches too)."""

    share: Decimal = Decimal(1)
    percent: Decimal = Decimal(0)
    buffer: int = 0
    velocity: int = 0
    min_to_list: int = 0
    max: int | None = None
    mode: Mode = Mode.AUTO
    warehouses: tuple[str, ...] = ()
    escrow_floor: int = 100


@dataclass(frozen=True, slots=True)
class Product:
    """A Clarus product, or a bundle (`bundle`: component code to eaches of it in one bundle)."""

    sku: str
    units: Mapping[str, int] = field(default_factory=lambda: {"each": 1})
    bundle: Mapping[str, int] = field(default_factory=dict)
    listings: tuple[Listing, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Fields to overlay where channel and Clarus code match the globs; later rules win field by field."""

    channel: str
    sku: str
    fields: Mapping[str, object]


class Catalogue:
    """Look-ups over all products, listings and policies in force.

    `spellings`: by channel (`*`: any other), which spellings of a SKU are the same. `locations`: the warehouses that serve a channel's location.
    """

    def __init__(
        self,
        products: Iterable[Product],
        rules: Iterable[PolicyRule],
        warehouses: Iterable[str],
        spellings: Mapping[str, Spelling] | None = None,
        locations: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    ) -> None:
        self.warehouses = tuple(warehouses)
        self.spellings, self.locations = dict(spellings or {}), dict(locations or {})
        self.products: dict[str, Product] = {p.sku: p for p in products}
        self.rules = tuple(rules)
        self.listings: dict[str, Listing] = {x.id: x for p in self.products.values() for x in p.listings}
        self._by_channel: dict[str, list[Listing]] = {}
        for listing in self.listings.values():
            self._by_channel.setdefault(listing.channel, []).append(listing)
        self.bundles: dict[str, Mapping[str, int]] = {p.sku: p.bundle for p in self.products.values() if p.bundle}
        self._bundles: dict[str, list[Product]] = {}
        for product in self.products.values():
            for component in product.bundle:
                self._bundles.setdefault(component, []).append(product)
        self._policies: dict[str, Policy] = {}
        self._alike: dict[tuple[str, str], dict[str, Listing | None]] = {}
        self._located = {channel for channel, _ in self.locations}
        self._places = {(listing.channel, listing.location) for listing in self.listings.values()}

    def become(self, other: "Catalogue") -> None:
        """Take another one's content over, all of it at once: whoever holds this catalogue sees the new content from now on."""
        vars(self).update(vars(other))

    def of_channel(self, channel: str) -> list[Listing]:
        """All listings of one channel."""
        return self._by_channel.get(channel, [])

    def find(self, channel: str, sku: str, location: str = "") -> Listing | None:
        """The listing of a channel's SKU, at that location or at the default one; None where it is not mapped.

        Another spelling of a listing's SKU counts where the channel's rule allows it and it can be one product only.
        """
        exact = self.listings.get(f"{channel}/{location}/{sku}") or self.listings.get(f"{channel}//{sku}")
        spelling = self._spelling(channel) if exact is None else None
        if spelling is None:
            return exact
        plain = spelling.plain(sku)
        return self.alike(channel, location).get(plain) or self.alike(channel, "").get(plain)

    def _spelling(self, channel: str) -> Spelling | None:
        return self.spellings.get(channel) or self.spellings.get("*")

    def alike(self, channel: str, location: str) -> Mapping[str, Listing | None]:
        """The listings of a location by what the channel's SKU rule leaves of their SKUs; None where that is left of SKUs of several products."""
        known, spelling = self._alike.get((channel, location)), self._spelling(channel)
        if known is None:
            known = self._alike[channel, location] = {}
            for listing in self.of_channel(channel):
                if spelling is not None and listing.location == location:
                    plain = spelling.plain(listing.sku)
                    other = known.get(plain, listing)
                    same = other is not None and (other.product, other.unit) == (listing.product, listing.unit)
                    known[plain] = other if same else None
        return known

    def serving(self, channel: str, location: str) -> tuple[str, ...] | None:
        """The warehouses that serve a location of the channel; None where nothing is said of it."""
        return self.locations.get((channel, location))

    def is_lost(self, channel: str, location: str) -> bool:
        """Are locations of this channel mapped, and this one is not and has no listings of its own?"""
        if not location or channel not in self._located or (channel, location) in self.locations:
            return False
        return (channel, location) not in self._places

    def bundles_of(self, component: str) -> list[Product]:
        """The bundles that use this component."""
        return self._bundles.get(component, [])

    def eaches(self, listing: Listing, sku: str) -> int:
        """Eaches of `sku` in one selling unit of the listing: of its own product, or of a bundle that uses it; 0 for any other."""
        return listing.eaches if listing.product == sku else self.products[listing.product].bundle.get(sku, 0)

    def policy(self, listing: Listing) -> Policy:
        """The policy in force for a listing: defaults, then every matching rule, later ones winning field by field; its location's warehouses above all."""
        known = self._policies.get(listing.id)
        if known is None:
            fields: dict[str, object] = {"warehouses": self.warehouses}
            for rule in self.rules:
                if fnmatchcase(listing.channel, rule.channel) and fnmatchcase(listing.product, rule.sku):
                    fields.update(rule.fields)
            served = self.serving(listing.channel, listing.location)
            if served is not None:
                fields["warehouses"] = served
            known = self._policies[listing.id] = Policy(**fields)  # type: ignore[arg-type]
        return known
