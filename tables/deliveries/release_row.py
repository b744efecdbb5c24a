"""The durable row of one order at the warehouse, what may be done next about it, and the goods out as Clarus shows it. Data only; the rules are `releases`.

Times are our milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from schemas.records import ReleaseOrder, WarehouseParcel

GONE: Final = frozenset({"CANCELLED", "DELETED"})
FINAL: Final = frozenset({"CANCELLED", "DELETED", "COMPLETED"})


class Intent(msgspec.Struct, array_like=True, frozen=True):
    """A request that was committed before it left. `lines`: the eaches by product that a look-up shows once a change landed; None where they stay."""

    kind: Literal["create", "cancel", "change"]
    at: int
    version: int
    lines: dict[str, int] | None = None
    given_up: int = 0
    """As `looks.Sent`."""


class ReleaseRow(msgspec.Struct, array_like=True):
    """One order at the warehouse. `version` is the newest command's, `answered` the newest one the ORDERS agent has an answer for."""

    reference: str
    order_key: str
    version: int = 0
    answered: int = 0
    order: ReleaseOrder | None = None  # what is wanted; dropped when it is over: it holds an address
    cancel: bool = False
    intent: Intent | None = None
    wms_id: str = ""
    status: str = ""  # Clarus' own, REFUSED or empty
    warehouse: str = ""
    looked: bool = False  # looked up since the last command, request or change of owner
    deleting: bool = False  # we asked to cancel it while Clarus would delete it
    skus: list[str] = []
    attempts: int = 0
    looks: int = 0
    next_at: int = 0
    since: int = 0
    requested_at: int = 0  # begin or answer of the last request: older look-ups do not count
    caused_at: int = 0  # when the order occurred to us; 0 once its goods out is there
    despatched: dict[str, int] = {}  # product code to eaches that left, as last seen
    despatch_complete: bool = False  # nothing more will leave, as last seen
    parcels_due: int = 0  # when its packages are to be read; 0: not
    parcels_since: int = 0
    parcel_reads: int = 0
    contents: dict[str, dict[str, int]] = {}  # package id to product code to eaches
    parcels_told: int = 0  # `read_at` of what ORDERS was told last
    told_complete: bool = False
    told_parcels: list[WarehouseParcel] = []
    twin_from: int | None = None  # when the last create of unknown outcome began
    twin_looks: int = 0  # look-ups for a late twin that are over
    twin: str = ""  # another goods out of the same reference, to be cancelled
    doubled: list[str] = []  # several that the warehouse has begun with: for a person
    picks_at: int | None = None  # when its picks are to be processed, where that is our business
    holds: int = 0  # the version of `ReleaseOrder` that the goods out certainly is
    ordered: dict[str, int] = {}  # product code to eaches that the goods out asks for, as last seen
    absent_from: int = 0  # when the first of the look-ups in a row began that did not show it; 0: it shows
    absent_at: int = 0  # when the last of them began; `looks` counts them
    stands_from: int = 0  # when it was last seen to go on: another status, other lines, something that left


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look the reference up and hand what is there to `found`."""


@dataclass(frozen=True, slots=True)
class Create:
    """`begin`, commit, create."""

    order: ReleaseOrder


@dataclass(frozen=True, slots=True)
class Cancel:
    """`begin`, commit, cancel."""


@dataclass(frozen=True, slots=True)
class CancelTwin:
    """Cancel a second goods out of the same reference, then `twin_cancelled`. No intent: it is asked again until it is gone."""

    wms_id: str


@dataclass(frozen=True, slots=True)
class ProcessPicks:
    """Have it allocated, then `picks_processed`. No intent: asking twice changes nothing."""

    wms_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """`begin`, commit, change the goods out to this."""

    order: ReleaseOrder


@dataclass(frozen=True, slots=True)
class Report:
    """Nothing to do at the warehouse: hand the answer over (`report`)."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `until`, or before a new command (None)."""

    until: int | None


Step = LookUp | Create | Change | Cancel | CancelTwin | ProcessPicks | Report | Idle


@dataclass(frozen=True, slots=True)
class AtWarehouse:
    """One goods out as Clarus shows it. `ordered` is product code to the eaches that it asks for."""

    wms_id: str
    status: str
    warehouse: str
    ordered: Mapping[str, int] = field(default_factory=dict)
