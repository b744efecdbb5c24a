"""What a drill asks of the simulated peers: to do what customers and warehouse people do, and to tell the truth afterwards."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from app.simulators.base import Faults, Journal, Notifier


class StepRefused(Exception):
    """The peer refused what a step asked, as it would refuse a customer: the text says why."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a new order, in the channel's SKU and selling unit."""

    sku: str
    qty: int


@dataclass(frozen=True, slots=True)
class OddLine:
    """A line that another program entered and the platform did not check: any number, any currency; `id` empty lets the platform choose one."""

    sku: str
    qty: float
    currency: str = ""
    id: str = ""

    @property
    def shown(self) -> float:
        """The quantity as JSON holds it."""
        return int(self.qty) if self.qty == int(self.qty) else self.qty

    @property
    def counted(self) -> int:
        """The quantity as the truth counts it: whole units, none below 0."""
        return max(0, math.ceil(self.qty))


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A new order. `number` is what the file calls it; empty lets the platform choose one. `entered` instead of `lines`: by another program, unchecked."""

    number: str
    lines: Sequence[NewLine]
    paid: bool = True
    shipping: str = ""
    note: str = ""
    gift: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    discount: int = 0
    """Taken off the whole order, in minor units of the storefront's currency."""
    fields: Mapping[str, str] = field(default_factory=dict)
    entered: Sequence[OddLine] | None = None


@dataclass(slots=True)
class SoldLine:
    """A line as the storefront holds it. `tracked` False: an untracked product."""

    sku: str
    qty: int
    tracked: bool = True
    price: int = 0
    """Of all its units, with tax and before what is taken off the whole order, in minor units."""


@dataclass(slots=True)
class StorefrontOrder:
    """The truth of one order at its storefront. Times are the platform's, milliseconds."""

    order_id: str
    number: str
    placed_at: int
    lines: list[SoldLine]
    paid: bool
    state: str = "open"  # open, part_shipped, shipped, cancelled, refunded
    restocked: bool = False
    shipments: list[dict[str, Any]] = field(default_factory=list)
    refunded: str = "0.00"
    discount: int = 0
    captured: int = 0
    refunds: list[int] = field(default_factory=list)
    """Amounts that went back by a request of the product, in minor units, as `discount` and `captured`."""
    by_hand: list[tuple[str, int, int]] = field(default_factory=list)
    """SKU, units and amount of what people of the shop gave back."""
    staff_note: str = ""
    """What the order says to the shop's people."""


class StorefrontSimulator(Protocol):
    """One simulated storefront: an HTTP API in front, these methods behind."""

    name: str
    url: str
    journal: Journal
    faults: Faults
    notifier: Notifier

    async def start(self, port: int = 0) -> str: ...
    async def stop(self) -> None: ...

    def connection(self) -> dict[str, Any]:
        """The channel's settings for the product: `system`, URLs and credentials of this simulator."""
        ...

    def add_listing(self, sku: str, location: str = "") -> None:
        """Create a listing as it is before time 0 (commercetools: quantity 0, tracked; BigCommerce: never set)."""
        ...

    async def place(self, order: NewOrder) -> StorefrontOrder:
        """A customer checks out. StepRefused where the storefront would refuse; a SKU that is no listing is an untracked product."""
        ...

    async def pay(self, number: str) -> None:
        """The payment of an order arrives."""
        ...

    async def edit(self, number: str, lines: Sequence[NewLine] | None, address: Mapping[str, str] | None) -> None:
        """The order is changed at the platform. StepRefused where the platform has no such thing."""
        ...

    async def cancel(self, number: str) -> None:
        """The order is cancelled at the platform."""
        ...

    async def send_back(self, number: str, lines: Sequence[NewLine]) -> bool:
        """The customer sends something back: the storefront authorises it. False where the platform has no returns. StepRefused for more than was ordered."""
        ...

    async def refund_by_hand(self, number: str, lines: Sequence[NewLine]) -> None:
        """A person of the shop gives back what these lines cost."""
        ...

    async def set_stock(self, sku: str, qty: int, location: str = "") -> int:
        """A person edits the quantity by hand; returns by how much it was raised (negative: lowered)."""
        ...

    def quantity(self, sku: str, location: str = "") -> int:
        """The listing's own quantity once all lags are over."""
        ...

    def orders(self) -> Mapping[str, StorefrontOrder]:
        """All orders, by number."""
        ...

    def quiet(self) -> bool:
        """No notification undelivered, no request under way, no lag still to pass."""
        ...


