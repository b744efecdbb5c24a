"""What mappings make of the rules that orders are folded by. One value, replaced as a whole between two batches. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tables.mappings import book as books
from tables.mappings.book import Book
from tables.mappings.kinds import ANY
from tables.mappings.statuses import Meanings
from tables.orders.rules import CarrierService, Rules


@dataclass(frozen=True, slots=True)
class OrdersForce:
    """`rules` of every channel without some of its own. `version` names what is in force: another name, other mappings. `actor`, `reason`: who imported
    them and why, where an import just now brought them.
    """

    rules: Rules
    of_channel: Mapping[str, Rules] = field(default_factory=dict)
    meanings: Meanings = field(default_factory=dict)
    version: str = ""
    actor: str = ""
    reason: str = ""

    def rules_of(self, channel: str) -> Rules:
        """The rules for the orders of a channel."""
        return self.of_channel.get(channel, self.rules)


def orders_force(rules: Rules, book: Book, version: str) -> OrdersForce:
    """`rules` of the configuration, with what the book says in the place of what mappings can say."""
    methods = books.shipping(book)
    urgency = {method: one.priority for method, one in rules.shipping.items()}
    services = {key: CarrierService(one.carrier, one.service, urgency.get(key[1], 0)) for key, one in methods.items()}
    everywhere = {method: found for (channel, method), found in services.items() if channel == ANY}
    common = replace(rules, shipping=everywhere)
    of_channel = {
        name: replace(common, shipping={**everywhere, **{m: s for (c, m), s in services.items() if c == name}})
        for name in {channel for channel, _ in services if channel != ANY}
    }
    return OrdersForce(common, of_channel, books.statuses(book), version)
