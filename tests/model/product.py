"""The product inside the simulation: our own rows and rules, driven by late, lost, doubled and reordered messages, and by crashes.

What is durable here is bytes: a delivery row is what was committed last, and a crash brings it back from there; the ledger's rows pass through their
encoding in every crash. Committed records arrive once, in order, in their own time, and not while the worker is down.
"""

from collections.abc import Callable
from copy import copy
from typing import TypeVar

import msgspec

from schemas.records import (
    CancelOrder,
    Correction,
    DemandLine,
    OrderLine,
    OrderSnapshot,
    Record,
    ReflectedLine,
    ReleaseOrder,
    StockLevel,
    StockTarget,
    WarehouseOrder,
    WarehouseStatus,
    Watermark,
)
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.deliveries import listing as rules_of_one
from tables.deliveries.listing import Adopt, CheckBack, ListingRow, LookUp, Tell, Wait, Write
from tables.deliveries.peers import Bounds, PeerKind
from tables.orders import answers
from tables.orders import fold as orders
from tables.orders.effects import new_row
from tables.orders.rows import OrderRow
from tables.orders.rules import ReleaseRules
from tables.orders.rules import Rules as OrderRules
from tables.stock import escrow, fold, publish
from tables.stock.pool import pool
from tables.stock.rows import Rules
from tests.model.peers import APPLY_MAX, LATE_MAX, TIMEOUT, VISIBLE_LAG, Order, Request, Variant, World
from tests.support.stock import Memory

KINDS = {"ct": PeerKind.VERSIONED, "bc": PeerKind.RELATIVE, "rm": PeerKind.READ_MODIFY, "nd": PeerKind.ABSOLUTE}
BOUNDS = {
    "ct": Bounds(int(LATE_MAX * 1000), int(APPLY_MAX * 1000), int(VISIBLE_LAG * 1000), 0),
    "bc": Bounds(int(LATE_MAX * 1000), int(APPLY_MAX * 1000), 0, 2000),
    "rm": Bounds(int(LATE_MAX * 1000), int(APPLY_MAX * 1000), 0, 0),
    "nd": Bounds(int(LATE_MAX * 1000), int(APPLY_MAX * 1000), 0, 0),
}
SKU = "MUG"
PARTITIONS = 2


class Rows(Memory):
    """The ledger's rows of one partition, which pass through their bytes in a crash."""

    def reload(self) -> None:
        """Every row through its bytes, as a restart does."""
        self.skus = {k: again(row) for k, row in self.skus.items()}
        self.orders = {k: again(row) for k, row in self.orders.items()}
        self.marks = {k: again(row) for k, row in self.marks.items()}


Row = TypeVar("Row", bound=msgspec.Struct)


def again(row: Row) -> Row:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=type(row))


