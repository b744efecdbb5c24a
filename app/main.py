"""The worker: puts settings, engine, tables, agents, connectors and delivery together and runs them until told to stop. It holds no rule."""

import asyncio
import contextlib
import importlib.metadata
import signal
from collections.abc import AsyncIterator, Callable, Set
from functools import cache
from typing import Any

import structlog
import uvloop

from agents.availability import Availability, StockTables
from agents.delivery import Delivery, DeliveryTables
from agents.finance import Finance, FinanceTables
from agents.holds import HoldRow, Holds, JudgedRow
from agents.intake import Intake
from agents.operations import Operations
from agents.orders import Orders
from agents.returns import Returns
from app.connectors import CLARUS, intake_for, storefront_type, unguarded
from app.delivery.runtime import DeliveryRuntime
from app.engine import Batch, EngineApp, EngineError, create_app, partition_of
from app.errors import Problem
from app.exceptions import openapi
from app.exceptions.api import ExceptionsApi
from app.finance.worker import FinanceRoutes
from app.mappings.force import InForce
from app.mappings.live import LiveMappings
from app.mappings.topic import MappingsReader
from app.measures import WorkerGauges, WorkerMeasures
from app.ops import OpsServer
from app.order_rules import order_rules, return_rules
from app.reconciliation.worker import Reconciliation
from app.registry import codecs_for
from app.settings import Settings
from app.shadow.worker import Shadows
from app.stock_rules import stock_rules
from app.topics import engine_config
from app.why.order_worker import OrderStories, OrderTables
from app.why.worker import ExplainedTables, Explainer
from schemas import catalogue as topics
from schemas.catalogue import Topic
from schemas.codec import Codecs
from schemas.records import Correction
from tables.deliveries.fetches import FetchRow
from tables.deliveries.listing import ListingRow
from tables.deliveries.modes import ModeRow
from tables.deliveries.notes import NoteRow
from tables.deliveries.pauses import PauseRow
from tables.deliveries.polls import PollRow
from tables.deliveries.reads import ReadRow
from tables.deliveries.receipts import ReceiptRow
from tables.deliveries.refunds import RefundRow
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.shipments import ShipmentRow
from tables.deliveries.troubles import TroubleRow
from tables.deliveries.work import AtWorkRow, DueRow
from tables.finance.judge import Waits
from tables.finance.rows import MoneyDay, MoneyDue, MoneyRow
from tables.mappings import book as books
from tables.mappings.force import OrdersForce
from tables.orders.rows import OrderRow, WaitRow
from tables.reconciliation import DifferenceRow, SweepRow
from tables.returns.rows import OrderReturns
from tables.stock.policy import notes
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow

log = structlog.get_logger(__name__)

Fold = Callable[[Batch], None]
ORDER_TICK = 1.0
"""Seconds between two looks at what waits for its order."""


