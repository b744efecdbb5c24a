"""A worker's measurements: hears what engine and agents tell, lets it count once the cycle is committed, and sets the gauges when somebody looks.

It decides nothing. What each figure means is said in `app/metrics.py`.
"""

import time
from collections import Counter
from collections.abc import Callable

from agents.availability import StockTables
from agents.availability import sum_key as sku_key
from agents.finance import exceptions as money_exceptions
from agents.finance import sum_key as money_key
from agents.orders import exceptions
from agents.orders import sum_key as order_key
from app import metrics
from app.delivery.runtime import DeliveryRuntime
from app.engine import EngineApp
from app.engine.api import Context, Table
from app.exposition import Totals
from app.sums import Source, Sums, SumsKeeper
from tables.deliveries.troubles import OWNERS as delivery_owners
from tables.finance.judge import TYPE as MISMATCH
from tables.finance.rows import MoneyRow
from tables.orders.exceptions import OWNERS as order_owners
from tables.orders.rows import OrderRow
from tables.reconciliation import Cause, result_of
from tables.stock import drift, figures
from tables.stock.figures import Parts
from tables.stock.rows import Rules


class WorkerMeasures:
    """Implements `agents.watch.Watch` and the engine's `EngineObserver`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.sums = Sums()
        self.marks: dict[tuple[int, str], int] = {}
        self.in_doubt: Callable[[], None] = lambda: None
        self._clock = clock
        self._notes: list[Callable[[], None]] = []
        self._rows: dict[int, dict[str, Parts]] = {}
        self._commands: dict[tuple[str, str], list[int]] = {}
        self._superseded: Counter[tuple[str, str]] = Counter()

    # ---- agents.watch.Watch ----

    def batch(self, topic: str, occurred_at: int, done: int, superseded: int, failed: int) -> None:
        """As `Watch.batch`."""

        def count() -> None:
            for outcome, number in (("done", done), ("superseded", superseded), ("failed", failed)):
                if number:
                    metrics.RECORDS.labels(topic, outcome).inc(number)
            if occurred_at:
                metrics.CAUSE_TO_FOLDED.labels(topic).observe(self._age(occurred_at))

        self._notes.append(count)

    def command(self, channel: str, kind: str, occurred_at: int) -> None:
        """As `Watch.command`."""
        self._commands.setdefault((channel, kind), []).append(occurred_at)

    def superseded(self, channel: str, kind: str) -> None:
        """As `Watch.superseded`."""
        self._superseded[channel, kind] += 1

    def judged(self, channel: str, cause: Cause) -> None:
        """As `Watch.judged`."""

        def count() -> None:
            metrics.RECONCILED.labels(channel, result_of(cause)).inc()
            if cause != "equal":
                metrics.DRIFT_FOUND.labels(channel, cause).inc()

        self._notes.append(count)

    def adds(self, partition: int, key: str, parts: Parts) -> None:
        """As `Watch.adds`."""
        rows = self._rows.get(partition)
        if rows is None:
            rows = self._rows[partition] = {}
        rows[key] = parts

    def watermark(self, partition: int, channel: str, at: int) -> None:
        """As `Watch.watermark`."""
        self._notes.append(lambda: self.marks.__setitem__((partition, channel), at))

    def _age(self, occurred_at: int) -> float:
        return max(0.0, self._clock() - occurred_at / 1000)

    # ---- EngineObserver ----

    def folded(self, topic: str, number: int, written: int, unreadable: int) -> None:
        """As `EngineObserver.folded`."""

        def count() -> None:
            metrics.RECORDS_IN.labels(topic).inc(number)
            metrics.BATCH_SIZE.labels(topic).observe(number)
            if written:
                metrics.HOP.labels(topic).observe(self._age(written))
            if unreadable:
                metrics.DEAD_LETTERS.labels(topic).inc(unreadable)

        self._notes.append(count)

    def committed(self, seconds: float) -> None:
        """As `EngineObserver.committed`."""
        metrics.COMMIT_SECONDS.observe(seconds)
        notes, self._notes = self._notes, []
        rows, self._rows = self._rows, {}
        for note in notes:
            note()
        self._count_commands()
        for partition, changed in rows.items():
            self.sums.change(partition, changed)

    def _count_commands(self) -> None:
        """There is one for nearly every order, so a cycle's are counted together."""
        for (channel, kind), times in self._commands.items():
            metrics.COMMANDS_IN.labels(channel, kind).inc(len(times))
            if kind in ("stock", "order"):
                age = metrics.CAUSE_TO_COMMANDED.labels(channel)
                for occurred_at in filter(None, times):
                    age.observe(self._age(occurred_at))
        for (channel, kind), number in self._superseded.items():
            metrics.COMMANDS.labels(channel, kind, "superseded").inc(number)
        self._forget_commands()

    def _forget_commands(self) -> None:
        self._commands, self._superseded = {}, Counter()

    def aborted(self, certain: bool) -> None:
        """As `EngineObserver.aborted`."""
        self._notes, self._rows = [], {}
        self._forget_commands()
        if not certain:
            self.in_doubt()

    def cycled(self, seconds: float) -> None:
        """As `EngineObserver.cycled`."""
        metrics.CYCLE_SECONDS.observe(seconds)

    def running(self, partition: int, silent: float, restoring: float) -> None:
        """As `EngineObserver.running`."""
        metrics.SILENCE.observe(silent)
        metrics.RECOVERY.observe(restoring)


