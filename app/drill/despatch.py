"""The check `despatch_once`: Clarus' parcels compared with the shipments of the storefronts, order by order. Pure.

A storefront counts selling units, Clarus eaches. Where an order's units are all single pieces every parcel is compared with its shipment; where a unit may
be spread over parcels (cases, bundles), or more left than was ordered, the units that left complete are, and each shipment's number is that of one parcel.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.drill.model import Offers
from app.simulators.contract import StorefrontOrder, WarehouseOrder

Lines = tuple[tuple[str, int], ...]


def compare(
    offers: Offers, channel: str, order: StorefrontOrder, goods_outs: Iterable[WarehouseOrder]
) -> tuple[int, list[dict[str, Any]]]:
    """Parcels that were looked at, and one failure for what differs; its two sides name tracking numbers with eaches."""
    parcels = [parcel for goods_out in goods_outs for parcel in goods_out.parcels]
    sent = [(str(p["tracking"]), _sum((line["sku"], line["qty"]) for line in p["lines"])) for p in parcels]
    shown = [(str(s["tracking"]), _eaches(offers, channel, s["lines"])) for s in order.shipments]
    if _single(offers, channel, order) and not _over(offers, channel, order, sent):
        wrong = sorted(sent) != sorted(shown)
    else:
        beyond = Counter(tracking for tracking, _ in shown) - Counter(tracking for tracking, _ in sent)
        wrong = bool(beyond) or _units_left(offers, channel, order, sent) != _units_shown(order)
    if not wrong:
        return len(parcels), []
    failure = {
        "entity": f"{channel}:{order.number}",
        "wms": _words(sent),
        "storefront": f"{order.state}: {_words(shown)}",
    }
    return len(parcels), [failure]


def _sum(lines: Iterable[tuple[str, int]]) -> Lines:
    total: Counter[str] = Counter()
    for sku, quantity in lines:
        total[sku] += quantity
    return tuple(sorted((sku, n) for sku, n in total.items() if n))


def _parts(offers: Offers, channel: str, sku: str) -> tuple[tuple[str, int], ...]:
    offer = offers.find(channel, sku)
    return offer.parts if offer is not None else ()


def _eaches(offers: Offers, channel: str, lines: Iterable[Mapping[str, Any]]) -> Lines:
    return _sum((code, n * line["qty"]) for line in lines for code, n in _parts(offers, channel, line["sku"]))


def _single(offers: Offers, channel: str, order: StorefrontOrder) -> bool:
    """Is every unit of the order one piece of one product?"""
    return all(sum(n for _, n in _parts(offers, channel, line.sku)) <= 1 for line in order.lines)


def _over(offers: Offers, channel: str, order: StorefrontOrder, sent: Sequence[tuple[str, Lines]]) -> bool:
    """Did more leave than the order wants?"""
    wanted = dict(_eaches(offers, channel, ({"sku": line.sku, "qty": line.qty} for line in order.lines)))
    total = _sum(pair for _, lines in sent for pair in lines)
    return any(n > wanted.get(code, 0) for code, n in total)


def _units_left(
    offers: Offers, channel: str, order: StorefrontOrder, sent: Sequence[tuple[str, Lines]]
) -> dict[str, int]:
    """Selling units that left complete, by SKU: as many as the eaches allow, the largest unit first."""
    free = Counter(dict(_sum(pair for _, lines in sent for pair in lines)))
    units: dict[str, int] = {}
    for line in sorted(order.lines, key=lambda one: -sum(n for _, n in _parts(offers, channel, one.sku))):
        parts = _parts(offers, channel, line.sku)
        count = min((free[code] // n for code, n in parts), default=0)
        count = min(count, line.qty)
        for code, n in parts:
            free[code] -= count * n
        if count:
            units[line.sku] = units.get(line.sku, 0) + count
    return units


def _units_shown(order: StorefrontOrder) -> dict[str, int]:
    units: Counter[str] = Counter()
    for shipment in order.shipments:
        for line in shipment["lines"]:
            units[line["sku"]] += line["qty"]
    return {sku: n for sku, n in units.items() if n}


def _words(parcels: Sequence[tuple[str, Lines]]) -> str:
    words = [
        f"{tracking or 'no tracking'} ({', '.join(f'{sku} x {n}' for sku, n in lines)})" for tracking, lines in parcels
    ]
    return "; ".join(words) or "no parcel"
