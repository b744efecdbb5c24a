"""The checks of a drill: the peers compared with each other and with their own journals, each exactly as the scenario format words it. Pure.

Of the product only its exceptions are asked. A failed check lists the entity and both sides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.drill import refunds, split
from app.drill.despatch import compare
from app.drill.model import Offer, Offers, Truth
from app.drill.topics import OpenedException
from app.simulators.base import Notification
from app.simulators.contract import StorefrontOrder, WarehouseOrder, WarehouseReturn

Failure = dict[str, Any]
_MISMATCH = "refund_mismatch"
_SAID = ("despatch_gap", "invalid_tracking")
"""Exceptions that say why a parcel is not at its storefront."""


@dataclass(slots=True)
class Check:
    """One check of the report."""

    checked: int = 0
    failed: list[Failure] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Does it hold?"""
        return not self.failed

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        return {"ok": self.ok, "checked": self.checked, "failed": self.failed, **self.more}


@dataclass(slots=True)
class Evidence:
    """What the checks look at, gathered from the peers when everything is quiet."""

    offers: Offers
    orders: Mapping[str, list[StorefrontOrder]]
    goods_outs: Mapping[str, list[WarehouseOrder]]
    truth: Truth
    shown: Mapping[str, int]
    opening: Mapping[str, int]
    """SKU to eaches available at time 0, over all warehouses."""
    bookings: Iterable[Mapping[str, Any]]
    """Clarus' journal after time 0."""
    raised: Mapping[tuple[str, str], int]
    """(channel, channel SKU) to selling units raised by hand."""
    notifications: Mapping[str, Iterable[Notification]]
    throttled: Mapping[str, tuple[int, int]]
    """Channel to 429 answers: all of them, and those of the peer's own limit."""
    exceptions: Iterable[OpenedException]
    in_shadow: Collection[str] = ()
    """Channels that nothing was written to."""
    returns: Mapping[str, list[WarehouseReturn]] = field(default_factory=dict)
    """Goods-in receipts of returns, by order key."""
    shares: refunds.Shares = field(default_factory=dict)
    sent_back: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    """(channel, order number) to selling units by channel SKU that customers sent back."""
    first: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`channel:number` of orders with a refund of the product: when their first inspection was (0: never), and their first refund."""

    def every(self) -> Iterator[tuple[str, StorefrontOrder]]:
        """Every storefront order with its channel."""
        for channel, orders in self.orders.items():
            for order in orders:
                yield channel, order

    def living(self, channel: str, order: StorefrontOrder) -> list[WarehouseOrder]:
        """The goods outs of an order that were not deleted."""
        return [g for g in self.goods_outs.get(f"{channel}:{order.order_id}", []) if g.status != "DELETED"]

    def excepted(self, channel: str, order: StorefrontOrder, kinds: Collection[str] = ()) -> bool:
        """Is there an open exception of this order, of one of these types where they are given?"""
        names = {f"{channel}:{order.order_id}", f"{channel}:{order.number}"}
        return any(e.is_open and e.entity in names and (not kinds or e.type in kinds) for e in self.exceptions)


def run_checks(evidence: Evidence) -> dict[str, Check]:
    """All checks, in the report's order."""
    stock = stock_equals_model(evidence)
    return {
        "no_order_lost": no_order_lost(evidence),
        "no_duplicate_order": no_duplicate_order(evidence),
        "stock_equals_model": stock,
        "no_oversell": no_oversell(evidence),
        "despatch_once": despatch_once(evidence),
        "refund_once": refund_once(evidence),
        "budget_respected": budget_respected(evidence),
        "nothing_unaccounted": nothing_unaccounted(evidence, stock),
    }


def no_order_lost(evidence: Evidence) -> Check:
    """Every paid order accepted by a storefront is a WMS order, cancelled, or an open exception."""
    check = Check()
    for channel, order in evidence.every():
        if not order.paid:
            continue
        check.checked += 1
        if order.state == "cancelled" or evidence.living(channel, order) or evidence.excepted(channel, order):
            continue
        check.failed.append(
            {
                "entity": f"{channel}:{order.number}",
                "storefront": f"{order.state}, paid, {_lines(order)}",
                "wms": "no goods out",
                "exceptions": "none open",
            }
        )
    return check


def no_duplicate_order(evidence: Evidence) -> Check:
    """No storefront order has two WMS orders that were not deleted."""
    check = Check()
    for channel, order in evidence.every():
        check.checked += 1
        living = evidence.living(channel, order)
        if len(living) > 1:
            check.failed.append(
                {
                    "entity": f"{channel}:{order.number}",
                    "storefront": "1 order",
                    "wms": [f"{g.wms_id} {g.reference} {g.status}" for g in living],
                }
            )
    return check


