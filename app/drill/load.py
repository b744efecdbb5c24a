"""Many customers at once: a seeded, open-loop load of orders. Which listings a customer picks is here; what the storefront says to it is the simulator's."""

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

from app.drill.file import LoadStep
from app.drill.model import Offer, Offers
from app.simulators.contract import NewLine, NewOrder, StepRefused, StorefrontOrder, StorefrontSimulator

ZIPF_EXPONENT = 1.1
Basket = list[tuple[Offer, int]]
"""Listings with selling units."""


class Shoppers:
    """Draws orders: a channel evenly, then distinct listings of it, by the popularity of their products."""

    def __init__(self, load: LoadStep, offers: Offers, channels: Sequence[str], rng: random.Random) -> None:
        self._load, self._rng = load, rng
        ranked = list(dict.fromkeys(offer.product for offer in offers.all))
        weight = {sku: 1 / (rank + 1) ** ZIPF_EXPONENT for rank, sku in enumerate(ranked)}
        if load.skus != "zipf":
            weight = dict.fromkeys(load.skus, 1.0)
        self._stalls = {
            c: _Stall([o for o in offers.all if o.channel == c and o.product in weight], weight) for c in channels
        }
        self._channels = [channel for channel in channels if self._stalls[channel].offers]

    @property
    def empty(self) -> bool:
        """Is there nothing to buy at any channel?"""
        return not self._channels

    def draw(self) -> tuple[str, Basket]:
        """The next customer's channel and basket."""
        channel = self._rng.choice(self._channels)
        offers = self._stalls[channel].pick(self._rng.randint(*self._load.lines), self._rng)
        return channel, [(offer, self._rng.randint(*self._load.qty)) for offer in offers]


class _Stall:
    """The listings of one channel, weighted; several listings of one product share its weight."""

    def __init__(self, offers: list[Offer], weight: dict[str, float]) -> None:
        self.offers = offers
        several = {o.product: sum(p.product == o.product for p in offers) for o in offers}
        self._sums = list(accumulate(weight[o.product] / several[o.product] for o in offers))

    def pick(self, number: int, rng: random.Random) -> list[Offer]:
        picked: dict[int, Offer] = {}
        tries = 0
        while len(picked) < min(number, len(self.offers)):
            tries += 1
            index = min(bisect_left(self._sums, rng.random() * self._sums[-1]), len(self.offers) - 1)
            if tries > 50 * number:
                index = next(i for i in range(len(self.offers)) if i not in picked)
            picked[index] = self.offers[index]
        return list(picked.values())


class Listed(Protocol):
    """Told of every order that was placed, and of every customer who left with nothing."""

    def placed(self, channel: str, order: StorefrontOrder) -> None: ...
    def turned_away(self, channel: str) -> None: ...


async def checkout(
    storefront: StorefrontSimulator, basket: Basket, paid: bool, shipping: str
) -> StorefrontOrder | None:
    """Place an order; lines that the storefront refuses are dropped, the shortest one first. None where none is left."""

    def spare(line: tuple[Offer, int]) -> int:
        return storefront.quantity(line[0].sku, line[0].location) - line[1]

    while basket:
        lines = tuple(NewLine(offer.sku, qty) for offer, qty in basket)
        try:
            return await storefront.place(NewOrder("", lines, paid=paid, shipping=shipping))
        except StepRefused:
            shortest = min(basket, key=spare)
            basket = [line for line in basket if line is not shortest]
    return None


async def run_load(
    load: LoadStep,
    shoppers: Shoppers,
    storefronts: dict[str, StorefrontSimulator],
    listed: Listed,
    shipping: str,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Customers come at the file's rate whether the storefronts are fast or slow."""
    started, number = clock(), round(load.orders_per_second * load.lasts / 1000)
    for n in range(number):
        if (wait := started + n / load.orders_per_second - clock()) > 0:
            await asyncio.sleep(wait)
        channel, basket = shoppers.draw()
        order = await checkout(storefronts[channel], basket, load.paid, shipping)
        if order is None:
            listed.turned_away(channel)
        else:
            listed.placed(channel, order)
        if n % 20 == 0:
            await asyncio.sleep(0)
