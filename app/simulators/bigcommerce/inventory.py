"""Stock of the simulated BigCommerce store: levels per item and location, adjustments that are accepted first and applied later.

What the adjustment endpoints accept, refuse and drop is here (bigcommerce.md 3.2, 3.3, 3.6); the HTTP around it is in `stock_api`.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.simulators.base import Faults, Journal

Tracking = Literal["none", "product", "variant"]
MAX_QUANTITY = 2_147_483_647
MAX_ROWS = 2000
_KINDS = ("sku", "variant_id", "product_id")


class Unprocessable(Exception):
    """A 422 of the inventory API: nothing of the request was applied."""

    def __init__(self, title: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(title)
        self.title, self.errors = title, dict(errors or {})


@dataclass(slots=True)
class Adjustment:
    """An accepted change that is not applied yet."""

    absolute: bool
    quantity: int
    due: float


@dataclass(slots=True)
class Level:
    """One item at one location; `onhand` None until the first absolute adjustment."""

    onhand: int | None = None
    queue: list[Adjustment] = field(default_factory=list)

    def settle(self, change: Adjustment) -> bool:
        """Apply one change; False where the post-check drops it, without a word (3.3)."""
        if change.absolute:
            self.onhand = change.quantity
            return True
        if (self.onhand or 0) + change.quantity < 0:
            return False
        self.onhand = (self.onhand or 0) + change.quantity
        return True

    def final(self) -> int:
        """The quantity once everything in the queue is applied."""
        later = Level(self.onhand)
        for change in self.queue:
            later.settle(change)
        return later.onhand or 0


@dataclass(slots=True)
class Item:
    """A product with its only variant, or a variant of a product that tracks by variant."""

    sku: str
    product_id: int
    variant_id: int
    tracking: Tracking
    barcode: str = ""
    grams: float = 0.0
    levels: dict[int, Level] = field(default_factory=dict)

    def level(self, location: int) -> Level:
        """The level at a location, made where there is none yet."""
        return self.levels.setdefault(location, Level())


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an adjustment request, resolved."""

    item: Item
    location: int
    quantity: int
    identity: str


