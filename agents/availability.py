"""The AVAILABILITY agent: folds `inventory.events` into the stock ledger; tells listings their targets and corrections, subscribers what is available.

Every rule is in `tables/stock`; here is only how the rules reach the rows of a partition and where each effect goes. Targets are sent once a batch: a
listing whose figure moved up and down again within it costs nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.emit import Emitter, Place
from agents.watch import Unwatched, Watch
from app.engine.api import Batch, Context, Record, Table
from schemas import catalogue as topics
from schemas.codec import Codecs, UndecodableRecord
from schemas.records import (
    AvailableToSell,
    Baseline,
    BundleHold,
    ComponentStock,
    Correction,
    Event,
    ExceptionState,
    StockOutcome,
    StockTarget,
    Watermark,
)
from schemas.records import Record as Body
from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock import fold
from tables.stock.figures import figures
from tables.stock.publish import publish
from tables.stock.rows import Effect, OrderLines, Rules, SkuRow, WatermarkRow


@dataclass(frozen=True, slots=True)
class StockTables:
    """The tables of the ledger. Sweeps and differences are shared with delivery."""

    stock: Table[SkuRow]
    lines: Table[OrderLines]
    watermarks: Table[WatermarkRow]
    sweeps: Table[SweepRow]
    differences: Table[DifferenceRow]


class PartitionState:
    """The stock rows of one partition inside a cycle (`tables.stock.rows.StockState`). It remembers rows, so it must not outlive the batch."""

    def __init__(self, context: Context, tables: StockTables) -> None:
        self._context = context
        self._stock, self._lines, self._watermarks = tables.stock, tables.lines, tables.watermarks
        self._sweeps, self._differences = tables.sweeps, tables.differences
        self._changed: dict[str, SkuRow] = {}
        self._marks: dict[str, WatermarkRow] = {}

    def sku(self, sku: str) -> SkuRow | None:
        return self._changed.get(sku) or self._context.get(self._stock, sku)

    def put_sku(self, row: SkuRow) -> None:
        if self._changed.get(row.sku) is not row:
            self._changed[row.sku] = row
            self._context.put(self._stock, row.sku, row)

    def lines(self, sku: str, reference: str) -> OrderLines | None:
        return self._context.get(self._lines, f"{sku}/{reference}")

    def put_lines(self, sku: str, reference: str, row: OrderLines) -> None:
        self._context.put(self._lines, f"{sku}/{reference}", row)

    def references(self, sku: str) -> Iterable[str]:
        found = [key.removeprefix(f"{sku}/") for key, _ in self._context.scan(self._lines, f"{sku}/")]
        return [reference for reference in found if "/" not in reference]  # with one it is of another SKU

    def watermark(self, channel: str) -> WatermarkRow:
        row = self._marks.get(channel)
        if row is None:
            row = self._context.get(self._watermarks, f"mark/{channel}") or WatermarkRow()
            self._marks[channel] = row
        return row

    def put_watermark(self, channel: str, row: WatermarkRow) -> None:
        self._context.put(self._watermarks, f"mark/{channel}", row)

    def sweep(self, channel: str) -> SweepRow:
        return self._context.get(self._sweeps, channel) or SweepRow()

    def put_sweep(self, channel: str, row: SweepRow) -> None:
        self._context.put(self._sweeps, channel, row)

    def difference(self, key: str) -> DifferenceRow | None:
        return self._context.get(self._differences, key)

    def put_difference(self, row: DifferenceRow) -> None:
        self._context.put(self._differences, row.key, row)

    def waiting(self, channel: str) -> Iterable[tuple[str, int]]:
        prefix = f"wait/{channel}/"
        return [(key.removeprefix(prefix), row.due) for key, row in self._context.scan(self._watermarks, prefix)]

    def wait(self, channel: str, sku: str, due: int | None) -> None:
        key = f"wait/{channel}/{sku}"
        if due is None:
            self._context.delete(self._watermarks, key)
        else:
            self._context.put(self._watermarks, key, WatermarkRow(due=due))


class Availability:
    """One worker's AVAILABILITY agent."""

    def __init__(
        self,
        rules: Rules,
        codecs: Codecs,
        tables: StockTables,
        place: Place,
        watch: Watch | None = None,
    ) -> None:
        self._rules, self._codecs, self._place = rules, codecs, place
        self._tables, self._watch = tables, watch or Unwatched()

    def fold(self, batch: Batch) -> None:
        """All records of one partition of one poll, then every SKU they touched."""
        state = PartitionState(batch, self._tables)
        codec = self._codecs[topics.INVENTORY_EVENTS]
        touched: dict[str, tuple[str, Record, Event[Body]]] = {}
        moved: set[str] = set()  # what the SKU adds to sums may have changed
        superseded = failed = first = 0
        for record in batch.records:
            try:
                event = codec.decode(record.value)
            except UndecodableRecord as error:
                batch.dead_letter(record, str(error))
                failed += 1
                continue
            first = first or event.occurred_at
            folded = fold.apply(state, self._rules, event.body, event.occurred_at)
            superseded += folded.superseded
            if folded.effects:
                self._send(self._emitter(batch, record, event, ""), folded.effects)
                moved.update(effect.sku for effect in folded.effects if isinstance(effect, Correction))
            for channel, found in folded.judged:
                self._watch.judged(channel, found)
            if isinstance(event.body, StockOutcome | Baseline):  # what waits for a watermark is a sum, too
                moved.add(event.body.sku)
            elif isinstance(event.body, Watermark):
                self._watch.watermark(batch.partition, event.body.channel, state.watermark(event.body.channel).reached)
            for sku, cause in folded.touched.items():
                touched[sku] = cause, record, event
        for sku, (cause, record, event) in touched.items():
            effects = publish(state, self._rules, sku, cause)
            if effects:
                self._send(self._emitter(batch, record, event, f":{sku}"), effects)
            if effects or cause in ("outcome", "baseline"):
                moved.add(sku)
        for sku in moved:
            row = state.sku(sku)
            if row is not None:
                self._watch.adds(batch.partition, sum_key(sku), figures(row, self._rules.catalogue))
        done = len(batch.records) - superseded - failed
        self._watch.batch(batch.topic, first, done, superseded, failed)

    def _emitter(self, batch: Batch, record: Record, event: Event[Body], suffix: str) -> Emitter:
        origin = f"{batch.topic}:{batch.partition}:{record.offset}{suffix}"
        return Emitter(self._codecs, batch, origin, event, "availability", event.received_at)

    def _send(self, emit: Emitter, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case StockTarget():
                    partition = self._place(effect.channel)
                    emit.send(topics.CHANNEL_COMMANDS, f"stock/{effect.listing}", effect, partition=partition)
                case Correction():
                    partition = self._place(effect.channel)
                    emit.send(topics.CHANNEL_COMMANDS, f"correct/{effect.listing}", effect, partition=partition)
                case AvailableToSell():
                    emit.send(topics.INVENTORY_AVAILABILITY, effect.sku, effect)
                case ComponentStock() | BundleHold():
                    emit.send(topics.INVENTORY_EVENTS, effect.sku, effect)
                case ExceptionState():
                    emit.send(topics.INTEGRATION_EXCEPTIONS, effect.exception_id, effect)


def sum_key(sku: str) -> str:
    """The name of a SKU's row among all that add to sums."""
    return f"stock/{sku}"