class WorkerGauges:
    """Brings everything up to date that is only looked at. Made after the engine and delivery, before they start."""

    def __init__(
        self,
        app: EngineApp,
        delivery: DeliveryRuntime,
        measures: WorkerMeasures,
        rules: Rules,
        stock: StockTables,
        orders: Table[OrderRow],
        money: Table[MoneyRow],
    ) -> None:
        self._app, self._delivery, self._measures, self._rules = app, delivery, measures, rules
        self._watermarks = stock.watermarks
        self._totals = Totals()
        self._types = {drift.TYPE, *delivery_owners, *order_owners, MISMATCH}
        sources: list[Source] = [
            (stock.stock, sku_key, lambda row: figures.figures(row, rules.catalogue)),
            (orders, order_key, exceptions),
            (money, money_key, money_exceptions),
        ]
        self._keeper = SumsKeeper(app, measures.sums, sources, self._look, self._dropped)
        measures.in_doubt = self._in_doubt
        app.observe(measures)

    def measure(self) -> None:
        """Called before metrics are read."""
        self._engine()
        self._delivery.measure()
        self._sums()

    async def close(self) -> None:
        """Stop reading rows."""
        await self._keeper.close()

    def _in_doubt(self) -> None:
        for partition in self._app.owned:
            self._keeper.again(partition)

    def _look(self, context: Context) -> None:
        """The watermarks a partition came with."""
        for key, row in context.scan(self._watermarks, "mark/"):
            self._measures.marks[context.partition, key.removeprefix("mark/")] = row.reached

    def _dropped(self, partition: int) -> None:
        marks = self._measures.marks
        self._measures.marks = {place: at for place, at in marks.items() if place[0] != partition}

    def watermark_waits(self) -> dict[str, int]:
        """By channel: outcomes and baselines that wait for its watermark before the ledger counts them, and may then publish anew."""
        totals = self._measures.sums.totals
        return {
            channel: totals[figures.OUTCOMES, channel] + totals[figures.UNREADY, channel]
            for channel in self._rules.bounds
        }

    def _engine(self) -> None:
        stats, restoring = self._app.stats, self._app.restoring
        for counter, total in (
            (metrics.CYCLES, stats.cycles),
            (metrics.COMMITS, stats.commits),
            (metrics.ABORTS, stats.aborts),
            (metrics.FAILED_BATCHES, stats.failed_batches + stats.failed_ticks),
            (metrics.OUTPUTS, stats.outputs),
            (metrics.ROWS_WRITTEN, stats.rows),
            (metrics.REBALANCES, stats.rebalances),
        ):
            self._totals.bring(counter, total)
        self._totals.bring(metrics.RESTORED_ROWS, stats.restored_rows + sum(one.rows for one in restoring))
        metrics.PARTITIONS_OWNED.set(len(self._app.owned))
        known = [one for one in restoring if one.target >= 0]
        left = sum(max(0, one.target - one.offset) for one in known)
        whole = sum(max(0, one.target - one.start) for one in known)
        metrics.RESTORE_REMAINING.set(left)
        metrics.RESTORE_PROGRESS.set(1 - left / whole if whole else float(not restoring))
        size = self._app.store_size()
        metrics.STORE_ROWS.set(size.rows)
        metrics.STORE_BYTES.set(size.bytes)
        metrics.LAG.clear()
        for topic, lag in stats.lag.items():
            metrics.LAG.labels(topic).set(lag)

    def _sums(self) -> None:
        totals = self._measures.sums.totals
        for name, gauge in (
            (figures.EXPOSURE, metrics.EXPOSURE),
            (figures.TRANSFER, metrics.TRANSFER),
            (figures.OUTCOMES, metrics.OUTCOMES_WAITING),
            (figures.UNREADY, metrics.UNREADY),
        ):
            for channel in self._rules.bounds:
                gauge.labels(channel).set(totals[name, channel])
        metrics.OVERLAP.set(totals[figures.OVERLAP, ""])
        metrics.SPLIT.set(totals[figures.SPLIT, ""])
        metrics.SUMS_INCOMPLETE.set(self._keeper.incomplete)
        opened = self._delivery.open_exceptions()
        opened.update({kind: number for (name, kind), number in totals.items() if name == figures.EXCEPTIONS})
        self._types |= opened.keys()
        for kind in self._types:
            metrics.EXCEPTIONS_OPEN.labels(kind).set(opened[kind])
        oldest: dict[str, int] = {}
        for (_, channel), at in self._measures.marks.items():
            oldest[channel] = min(at, oldest.get(channel, at))
        metrics.WATERMARK_AGE.clear()
        for channel, at in oldest.items():
            metrics.WATERMARK_AGE.labels(channel).set(max(0.0, time.time() - at / 1000))
