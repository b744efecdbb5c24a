"""R9: one pool split into quotas, so that two storefronts can never sell the same unit. Pure arithmetic on the quotas of one product.

All figures are gross: what was ever offered. What a listing may still sell is at most `high - taken`; the sum of that over the sellers of a region, in
eaches, never exceeds what is left there through anything done here. Units move from one listing to another only after the giving side's decrease is settled.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tables.stock.pool import Region
from tables.stock.rows import Quota, WaitingOutcome

WAITING_KEPT = 32
"""Outcomes of one listing that wait for the watermark one by one; beyond that the newest replaces the one before it."""


_LITTLE = 4
"""Eaches by which speeds are compared more cautiously: between one sold unit and none lies little."""


@dataclass(slots=True)
class Seller:
    """One listing of the pool, or a bundle's listings together. `sold`: its speed, units in 30 s of its storefront's time, by its last sales; `idle`: it
    sold nothing in the last 30 s; `most`: units it may offer at most, None for no limit; `stalled`, of a bundle, else None: it offers nothing of what it is
    granted, because another of its components grants it nothing."""

    quota: Quota
    taken: int
    eaches: int
    sold: int = 0
    most: int | None = None
    idle: bool = False
    stalled: bool | None = None

    @property
    def quiet(self) -> bool:
        """Nobody buys there at present, as far as is known."""
        return self.idle or not self.sold

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
    """Steps 2 to 4 on the targets. Each region limits some of the sellers, by their places; every seller is in at least one.

    Nobody gives in the pass that grants: a raised figure that was not sent yet would be free at once when lowered, and granted before the rest of the gift.
    """
    _cap(sellers)
    for region in regions:
        _shrink([sellers[i] for i in region.members], region.left)
    if any(seller.quota.unsure for seller in sellers):
        return
    slack = [region.left - sum(sellers[i].held for i in region.members) for region in regions]
    limits = [[n for n, region in enumerate(regions) if i in region.members] for i in range(len(sellers))]
    granted = list(_grants(sellers, slack, limits))
    if not granted:
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


def _grants(sellers: Sequence[Seller], slack: list[int], limits: Sequence[Sequence[int]]) -> Iterator[Seller]:
    """Give what nobody holds to the listing poorest for its speed: unit by unit near the end, in larger steps while there is much. `slack` is used up.

    Yields whom it gave to, after every step.
    """
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
        yield poorest


def _need(seller: Seller) -> tuple[float, int]:
    """Who has the least for its speed is granted first."""
    return (seller.aim + seller.eaches) / (seller.sold + 1), seller.aim


def _may_grow(seller: Seller) -> bool:
    return seller.most is None or max(seller.quota.target, seller.taken) < seller.taken + seller.most


def _rebalance(
    sellers: Sequence[Seller], regions: Sequence[Region], slack: Sequence[int], limits: Sequence[Sequence[int]]
) -> None:
    """Nothing is on its way, one has nothing left: another gives a part, which is granted anew once its decrease is settled.

    Only one that is in every region that keeps the poor one from growing can help it. One that sells is helped by whoever has two units or sells nothing;
    one that does not sell only by another that does not either and keeps enough, or is a stalled bundle. Nobody gives what would then be granted to
    others only, or to nobody.
    """
    if not all(seller.settled for seller in sellers):
        return
    empty = [(i, seller) for i, seller in enumerate(sellers) if _wants(seller)]
    for poor, seller in sorted(empty, key=lambda one: not one[1].sold):
        tight = [n for n in limits[poor] if slack[n] < seller.eaches]
        others = [i for i in range(len(sellers)) if all(i in regions[n].members for n in tight)]
        rich = [i for i in others if _can_give(sellers[i], seller)]
        for giver in sorted(rich, key=lambda i: -sellers[i].aim):
            if _would_help(giver, poor, sellers, slack, limits):
                sellers[giver].quota.target -= _gift(sellers[giver], seller)
                return


def _can_give(giver: Seller, poor: Seller) -> bool:
    if poor.sold:
        return giver.aim >= 2 * giver.eaches or (giver.aim > 0 and giver.quiet and giver.sold < poor.sold)
    keeps = giver.aim - _gift(giver, poor) * giver.eaches
    return giver.quiet and (keeps >= poor.eaches or (keeps >= 0 and giver.stalled is True and poor.stalled is None))


def _would_help(
    giver: int, poor: int, sellers: Sequence[Seller], slack: Sequence[int], limits: Sequence[Sequence[int]]
) -> bool:
    """Would the poor one be granted a unit, by the rule of grants, once the giver's decrease is settled?

    So each time one less has nothing left, and giving comes to an end. What cannot be enough is refused without a trial.
    """
    gift = _gift(sellers[giver], sellers[poor])
    freed = [left + gift * sellers[giver].eaches * (n in limits[giver]) for n, left in enumerate(slack)]
    if any(freed[n] < sellers[poor].eaches for n in limits[poor]):
        return False
    after = [replace(seller, quota=Quota(target=seller.quota.target)) for seller in sellers]
    after[giver].quota.target -= gift
    return any(one is after[poor] for one in _grants(after, freed, limits))


def _wants(seller: Seller) -> bool:
    return not seller.held and seller.most != 0


def _gift(giver: Seller, poor: Seller) -> int:
    """Units of the giver: half of them, or more where the poor one sells much faster. One that sold little is not taken to sell nothing."""
    units = giver.aim // giver.eaches
    fast, slow = (one.sold * one.eaches + _LITTLE for one in (poor, giver))
    kept = max(1, round(units * slow / (fast + slow)))
    return max(1, units // 2, units - kept)
