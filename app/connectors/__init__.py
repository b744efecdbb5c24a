"""Which connector belongs to which channel. Connectors are imported when they are asked for, so that a process loads what it uses."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.commercetools.settings import CommercetoolsSettings
from tables.catalogue import Catalogue
from tables.deliveries.peers import UNGUARDED

if TYPE_CHECKING:
    from app.connectors.contract import Intake, Storefront, Transport, Warehouse
    from app.settings import Settings

CLARUS = "clarus"
"""The warehouse's channel name."""


def intake_for(channel: str, settings: "Settings") -> "Intake":
    """The pure side of a configured channel, or of `clarus`. KeyError where the configuration has no such channel."""
    if channel == CLARUS:
        from app.connectors.clarus import ClarusIntake

        return ClarusIntake(settings.clarus)
    match settings.channels[channel]:
        case CommercetoolsSettings() as given:
            from app.connectors.commercetools import CommercetoolsIntake

            return CommercetoolsIntake(channel, given)
        case BigCommerceSettings() as given:
            from app.connectors.bigcommerce import BigCommerceIntake

            return BigCommerceIntake(channel, given)


def storefront_type(settings: CommercetoolsSettings | BigCommerceSettings) -> "type[Storefront]":
    """The class of a channel's connector: what kind of peer it is can be asked without a connection."""
    match settings:
        case CommercetoolsSettings():
            from app.connectors.commercetools import CommercetoolsStorefront

            return CommercetoolsStorefront
        case BigCommerceSettings():
            from app.connectors.bigcommerce import BigCommerceStorefront

            return BigCommerceStorefront


def unguarded(channels: Mapping[str, CommercetoolsSettings | BigCommerceSettings]) -> dict[str, str]:
    """Channels by whose kind or settings a split pool promises nothing (R9), with the reason. The rest is found out by probes, reads and orders."""
    found: dict[str, str] = {}
    for name, given in channels.items():
        if why := UNGUARDED.get(storefront_type(given).kind):
            found[name] = why
        elif isinstance(given, CommercetoolsSettings) and given.restocks_on_cancel:
            found[name] = "puts cancelled units back on sale by itself (restocks_on_cancel)"
    return found


def storefront_for(
    name: str, settings: CommercetoolsSettings | BigCommerceSettings, transport: "Transport"
) -> "Storefront":
    """The connected storefront of a channel, talking through its owner's transport."""
    make: Callable[..., Storefront] = storefront_type(settings)
    return make(name, settings, transport)


def warehouse_for(settings: "Settings", transport: "Transport", catalogue: Catalogue) -> "Warehouse":
    """The connected WMS, for the warehouses and bundles of the catalogue; its content may become another one at any time."""
    from app.connectors.clarus import ClarusWarehouse

    return ClarusWarehouse(settings.clarus, transport, catalogue.warehouses, lambda: catalogue.bundles)
