"""Which channels have an owner here: starts one for every channel that lies in a partition of this worker, and ends it when the partition goes.

The only code that knows gates, connectors and owners together. What an owner does is in `storefront` and `warehouse`.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any, Final

import structlog

from agents.delivery import Delivery, DeliveryTables, Kind
from agents.emit import Place
from app import metrics
from app.connectors import CLARUS, storefront_for, warehouse_for
from app.connectors.contract import Priority, Storefront, Transport, Warehouse
from app.connectors.http import make_client
from app.delivery.breaker import Breaker
from app.delivery.bucket import Bucket
from app.delivery.desk import Desk
from app.delivery.gate import Gate
from app.delivery.owner import Owner
from app.delivery.storefront import StorefrontOwner
from app.delivery.warehouse import WarehouseOwner
from app.engine.api import Engine, PartitionLost
from app.settings import Settings
from schemas.codec import Codecs
from tables.catalogue import Catalogue
from tables.deliveries import pauses

_OF_CHANNELS: Final = (
    metrics.BACKLOG,
    metrics.OLDEST_PENDING,
    metrics.WAITING,
    metrics.UNDER_WAY,
    metrics.BUDGET_LEFT,
    metrics.BUDGET_BURST,
    metrics.BUDGET_RATE,
    metrics.BUDGET_LIMIT,
    metrics.BREAKER,
    metrics.WRITES_ALLOWED,
    metrics.PAUSED,
    metrics.SHADOW,
    metrics.UNCERTAIN,
    metrics.UNGUARDED,
)
_BREAKER_STATE: Final = {"closed": 0, "trial": 1, "open": 2}


@dataclass(frozen=True, slots=True)
class Connectors:
    """How connectors are made: from the configuration, or in tests from a script."""

    storefront: Callable[[str, Transport], Storefront]
    warehouse: Callable[[Transport], Warehouse]


def configured(settings: Settings, catalogue: Catalogue) -> Connectors:
    """The connectors of this configuration, for what the catalogue holds at the time."""
    return Connectors(
        lambda channel, transport: storefront_for(channel, settings.channels[channel], transport),
        lambda transport: warehouse_for(settings, transport, catalogue),
    )


class DeliveryRuntime:
    """Owners of the channels of this worker. Made after the engine, before it starts; `agent.on_change` is set here."""

    def __init__(
        self,
        engine: Engine,
        agent: Delivery,
        catalogue: Catalogue,
        settings: Settings,
        codecs: Codecs,
        tables: DeliveryTables,
        place: Place,
        connectors: Connectors | None = None,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._engine, self._catalogue, self._settings = engine, catalogue, settings
        self._codecs, self._tables, self._place = codecs, tables, place
        self._connectors = connectors or configured(settings, catalogue)
        self._clock, self._rng = clock, rng or random.Random()
        self._owners: dict[str, Owner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger(__name__)
        agent.on_change = self._changed
        engine.on_partition_ready(self._ready)
        engine.on_partition_lost(self._lost)

    # ---- seen from outside ----

    def pending(self) -> dict[str, int]:
        """Wanted states not yet confirmed, by channel that has its owner here. A channel whose owner is starting counts 1."""
        counts = dict.fromkeys(self._tasks, 1)
        counts.update(
            {channel: sum(owner.backlog().values()) for channel, owner in self._owners.items() if channel in counts}
        )
        return counts

    def status(self) -> dict[str, Any]:
        """What each channel's owner is doing, for the status page: plain values, no personal data."""
        report: dict[str, Any] = {}
        for channel, owner in self._owners.items():
            gate = owner.desk.gate
            report[channel] = {
                "partition": owner.desk.partition,
                "backlog": owner.backlog(),
                "unguarded": owner.unguarded(),
                "mode": _mode(owner.desk),
                "writes": owner.desk.may_write and not owner.desk.shadow,
                "paused": [
                    {"target": row.target or channel, "actor": row.actor, "reason": row.reason, "since": row.since}
                    for row in owner.desk.pauses.values()
                ],
                "failures_in_a_row": owner.desk.failures,
                "breaker": gate.breaker.state,
                "rate": round(gate.bucket.rate, 2),
                "throttled": gate.bucket.throttles,
                "waiting": gate.waiting(),
                "under_way": gate.under_way,
                "calls": dict(gate.calls),
                "findings": [
                    {
                        "check": one.check,
                        "ok": one.ok,
                        "detail": one.detail,
                        "remedy": one.remedy,
                        "blocking": one.blocking,
                    }
                    for one in owner.findings
                ],
            }
        return report

    def measure(self) -> None:
        """Set the gauges; called before metrics are read. Channels that have gone to another worker are shown no more."""
        for gauge in _OF_CHANNELS:
            gauge.clear()
        for channel, owner in self._owners.items():
            desk, gate = owner.desk, owner.desk.gate
            self._measure_queues(channel, owner)
            metrics.UNGUARDED.labels(channel).set(owner.unguarded())
            metrics.SHADOW.labels(channel).set(desk.shadow)
            metrics.UNDER_WAY.labels(channel).set(gate.under_way)
            metrics.BUDGET_LEFT.labels(channel).set(gate.bucket.left(time.monotonic()))
            metrics.BUDGET_BURST.labels(channel).set(gate.bucket.burst)
            metrics.BUDGET_RATE.labels(channel).set(gate.bucket.rate)
            metrics.BUDGET_LIMIT.labels(channel).set(gate.bucket.ceiling)
            metrics.BREAKER.labels(channel).set(_BREAKER_STATE[gate.breaker.state])
            metrics.WRITES_ALLOWED.labels(channel).set(desk.may_write)
            whole = pauses.WHOLE in desk.pauses
            metrics.PAUSED.labels(channel, "channel").set(whole)
            metrics.PAUSED.labels(channel, "sku").set(len(desk.pauses) - whole)
            metrics.UNCERTAIN.labels(channel).set(owner.uncertain())

    def _measure_queues(self, channel: str, owner: Owner) -> None:
        for queues in owner.queues():
            for priority, queue in queues.classes.items():
                labels = channel, queues.kind, priority.name.lower()
                age = 0.0 if queue.oldest is None else max(0.0, self._clock() - queue.oldest / 1000)
                metrics.BACKLOG.labels(*labels).set(queue.count)
                metrics.OLDEST_PENDING.labels(*labels).set(age)
        for priority, waiting in owner.desk.gate.waiting_by_priority().items():
            metrics.WAITING.labels(channel, priority.name.lower()).set(waiting)

    def open_exceptions(self) -> Counter[str]:
        """How many exceptions of the channels owned here are open, by type."""
        return sum((owner.desk.open_by_type() for owner in self._owners.values()), Counter())

    def remapped(self, changed: Set[str]) -> None:
        """The catalogue's content is another one, these products differ: listings that are new get their rows, and what is on offer is settled anew."""
        for owner in self._owners.values():
            owner.remapped(changed)

    async def close(self) -> None:
        """End all owners and wait for them."""
        for channel in list(self._tasks):
            self._end(channel)
        await asyncio.gather(*self._ending, return_exceptions=True)

    # ---- owners ----

    def _channels(self) -> list[str]:
        return [CLARUS, *self._settings.channels]

    def _ready(self, partition: int) -> None:
        for channel in self._channels():
            known = self._tasks.get(channel)
            if self._place(channel) == partition and (known is None or known.done()):
                self._tasks[channel] = asyncio.get_running_loop().create_task(
                    self._own(channel, partition), name=f"delivery {channel}"
                )

    def _lost(self, partition: int) -> None:
        for channel in self._channels():
            if self._place(channel) == partition:
                self._end(channel)

    def _end(self, channel: str) -> None:
        task = self._tasks.pop(channel, None)
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()

    def _changed(self, channel: str, kind: Kind, key: str) -> None:
        owner = self._owners.get(channel)
        if owner is not None:
            owner.changed(kind, key)

    async def _own(self, channel: str, partition: int) -> None:
        """Run the channel's owner; where it breaks, start over from the rows."""
        failures = 0
        while True:
            owner = self._make(channel, partition)
            self._owners[channel] = owner
            began = time.monotonic()
            try:
                await owner.run()
            except Exception as error:  # noqa: BLE001 - whatever broke it, the channel must have its owner again
                if _handed_over(error):
                    self._log.info("channel_handed_over", channel=channel, partition=partition)
                    return
                failures = failures + 1 if time.monotonic() - began < 60 else 1
                self._log.error("channel_owner_broke", channel=channel, exc_info=error)
            finally:
                if self._owners.get(channel) is owner:
                    del self._owners[channel]
                await owner.close()
            await asyncio.sleep(owner.desk.backoff(failures) / 1000)

    def _make(self, channel: str, partition: int) -> Owner:
        given, common = self._settings.channels.get(channel), self._settings.settings
        chosen = self._settings.clarus if given is None else given
        timeout = common.delivery.timeout / 1000
        gate = Gate(
            channel,
            client=make_client(timeout, common.delivery.parallel),
            bucket=Bucket(chosen.rate_per_second),
            breaker=Breaker(common.delivery.breaker_failures, common.delivery.breaker_pause / 1000),
            parallel=common.delivery.parallel,
            timeout=timeout,
            observer=_CallObserver(channel),
        )
        desk = Desk(
            channel,
            partition,
            self._engine,
            gate,
            self._catalogue,
            common,
            self._codecs,
            self._tables,
            self._clock,
            random.Random(self._rng.getrandbits(64)),
            starts_in_shadow=chosen.mode == "shadow",
            orders_from=given.orders_from_ms if given is not None else 0,
        )
        if channel == CLARUS:
            warehouse = self._connectors.warehouse(gate)
            gate.rate_hint = warehouse.rate_hint
            return WarehouseOwner(desk, warehouse)
        storefront = self._connectors.storefront(channel, gate)
        gate.rate_hint = storefront.rate_hint
        return StorefrontOwner(desk, storefront)


def _mode(desk: Desk) -> dict[str, Any]:
    """The mode in force, and who decided it since when; a channel that was never in shadow has no history."""
    name, row = "shadow" if desk.shadow else "live", desk.mode
    if row is None:
        return {"in_force": name}
    return {"in_force": name, "actor": row.actor, "reason": row.reason, "since": row.since}


def _handed_over(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(PartitionLost) is not None
    return isinstance(error, PartitionLost)


class _CallObserver:
    """Counts the requests of one channel (`app.delivery.gate.Observer`)."""

    def __init__(self, channel: str) -> None:
        self._channel = channel

    def waited(self, priority: Priority, seconds: float) -> None:
        metrics.API_WAIT.labels(self._channel, priority.name.lower()).observe(seconds)

    def called(self, purpose: str, outcome: str, seconds: float | None) -> None:
        metrics.API_CALLS.labels(self._channel, purpose, outcome).inc()
        if seconds is not None:
            metrics.API_SECONDS.labels(self._channel, purpose).observe(seconds)
