"""The Faust app on this engine. Declare tables and agents on it, then run it with `faust.Worker`, or with `start`/`stop` beside other tasks."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

import faust
import structlog

from app.engine.api import PartitionFunction, Table
from app.engine.config import EngineConfig
from app.engine.errors import EngineConfigError, PartitionLost
from app.engine.health import EngineObserver, EngineStats
from app.engine.partition import Phase
from app.engine.pump import Pump
from app.engine.restore import Progress
from app.engine.store import Size
from app.engine.tables import EngineTable, EngineTableManager
from app.engine.transport import SCHEME, EngineAgent, EngineTopic

log = structlog.get_logger(__name__)
Row = TypeVar("Row")


class EngineApp(faust.App):  # type: ignore[misc]
    """`faust.App` that also is `api.Engine`. Made by `create_app`."""

    def __init__(self, config: EngineConfig, **options: Any) -> None:
        self.config = config
        self.pump = Pump(config)
        self.failure: BaseException | None = None
        self._finished: asyncio.Event = asyncio.Event()
        super().__init__(
            config.group_id,
            broker=f"{SCHEME}://engine",
            store="memory://",
            datadir=str(config.directory),
            Agent=EngineAgent,
            Topic=EngineTopic,
            Table=EngineTable,
            TableManager=EngineTableManager,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=config.partitions,
            web_enabled=False,
            stream_wait_empty=False,
            **options,
        )

    # declarations --------------------------------------------------------------------------------------------------------------------------------------

    def topic(self, *topics: str, **options: Any) -> Any:
        """A source topic by its logical name."""
        if len(topics) != 1:
            raise EngineConfigError(f"one topic at a time, not {topics}")
        options.setdefault("key_serializer", "raw")
        options.setdefault("value_serializer", "raw")
        return super().topic(self.config.physical(topics[0]), **options)

    def Table(self, name: str, *, row: type[Row], **options: Any) -> Table[Row]:
        """A table with rows of a msgspec struct (or any type msgspec can encode and decode)."""
        return cast("Table[Row]", super().Table(name, row=row, **options))

    # api.Engine ----------------------------------------------------------------------------------------------------------------------------------------

    @property
    def partitions(self) -> int:
        return self.config.partitions

    @property
    def owned(self) -> frozenset[int]:
        return self.pump.owned

    async def submit(self, partition: int, function: PartitionFunction) -> None:
        await self.pump.submit(partition, function)

    def every(self, seconds: float, function: PartitionFunction) -> None:
        self.pump.every(seconds, function)

    def on_partition_ready(self, function: Callable[[int], None]) -> None:
        self.pump.on_ready(function)

    def on_partition_lost(self, function: Callable[[int], None]) -> None:
        self.pump.on_lost(function)

    # running -------------------------------------------------------------------------------------------------------------------------------------------

    @property
    def stats(self) -> EngineStats:
        return self.pump.stats

    def observe(self, observer: EngineObserver) -> None:
        """Tell it what happens; before `start`."""
        self.pump.observe(observer)

    def store_size(self) -> Size:
        """Of the stores of the partitions that run here. Cheap: the store's own estimates."""
        running = [one.store.size() for one in self.pump.partitions.values() if one.phase is Phase.RUNNING]
        return Size(sum(one.rows for one in running), sum(one.bytes for one in running))

    @property
    def restoring(self) -> list[Progress]:
        """Restores under way."""
        held = {number for number, one in self.pump.partitions.items() if one.phase is Phase.HELD}
        return [progress for number, progress in self.stats.restoring.items() if number in held]

    def health(self) -> dict[str, Any]:
        """`live`: a restart would not help. `ready`: this worker is in the group and all its partitions run. Never blocks."""
        phases = {number: partition.phase for number, partition in self.pump.partitions.items()}
        age = self.pump.heartbeat.age_ms()
        restoring = {
            number: {"offset": progress.offset, "target": progress.target, "rows": progress.rows}
            for number, progress in self.pump.stats.restoring.items()
            if phases.get(number) is Phase.HELD
        }
        return {
            "live": self.failure is None and age <= self.config.stall_after_ms,
            "ready": self.failure is None and self.pump.joined and all(p is Phase.RUNNING for p in phases.values()),
            "broker_away": self.pump.broker_away,
            "last_turn_ms_ago": age,
            "partitions": {number: phase.value for number, phase in sorted(phases.items())},
            "restoring": restoring,
            "failure": None if self.failure is None else f"{type(self.failure).__name__}: {self.failure}",
        }

    async def finished(self) -> None:
        """Until the engine has stopped; raises what stopped it where that was no `stop`."""
        await self._finished.wait()
        if self.failure is not None:
            raise self.failure

    def pump_failed(self, error: BaseException) -> None:
        """The engine cannot go on: nothing more is committed, and the worker ends with this error."""
        if self.failure is None and not isinstance(error, PartitionLost):
            self.failure = error
        log.critical("the engine stopped", error=f"{type(error).__name__}: {error}", exc_info=error)
        self._finished.set()
        if self.in_worker:
            self.add_future(self.crash(error))

    async def on_stop(self) -> None:
        """The cycle ends and the group is left before Faust takes the agents down."""
        if self._consumer is not None:
            await self._consumer.shut_down()
        self._finished.set()
        await super().on_stop()

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        self.pump.agent_failed(exc)

    async def _stop_consumer(self) -> None:
        return

    def _create_directories(self) -> None:
        return


def create_app(config: EngineConfig, **options: Any) -> EngineApp:
    """An app on this engine. `options` are further Faust settings (`loghandlers`, `origin`, ...)."""
    return EngineApp(config, **options)
