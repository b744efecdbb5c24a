"""Inventory entries of the simulated project: versioned writes, the reservation record behind the visible numbers, and the lag between the two.

Orders are decided on the record (`stock`) at once; `quantityOnStock` and `availableQuantity` follow within the visible lag (fact sheet 2.6, 3.7). What is not
documented is drawn from the seed: whether an order raises the entry's version, and whether `changeQuantity` swallows decrements still on their way.
"""

import copy
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from app.simulators.base import Journal, now_ms
from app.simulators.commercetools.documents import (
    ApiError,
    Collection,
    Doc,
    Factory,
    check_version,
    custom,
    duplicate,
    invalid_json,
    not_found,
    required,
    set_custom_field,
)


@dataclass(slots=True)
class Pending:
    """A change by an order that is decided and not yet visible. `due` is monotonic."""

    due: float
    units: int
    raises_version: bool


@dataclass(slots=True)
class Entry:
    """One inventory entry: what the API shows (`doc`), and what orders are decided on (`stock`)."""

    doc: Doc
    location: str
    stock: int
    pending: list[Pending] = field(default_factory=list)

    def show(self, quantity: int) -> None:
        """Both visible numbers; they differ only by cart reservations, which this project does not use."""
        self.doc["quantityOnStock"] = self.doc["availableQuantity"] = quantity


