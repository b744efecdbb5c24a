"""Inventory events folded one by one: each changes rows and says which SKUs to publish and what to send at once. Pure; the order is the log's.

`apply` takes any event body; `tables.stock.publish` then turns the SKUs it touched into commands, as often or as rarely as the caller likes.
"""

from dataclasses import dataclass, field

from schemas.records import (
    Baseline,
    BundleHold,
    ComponentStock,
    Correction,
    DemandLine,
    InventoryEventBody,
    ReadBack,
    StockLevel,
    StockOutcome,
    StockTarget,
    Watermark,
)
from tables.catalogue import Listing
from tables.reconciliation import Cause
from tables.stock import bundles, drift, escrow, grants, guarantee, judge, levels, lines, takes
from tables.stock.judge import Judgement
from tables.stock.policy import follows
from tables.stock.rows import (
    Effect,
    ListingState,
    OrderLines,
    Rules,
    SkuRow,
    StockState,
    Take,
    WaitingOutcome,
    WaitingRead,
)
from tables.stock.speed import SPEED_MS

READS_KEPT = 8
"""Read-backs of one listing that may wait for their judgement at a time."""


@dataclass(slots=True)
class Folded:
    """What one event asks for: effects at once, and SKUs to publish with the cause."""

    effects: list[Effect] = field(default_factory=list)
    touched: dict[str, str] = field(default_factory=dict)
    superseded: bool = False  # something at least as new was folded before
    judged: list[tuple[str, Cause]] = field(default_factory=list)
    """Read-backs that were judged: channel and cause."""


def apply(state: StockState, rules: Rules, body: InventoryEventBody, occurred_at: int) -> Folded:
    """Fold one event. `occurred_at` is the event's own time, milliseconds."""
    match body:
        case DemandLine():
            return demand_line(state, rules, body, occurred_at)
        case StockLevel():
            return stock_level(state, body)
        case Watermark():
            return watermark(state, rules, body)
        case ReadBack():
            return read_back(state, rules, body)
        case Baseline():
            return baseline(state, rules, body)
        case ComponentStock():
            return component_stock(state, body)
        case BundleHold():
            return bundle_hold(state, body)
        case StockOutcome():
            return outcome(state, rules, body)


def _row(state: StockState, sku: str) -> SkuRow:
    return state.sku(sku) or SkuRow(sku)


def demand_line(state: StockState, rules: Rules, body: DemandLine, occurred_at: int) -> Folded:
    """R3: one order line."""
    row = _row(state, body.sku)
    order = state.lines(body.sku, body.reference) or OrderLines()
    lowered = lines.upsert(row, order, body, occurred_at)
    if lowered is None:
        return Folded(superseded=True)
    seller = rules.catalogue.listings.get(body.ordered_at)
    if seller is not None and seller.product == row.sku:
        guarantee.heard(row.listing(seller.id), body)
    told: list[Effect] = []
    for change in lowered:
        told += _count(state, rules, row, change.listing, change.take)
    state.put_lines(body.sku, body.reference, order)
    state.put_sku(row)
    return Folded(told, {body.sku: _cause(body)})


def _cause(body: DemandLine) -> str:
    if body.restocked_at is not None:
        return "restock"
    return "order" if body.state == "OPEN" else "cancel"


def _count(state: StockState, rules: Rules, row: SkuRow, listing_id: str, take: Take) -> list[Effect]:
    """A bundle's sale is counted in its own row since its baseline; a component's row only keeps how much of it has arrived there."""
    listing = rules.catalogue.listings.get(listing_id)
    if listing is not None and listing.product == row.sku:
        grants.join(row, rules.catalogue.products[row.sku])
    row.lowered[listing_id] = row.lowered.get(listing_id, 0) + take.units
    if listing is None or (listing.product != row.sku and not follows(rules, listing, row.sku)):
        return []
    channel, known = listing.channel, row.listing(listing_id)
    slack = rules.bound(channel).order_slack
    takes.add(known, take, slack, state.watermark(channel).reached)
    told: list[Effect] = []
    if listing.product == row.sku and known.unexplained and takes.counts(known, take, slack):
        told += drift.explained(state, channel, listing_id, known, take)
    if _moves_with_time(rules, row, listing):
        _wait(state, rules, row, channel)
    return told


