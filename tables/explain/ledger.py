"""A SKU's row of the stock ledger, explained: levels, demand, every listing's formula with its numbers, bundles, open lines. Pure; nothing is written."""

from collections.abc import Iterable

from tables.catalogue import Listing, Product
from tables.explain import split
from tables.explain.report import Ledger, Lines, OpenLine, Quota, Target, Term, Told, Union, Waiting
from tables.explain.terms import offer_terms, quota_terms, unions
from tables.stock import bundles, judge
from tables.stock.escrow import high
from tables.stock.policy import quota_offer
from tables.stock.pool import key_of, set_of
from tables.stock.rows import ListingState, OrderLines, Rules, SkuRow, StockState
from tables.stock.speed import cover
from tables.stock.target import offer

UNIONS_SHOWN = 8
NO_READ = "the SKU was never read at the warehouse: nothing is offered before"
NO_COMPONENT = "no word from every component yet: nothing is offered before"


def explain(state: StockState, rules: Rules, row: SkuRow, product: Product) -> Ledger:
    """The row as it stands. What is not known yet is said so, never guessed."""
    return Ledger(
        sku=row.sku,
        read_no=row.read_no,
        free=dict(row.free),
        held={warehouse: eaches for warehouse, eaches in row.held.items() if eaches},
        demand=dict(row.demand),
        targets=[_target(state, rules, row, product, listing) for listing in product.listings],
        bundles=[*_components(row, product), *_uses(row, rules)],
        split=split.explain(state, rules, row, product),
    )


def _target(state: StockState, rules: Rules, row: SkuRow, product: Product, listing: Listing) -> Target:
    policy = rules.catalogue.policy(listing)
    known = row.listing(listing.id)
    parts: list[Union] = []
    if product.bundle:
        base = bundles.base(product.bundle, row, policy.warehouses)
        taken = known.taken if known.quota is not None else bundles.taken(listing.id, row)
    else:
        parts, taken = unions(row.free, row.demand, policy.warehouses), known.taken
        base = parts[0].left if row.read_no else None
    velocity = cover(state, rules, row, policy)
    decrements = listing.channel not in rules.decrementless
    figures, terms = None, list[Term]()
    if base is not None and known.quota is not None:
        figures = quota_offer(known.quota.target, taken, decrements)
        terms = quota_terms(None if product.bundle else base, policy, known.quota.target, taken, velocity)
    elif base is not None:
        figures = offer(base, policy, listing.eaches, taken, velocity, decrements)
        terms = offer_terms(base, policy, listing.eaches, taken, velocity, decrements, bool(product.bundle))
    reached = state.watermark(listing.channel).reached
    awaits = _awaits(rules, listing, known, reached)
    if base is None:
        awaits.insert(0, Waiting("stock", NO_COMPONENT if product.bundle else NO_READ))
    return Target(
        listing=listing.id,
        channel=listing.channel,
        channel_sku=listing.sku,
        location=listing.location,
        unit=listing.unit,
        mode=policy.mode.value,
        unions=parts[:UNIONS_SHOWN],
        terms=terms,
        inc=figures.inc if figures else None,
        dec=figures.dec if figures else None,
        to_zero=figures.to_zero if figures else False,
        available=figures.available if figures else None,
        epoch=known.epoch,
        version=known.version,
        told_inc=known.inc,
        told_dec=known.dec,
        told=known.sent,
        drift=known.drift,
        watermark=reached,
        quota=_quota(known),
        awaits=awaits,
    )


def _quota(known: ListingState) -> Quota | None:
    """R9: the listing's part of a split pool, and what it may still sell of it at most."""
    given = known.quota
    if given is None:
        return None
    most = high(given)
    return Quota(
        given.target,
        given.conf,
        {str(version): inc for version, inc in sorted(given.issued.items())},
        most,
        max(0, most - known.taken),
        given.unsure,
    )


def _awaits(rules: Rules, listing: Listing, known: ListingState, reached: int) -> list[Waiting]:
    bounds = rules.bound(listing.channel)
    if not known.epoch:
        return [Waiting("baseline", "delivery has not read the listing yet: counting starts at that read (R7)")]
    found: list[Waiting] = []
    if not known.ready:
        due = known.base_to + bounds.order_slack
        found.append(
            Waiting(
                "watermark",
                f"orders up to the baseline must be folded before the first command: {due - reached} ms to go",
                due,
            )
        )
    for outcome in known.quota.waiting if known.quota is not None else []:
        text = f"the outcome of version {outcome.version} (at most {outcome.bound}) frees quota when orders up to its time are folded"
        found.append(Waiting("watermark", text, outcome.at))
    for read in known.reads:
        due = judge.due(read, bounds)
        found.append(
            Waiting("watermark", f"a read-back of {read.quantity} is judged when orders up to its time are folded", due)
        )
    return found


def _components(row: SkuRow, product: Product) -> list[Told]:
    """A bundle: the newest word of each component."""
    found = []
    for sku, eaches in product.bundle.items():
        one = row.components.get(sku)
        found.append(
            Told(
                row.sku,
                sku,
                eaches,
                one.version if one else 0,
                dict(one.pools) if one else {},
                dict(one.joint) if one else {},
                dict(one.granted) if one else {},
            )
        )
    return found


def _uses(row: SkuRow, rules: Rules) -> list[Told]:
    """A component: what it last told each bundle that is made of it."""
    found = []
    for bundle in rules.catalogue.bundles_of(row.sku):
        sent = row.told.get(bundle.sku)
        eaches = bundle.bundle[row.sku]
        found.append(
            Told(
                bundle.sku,
                row.sku,
                eaches,
                sent.version if sent else 0,
                dict(sent.pools) if sent else {},
                dict(sent.joint) if sent else {},
                dict(sent.granted) if sent else {},
            )
        )
    return found


def open_lines(orders: Iterable[tuple[str, OrderLines]], first: int, complete: bool = True) -> Lines:
    """R3: the lines that count against stock, from orders by reference."""
    shown: list[OpenLine] = []
    count = eaches = 0
    for reference, order in orders:
        if order.closed:
            continue
        for line_id, line in sorted(order.lines.items()):
            counts = line.eaches - line.reflected
            if line.state == "CLOSED" or counts <= 0:
                continue
            count, eaches = count + 1, eaches + counts
            if len(shown) < first:
                where = sorted(set_of(order.warehouse or key_of(line.warehouses)))
                shown.append(
                    OpenLine(reference, line_id, line.version, line.state, line.eaches, line.reflected, counts, where)
                )
    return Lines(shown, count, eaches, complete)