class Worker:
    """Everything one worker process runs."""

    def __init__(self, settings: Settings, codecs: Codecs) -> None:
        self.settings = settings
        self.app: EngineApp = create_app(engine_config(settings))
        self._catalogue = catalogue = settings.catalogue()
        partitions = settings.settings.kafka.partitions

        @cache
        def place(channel: str) -> int:
            return partition_of(channel, partitions)

        table = self.app.Table
        sweeps, differences = table("sweeps", row=SweepRow), table("differences", row=DifferenceRow)
        delivery_tables = DeliveryTables(
            listings=table("listings", row=ListingRow),
            corrections=table("corrections", row=Correction),
            reads=table("reads", row=ReadRow),
            releases=table("releases", row=ReleaseRow),
            fetches=table("fetches", row=FetchRow),
            shipments=table("shipments", row=ShipmentRow),
            receipts=table("receipts", row=ReceiptRow),
            refunds=table("refunds", row=RefundRow),
            notes=table("notes", row=NoteRow),
            polls=table("polls", row=PollRow),
            troubles=table("troubles", row=TroubleRow),
            pauses=table("pauses", row=PauseRow),
            modes=table("modes", row=ModeRow),
            sweeps=sweeps,
            differences=differences,
            due=table("due", row=DueRow),
            at_work=table("at_work", row=AtWorkRow),
        )
        parsers = {name: intake_for(name, settings).parse for name in (CLARUS, *settings.channels)}
        measures = WorkerMeasures()
        delivery = Delivery(codecs, delivery_tables, measures)
        self._agent(topics.INGRESS_WEBHOOKS, Intake(parsers, codecs, place, measures).fold)
        order_rows = table("orders", row=OrderRow)
        waits = table("order_waits", row=WaitRow)
        holds = Holds(table("order_holds", row=HoldRow), table("order_judged", row=JudgedRow))
        return_rows = table("returns", row=OrderReturns)
        returns = Returns(return_rules(settings, catalogue), return_rows)
        money = FinanceTables(
            table("money", row=MoneyRow),
            table("money_days", row=MoneyDay),
            table("money_due", row=MoneyDue),
            return_rows,
        )
        given = settings.settings.finance
        finance = Finance(Waits(given.release_wait, given.refund_wait), money, measures)
        force = OrdersForce(order_rules(settings, catalogue))
        self._orders = orders = Orders(
            force, codecs, order_rows, waits, place, partitions, holds, returns, measures, finance
        )
        self._agent(topics.ORDERS_EVENTS, orders.fold)
        self.app.every(ORDER_TICK, orders.tick)
        self._stock_rules = rules = stock_rules(settings, catalogue)
        stock = StockTables(
            table("stock", row=SkuRow),
            table("stock_lines", row=OrderLines),
            table("watermarks", row=WatermarkRow),
            sweeps,
            differences,
        )
        self._agent(topics.INVENTORY_EVENTS, Availability(rules, codecs, stock, place, measures).fold)
        self._agent(topics.CHANNEL_COMMANDS, delivery.fold)
        operations = Operations(catalogue, settings.channels, CLARUS, codecs, place, measures)
        self._agent(topics.OPERATIONS_COMMANDS, operations.fold)
        self.delivery = DeliveryRuntime(self.app, delivery, catalogue, settings, codecs, delivery_tables, place)
        self._gauges = WorkerGauges(self.app, self.delivery, measures, rules, stock, order_rows, money.money)
        kinds = {name: storefront_type(given).kind for name, given in settings.channels.items()}
        explained = ExplainedTables(stock, delivery_tables)
        explainer = Explainer(self.app, rules, explained, kinds, settings.settings.engine.instance, place)
        starts = {name: given.mode == "shadow" for name, given in settings.channels.items()}
        starts[CLARUS] = settings.clarus.mode == "shadow"
        stories = OrderStories(
            self.app,
            OrderTables(order_rows, waits, money.money, return_rows, stock, delivery_tables),
            starts,
            self.delivery.status,
            settings.settings,
            settings.settings.engine.instance,
            place,
        )
        shadows = Shadows(self.app, delivery_tables, starts, settings.settings.engine.instance, place)
        checked = Reconciliation(
            self.app, delivery_tables, list(settings.channels), partitions, settings.settings.engine.instance, place
        )
        ledgers = FinanceRoutes(self.app, money, settings.settings.engine.instance)
        self.mappings = LiveMappings(settings, lambda: MappingsReader(settings, codecs), self._put_in_force)
        desk = ExceptionsApi(settings, openapi.document())
        self.ops = OpsServer(
            settings.settings.ops,
            self._live,
            self._ready,
            self.status,
            self._gauges.measure,
            [
                *explainer.routes(),
                *stories.routes(),
                *shadows.routes(),
                *checked.routes(),
                *ledgers.routes(),
                *desk.routes(),
            ],
        )

    def _agent(self, topic: Topic, fold: Fold) -> None:
        """One agent: every batch of its topic goes through `fold`, all or nothing."""
        name = topic.name

        async def run(stream: AsyncIterator[Batch]) -> None:
            async for batch in stream:
                with batch:
                    fold(batch)

        run.__name__ = name.replace(".", "_")
        self.app.agent(self.app.topic(name), name=run.__name__)(run)

    def _put_in_force(self, found: InForce, changed: Set[str]) -> None:
        """Other mappings count from the next batch on; everybody holds the one catalogue, whose content is replaced."""
        clarus = self.settings.clarus
        self._catalogue.become(found.catalogue)
        self._stock_rules.modes.clear()
        self._orders.use(found.orders)
        clarus.statuses = {status: means for (name, status), means in found.orders.meanings.items() if name == CLARUS}
        counts = books.buckets(found.book)
        clarus.sellable_statuses = [status for status, how in counts.items() if how == "sellable"]
        clarus.held_statuses = [status for status, how in counts.items() if how == "held"]
        if changed:
            self.delivery.remapped(changed)

    def _live(self) -> bool:
        return bool(self.app.health()["live"])

    def _ready(self) -> bool:
        return bool(self.app.health()["ready"])

    def status(self) -> dict[str, Any]:
        """What the worker says of itself: plain values, no personal data."""
        return {
            "version": importlib.metadata.version("clarus-stream"),
            "engine": self.app.health(),
            "lag": dict(self.app.stats.lag),
            "pending": self.delivery.pending(),
            "watermark_waits": self._gauges.watermark_waits(),
            "channels": self.delivery.status(),
            "mappings": self.mappings.status(),
        }

    async def run(self) -> None:
        """Until a signal, or until the engine cannot go on: its error is raised."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await self.ops.start()
        try:
            await self.mappings.load()
            if weaker := notes(self._catalogue, unguarded(self.settings.channels)):
                log.warning("last units of some products may be sold twice", products=len(weaker), first=weaker[0])
            await self.app.start()
            await _first(self.app.finished(), stop.wait(), self.mappings.follow())
        finally:
            await self._gauges.close()
            await self.delivery.close()
            with contextlib.suppress(asyncio.CancelledError):
                await self.app.stop()
            await self.mappings.close()
            await self.ops.stop()


async def _first(*works: Any) -> None:
    """Wait for the first of them, raise what it raised, end the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def run_worker(settings: Settings) -> int:
    """Run a worker in this process; the exit status. `Problem` where it cannot start or go on, in one line."""
    codecs = codecs_for(settings)

    async def main() -> None:
        worker = Worker(settings, codecs)
        await worker.run()

    try:
        uvloop.run(main())
    except EngineError as error:
        raise Problem(f"{type(error).__name__}: {error}") from error
    return 0