def stock_level(state: StockState, body: StockLevel) -> Folded:
    """R1: one chunk of a joint read."""
    row = _row(state, body.sku)
    news = levels.is_news(row, body)
    read = levels.collect(row, body) if news else None
    if read is not None:
        for line in read:
            levels.reflect(state, row, line)
        if body.whole:
            levels.forget(state, row, {line.reference for line in read})
    state.put_sku(row)
    return Folded(touched={body.sku: "level"} if read is not None else {}, superseded=not news)


def component_stock(state: StockState, body: ComponentStock) -> Folded:
    """A component's word in its bundle's row."""
    row = _row(state, body.sku)
    if not bundles.fold(row, body):
        return Folded(superseded=True)
    state.put_sku(row)
    return Folded(touched={body.sku: "component"})


def bundle_hold(state: StockState, body: BundleHold) -> Folded:
    """A bundle's word in its component's row."""
    row = _row(state, body.sku)
    if not grants.hold(row, body):
        return Folded()
    state.put_sku(row)
    return Folded(touched={body.sku: "component"})


def baseline(state: StockState, rules: Rules, body: Baseline) -> Folded:
    """R7: counting starts at this read; the first command waits until the orders up to it are known."""
    row = _row(state, body.sku)
    known = row.listing(body.listing)
    listing = rules.catalogue.listings.get(body.listing)
    if body.epoch <= known.epoch or listing is None:
        return Folded(superseded=True)
    slack = rules.bound(listing.channel).order_slack
    known.unguarded = body.unguarded
    takes.rebase(known, body.epoch, body.at_from, body.at_to, body.quantity, slack)
    found = _reach(state, rules, row, listing.channel)
    state.put_sku(row)
    return found


def read_back(state: StockState, rules: Rules, body: ReadBack) -> Folded:
    """R8: judged at once for what is certain already, for good when the orders up to it are known."""
    row = _row(state, body.sku)
    known = row.listing(body.listing)
    listing = rules.catalogue.listings.get(body.listing)
    if listing is None or body.epoch < known.epoch:
        return Folded(superseded=True)
    if body.epoch > known.epoch:
        return Folded(effects=[_baseline_needed(body, listing.channel)])
    changed: dict[str, str] = {}
    read = WaitingRead(body.pver, body.quantity, body.at_from, body.at_to, body.published, body.verify, body.shadow)
    if known.unguarded != body.unguarded:
        known.unguarded = body.unguarded
        changed = {row.sku: "policy"}
    known.reads = [r for r in known.reads if r.pver == body.pver]
    found = Folded(touched=changed)
    judgement = judge.at_once(known, read, rules.bound(listing.channel))
    if judgement is not None:
        _judged(state, found, row.sku, listing.channel, body.listing, known, read, judgement)
    elif len(known.reads) < READS_KEPT:
        known.reads.append(read)
    later = _reach(state, rules, row, listing.channel)
    found.effects += later.effects
    found.touched |= later.touched
    found.judged += later.judged
    state.put_sku(row)
    return found


def _baseline_needed(body: ReadBack, channel: str) -> StockTarget:
    """A listing that counts from a baseline this ledger does not have: a command of a newer epoch makes it be read anew (R7)."""
    return StockTarget(
        channel=channel,
        sku=body.sku,
        listing=body.listing,
        epoch=body.epoch + 1,
        version=0,
        inc=0,
        dec=0,
        to_zero=False,
        priority=5,
    )


def outcome(state: StockState, rules: Rules, body: StockOutcome) -> Folded:
    """R9: what became of a command, where the pool is split; it counts when the orders up to its time are known."""
    row = state.sku(body.sku)
    known = row.listings.get(body.listing) if row else None
    listing = rules.catalogue.listings.get(body.listing)
    if row is None or known is None or listing is None or known.quota is None or body.epoch != known.epoch:
        return Folded()
    at = body.at + rules.bound(listing.channel).order_slack
    escrow.told(known.quota, WaitingOutcome(body.version, body.bound, at))
    found = _reach(state, rules, row, listing.channel)
    state.put_sku(row)
    return found


