"""What is in force: the configuration with the imported mappings above it, as the rules that workers fold by."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from app.mappings.configured import configured, setting
from app.order_rules import order_rules
from app.settings import Settings
from tables.catalogue import Catalogue
from tables.mappings.book import Book, Entry, Key
from tables.mappings.checks import Fault, settled
from tables.mappings.force import OrdersForce, orders_force
from tables.mappings.kinds import value_of


@dataclass(frozen=True, slots=True)
class InForce:
    """`version` of the last import; `left_out`: imported records that do not fit the configuration (any more)."""

    version: int
    book: Book
    catalogue: Catalogue
    orders: OrdersForce
    left_out: list[Fault]


def in_force(settings: Settings, imported: Mapping[Key, Entry], version: int) -> InForce:
    """The book of both sources and what is made of it."""
    given = setting(settings)
    book, left_out = settled(configured(settings), imported, given)
    catalogue = given.catalogue(book)
    orders = orders_force(
        order_rules(settings, catalogue), book, f"{version}-{_digest(settings, book)}", settings.channels
    )
    return InForce(version, book, catalogue, orders, left_out)


def _digest(settings: Settings, book: Book) -> str:
    """Other mappings or policies, another digest: what the configuration says counts too."""
    found = sha256()
    for (kind, key), entry in sorted(book.items()):
        found.update(f"{kind}\0{key}\0{value_of(entry.record)}\n".encode())
    for policy in settings.policies:
        found.update(policy.model_dump_json().encode())
    return found.hexdigest()[:12]


def changed_products(before: Catalogue, after: Catalogue) -> frozenset[str]:
    """Products whose units, parts, listings or warehouses differ, new and removed ones too."""
    differ = {
        sku
        for sku in before.products.keys() | after.products.keys()
        if before.products.get(sku) != after.products.get(sku)
    }
    if before.locations != after.locations:
        differ |= {x.product for x in after.listings.values() if _moved(x.id, before, after)}
    return frozenset(differ)


def _moved(listing: str, before: Catalogue, after: Catalogue) -> bool:
    known = before.listings.get(listing)
    return known is None or before.policy(known).warehouses != after.policy(after.listings[listing]).warehouses
