"""Orders of the simulated BigCommerce store: what customers and the merchant's people do to them, and what that does to stock (bigcommerce.md 3.9, 4).

The V2 representation is in `v2`, the HTTP around it in `orders_api`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.simulators.base import Journal
from app.simulators.bigcommerce.inventory import Inventory, Item
from app.simulators.contract import NewLine, NewOrder, OddLine, SoldLine, StepRefused, StorefrontOrder

SALES_LOCATION = 1
FIRST_ORDER = 1001
"""Number of the first order of a store, where nothing else is said."""
STATUSES = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
PRICE = 1000
"""Of one unit, in minor units; the store's prices hold no tax."""
_PAID = {2, 3, 8, 9, 10, 11, 14}
_STATES = {2: "shipped", 10: "shipped", 3: "part_shipped", 4: "refunded", 5: "cancelled", 6: "cancelled"}

ADDRESS = {
    "first_name": "Test",
    "last_name": "Customer",
    "company": "",
    "street_1": "1 High Street",
    "street_2": "",
    "city": "Leeds",
    "state": "West Yorkshire",
    "zip": "LS1 1AA",
    "country": "United Kingdom",
    "country_iso2": "GB",
    "phone": "",
    "email": "customer@example.com",
}
_ADDRESS_FIELDS = {
    "company": "company",
    "line1": "street_1",
    "line2": "street_2",
    "city": "city",
    "region": "state",
    "postcode": "zip",
    "country": "country_iso2",
    "phone": "phone",
    "email": "email",
}


@dataclass(slots=True)
class Line:
    """An order product; `item` None: a custom product that is in no catalogue and has no stock."""

    id: int
    sku: str
    quantity: int
    item: Item | None
    odd: float | None = None
    """The quantity that another program entered, where it is shown instead."""
    shipped: int = 0
    wrapping_message: str = ""
    refunded: int = 0

    @property
    def tracked(self) -> bool:
        """Does the store keep stock of it?"""
        return self.item is not None and self.item.tracking != "none"


@dataclass(slots=True)
class Shipment:
    """A parcel as the store knows it: order product id to quantity."""

    id: int
    created: float
    tracking: str
    items: dict[int, int]
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Refund:
    """Money that went back, in minor units. `items` as the API has them; `by_hand`: in the control panel."""

    id: int
    created: float
    amount: int
    items: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    overrides: bool = False
    by_hand: bool = False


@dataclass(slots=True)
class Order:
    """One order; times in seconds, shown at a resolution of one second."""

    id: int
    status_id: int
    created: float
    modified: float
    lines: list[Line]
    address_id: int
    address: dict[str, str]
    shipping_method: str = ""
    customer_message: str = ""
    staff_notes: str = ""
    external_order_id: str = ""
    form_fields: dict[str, str] = field(default_factory=dict)
    restocked: bool = False
    shipments: list[Shipment] = field(default_factory=list)
    discount: int = 0
    refunds: list[Refund] = field(default_factory=list)
    charged: bool = False
    """Its payment was captured. A cancel gives no money back (4.2), only a refund does."""

    @property
    def captured(self) -> int:
        """What was taken from the customer, in minor units."""
        return self.cost if self.charged else 0

    @property
    def cost(self) -> int:
        """What the customer pays, in minor units."""
        return max(0, self.total * PRICE - self.discount)

    @property
    def refunded(self) -> int:
        """What went back, in minor units."""
        return sum(refund.amount for refund in self.refunds)

    @property
    def state(self) -> str:
        """For people: a status that only says that some money went back tells nothing of the parcels."""
        if self.status_id != 14:
            return _STATES.get(self.status_id, "open")
        return "open" if not self.shipped else "shipped" if self.shipped >= self.total else "part_shipped"

    @property
    def total(self) -> int:
        """Units ordered."""
        return sum(line.quantity for line in self.lines)

    @property
    def shipped(self) -> int:
        """Units shipped."""
        return sum(line.shipped for line in self.lines)

    def truth(self) -> StorefrontOrder:
        """The order as a drill reads it."""
        names = {line.id: line.sku for line in self.lines}
        return StorefrontOrder(
            order_id=str(self.id),
            number=str(self.id),
            placed_at=int(self.created * 1000),
            lines=[
                SoldLine(line.sku, line.quantity, line.tracked, PRICE * line.quantity)
                for line in self.lines
                if line.quantity
            ],
            paid=self.status_id in _PAID,
            state=self.state,
            restocked=self.restocked,
            shipments=[
                {"tracking": s.tracking, "lines": [{"sku": names[n], "qty": q} for n, q in s.items.items()]}
                for s in self.shipments
            ],
            refunded=f"{self.refunded / 100:.2f}",
            staff_note=self.staff_notes,
            discount=self.discount,
            captured=self.captured,
            refunds=[refund.amount for refund in self.refunds if not refund.by_hand],
            by_hand=[
                (names[item["item_id"]], item["quantity"], refund.amount if n == 0 else 0)
                for refund in self.refunds
                if refund.by_hand
                for n, item in enumerate(refund.items)
            ],
        )


