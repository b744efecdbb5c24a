"""R9: one pool split into quotas, so that two storefronts can never sell the same unit. Pure arithmetic on the quotas of one product.

All figures are gross: what was ever offered. What a listing may still sell is at most `high - taken`; the sum of that over the sellers of a region, in
eaches, never exceeds what is left there through anything done here. Units move from one listing to another only after the giving side's decrease is settled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tables.stock.pool import Region
from tables.stock.rows import Quota, WaitingOutcome

WAITING_KEPT = 32
"""Outcomes of one listing that wait for the watermark one by one; beyond that the newest replaces the one before it."""


@dataclass(slots=True)
class Seller:
    """One listing of the pool. `sold`: units of the last 30 s of its storefront's time; `most`: units it may offer at most, None for no limit."""

    quota: Quota
    taken: int
    eaches: int
    sold: int = 0
    most: int | None = None

    @property
    def held(self) -> int:
        """Eaches that it may still sell, whatever becomes of every command."""
        return max(0, high(self.quota) - self.taken) * self.eaches

    @property
    def aim(self) -> int:
        """Eaches that it shall offer."""
        return max(0, self.quota.target - self.taken) * self.eaches

    @property
    def settled(self) -> bool:
        """Nothing of it is on its way that could change what it may still sell."""
        return high(self.quota) <= max(self.quota.target, self.taken)


def high(quota: Quota) -> int:
    """The most gross units the listing can have or come to have: what is settled, what was sent, what is wanted."""
    return max(quota.conf, quota.target, *quota.issued.values())


def begin(figure: int, version: int, sent: bool) -> Quota:
    """The quota of a listing whose pool is split from now on, from the figure it has by a baseline or by its newest command.

    Commands from before may still be on their way: nothing is granted before an outcome of a command sent from now on is settled.
    """
    return Quota(target=figure, conf=figure, unsure=version + 1 if sent else 0)


def told(quota: Quota, outcome: WaitingOutcome) -> None:
    """An outcome, to wait for the channel's watermark. They come in the order of their versions."""
    if len(quota.waiting) >= WAITING_KEPT:
        quota.waiting.pop()
    quota.waiting.append(outcome)


def settle(quota: Quota, watermark: int) -> bool:
    """Step 1: outcomes count once all orders up to their time are folded, in their order. True: at least one did."""
    found = False
    while quota.waiting and quota.waiting[0].at <= watermark:
        outcome = quota.waiting.pop(0)
        quota.conf = outcome.bound
        quota.issued = {version: inc for version, inc in quota.issued.items() if version > outcome.version}
        if quota.unsure <= outcome.version:
            quota.unsure = 0
        found = True
    return found


def divide(sellers: Sequence[Seller], regions: Sequence[Region]) -> None:
    """Steps 2 to 4 on the targets. Each region limits some of the sellers, by their places; every seller is in at least one."""
    _cap(sellers)
    for region in regions:
        _shrink([sellers[i] for i in region.members], region.left)
    if any(seller.quota.unsure for seller in sellers):
        return
    slack = [region.left - sum(sellers[i].held for i in region.members) for region in regions]
    limits = [[n for n, region in enumerate(regions) if i in region.members] for i in range(len(sellers))]
    _grant(sellers, slack, limits)
    _rebalance(sellers, regions, slack, limits)


def _cap(sellers: Sequence[Seller]) -> None:
    for seller in sellers:
        if seller.most is not None:
            seller.quota.target = min(seller.quota.target, seller.taken + seller.most)


def _shrink(sellers: Sequence[Seller], pool: int) -> None:
    """Lower the largest first until all together aim at no more than the pool."""
    aim: Callable[[Seller], int] = lambda seller: seller.aim  # noqa: E731
    while (excess := sum(map(aim, sellers)) - max(pool, 0)) > 0:
        largest = max(sellers, key=aim)
        largest.quota.target -= max(1, min(excess, largest.aim // 2 or 1) // largest.eaches)


def _grant(sellers: Sequence[Seller], slack: list[int], limits: Sequence[Sequence[int]]) -> None:
    """Give what nobody holds to the listing poorest for its speed: unit by unit near the end, in larger steps while there is much. `slack` is used up."""
    while True:
        fit = [
            (seller, room, places)
            for seller, places in zip(sellers, limits, strict=True)
            if seller.eaches <= (room := min(slack[n] for n in places)) and _may_grow(seller)
        ]
        if not fit:
            return
        poorest, room, places = min(fit, key=lambda one: _need(one[0]))
        quota, before = poorest.quota, poorest.held
        start = max(quota.target, poorest.taken)
        step = max(1, room // (16 * len(sellers) * poorest.eaches))
        if poorest.most is not None:
            step = min(step, poorest.taken + poorest.most - start)
        if (free := high(quota) - start) > 0:
            step = min(step, free)
        quota.target = start + step
        for n in places:
            slack[n] -= poorest.held - before


def _need(seller: Seller) -> tuple[float, int]:
    """Who has the least for its speed is granted first."""
    return (seller.aim + seller.eaches) / (seller.sold + 1), seller.aim


def _may_grow(seller: Seller) -> bool:
    return seller.most is None or max(seller.quota.target, seller.taken) < seller.taken + seller.most


def _rebalance(
    sellers: Sequence[Seller], regions: Sequence[Region], slack: Sequence[int], limits: Sequence[Sequence[int]]
) -> None:
    """Nothing is on its way, one has nothing left: another gives half, which is granted anew once its decrease is settled.

    Only one that is in every region that keeps the poor one from growing can help it. One that sells is helped by whoever has two units or sells nothing;
    one that does not sell only by another that does not either, and only where what is given is enough and will be granted to it.
    """
    if not all(seller.settled for seller in sellers):
        return
    empty = [(seller, places) for seller, places in zip(sellers, limits, strict=True) if _wants(seller)]
    for poor, places in sorted(empty, key=lambda one: not one[0].sold):
        tight = [n for n in places if slack[n] < poor.eaches]
        others = [s for i, s in enumerate(sellers) if all(i in regions[n].members for n in tight)]
        if poor.sold:
            rich = [s for s in others if s.aim >= 2 * s.eaches or (s.aim and not s.sold)]
        else:
            lacks = poor.eaches - min((slack[n] for n in tight), default=0)
            rich = [s for s in others if not s.sold and _half(s) * s.eaches >= lacks and _after(s) >= poor.eaches]
            if any(_need(s) <= _need(poor) for s in sellers if s is not poor and _may_grow(s)):
                continue
        if rich:
            giver = max(rich, key=lambda seller: seller.aim)
            giver.quota.target -= _half(giver)
            return


def _wants(seller: Seller) -> bool:
    return not seller.held and seller.most != 0


def _half(seller: Seller) -> int:
    return max(1, seller.aim // seller.eaches // 2)


def _after(seller: Seller) -> int:
    """Eaches left to it when it gives half."""
    return seller.aim - _half(seller) * seller.eaches
