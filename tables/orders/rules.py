"""What the configuration says about orders, as plain data. Made from the settings by `app.order_rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tables.catalogue import Catalogue
from tables.orders.despatch import Carriage


@dataclass(frozen=True, slots=True)
class CarrierService:
    """What a storefront's shipping method is at Clarus."""

    carrier: str
    service: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that orders are folded by."""

    catalogue: Catalogue
    shipping: Mapping[str, CarrierService]
    carriers: Mapping[str, Carriage] = field(default_factory=dict)
    early_wait: int = 900_000
    """Milliseconds for which a despatch waits for its order before somebody is told."""
    orders_from: Mapping[str, int] = field(default_factory=dict)
    """Channel to the time from which on its orders are ours; those placed before are left to the program before this one."""
    contact: str = "the warehouse"
    """Whom to call about an order that was changed too late."""
