"""The judge of the wide simulation: what was sold against what there was, and what each listing must show in the end. By brute force over warehouse sets.

It looks at storefronts and the warehouse only; the formula is the one of the documentation, not the product's code.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations
from math import floor
from typing import Any

from tests.model.peers import Order
from tests.model.wide_peers import Goods

Set = frozenset[str]


class Truth:
    """The end of one seed."""

    def __init__(self, world: Any) -> None:
        self.world, self.variant = world, world.variant

    def sets(self, within: Set | None = None) -> Iterator[Set]:
        """Every set of warehouses that contains these."""
        codes = self.variant.warehouses
        for size in range(1, len(codes) + 1):
            for chosen in combinations(codes, size):
                if within is None or within <= set(chosen):
                    yield frozenset(chosen)

    def goods(self, order: Order) -> Goods | None:
        return self.world.warehouse.goods.get(self.world.reference(order))

    # ---- oversold ----
    def oversold(self) -> tuple[int, int]:
        """Eaches beyond what there ever was, by the worst set of warehouses for each SKU: all, and those that nothing excuses.

        Excused: what the warehouse moved away, lost or picked too many, what a storefront put back on sale although it left, and what carts bought that
        had reserved it before the quantity was lowered.
        """
        all_of = without_excuse = 0
        for sku in self.variant.skus:
            worst = [self._of(sku, inside) for inside in self.sets()]
            all_of += max(0, *(beyond for beyond, _ in worst))
            without_excuse += max(0, *(beyond - excuse for beyond, excuse in worst))
        return all_of, without_excuse

    def _of(self, sku: str, inside: Set) -> tuple[int, int]:
        wms = self.world.warehouse
        excuse = sum(wms.shrunk[w][sku] for w in inside)
        excuse += sum(n for s, giver, taker, n in wms.moved if s == sku and giver in inside and taker not in inside)
        supply = sum(wms.came[w][sku] for w in inside) - excuse
        supply += sum(n for s, giver, taker, n in wms.moved if s == sku and taker in inside and giver not in inside)
        for goods in wms.goods.values():
            if goods.warehouse in inside:
                supply -= goods.over.get(sku, 0)
                excuse += goods.over.get(sku, 0)
        sold = 0
        for order in self.world.all_orders:
            each = self.variant.uses(order.channel).get(sku, 0)
            if each and set(self.variant.set_of(order.channel)) <= inside:
                owed, back = self._owed(order, sku, each)
                sold += owed
                excuse += back + min(owed, each * self.world.stores[order.channel].beyond.get(order.id, 0))
        return sold - supply, excuse

    def _owed(self, order: Order, sku: str, each: int) -> tuple[int, int]:
        """Eaches that are owed to the buyer or gone to him, and of them those that the storefront has put back all the same."""
        goods, wanted = self.goods(order), 0 if order.cancelled else order.units * each
        if goods is None:
            return wanted, 0
        if goods.status == "COMPLETED":  # as the warehouse knew it: what nobody told it in time is not owed by it
            gone = goods.out[sku] - goods.over.get(sku, 0)
            kept = order.units * each if order.restocked is None else 0
            return gone, max(0, gone - kept)
        return max(wanted, goods.out[sku] if goods.sent else 0), 0

    # ---- what each listing must show ----
    def demand(self, sku: str) -> dict[Set, int]:
        """Eaches that the warehouses' figures still contain although they are sold, by the warehouses that may serve them."""
        found: dict[Set, int] = defaultdict(int)
        for order in self.world.all_orders:
            each, goods = self.variant.uses(order.channel).get(sku, 0), self.goods(order)
            if not each or (goods is not None and goods.status in ("COMPLETED", "CANCELLED")):
                continue
            if order.cancelled and not (goods and goods.sent):
                continue
            wanted = order.units * each
            if goods is not None:
                wanted = max(wanted, goods.lines[sku])
            of = frozenset([goods.warehouse] if goods and goods.warehouse else self.variant.set_of(order.channel))
            found[of] += max(0, wanted - (goods.out[sku] if goods else 0))
        return found

    def pool(self, sku: str, warehouses: Set) -> int:
        free, demand = self.world.warehouse.free, self.demand(sku)
        return min(
            sum(free[w][sku] for w in inside) - sum(n for of, n in demand.items() if of <= inside)
            for inside in self.sets(warehouses)
        )

    def base(self, listing: str) -> int:
        """Eaches, or complete bundles."""
        warehouses, uses = frozenset(self.variant.set_of(listing)), self.variant.uses(listing)
        if self.variant.sells.get(listing) not in self.variant.bundles:
            return self.pool(next(iter(uses)), warehouses)
        packed = sum(min(max(0, self.pool(c, frozenset([w]))) // n for c, n in uses.items()) for w in warehouses)
        return min(packed, *(max(0, self.pool(c, warehouses)) // n for c, n in uses.items()))

    def policy(self, listing: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, some in self.variant.policies.items():
            if name in ("*", listing):
                fields.update(some)
        return fields

    def offered(self, base: int, policy: dict[str, Any], *, capped: bool = True) -> Decimal:
        """Eaches by the formula, not clamped."""
        left = Decimal(base)
        if base > 0:
            left = left * policy.get("share", 1) * (100 - policy.get("percent", 0)) / 100
        left -= policy.get("buffer", 0)
        if capped and policy.get("max") is not None:
            left = min(left, Decimal(policy["max"]))
        return Decimal(0) if left < policy.get("min_to_list", 0) else left

    def eaches(self, listing: str) -> int:
        return 1 if self.variant.sells.get(listing) in self.variant.bundles else self.world.stores[listing].eaches

    def wrong(self) -> list[str]:
        """Listings, or pools that are split, that do not show what they must, and orders that were created twice."""
        twice = [f"{reference} is at the warehouse twice" for reference in self.world.warehouse.doubled]
        if self.variant.mode == "shared":
            return twice + [
                f"{name} shows {store.quantity}, not {right}"
                for name, store in self.world.stores.items()
                if max(0, store.quantity) != (right := self.right(name))
            ]
        return (
            twice
            + [text for sku in self.variant.skus for text in self._beyond(sku)]
            + [f"{name} could be offered more" for name in self.world.stores if self._fits(name)]
        )

    def right(self, listing: str) -> int:
        eaches = self.offered(self.base(listing), self.policy(listing))
        return max(0, floor(eaches / self.eaches(listing)))

    def _slack(self, sku: str) -> dict[Set, int]:
        """What is left of the SKU in each set of warehouses that somebody sells from, after all that is on offer there."""
        free, demand, found = self.world.warehouse.free, self.demand(sku), {}
        for inside in self.sets():
            members = [n for n in self.world.stores if self.variant.uses(n).get(sku) and self._set(n) <= inside]
            if members:
                left = sum(free[w][sku] for w in inside) - sum(n for of, n in demand.items() if of <= inside)
                ats = max(0, floor(self.offered(left, self.policy(members[0]), capped=False)))
                shown = sum(max(0, self.world.stores[n].quantity) * self.variant.uses(n)[sku] for n in members)
                found[inside] = ats - shown
        return found

    def _set(self, listing: str) -> Set:
        return frozenset(self.variant.set_of(listing))

    def _beyond(self, sku: str) -> Iterator[str]:
        for inside, left in self._slack(sku).items():
            if left < 0:
                yield f"{sku} in {sorted(inside)}: {-left} too many on offer"

    def _fits(self, listing: str) -> bool:
        """Could one more unit be offered? Not where it is packed from several warehouses: quotas are by component, units by warehouse."""
        uses, most = self.variant.uses(listing), self.policy(listing).get("max")
        if most is not None and self.world.stores[listing].quantity + 1 > most // self.eaches(listing):
            return False
        if self.variant.sells.get(listing) in self.variant.bundles and len(self._set(listing)) > 1:
            return False
        return all(
            left >= n
            for sku, n in uses.items()
            for inside, left in self._slack(sku).items()
            if self._set(listing) <= inside
        )
