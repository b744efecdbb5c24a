"""The ORDERS agent: folds `orders.events` into the orders table; tells the ledger demand, the warehouse releases and cancels, subscribers the state.

Every rule is in `tables/orders`; here is only where each effect goes.
"""

from itertools import islice
from typing import Final

from agents.emit import Emitter, Place
from agents.finance import Finance
from agents.holds import Holds
from agents.returns import Effect, Returns
from agents.watch import Unwatched, Watch
from app.engine.api import Batch, Context, Table
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import (
    AnnounceReturn,
    CancelOrder,
    DemandLine,
    ExceptionCommand,
    ExceptionState,
    NormalisedOrder,
    NoteOrder,
    OrderSnapshot,
    OrderWatermark,
    ReleaseOrder,
    SettleReturn,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
    WarehouseOrder,
    Watermark,
)
from tables.finance.facts import standing
from tables.mappings.force import OrdersForce
from tables.mappings.statuses import meant
from tables.orders import answers, attention, fold, shipping
from tables.orders.effects import new_row
from tables.orders.rows import OrderRow, WaitRow
from tables.orders.telling import telling
from tables.stock.figures import EXCEPTIONS, Parts

DUE_AT_ONCE: Final = 200


class Orders:
    """One worker's ORDERS agent. `use` puts other rules in force between two batches; what `holds` waits for a mapping is then judged again."""

    def __init__(
        self,
        force: OrdersForce,
        codecs: Codecs,
        table: Table[OrderRow],
        waits: Table[WaitRow],
        place: Place,
        partitions: int,
        holds: Holds,
        returns: Returns,
        watch: Watch | None = None,
        finance: Finance | None = None,
    ) -> None:
        self._force, self._codecs, self._table, self._waits = force, codecs, table, waits
        self._returns, self._finance = returns, finance
        self._place, self._partitions = place, partitions
        self._holds, self._watch = holds, watch or Unwatched()

    def use(self, force: OrdersForce) -> None:
        """Fold by these rules from the next batch on."""
        self._force = force

    def fold(self, batch: Batch) -> None:
        """All records of one partition of one poll."""
        codec = self._codecs[topics.ORDERS_EVENTS]
        done = superseded = failed = first = 0
        for record in batch.records:
            try:
                event = codec.decode(record.value)
                key = record.key.decode()
            except (UndecodableRecord, UnicodeDecodeError) as error:
                batch.dead_letter(record, str(error))
                failed += 1
                continue
            body = event.body
            first = first or event.occurred_at
            emit = Emitter(
                self._codecs,
                batch,
                f"{batch.topic}:{batch.partition}:{record.offset}",
                event,
                "orders",
                event.received_at,
            )
            if isinstance(body, OrderWatermark):
                passed = Watermark(channel=body.channel, order_partition=batch.partition, up_to=body.up_to)
                for partition in range(self._partitions):
                    emit.send(topics.INVENTORY_EVENTS, f"watermark/{body.channel}", passed, partition=partition)
                done += 1
                continue
            channel, _, order_id = key.partition(":")
            row = batch.get(self._table, key) or new_row(channel, order_id)
            rules, before, stood = self._force.rules_of(channel), exceptions(row), standing(row)
            effects: list[Effect] = []
            match body:
                case OrderSnapshot():
                    body = meant(body, self._force.meanings)
                    effects += fold.snapshot(row, body, rules, event.received_at)
                    superseded += row.snapshot is not body
                case WarehouseDespatch():
                    read_before = row.despatch_read
                    if row.snapshot is None and row.early is None:
                        due = event.received_at + rules.early_wait
                        batch.put(self._waits, wait_key(due, key), WaitRow(key))
                    effects += shipping.despatched(row, body, rules, event.received_at)
                    superseded += row.snapshot is not None and row.despatch_read == read_before
                case ShipmentOutcome():
                    effects += shipping.shipment(row, body, rules, event.received_at)
                case ExceptionCommand():
                    effects += attention.command(row, body, rules, event.received_at)
                case WarehouseOrder():
                    effects += answers.warehouse(row, body, rules, event.received_at)
            effects += telling(row, rules)
            effects += self._returns.fold(batch, key, row, body, event.received_at)
            if self._finance is not None:
                effects += self._finance.follow(batch, row, body, rules.catalogue, event.received_at, stood)
            done += 1
            batch.put(self._table, key, row)
            self._note(batch, key, row, before)
            for effect in effects:
                self._send(emit, row, effect)
        self._watch.batch(batch.topic, first, done - superseded, superseded, failed)

    def tick(self, context: Context) -> None:
        """What waited long enough is said: a despatch that came before its order, money that does not fit. What a mapping holds is judged again after the
        mappings changed."""
        self._judge_again(context)
        self._early(context)
        for key in self._finance.due(context) if self._finance is not None else ():
            row = context.get(self._table, key)
            if row is not None:
                origin = f"money:{context.partition}:{key}:{context.now_ms}"
                emit = Emitter(self._codecs, context, origin, None, "orders", context.now_ms)
                self._judge_money(context, emit, row)

    def _early(self, context: Context) -> None:
        for name, wait in list(islice(context.scan(self._waits), DUE_AT_ONCE)):
            if name >= wait_key(context.now_ms, ""):
                return
            context.delete(self._waits, name)
            row = context.get(self._table, wait.order_key)
            if row is None:
                continue
            before = exceptions(row)
            emit = Emitter(self._codecs, context, f"early:{name}", None, "orders", context.now_ms)
            for effect in shipping.unmatched(row, context.now_ms):
                self._send(emit, row, effect)
            context.put(self._table, wait.order_key, row)
            self._note(context, wait.order_key, row, before)

    def _judge_again(self, context: Context) -> None:
        for key in self._holds.due(context, self._force.version):
            row = context.get(self._table, key)
            if row is None:
                continue
            before = exceptions(row)
            origin = f"mappings:{self._force.version}:{context.partition}:{key}"
            emit = Emitter(self._codecs, context, origin, None, "orders", context.now_ms)
            for effect in attention.judge_again(row, self._force, context.now_ms):
                self._send(emit, row, effect)
            context.put(self._table, key, row)
            self._note(context, key, row, before)
            self._judge_money(context, emit, row)

    def _judge_money(self, context: Context, emit: Emitter, row: OrderRow) -> None:
        """No event did it: time, or the mappings."""
        if self._finance is not None:
            catalogue = self._force.rules_of(row.channel).catalogue
            for effect in self._finance.follow(context, row, None, catalogue, context.now_ms):
                self._send(emit, row, effect)

    def _note(self, context: Context, key: str, row: OrderRow, before: Parts) -> None:
        """What the order adds to the sum of open exceptions changed, and perhaps whether it waits for a mapping."""
        after = exceptions(row)
        if after != before:
            self._watch.adds(context.partition, sum_key(key), after)
            self._holds.note(context, key, waits=attention.waits_for_mappings(row))

    def _send(self, emit: Emitter, row: OrderRow, effect: Effect) -> None:
        match effect:
            case DemandLine():
                emit.send(topics.INVENTORY_EVENTS, effect.sku, effect)
            case ReleaseOrder() | CancelOrder():
                emit.send(
                    topics.CHANNEL_COMMANDS, f"order/{effect.reference}", effect, partition=self._place(effect.channel)
                )
            case AnnounceReturn():
                emit.send(
                    topics.CHANNEL_COMMANDS, f"return/{effect.reference}", effect, partition=self._place(effect.channel)
                )
            case SettleReturn():
                key = f"refund/{row.key}/{effect.return_id}/{effect.part}"
                emit.send(topics.CHANNEL_COMMANDS, key, effect, partition=self._place(effect.channel))
            case ShipParcel():
                key = f"ship/{row.key}/{effect.parcel_id}"
                emit.send(topics.CHANNEL_COMMANDS, key, effect, partition=self._place(effect.channel))
            case NoteOrder():
                emit.send(topics.CHANNEL_COMMANDS, f"note/{row.key}", effect, partition=self._place(effect.channel))
            case NormalisedOrder():
                emit.send(topics.ORDERS_STATUS, row.key, effect)
            case ExceptionState():
                emit.send(topics.INTEGRATION_EXCEPTIONS, effect.exception_id, effect)


def wait_key(due: int, order_key: str) -> str:
    """Keys in the order in which they are due."""
    return f"{due:013d}/{order_key}"


def exceptions(row: OrderRow) -> Parts:
    """What an order adds to the sum of open exceptions."""
    return tuple(((EXCEPTIONS, kind), 1) for kind in row.exceptions)


def sum_key(order: str) -> str:
    """The name of an order's row among all that add to sums."""
    return f"orders/{order}"
