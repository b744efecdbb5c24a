"""What must hold between mappings, beyond the form of each: names that mean something, units that fit, SKUs that stay apart. Pure.

Each fault names one record and what to do. A book with faults is never put in force: an import is refused, and a worker leaves the records out.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, get_args

from schemas.records import WarehouseStatus
from tables.catalogue import Catalogue, PolicyRule
from tables.mappings import book as books
from tables.mappings.book import Book, Entry, Key, of_kind, place
from tables.mappings.kinds import (
    ANY,
    MEANINGS,
    Bundle,
    Instruction,
    Location,
    MappingRecord,
    Shipping,
    Sku,
    SkuRule,
    Status,
    Unit,
)
from tables.orders.notes import TARGETS

OURS: Final = ("REFUSED", "CANCEL_REFUSED", "CHANGE_REFUSED", "UNMAPPED")
"""Outcomes of ours among the warehouse's statuses: no code of a tenant is one of them."""
STANDARD: Final = tuple(name for name in get_args(WarehouseStatus) if name not in OURS)


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not hold: of which record, and what to do about it. `cause`: the other record without which it would hold."""

    key: Key
    text: str
    cause: Key | None = None

    def __str__(self) -> str:
        return f"{self.key[0]} {self.key[1]}: {self.text}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the configuration alone decides and mappings refer to."""

    channels: Collection[str]
    warehouses: Collection[str]
    policies: tuple[PolicyRule, ...] = ()
    warehouse: str = "clarus"

    def catalogue(self, book: Book) -> Catalogue:
        """Products, listings and policies of the book under this configuration."""
        return books.catalogue(book, self.policies, self.warehouses)


def faults(book: Book, setting: Setting, unread: Collection[str] = ()) -> list[Fault]:
    """Everything that does not hold in the book. `unread`: products that records name which belong to it and could not be read, `ANY` where it may be each of
    them; what may hold with these is no fault."""
    products = {unit.product: dict[str, int]() for unit in of_kind(book, Unit)}
    for unit in of_kind(book, Unit):
        products[unit.product][unit.unit] = unit.eaches
    bundles = {one.product: one for one in of_kind(book, Bundle)}
    found = [*_channels(book, setting)]
    if ANY not in unread:
        found += [*_listings(book, products, bundles, unread), *_bundles(products, bundles, unread)]
    found += [*_statuses(book, setting), *_locations(book, setting), *_rules(book), *_instructions(book)]
    return found if found or unread else list(_alike(book, setting))


def _fault(record: MappingRecord, text: str, cause: MappingRecord | None = None) -> Fault:
    return Fault(place(record), text, None if cause is None else place(cause))


def near(word: str, names: Iterable[str]) -> str:
    """`; did you mean …?` where a name looks like the word."""
    plain = {name.lstrip("0").casefold(): name for name in names}
    close = get_close_matches(word.lstrip("0").casefold(), plain, 1, 0.75)
    return f"; did you mean {plain[close[0]]!r}?" if close else ""


def _channels(book: Book, setting: Setting) -> Iterator[Fault]:
    for kind in (Sku, SkuRule, Shipping, Status, Location, Instruction):
        for one in of_kind(book, kind):
            channel = one.channel  # type: ignore[attr-defined]
            free = channel == ANY and kind in (SkuRule, Shipping, Instruction)
            if free or channel in setting.channels or (kind is Status and channel == setting.warehouse):
                continue
            names = ", ".join(setting.channels) or "none; the configuration has no channels"
            yield _fault(
                one, f"there is no channel {channel!r}; allowed: {names}{near(str(channel), setting.channels)}"
            )


