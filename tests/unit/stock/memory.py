"""Short ways to make events of the stock ledger and to fold them over rows in memory."""

from collections.abc import Iterable
from typing import Any

from schemas.records import (
    AvailableToSell,
    Baseline,
    DemandLine,
    ReadBack,
    Record,
    ReflectedLine,
    StockLevel,
    StockTarget,
    Watermark,
)
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries.peers import Bounds
from tables.stock import fold
from tables.stock.publish import publish
from tables.stock.rows import Effect, Rules, SkuRow
from tests.support.stock import Memory

EXACT = Bounds(late_max=6000, apply_max=2000, visible_lag=0, order_slack=0)
SLACK = Bounds(late_max=6000, apply_max=2000, visible_lag=0, order_slack=2000)

MUG, CASE, CARD, BOX = (
    Listing("shop", "M1", "MUG"),
    Listing("shop", "M12", "MUG", "case", 12),
    Listing("shop", "C1", "CARD"),
    Listing("shop", "B1", "BOX"),
)


def rules(
    *policies: PolicyRule, bounds: Bounds = EXACT, decrementless: Iterable[str] = (), partitions: int = 1
) -> Rules:
    catalogue = Catalogue(
        [
            Product("MUG", {"each": 1, "case": 12}, {}, (MUG, CASE)),
            Product("CARD", listings=(CARD,)),
            Product("BOX", bundle={"MUG": 2, "CARD": 1}, listings=(BOX,)),
        ],
        [PolicyRule("*", "*", {"mode": Mode.SHARED}), *policies],
        ["MAIN", "NORTH"],
    )
    return Rules(catalogue, partitions, {"shop": bounds}, frozenset(decrementless))


class Ledger:
    """Folds events and publishes after each."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.state = rules, Memory()

    def __call__(self, *bodies: Record, at: int = 0) -> list[Effect]:
        effects: list[Effect] = []
        for body in bodies:
            folded = fold.apply(self.state, self.rules, body, at)  # type: ignore[arg-type]
            effects += folded.effects
            for sku, cause in folded.touched.items():
                effects += publish(self.state, self.rules, sku, cause)
        return effects

    @property
    def mug(self) -> SkuRow:
        row = self.state.sku("MUG")
        assert row is not None
        return row


def targets(effects: list[Effect], listing: Listing = MUG) -> list[tuple[int, int]]:
    return [(e.inc, e.dec) for e in effects if isinstance(e, StockTarget) and e.listing == listing.id]


def shown(effects: list[Effect], listing: Listing = MUG) -> list[tuple[int, str]]:
    return [(e.available, e.cause) for e in effects if isinstance(e, AvailableToSell) and e.listing == listing.id]


def level(read_no: int, main: int = 10, north: int = 0, *lines: ReflectedLine, **fields: Any) -> StockLevel:
    given: dict[str, Any] = {"sku": "MUG", "chunk": 0, "chunks": 1, **fields}
    return StockLevel(read_no=read_no, balances={"MAIN": main, "NORTH": north}, lines=list(lines), read_at=0, **given)


def reflected(order: str, out: int, closed: bool = False, warehouse: str | None = None) -> ReflectedLine:
    return ReflectedLine(reference=f"shop:{order}", out=out, closed=closed, warehouse=warehouse)


def line(order: str, units: int, version: int = 1, **fields: Any) -> DemandLine:
    listing = fields.pop("of", MUG)
    at = fields.pop("at", 5000)
    given: dict[str, Any] = {
        "sku": "MUG",
        "line_id": "1",
        "eaches": units * listing.eaches,
        "state": "OPEN",
        "warehouses": ["MAIN", "NORTH"],
        "taken_from": at,
        "taken_to": at,
        **fields,
    }
    return DemandLine(
        reference=f"shop:{order}",
        channel=given.pop("channel", "shop"),
        order_id=order,
        version=version,
        listing=listing.id,
        units=units,
        **given,
    )


def watermark(up_to: int, partition: int = 0) -> Watermark:
    return Watermark(channel="shop", order_partition=partition, up_to=up_to)


def baseline(quantity: int = 0, at: int = 1000, epoch: int = 1, listing: Listing = MUG) -> Baseline:
    return Baseline(sku=listing.product, listing=listing.id, epoch=epoch, quantity=quantity, at_from=at, at_to=at)


def read_back(quantity: int, at: int, published: int, pver: int = 1, epoch: int = 1, verify: bool = False) -> ReadBack:
    return ReadBack(
        sku="MUG",
        listing=MUG.id,
        epoch=epoch,
        pver=pver,
        quantity=quantity,
        at_from=at,
        at_to=at,
        published=published,
        verify=verify,
    )


def adopted(rules: Rules, main: int = 10, quantity: int = 0) -> Ledger:
    """A ledger whose MUG is read and whose single listing is adopted, with its first target sent."""
    ledger = Ledger(rules)
    ledger(level(1, main), baseline(quantity), watermark(4000))
    return ledger
