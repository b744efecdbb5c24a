"""What the model says of pools that are split: not which listing has which part, but what all of them together may and must offer.

For every union of warehouses: what listings and bundles that can be served from nowhere else offer together is at most what is left there. Where no bundle
uses the product, no unit that fits is kept back; with bundles it may be: a component grants more than another one has.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from app.drill.model import Offer, Offers, Truth, WarehouseSet

State = Literal["shared", "split", "either"]


def state(offers: Offers, truth: Truth, code: str) -> State:
    """Mode auto splits up to the floor, shares above twice the floor, and does either of them between; the seller with the smallest pool decides."""
    if code not in offers.splittable:
        return "shared"
    sellers = offers.of_physical(code)
    if any(offer.mode == "escrow" for offer in sellers):
        return "split"
    base, floor = min(truth.pool(code, offer.warehouses) for offer in sellers), sellers[0].escrow_floor
    if base > 2 * floor:
        return "shared"
    return "either" if base > floor else "split"


def failures(offers: Offers, truth: Truth, shown: Mapping[str, int], code: str) -> Iterator[dict[str, Any]]:
    """Where the sellers of one split pool offer too much together, or too little."""
    sellers = offers.of_physical(code)
    first = next((offer for offer in sellers if not offer.bundle), sellers[0])
    slack: dict[WarehouseSet, Decimal] = {}
    sides = {"entity": code, "storefront": {offer.name: shown[offer.name] for offer in sellers}}
    for union in truth.unions(code, [offer.warehouses for offer in sellers]):
        left = truth.left(code, union)
        ats = max(Decimal(0), left * (1 - first.percent / 100) - first.buffer)
        offered = sum(shown[o.name] * _eaches(o, code) for o in sellers if o.warehouses <= union)
        slack[union] = ats - offered
        if offered > ats:
            where = ", ".join(sorted(union))
            words = f"{offered} eaches on offer from {where}"
            yield {**sides, "model": f"at most {ats} eaches together (pool {left})", "why": words}
            return
    if any(offer.bundle for offer in sellers):
        return
    for offer in sellers:
        room = min(left for union, left in slack.items() if offer.warehouses <= union)
        if room >= offer.eaches and (offer.max is None or (shown[offer.name] + 1) * offer.eaches <= offer.max):
            words = f"{room} eaches are on offer nowhere, {offer.name} sells units of {offer.eaches}"
            yield {**sides, "model": "no unit kept back that fits", "why": words}
            return


def _eaches(offer: Offer, code: str) -> int:
    return next(n for part, n in offer.parts if part == code)
