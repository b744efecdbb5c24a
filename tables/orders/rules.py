"""What the configuration says about orders, as plain data. Made from the settings by `app.order_rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tables.catalogue import Catalogue
from tables.orders.despatch import Carriage


@dataclass(frozen=True, slots=True)
class CarrierService:
    """What a storefront's shipping method is at Clarus, and how urgent it makes an order: 1 to 99, 0 leaves that to the warehouse."""

    carrier: str
    service: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Instruction:
    """A fact of an order that the warehouse is told. `when`: values in lower case for which; empty for all. `text`: `{value}` stands for the value."""

    field: str
    to: str
    text: str = "{value}"
    when: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """What a goods out carries for the orders of one channel. `lead`: milliseconds from leaving to delivery."""

    address_needed: bool = True
    purchase_order_needed: bool = False
    customer: str = ""
    order_type: str = ""
    phone: str = ""
    email: str = ""
    lead: int = 0
    line_notes_to: str = "packing_notes"
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class Wording:
    """How Clarus takes texts: where the customer's note and gift message go, the lengths it does not publish (0: any), and whether it takes emoji."""

    note_to: str = "delivery_notes"
    gift_to: str = "packing_notes"
    short: int = 255
    notes: int = 0
    emoji: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that orders are folded by. `release` by channel."""

    catalogue: Catalogue
    shipping: Mapping[str, CarrierService]
    carriers: Mapping[str, Carriage] = field(default_factory=dict)
    early_wait: int = 900_000
    """Milliseconds for which a despatch waits for its order before somebody is told."""
    orders_from: Mapping[str, int] = field(default_factory=dict)
    """Channel to the time from which on its orders are ours; those placed before are left to the program before this one."""
    contact: str = "the warehouse"
    """Whom to call about an order that was changed too late."""
    release: Mapping[str, ReleaseRules] = field(default_factory=dict)
    wording: Wording = field(default_factory=Wording)

    bundles_whole: bool = False
    """A bundle is ordered as a product of its own, which the warehouse assembles, instead of as its components."""
    told: frozenset[str] = frozenset()
    """Channels whose people are told at the order what the warehouse did not take."""

    def of_channel(self, channel: str) -> ReleaseRules:
        """What is said of the releases of one channel; where nothing is, the defaults."""
        return self.release.get(channel) or _NOTHING_SAID


_NOTHING_SAID = ReleaseRules()