class Inventory:
    """Items, locations and what is under way. `silent`: the store lets a relative adjustment in that it then drops, instead of refusing it at once."""

    def __init__(self, rng: random.Random, faults: Faults, journal: Journal, apply_max: float, silent: bool) -> None:
        self._rng, self._faults, self._journal = rng, faults, journal
        self.apply_max, self.silent = apply_max, silent
        self.items: dict[str, Item] = {}
        self._by_id: dict[tuple[str, int], Item] = {}
        self.locations: dict[int, bool] = {1: True}
        self.pending = 0  # adjustments accepted and not applied

    def add(self, sku: str, location: int, tracking: Tracking) -> Item:
        """Create an item with no level at that location."""
        item = self.items.get(sku)
        if item is None:
            number = len(self.items) + 1
            item = self.items[sku] = Item(sku, 100 + number, 1000 + number, tracking)
            self._by_id["product_id", item.product_id] = self._by_id["variant_id", item.variant_id] = item
        self.locations.setdefault(location, True)
        item.level(location)
        return item

    def adjust(self, body: Any, *, absolute: bool) -> None:
        """Take a whole request in, or refuse it as a whole with `Unprocessable`."""
        rows = self._resolve(body)
        if not absolute:
            self._precheck(rows)
        self._refuse_part(rows)
        for row in rows:
            self._enqueue(row, absolute)

    def _resolve(self, body: Any) -> list[Row]:
        given = body.get("items") if isinstance(body, dict) else None
        if not isinstance(given, list) or not given or len(given) > MAX_ROWS:
            raise Unprocessable(
                "Payload contains invalid fields", {"items": f"must be an array of 1 to {MAX_ROWS} items"}
            )
        errors: dict[str, str] = {}
        for n, row in enumerate(given):
            if error := _fault_of(row):
                errors[f"items.{n}"] = error
        if errors:
            raise Unprocessable("Payload contains invalid fields", errors)
        lost = sorted({row["location_id"] for row in given if row["location_id"] not in self.locations})
        if lost:
            raise Unprocessable(f"Location not found, identities: [{','.join(map(str, lost))}]")
        rows, unknown, seen = [], list[str](), set[tuple[str, int]]()
        for row in given:
            kind = next(k for k in _KINDS if k in row)
            identity = f"{kind} {row[kind]}"
            item = self._find(kind, row[kind])
            if item is None or item.tracking == "none":
                unknown.append(identity)
                continue
            if kind != "sku" and kind != f"{item.tracking}_id":
                raise Unprocessable(
                    f"[Item with {identity} is tracked by {item.tracking}, please update stock by {item.tracking} id]"
                )
            if not self.locations[row["location_id"]]:
                raise Unprocessable(f"Items with identity: [{identity}] belong to a disabled location")
            if (item.sku, row["location_id"]) in seen:
                raise Unprocessable(f"Items with identity: [{identity}] are given more than once")
            seen.add((item.sku, row["location_id"]))
            rows.append(Row(item, row["location_id"], row["quantity"], identity))
        if unknown:
            raise Unprocessable(f"Items with identity: [{', '.join(unknown)}] not found")
        return rows

    def _find(self, kind: str, value: Any) -> Item | None:
        if kind == "sku":
            return self.items.get(value)
        return self._by_id.get((kind, value))

    def _precheck(self, rows: Sequence[Row]) -> None:
        unset = [row.identity for row in rows if row.item.level(row.location).onhand is None]
        if unset:
            raise Unprocessable(
                f"Items with identity: [{', '.join(unset)}] requires absolute adjustment before relative"
            )
        short = [row.identity for row in rows if (row.item.level(row.location).onhand or 0) + row.quantity < 0]
        if short and not self.silent:
            raise Unprocessable(f"Items with identity: [{', '.join(short)}] have insufficient stock for the adjustment")

    def _refuse_part(self, rows: Sequence[Row]) -> None:
        if len(rows) < 2 or not self._faults.hits("partial"):
            return
        if self._rng.random() < 0.5:
            raise Unprocessable("Some items could not be processed")
        raise Unprocessable(f"Items with identity: [{self._rng.choice(rows).identity}] are temporarily locked")

    def _enqueue(self, row: Row, absolute: bool) -> None:
        """Strictly in order per item and location: none overtakes the one before it."""
        loop = asyncio.get_running_loop()
        level = row.item.level(row.location)
        due = loop.time() + self._rng.uniform(0, self.apply_max)
        if level.queue:
            due = max(due, level.queue[-1].due)
        self.pending += 1
        level.queue.append(Adjustment(absolute, row.quantity, due))
        self._journal.note(
            "adjustment accepted", sku=row.item.sku, location=row.location, quantity=row.quantity, absolute=absolute
        )
        loop.call_at(due, self._apply, row.item, row.location)

    def _apply(self, item: Item, location: int) -> None:
        level = item.level(location)
        change = level.queue.pop(0)
        self.pending -= 1
        took = level.settle(change)
        self._journal.note(
            "adjustment applied" if took else "adjustment dropped",
            sku=item.sku,
            location=location,
            quantity=change.quantity,
            absolute=change.absolute,
            onhand=level.onhand,
        )


def _fault_of(row: Any) -> str:
    """What is wrong with the form of one row; empty where nothing is."""
    if not isinstance(row, dict):
        return "must be an object"
    if sum(kind in row for kind in _KINDS) != 1:
        return "exactly one of sku, variant_id and product_id"
    numbers = [name for name in ("location_id", "quantity", "variant_id", "product_id") if name in row]
    if "location_id" not in row or "quantity" not in row:
        return "location_id and quantity are required"
    if any(not isinstance(row[name], int) or isinstance(row[name], bool) for name in numbers):
        return "must be integers"
    if not isinstance(row.get("sku", ""), str):
        return "sku must be a string"
    return "quantity is too large" if abs(row["quantity"]) > MAX_QUANTITY else ""
