"""What the configuration says as mapping records, and what it alone decides. The book of these stands below everything imported."""

from collections.abc import Iterator

from app.connectors import CLARUS
from app.settings import ListingSettings, ProductSettings, Settings
from tables.mappings import book as books
from tables.mappings.book import Entry, Key
from tables.mappings.checks import Setting
from tables.mappings.kinds import ANY, Bucket, Bundle, MappingRecord, Shipping, Sku, Status, Unit


def configured(settings: Settings) -> dict[Key, Entry]:
    """The book of the configuration."""
    return books.from_records(_records(settings))


def setting(settings: Settings) -> Setting:
    """Channels, warehouses and policies: mappings refer to them and do not make them."""
    rules = tuple(policy.to_rule() for policy in settings.policies)
    return Setting(tuple(settings.channels), tuple(settings.warehouses), rules, CLARUS)


def _records(settings: Settings) -> Iterator[MappingRecord]:
    for product in settings.products:
        yield from _product(product)
    for method, given in settings.shipping.items():
        yield Shipping(
            channel=ANY, method=method, carrier=given.carrier, service=given.service, priority=given.priority
        )
    for code, standard in settings.clarus.statuses.items():
        yield Status(channel=CLARUS, status=code, means=standard)
    for status in settings.clarus.sellable_statuses:
        yield Bucket(status=status, counts="sellable")
    for status in settings.clarus.held_statuses:
        yield Bucket(status=status, counts="held")


def _product(product: ProductSettings) -> Iterator[MappingRecord]:
    for unit, eaches in product.units.items():
        yield Unit(product=product.sku, unit=unit, eaches=eaches)
    if product.bundle:
        yield Bundle(product=product.sku, components=dict(product.bundle))
    for channel, given in product.channels.items():
        for one in given if isinstance(given, list) else [given]:
            listed = ListingSettings(sku=one) if isinstance(one, str) else one
            yield Sku(channel=channel, sku=listed.sku, product=product.sku, unit=listed.unit, location=listed.location)