def watermark(state: StockState, rules: Rules, body: Watermark) -> Folded:
    """All orders of the channel up to here, of one order partition, are folded. What waited for their minimum goes on."""
    row = state.watermark(body.channel)
    before = row.reached
    if body.up_to <= row.marks.get(body.order_partition, -1):
        return Folded(superseded=True)
    row.marks[body.order_partition] = body.up_to
    row.reached = after = rules.reached(row)
    state.put_watermark(body.channel, row)
    found = Folded()
    if after <= before:
        return found
    for sku, due in list(state.waiting(body.channel)):
        waiting = state.sku(sku)
        if due > after or waiting is None:
            continue
        reached = _reach(state, rules, waiting, body.channel)
        found.effects += reached.effects
        found.touched |= reached.touched
        found.judged += reached.judged
        state.put_sku(waiting)
    return found


def _reach(state: StockState, rules: Rules, row: SkuRow, channel: str) -> Folded:
    """Everything of the SKU at this channel for which the watermark is reached now; the rest waits on."""
    found = Folded()
    reached, bounds = state.watermark(channel).reached, rules.bound(channel)
    for listing_id, known in row.listings.items():
        listing = rules.catalogue.listings.get(listing_id)
        if listing is None or listing.channel != channel:
            continue
        if _moves_with_time(rules, row, listing):
            found.touched.setdefault(row.sku, "policy")
        if not known.epoch:
            continue
        if not known.ready and known.base_to + bounds.order_slack <= reached:
            known.ready = True
            found.touched[row.sku] = "baseline"
        for read in [r for r in known.reads if judge.due(r, bounds) <= reached]:
            known.reads.remove(read)
            judgement = judge.at_watermark(known, read, bounds)
            _judged(state, found, row.sku, channel, listing_id, known, read, judgement)
        if known.quota is not None and escrow.settle(known.quota, reached):
            found.touched[row.sku] = "outcome"
    _wait(state, rules, row, channel)
    return found


def _moves_with_time(rules: Rules, row: SkuRow, listing: Listing) -> bool:
    """Do the figures of the SKU depend on how fast this listing sells?"""
    if listing.product != row.sku or row.listing(listing.id).quota is not None:
        return True
    return any(rules.catalogue.policy(x).velocity for x in rules.catalogue.products[row.sku].listings)


def _wait(state: StockState, rules: Rules, row: SkuRow, channel: str) -> None:
    """The earliest watermark of the channel at which something of this SKU goes on."""
    reached, bounds = state.watermark(channel).reached, rules.bound(channel)
    dues: list[int] = []
    for listing_id, known in row.listings.items():
        listing = rules.catalogue.listings.get(listing_id)
        if listing is None or listing.channel != channel:
            continue
        if known.epoch and not known.ready:
            dues.append(known.base_to + bounds.order_slack)
        dues += [judge.due(read, bounds) for read in known.reads]
        if known.quota is not None:
            dues += [waiting.at for waiting in known.quota.waiting[:1]]
        if _moves_with_time(rules, row, listing):
            dues += [x.at_to + SPEED_MS for x in known.takes if x.units > 0 and x.at_to + SPEED_MS > reached]
    due = min(dues, default=None)
    if due == row.waits.get(channel):
        return
    if due is None:
        del row.waits[channel]
    else:
        row.waits[channel] = due
    state.wait(channel, row.sku, due)


def _judged(
    state: StockState,
    found: Folded,
    sku: str,
    channel: str,
    listing: str,
    known: ListingState,
    read: WaitingRead,
    judgement: Judgement,
) -> None:
    correction = Correction(
        channel=channel,
        sku=sku,
        listing=listing,
        epoch=known.epoch,
        pver=read.pver,
        drift=judgement.drift,
        final=judgement.final,
    )
    cause, told = drift.report(state, channel, listing, known, read, judgement)
    found.effects += [correction, *told]
    if cause is not None:
        found.judged.append((channel, cause))