class Inventory:
    """All entries of the project. Locations are supply channel keys, "" for channel-less entries."""

    def __init__(
        self,
        rng: random.Random,
        factory: Factory,
        channels: Collection,
        types: Collection,
        journal: Journal,
        visible_lag: float,
    ) -> None:
        self._rng, self._factory, self._channels, self._types = rng, factory, channels, types
        self._journal, self._lag = journal, visible_lag
        self._swallows = rng.random() < 0.5
        self.entries: dict[str, Entry] = {}
        self._by_sku: dict[str, dict[str, Entry]] = {}
        self._lagging: dict[str, Entry] = {}

    # ---- what the shop does ------------------------------------------------------------------------------------------------------------

    def find(self, sku: str, location: str = "") -> Entry | None:
        """The entry of a SKU at a location."""
        return self._by_sku.get(sku, {}).get(location)

    def supplier(self, sku: str, units: int) -> Entry | None:
        """The entry an order line draws from: the channel-less one, else the first that has enough, else the first; None for an untracked SKU."""
        entries = self._by_sku.get(sku, {})
        if "" in entries or not entries:
            return entries.get("")
        return next((e for e in entries.values() if e.stock >= units), next(iter(entries.values())))

    def orderable(self, entry: Entry, units: int) -> bool:
        """ReserveOnOrder's check (fact sheet 3.6): enough on the record, or `restockableInDays` is set."""
        return entry.stock >= units or "restockableInDays" in entry.doc

    def shift(self, entry: Entry, units: int) -> None:
        """An order takes (negative) or gives back (positive) units: decided now, visible later, in order."""
        entry.stock += units
        due = time.monotonic() + self._rng.uniform(0, self._lag)
        if entry.pending:
            due = max(due, entry.pending[-1].due)
        entry.pending.append(Pending(due, units, self._rng.random() < 0.5))
        self._lagging[entry.doc["id"]] = entry

    def set_by_hand(self, entry: Entry, quantity: int) -> int:
        """A person types a quantity; returns by how much what can be sold was raised."""
        before = entry.stock
        self.settle(entry)
        self._change_quantity(entry, quantity)
        self._factory.touch(entry.doc)
        self._note("stock set by hand", entry)
        return entry.stock - before

    def lagging(self) -> bool:
        """Is a decided change still not visible?"""
        for entry in self._lagging.values():
            self.settle(entry)
        self._lagging = {id: entry for id, entry in self._lagging.items() if entry.pending}
        return bool(self._lagging)

    def settle(self, entry: Entry) -> None:
        """Show what has become visible by now."""
        now = time.monotonic()
        while entry.pending and entry.pending[0].due <= now:
            change = entry.pending.pop(0)
            entry.show(entry.doc["quantityOnStock"] + change.units)
            if change.raises_version:
                self._factory.touch(entry.doc, now_ms() - int((now - change.due) * 1000))
            self._note("stock shown", entry)

    # ---- the API -----------------------------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Entry:
        """By id. 404 where there is none."""
        entry = self.entries.get(id)
        if entry is None:
            raise not_found(id)
        self.settle(entry)
        return entry

    def get_key(self, key: str) -> Entry:
        """By key. 404 where there is none."""
        entry = next((e for e in self.entries.values() if e.doc.get("key") == key), None)
        if entry is None:
            raise not_found(key)
        self.settle(entry)
        return entry

    def visible(self, skus: Iterable[Any] | None) -> list[Doc]:
        """Documents as they are visible now, of these SKUs or all."""
        wanted = self._by_sku if skus is None else skus
        entries = [entry for sku in wanted for entry in self._by_sku.get(sku, {}).values()]
        for entry in entries:
            self.settle(entry)
        return [entry.doc for entry in entries]

    def create(self, draft: Doc) -> Entry:
        """A new entry. DuplicateField where SKU and channel, or the key, are taken (fact sheet 3.3)."""
        sku, quantity = required(draft, "sku", str), required(draft, "quantityOnStock", int)
        channel = self._channels.resolve(draft["supplyChannel"]) if draft.get("supplyChannel") else None
        location = "" if channel is None else channel["key"]
        if self.find(sku, location) is not None:
            raise duplicate("supplyChannel", location or None)
        if draft.get("key") is not None and any(e.doc.get("key") == draft["key"] for e in self.entries.values()):
            raise duplicate("key", draft["key"])
        doc = self._factory.resource(
            key=draft.get("key"),
            sku=sku,
            supplyChannel=None if channel is None else self._channels.reference(channel),
            restockableInDays=draft.get("restockableInDays"),
            expectedDelivery=draft.get("expectedDelivery"),
            custom=custom(self._types, "inventory-entry", draft.get("custom")),
        )
        entry = Entry(doc, location, quantity)
        entry.show(quantity)
        self.entries[doc["id"]] = entry
        self._by_sku.setdefault(sku, {})[location] = entry
        self._note("stock created", entry)
        return entry

    def update(self, entry: Entry, body: Doc) -> None:
        """A versioned update, all actions or none. 409 where another version is there."""
        check_version(entry.doc, body.get("version"), self._rng)
        actions = required(body, "actions", list)
        before = copy.deepcopy(entry.doc), entry.stock, list(entry.pending)
        try:
            for action in actions:
                self._act(entry, action)
        except ApiError:
            entry.doc.clear()
            entry.doc.update(before[0])
            entry.stock, entry.pending = before[1], before[2]
            raise
        self._factory.touch(entry.doc)
        self._note("stock written", entry, actions=[action["action"] for action in actions])

    def disturb(self, entry: Entry) -> None:
        """Somebody else changes the entry without touching its quantity: the version rises."""
        self._factory.touch(entry.doc)

    def _act(self, entry: Entry, action: Any) -> None:
        if not isinstance(action, dict):
            raise invalid_json("actions")
        known: dict[str, Callable[[Entry, Doc], None]] = {
            "addQuantity": lambda e, a: self._shift_now(e, required(a, "quantity", int)),
            "removeQuantity": lambda e, a: self._shift_now(e, -required(a, "quantity", int)),
            "changeQuantity": lambda e, a: self._change_quantity(e, required(a, "quantity", int)),
            "setRestockableInDays": lambda e, a: _set(e.doc, "restockableInDays", a.get("restockableInDays")),
            "setExpectedDelivery": lambda e, a: _set(e.doc, "expectedDelivery", a.get("expectedDelivery")),
            "setKey": lambda e, a: self._set_key(e, a.get("key")),
            "setCustomType": lambda e, a: _set(e.doc, "custom", custom(self._types, "inventory-entry", a)),
            "setCustomField": lambda e, a: set_custom_field(
                self._types, e.doc, required(a, "name", str), a.get("value")
            ),
        }
        name = required(action, "action", str)
        if name not in known:
            raise ApiError(400, "InvalidInput", f"The update action '{name}' is not supported.")
        known[name](entry, action)

    @staticmethod
    def _shift_now(entry: Entry, units: int) -> None:
        entry.stock += units
        entry.show(entry.doc["quantityOnStock"] + units)

    def _change_quantity(self, entry: Entry, quantity: int) -> None:
        if self._swallows:
            entry.pending = []
        entry.show(quantity)
        entry.stock = quantity + sum(change.units for change in entry.pending)

    def _set_key(self, entry: Entry, key: str | None) -> None:
        if key is not None and any(e.doc.get("key") == key for e in self.entries.values() if e is not entry):
            raise duplicate("key", key)
        _set(entry.doc, "key", key)

    def _note(self, what: str, entry: Entry, **fields: Any) -> None:
        self._journal.note(
            what,
            sku=entry.doc["sku"],
            location=entry.location,
            quantity=entry.doc["quantityOnStock"],
            stock=entry.stock,
            **fields,
        )


def _set(doc: Doc, name: str, value: Any) -> None:
    if value is None:
        doc.pop(name, None)
    else:
        doc[name] = value