def _listings(
    book: Book, products: dict[str, dict[str, int]], bundles: dict[str, Bundle], unread: Collection[str]
) -> Iterator[Fault]:
    for one in of_kind(book, Sku):
        if one.product in unread:
            continue
        units = products.get(one.product, {"each": 1} if one.product in bundles else None)
        if units is None:
            remedy = f"import its unit too: {{product: {one.product!r}, unit: each, eaches: 1}}"
            yield _fault(
                one, f"there is no product {one.product!r}{near(one.product, [*products, *bundles])}; or {remedy}"
            )
        elif one.unit not in units:
            text = f"{one.product!r} has no unit {one.unit!r}; allowed: {', '.join(units)}, or import the unit too"
            yield _fault(one, text)


def _bundles(
    products: dict[str, dict[str, int]], bundles: dict[str, Bundle], unread: Collection[str]
) -> Iterator[Fault]:
    for one in bundles.values():
        for component in one.components:
            if component in unread:
                continue
            if component in bundles:
                text = f"its component {component!r} is itself a bundle; allowed: products that are none"
                yield _fault(one, text, bundles[component])
            elif component not in products:
                yield _fault(
                    one,
                    f"there is no product {component!r}{near(component, products)}; or import its unit each with it",
                )


def _statuses(book: Book, setting: Setting) -> Iterator[Fault]:
    for one in of_kind(book, Status):
        allowed = STANDARD if one.channel == setting.warehouse else MEANINGS
        if one.means not in allowed:
            yield _fault(one, f"means is {one.means!r}; allowed: {', '.join(allowed)}")


def _locations(book: Book, setting: Setting) -> Iterator[Fault]:
    for one in of_kind(book, Location):
        for warehouse in one.warehouses:
            if warehouse not in setting.warehouses:
                names = ", ".join(setting.warehouses) or "none; the configuration has no warehouses"
                yield _fault(
                    one,
                    f"there is no warehouse {warehouse!r}; allowed: {names}{near(warehouse, setting.warehouses)}",
                )


def _instructions(book: Book) -> Iterator[Fault]:
    for one in of_kind(book, Instruction):
        if one.to not in TARGETS:
            yield _fault(one, f"to is {one.to!r}; allowed: {', '.join(sorted(TARGETS))}{near(one.to, TARGETS)}")


def _rules(book: Book) -> Iterator[Fault]:
    for one in of_kind(book, SkuRule):
        if (one.case, one.leading_zeros, one.ignore) == ("exact", "exact", ""):
            yield _fault(one, "it ignores nothing; set case, leading_zeros or ignore, or take the record out")


def _alike(book: Book, setting: Setting) -> Iterator[Fault]:
    """Asked only where every name is right: SKUs that a rule makes one and that are several products."""
    rules = {one.channel: one for one in of_kind(book, SkuRule)}
    if not rules:
        return
    catalogue = setting.catalogue(book)
    for channel in setting.channels:
        rule = rules.get(channel) or rules.get(ANY)
        if rule is None:
            continue
        spelling = catalogue.spellings[rule.channel]
        for location in sorted({listing.location for listing in catalogue.of_channel(channel)}):
            for plain, one in catalogue.alike(channel, location).items():
                if one is None:
                    listed = [x for x in catalogue.of_channel(channel) if x.location == location]
                    same = [f"{x.sku} ({x.product})" for x in listed if spelling.plain(x.sku) == plain]
                    yield _fault(rule, f"it makes {' and '.join(same[:4])} one SKU at {channel}; ignore less there")


def settled(base: Book, above: Book, setting: Setting) -> tuple[dict[Key, Entry], list[Fault]]:
    """The book to put in force, and the faults of records that had to be left out of it: one that fits no more must not stop the rest."""
    left: list[Fault] = []
    kept = dict(above)
    while True:
        book = books.over(base, kept)
        found = faults(book, setting)
        wrong = [fault for fault in found if fault.key in kept]
        wrong += [
            Fault(fault.cause, f"{fault.key[0]} {fault.key[1]}: {fault.text}")
            for fault in found
            if fault.key not in kept and fault.cause in kept
        ]
        if not wrong:
            return book, left
        left += wrong
        for fault in wrong:
            kept.pop(fault.key, None)
