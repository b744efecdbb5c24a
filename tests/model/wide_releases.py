"""Orders on their way to the warehouse in the wide simulation: the product's own release rows, and requests that get lost, land late or die with us."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from schemas.records import CancelOrder, ReleaseOrder, WarehouseOrder
from tables.deliveries import reads
from tables.deliveries import releases as rules
from tables.deliveries.release_row import AtWarehouse, Cancel, Change, Create, Idle, LookUp, ReleaseRow, Report
from tables.goods_out import eaches_of
from tests.model.peers import LATE_MAX, TIMEOUT

if TYPE_CHECKING:
    from tests.model.wide import WideModel

CREATE_UNKNOWN = int(LATE_MAX * 1000)
"""Milliseconds for which the warehouse may still be working on a create whose answer was lost."""

BACK_OFF = 500

Answers = Callable[[ReleaseRow], list[WarehouseOrder]]


class Releases:
    """The order side of the warehouse's owner: its rows, as committed, and at most one request under way for each."""

    def __init__(self, model: "WideModel") -> None:
        self.model = model
        self.lose()

    def lose(self) -> None:
        """No row is left."""
        self.rows: dict[str, ReleaseRow] = {}
        self.committed: dict[str, bytes] = {}
        self.busy: set[str] = set()
        self.checking: set[str] = set()
        self.timers: dict[str, int] = {}

    @property
    def now(self) -> int:
        return int(self.model.now * 1000)

    def restart(self) -> None:
        self.rows = {key: msgspec.msgpack.decode(row, type=ReleaseRow) for key, row in self.committed.items()}
        self.busy.clear()
        self.checking.clear()
        self.timers.clear()
        for reference, row in self.rows.items():
            if rules.pending(row):
                rules.foreign(row, self.now)
                self.save(row)
                self.kick(reference)

    def save(self, row: ReleaseRow) -> None:
        self.committed[row.reference] = msgspec.msgpack.encode(row)

    # ---- from the product ----
    def command(self, command: ReleaseOrder | CancelOrder) -> None:
        reference = command.reference
        row = self.rows.setdefault(reference, ReleaseRow(reference, command.order_key))
        if isinstance(command, ReleaseOrder):
            rules.want_release(row, command, self.now)
        else:
            rules.want_cancel(row, command, self.now)
        self.save(row)
        self.model.at(self.model.rng.uniform(0, 4), self.kick, reference)

    def moved(self, references: Iterable[str]) -> None:
        """The status of these may have changed: it is looked up soon."""
        wanted = {ref for ref in references if ref in self.rows and rules.at_work(self.rows[ref])} - self.checking
        if wanted:
            self.checking |= wanted
            self.model.at(self.model.rng.uniform(0, 1), self.check, sorted(wanted), self.model.generation)

    def at_work(self) -> list[str]:
        """Orders that are at the warehouse and not over."""
        return [reference for reference, row in self.rows.items() if rules.at_work(row)]

    def unseen(self, sku: str, shown: Iterable[str]) -> list[str]:
        """Orders with this SKU at the warehouse whose lines a read did not show."""
        return [ref for ref in self.at_work() if sku in self.rows[ref].skus and ref not in set(shown)]

    def deleting(self) -> set[str]:
        """Orders that we asked the warehouse to delete."""
        return {reference for reference, row in self.rows.items() if row.deleting}

    # ---- what to do next ----
    def kick(self, reference: str) -> None:
        model = self.model
        while not model.down and reference not in self.busy and reference in self.rows:
            row = self.rows[reference]
            if wait := model.pause(""):
                model.at(wait + 0.001, self.kick, reference)
                return
            step = rules.next_step(row, self.now)
            match step:
                case Report():
                    self.tell(row, rules.report(row, ""))
                    continue
                case LookUp():
                    self.busy.add(reference)
                    self.look(reference)
                case Create() | Change() | Cancel():
                    rules.begin(row, step, self.now)
                    self.save(row)
                    self.busy.add(reference)
                    self.send(row, step)
                case Idle(until):
                    if until is not None and self.timers.get(reference) != until:
                        self.timers[reference] = until
                        model.at((until - self.now) / 1000 + 0.001, self.kick, reference)
            return

    def tell(self, row: ReleaseRow, answers: list[WarehouseOrder]) -> None:
        """Commit the row; ORDERS is told, and the SKUs are read."""
        self.save(row)
        for answer in answers:
            self.model.commit(self.model.fold_order, answer)
            for sku in row.skus:
                if rules.moves_stock(row):
                    reads.expect(self.model.read_rows[sku], row.reference)
                self.model.want(sku)

    # ---- look-ups ----
    def there(self, reference: str) -> list[AtWarehouse]:
        goods = self.model.warehouse.goods.get(reference)
        if goods is None or goods.deleted:
            return []
        return [AtWarehouse(reference, goods.status, goods.warehouse, dict(goods.lines))]

    def look(self, reference: str) -> None:
        began, generation, pause = self.now, self.model.generation, self.model.rng.uniform

        def seen() -> None:
            self.model.at(pause(0.02, 0.3), answer, self.there(reference))

        def answer(there: list[AtWarehouse]) -> None:
            if generation == self.model.generation:
                self.busy.discard(reference)
                self.found(reference, there, began)
                self.kick(reference)

        self.model.at(pause(0.02, 0.3), seen)

    def check(self, references: list[str], generation: int) -> None:
        """One look-up of several; those with a request of their own under way are left alone."""
        if generation != self.model.generation:
            return
        if wait := self.model.pause(""):
            self.model.at(wait + 0.001, self.check, references, generation)
            return
        began, pause = self.now, self.model.rng.uniform

        def seen() -> None:
            self.model.at(pause(0.02, 0.3), answer, {reference: self.there(reference) for reference in references})

        def answer(found: dict[str, list[AtWarehouse]]) -> None:
            if generation == self.model.generation:
                self.checking.difference_update(references)
                self.looked_up(found, began)

        self.model.at(pause(0.02, 0.3), seen)

    def looked_up(self, found: dict[str, list[AtWarehouse]], began: int) -> None:
        """Look-ups that others made, too."""
        for reference, there in found.items():
            if reference in self.rows and reference not in self.busy:
                self.found(reference, there, began)
                self.kick(reference)

    def found(self, reference: str, there: list[AtWarehouse], began: int) -> None:
        row = self.rows[reference]
        self.tell(row, rules.found(row, there, began, CREATE_UNKNOWN, self.now))

    # ---- requests ----
    def send(self, row: ReleaseRow, step: Create | Change | Cancel) -> None:
        """It may not leave, leave without effect, have its effect without an answer, or late; the worker may die meanwhile."""
        model, rng, faults = self.model, self.model.rng, self.model.variant.faults
        match step:
            case Create():
                do = self.create(step)
            case Change():
                do = self.change(step)
            case Cancel():
                do = self.cancel(row.reference)
        latency, chance = rng.uniform(0.03, 0.3), rng.random()
        key = (row.reference, model.generation)
        if rng.random() < 0.02 * faults:
            model.at(rng.uniform(0, 0.5), model.crash)
        if chance < 0.02 * faults:
            model.at(0.05, self.answer, key, self.not_sent)
        elif chance < 0.04 * faults:
            model.at(TIMEOUT, self.answer, key, self.unknown)
        elif chance < 0.08 * faults:
            model.at(latency if chance < 0.06 * faults else rng.uniform(TIMEOUT, LATE_MAX), lambda: do() and None)
            model.at(TIMEOUT, self.answer, key, self.unknown)
        else:
            model.at(latency, lambda: model.at(rng.uniform(0.03, 0.3), self.answer, key, do()))

    def answer(self, key: tuple[str, int], fold: Answers) -> None:
        reference, generation = key
        if generation == self.model.generation and reference in self.rows:
            self.busy.discard(reference)
            row = self.rows[reference]
            self.tell(row, fold(row) if row.intent is not None else [])
            self.model.at(0.05, self.kick, reference)

    def create(self, step: Create) -> Callable[[], Answers]:
        order = step.order
        lines = {line.sku: line.eaches for line in order.lines}

        def land() -> Answers:
            allowed = self.model.variant.set_of(order.order_key.partition(":")[0])
            self.model.warehouse.create(order.reference, lines, allowed)
            made = AtWarehouse(order.reference, "PENDING", "", dict(lines))
            return lambda row: rules.created(row, made, self.now)

        return land

    def change(self, step: Change) -> Callable[[], Answers]:
        order = step.order
        lines = eaches_of(order)

        def land() -> Answers:
            goods = self.model.warehouse.goods.get(order.reference)
            if goods is None or goods.deleted or goods.status != "PENDING":
                status = "gone" if goods is None or goods.deleted else goods.status
                return lambda row: rules.change_refused(row, status)
            self.model.warehouse.amend(order.reference, dict(lines))
            there = AtWarehouse(order.reference, "PENDING", goods.warehouse, dict(lines))
            return lambda row: rules.changed(row, there, self.now)

        return land

    def cancel(self, reference: str) -> Callable[[], Answers]:
        def land() -> Answers:
            goods = self.model.warehouse.goods.get(reference)
            done = goods is None or self.model.warehouse.cancel(reference)
            result = "CANCEL_REFUSED" if not done else "DELETED" if goods is None or goods.deleted else "CANCELLED"
            return lambda row: rules.cancelled(row, result, "", self.now)

        return land

    def not_sent(self, row: ReleaseRow) -> list[WarehouseOrder]:
        rules.not_sent(row, BACK_OFF, self.now)
        return []

    def unknown(self, row: ReleaseRow) -> list[WarehouseOrder]:
        rules.unknown(row, self.now)
        return []
