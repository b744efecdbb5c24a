"""A sale of a scarce product on two storefronts in the simulation: how much is oversold, left unsold, and how many stock requests it takes.

The product's own ledger and delivery rows, its pool split (`escrow`) and shared, beside a writer of absolute figures. Virtual time: the machine's speed changes
nothing, the same seeds give the same figures.
"""

import statistics
from dataclasses import dataclass, replace

from bench.harness import Options, Report, Table, Target
from tests.model.absolute import AbsoluteWriter
from tests.model.peers import Variant
from tests.model.product import Model
from tests.model.variants import BOTH

TITLE = "A flash sale of 50 units on two storefronts: oversold, unsold, stock requests"
_UNITS = 50
_FLASH = Variant(
    BOTH, stock=(_UNITS, _UNITS), orders=10_000, load_s=60.0, max_units=1, cancels=0.0003, receipts=0, quiet_s=200.0
)
_PACED = replace(_FLASH, orders=200, load_s=600.0, cancels=0.05)
_SALES = {
    "flash 50/50": (_FLASH, 30),
    "flash 99.9/0.1": (replace(_FLASH, weights=(0.999, 0.001)), 30),
    "paced 50/50": (_PACED, 100),
}
_OURS = "escrow"
_CONTENDERS = [_OURS, "shared", "absolute, unallocated off", "absolute, warehouse's"]
_MOST_UNSOLD, _MOST_REQUESTS = 1, 20


@dataclass(frozen=True, slots=True)
class _Sale:
    """One seed's end."""

    oversold: int
    unsold: int
    requests: int


def _sell(contender: str, variant: Variant, seed: int) -> _Sale:
    model = (
        AbsoluteWriter(seed, variant, contender != _CONTENDERS[-1])
        if contender.startswith("absolute")
        else Model(seed, replace(variant, mode=contender))
    )
    model.run()
    return _Sale(model.oversold(), max(0, model.free()), model.writes)


def run(options: Options) -> Report:
    """Every sale with every contender on the same seeds."""
    table = Table(
        "Mean of a sale, in brackets the worst",
        ["sale", "seeds", "policy", "sales oversold", "oversold", "unsold at the end", "stock requests"],
        [],
    )
    ours: dict[str, list[_Sale]] = {}
    for title, (variant, most) in _SALES.items():
        seeds = options.scaled(most)
        for contender in _CONTENDERS:
            found = [_sell(contender, variant, seed) for seed in range(seeds)]
            if contender == _OURS:
                ours[title] = found
            over, left, sent = ([getattr(x, name) for x in found] for name in ("oversold", "unsold", "requests"))
            cells = [f"{statistics.mean(values):,.1f} ({max(values):,})" for values in (over, left, sent)]
            table.rows.append([title, str(seeds), contender, str(sum(n > 0 for n in over)), *cells])
    return Report(
        "Does a split pool keep a flash sale from overselling, sell it out, and spare the storefronts' request budgets?",
        [target for title, sales in ours.items() for target in _targets(title, sales)],
        [table],
        notes=[
            "Flash: 10,000 orders in 60 s; paced: 200 orders in 600 s, 5 % of them cancelled; 50/50 and 99.9/0.1: how the buyers divide over the two. "
            f"{_UNITS} units, one an order; one listing checks versions (commercetools), one applies later (BigCommerce). Notifications are late, doubled "
            "and lost, requests time out, workers crash, as in `make simulate`.",
            "The absolute writer takes the orders off that the warehouse has not allocated yet, or writes the warehouse's figure as it is. It is kindly "
            "treated: it knows what the product knows, it never fails on a version, never crashes, and retries.",
            "Unsold is what is still on offer when the last buyer has come. A split pool moves a unit only after the giving storefront has shown that it "
            "no longer offers it; where orders come in all the time, a BigCommerce listing may have to be read several times to show that, 8 s apart "
            "here.",
        ],
    )


def _targets(title: str, sales: list[_Sale]) -> list[Target]:
    oversold = sum(sale.oversold for sale in sales)
    unsold = [sale.unsold for sale in sales]
    requests = statistics.mean(sale.requests for sale in sales)
    return [
        Target(f"{title}: units oversold in all sales", "0", str(oversold), oversold == 0),
        Target(
            f"{title}: unsold at the end, a sale",
            f"<= {_MOST_UNSOLD} on average",
            f"{statistics.mean(unsold):.2f} (worst {max(unsold)})",
            statistics.mean(unsold) <= _MOST_UNSOLD,
        ),
        Target(
            f"{title}: stock requests, a sale",
            f"<= {_MOST_REQUESTS} on average",
            f"{requests:.1f}",
            requests <= _MOST_REQUESTS,
        ),
    ]
