"""The typed rows of the stock ledger: one per SKU, one per SKU and order, one per channel's watermark, and the protocol by which rules reach them.

Data only. Quantities of SKUs are eaches, of listings selling units; times are the storefront's, milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from schemas.records import (
    AvailableToSell,
    BundleHold,
    ComponentStock,
    Correction,
    ExceptionState,
    LineState,
    StockTarget,
)
from tables.catalogue import Catalogue, Mode
from tables.deliveries.peers import Bounds
from tables.reconciliation import DifferenceRow, SweepRow

Effect = StockTarget | Correction | ComponentStock | BundleHold | AvailableToSell | ExceptionState
"""What folding an event asks others to do or to know."""

RING_MS = 15 * 60 * 1000
"""How long a listing's takes are kept one by one."""


class Take(msgspec.Struct, array_like=True, gc=False):
    """Units a storefront lowered (negative: put back) by itself at some time in [at_from, at_to]."""

    at_from: int
    at_to: int
    units: int


class WaitingRead(msgspec.Struct, array_like=True):
    """A read-back that waits for the channel's watermark (R8)."""

    pver: int
    quantity: int
    at_from: int
    at_to: int
    published: int
    verify: bool
    shadow: bool = False


class WaitingOutcome(msgspec.Struct, array_like=True):
    """An outcome that waits for the channel's watermark (R9)."""

    version: int
    bound: int
    at: int


class Quota(msgspec.Struct, array_like=True):
    """Escrow state of one listing, or of a bundle in a component's row, on the gross scale (R9); absent while the pool is shared."""

    target: int = 0
    conf: int = 0
    issued: dict[int, int] = {}  # version of a command not settled yet to its inc
    waiting: list[WaitingOutcome] = []
    unsure: int = 0  # nothing is granted before an outcome of this version is settled, 0: no such wait


class ListingState(msgspec.Struct, array_like=True):
    """What the ledger knows of one listing. `taken` counts since the baseline, `takes` holds its recent part."""

    epoch: int = 0  # 0: no baseline yet
    base_from: int = 0
    base_to: int = 0
    ready: bool = False  # orders up to the baseline are folded
    taken: int = 0
    takes: list[Take] = []
    version: int = 0  # of the newest command
    inc: int = 0  # as last sent; at the baseline what was on offer
    dec: int = 0
    sent: bool = False
    available: int = -1  # as last published, -1: never
    available_version: int = 0
    reads: list[WaitingRead] = []
    quota: Quota | None = None
    drift: str = ""  # what people were told of drift that is still open
    drift_at: int = 0  # since when, 0: none
    checked: bool = False  # a read-back since the baseline was judged for good
    unguarded: str = ""  # why the storefront may sell beyond what it shows, by the newest read; empty: it refuses at 0
    sold_unguarded: str = ""  # the same by the newest order
    guard_at: int = 0  # storefront time of that order
    unexplained: int = 0  # units of the newest drift whose cause is not known
    unexplained_at: int = 0  # the time of its read
    late: int = 0  # drift to come: what explained a drift after it was corrected is counted now


class Component(msgspec.Struct, array_like=True):
    """The newest word of a component in its bundle's row. `ahead`: by how many units the bundle's own counters led when the component first spoke."""

    version: int
    pools: dict[str, int]
    joint: dict[str, int]
    taken: dict[str, int]
    ahead: dict[str, int] = {}
    granted: dict[str, int] = {}
    granted_at: int = 0  # the version that last changed `granted`


class ComponentSent(msgspec.Struct, array_like=True):
    """What a component's row last told one of its bundles."""

    version: int = 0
    pools: dict[str, int] = {}
    joint: dict[str, int] = {}
    taken: dict[str, int] = {}
    granted: dict[str, int] = {}


class Hold(msgspec.Struct, array_like=True):
    """What a bundle last told one of its components: what its listings hold of that component's grants (`tables.stock.grants`)."""

    version: int
    seen: int  # newest word of the component that it follows
    sure: bool  # everything sent before the pool was split is settled
    bounds: dict[str, int]  # listing id to the most units it will ever have lowered
    most: dict[str, int]  # warehouse set to the units worth granting, for what all components have
    unguarded: dict[str, str] = {}  # listing id to why its storefront may sell beyond what it shows


class LineRead(msgspec.Struct, array_like=True):
    """One order's line in a level that is still being put together from its chunks."""

    reference: str
    out: int
    closed: bool
    warehouse: str | None


