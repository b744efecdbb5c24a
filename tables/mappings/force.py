"""What mappings make of the rules that orders are folded by. One value, replaced as a whole between two batches. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tables.mappings import book as books
from tables.mappings.book import Book, of_kind
from tables.mappings.kinds import ANY, Instruction
from tables.mappings.statuses import Meanings
from tables.orders.rules import CarrierService, ReleaseRules, Rules
from tables.orders.rules import Instruction as Told


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


def orders_force(rules: Rules, book: Book, version: str, channels: Iterable[str] = ()) -> OrdersForce:
    """`rules` of the configuration, with what the book says in the place of what mappings can say. `channels`: the storefronts."""
    methods = books.shipping(book)
    services = {key: CarrierService(one.carrier, one.service, one.priority) for key, one in methods.items()}
    everywhere = {method: found for (channel, method), found in services.items() if channel == ANY}
    common = replace(rules, shipping=everywhere, release=_release(rules, book, channels))
    of_channel = {
        name: replace(common, shipping={**everywhere, **{m: s for (c, m), s in services.items() if c == name}})
        for name in {channel for channel, _ in services if channel != ANY}
    }
    return OrdersForce(common, of_channel, books.statuses(book), version)


def _release(rules: Rules, book: Book, channels: Iterable[str]) -> Mapping[str, ReleaseRules]:
    """Instructions of the book beside those of the configuration; one for the same field, text and value replaces it."""
    given = of_kind(book, Instruction)
    if not given:
        return rules.release
    return {
        name: replace(rules.of_channel(name), instructions=_told(rules.of_channel(name).instructions, given, name))
        for name in channels
    }


def _told(configured: Iterable[Told], given: Iterable[Instruction], channel: str) -> tuple[Told, ...]:
    found = {(one.field, one.to, one.when): one for one in configured}
    for owner in (ANY, channel):
        for one in given:
            if one.channel == owner:
                when = frozenset({one.value.strip().lower()} if one.value else ())
                found[one.field, one.to, when] = Told(one.field, one.to, one.text, when)
    return tuple(found.values())