class Model(World):
    """One seed."""

    def __init__(self, seed: int, variant: Variant, trace: bool = False) -> None:
        self.ledger: Rows | None = None
        self.orders: dict[str, OrderRow] = {}
        self.released: set[str] = set()
        super().__init__(seed, variant, trace)
        catalogue = self.catalogue()
        bounds = {name: BOUNDS[store.kind] for name, store in self.stores.items()}
        absolute = frozenset(name for name, store in self.stores.items() if store.kind == "nd")
        self.rules = Rules(catalogue, PARTITIONS, bounds, absolute)
        no_address = dict.fromkeys(self.stores, ReleaseRules(address_needed=False))
        self.order_rules = OrderRules(catalogue, {}, release=no_address)
        self.ledger = Rows()
        self.down, self.generation = False, 0
        self.log_tail = self.now
        self.delivery = {x.channel: self.deliver_to(x) for x in catalogue.listings.values()}
        self.reading, self.dirty, self.read_no = False, False, 0
        self.last_read: dict[str, tuple[int, bool]] = {}
        self.writes = self.reads = 0
        self.begin()

    def catalogue(self) -> Catalogue:
        """What is sold where, and how the pool is treated."""
        listings = tuple(Listing(name, SKU, SKU, f"of {s.eaches}", s.eaches) for name, s in self.stores.items())
        policy = PolicyRule("*", "*", {"mode": Mode(self.variant.mode), "escrow_floor": 12})
        return Catalogue([Product(SKU, listings=listings)], [policy], ["MAIN"])

    def deliver_to(self, listing: Listing) -> "Delivery":
        return Delivery(self, listing)

    def begin(self) -> None:
        self.plan()
        variant, rng = self.variant, self.rng
        self.read_warehouse()
        for name, store in self.stores.items():
            if variant.cold:
                store.quantity = self.warehouse.available // (2 * len(self.stores) * store.eaches)
            self.at(rng.uniform(10, 30) if variant.cold else rng.uniform(0, 1), self.delivery[name].start)
            self.at(rng.uniform(0, variant.poll_s), self.poll, name, self.now - 5)
        self.at(rng.uniform(5, 15), self.sweep)

    def believed(self) -> str:
        if self.ledger is None or (row := self.ledger.sku(SKU)) is None:
            return ""
        states = {
            name: f"P{d.row.published} H{d.row.high} inc{d.row.inc} taken{row.listing(d.row.listing).taken}"
            for name, d in self.delivery.items()
        }
        return f"free {row.free} demand {row.demand} {states}"

    # ---- the log: committed records, once, in order ----
    def commit(self, function: Callable[..., None], *arguments: object) -> None:
        self.log_tail = max(self.log_tail + 1e-6, self.now + self.rng.uniform(0.005, 0.1))
        self.at(self.log_tail - self.now, self.deliver, function, arguments)

    def deliver(self, function: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if self.down:
            self.backlog.append((function, arguments))
        else:
            function(*arguments)

    def crash(self, pause: float | None = None) -> None:
        if self.down:
            return
        self.down, self.generation, self.backlog = True, self.generation + 1, []
        self.log("CRASH")
        self.at(pause or self.rng.uniform(0.5, 4), self.restart)

    def restart(self) -> None:
        self.down = False
        self.reload()
        for delivery in self.delivery.values():
            delivery.restart()
        for function, arguments in self.backlog:
            function(*arguments)

    # ---- the ledger ----
    def reload(self) -> None:
        assert self.ledger is not None
        self.ledger.reload()

    def inventory(self, body: Record, at: int) -> None:
        """Append to the SKU's log."""
        self.commit(self.fold, body, at)

    def fold(self, body: Record, at: int) -> None:
        assert self.ledger is not None
        folded = fold.apply(self.ledger, self.rules, body, at)
        held = self.held()
        effects = list(folded.effects)
        for sku, cause in folded.touched.items():
            effects += publish.publish(self.ledger, self.rules, sku, cause)
        self.promised(held, self.held())
        for effect in effects:
            if isinstance(effect, StockTarget | Correction):
                self.commit(self.delivery[effect.channel].command, effect)

    def split(self) -> bool:
        return self.held() is not None

    def held(self) -> int | None:
        """Eaches that the listings may still sell by their quotas; None while the pool is not split."""
        row = self.ledger.sku(SKU) if self.ledger is not None else None
        parts = [
            (known.quota, known.taken, self.rules.catalogue.listings[key].eaches)
            for key, known in (row.listings.items() if row else ())
        ]
        if not parts or any(quota is None for quota, _, _ in parts):
            return None
        return sum(max(0, escrow.high(quota) - taken) * eaches for quota, taken, eaches in parts if quota is not None)

    def promised(self, before: int | None, after: int | None) -> None:
        """R9: dividing the pool never promises more than there is."""
        if after is None or before is None:
            return
        row = self.ledger.sku(SKU) if self.ledger is not None else None
        assert row is not None
        assert after <= max(before, pool(row.free, row.demand, ["MAIN"])), (before, after)

    # ---- orders: notifications and polls, through our own order rules ----
    def order_seen(self, order: Order) -> None:
        snapshot = self.snapshot(order)
        self.lossy(lambda: self.commit(self.fold_order, snapshot), 1.5)

    def snapshot(self, order: Order) -> OrderSnapshot:
        store = self.stores[order.channel]
        at = store.stamp(order.created)
        line = OrderLine(
            line_id="1",
            sku=SKU,
            quantity=order.units,
            tracked=store.kind != "nd",
            taken_from=at,
            taken_to=at,
            restocked_at=None if order.restocked is None else store.stamp(order.restocked),
        )
        return OrderSnapshot(
            channel=order.channel,
            order_id=str(order.id),
            number=str(order.id),
            version=order.version,
            state="CANCELLED" if order.cancelled else "OPEN",
            status="",
            paid=order.paid,
            created_at=at,
            modified_at=store.stamp(order.changed + store.skew),
            lines=[line],
            collected=True,
        )

    def fold_order(self, seen: OrderSnapshot | WarehouseOrder) -> None:
        now = int(self.now * 1000)
        if isinstance(seen, OrderSnapshot):
            key = f"{seen.channel}:{seen.order_id}"
            row = self.orders.setdefault(key, new_row(seen.channel, seen.order_id))
            effects = orders.snapshot(row, copy(seen), self.order_rules, now)
        else:
            row = self.orders.setdefault(seen.reference, new_row(*seen.reference.split(":")))
            effects = answers.warehouse(row, seen, self.order_rules, now)
        for effect in effects:
            if isinstance(effect, DemandLine):
                self.inventory(effect, seen.modified_at if isinstance(seen, OrderSnapshot) else now)
            elif isinstance(effect, ReleaseOrder):
                self.released.add(effect.reference)
                self.commit(self.release, effect)
            elif isinstance(effect, CancelOrder):
                self.ask_to_cancel(effect)

    def release(self, command: ReleaseOrder) -> None:
        eaches = sum(line.eaches for line in command.lines)
        self.at(self.rng.uniform(0.05, 5), self.warehouse.create, command.reference, eaches)

    def ask_to_cancel(self, command: CancelOrder) -> None:
        self.at(self.rng.uniform(0.1, 5), self.cancel_at_warehouse, command.reference)

    def cancel_at_warehouse(self, reference: str) -> None:
        if reference not in self.warehouse.qty:
            if reference in self.released:
                self.at(2, self.cancel_at_warehouse, reference)
            else:
                self.commit(self.fold_order, WarehouseOrder(reference=reference, status="DELETED"))
            return
        status: WarehouseStatus = "CANCELLED" if self.warehouse.cancel(reference) else "CANCEL_REFUSED"
        self.commit(self.fold_order, WarehouseOrder(reference=reference, status=status, wms_id="1"))

    def poll(self, name: str, since: float) -> None:
        """All orders changed since, then the watermark: every order of the storefront up to the poll's start."""
        store, start = self.stores[name], self.now
        found = [self.snapshot(o) for o in store.orders if since < o.changed <= start]
        up_to = int(store.time() * 1000)

        def arrive() -> None:
            for snapshot in found:
                self.commit(self.fold_order, snapshot)
            self.commit(self.watermark, name, up_to)

        self.at(self.rng.uniform(0.1, 1.5), arrive)
        self.at(self.variant.poll_s, self.poll, name, start - 5)

    def watermark(self, name: str, up_to: int) -> None:
        for partition in range(PARTITIONS):
            self.inventory(Watermark(channel=name, order_partition=partition, up_to=up_to), up_to)

    # ---- joint reads ----
    def warehouse_changed(self) -> None:
        self.lossy(self.read_warehouse)

    def read_warehouse(self, repeat: int = 0) -> None:
        """Lines, balance, lines (R1); again at most three times while a line moves."""
        if self.reading and not repeat:
            self.dirty = True
            return
        if not repeat:
            self.reading, self.dirty, self.read_no = True, False, self.read_no + 1
        pause = self.rng.uniform

        def first() -> None:
            self.at(pause(0.02, 0.3), balance, dict(self.warehouse.out))

        def balance(before: dict[str, int]) -> None:
            self.at(pause(0.02, 0.3), second, before, self.warehouse.available)

        def second(before: dict[str, int], available: int) -> None:
            after = self.warehouse.out
            if repeat < 3 and any(before.get(k, 0) != n for k, n in after.items()):
                self.read_warehouse(repeat + 1)
                return
            self.level(available, {k: min(n, after[k]) for k, n in before.items()})
            self.reading = False
            if self.dirty:
                self.read_warehouse()

        self.at(pause(0.02, 0.3), first)

    def level(self, available: int, out: dict[str, int]) -> None:
        """Differences to the last read, in chunks when there are several."""
        shown = {k: (n, self.warehouse.state[k] == "cancelled") for k, n in out.items()}
        changed = [
            ReflectedLine(reference=k, out=n, closed=closed, warehouse="MAIN")
            for k, (n, closed) in shown.items()
            if self.last_read.get(k) != (n, closed)
        ]
        self.last_read = shown
        chunks = [changed[i : i + 2] for i in range(0, len(changed), 2)] or [[]]
        for number, lines in enumerate(chunks):
            last = number == len(chunks) - 1
            body = StockLevel(
                sku=SKU,
                read_no=self.read_no,
                chunk=number,
                chunks=len(chunks),
                balances={"MAIN": available} if last else {},
                lines=lines,
                read_at=int(self.now * 1000),
            )
            self.inventory(body, body.read_at)

    def sweep(self) -> None:
        self.read_warehouse()
        for delivery in self.delivery.values():
            self.at(self.rng.uniform(0, 3), delivery.sweep)
        self.at(self.variant.sweep_s * self.rng.uniform(0.8, 1.2), self.sweep)


class Delivery:
    """One listing's delivery: its row, as committed, and at most one write under way."""

    def __init__(self, model: Model, listing: Listing) -> None:
        self.model, self.store = model, model.stores[listing.channel]
        self.kind, self.bounds = KINDS[self.store.kind], BOUNDS[self.store.kind]
        self.row = ListingRow(listing.id, listing.channel, listing.product)
        self.committed = msgspec.msgpack.encode(self.row)
        self.started = self.busy = self.reading = self.sweep_due = False
        self.again_at = 0.0

    @property
    def now(self) -> int:
        return int(self.model.now * 1000)

    @property
    def at(self) -> int:
        """The storefront's time, latest bound."""
        return int(self.store.time() * 1000) + 1

    def start(self) -> None:
        self.started = True
        self.kick()

    def save(self, *records: Record) -> None:
        """Commit the row, and records with it."""
        self.committed = msgspec.msgpack.encode(self.row)
        for record in records:
            self.model.inventory(record, self.now)

    def restart(self) -> None:
        self.row = msgspec.msgpack.decode(self.committed, type=ListingRow)
        self.busy = self.reading = False
        rules_of_one.foreign(self.row, self.kind, self.bounds, self.now)
        self.save()
        self.kick()

    def command(self, command: StockTarget | Correction) -> None:
        if isinstance(command, StockTarget):
            rules_of_one.want(self.row, command, self.now)
            self.save()
        else:
            told = rules_of_one.corrected(self.row, command, self.kind, self.bounds, self.now, self.at)
            self.save(*told)
        self.kick()

    def sweep(self) -> None:
        self.sweep_due = True
        self.kick()

    def later(self, delay: float) -> None:
        """Look again then; of several plans the earliest counts."""
        at = self.model.now + delay
        if self.again_at <= self.model.now or at < self.again_at:
            self.again_at = at
            self.model.at(delay, self.kick)

    def kick(self) -> None:
        """Do what the row needs now."""
        while self.started and not self.model.down and not self.busy:
            step = rules_of_one.next_step(self.row, self.kind, self.bounds, self.now, self.sweep_due)
            match step:
                case Tell():
                    self.save(rules_of_one.tell(self.row, self.at, self.now))
                    continue
                case Write():
                    self.write(step)
                case LookUp() | Adopt():
                    self.busy = True
                    self.read(step)
                case CheckBack():
                    if not self.reading:
                        self.reading, self.sweep_due = True, False
                        self.read(step)
                case Wait(until):
                    if until is not None:
                        self.later((until - self.now) / 1000 + 0.001)
            return

    # ---- writes ----
    def write(self, step: Write) -> None:
        model, row = self.model, self.row
        intent = rules_of_one.begin(row, step, self.now)
        self.save()
        model.writes += 1
        self.busy = True
        model.log("write", self.store.name, intent.delta, "zero" if intent.zero else "", "attempt", intent.attempt)
        request = Request(row.epoch, intent.attempt, intent.delta, intent.gross, intent.zero, row.peer_version)
        rng, faults = model.rng, model.variant.faults
        latency, chance = rng.uniform(0.03, 0.3), rng.random()
        if rng.random() < 0.02 * faults:  # crash in the middle: before it left, on its way, or with the answer
            model.at(rng.uniform(0, 0.5), model.crash)
        key = (model.generation, intent.attempt)
        if chance < 0.02 * faults:
            model.at(0.05, self.answer, key, "not_sent", 0)
        elif chance < 0.04 * faults:
            model.at(TIMEOUT, self.answer, key, "unknown", 0)
        elif chance < 0.07 * faults:
            model.at(latency, self.store.write, request)
            model.at(TIMEOUT, self.answer, key, "unknown", 0)
        elif chance < 0.08 * faults:
            model.at(rng.uniform(TIMEOUT, LATE_MAX - APPLY_MAX), self.store.write, request)
            model.at(TIMEOUT, self.answer, key, "unknown", 0)
        else:
            model.at(latency, self.arrive, key, request)

    def arrive(self, key: tuple[int, int], request: Request) -> None:
        result = self.store.write(request)
        self.model.at(self.model.rng.uniform(0.03, 0.3), self.answer, key, result, self.store.version)

    def answer(self, key: tuple[int, int], result: str, version: int) -> None:
        row = self.row
        if key[0] != self.model.generation or row.intent is None or row.intent.attempt != key[1]:
            return
        self.busy = False
        told: list[Record] = []
        match result:
            case "ok":
                told += rules_of_one.acknowledged(row, self.kind, self.bounds, self.now, self.at, version)
            case "unknown":
                rules_of_one.unknown(row, self.kind, self.bounds, self.now)
            case "refused":
                rules_of_one.refused(row, self.kind, self.now)
            case "needs_absolute":
                rules_of_one.needs_absolute(row, self.now)
            case "conflict":
                rules_of_one.conflict(row, self.kind, self.bounds, version, self.now)
            case "not_sent":
                rules_of_one.not_sent(row, self.now)
        self.save(*told)
        self.model.at(0.05, self.kick)

    # ---- reads ----
    def read(self, step: LookUp | Adopt | CheckBack) -> None:
        """The read shows some moment between its request and its answer."""
        model, began, pver = self.model, int(self.store.time() * 1000), self.row.pver
        ours, generation = self.now, model.generation
        model.reads += 1
        pause = model.rng.uniform

        def look() -> None:
            model.at(pause(0.01, 0.15), answer, self.store.read(), self.store.ever_set)

        def answer(seen: object, ever_set: bool) -> None:
            if generation == model.generation:
                self.took(step, seen, ever_set, began, pver, ours)

        model.at(pause(0.01, 0.15), look)

    def took(self, step: object, seen: object, ever_set: bool, began: int, pver: int, ours: int) -> None:
        row = self.row
        match step:
            case LookUp():
                self.busy = False
                told = rules_of_one.looked_up(
                    row, self.kind, self.bounds, seen.quantity, seen.marker, seen.version, self.now, self.at, ours
                )
                self.save(*told)
            case Adopt():
                self.busy = False
                once = self.kind is not PeerKind.RELATIVE or seen.quantity != 0
                baseline = rules_of_one.adopt(
                    row, seen.quantity, began, self.at, seen.marker, "1", seen.version, self.now, once
                )
                self.save(baseline)
            case _:
                self.reading = False
                found = rules_of_one.read_back(row, self.bounds, seen.quantity, began, self.at, pver, self.now)
                if found is not None:
                    self.model.log("read back", self.store.name, seen.quantity, "verify" if found.verify else "")
                    self.save(found)
        self.kick()
