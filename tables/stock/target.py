"""R4: from a pool and a policy to the gross figures of a listing. Exact decimals, one floor at the end. Pure."""

from decimal import ROUND_FLOOR, Decimal

import msgspec

from tables.catalogue import Policy


class Offer(msgspec.Struct, frozen=True):
    """`inc`: raise to this gross figure when below; `dec`: lower to it when above; `available`: units on offer to subscribers, never below 0."""

    inc: int
    dec: int
    to_zero: bool
    available: int


def offer(base: int, policy: Policy, eaches: int, taken: int, velocity: Decimal, decrements: bool = True) -> Offer:
    """The listing's figures for a pool of `base` eaches. `velocity` is the cover of the policy's seconds at the present speed, in eaches.

    The clamp at 0 limits decreases only: an increase is measured from the unclamped figure, or a sale seen before the cancel that freed its
    unit would raise the listing (finding 7).
    """
    units = units_of(base, policy, eaches, velocity)
    if not decrements:
        shown = max(0, units)
        return Offer(shown, shown, shown == 0, shown)
    inc = units + taken
    dec = max(inc, taken)
    return Offer(inc, dec, dec <= taken, max(0, units))


def units_of(base: int, policy: Policy, eaches: int, velocity: Decimal) -> int:
    """Selling units the policy offers of the pool; below 0 where it lacks that many."""
    x = Decimal(base)
    if base > 0:
        x = x * policy.share * (100 - policy.percent) / 100
    x = x - policy.buffer - velocity
    if policy.max is not None:
        x = min(x, Decimal(policy.max))
    if x < policy.min_to_list:
        x -= policy.min_to_list
    return int((x / eaches).to_integral_value(ROUND_FLOOR))


def priority_of(before: int, after: Offer) -> int:
    """Urgency of a command against the one before (its `dec`): 1 to zero or nearly, 4 other decreases, 5 increases."""
    if after.to_zero or (after.dec < before and after.available <= 3):
        return 1
    return 4 if after.dec < before else 5
