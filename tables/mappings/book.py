"""All mappings in force as one book: entries by kind and key, and what rules are made of them. Pure.

Two sources stand over each other record by record: the configuration (version 0), and above it what was imported into `reference.mappings`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tables.catalogue import Catalogue, Listing, PolicyRule, Product
from tables.mappings.kinds import Bucket, Bundle, Location, MappingRecord, Shipping, Sku, SkuRule, Status, Unit
from tables.mappings.spelling import Spelling

Key = tuple[str, str]
"""Kind and key."""
Found = TypeVar("Found", bound=MappingRecord)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and where it comes from; version 0: the configuration."""

    record: MappingRecord
    version: int = 0
    actor: str = ""
    reason: str = ""
    at: int = 0


Book = Mapping[Key, Entry]


def place(record: MappingRecord) -> Key:
    """Where a record stands in a book."""
    return record.kind, record.key


def from_records(records: Iterable[MappingRecord]) -> dict[Key, Entry]:
    """A book of the configuration's records."""
    return {place(record): Entry(record) for record in records}


def over(base: Book, above: Book) -> dict[Key, Entry]:
    """Both, record by record; those of `above` count. Records keep the places they have in `base`."""
    return {**base, **above}


def of_kind(book: Book, kind: type[Found]) -> list[Found]:
    """The records of one kind, in their order."""
    return [entry.record for entry in book.values() if isinstance(entry.record, kind)]


def catalogue(book: Book, policies: Iterable[PolicyRule], warehouses: Iterable[str]) -> Catalogue:
    """Products, listings and policies. Listings whose unit the product does not have are left out: `checks` names them."""
    units: dict[str, dict[str, int]] = {}
    for unit in of_kind(book, Unit):
        units.setdefault(unit.product, {})[unit.unit] = unit.eaches
    bundles = {one.product: dict(one.components) for one in of_kind(book, Bundle)}
    listings: dict[str, list[Listing]] = {}
    for one in of_kind(book, Sku):
        eaches = 1 if one.product in bundles else units.get(one.product, {}).get(one.unit, 0)
        if eaches:
            found = Listing(one.channel, one.sku, one.product, one.unit, eaches, one.location)
            listings.setdefault(one.product, []).append(found)
    products = [
        Product(code, units.get(code, {"each": 1}), bundles.get(code, {}), tuple(listings.get(code, ())))
        for code in dict.fromkeys([*units, *bundles])
    ]
    locations = {(one.channel, one.location): tuple(one.warehouses) for one in of_kind(book, Location)}
    return Catalogue(products, policies, warehouses, spellings(book), locations)


def spellings(book: Book) -> dict[str, Spelling]:
    """SKU rules by channel."""
    return {
        one.channel: Spelling(one.case == "ignore", one.leading_zeros == "ignore", one.ignore)
        for one in of_kind(book, SkuRule)
    }


def shipping(book: Book) -> dict[tuple[str, str], Shipping]:
    """Shipping methods by channel (or `*`) and method."""
    return {(one.channel, one.method): one for one in of_kind(book, Shipping)}


def statuses(book: Book) -> dict[tuple[str, str], str]:
    """Meanings by channel and status."""
    return {(one.channel, one.status): one.means for one in of_kind(book, Status)}


def buckets(book: Book) -> dict[str, str]:
    """How Clarus' stock statuses count."""
    return {one.status: one.counts for one in of_kind(book, Bucket)}
