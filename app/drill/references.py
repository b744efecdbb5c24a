"""What the names in a drill file refer to: channels, codes, warehouses, units, orders, peers. Pure; the form of the file is right already."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.config.checks import Fault as Reference
from app.config.checks import setting_faults
from app.config.document import Path_, dotted
from app.drill.configuration import WITHHELD, product_data
from app.drill.file import (
    RESERVED,
    BigCommerceChannel,
    DrillFile,
    EditStep,
    FaultStep,
    LoadStep,
    OrderRef,
    OrderStep,
    RefundByHand,
    ReturnStep,
    SetStock,
    Step,
    WmsStep,
)
from app.settings import Settings
from app.simulators.clarus.model import STATUS_NAMES
from tables.exceptions import CATALOGUE

_KAFKA_KINDS = ("down", "timeout")
STATUSES = (*STATUS_NAMES, "DELETED")
"""What a WMS order of the report can be; the last one where nothing of it is left."""


@dataclass(slots=True)
class _Names:
    """What may be referred to, the parts with a wrong form included: they are at fault already."""

    channels: list[str]
    warehouses: list[str]
    skus: list[str]
    bundles: set[str]
    listings: dict[str, set[tuple[str, str]]]
    orders: Counter[tuple[str, str]] = field(default_factory=Counter)


def reference_faults(
    file: DrillFile, raw: Mapping[str, Any], kept: Mapping[str, Any], touched: set[str]
) -> list[Reference]:
    """Everything that refers to nothing, or to the wrong thing.

    `raw` is the file as it was written, `kept` the part of it with a right form, `touched` the parts with a wrong one: what rests on them is not judged.
    """
    names = _names(file, raw)
    faults = list(_withheld(raw))
    if not touched & {"channels", "warehouses", "products"}:
        found = setting_faults(Settings.model_validate(product_data(file, kept)))
        faults += [Reference(f.path, f.text.removeprefix(dotted(f.path))) for f in found]
    faults += _stock(file, names)
    faults += _expected(file, names)
    for index, step in enumerate(file.steps):
        for fault in _step(step, names, file):
            faults.append(Reference(("steps", index, *fault.path), fault.text))
    return faults


def _names(file: DrillFile, raw: Mapping[str, Any]) -> _Names:
    def given(name: str, kind: type) -> Any:
        value = raw.get(name)
        return value if isinstance(value, kind) else kind()

    products = [p for p in given("products", list) if isinstance(p, dict) and isinstance(p.get("sku"), str)]
    names = _Names(
        [str(c) for c in given("channels", dict)],
        [str(w) for w in given("warehouses", list)],
        [p["sku"] for p in products],
        {p["sku"] for p in products if p.get("bundle")},
        {},
    )
    for product in file.products:
        for channel, listing in product.listed():
            names.listings.setdefault(channel, set()).add((listing.sku, listing.location))
    names.orders.update((s.order.channel, s.order.id) for s in file.steps if s.order is not None)
    return names


def _withheld(raw: Mapping[str, Any]) -> Iterator[Reference]:
    settings = raw.get("settings")
    for group, field_name in WITHHELD:
        inner = settings.get(group) if isinstance(settings, dict) else None
        if isinstance(inner, dict) and field_name in inner:
            yield Reference(
                ("settings", group, field_name),
                " is set by the drill itself; allowed: leave it out (--broker names a broker)",
            )


def _stock(file: DrillFile, names: _Names) -> Iterator[Reference]:
    for index, product in enumerate(file.products):
        for warehouse in product.stock:
            if warehouse not in names.warehouses:
                yield Reference(("products", index, "stock", warehouse), _no("warehouse", warehouse, names.warehouses))
        if product.bundle and product.stock:
            yield Reference(
                ("products", index, "stock"), ": a bundle has no stock of its own; allowed: stock of its components"
            )


def _expected(file: DrillFile, names: _Names) -> Iterator[Reference]:
    for channel, figures in file.expect.stock.items():
        path: Path_ = ("expect", "stock", channel)
        if channel not in names.channels:
            yield Reference(path, _no("channel", channel, names.channels))
            continue
        listed = {sku + (f"@{place}" if place else "") for sku, place in names.listings.get(channel, set())}
        for listing in figures.keys() - listed:
            yield Reference((*path, listing), _no(f"listing of {channel}", listing, listed))
    placed = {f"{channel}:{number}" for channel, number in names.orders}
    for kind in ("states", "shipments", "refunded", "staff_notes", "wms", "wms_lines", "wms_address"):
        for order in getattr(file.expect, kind).keys() - placed:
            yield Reference(("expect", kind, order), _no("order of a step", order, placed))
    for kind in ("exceptions", "open_exceptions"):
        for name in (getattr(file.expect, kind) or {}).keys() - CATALOGUE.keys():
            yield Reference(("expect", kind, name), _no("exception type", name, CATALOGUE))
    for order, statuses in file.expect.wms.items():
        for n, status in enumerate(statuses):
            if status not in STATUSES:
                path = ("expect", "wms", order, n)
                yield Reference(path, _no("status of a WMS order", status, STATUSES))
    for n, index in enumerate(file.expect.failed_steps):
        if index >= len(file.steps):
            yield Reference(
                ("expect", "failed_steps", n), f" is {index}; allowed: a step of the file, 0 to {len(file.steps) - 1}"
            )


def _no(kind: str, name: str, allowed: Any) -> str:
    shown = sorted(set(allowed))
    close = difflib.get_close_matches(name, shown, 1)
    hint = f"; did you mean {close[0]}?" if close and len(shown) > 12 else ""
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return f": there is no {kind} {name!r}{hint}; allowed: {', '.join(shown[:12]) or 'none is there'}{more}"


def _step(step: Step, names: _Names, file: DrillFile) -> Iterator[Reference]:
    if step.order is not None:
        yield from _order(step.order, names, file)
    for kind, ref in (("pay", step.pay), ("edit", step.edit), ("cancel", step.cancel), ("return", step.returned)):
        if ref is not None:
            yield from _order_ref(kind, ref, names, file)
    for kind, lined in (("return", step.returned), ("channel", step.channel.refund if step.channel else None)):
        if lined is not None:
            yield from _ordered_lines(kind, lined, file)
    if step.wms is not None:
        yield from _wms(step.wms, names)
    if step.channel is not None and step.channel.set_stock is not None:
        yield from _storefront(step.channel.set_stock, names)
    if step.channel is not None and step.channel.refund is not None:
        yield from _order_ref("channel", step.channel.refund, names, file)
    if step.fault is not None:
        yield from _peer_fault(step.fault, names)
    if step.load is not None:
        yield from _load(step.load, names)
    if step.go_live is not None:
        given = file.channels.get(step.go_live.channel)
        if given is None or not given.shadow:
            starting = [name for name, one in file.channels.items() if one.shadow]
            path: Path_ = ("go_live", "channel")
            yield Reference(path, _no("channel that starts in shadow", step.go_live.channel, starting))


def _order(order: OrderStep, names: _Names, file: DrillFile) -> Iterator[Reference]:
    channel = file.channels.get(order.channel)
    if order.channel not in names.channels:
        yield Reference(("order", "channel"), _no("channel", order.channel, names.channels))
    if names.orders[order.channel, order.id] > 1:
        yield Reference(
            ("order", "id"), f": {order.id!r} is placed more than once at {order.channel}; allowed: every id once"
        )
    if isinstance(channel, BigCommerceChannel) and not (
        order.id.isascii() and order.id.isdigit() and order.id[0] != "0"
    ):
        yield Reference(("order", "id"), f": {order.id!r} is no order id of BigCommerce; allowed: a positive integer")


def _order_ref(kind: str, ref: OrderRef, names: _Names, file: DrillFile) -> Iterator[Reference]:
    if ref.channel not in names.channels:
        yield Reference((kind, "channel"), _no("channel", ref.channel, names.channels))
        return
    if (ref.channel, ref.id) not in names.orders:
        known = [number for channel, number in names.orders if channel == ref.channel]
        yield Reference(
            (kind, "id"),
            f": no step places an order {ref.id!r} at {ref.channel}; allowed: {', '.join(known) or 'none'}",
        )
    if not isinstance(ref, EditStep):
        return
    if ref.lines is None and ref.address is None:
        yield Reference((kind,), ": changes nothing; allowed: lines, address or both")
    channel = file.channels.get(ref.channel)
    if channel is not None and channel.system == "commercetools" and ref.lines is not None:
        tracked = {sku for sku, _ in names.listings.get(ref.channel, set())}
        placed = [s.order for s in file.steps if s.order and (s.order.channel, s.order.id) == (ref.channel, ref.id)]
        lines = [*ref.lines, *(line for order in placed for line in order.lines or [])]
        if any(line.sku in tracked for line in lines):
            yield Reference(
                (kind, "lines"),
                ": commercetools edits no order with tracked lines; allowed: lines of untracked products",
            )


def _ordered_lines(kind: str, ref: ReturnStep | RefundByHand, file: DrillFile) -> Iterator[Reference]:
    """Lines of a return or a refund name SKUs of their order."""
    placed = [s.order for s in file.steps if s.order and (s.order.channel, s.order.id) == (ref.channel, ref.id)]
    path: Path_ = ("return",) if kind == "return" else ("channel", "refund")
    skus = {line.sku for order in placed for line in order.lines or []}
    for n, line in enumerate(ref.lines):
        if placed and line.sku not in skus:
            yield Reference((*path, "lines", n, "sku"), _no("SKU of the order", line.sku, skus))


def _wms(wms: WmsStep, names: _Names) -> Iterator[Reference]:
    for kind in ("receive", "adjust", "hold", "release"):
        movement = getattr(wms, kind)
        if movement is not None:
            yield from _product(("wms", kind, "sku"), movement.sku, names)
            if movement.warehouse not in names.warehouses:
                yield Reference(("wms", kind, "warehouse"), _no("warehouse", movement.warehouse, names.warehouses))
    if wms.adjust is not None and wms.adjust.qty == 0:
        yield Reference(("wms", "adjust", "qty"), " is 0; allowed: a positive or negative quantity")
    if wms.move is not None:
        yield from _product(("wms", "move", "sku"), wms.move.sku, names)
        for end, warehouse in (("from", wms.move.source), ("to", wms.move.target)):
            if warehouse not in names.warehouses:
                yield Reference(("wms", "move", end), _no("warehouse", warehouse, names.warehouses))
        if wms.move.source == wms.move.target:
            yield Reference(("wms", "move", "to"), ": from and to are the same; allowed: another warehouse")
    for kind in ("allocate", "despatch", "undespatch", "short"):
        order = getattr(wms, kind)
        if order is not None:
            yield from _wms_order(("wms", kind, "order"), order.order, names)
    if wms.despatch is not None:
        for p, parcel in enumerate(wms.despatch.parcels):
            for n, line in enumerate(parcel.lines):
                yield from _product(("wms", "despatch", "parcels", p, "lines", n, "sku"), line.sku, names)
    for kind in ("receive_return", "inspect"):
        back = getattr(wms, kind)
        if back is not None:
            yield from _wms_order(("wms", kind, "order"), back.order, names)
            for n, line in enumerate(back.lines):
                yield from _product(("wms", kind, "lines", n, "sku"), line.sku, names)


def _product(path: Path_, sku: str, names: _Names) -> Iterator[Reference]:
    physical = [s for s in names.skus if s not in names.bundles]
    if sku not in physical:
        what = "product of the warehouse (a bundle has no stock)" if sku in names.bundles else "product"
        yield Reference(path, _no(what, sku, physical))


def _wms_order(path: Path_, order: str, names: _Names) -> Iterator[Reference]:
    matching = resolve(order, names.orders)
    if not matching:
        yield Reference(
            path,
            f": no step places an order {order!r}; allowed: {', '.join(sorted(f'{c}:{i}' for c, i in names.orders)) or 'none'}",
        )
    elif len(matching) > 1:
        yield Reference(
            path,
            f": {order!r} is an order of several channels; allowed: {' or '.join(f'{c}:{i}' for c, i in matching)}",
        )


def resolve(order: str, orders: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The orders of the file that `channel:id` or `id` may mean."""
    return sorted((c, i) for c, i in orders if order in (i, f"{c}:{i}"))