class Orders:
    """All orders of the store. `changed` is told of every change: order, whether it is new, and the status before."""

    def __init__(
        self,
        inventory: Inventory,
        journal: Journal,
        settings: Mapping[str, object],
        changed: Callable[[Order, bool, int], None],
        first: int = FIRST_ORDER,
    ) -> None:
        self._inventory, self._journal, self._settings, self._changed = inventory, journal, settings, changed
        self._next = first
        self.all: dict[int, Order] = {}
        self._line_id = 5000
        self._shipment_id = 1

    def get(self, number: str) -> Order:
        """An order by the number a scenario calls it; StepRefused where there is none."""
        if not number.isdecimal() or int(number) not in self.all:
            raise StepRefused(f"no order {number!r}")
        return self.all[int(number)]

    def place(self, new: NewOrder) -> Order:
        """Check out: stock is lowered at once, paid or not."""
        number = self._number(new.number)
        if new.entered is None:
            self._take({}, _sums(new.lines))
            lines = [self._line(line, new.gift) for line in new.lines]
        else:
            lines = [self._entered(line, new.gift) for line in new.entered]
        now = time.time()
        order = Order(
            id=number,
            status_id=11 if new.paid else 7,
            created=now,
            modified=now,
            lines=lines,
            address_id=100_000 + number,
            address=_address(ADDRESS, new.address),
            shipping_method=new.shipping,
            customer_message=new.note,
            form_fields=dict(new.fields),
            discount=new.discount,
            charged=new.paid,
        )
        self.all[number] = order
        self._journal.note("order placed", order=str(number), lines={line.sku: line.quantity for line in order.lines})
        self._changed(order, True, 0)
        return order

    def set_status(self, order: Order, status_id: int) -> None:
        """Change the status; 4 and 5 put stock back where the store is set so (3.9)."""
        before = order.status_id
        if before == status_id:
            return
        order.status_id = status_id
        if status_id in (4, 5) and self._settings["refund_order_stock_adjustment"] and not order.restocked:
            order.restocked = True
            for line in order.lines:
                if line.tracked and line.item is not None:
                    level = line.item.level(SALES_LOCATION)
                    level.onhand = (level.onhand or 0) + line.quantity
        self._journal.note(
            "order status", order=str(order.id), before=before, status=status_id, restocked=order.restocked
        )
        self.touch(order, before)

    def edit(self, order: Order, lines: Sequence[NewLine] | None, address: Mapping[str, str] | None) -> None:
        """Change lines and address; a line that is gone stays listed with quantity 0 (4.8)."""
        if order.status_id in (4, 5, 6) or order.shipped:
            raise StepRefused(f"order {order.id} is {STATUSES[order.status_id].lower()} and cannot be edited")
        if lines is not None:
            wanted = _sums(lines)
            if self._settings["edit_order_stock_adjustment"]:
                self._take(_sums([NewLine(line.sku, line.quantity) for line in order.lines]), wanted)
            for line in order.lines:
                line.quantity = wanted.pop(line.sku, 0)
            order.lines += [self._line(NewLine(sku, qty), "") for sku, qty in wanted.items()]
        if address is not None:
            order.address = _address(order.address, address)
        self._journal.note("order edited", order=str(order.id), lines={line.sku: line.quantity for line in order.lines})
        self.touch(order, order.status_id)

    def ship(self, order: Order, items: Mapping[int, int], tracking: str, fields: Mapping[str, str]) -> Shipment:
        """Create a shipment; the status follows by itself. ValueError where it does not fit the order."""
        by_id = {line.id: line for line in order.lines}
        for line_id, quantity in items.items():
            line = by_id.get(line_id)
            if line is None or quantity < 1 or line.shipped + quantity > line.quantity:
                raise ValueError(f"order product {line_id}: quantity {quantity} cannot be shipped")
        for line_id, quantity in items.items():
            by_id[line_id].shipped += quantity
        shipment = Shipment(self._shipment_id, time.time(), tracking, dict(items), dict(fields))
        self._shipment_id += 1
        order.shipments.append(shipment)
        before, order.status_id = order.status_id, 2 if order.shipped == order.total else 3
        self._journal.note("shipment", order=str(order.id), tracking=tracking)
        self.touch(order, before)
        return shipment

    def unship(self, order: Order, shipment: Shipment) -> None:
        """Delete a shipment; the status stays as it is (5)."""
        for line in order.lines:
            line.shipped -= shipment.items.get(line.id, 0)
        order.shipments.remove(shipment)
        self._journal.note("shipment deleted", order=str(order.id), tracking=shipment.tracking)
        self.touch(order, order.status_id)

    def touch(self, order: Order, before: int) -> None:
        """The order was modified now."""
        order.modified = max(order.modified, time.time())
        order.charged = order.charged or order.status_id in _PAID
        self._changed(order, False, before)

    def _number(self, given: str) -> int:
        if not given:
            self._next = max(self._next, max(self.all, default=0) + 1)
            return self._next
        if not given.isdecimal() or int(given) < 1:
            raise StepRefused(f"order {given!r}: BigCommerce numbers orders with positive integers")
        if int(given) in self.all:
            raise StepRefused(f"order {given} is there already")
        return int(given)

    def _line(self, line: NewLine, gift: str) -> Line:
        self._line_id += 1
        return Line(self._line_id, line.sku, line.qty, self._inventory.items.get(line.sku), wrapping_message=gift)

    def _entered(self, line: OddLine, gift: str) -> Line:
        """A line of an order that another program entered: a custom product without stock, whatever its quantity."""
        self._line_id += 1
        number = int(line.id or self._line_id)
        return Line(number, line.sku, line.counted, None, odd=line.shown, wrapping_message=gift)

    def _take(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Lower (or give back) the stock of the default location, which the storefront sells from; all or nothing."""
        moves = []
        for sku in {**before, **after}:
            units = after.get(sku, 0) - before.get(sku, 0)
            item = self._inventory.items.get(sku)
            if item is None or item.tracking == "none" or not units:
                continue
            level = item.level(SALES_LOCATION)
            if units > (level.onhand or 0):
                raise StepRefused(f"SKU {sku}: {units} wanted, {level.onhand or 0} available")
            moves.append((level, units))
        for level, units in moves:
            level.onhand = (level.onhand or 0) - units


def _sums(lines: Sequence[NewLine]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.sku] = totals.get(line.sku, 0) + line.qty
    return totals


def _address(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The platform's address fields; `given` in the scenario's names, or in the platform's own."""
    address = dict(before)
    for name, value in given.items():
        if name == "name":
            first, _, last = value.partition(" ")
            address["first_name"], address["last_name"] = first, last
        else:
            address[_ADDRESS_FIELDS.get(name, name)] = value
    return address
