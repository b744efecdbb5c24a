"""R9: does a listing's storefront refuse to sell what it does not show? What reads, orders and the configuration say of it. Pure.

It makes no difference to how a pool is treated: that stays split, which is safer than sharing it, and says that nothing is guaranteed
(`tables.stock.policy.no_guarantee`).
"""

from schemas.records import DemandLine
from tables.stock.rows import ListingState, Rules


def heard(state: ListingState, line: DemandLine) -> None:
    """An order of the listing tells how its storefront sold it. The newest order counts."""
    if line.taken_to >= state.guard_at:
        state.guard_at, state.sold_unguarded = line.taken_to, line.unguarded


def reason(rules: Rules, listing: str, state: ListingState) -> str:
    """Why the listing's storefront may sell more than it shows; empty: it is eligible."""
    channel = rules.catalogue.listings[listing].channel
    by_kind = "its storefront does not lower its own quantities" if channel in rules.decrementless else ""
    return by_kind or rules.unguarded.get(channel, "") or state.unguarded or state.sold_unguarded