class SkuRow(msgspec.Struct, array_like=True):
    """Everything about one SKU but its single lines. `demand` is keyed by the warehouse set (`pool.key_of`)."""

    sku: str
    read_no: int = 0  # 0: never read
    free: dict[str, int] = {}
    held: dict[str, int] = {}
    demand: dict[str, int] = {}
    chunks_of: int = 0  # read whose chunks are being collected
    chunks_next: int = 0
    chunk_lines: list[LineRead] = []
    listings: dict[str, ListingState] = {}
    lowered: dict[str, int] = {}  # listing id to units it ever lowered by itself, whatever its baseline
    components: dict[str, Component] = {}
    told: dict[str, ComponentSent] = {}
    grants: dict[
        str, dict[str, Quota]
    ] = {}  # of a component under escrow: by bundle and warehouse set, in bundle units
    holds: dict[str, Hold] = {}  # of a component: the newest word of each bundle
    said: dict[str, Hold] = {}  # of a bundle: what it last told each component
    joined: dict[str, dict[str, int]] = {}  # of a bundle: `lowered` when a component was added to it
    waits: dict[str, int] = {}  # channel to its earliest watermark at which something goes on

    def listing(self, listing: str) -> ListingState:
        """The listing's state, made where there is none."""
        known = self.listings.get(listing)
        if known is None:
            known = self.listings[listing] = ListingState()
        return known


class Line(msgspec.Struct, array_like=True):
    """One order line's demand for the SKU. A closed one is its own tombstone: it keeps its version and what was counted as taken."""

    version: int
    eaches: int
    state: LineState
    warehouses: list[str]
    listing: str | None = None
    took: int = 0
    put_back: int = 0
    reflected: int = 0


class OrderLines(msgspec.Struct, array_like=True):
    """One order's lines of one SKU by line id, and what the warehouse shows of them together: Clarus knows one line per order and product."""

    lines: dict[str, Line] = {}
    out: int = 0
    closed: bool = False
    warehouse: str | None = None


class WatermarkRow(msgspec.Struct, array_like=True):
    """The newest watermark of one channel by order partition. Under a waiting key: `due` is the watermark that a SKU waits for."""

    marks: dict[int, int] = {}
    due: int = 0
    reached: int = 0  # the minimum over all order partitions, 0 while one is missing


class StockState(Protocol):
    """How the rules reach the rows of one partition."""

    def sku(self, sku: str) -> SkuRow | None: ...
    def put_sku(self, row: SkuRow) -> None: ...
    def lines(self, sku: str, reference: str) -> OrderLines | None: ...
    def put_lines(self, sku: str, reference: str, row: OrderLines) -> None: ...

    def references(self, sku: str) -> Iterable[str]:
        """Of every order that has, or had, lines of the SKU."""
        ...

    def watermark(self, channel: str) -> WatermarkRow: ...
    def put_watermark(self, channel: str, row: WatermarkRow) -> None: ...

    def sweep(self, channel: str) -> SweepRow: ...
    def put_sweep(self, channel: str, row: SweepRow) -> None: ...
    def difference(self, key: str) -> DifferenceRow | None: ...
    def put_difference(self, row: DifferenceRow) -> None: ...

    def waiting(self, channel: str) -> Iterable[tuple[str, int]]:
        """SKUs with something that waits for the channel's watermark, each with the earliest watermark that matters."""
        ...

    def wait(self, channel: str, sku: str, due: int | None) -> None:
        """Let the SKU wait for this watermark; None: it waits for nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says: products and policies, the number of order partitions, time bounds by channel, channels that do not decrement.

    `unguarded`: channels by whose configuration nothing can be promised (R9), with the reason.
    """

    catalogue: Catalogue
    partitions: int
    bounds: dict[str, Bounds]
    decrementless: frozenset[str] = field(default=frozenset())
    unguarded: dict[str, str] = field(default_factory=dict)
    modes: dict[str, Mode] = field(default_factory=dict, init=False, compare=False)
    """What `tables.stock.policy.mode_of` found out, by product."""

    def bound(self, channel: str) -> Bounds:
        """The channel's time bounds; nothing is assumed to lag at a channel that is configured no more."""
        return self.bounds.get(channel, Bounds(0, 0, 0, 0))

    def reached(self, row: WatermarkRow) -> int:
        """All orders of the channel up to this time are folded: the minimum over all order partitions, 0 while one is missing."""
        return min((row.marks.get(p, 0) for p in range(self.partitions)), default=0)
