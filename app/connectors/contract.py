"""What every connector offers and what it is given: the seam between delivery (when, how fast, how safely) and a peer's API (how it is said).

A connector builds requests and reads answers; it decides nothing about time, retries or budgets and keeps no state but a token and look-up caches.
Every HTTP call goes through the `Transport` it is given, which belongs to the channel's one owner.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol

import httpx

from schemas.records import (
    AnnounceReturn,
    FetchOrder,
    OrderSnapshot,
    Payment,
    RawNotification,
    ReadStock,
    ReleaseOrder,
    SettleReturn,
    ShipParcel,
)
from tables.catalogue import Listing
from tables.deliveries.peers import PeerKind
from tables.deliveries.receipts import SeenReceipt
from tables.deliveries.refunds import Refund
from tables.deliveries.shipments import AtStorefront, Extent


class Priority(IntEnum):
    """Order inside one channel's budget, the most urgent first (design section 5)."""

    DECREASE = 1
    RELEASE = 2
    DESPATCH = 3
    OTHER_DECREASE = 4
    INCREASE = 5
    SWEEP = 6


@dataclass(frozen=True, slots=True)
class RateHint:
    """What a response says of the peer's budget; None where it says nothing. Times in seconds."""

    remaining: int | None = None
    quota: int | None = None
    reset_after: float | None = None
    retry_after: float | None = None
    throttled: bool = False


class Transport(Protocol):
    """The one way out to a peer: budget, priority, breaker, pool and clock."""

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """Send one request and return its response, whatever its status but the ones below. `options` are httpx's (`json`, `params`, `headers` …).

        Raises the errors of `app.connectors.errors`: `Throttled` for 429, `Unavailable` where the request certainly did not reach the peer,
        `OutcomeUnknown` where it may have, `Unauthorised` for 401 after one renewal of the token.
        """
        ...

    def peer_time(self) -> tuple[int, int]:
        """Bounds of the peer's clock now, milliseconds: earliest and latest."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a start-up probe or a health look: `ok` False stops writes where `blocking`."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    blocking: bool = True
    unguarded: str = ""
    """Why no listing of the channel may count on the storefront's refusing to sell what it does not show (R9); empty: not so."""


# ---- stock at a storefront ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marker:
    """Our mark on a commercetools entry: which attempt landed last, and its gross quantity."""

    epoch: int
    attempt: int
    gross: int


@dataclass(frozen=True, slots=True)
class StockReading:
    """A listing as the peer shows it. `quantity` counts what is on offer (commercetools `quantityOnStock`, BigCommerce `total_inventory_onhand`).

    `missing` is a reason where the listing cannot be managed (not found, not tracked): an exception names it, nothing is written.
    `unguarded` is a reason where its storefront may sell more than it shows: a split pool then promises nothing (R9).
    """

    listing: str
    quantity: int
    at_from: int
    at_to: int
    peer_id: str = ""
    peer_version: int = 0
    marker: Marker | None = None
    missing: str = ""
    unguarded: str = ""


@dataclass(frozen=True, slots=True)
class StockRequest:
    """One write of R5: add `delta` (never 0), or set 0 where `zero`. `gross` is what will be published if it lands."""

    listing: Listing
    epoch: int
    attempt: int
    delta: int
    gross: int
    zero: bool
    peer_id: str
    peer_version: int


class AnswerKind(StrEnum):
    """What became of one write."""

    OK = "ok"
    CONFLICT = "conflict"  # version-checked and another version was there: nothing of ours landed
    REFUSED = "refused"  # the peer would go below zero
    NEEDS_ABSOLUTE = "needs_absolute"  # BigCommerce: never set, or no level at that location
    UNKNOWN = "unknown"  # it may or may not have landed
    NOT_SENT = "not_sent"  # it certainly did not leave or was not accepted (throttled, breaker, 401)
    FAILED = "failed"  # the peer refuses it for good (unknown SKU, disabled location): an exception


@dataclass(frozen=True, slots=True)
class StockAnswer:
    """The answer to one write; `at` bounds the peer's time of the answer."""

    listing: str
    kind: AnswerKind
    at_from: int = 0
    at_to: int = 0
    peer_version: int = 0
    detail: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of an order poll. `started_at` is the peer's time (earliest bound) at which the poll began; `last` marks the complete end."""

    orders: Sequence[OrderSnapshot]
    started_at: int
    last: bool


