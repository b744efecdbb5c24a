"""Inventory events folded one by one: each changes rows and says which SKUs to publish and what to send at once. Pure; the order is the log's.

`apply` takes any event body; `tables.stock.publish` then turns the SKUs it touched into commands, as often or as rarely as the caller likes.
"""

from dataclasses import dataclass, field

from schemas.records import (
    Baseline,
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
from tables.stock import bundles, drift, escrow, judge, levels, lines, takes
from tables.stock.judge import Judgement
from tables.stock.policy import SPEED_MS
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

READS_KEPT = 8
"""Read-backs of one listing that may wait for their judgement at a time."""


@dataclass(slots=True)
class Folded:
    """What one event asks for: effects at once, and SKUs to publish with the cause."""

    effects: list[Effect] = field(default_factory=list)
    touched: dict[str, str] = field(default_factory=dict)
    superseded: bool = False  # something at least as new was folded before


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
    for change in lowered:
        _count(state, rules, row, change.listing, change.take)
    state.put_lines(body.sku, body.reference, order)
    state.put_sku(row)
    return Folded(touched={body.sku: _cause(body)})


def _cause(body: DemandLine) -> str:
    if body.restocked_at is not None:
        return "restock"
    return "order" if body.state == "OPEN" else "cancel"


def _count(state: StockState, rules: Rules, row: SkuRow, listing_id: str, take: Take) -> None:
    """A bundle's sale is counted in its own row since its baseline; a component's row only keeps how much of it has arrived there."""
    row.lowered[listing_id] = row.lowered.get(listing_id, 0) + take.units
    listing = rules.catalogue.listings.get(listing_id)
    if listing is None or listing.product != row.sku:
        return
    channel = listing.channel
    reached = rules.watermark(state.watermark(channel))
    takes.add(row.listing(listing_id), take, rules.bound(channel).order_slack, reached)
    if rules.catalogue.policy(listing).velocity or row.listing(listing_id).quota is not None:
        _wait(state, rules, row, channel)


def stock_level(state: StockState, body: StockLevel) -> Folded:
    """R1: one chunk of a joint read."""
    row = _row(state, body.sku)
    news = levels.is_news(row, body)
    read = levels.collect(row, body) if news else None
    if read is not None:
        for line in read:
            levels.reflect(state, row, line)
    state.put_sku(row)
    return Folded(touched={body.sku: "level"} if read is not None else {}, superseded=not news)


def component_stock(state: StockState, body: ComponentStock) -> Folded:
    """A component's word in its bundle's row."""
    row = _row(state, body.sku)
    if not bundles.fold(row, body):
        return Folded(superseded=True)
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
    read = WaitingRead(body.pver, body.quantity, body.at_from, body.at_to, body.published, body.verify)
    known.reads = [r for r in known.reads if r.pver == body.pver]
    found = Folded()
    judgement = judge.at_once(known, read, rules.bound(listing.channel))
    if judgement is not None:
        found.effects += _judged(row, listing.channel, body.listing, known, read, judgement)
    elif len(known.reads) < READS_KEPT:
        known.reads.append(read)
    later = _reach(state, rules, row, listing.channel)
    found.effects += later.effects
    found.touched |= later.touched
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
    before = rules.watermark(row)
    if body.up_to <= row.marks.get(body.order_partition, -1):
        return Folded(superseded=True)
    row.marks[body.order_partition] = body.up_to
    state.put_watermark(body.channel, row)
    after = rules.watermark(row)
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
        state.put_sku(waiting)
    return found


def _reach(state: StockState, rules: Rules, row: SkuRow, channel: str) -> Folded:
    """Everything of the SKU at this channel for which the watermark is reached now; the rest waits on."""
    found = Folded()
    reached, bounds = rules.watermark(state.watermark(channel)), rules.bound(channel)
    for listing_id, known in row.listings.items():
        listing = rules.catalogue.listings.get(listing_id)
        if listing is None or listing.channel != channel or not known.epoch:
            continue
        if not known.ready and known.base_to + bounds.order_slack <= reached:
            known.ready = True
            found.touched[row.sku] = "baseline"
        for read in [r for r in known.reads if judge.due(r, bounds) <= reached]:
            known.reads.remove(read)
            judgement = judge.at_watermark(known, read, bounds)
            found.effects += _judged(row, channel, listing_id, known, read, judgement)
        if known.quota is not None and escrow.settle(known.quota, reached):
            found.touched[row.sku] = "outcome"
        if rules.catalogue.policy(listing).velocity or known.quota is not None:
            found.touched.setdefault(row.sku, "policy")
    _wait(state, rules, row, channel)
    return found


def _wait(state: StockState, rules: Rules, row: SkuRow, channel: str) -> None:
    """The earliest watermark of the channel at which something of this SKU goes on."""
    reached, bounds = rules.watermark(state.watermark(channel)), rules.bound(channel)
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
        by_speed = known.quota is not None or any(
            rules.catalogue.policy(x).velocity for x in rules.catalogue.products[listing.product].listings
        )
        if by_speed:
            dues += [x.at_to + SPEED_MS for x in known.takes if x.units > 0 and x.at_to + SPEED_MS > reached]
    state.wait(channel, row.sku, min(dues, default=None))


def _judged(
    row: SkuRow, channel: str, listing: str, known: ListingState, read: WaitingRead, judgement: Judgement
) -> list[Effect]:
    correction = Correction(
        channel=channel,
        sku=row.sku,
        listing=listing,
        epoch=known.epoch,
        pver=read.pver,
        drift=judgement.drift,
        final=judgement.final,
    )
    return [correction, *drift.report(listing, known, read, judgement)]
