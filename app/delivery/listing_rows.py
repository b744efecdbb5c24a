"""What happens to listing rows inside a cycle: looking, beginning writes, folding answers and readings, and the records that follow. It waits for nothing.

The rules are `tables/deliveries/listing.py`'s; when and in which order things go out is decided by `app/delivery/listings.py`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agents.emit import Emitter
from app.connectors.contract import AnswerKind, Finding, Priority, StockAnswer, StockReading, StockRequest
from app.delivery.desk import Desk
from app.delivery.gate import SERVICE_LEVELS
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import StockOutcome
from tables.catalogue import Listing
from tables.deliveries import listing as rules
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Tell, Wait, Write
from tables.deliveries.peers import Bounds, PeerKind

Purpose = Literal["look", "check", "adopt"]


@dataclass(frozen=True, slots=True)
class Due:
    """A listing that has something to send or to read."""

    listing: str
    purpose: Purpose | None  # None: a write
    zero: bool
    priority: Priority
    since: int

    @property
    def deadline(self) -> int:
        """Who is due first goes first: the most urgent, but nothing waits longer than its class's service level while there is a budget."""
        return self.since + int(SERVICE_LEVELS[self.priority] * 1000)


@dataclass(frozen=True, slots=True)
class Reading:
    """A listing under way to be read: why, and its `pver` and our time when the read began."""

    listing: str
    purpose: Purpose
    pver: int
    began: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A wanted state that is not confirmed: since when (our milliseconds), and the priority of what is next for it."""

    since: int
    priority: Priority


@dataclass(slots=True)
class Round:
    """What one look at the rows found: what is due now or later, and what was begun."""

    waits: dict[str, int] = field(default_factory=dict)
    due: list[Due] = field(default_factory=list)
    pending: dict[str, Pending | None] = field(default_factory=dict)  # None: nothing
    uncertain: dict[str, int] = field(default_factory=dict)  # units the listing may have beyond those it certainly has
    writes: list[tuple[Priority, list[StockRequest]]] = field(default_factory=list)
    reads: list[tuple[Priority, list[Reading]]] = field(default_factory=list)


class ListingRows:
    """The rows of one channel, inside cycles. `known`: something waits for the channel's orders up to that storefront time.

    `findings` are the newest of the start check. `unguarded`: listings whose storefront may sell beyond what it shows.
    """

    def __init__(
        self, desk: Desk, kind: PeerKind, bounds: Bounds, known: Callable[[int], None], findings: Sequence[Finding]
    ) -> None:
        self._desk, self._kind, self._bounds, self._known, self._findings = desk, kind, bounds, known, findings
        self.unguarded: set[str] = set()

    def take_over(self, context: Context, emit: Emitter) -> list[str]:
        """Intents found in the rows are unknown outcomes; listings of the catalogue without a row get one. Returns all listings."""
        desk, now, known = self._desk, context.now_ms, set[str]()
        for key, row in context.scan(desk.tables.listings, f"{desk.channel}/"):
            known.add(key)
            self._guard(row)
            if row.intent is not None:
                rules.foreign(row, self._kind, self._bounds, now)
                context.put(desk.tables.listings, key, row)
        listings = desk.catalogue.of_channel(desk.channel)
        self.follow_catalogue(context, emit, listings)
        return sorted(known.union(listing.id for listing in listings))

    def follow_catalogue(self, context: Context, emit: Emitter, listings: Iterable[Listing]) -> None:
        """These listings have a row, under their product of now: one that was another product's is counted anew.

        What was to be looked at because of a listing that was taken out is over.
        """
        desk = self._desk
        for _, trouble in list(context.scan(desk.tables.troubles, f"{desk.channel}/unmapped_sku:{desk.channel}/")):
            if trouble.entity not in desk.catalogue.listings:
                desk.resolve_trouble(context, emit, trouble.type, trouble.entity)
        for listing in listings:
            row = context.get(desk.tables.listings, listing.id)
            if row is None:
                row = ListingRow(listing.id, desk.channel, listing.product)
            elif row.sku == listing.product:
                continue
            else:
                row.sku = listing.product
                rules.rebaseline(row)
            context.put(desk.tables.listings, listing.id, row)

    def evaluate(
        self, context: Context, emit: Emitter, key: str, sweep: bool, writing: bool, found: Round
    ) -> Due | None:
        """What a listing needs now; judgements are applied and outcomes told on the way. A wait goes into `found`.

        `writing`: its request is under way. An intent without one was begun in a cycle of which nobody could tell whether it was committed, so it was
        repeated, found the intent and sent nothing: as with another owner's, its outcome counts as unknown.
        """
        tables, now, at = self._desk.tables, context.now_ms, self._desk.gate.peer_time()[1]
        row = context.get(tables.listings, key)
        if row is None or key not in self._desk.catalogue.listings:
            found.pending[key], found.uncertain[key] = None, 0
            return None
        correction = context.get(tables.corrections, key)
        if correction is not None:
            context.delete(tables.corrections, key)
            high, pver = row.high, row.pver
            self._emit(emit, row, rules.corrected(row, correction, self._kind, self._bounds, now, at), high)
            if correction.drift and row.pver != pver:
                self._desk.healed()
        orphaned = row.intent is not None and not writing
        if orphaned:
            rules.foreign(row, self._kind, self._bounds, now)
        free = self._desk.may_change(context, row.sku)
        step = rules.next_step(row, self._kind, self._bounds, now, sweep, free)
        told = False
        while isinstance(step, Tell):
            self._emit(emit, row, [rules.tell(row, at, now)], row.high)
            step, told = rules.next_step(row, self._kind, self._bounds, now, sweep, free), True
        if correction is not None or orphaned or told:
            context.put(tables.listings, key, row)
        due = None if isinstance(step, Wait) else _due(row, step, now)
        priority = due.priority if due is not None else Priority.INCREASE
        waits = rules.pending(row, not self._desk.in_shadow(context))
        found.pending[key] = Pending(row.changed_at or now, priority) if waits else None
        found.uncertain[key] = row.high - row.published
        if isinstance(step, Wait) and step.until is not None:
            found.waits[key] = step.until
        return due

    def begin_write(self, context: Context, due: Due) -> StockRequest | None:
        """The request of one write, its intent committed with this cycle; None where the row wants something else by now."""
        tables, now = self._desk.tables, context.now_ms
        row, listing = context.get(tables.listings, due.listing), self._desk.catalogue.listings.get(due.listing)
        if row is None or listing is None:
            return None
        free = self._desk.may_change(context, row.sku)
        step = rules.next_step(row, self._kind, self._bounds, now, False, free)
        if not isinstance(step, Write) or step.zero is not due.zero:
            return None
        if row.sent != row.version:
            self._desk.sent(row.caused_at)
        intent = rules.begin(row, step, now)
        context.put(tables.listings, due.listing, row)
        return StockRequest(
            listing=listing,
            epoch=row.epoch,
            attempt=intent.attempt,
            delta=intent.delta,
            gross=intent.gross,
            zero=intent.zero,
            peer_id=row.peer_id,
            peer_version=row.peer_version,
        )

    def begin_read(self, context: Context, due: Due) -> Reading | None:
        """A read of a listing starts now."""
        row = context.get(self._desk.tables.listings, due.listing)
        if row is None or due.purpose is None or due.listing not in self._desk.catalogue.listings:
            return None
        return Reading(due.listing, due.purpose, row.pver, context.now_ms)

    def answered(
        self, context: Context, emit: Emitter, requests: Iterable[StockRequest], answers: Mapping[str, StockAnswer]
    ) -> dict[str, float | None]:
        """Fold the answers into the rows. Returns the listings whose next attempt must wait, with the peer's own wait in seconds."""
        table, waits = self._desk.tables.listings, dict[str, float | None]()
        for request in requests:
            key = request.listing.id
            row = context.get(table, key)
            if row is None or row.intent is None or row.intent.attempt != request.attempt:
                continue
            answer = answers.get(key) or StockAnswer(key, AnswerKind.UNKNOWN, detail="no answer to this row")
            if self._fold_answer(context, emit, row, answer):
                waits[key] = answer.retry_after
            context.put(table, key, row)
        return waits

    def _fold_answer(self, context: Context, emit: Emitter, row: ListingRow, answer: StockAnswer) -> bool:
        """One answer; True where trying again at once is pointless."""
        now, high = context.now_ms, row.high
        match answer.kind:
            case AnswerKind.OK:
                outcomes = rules.acknowledged(row, self._kind, self._bounds, now, answer.at_to, answer.peer_version)
                self._emit(emit, row, outcomes, high)
                self._desk.resolve_trouble(context, emit, "delivery_failed", row.listing)
            case AnswerKind.CONFLICT:
                rules.conflict(row, self._kind, self._bounds, answer.peer_version, now)
            case AnswerKind.REFUSED:
                rules.refused(row, self._kind, now)
            case AnswerKind.NEEDS_ABSOLUTE:
                rules.needs_absolute(row, now)
            case AnswerKind.UNKNOWN:
                rules.unknown(row, self._kind, self._bounds, now)
                return True
            case AnswerKind.NOT_SENT:
                rules.not_sent(row, now)
                return True
            case AnswerKind.FAILED:
                rules.not_sent(row, now)
                detail = f"{answer.detail}: put it right at the storefront, or take the listing out of the products"
                self._desk.open_trouble(context, emit, "delivery_failed", row.listing, detail)
                return True
        return False

    def was_read(
        self, context: Context, emit: Emitter, readings: Iterable[Reading], answers: Mapping[str, StockReading]
    ) -> tuple[list[str], list[int]]:
        """Fold readings into the rows. Returns the listings that the storefront cannot manage, and the times up to which orders must be known now."""
        desk, missing, times = self._desk, list[str](), list[int]()
        for reading in readings:
            row, answer = context.get(desk.tables.listings, reading.listing), answers.get(reading.listing)
            if row is None or reading.listing not in desk.catalogue.listings:
                continue
            if answer is None or answer.missing:
                reason = answer.missing if answer is not None else "the storefront's answer leaves it out"
                detail = f"{reason}; or map it to a SKU that the storefront tracks, or take it out of the products"
                desk.open_trouble(context, emit, "unmapped_sku", reading.listing, detail)
                missing.append(reading.listing)
                continue
            desk.resolve_trouble(context, emit, "unmapped_sku", reading.listing)
            row.unguarded = answer.unguarded or next((x.unguarded for x in self._findings if x.unguarded), "")
            self._guard(row)
            times += self._fold_reading(context, emit, row, reading, answer)
            context.put(desk.tables.listings, reading.listing, row)
        return missing, times

    def _guard(self, row: ListingRow) -> None:
        (self.unguarded.add if row.unguarded else self.unguarded.discard)(row.listing)

    def _fold_reading(
        self, context: Context, emit: Emitter, row: ListingRow, reading: Reading, answer: StockReading
    ) -> list[int]:
        now, high = context.now_ms, row.high
        marker = (answer.marker.epoch, answer.marker.attempt, answer.marker.gross) if answer.marker else None
        match reading.purpose:
            case "look":
                if row.pver == reading.pver:
                    self._emit(
                        emit,
                        row,
                        rules.looked_up(
                            row,
                            self._kind,
                            self._bounds,
                            answer.quantity,
                            marker,
                            answer.peer_version,
                            now,
                            answer.at_to,
                            reading.began,
                        ),
                        high,
                    )
            case "check":
                shadow = self._desk.in_shadow(context)
                back = rules.read_back(
                    row, self._bounds, answer.quantity, answer.at_from, answer.at_to, reading.pver, now, shadow
                )
                if back is not None:
                    emit.send(topics.INVENTORY_EVENTS, back.sku, back)
                    return [answer.at_to] if back.verify else []
            case "adopt":
                if row.epoch == 0:
                    never_set = self._kind is PeerKind.RELATIVE and answer.quantity == 0
                    baseline = rules.adopt(
                        row,
                        answer.quantity,
                        answer.at_from,
                        answer.at_to,
                        marker,
                        answer.peer_id,
                        answer.peer_version,
                        now,
                        not never_set,
                    )
                    emit.send(topics.INVENTORY_EVENTS, baseline.sku, baseline)
                    return [answer.at_to]
        return []

    def _emit(self, emit: Emitter, row: ListingRow, outcomes: Iterable[StockOutcome], high: int) -> None:
        """Tell outcomes. Under escrow one that may free units (`high` is the most there was before) counts with the orders up to it: they are polled for."""
        for outcome in outcomes:
            if row.escrow and row.high <= high:
                self._known(outcome.at)
            if outcome.version == row.version and row.caused_at:
                self._desk.confirmed("stock", row.caused_at)
                row.caused_at = 0
            emit.send(topics.INVENTORY_EVENTS, outcome.sku, outcome)


def _due(row: ListingRow, step: Write | LookUp | CheckBack | Adopt, now: int) -> Due:
    urgent = row.priority <= Priority.DECREASE
    match step:
        case Write():
            lowers = step.zero or step.delta < 0
            priority = Priority.OTHER_DECREASE if lowers else Priority.INCREASE
            if step.zero or (lowers and urgent):
                priority = Priority.DECREASE
            return Due(row.listing, None, step.zero, priority, row.changed_at or now)
        case LookUp():
            return Due(row.listing, "look", False, Priority.DECREASE if urgent else Priority.OTHER_DECREASE, now)
        case CheckBack():
            priority = Priority.INCREASE if row.verify or row.hold else Priority.SWEEP
            return Due(row.listing, "check", False, priority, now)
        case Adopt():
            return Due(row.listing, "adopt", False, Priority.INCREASE, now)
