"""The records of the simulated Clarus, as its API shows them. No behaviour but arithmetic on a record's own figures."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

OPEN: Final = ("ALLOCATED", "PART_ALLOCATED", "PICK")
"""Statuses in which an order holds stock."""

STATUS_NAMES: Final = {
    "DRAFT": "Draft",
    "PENDING": "Pending",
    "PICK": "Picking",
    "PART": "Part",
    "ALLOCATED": "Allocated",
    "COMPLETED": "Completed",
    "PART_ALLOCATED": "Part allocated",
    "CANCELLED": "Cancelled",
}


def iso(ms: int) -> str:
    """Milliseconds as Clarus writes times: with milliseconds and an offset."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}+00:00"


@dataclass(slots=True, eq=False)
class Account:
    id: int
    code: str
    name: str
    is_short_pickable: bool = True


@dataclass(slots=True, eq=False)
class Warehouse:
    id: int
    code: str
    name: str


@dataclass(slots=True, eq=False)
class Location:
    id: int
    code: str
    warehouse: Warehouse


@dataclass(slots=True, eq=False)
class Product:
    """`materials`: of a bill of materials that is assembled on pick (S18), each component with its eaches in one."""

    id: int
    code: str
    barcode: str = ""
    units_per_case: int | None = None
    grams: float = 0.0
    materials: list[tuple["Product", int]] = field(default_factory=list)

    @property
    def parts(self) -> list[tuple["Product", int]]:
        """What is taken from stock for one of it."""
        return self.materials or [(self, 1)]


@dataclass(slots=True, eq=False)
class Party:
    """A customer or an order type: a code that orders refer to."""

    id: int
    code: str
    name: str


@dataclass(slots=True, eq=False)
class Carrier:
    id: int
    code: str
    name: str


@dataclass(slots=True, eq=False)
class CarrierService:
    id: int
    code: str
    name: str
    carrier: Carrier


@dataclass(slots=True, eq=False)
class Stock:
    """One stock record. `available` records contain what is allocated and not picked yet."""

    id: int
    product: Product
    location: Location
    quantity: int
    status: str  # available or held
    fifo_at: int


@dataclass(slots=True, eq=False)
class Balance:
    """One product in one warehouse: `on_hand` and `held` are sums of the stock records, `allocated` is part of `on_hand`."""

    product: Product
    warehouse: Warehouse
    on_hand: int = 0
    held: int = 0
    allocated: int = 0
    picked: int = 0
    received: int = 0
    records: list[Stock] = field(default_factory=list)

    @property
    def available(self) -> int:
        """Net of what is allocated; held stock never counts (fact sheet 5.1; the arithmetic is inferred)."""
        return self.on_hand - self.allocated


@dataclass(slots=True, eq=False)
class Transaction:
    """One stock movement of the audit feed."""

    id: int
    subtype: str
    quantity: int
    created_at: int
    product: Product
    warehouse: Warehouse
    location_from: Location | None = None
    location_to: Location | None = None
    goods_out_id: int | None = None


@dataclass(slots=True, eq=False)
class Line:
    """A line of a goods out. Allocated, picked and despatched exclude each other."""

    id: int
    order: "GoodsOut"
    product: Product
    ordered: int
    created_at: int
    attributes: dict[str, Any]
    allocated: int = 0
    picked: int = 0
    despatched: int = 0
    short: int = 0

    @property
    def missing(self) -> int:
        """Eaches that still want stock."""
        return max(0, self.ordered - self.short - self.allocated - self.picked - self.despatched)


@dataclass(slots=True, eq=False)
class GoodsOut:
    """A sales order. `warehouse` is None until it is bound to one."""

    id: int
    status: str
    created_at: int
    account: Account
    warehouse: Warehouse | None
    carrier: Carrier | None
    service: CarrierService | None
    attributes: dict[str, Any]
    address: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    despatched_at: int = 0
    parcels: list[dict[str, Any]] = field(default_factory=list)
    taken: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return str(self.attributes["reference"])

    @property
    def upstream(self) -> str:
        """What the releasing system wrote into external_system_reference1."""
        return str(self.attributes.get("external_system_reference1") or "")


@dataclass(slots=True, eq=False)
class PickRequest:
    """One order's request to be allocated."""

    reference: str
    order: GoodsOut
    created_at: int
    updated_at: int
    status: str = "pending"
    message: str | None = None


@dataclass(slots=True, eq=False)
class Shipment:
    id: int
    reference: str
    order: GoodsOut
    created_at: int


@dataclass(slots=True, eq=False)
class Package:
    id: int
    shipment: Shipment
    tracking: str
    contents: list[tuple[Product, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Automation:
    """A webhook: one resource and event to one URL."""

    id: int
    name: str
    resource: str
    event: str
    enabled: bool
    created_at: int
    url: str = ""
    method: str = "POST"