# ---- shipments at a storefront --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order's shipments as the storefront shows them. `token` is what a write must name (a version), `extent` how much the order itself says was sent.

    `extent` is None where the look did not tell it; where it does, a shipment that is made says in the same request how much is sent with it.
    """

    shipments: Sequence[AtStorefront]
    token: int = 0
    extent: Extent | None = None


# ---- refunds at a storefront ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownPayments:
    """An order's money as the storefront shows it now, minor units: what was captured, and every refund. `token` is what a write must name."""

    captured: int
    refunds: Sequence[Payment]
    token: Any = None


# ---- a note at a storefront -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownNote:
    """The text that an order shows to the storefront's people, whole. `token` is what a write must name (a version); `typed`: it needs no type first."""

    text: str
    token: int = 0
    typed: bool = True


class Storefront(Protocol):
    """A connected storefront."""

    kind: PeerKind
    max_rows: int  # listings per write request
    max_read: int  # listings per read request
    max_fetch: int  # orders that one request may bring
    parallel_writes: int  # requests of one channel at a time: 1 at BigCommerce
    order_resolution_ms: int  # of the peer's order times: every bound is widened by it (R8)
    keeps_returns: bool  # returns are authorised there; else by an operator here

    async def read_stock(self, listings: Sequence[Listing], priority: Priority) -> Mapping[str, StockReading]:
        """Read at most `max_read` listings; an answer for each, by listing id."""
        ...

    async def write_stock(self, requests: Sequence[StockRequest], priority: Priority) -> Mapping[str, StockAnswer]:
        """Write at most `max_rows` listings, all relative or all zero; an answer for each, by listing id. Raises nothing but cancellation."""
        ...

    def poll_orders(self, since: int, priority: Priority) -> AsyncIterator[OrderPage]:
        """All orders changed at peer time `since` (milliseconds) or later, whole, in pages, oldest change first. The last page has `last`."""
        ...

    async def fetch_orders(self, order_ids: Sequence[str], priority: Priority) -> Mapping[str, OrderSnapshot]:
        """At most `max_fetch` orders by the platform's own ids, whole; those that the peer does not have are left out."""
        ...

    async def shipments(self, order_id: str, priority: Priority) -> ShownOrder | None:
        """Every shipment of an order; None where the peer has no such order."""
        ...

    async def ship(self, parcel: ShipParcel, extent: Extent, shown: ShownOrder, priority: Priority) -> str:
        """Make one shipment; the peer's id of it. `extent` is how much of the order is sent with it.

        `Refused` where the peer says no, `OutcomeUnknown` where it may be there, `Unavailable` where it certainly is not (another version was there, too).
        """
        ...

    async def amend(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """Change tracking number, carrier and link of a shipment that is there. Errors as `ship`."""
        ...

    async def unship(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        """Remove a shipment; one that is gone already is fine. Errors as `ship`."""
        ...

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        """Make the order itself say how much of it was sent; nothing happens where it does, or where it was cancelled or refunded. It may be repeated."""
        ...

    async def payments(self, order_id: str, priority: Priority) -> ShownPayments | None:
        """What was captured and refunded of an order; None where the peer has no such order."""
        ...

    async def refund(self, command: SettleReturn, step: Refund, shown: ShownPayments, priority: Priority) -> int:
        """Give money back under the mark `step.key`, at most `step.amount`; how much the peer took. Less is no failure: the rest is asked for next.

        `Refused` where the peer says no, `OutcomeUnknown` where it may be done, `Unavailable` where it certainly is not (another version was there, too).
        """
        ...

    async def settle_return(self, command: SettleReturn, priority: Priority) -> None:
        """Bring the storefront's own return items to what the command says of them; nothing happens where it keeps none. It may be repeated."""
        ...

    async def note(self, order_id: str, priority: Priority) -> ShownNote | None:
        """What an order says to the storefront's people; None where the peer has no such order."""
        ...

    async def write_note(self, order_id: str, text: str, shown: ShownNote, priority: Priority) -> None:
        """Make that field say exactly this, and change nothing else of the order.

        `Refused` where the peer says no, `OutcomeUnknown` where it may be done, `Unavailable` where it certainly is not (another version was there, too).
        """
        ...

    async def probe(self) -> list[Finding]:
        """Start-up checks: credentials, scopes, settings that the promises need (restock off, tracking on, the marker type)."""
        ...

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        """What this response says of the budget."""
        ...

    async def close(self) -> None:
        """Release what the connector itself holds."""
        ...


class Intake(Protocol):
    """The pure side of a storefront or of Clarus: from a raw notification to events and commands. No I/O."""

    def verify(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
        """Is it really from the peer? Header names in lower case. Where a peer signs nothing it answers True: the path's secret decides."""
        ...

    def parse(self, notification: RawNotification) -> list[OrderSnapshot | FetchOrder | ReadStock]:
        """What it means. ValueError with the reason where it cannot be read."""
        ...

    def entity(self, body: bytes) -> str:
        """The entity it is about, for the record's key; empty where it cannot be told. Never raises."""
        ...


# ---- the warehouse --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineRead:
    """One order's line of a SKU at the warehouse: eaches taken out of `available`, and whether nothing more will be."""

    out: int
    warehouse: str
    closed: bool = False
    despatched: int = 0  # of them, eaches that left


@dataclass(frozen=True, slots=True)
class JointRead:
    """R1: lines, balances, lines of one SKU. `lines` by our reference hold min(L1, L2) for lines that are in an open status there.

    `moved` is True where a line differed between the two reads in every one of the repeats.
    """

    sku: str
    balances: Mapping[str, int]
    held: Mapping[str, int]
    lines: Mapping[str, LineRead]
    moved: bool
    missing: str = ""


@dataclass(frozen=True, slots=True)
class GoodsOut:
    """A sales order at Clarus; `status` is Clarus' code in upper case. `lines` is product code to (ordered, out)."""

    wms_id: str
    reference: str
    status: str
    warehouse: str
    lines: Mapping[str, tuple[int, int]]
    despatched: Mapping[str, int] = field(default_factory=dict)  # product code to eaches that left


@dataclass(frozen=True, slots=True)
class Package:
    """One package of a shipment at Clarus. `contents` is product code to eaches; None where Clarus does not tell it."""

    package_id: str
    tracking: str
    carrier: str = ""
    service: str = ""
    contents: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Despatch:
    """What left of one goods out: the order as it was read first, then its packages in the order in which they were made."""

    order: GoodsOut
    packages: Sequence[Package]


class Warehouse(Protocol):
    """The connected WMS."""

    max_read: int
    max_despatches: int
    tracking_wait: int  # milliseconds for which packages and tracking numbers of a despatch are waited for
    processes_picks: bool  # is having orders allocated our business?

    async def read_stock(self, skus: Sequence[str], priority: Priority) -> Mapping[str, JointRead]:
        """One joint read of at most `max_read` SKUs: lines L1, balances of all warehouses, lines L2; repeated at most 3 times while a line moves."""
        ...

    async def find_orders(self, references: Sequence[str], priority: Priority) -> Mapping[str, list[GoodsOut]]:
        """The goods outs with these references, with their lines; an empty list where there is none."""
        ...

    async def read_despatches(
        self, references: Sequence[str], priority: Priority, known: Mapping[str, GoodsOut]
    ) -> Mapping[str, Despatch]:
        """What left of the goods outs with these references, at most `max_despatches`; one that is not there is left out.

        Those that are `known` were looked up a moment ago and are not again.
        """
        ...

    async def create_order(self, order: ReleaseOrder, priority: Priority) -> GoodsOut:
        """One create. `Refused` where Clarus says no (its words), `OutcomeUnknown` where it may have been created."""
        ...

    async def change_order(self, order: ReleaseOrder, there: GoodsOut, priority: Priority) -> GoodsOut:
        """Make the goods out that is there the same as a create would have made it; repeated, it changes nothing more.

        `Refused` where Clarus says no or has begun with it, `OutcomeUnknown` where it may have been changed.
        """
        ...

    async def process_picks(self, orders: Sequence[GoodsOut], priority: Priority) -> list[str]:
        """Have these orders allocated; the process references. Orders that are allocated already are fine."""
        ...

    async def cancel_order(self, order: GoodsOut, priority: Priority) -> str:
        """Ask Clarus to cancel: DELETED, CANCELLED or CANCEL_REFUSED. `OutcomeUnknown` where it may have been done."""
        ...

    async def find_returns(
        self, returns: Sequence[AnnounceReturn], priority: Priority
    ) -> Mapping[str, Sequence[SeenReceipt]]:
        """The goods-in receipts with the references of these returns, the oldest first; an empty list where there is none."""
        ...

    async def announce_return(self, given: AnnounceReturn, warehouse: str, priority: Priority) -> str:
        """One create of a goods-in receipt; its id. `Refused` where Clarus says no, `OutcomeUnknown` where it may have been created."""
        ...

    async def changes_since(self, cursor: str, priority: Priority) -> tuple[set[str], str]:
        """Product codes with transactions since the cursor (empty: from now), and the next cursor: the gap filler for lost webhooks."""
        ...

    async def probe(self, priority: Priority) -> list[Finding]:
        """What `available` and the line quantities mean here (R1, finding 24), credentials, warehouses and account found."""
        ...

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        """What this response says of the budget."""
        ...

    async def close(self) -> None:
        """Release what the connector itself holds."""
        ...