def stock_equals_model(evidence: Evidence) -> Check:
    """Shared: each listing shows the formula's figure. Escrow: together the listings offer at most the pool's, and keep no unit back that fits.

    Mode auto: escrow up to the floor, shared above twice the floor, either of them between.
    """
    failed = list(stock_failures(evidence.offers, evidence.truth, evidence.shown))
    return Check(len(evidence.offers.all), failed)


def stock_failures(offers: Offers, truth: Truth, shown: Mapping[str, int]) -> Iterator[Failure]:
    """Listings, and pools that are split, which do not show what the policies give.

    A figure below zero, which commercetools may show after it sold what was taken away, offers nothing: it is as good as 0.
    """
    shown = {name: max(0, units) for name, units in shown.items()}
    for offer in offers.all:
        states = {split.state(offers, truth, code) for code, _ in offer.parts}
        if states == {"shared"}:
            yield from _shared(truth, shown, [offer])
        elif offer.bundle and shown[offer.name] > (most := max(truth.figure(offer), truth.most(offer))):
            yield _failure(truth, shown, offer, f"at most {most}")
    for code in offers.splittable:
        state = split.state(offers, truth, code)
        own = [offer for offer in offers.of_physical(code) if not offer.bundle]
        if state == "split" or (state == "either" and list(_shared(truth, shown, own))):
            yield from split.failures(offers, truth, shown, code)


def _shared(truth: Truth, shown: Mapping[str, int], offers: Iterable[Offer]) -> Iterator[Failure]:
    for offer in offers:
        right = truth.figure(offer)
        if shown[offer.name] != right:
            yield _failure(truth, shown, offer, right)


def _failure(truth: Truth, shown: Mapping[str, int], offer: Offer, right: int | str) -> Failure:
    return {
        "entity": offer.name,
        "product": offer.product,
        "storefront": shown[offer.name],
        "model": right,
        "why": explain(truth, offer),
    }


def explain(truth: Truth, offer: Offer) -> str:
    """How the model's figure comes about, in one line."""
    warehouses = ", ".join(sorted(offer.warehouses))
    parts = []
    for code, n in offer.parts if offer.bundle else ((offer.product, 1),):
        free = sum(truth.available.get(code, {}).get(w, 0) for w in offer.warehouses)
        demand = sum(n for w, n in truth.demand.get(code, {}).items() if w & offer.warehouses)
        pool = truth.pool(code, offer.warehouses)
        parts.append(
            f"{code}{f' x {n}' if offer.bundle else ''}: available {free} at {warehouses}, open demand {demand}, pool {pool}"
        )
    rules = [f"ats {truth.ats(offer).normalize():f}"]
    if offer.eaches != 1:
        rules.append(f"{offer.eaches} eaches a unit")
    return "; ".join([*parts, *rules])


def no_oversell(evidence: Evidence) -> Check:
    """Nothing is sold that the warehouse never had: sold - supply - excused, per product."""
    check = Check()
    sold, excused = _sold(evidence)
    supply = dict(evidence.opening)
    for booking in evidence.bookings:
        sku, units = booking.get("sku", ""), booking.get("qty", 0)
        match booking["what"]:
            case "received" | "released":
                supply[sku] = supply.get(sku, 0) + units
            case "adjusted" if units > 0:
                supply[sku] = supply.get(sku, 0) + units
            case "adjusted":
                excused[sku] += -units
            case "held":
                excused[sku] += units
    for (channel, channel_sku), units in evidence.raised.items():
        offer = evidence.offers.find(channel, channel_sku)
        for code, n in offer.parts if offer else ():
            excused[code] += units * n
    oversold = used = 0
    for sku in evidence.offers.physical:
        check.checked += 1
        beyond = sold[sku] - supply.get(sku, 0)
        units = max(0, beyond - excused[sku])
        oversold, used = oversold + units, used + max(0, min(beyond, excused[sku]))
        if units:
            check.failed.append(
                {
                    "entity": sku,
                    "sold": sold[sku],
                    "supply": supply.get(sku, 0),
                    "excused": excused[sku],
                    "oversold": units,
                }
            )
    check.more = {"units": oversold, "excused": used}
    return check


