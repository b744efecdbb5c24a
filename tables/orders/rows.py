"""The row of one order: what its storefront last said, what we derived from it and what the warehouse answered. Data only."""

from collections.abc import Mapping
from copy import copy
from typing import Literal

import msgspec

from schemas.records import LifecycleState, LineState, OrderSnapshot, ReleaseOrder, WarehouseDespatch, WarehouseStatus
from tables.handling import Handling


class Demand(msgspec.Struct, array_like=True):
    """What one demand line was last told to the ledger; `product` is the SKU (or bundle code) it belongs to, quantities as in `DemandLine`."""

    product: str
    eaches: int
    units: int
    listing: str | None
    state: LineState
    warehouses: list[str]
    taken_from: int
    taken_to: int
    restocked_at: int | None = None
    ordered_at: str = ""
    unguarded: str = ""
    surplus: int = 0  # of the eaches, those that its storefront does not want but the warehouse's order still has


class OpenException(msgspec.Struct, array_like=True):
    """An exception this order has open. `entity` is what the order was called then: one that comes later brings another name, the exception keeps its own."""

    type: str
    owner: str
    detail: str
    opened_at: int
    handling: Handling = msgspec.field(default_factory=Handling)
    entity: str = ""


class ParcelRow(msgspec.Struct, array_like=True):
    """One parcel: what the warehouse says of it, the units it counts for, and what the storefront was told (`sent`: the version of the newest command)."""

    parcel_id: str
    tracking: str
    also: list[str]
    carrier: str
    service: str
    contents: dict[str, int]  # product code to eaches
    units: dict[str, int]  # line id to selling units
    version: int
    wanted: bool = True
    sent: int = 0
    state: str = ""  # as in ShipmentOutcome; empty while no outcome of the newest command is known
    detail: str = ""
    counted: dict[str, int] = {}  # product code to eaches that its units took


class OrderRow(msgspec.Struct, array_like=True):
    """Everything kept about one order. `revision` rises with every accepted change, across a lost row too (see `fold.next_revision`)."""

    channel: str
    order_id: str
    reference: str
    number: str = ""
    version: int = 0
    revision: int = 0
    state: LifecycleState = "RECEIVED"
    reason: str = ""
    snapshot: OrderSnapshot | None = None
    demands: dict[str, Demand] = {}
    exceptions: dict[str, OpenException] = {}
    released: bool = False
    cancel_asked: bool = False
    wms_status: WarehouseStatus | Literal[""] = ""
    parcels: dict[str, ParcelRow] = {}  # by parcel id, in the order in which they were made
    spare: dict[str, int] = {}  # eaches that left and complete no unit; below 0: owed to a unit that counts already
    despatch_read: int = 0  # when the newest read of what left began
    despatch_complete: bool = False
    early: WarehouseDespatch | None = None  # came before its order
    ordered: dict[str, int] = {}  # eaches by product that the warehouse's order asks for; empty: not known
    held: ReleaseOrder | None = None  # what the warehouse has, while that is not what the storefront wants
    asked: ReleaseOrder | None = None  # the change that the warehouse was asked for and has not answered
    told_whole: bool | None = None  # did the newest command to the storefront say that nothing is missing?
    cut: str = ""  # what its goods out lost to the warehouse's limits, in words
    told: str = ""  # the `late_change` that its storefront was told of last; empty: none, or that it is over

    @property
    def key(self) -> str:
        """The order key: channel:order id."""
        return f"{self.channel}:{self.order_id}"

    @property
    def entity(self) -> str:
        """How people name the order: channel:order number."""
        return f"{self.channel}:{self.number or self.order_id}"


class WaitRow(msgspec.Struct, array_like=True, frozen=True):
    """A despatch that came before its order; its key begins with when that is to be said (`early_fulfilment`)."""

    order_key: str


def with_state(demand: Demand, state: LineState) -> Demand:
    """The same demand in another state."""
    changed = copy(demand)
    changed.state = state
    return changed


def with_eaches(demand: Demand, eaches: int) -> Demand:
    """The same demand of so many eaches."""
    changed = copy(demand)
    changed.eaches = eaches
    return changed


def gone(demand: Demand, state: LineState) -> Demand:
    """The demand of a line that its storefront does not show any more: it put back what it took."""
    changed = with_state(demand, state)
    changed.units = 0
    return changed


def most(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """By product the greater of two numbers of eaches."""
    return {code: max(one.get(code, 0), other.get(code, 0)) for code in one.keys() | other.keys()}


def without_surplus(demand: Demand) -> Demand:
    """The same demand as its storefront wants it."""
    changed = copy(demand)
    changed.eaches, changed.surplus = demand.eaches - demand.surplus, 0
    return changed


def keep_times(demand: Demand, first: Demand) -> None:
    """Storefront times stay as they were first seen: a later version of the order only knows them less well (ledger.md R8)."""
    demand.taken_from, demand.taken_to = first.taken_from, first.taken_to
    if first.restocked_at is not None and demand.restocked_at is not None:
        demand.restocked_at = first.restocked_at


def keep_money(seen: OrderSnapshot, last: OrderSnapshot) -> None:
    """Payments change without the order's version, and notifications do not hold them: what is known of them stays until more is."""
    older = seen.version == last.version and (seen.refunded or 0) < (last.refunded or 0)
    if last.captured is not None and (seen.captured is None or older):
        seen.captured, seen.refunded, seen.payments = last.captured, last.refunded, last.payments
        seen.foreign = last.foreign
