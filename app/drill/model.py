"""What the storefronts should show, worked out from the peers' own truth: the drill's independent formula.

It shares no code with the product's tables on purpose: a fault in one of the two shows as a difference. The formula is that of the scenario format.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from fnmatch import fnmatchcase
from typing import Any

from app.drill.file import DrillFile, DrillProduct
from app.simulators.contract import StorefrontOrder, WarehouseOrder

WarehouseSet = frozenset[str]
_CLOSED = ("COMPLETED", "CANCELLED")
_FIELDS = {"share", "percent", "buffer", "velocity", "min_to_list", "max", "mode", "escrow_floor"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One listing with the policy in force for it."""

    channel: str
    sku: str
    location: str
    product: str
    eaches: int
    parts: tuple[tuple[str, int], ...]
    """Physical product code to eaches in one selling unit."""
    bundle: bool
    warehouses: WarehouseSet
    share: Decimal = Decimal(1)
    percent: Decimal = Decimal(0)
    buffer: int = 0
    min_to_list: int = 0
    max: int | None = None
    velocity: int = 0
    mode: str = "auto"
    escrow_floor: int = 100
    escrow: bool = False
    """A pool it sells from is split: always in mode escrow, while it is small in mode auto."""

    @property
    def name(self) -> str:
        """`channel:sku`, with the location where there is one."""
        return f"{self.channel}:{self.sku}" + (f"@{self.location}" if self.location else "")


class Offers:
    """All listings of a file."""

    def __init__(self, file: DrillFile) -> None:
        self.all = [offer for product in file.products for offer in _offers_of(product, file)]
        self.physical = [p.sku for p in file.products if not p.bundle]
        self.splittable = [sku for sku in self.physical if _may_be_split(self.of_physical(sku))]
        self.all = [replace(x, escrow=any(code in self.splittable for code, _ in x.parts)) for x in self.all]
        self._by_sku: dict[tuple[str, str], Offer] = {}
        for offer in self.all:
            self._by_sku.setdefault((offer.channel, offer.sku), offer)

    def find(self, channel: str, sku: str) -> Offer | None:
        """The listing that an order line names; None for an untracked product."""
        return self._by_sku.get((channel, sku))

    def of_physical(self, sku: str) -> list[Offer]:
        """The listings that sell this product, by itself or in a bundle."""
        return [offer for offer in self.all if any(code == sku for code, _ in offer.parts)]


def _offers_of(product: DrillProduct, file: DrillFile) -> Iterable[Offer]:
    for channel, listing in product.listed():
        eaches = 1 if product.bundle else product.units[listing.unit]
        policy = _policy(file, channel, product.sku)
        parts = tuple(product.bundle.items()) or ((product.sku, eaches),)
        yield Offer(channel, listing.sku, listing.location, product.sku, eaches, parts, bool(product.bundle), **policy)


def _may_be_split(sellers: list[Offer]) -> bool:
    """Of several sellers, bundles included: mode escrow asks for it; mode auto only where nothing is in the way."""
    modes = {offer.mode for offer in sellers}
    if "shared" in modes or len(sellers) < 2:
        return False
    if "escrow" in modes:
        return True
    terms = {(o.share, o.percent, o.buffer, o.velocity, o.min_to_list, o.escrow_floor) for o in sellers}
    return len(terms) == 1 and sellers[0].share == 1 and not sellers[0].min_to_list


def _policy(file: DrillFile, channel: str, sku: str) -> dict[str, Any]:
    """Every matching policy over the one before it, field by field."""
    found: dict[str, Any] = {"warehouses": frozenset(file.warehouses)}
    for policy in file.policies:
        if not (fnmatchcase(channel, policy.match.channel) and fnmatchcase(sku, policy.match.sku)):
            continue
        for name in policy.model_fields_set & _FIELDS:
            found[name] = getattr(policy, name)
        if policy.warehouses is not None:
            found["warehouses"] = frozenset(policy.warehouses)
    return {name: value for name, value in found.items() if value is not None or name == "max"}


