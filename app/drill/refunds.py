"""The check `refund_once`: what the warehouse inspected compared with what the storefronts gave back, order by order. Pure.

What units are worth is reckoned from what the order cost at its storefront, its discount shared out exactly; a minor unit a line is left for rounding. A refund
that a person made counts: units of it are not owed again.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

from app.drill.model import Offers
from app.simulators.contract import StorefrontOrder, WarehouseReturn

Shares = Mapping[str, Fraction]
"""Part of a unit's price that goes back, by outcome of the inspection."""
_OUTCOMES: Final = ("restock", "quarantine", "scrap")


def compare(
    offers: Offers,
    channel: str,
    order: StorefrontOrder,
    returns: Iterable[WarehouseReturn],
    shares: Shares,
    sent_back: Mapping[str, int],
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Inspected returns that were looked at; failures that nothing excuses (too much), and those that an open exception does (too little).

    `sent_back`: selling units by SKU that the order's returns were of. The warehouse knows pieces only, which may be a case or part of a bundle.
    """
    inspected = [one for one in returns if any(any(found.values()) for found in one.inspected.values())]
    units, owed = _owed(offers, channel, order, inspected, shares, sent_back)
    by_hand = sum(amount for _, _, amount in order.by_hand)
    covered = sum(
        (min(qty, units.get(sku, 0)) * _worth(order, sku) for sku, qty, _ in order.by_hand), start=Fraction(0)
    )
    refunded, room = sum(order.refunds), 2 * len(order.lines)
    failure = {
        "entity": f"{channel}:{order.number}",
        "wms": f"{len(inspected)} returns inspected, worth {_shown(owed)}",
        "storefront": f"{_shown(refunded)} refunded by the product, {_shown(by_hand)} by hand, {_shown(order.captured)} paid",
    }
    too_much = refunded > max(Fraction(0), owed - covered) + room or refunded + by_hand > max(order.captured, by_hand)
    too_little = refunded < owed - by_hand - room
    return len(inspected), [failure] if too_much else [], [failure] if too_little else []


def _owed(
    offers: Offers,
    channel: str,
    order: StorefrontOrder,
    returns: Iterable[WarehouseReturn],
    shares: Shares,
    sent_back: Mapping[str, int],
) -> tuple[dict[str, int], Fraction]:
    """Selling units that came back complete, by SKU, and what they are worth: the largest unit first, what can be sold again first."""
    free: dict[str, dict[str, int]] = {outcome: {} for outcome in _OUTCOMES}
    for one in returns:
        for outcome, found in one.inspected.items():
            for code, eaches in found.items():
                free[outcome][code] = free[outcome].get(code, 0) + eaches
    units: dict[str, int] = {}
    owed = Fraction(0)

    def parts_of(sku: str) -> tuple[tuple[str, int], ...]:
        offer = offers.find(channel, sku)
        return offer.parts if offer is not None else ()

    for line in sorted(order.lines, key=lambda line: -sum(n for _, n in parts_of(line.sku))):
        parts = parts_of(line.sku)
        there = [sum(free[outcome].get(code, 0) for outcome in _OUTCOMES) // n for code, n in parts]
        most = min(line.qty, sent_back.get(line.sku, 0) - units.get(line.sku, 0))
        count = min([most, *there]) if there else 0
        if not count:
            continue
        weighed = Fraction(0)
        for code, n in parts:
            left = count * n
            for outcome in _OUTCOMES:
                step = min(left, free[outcome].get(code, 0))
                free[outcome][code] = free[outcome].get(code, 0) - step
                left -= step
                weighed += step * shares[outcome]
        owed += _worth(order, line.sku) * weighed / sum(n for _, n in parts)
        units[line.sku] = units.get(line.sku, 0) + count
    return units, owed


def _worth(order: StorefrontOrder, sku: str) -> Fraction:
    """What one unit of a SKU cost, in minor units."""
    gross = sum(line.price for line in order.lines)
    line = next((line for line in order.lines if line.sku == sku), None)
    if line is None or not gross or not line.qty:
        return Fraction(0)
    return Fraction(line.price, line.qty) * Fraction(max(0, gross - order.discount), gross)


def _shown(amount: Fraction | int) -> str:
    return f"{float(amount) / 100:.2f}"
