"""Scripted peers for tests of delivery: a storefront of either kind and a warehouse, with their own quantities and orders, and a way to fail."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import httpx

from app.connectors.contract import (
    AnswerKind,
    Despatch,
    Finding,
    GoodsOut,
    JointRead,
    LineRead,
    Marker,
    OrderPage,
    Package,
    Priority,
    RateHint,
    ShownNote,
    ShownOrder,
    ShownPayments,
    StockAnswer,
    StockReading,
    StockRequest,
)
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Refused
from schemas.records import AnnounceReturn, OrderSnapshot, Payment, ReleaseOrder, SettleReturn, ShipParcel
from tables.catalogue import Listing
from tables.deliveries.peers import PeerKind
from tables.deliveries.receipts import SeenReceipt
from tables.deliveries.refunds import Refund
from tables.deliveries.shipments import AtStorefront, Extent, lines_of

Fate = AnswerKind | None
"""What is answered instead of the truth; None: the truth."""


class ScriptedStorefront:
    """Quantities by listing id. `fates` say per write request what becomes of each row, `landed` whether an UNKNOWN one had its effect."""

    order_resolution_ms = 0
    keeps_returns = True

    def __init__(self, kind: PeerKind, quantities: Mapping[str, int], now: Callable[[], int]) -> None:
        self.kind, self.now = kind, now
        versioned = kind is PeerKind.VERSIONED
        self.max_rows, self.max_read, self.parallel_writes = (1, 100, 4) if versioned else (10, 100, 1)
        self.max_fetch = 1 if versioned else 3
        self.quantities = dict(quantities)
        self.versions = dict.fromkeys(quantities, 1)
        self.markers = dict.fromkeys(quantities, Marker(0, 0, 0))
        self.fates: dict[str, deque[Fate]] = {}
        self.lands = True
        self.picks: list[str] = []
        self.pick_fates: deque[PeerError | None] = deque()
        self.missing: set[str] = set()
        self.unguarded: dict[str, str] = {}
        self.away: PeerError | None = None
        self.writes: list[tuple[Priority, list[StockRequest]]] = []
        self.reads: list[tuple[Priority, list[str]]] = []
        self.orders: list[OrderSnapshot] = []
        self.polls: list[int] = []
        self.break_poll = False
        self.fetched: list[str] = []
        self.fetches: list[tuple[str, ...]] = []
        self.unreadable: set[str] = set()
        self.findings: list[Finding] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.on_write: Callable[[], None] = lambda: None
        self.closed = False
        self.parcels: dict[str, dict[str, ShipParcel]] = {}
        self.shipped: list[ShipParcel] = []
        self.ship_fates: deque[PeerError | None] = deque()
        self.extents: list[Extent] = []
        self.tells_extent = False
        self.said: dict[str, Extent] = {}
        self.unknown_orders: set[str] = set()
        self.captured = 1000
        self.refunds: dict[str, list[Payment]] = {}
        self.refunded: list[Refund] = []
        self.refund_fates: deque[PeerError | None] = deque()
        self.settled: list[SettleReturn] = []
        self.notes: dict[str, str] = {}
        self.written: list[str] = []
        self.note_fates: deque[PeerError | None] = deque()
        self.looks = 0

    async def read_stock(self, listings: Sequence[Listing], priority: Priority) -> Mapping[str, StockReading]:
        if self.away is not None:
            raise self.away
        self.reads.append((priority, [one.id for one in listings]))
        at = self.now()
        return {one.id: self._reading(one.id, at) for one in listings}

    def _reading(self, key: str, at: int) -> StockReading:
        if key in self.missing:
            return StockReading(key, 0, at, at, missing="no such SKU")
        return StockReading(
            key,
            self.quantities[key],
            at,
            at,
            f"id-{key}",
            self.versions[key],
            self.markers.get(key),
            unguarded=self.unguarded.get(key, ""),
        )

    async def write_stock(self, requests: Sequence[StockRequest], priority: Priority) -> Mapping[str, StockAnswer]:
        self.writes.append((priority, list(requests)))
        self.on_write()
        await self.gate.wait()
        if self.away is not None:
            return {one.listing.id: StockAnswer(one.listing.id, AnswerKind.NOT_SENT, detail="away") for one in requests}
        return {one.listing.id: self._write(one) for one in requests}

    def _write(self, request: StockRequest) -> StockAnswer:
        key, at = request.listing.id, self.now()
        fates = self.fates.get(key)
        fate = fates.popleft() if fates else None
        if fate is None and self.kind is PeerKind.VERSIONED and request.peer_version != self.versions[key]:
            return StockAnswer(key, AnswerKind.CONFLICT, at, at, self.versions[key])
        if fate is None and not request.zero and self.quantities[key] + request.delta < 0:
            fate = AnswerKind.REFUSED
        if fate is None or (fate is AnswerKind.UNKNOWN and self.lands):
            self.quantities[key] = 0 if request.zero else self.quantities[key] + request.delta
            self.versions[key] += 1
            self.markers[key] = Marker(request.epoch, request.attempt, request.gross)
        return StockAnswer(key, fate or AnswerKind.OK, at, at, self.versions[key], detail=str(fate or ""))

    async def poll_orders(self, since: int, priority: Priority) -> AsyncIterator[OrderPage]:
        self.polls.append(since)
        if self.away is not None:
            raise self.away
        started = self.now()
        orders = [order for order in self.orders if order.modified_at >= since]
        pages = [orders[at : at + 2] for at in range(0, len(orders), 2)] or [[]]
        for number, page in enumerate(pages):
            last = number == len(pages) - 1
            if last and self.break_poll:
                return
            yield OrderPage(page, started, last)

    async def fetch_orders(self, order_ids: Sequence[str], priority: Priority) -> Mapping[str, OrderSnapshot]:
        if self.away is not None:
            raise self.away
        self.fetched += order_ids
        self.fetches.append(tuple(order_ids))
        if self.unreadable.intersection(order_ids):
            raise Malformed("shop", "GET /orders", "no lines")
        return {order.order_id: order for order in self.orders if order.order_id in order_ids}

    async def shipments(self, order_id: str, priority: Priority) -> ShownOrder | None:
        if self.away is not None:
            raise self.away
        self.looks += 1
        if order_id in self.unknown_orders:
            return None
        shown = [AtStorefront(n, p.tracking, lines_of(p)) for n, p in self.parcels.get(order_id, {}).items()]
        return ShownOrder(shown, extent=self.said.get(order_id, "none") if self.tells_extent else None)

    async def ship(self, parcel: ShipParcel, extent: Extent, shown: ShownOrder, priority: Priority) -> str:
        self.shipped.append(parcel)
        await self.gate.wait()
        fate = self.ship_fates.popleft() if self.ship_fates else None
        peer_id = str(len(self.shipped))
        if fate is None or (isinstance(fate, OutcomeUnknown) and self.lands):
            self.parcels.setdefault(parcel.order_id, {})[peer_id] = parcel
            self.said[parcel.order_id] = extent
        if fate is not None:
            raise fate
        return peer_id

    async def amend(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        self.parcels[parcel.order_id][peer_id] = parcel

    async def unship(self, parcel: ShipParcel, peer_id: str, shown: ShownOrder, priority: Priority) -> None:
        self.parcels[parcel.order_id].pop(peer_id, None)

    async def settle(self, order_id: str, extent: Extent, priority: Priority) -> None:
        self.extents.append(extent)

    async def payments(self, order_id: str, priority: Priority) -> ShownPayments | None:
        if self.away is not None:
            raise self.away
        self.looks += 1
        if order_id in self.unknown_orders:
            return None
        return ShownPayments(self.captured, list(self.refunds.get(order_id, [])))

    async def refund(self, command: SettleReturn, step: Refund, shown: ShownPayments, priority: Priority) -> int:
        self.refunded.append(step)
        await self.gate.wait()
        fate = self.refund_fates.popleft() if self.refund_fates else None
        if fate is None or (isinstance(fate, OutcomeUnknown) and self.lands):
            made = Payment(
                payment_id=f"r{len(self.refunded)}", kind="REFUND", state="DONE", amount=step.amount, key=step.key
            )
            self.refunds.setdefault(command.order_id, []).append(made)
        if fate is not None:
            raise fate
        return step.amount

    async def settle_return(self, command: SettleReturn, priority: Priority) -> None:
        self.settled.append(command)

    async def note(self, order_id: str, priority: Priority) -> ShownNote | None:
        if self.away is not None:
            raise self.away
        self.looks += 1
        return None if order_id in self.unknown_orders else ShownNote(self.notes.get(order_id, ""))

    async def write_note(self, order_id: str, text: str, shown: ShownNote, priority: Priority) -> None:
        self.written.append(text)
        await self.gate.wait()
        fate = self.note_fates.popleft() if self.note_fates else None
        if fate is None or (isinstance(fate, OutcomeUnknown) and self.lands):
            self.notes[order_id] = text
        if fate is not None:
            raise fate

    async def probe(self) -> list[Finding]:
        return self.findings

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        return None

    async def close(self) -> None:
        self.closed = True


class ScriptedWarehouse:
    """Balances, lines and goods outs. `create_fates` and `cancel_fates` hold errors to raise; `lands` says whether an unknown create was made."""

    max_read = 50
    max_despatches = 20
    tracking_wait = 300
    processes_picks = False

    def __init__(self) -> None:
        self.balances: dict[str, dict[str, int]] = {}
        self.lines: dict[str, dict[str, LineRead]] = {}
        self.moved: set[str] = set()
        self.orders: dict[str, list[GoodsOut]] = {}
        self.packages: dict[str, list[Package]] = {}
        self.create_fates: deque[PeerError | None] = deque()
        self.cancel_fates: deque[PeerError | str | None] = deque()
        self.lands = True
        self.away: PeerError | None = None
        self.reads: list[tuple[Priority, list[str]]] = []
        self.known: list[list[str]] = []
        self.looks: list[list[str]] = []
        self.creates: list[ReleaseOrder] = []
        self.changed: list[ReleaseOrder] = []
        self.change_fates: deque[PeerError | None] = deque()
        self.picks: list[str] = []
        self.pick_fates: deque[PeerError | None] = deque()
        self.cancels: list[GoodsOut] = []
        self.receipts: dict[str, list[SeenReceipt]] = {}
        self.return_looks = 0
        self.announced: list[tuple[AnnounceReturn, str]] = []
        self.changes: set[str] = set()
        self.asked = 0
        self.findings: list[Finding] = []
        self.on_read: Callable[[], None] = lambda: None
        self.closed = False

    async def read_stock(self, skus: Sequence[str], priority: Priority) -> Mapping[str, JointRead]:
        self.asked += 1
        if self.away is not None:
            raise self.away
        self.reads.append((priority, list(skus)))
        read = {sku: self._joint(sku) for sku in skus}
        self.on_read()
        return read

    def _joint(self, sku: str) -> JointRead:
        missing = "" if sku in self.balances else "no such product"
        return JointRead(
            sku, dict(self.balances.get(sku, {})), {}, dict(self.lines.get(sku, {})), sku in self.moved, missing
        )

    async def find_orders(self, references: Sequence[str], priority: Priority) -> Mapping[str, list[GoodsOut]]:
        if self.away is not None:
            raise self.away
        self.looks.append(list(references))
        return {name: list(self.orders.get(name, [])) for name in references}

    async def read_despatches(
        self, references: Sequence[str], priority: Priority, known: Mapping[str, GoodsOut]
    ) -> Mapping[str, Despatch]:
        if self.away is not None:
            raise self.away
        self.known.append(sorted(known))
        there = {name: known.get(name) or self.orders[name][0] for name in references if self.orders.get(name)}
        return {name: Despatch(order, self.packages.get(name, [])) for name, order in there.items()}

    async def create_order(self, order: ReleaseOrder, priority: Priority) -> GoodsOut:
        self.creates.append(order)
        fate = self.create_fates.popleft() if self.create_fates else None
        made = self.make(order.reference, "PENDING", {line.sku: (line.eaches, 0) for line in order.lines})
        if fate is None or self.lands:
            self.orders.setdefault(order.reference, []).append(made)
        if fate is not None:
            raise fate
        return made

    def make(self, reference: str, status: str, lines: Mapping[str, tuple[int, int]]) -> GoodsOut:
        """A goods out that is not at the warehouse yet."""
        return GoodsOut(f"wms-{len(self.creates)}", reference, status, "MAIN", lines)

    def become(
        self,
        reference: str,
        status: str,
        lines: Mapping[str, tuple[int, int]] | None = None,
        despatched: Mapping[str, int] | None = None,
    ) -> None:
        """The floor changed an order."""
        old = self.orders[reference][0]
        self.orders[reference] = [
            GoodsOut(old.wms_id, reference, status, old.warehouse, lines or old.lines, despatched or {})
        ]

    async def change_order(self, order: ReleaseOrder, there: GoodsOut, priority: Priority) -> GoodsOut:
        self.changed.append(order)
        fate = self.change_fates.popleft() if self.change_fates else None
        if fate is None or (self.lands and not isinstance(fate, Refused)):
            self.become(order.reference, there.status, {line.sku: (line.eaches, 0) for line in order.lines})
        if fate is not None:
            raise fate
        return self.orders[order.reference][0]

    async def process_picks(self, orders: Sequence[GoodsOut], priority: Priority) -> list[str]:
        self.picks += [one.wms_id for one in orders]
        if self.pick_fates and (fate := self.pick_fates.popleft()) is not None:
            raise fate
        return ["PPR-1"]

    async def cancel_order(self, order: GoodsOut, priority: Priority) -> str:
        self.cancels.append(order)
        fate = self.cancel_fates.popleft() if self.cancel_fates else None
        if isinstance(fate, PeerError):
            raise fate
        if fate is not None:
            return fate
        left = [one for one in self.orders.pop(order.reference, []) if one.wms_id != order.wms_id]
        if left:
            self.orders[order.reference] = left
        return "DELETED"

    async def find_returns(
        self, returns: Sequence[AnnounceReturn], priority: Priority
    ) -> Mapping[str, Sequence[SeenReceipt]]:
        if self.away is not None:
            raise self.away
        self.return_looks += 1
        return {one.reference: list(self.receipts.get(one.reference, [])) for one in returns}

    async def announce_return(self, given: AnnounceReturn, warehouse: str, priority: Priority) -> str:
        self.announced.append((given, warehouse))
        fate = self.create_fates.popleft() if self.create_fates else None
        if fate is None or self.lands:
            made = SeenReceipt(f"receipt-{len(self.announced)}", "ANNOUNCED")
            self.receipts.setdefault(given.reference, []).append(made)
        if fate is not None:
            raise fate
        return f"receipt-{len(self.announced)}"

    async def changes_since(self, cursor: str, priority: Priority) -> tuple[set[str], str]:
        if self.away is not None:
            raise self.away
        changes, self.changes = self.changes, set()
        return changes, f"{cursor}+"

    async def probe(self, priority: Priority) -> list[Finding]:
        return self.findings

    def rate_hint(self, response: httpx.Response) -> RateHint | None:
        return None

    async def close(self) -> None:
        self.closed = True


def order(order_id: str, modified_at: int, **fields: Any) -> OrderSnapshot:
    """A small paid order."""
    return OrderSnapshot(
        channel=fields.pop("channel", "shop"),
        order_id=order_id,
        number=order_id,
        version=fields.pop("version", 1),
        state="OPEN",
        status=fields.pop("status", "Open"),
        paid=True,
        created_at=modified_at,
        modified_at=modified_at,
        lines=[],
        **fields,
    )