def _storefront(edit: SetStock, names: _Names) -> Iterator[Reference]:
    path: Path_ = ("channel", "set_stock")
    if edit.channel not in names.channels:
        yield Reference((*path, "channel"), _no("channel", edit.channel, names.channels))
    elif (edit.sku, edit.location) not in names.listings.get(edit.channel, set()):
        listed = {sku for sku, _ in names.listings.get(edit.channel, set())}
        yield Reference((*path, "sku"), _no(f"listing of {edit.channel} with SKU", edit.sku, listed))


def _peer_fault(fault: FaultStep, names: _Names) -> Iterator[Reference]:
    peers = [*names.channels, *RESERVED]
    if fault.peer not in peers:
        yield Reference(("fault", "peer"), _no("peer", fault.peer, peers))
    if fault.peer == "kafka" and fault.kind not in _KAFKA_KINDS:
        yield Reference(("fault", "kind"), f" is {fault.kind!r}; allowed of kafka: {' or '.join(_KAFKA_KINDS)}")


def _load(load: LoadStep, names: _Names) -> Iterator[Reference]:
    for n, channel in enumerate(load.channels):
        if channel not in names.channels:
            yield Reference(("load", "channels", n), _no("channel", channel, names.channels))
    if load.skus != "zipf":
        for n, sku in enumerate(load.skus):
            if sku not in names.skus:
                yield Reference(("load", "skus", n), _no("product", sku, names.skus))
        if not load.skus:
            yield Reference(("load", "skus"), " is empty; allowed: Clarus codes, or zipf for all")
