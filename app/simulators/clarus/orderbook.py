"""The goods outs of the simulated Clarus and their life: created, allocated, picked, despatched, shorted, cancelled, and back (fact sheet 6).

It moves stock through the stockroom and tells what happened; when things happen is the floor's business.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.simulators.base import Journal, now_ms
from app.simulators.clarus.model import (
    Account,
    Carrier,
    CarrierService,
    GoodsOut,
    Line,
    Package,
    Product,
    Shipment,
    Warehouse,
)
from app.simulators.clarus.stockroom import Stockroom

Event = Callable[[str, str, GoodsOut], None]


class Denied(Exception):
    """Clarus says no. `code` is its published error code, or one of our own (9000 and up) where none is published."""

    def __init__(self, details: str, code: int = 9000, symbol: str = "refused") -> None:
        super().__init__(details)
        self.details, self.code, self.symbol = details, code, symbol


class OrderBook:
    """All goods outs, indexed by what the API filters by. `round_up` (code to units) despatches whole storage units, more than was ordered."""

    def __init__(self, stockroom: Stockroom, journal: Journal, round_up: Mapping[str, int] | None = None) -> None:
        self.stockroom, self._journal, self._round_up = stockroom, journal, dict(round_up or {})
        self._ids = iter(range(1, 1 << 40))
        self.orders: dict[int, GoodsOut] = {}
        self.deleted: list[GoodsOut] = []
        self.lines: dict[int, Line] = {}
        self.shipments: dict[int, Shipment] = {}
        self.packages: dict[int, Package] = {}
        self._shipments_of: dict[int, list[Shipment]] = defaultdict(list)
        self._packages_of: dict[int, list[Package]] = defaultdict(list)
        self._by_reference: dict[str, dict[int, GoodsOut]] = defaultdict(dict)
        self._by_upstream: dict[str, dict[int, GoodsOut]] = defaultdict(dict)
        self._lines_by: dict[tuple[int, str], dict[int, Line]] = defaultdict(dict)
        self._waiting: dict[int, dict[int, GoodsOut]] = defaultdict(dict)
        self.event: Event = lambda resource, event, order: None

    # ---- looking ----------------------------------------------------------------------------------------------------------------------------

    def with_reference(self, references: Iterable[str]) -> Iterator[GoodsOut]:
        """Orders with one of these references, oldest first."""
        for reference in references:
            yield from self._by_reference.get(reference, {}).values()

    def with_upstream(self, upstream: str) -> GoodsOut | None:
        """The newest order of this upstream id that was not deleted."""
        found = list(self._by_upstream.get(upstream, {}).values())
        return found[-1] if found else None

    def lines_of(self, products: Iterable[int], statuses: Iterable[str]) -> Iterator[Line]:
        """Lines of these products whose order is in one of these statuses."""
        wanted = list(statuses)
        for product in products:
            for status in wanted:
                yield from self._lines_by.get((product, status), {}).values()

    def is_waited_for(self, product: Product) -> bool:
        """Does any order want more of this product than it got?"""
        return bool(self._waiting.get(product.id))

    def waiting_for(self, product: Product) -> list[GoodsOut]:
        """Orders that want more of a product than they got, oldest first."""
        return [order for _, order in sorted(self._waiting.get(product.id, {}).items())]

    def shipments_of(self, order_id: int) -> list[Shipment]:
        """The shipments of an order."""
        return list(self._shipments_of.get(order_id, ()))

    def packages_of(self, shipment_id: int) -> list[Package]:
        """The packages of a shipment."""
        return list(self._packages_of.get(shipment_id, ()))

    # ---- life -------------------------------------------------------------------------------------------------------------------------------

    def create(
        self,
        account: Account,
        warehouse: Warehouse | None,
        carrier: Carrier | None,
        service: CarrierService | None,
        attributes: dict[str, Any],
        address: dict[str, Any],
        lines: Sequence[tuple[Product, int, dict[str, Any]]],
    ) -> GoodsOut:
        """Save a new order; it is PENDING (inferred, S8)."""
        order = GoodsOut(
            next(self._ids), "PENDING", now_ms(), account, warehouse, carrier, service, attributes, address
        )
        self.orders[order.id] = order
        self._by_reference[order.reference][order.id] = order
        self._by_upstream[order.upstream][order.id] = order
        for product, quantity, given in lines:
            self.add_line(order, product, quantity, given)
        self._journal.note("order created", order=order.upstream, reference=order.reference, wms_id=str(order.id))
        self.event("goods_out", "created", order)
        return order

    def add_line(self, order: GoodsOut, product: Product, quantity: int, attributes: dict[str, Any]) -> Line:
        """A new line of an order that holds no stock yet."""
        line = Line(next(self._ids), order, product, quantity, now_ms(), attributes)
        order.lines.append(line)
        self.lines[line.id] = line
        self._lines_by[product.id, order.status][line.id] = line
        return line

    def remove_line(self, line: Line) -> None:
        """Take a line away from an order that holds no stock yet."""
        line.order.lines.remove(line)
        del self.lines[line.id]
        del self._lines_by[line.product.id, line.order.status][line.id]

    def describe(self, order: GoodsOut, attributes: Mapping[str, Any]) -> None:
        """Other header attributes; the upstream id may be among them."""
        del self._by_upstream[order.upstream][order.id]
        order.attributes.update(attributes)
        self._by_upstream[order.upstream][order.id] = order

    def touched(self, order: GoodsOut, what: str) -> None:
        """An order was changed through the API."""
        self._journal.note(what, order=order.upstream, reference=order.reference, status=order.status)
        self.event("goods_out", "updated", order)

    def allocate(self, order: GoodsOut) -> bool:
        """Allocate as far as stock goes; True where nothing is missing afterwards. What is missing waits for stock."""
        if order.status not in ("PENDING", "PART_ALLOCATED"):
            raise Denied(f"goods out {order.reference} is {order.status}", 59, "goods_out_already_allocated")
        warehouse = order.warehouse or self._choose(order)
        got = False
        if warehouse is not None:
            for line in order.lines:
                got = self._allocate(line, warehouse) > 0 or got
        complete = all(line.missing == 0 for line in order.lines)
        if got:
            order.warehouse = warehouse
            self._set(order, "ALLOCATED" if complete else "PART_ALLOCATED")
            self._journal.note("allocated", order=order.upstream, status=order.status)
            self.event("goods_out", "processed", order)
            self.event("goods_out_pick_list", "created", order)
        elif complete and order.status == "PART_ALLOCATED":
            self._set(order, "ALLOCATED")
        self._wait(order)
        return complete and order.status == "ALLOCATED"

    def unallocate(self, order: GoodsOut) -> None:
        """The pick list is cancelled: everything goes back to available and the order is PENDING again (fact sheet 6.4)."""
        if order.status not in ("ALLOCATED", "PART_ALLOCATED", "PICK") or any(line.despatched for line in order.lines):
            raise Denied(f"goods out {order.reference} is {order.status}")
        self._give_back(order)
        self._set(order, "PENDING")
        self._journal.note("pick list cancelled", order=order.upstream)
        self.event("goods_out_pick_list", "cancelled", order)

    def pick(self, order: GoodsOut) -> None:
        """Everything allocated is picked; the order is PICK."""
        if order.status not in ("ALLOCATED", "PART_ALLOCATED", "PICK") or order.warehouse is None:
            raise Denied(f"goods out {order.reference} is {order.status}")
        for line in order.lines:
            self._pick(line, line.allocated)
        self._set(order, "PICK")
        self._wait(order)
        self._journal.note("picked", order=order.upstream)
        self.event("goods_out_pick_list", "picked", order)

    def despatch(self, order: GoodsOut, tracking: str, contents: Sequence[tuple[str, int]]) -> None:
        """One parcel leaves. Units that were only allocated are picked on the way. The order completes with its last unit."""
        if order.status not in ("ALLOCATED", "PART_ALLOCATED", "PICK") or order.warehouse is None:
            raise Denied(f"goods out {order.reference} is {order.status}")
        for code, quantity in _summed(contents).items():
            ready = sum(line.allocated + line.picked for line in order.lines if line.product.code == code)
            if ready < quantity:
                raise Denied(
                    f"goods out {order.reference}: {quantity} of {code} to despatch, {ready} allocated or picked"
                )
        for code, quantity in _summed(contents).items():
            self._despatch(order, code, quantity)
        shipment = Shipment(next(self._ids), f"SHP-{order.id}-{len(order.parcels) + 1}", order, now_ms())
        products = {line.product.code: line.product for line in order.lines}
        held = [(products[code], quantity) for code, quantity in _summed(contents).items()]
        package = Package(next(self._ids), shipment, tracking, held)
        self.shipments[shipment.id], self.packages[package.id] = shipment, package
        self._shipments_of[order.id].append(shipment)
        self._packages_of[shipment.id].append(package)
        parts = [(part.code, n * quantity) for product, quantity in held for part, n in product.parts]
        parcel = {"tracking": tracking, "lines": [{"sku": code, "qty": qty} for code, qty in _summed(parts).items()]}
        order.parcels.append(parcel)
        self._journal.note("despatched", order=order.upstream, **parcel)
        if all(line.missing + line.allocated + line.picked == 0 for line in order.lines):
            self._complete(order)
        elif order.status != "PICK":
            self._set(order, "PICK")
            self._wait(order)

    def short(self, order: GoodsOut) -> bool:
        """Give up what could not be allocated: final. True where nothing is left to pick, so the order is completed."""
        if order.status != "PART_ALLOCATED":
            raise Denied(f"goods out {order.reference} is {order.status}, not PART_ALLOCATED")
        if not order.account.is_short_pickable:
            raise Denied(f"account {order.account.code} may not short lines")
        for line in order.lines:
            line.short += line.missing
        self._set(order, "ALLOCATED")
        self._wait(order)
        self._journal.note("shorted", order=order.upstream)
        if any(line.allocated + line.picked for line in order.lines):
            return False
        self._complete(order)
        return True

    def undespatch(self, order: GoodsOut) -> None:
        """A completed order goes back to picking (S19); it will complete again."""
        if order.status != "COMPLETED" or order.warehouse is None:
            raise Denied(f"goods out {order.reference} is {order.status}, not COMPLETED")
        for line in order.lines:
            if line.despatched:
                for part, n in line.product.parts:
                    balance = self.stockroom.balance(part, order.warehouse)
                    self.stockroom.despatch(balance, -n * line.despatched, order.id)
                line.picked, line.despatched = line.picked + line.despatched, 0
        order.parcels.clear()
        for shipment in self._shipments_of.pop(order.id, []):
            del self.shipments[shipment.id]
            for package in self._packages_of.pop(shipment.id, []):
                del self.packages[package.id]
        self._set(order, "PICK")
        self._journal.note("despatch taken back", order=order.upstream)

    def relabel(self, order: GoodsOut, before: str, after: str) -> None:
        """A tracking number is corrected; no event tells of it."""
        found = [p for s in self.shipments_of(order.id) for p in self.packages_of(s.id) if p.tracking == before]
        if not found:
            raise Denied(f"goods out {order.reference} has no package with tracking number {before}")
        for package in found:
            package.tracking = after
        for parcel in order.parcels:
            if parcel["tracking"] == before:
                parcel["tracking"] = after
        self._journal.note("relabelled", order=order.upstream, before=before, after=after)

    def cancel(self, order: GoodsOut) -> None:
        """The cancel matrix of fact sheet 6.4: a draft or pending order is deleted, a completed one refused, all others give their stock back."""
        if order.status in ("DRAFT", "PENDING"):
            return self.delete(order)
        if order.status in ("COMPLETED", "CANCELLED"):
            raise Denied(
                f"goods out {order.reference} is {order.status} and cannot be cancelled", 9059, "not_cancellable"
            )
        if any(line.despatched for line in order.lines):
            raise Denied(f"goods out {order.reference} is despatched in part and cannot be cancelled", 9059)
        self._give_back(order)
        self._set(order, "CANCELLED")
        self._wait(order)
        self._journal.note("order cancelled", order=order.upstream, wms_id=str(order.id))
        self.event("goods_out", "cancelled", order)
        return None

    def delete(self, order: GoodsOut) -> None:
        """An order that has not started processing disappears."""
        if order.status not in ("DRAFT", "PENDING"):
            raise Denied(f"goods out {order.reference} is {order.status}: cancel it")
        for line in list(order.lines):
            for part, _ in line.product.parts:
                self._waiting[part.id].pop(order.id, None)
            del self.lines[line.id]
            del self._lines_by[line.product.id, order.status][line.id]
        del self.orders[order.id]
        del self._by_reference[order.reference][order.id]
        del self._by_upstream[order.upstream][order.id]
        order.status = "DELETED"
        self.deleted.append(order)
        self._journal.note("order deleted", order=order.upstream, wms_id=str(order.id))

    # ---- steps ------------------------------------------------------------------------------------------------------------------------------

    def _choose(self, order: GoodsOut) -> Warehouse | None:
        """The first warehouse that covers the order in full, else the one that covers most; None where nothing is available anywhere."""
        best: tuple[int, Warehouse | None] = (0, None)
        for warehouse in self.stockroom.warehouses.values():
            covered = sum(min(line.missing, self._free(line.product, warehouse)) for line in order.lines)
            if covered > best[0]:
                best = covered, warehouse
        return best[1]

    def _free(self, product: Product, warehouse: Warehouse) -> int:
        """How many of it can be allocated: of a bill of materials as many as its components make."""
        return max(0, min(self.stockroom.balance(part, warehouse).available // n for part, n in product.parts))

    def _allocate(self, line: Line, warehouse: Warehouse) -> int:
        free, want = self._free(line.product, warehouse), line.missing
        unit = self._round_up.get(line.product.code)
        if unit and want % unit and free >= want + unit - want % unit:
            want += unit - want % unit
        quantity = min(want, free)
        if quantity:
            line.allocated += quantity
            self._take(line, warehouse, quantity)
        return quantity

    def _take(self, line: Line, warehouse: Warehouse, quantity: int) -> None:
        """Move its components from available to allocated; below 0 back."""
        for part, n in line.product.parts:
            key = part.code, warehouse.code
            line.order.taken[key] = line.order.taken.get(key, 0) + n * quantity
            self.stockroom.allocate(self.stockroom.balance(part, warehouse), n * quantity)

    def _pick(self, line: Line, quantity: int) -> None:
        warehouse = line.order.warehouse
        if quantity and warehouse is not None:
            for part, n in line.product.parts:
                self.stockroom.pick(self.stockroom.balance(part, warehouse), n * quantity, line.order.id)
            line.allocated -= quantity
            line.picked += quantity

    def _despatch(self, order: GoodsOut, code: str, quantity: int) -> None:
        assert order.warehouse is not None  # noqa: S101 - only bound orders hold stock
        for line in order.lines:
            if line.product.code != code or quantity == 0:
                continue
            step = min(quantity, line.allocated + line.picked)
            self._pick(line, max(0, step - line.picked))
            for part, n in line.product.parts if step else ():
                self.stockroom.despatch(self.stockroom.balance(part, order.warehouse), n * step, order.id)
            line.picked -= step
            line.despatched += step
            quantity -= step

    def _give_back(self, order: GoodsOut) -> None:
        if order.warehouse is None:
            return
        for line in order.lines:
            if line.picked:
                for part, n in line.product.parts:
                    self.stockroom.pick(self.stockroom.balance(part, order.warehouse), -n * line.picked, order.id)
                line.allocated, line.picked = line.allocated + line.picked, 0
            quantity, line.allocated = line.allocated, 0
            if quantity:
                self._take(line, order.warehouse, -quantity)

    def _complete(self, order: GoodsOut) -> None:
        self._set(order, "COMPLETED")
        order.despatched_at = now_ms()
        self._journal.note("completed", order=order.upstream, wms_id=str(order.id))
        self.event("goods_out_pick_list", "completed", order)
        self.event("goods_out", "completed", order)

    def _set(self, order: GoodsOut, status: str) -> None:
        if status == order.status:
            return
        for line in order.lines:
            del self._lines_by[line.product.id, order.status][line.id]
            self._lines_by[line.product.id, status][line.id] = line
        order.status = status

    def _wait(self, order: GoodsOut) -> None:
        waits = order.status in ("PENDING", "PART_ALLOCATED")
        wanted = {part.id for line in order.lines if waits and line.missing for part, _ in line.product.parts}
        for line in order.lines:
            for part, _ in line.product.parts:
                if part.id in wanted:
                    self._waiting[part.id][order.id] = order
                else:
                    self._waiting[part.id].pop(order.id, None)


def _summed(contents: Sequence[tuple[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for code, quantity in contents:
        total[code] = total.get(code, 0) + quantity
    return total
