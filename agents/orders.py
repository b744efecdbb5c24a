"""The ORDERS agent: folds `orders.events` into the orders table; tells the ledger demand, the warehouse releases and cancels, subscribers the state.

Every rule is in `tables/orders`; here is only where each effect goes.
"""

from agents.emit import Emitter, Place
from app.engine.api import Batch, Table
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import (
    CancelOrder,
    DemandLine,
    ExceptionState,
    NormalisedOrder,
    OrderSnapshot,
    OrderWatermark,
    ReleaseOrder,
    Watermark,
)
from tables.orders import fold
from tables.orders.fold import Effect, Rules
from tables.orders.rows import OrderRow


class Orders:
    """One worker's ORDERS agent. `order_of` finds the order key of a reference in a warehouse's answer: the record's own key."""

    def __init__(self, rules: Rules, codecs: Codecs, table: Table[OrderRow], place: Place, partitions: int) -> None:
        self._rules, self._codecs, self._table, self._place, self._partitions = rules, codecs, table, place, partitions

    def fold(self, batch: Batch) -> None:
        """All records of one partition of one poll."""
        codec = self._codecs[topics.ORDERS_EVENTS]
        for record in batch.records:
            try:
                event = codec.decode(record.value)
                key = record.key.decode()
            except (UndecodableRecord, UnicodeDecodeError) as error:
                batch.dead_letter(record, str(error))
                continue
            body = event.body
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
                continue
            channel, _, order_id = key.partition(":")
            row = batch.get(self._table, key) or fold.new_row(channel, order_id)
            if isinstance(body, OrderSnapshot):
                effects = fold.snapshot(row, body, self._rules, event.received_at)
            else:
                effects = fold.warehouse(row, body, event.received_at)
            batch.put(self._table, key, row)
            for effect in effects:
                self._send(emit, row, effect)

    def _send(self, emit: Emitter, row: OrderRow, effect: Effect) -> None:
        match effect:
            case DemandLine():
                emit.send(topics.INVENTORY_EVENTS, effect.sku, effect)
            case ReleaseOrder() | CancelOrder():
                emit.send(
                    topics.CHANNEL_COMMANDS, f"order/{effect.reference}", effect, partition=self._place(effect.channel)
                )
            case NormalisedOrder():
                emit.send(topics.ORDERS_STATUS, row.key, effect)
            case ExceptionState():
                emit.send(topics.INTEGRATION_EXCEPTIONS, effect.exception_id, effect)