@dataclass(slots=True)
class Truth:
    """The warehouse's stock and the storefronts' open demand at one moment, in eaches."""

    available: dict[str, dict[str, int]] = field(default_factory=dict)
    demand: dict[str, dict[WarehouseSet, int]] = field(default_factory=dict)

    def pool(self, sku: str, want: WarehouseSet) -> int:
        """What these warehouses can still promise: the least, over every union of demand sets with them, of stock minus the demand inside (ledger R2)."""
        return min(self.left(sku, union) for union in self.unions(sku, [want]) if want <= union)

    def unions(self, sku: str, wanted: Iterable[WarehouseSet]) -> set[WarehouseSet]:
        """Every union of these sets with each other and with demand sets."""
        found: set[WarehouseSet] = set()
        for warehouses in {*wanted, *self.demand.get(sku, {})}:
            found |= {union | warehouses for union in found} | {warehouses}
        return found

    def left(self, sku: str, union: WarehouseSet) -> int:
        """Stock there minus the demand that nothing else can serve."""
        free, demand = self.available.get(sku, {}), self.demand.get(sku, {})
        return sum(free.get(w, 0) for w in union) - sum(n for inside, n in demand.items() if inside <= union)

    def base(self, offer: Offer) -> int:
        """The pool of a product, in eaches, or the bundles that can be made complete."""
        if not offer.bundle:
            return self.pool(offer.product, offer.warehouses)

        def complete(warehouses: WarehouseSet) -> int:
            return min(max(0, self.pool(code, warehouses)) // n for code, n in offer.parts)

        return min(sum(complete(frozenset({w})) for w in offer.warehouses), complete(offer.warehouses))

    def ats(self, offer: Offer) -> Decimal:
        """Available to sell: eaches, or bundles."""
        ats = self.base(offer) * offer.share * (1 - offer.percent / 100) - offer.buffer
        if offer.max is not None:
            ats = min(ats, Decimal(offer.max))
        return Decimal(0) if ats < max(0, offer.min_to_list) else ats

    def most(self, offer: Offer) -> int:
        """What a bundle may show whose components are split: percent and buffer are kept back of the components' pools, once, and not of the bundle again."""
        kept = min(
            (max(Decimal(0), self.pool(code, offer.warehouses) * (1 - offer.percent / 100) - offer.buffer)) // n
            for code, n in offer.parts
        )
        bound = min(int(kept), self.base(offer))
        return bound if offer.max is None else min(bound, int(offer.max))

    def figure(self, offer: Offer) -> int:
        """What the listing should show, in its selling unit."""
        return int((self.ats(offer) / offer.eaches).to_integral_value(ROUND_FLOOR))


def truth_of(
    offers: Offers,
    orders: Mapping[str, Iterable[StorefrontOrder]],
    goods_outs: Iterable[WarehouseOrder],
    stock: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> Truth:
    """The truth now. Open demand is every accepted, not cancelled unit that the WMS has not taken out of `available` yet."""
    truth = Truth({sku: {w: s["available"] for w, s in by.items()} for sku, by in stock.items()})
    released: dict[str, list[WarehouseOrder]] = {}
    for goods_out in goods_outs:
        released.setdefault(goods_out.upstream, []).append(goods_out)
    for channel, placed in orders.items():
        for order in placed:
            if order.state != "cancelled":
                _add_open(truth, offers, channel, order, released.get(f"{channel}:{order.order_id}", []))
    return truth


def _add_open(
    truth: Truth, offers: Offers, channel: str, order: StorefrontOrder, goods_outs: list[WarehouseOrder]
) -> None:
    living = [g for g in goods_outs if g.status != "DELETED"]
    if any(g.status in _CLOSED for g in living) or (goods_outs and not living):
        return  # one that is gone from the warehouse is not made anew
    taken: dict[str, int] = {}
    bound: set[str] = set()
    for goods_out in living:
        for (sku, warehouse), units in goods_out.taken.items():
            taken[sku] = taken.get(sku, 0) + units
            if units:
                bound.add(warehouse)
    for line in order.lines:
        offer = offers.find(channel, line.sku)
        if offer is None:
            continue
        warehouses = frozenset(bound) or offer.warehouses
        for sku, n in offer.parts:
            eaches = line.qty * n
            gone = min(eaches, taken.get(sku, 0))
            taken[sku] = taken.get(sku, 0) - gone
            if eaches > gone:
                by_set = truth.demand.setdefault(sku, {})
                by_set[warehouses] = by_set.get(warehouses, 0) + eaches - gone
