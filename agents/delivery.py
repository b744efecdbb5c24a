"""The DELIVERY agent: folds `channel.commands` into the rows of what each channel shall have. It calls nobody: `app/delivery` does, from the rows.

Every rule is in `tables/deliveries`; here is only which row a command belongs to, and who is told that it changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agents.emit import Emitter
from agents.watch import Unwatched, Watch
from app.engine.api import Batch, Table
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import (
    AnnounceReturn,
    CancelOrder,
    ChannelMode,
    Correction,
    ExceptionCommand,
    FetchOrder,
    NoteOrder,
    OperatorState,
    ReadListing,
    ReadStock,
    ReleaseOrder,
    SettleReturn,
    ShipParcel,
    StockTarget,
)
from tables.deliveries import (
    fetches,
    listing,
    modes,
    notes,
    pauses,
    reads,
    receipts,
    refunds,
    releases,
    shipments,
    troubles,
    work,
)
from tables.deliveries.fetches import FetchRow
from tables.deliveries.listing import ListingRow
from tables.deliveries.modes import ModeRow
from tables.deliveries.notes import NoteRow
from tables.deliveries.pauses import PauseRow
from tables.deliveries.polls import PollRow
from tables.deliveries.reads import ReadRow
from tables.deliveries.receipts import ReceiptRow
from tables.deliveries.refunds import RefundRow
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.shipments import ShipmentRow
from tables.deliveries.troubles import TroubleRow
from tables.deliveries.work import AtWorkRow, DueRow
from tables.orders.references import reference_of
from tables.reconciliation import DifferenceRow, SweepRow

Kind = Literal[
    "listing",
    "read",
    "release",
    "status",
    "fetch",
    "shipment",
    "receipt",
    "refund",
    "note",
    "pause",
    "retry",
    "resolved",
]
OnChange = Callable[[str, Kind, str], None]
"""Channel, kind and key of a row that changed. Called before the commit: look through `engine.submit`. `status`: a hint that the goods out of a row did."""


@dataclass(frozen=True, slots=True)
class DeliveryTables:
    """The tables of delivery, all in the partition of their channel."""

    listings: Table[ListingRow]  # by listing id
    corrections: Table[Correction]  # by listing id: the newest judgement that is not applied yet
    reads: Table[ReadRow]  # by SKU
    releases: Table[ReleaseRow]  # by reference
    fetches: Table[FetchRow]  # by channel/order id
    shipments: Table[ShipmentRow]  # by channel/order id/parcel id
    receipts: Table[ReceiptRow]  # by reference
    refunds: Table[RefundRow]  # by channel/order id/return id/part
    notes: Table[NoteRow]  # by channel/order id
    polls: Table[PollRow]  # by channel
    troubles: Table[TroubleRow]  # by channel/exception id
    pauses: Table[PauseRow]  # by channel/target
    modes: Table[ModeRow]  # by channel
    sweeps: Table[SweepRow]  # by channel
    differences: Table[DifferenceRow]  # by channel/kind/entity
    due: Table[DueRow]  # by channel/kind/entity: what is not done yet
    at_work: Table[AtWorkRow]  # by SKU and reference: orders at the warehouse that are not over


def silent(channel: str, kind: Kind, key: str) -> None:
    """An `OnChange` for a worker without delivery."""


class Delivery:
    """One worker's DELIVERY agent. `on_change` is set by whoever owns the channels."""

    def __init__(self, codecs: Codecs, tables: DeliveryTables, watch: Watch | None = None) -> None:
        self._codecs, self._tables, self._watch = codecs, tables, watch or Unwatched()
        self.on_change: OnChange = silent

    def fold(self, batch: Batch) -> None:
        """All commands of one partition of one poll."""
        codec = self._codecs[topics.CHANNEL_COMMANDS]
        superseded = failed = first = 0
        for record in batch.records:
            try:
                event = codec.decode(record.value)
            except UndecodableRecord as error:
                batch.dead_letter(record, str(error))
                failed += 1
                continue
            body, occurred = event.body, event.occurred_at
            first = first or occurred
            match body:
                case StockTarget():
                    superseded += not self._target(batch, body, occurred)
                case Correction():
                    batch.put(self._tables.corrections, body.listing, body)
                    self.on_change(body.channel, "listing", body.listing)
                case ReadStock():
                    self._read(batch, body.channel, body.sku, occurred)
                    release = batch.get(self._tables.releases, body.reference) if body.reference else None
                    if release is not None and releases.at_work(release):
                        self.on_change(body.channel, "status", body.reference)
                case FetchOrder():
                    fetch = FetchRow(body.channel, body.order_id)
                    fetch = batch.get(self._tables.fetches, fetch.key) or fetch
                    self._accepted(body.channel, "fetch", occurred, fetch.wanted > 0)
                    fetches.want(fetch, batch.now_ms)
                    batch.put(self._tables.fetches, fetch.key, fetch)
                    self.on_change(body.channel, "fetch", fetch.key)
                case ReleaseOrder() | CancelOrder():
                    superseded += not self._order(batch, body, occurred)
                case ShipParcel():
                    superseded += not self._parcel(batch, body, occurred)
                case AnnounceReturn():
                    superseded += not self._receipt(batch, body, occurred)
                case SettleReturn():
                    superseded += not self._refund(batch, body, occurred)
                case NoteOrder():
                    superseded += not self._note(batch, body, occurred)
                case ReadListing():
                    self._read_back(batch, body)
                case OperatorState():
                    self._pause(batch, body)
                case ChannelMode():
                    self._mode(batch, body)
                case ExceptionCommand():
                    origin = f"{batch.topic}:{batch.partition}:{record.offset}"
                    emit = Emitter(self._codecs, batch, origin, event, body.channel, event.received_at)
                    self._exception(batch, emit, body, occurred)
        done = len(batch.records) - superseded - failed
        self._watch.batch(batch.topic, first, done, superseded, failed)

    def _accepted(self, channel: str, kind: str, occurred: int, replaces: bool) -> None:
        """A wanted state is accepted, perhaps in the place of one that is not confirmed."""
        self._watch.command(channel, kind, occurred)
        if replaces:
            self._watch.superseded(channel, kind)

    def _target(self, batch: Batch, target: StockTarget, occurred: int) -> bool:
        row = batch.get(self._tables.listings, target.listing)
        if row is None:
            row = ListingRow(target.listing, target.channel, target.sku)
        accepted = listing.want(row, target, batch.now_ms)
        if accepted:
            self._accepted(target.channel, "stock", occurred, row.caused_at > 0)
            row.caused_at = row.caused_at or occurred
        batch.put(self._tables.listings, target.listing, row)
        self.on_change(target.channel, "listing", target.listing)
        return accepted

    def _read(self, batch: Batch, channel: str, sku: str, occurred: int) -> None:
        read = batch.get(self._tables.reads, sku) or ReadRow(sku)
        self._accepted(channel, "read", occurred, read.dirty)
        reads.want(read, occurred)
        batch.put(self._tables.reads, sku, read)
        self.on_change(channel, "read", sku)

    def _read_back(self, batch: Batch, command: ReadListing) -> None:
        table = self._tables.listings
        keys = [command.listing] if command.listing else [key for key, _ in batch.scan(table, f"{command.channel}/")]
        for key in keys:
            row = batch.get(table, key)
            if row is not None:
                row.resync = True
                batch.put(table, key, row)
                self.on_change(command.channel, "listing", key)

    def _pause(self, batch: Batch, state: OperatorState) -> None:
        key = pauses.key(state.channel, state.target)
        if not state.paused:
            batch.delete(self._tables.pauses, key)
        elif batch.get(self._tables.pauses, key) is None:
            batch.put(self._tables.pauses, key, pauses.row(state, batch.now_ms))
        self.on_change(state.channel, "pause", state.target)

    def _exception(self, batch: Batch, emit: Emitter, command: ExceptionCommand, occurred: int) -> None:
        """Nothing happens where it is not open any more: it was resolved meanwhile. An audit opens its own."""
        key = f"{command.channel}/{command.exception_id}"
        row = batch.get(self._tables.troubles, key)
        if command.action == "differs":
            kind, _, entity = command.exception_id.partition(":")
            row, news = troubles.raised(row, kind, entity, command.reason, batch.now_ms)
            if not news:
                return
        elif row is None:
            return
        else:
            troubles.handled(row, command, batch.now_ms)
        if command.action in ("resolve", "agrees"):
            batch.delete(self._tables.troubles, key)
            self.on_change(command.channel, "resolved", key)
        else:
            batch.put(self._tables.troubles, key, row)
        told = troubles.record(row, command.channel, batch.now_ms)
        emit.send(topics.INTEGRATION_EXCEPTIONS, told.exception_id, told)
        if command.action == "retry":
            self._retry(batch, command, row, occurred)

    def _retry(self, batch: Batch, command: ExceptionCommand, trouble: TroubleRow, occurred: int) -> None:
        """What is wanted now is due now: nothing is sent but by the channel's owner, from its rows."""
        entity = trouble.entity
        release_key = reference_of(*entity.split(":", 1)) if ":" in entity else ""
        release = batch.get(self._tables.releases, release_key) if release_key else None
        if release is not None and release.order_key == entity:
            releases.hasten(release, batch.now_ms)
            batch.put(self._tables.releases, release_key, release)
        if trouble.type == "unmapped_sku":
            if batch.get(self._tables.listings, entity) is not None:
                again = ReadListing(channel=command.channel, listing=entity, reason=command.reason)
                self._read_back(batch, again)
            elif batch.get(self._tables.reads, entity) is not None:
                self._read(batch, command.channel, entity, occurred)
        note = batch.get(self._tables.notes, entity.removesuffix(notes.ENTITY).replace(":", "/", 1))
        if note is not None and entity.endswith(notes.ENTITY) and notes.again(note, batch.now_ms):
            batch.put(self._tables.notes, note.key, note)
            self._due(batch, command.channel, "note", note.order_id)
            self.on_change(command.channel, "note", note.order_id)
        self.on_change(command.channel, "retry", entity)

    def _mode(self, batch: Batch, command: ChannelMode) -> None:
        """Going live and the end of every listing's baseline are one commit: nothing can be written between them."""
        row = modes.changed(batch.get(self._tables.modes, command.channel), command, batch.now_ms)
        if row is None:
            return
        batch.put(self._tables.modes, command.channel, row)
        if not row.shadow:
            table = self._tables.listings
            for key, known in list(batch.scan(table, f"{command.channel}/")):
                listing.rebaseline(known)
                batch.put(table, key, known)
        self.on_change(command.channel, "pause", pauses.WHOLE)

    def _order(self, batch: Batch, command: ReleaseOrder | CancelOrder, occurred: int) -> bool:
        row = batch.get(self._tables.releases, command.reference)
        if row is None:
            row = ReleaseRow(command.reference, command.order_key)
        replaces = row.answered < row.version
        match command:
            case ReleaseOrder():
                changed = releases.want_release(row, command, batch.now_ms)
            case CancelOrder():
                changed = releases.want_cancel(row, command, batch.now_ms)
        if changed:
            self._accepted(command.channel, "order", occurred, replaces)
            row.caused_at = occurred if isinstance(command, ReleaseOrder) else 0
        self._due(batch, command.channel, "order", command.reference)
        batch.put(self._tables.releases, command.reference, row)
        self.on_change(command.channel, "release", command.reference)
        return changed

    def _parcel(self, batch: Batch, command: ShipParcel, occurred: int) -> bool:
        row = ShipmentRow(command.channel, command.order_id, command.parcel_id)
        row = batch.get(self._tables.shipments, row.key) or row
        replaces = shipments.pending(row)
        changed = shipments.want(row, command, batch.now_ms)
        if changed:
            self._accepted(command.channel, "shipment", occurred, replaces)
            row.caused_at = row.caused_at or occurred
            batch.put(self._tables.shipments, row.key, row)
            self._due(batch, command.channel, "shipment", command.order_id)
            self.on_change(command.channel, "shipment", command.order_id)
        return changed

    def _receipt(self, batch: Batch, command: AnnounceReturn, occurred: int) -> bool:
        row = batch.get(self._tables.receipts, command.reference)
        row = row or ReceiptRow(command.reference, command.order_key, command.return_id)
        replaces = receipts.pending(row)
        changed = receipts.want(row, command, batch.now_ms)
        if changed:
            self._accepted(command.channel, "receipt", occurred, replaces)
            batch.put(self._tables.receipts, command.reference, row)
            self._due(batch, command.channel, "return", command.reference)
            self.on_change(command.channel, "receipt", command.reference)
        return changed

    def _refund(self, batch: Batch, command: SettleReturn, occurred: int) -> bool:
        row = RefundRow(command.channel, command.order_id, command.return_id, command.part)
        row = batch.get(self._tables.refunds, row.key) or row
        replaces = refunds.pending(row)
        changed = refunds.want(row, command, batch.now_ms)
        if changed:
            self._accepted(command.channel, "refund", occurred, replaces)
            row.caused_at = row.caused_at or occurred
            batch.put(self._tables.refunds, row.key, row)
            self._due(batch, command.channel, "refund", command.order_id)
            self.on_change(command.channel, "refund", command.order_id)
        return changed

    def _note(self, batch: Batch, command: NoteOrder, occurred: int) -> bool:
        row = NoteRow(command.channel, command.order_id)
        row = batch.get(self._tables.notes, row.key) or row
        replaces = notes.pending(row)
        changed = notes.want(row, command, batch.now_ms)
        if changed:
            self._accepted(command.channel, "note", occurred, replaces)
            row.caused_at = row.caused_at or occurred
            batch.put(self._tables.notes, row.key, row)
            self._due(batch, command.channel, "note", command.order_id)
            self.on_change(command.channel, "note", command.order_id)
        return changed

    def _due(self, batch: Batch, channel: str, kind: work.Kind, entity: str) -> None:
        key = work.due_key(channel, kind, entity)
        if batch.get(self._tables.due, key) is None:
            batch.put(self._tables.due, key, DueRow(batch.now_ms))
