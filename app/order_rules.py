"""The order rules' view of a configuration: products, what shipping methods are at Clarus, and what its carriers are to customers."""

import re
from fractions import Fraction

from app.release_rules import release_rules, wording
from app.settings import Settings
from tables.catalogue import Catalogue
from tables.orders.despatch import Carriage
from tables.orders.rules import CarrierService, Rules
from tables.returns.amounts import Shares
from tables.returns.fold import ReturnRules


def order_rules(settings: Settings, catalogue: Catalogue) -> Rules:
    """Everything that orders are folded by."""
    shipping = {
        method: CarrierService(given.carrier, given.service, given.priority)
        for method, given in settings.shipping.items()
    }
    carriers = {
        code: Carriage(given.name, re.compile(given.tracking) if given.tracking else None, given.link)
        for code, given in settings.carriers.items()
    }
    orders_from = {name: given.orders_from_ms for name, given in settings.channels.items()}
    early_wait, contact = settings.settings.delivery.early_wait, settings.clarus.contact
    return Rules(
        catalogue,
        shipping,
        carriers,
        early_wait,
        orders_from,
        contact,
        release_rules(settings),
        wording(settings),
        settings.clarus.bundles == "parent",
        frozenset(name for name, given in settings.channels.items() if given.tells_late_changes),
    )


def return_rules(settings: Settings, catalogue: Catalogue) -> ReturnRules:
    """Everything that returns are folded by."""
    given = settings.settings.returns
    shares = {
        "restocked": Fraction(given.restocked),
        "quarantined": Fraction(given.quarantined),
        "scrapped": Fraction(given.scrapped),
    }
    return ReturnRules(catalogue, Shares(shares, given.shipping))