def _sold(evidence: Evidence) -> tuple[dict[str, int], dict[str, int]]:
    """Eaches sold by SKU, and those excused because a storefront put back what had left. A cancelled order counts with what left all the same."""
    sold: dict[str, int] = defaultdict(int)
    excused: dict[str, int] = defaultdict(int)
    for channel, order in evidence.every():
        if order.state != "cancelled":
            for line in order.lines:
                offer = evidence.offers.find(channel, line.sku)
                for code, n in offer.parts if offer else ():
                    sold[code] += line.qty * n
                    if order.restocked:
                        excused[code] += line.qty * n
            continue
        for goods_out in evidence.living(channel, order):
            for parcel in goods_out.parcels:
                for sent in parcel["lines"]:
                    sold[sent["sku"]] += sent["qty"]
                    if order.restocked:
                        excused[sent["sku"]] += sent["qty"]
    return sold, excused


def despatch_once(evidence: Evidence) -> Check:
    """Every parcel of the WMS is at its storefront once, with its lines and tracking, and nothing else is.

    A parcel that cannot be there has an open exception that says so; a storefront that cancelled the order is told nothing.
    """
    check = Check()
    for channel, order in evidence.every():
        if order.state == "cancelled" or channel in evidence.in_shadow:
            continue
        checked, failed = compare(evidence.offers, channel, order, evidence.living(channel, order))
        check.checked += checked
        if failed and not evidence.excepted(channel, order, _SAID):
            check.failed += failed
    return check


def refund_once(evidence: Evidence) -> Check:
    """Every inspected return refunded once, never above what was paid, and not before its inspection.

    What cannot be refunded has an open exception that says so; nothing excuses too much.
    """
    check = Check()
    for channel, order in evidence.every():
        if channel in evidence.in_shadow:
            continue
        returns = evidence.returns.get(f"{channel}:{order.order_id}", [])
        sent_back = evidence.sent_back.get((channel, order.number), {})
        checked, beyond, short = refunds.compare(evidence.offers, channel, order, returns, evidence.shares, sent_back)
        check.checked += checked
        check.failed += beyond
        if short and not evidence.excepted(channel, order, (_MISMATCH,)):
            check.failed += short
    for entity, (inspected, refunded) in evidence.first.items():
        if not inspected or refunded < inspected:
            check.failed.append(
                {"entity": entity, "wms": f"inspected at {inspected}", "storefront": f"refunded at {refunded}"}
            )
    return check


def budget_respected(evidence: Evidence) -> Check:
    """No 429 that a peer's own limit caused."""
    check = Check(more={"throttled": sum(everything for everything, _ in evidence.throttled.values())})
    for channel, (everything, limit) in evidence.throttled.items():
        check.checked += 1
        if limit:
            check.failed.append({"entity": channel, "allowed": 0, "throttled_by_limit": limit, "throttled": everything})
    return check


def nothing_unaccounted(evidence: Evidence, stock: Check) -> Check:
    """Each notification answered 2xx, or visible in a poll, ended: as a WMS order, a cancel, superseded, or an open exception."""
    check = Check()
    wrong = {failure.get("product", failure["entity"]) for failure in stock.failed}
    by_entity = {
        channel: {name: order for order in orders for name in (order.order_id, order.number)}
        for channel, orders in evidence.orders.items()
    }
    references = {g.reference for many in evidence.goods_outs.values() for g in many}
    for peer, notifications in evidence.notifications.items():
        for note in notifications:
            check.checked += 1
            if peer in by_entity:
                order = by_entity[peer].get(note.entity.removeprefix(f"{peer}:"))
                end = _order_end(evidence, peer, order)
            elif note.entity in references or not _parts(evidence, note.entity) & wrong:
                end = "superseded"  # a hint to look again; what was read since agrees with the warehouse
            else:
                end = ""
            if not end:
                check.failed.append(
                    {
                        "entity": f"{peer}:{note.entity}",
                        "notification": "answered" if note.answered else "never answered, visible in a poll",
                        "ended": "not as a WMS order, a cancel, superseded or an open exception",
                    }
                )
    return check


def _parts(evidence: Evidence, sku: str) -> set[str]:
    return {sku} | {offer.product for offer in evidence.offers.of_physical(sku)}


def _order_end(evidence: Evidence, channel: str, order: StorefrontOrder | None) -> str:
    if order is None:
        return "superseded"  # no order of this storefront
    if order.state == "cancelled":
        return "cancelled"
    if evidence.living(channel, order):
        return "wms order"
    if evidence.excepted(channel, order):
        return "exception"
    return "" if order.paid else "superseded"  # unpaid: held until a later notification says that it is paid


def _lines(order: StorefrontOrder) -> str:
    return ", ".join(f"{line.sku} x {line.qty}" for line in order.lines)