@dataclass(slots=True)
class WarehouseOrder:
    """The truth of one goods out. `upstream` is the order key our release wrote into external_system_reference1."""

    wms_id: str
    reference: str
    upstream: str
    status: str  # Clarus' code in upper case, DELETED for a removed PENDING order
    created_at: int
    lines: list[dict[str, Any]]  # {"sku", "qty"}
    taken: dict[tuple[str, str], int] = field(default_factory=dict)  # (sku, warehouse) -> eaches taken out of available
    carrier: str = ""
    service: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    parcels: list[dict[str, Any]] = field(default_factory=list)
    customer: str = ""
    order_type: str = ""
    priority: int | None = None
    address: dict[str, Any] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WarehouseReturn:
    """The truth of one goods-in receipt of a return; eaches by SKU, `inspected` by outcome (restock, quarantine, scrap) and SKU."""

    upstream: str
    reference: str
    status: str
    received: dict[str, int]
    inspected: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class FloorSpeed:
    """How long the simulated floor takes, seconds; None leaves the step to the file (`floor: manual`)."""

    allocate: float | None = 0.2
    pick: float | None = 0.5
    despatch: float | None = 1.0


class WarehouseSimulator(Protocol):
    """The simulated Clarus: its API in front, the warehouse's own doings behind."""

    name: str
    url: str
    journal: Journal
    faults: Faults
    notifier: Notifier

    async def start(self, port: int = 0) -> str: ...
    async def stop(self) -> None: ...

    def connection(self) -> dict[str, Any]:
        """The `clarus` settings for the product."""
        ...

    def add_product(self, sku: str) -> None:
        """Create a product; a bundle is one only where it is a bill of materials (`add_bundle`)."""
        ...

    def add_bundle(self, sku: str, materials: Mapping[str, int]) -> None:
        """Create a bill of materials that is assembled on pick: orders of it take its components."""
        ...

    def receive(self, sku: str, warehouse: str, qty: int) -> int:
        """Goods in. Every movement returns what was really booked, in eaches."""
        ...

    def adjust(self, sku: str, warehouse: str, qty: int) -> int:
        """Correct the stock; down at most by what is available. Returns the signed booking."""
        ...

    def hold(self, sku: str, warehouse: str, qty: int) -> int:
        """Take stock out of sale, at most what is available."""
        ...

    def release(self, sku: str, warehouse: str, qty: int) -> int:
        """Put held stock back on sale, at most what is held."""
        ...

    def move(self, sku: str, source: str, target: str, qty: int) -> int:
        """Move between warehouses, at most what is available."""
        ...

    def allocate(self, upstream: str) -> None:
        """Allocate one order as far as stock goes. StepRefused where it is not there or not in a state for it."""
        ...

    def despatch(self, upstream: str, parcels: Sequence[Mapping[str, Any]]) -> None:
        """Despatch parcels `{"tracking": str, "lines": [{"sku", "qty"}]}` of one order."""
        ...

    def undespatch(self, upstream: str) -> None:
        """Take the despatch of a completed order back: it is picked again."""
        ...

    def short(self, upstream: str) -> None:
        """Give up what could not be allocated of one order: it completes without."""
        ...

    def pick(self, upstream: str) -> None:
        """Pick what is allocated of one order."""
        ...

    def unallocate(self, upstream: str) -> None:
        """Cancel the pick list of one order: it waits for its allocation again."""
        ...

    def cancel(self, upstream: str) -> None:
        """Somebody cancels one order at the warehouse itself; one that waits is deleted by that."""
        ...

    def receive_return(self, upstream: str, lines: Sequence[tuple[str, int]]) -> None:
        """Goods of an announced return arrive: these, or all that are expected. StepRefused where none is announced."""
        ...

    def inspect(
        self,
        upstream: str,
        lines: Sequence[tuple[str, int, Literal["restock", "quarantine", "scrap"]]],
        rest: Literal["restock", "quarantine", "scrap"] = "restock",
    ) -> None:
        """What arrived is inspected: these lines, or all of it with the outcome `rest`. StepRefused where nothing arrived."""
        ...

    def returns(self) -> Sequence[WarehouseReturn]:
        """All goods-in receipts of returns."""
        ...

    def orders(self) -> Sequence[WarehouseOrder]:
        """All goods outs, deleted ones too."""
        ...

    def stock(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """SKU to warehouse to {"available", "held"}."""
        ...

    def quiet(self) -> bool:
        """No notification undelivered, no request under way, nothing the floor could still do."""
        ...
