"""A worker with one rule taken out, for drills that show which check then fails: `python broken_worker.py RULE --config FILE`. Only tests start it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

import app.main  # noqa: F401  (every module that holds a rule is loaded before one is taken out)
from app.cli import main
from app.delivery.bucket import Bucket
from schemas.records import OrderSnapshot, Payment, ReleaseOrder, StockLevel, WarehouseReturn
from tables.deliveries import refunds, releases, shipments, twins
from tables.orders import fold as orders
from tables.orders.effects import Effect
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules
from tables.returns import fold as returns
from tables.stock import levels, pool
from tables.stock.rows import LineRead, SkuRow


def _everywhere(rule: Callable[..., Any], instead: Callable[..., Any]) -> None:
    """Put another function in its place wherever it was imported."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is rule:
                setattr(module, name, instead)


def orders_are_not_released() -> None:
    snapshot = orders.snapshot

    def silent(row: OrderRow, seen: OrderSnapshot, rules: Rules, now: int) -> list[Effect]:
        return [effect for effect in snapshot(row, seen, rules, now) if not isinstance(effect, ReleaseOrder)]

    _everywhere(snapshot, silent)


def nobody_looks_before_sending_again() -> None:
    """Nor for twins afterwards: they would be cancelled."""
    next_step = releases.next_step

    def blind(row: releases.ReleaseRow, now: int, *, picks: bool = False) -> releases.Step:
        step = next_step(row, now, picks=picks)
        if isinstance(step, releases.LookUp) and row.order is not None and not row.cancel:
            return releases.Create(row.order)
        return step

    _everywhere(next_step, blind)
    _everywhere(twins.sort, lambda row, alive: alive[0])


def nobody_looks_before_shipping_again() -> None:
    next_step = shipments.next_step

    def blind(row: shipments.ShipmentRow, *seen: Any) -> shipments.Step:
        sends = row.command is not None and row.command.wanted
        return shipments.Ship(row.command) if sends else next_step(row, *seen)  # type: ignore[arg-type]

    _everywhere(next_step, blind)


def nobody_looks_before_refunding_again() -> None:
    next_step = refunds.next_step

    def blind(row: refunds.RefundRow, *seen: Any) -> refunds.Step:
        command = row.command
        wanted = command.shipping + sum(line.amount for line in command.lines) if command else 0
        if command is None or not wanted:
            return next_step(row, *seen)
        if row.sure:
            return refunds.Settled(row.sure, 0, "", {})
        return refunds.Refund(command.key, wanted, tuple(command.lines), command.shipping, 0)

    _everywhere(next_step, blind)


def goods_are_refunded_when_they_arrive() -> None:
    warehouse = returns.warehouse

    def hasty(row: OrderRow, book: Any, seen: WarehouseReturn, *more: Any) -> list[returns.Command]:
        return warehouse(row, book, msgspec.structs.replace(seen, restocked=seen.received), *more)

    returns.warehouse = hasty  # type: ignore[assignment]


def refunds_of_other_people_do_not_count() -> None:
    next_step = refunds.next_step

    def alone(row: refunds.RefundRow, captured: int, shown: Sequence[Payment], *more: Any) -> refunds.Step:
        return next_step(row, captured, [one for one in shown if one.key.startswith(returns.KEY)], *more)

    _everywhere(next_step, alone)


def open_orders_do_not_count() -> None:
    whole = pool.pool
    _everywhere(whole, lambda free, demand, warehouses: whole(free, {}, warehouses))


def only_the_first_level_counts() -> None:
    collect = levels.collect

    def first(row: SkuRow, level: StockLevel) -> list[LineRead] | None:
        return None if row.read_no else collect(row, level)

    _everywhere(collect, first)


def budgets_do_not_bind() -> None:
    Bucket.wait = lambda self, now, *, urgent: 0.0  # type: ignore[method-assign]


RULES: Mapping[str, Callable[[], None]] = {
    rule.__name__: rule
    for rule in (
        orders_are_not_released,
        nobody_looks_before_sending_again,
        nobody_looks_before_shipping_again,
        nobody_looks_before_refunding_again,
        goods_are_refunded_when_they_arrive,
        refunds_of_other_people_do_not_count,
        open_orders_do_not_count,
        only_the_first_level_counts,
        budgets_do_not_bind,
    )
}

if __name__ == "__main__":
    RULES[sys.argv[1]]()
    sys.argv[1:2] = ["worker"]
    main()
