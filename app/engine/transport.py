"""Faust's side of the engine: topics, messages and the transport that plugs the pump in where Faust expects a consumer.

Nothing of Faust's own offset book-keeping, recovery or producing is used; what it calls and the engine does not need answers harmlessly.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import faust
from faust.transport import base
from faust.transport import consumer as faust_consumer
from faust.transport import producer as faust_producer
from faust.transport.drivers import TRANSPORTS
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from app.engine.cycle import EngineBatch
from app.engine.errors import EngineConfigError, EngineError

SCHEME = "clarus-stream"
TRANSPORTS.aliases[SCHEME] = "app.engine.transport:EngineTransport"


class BatchMessage(ConsumerMessage):  # type: ignore[misc]
    """Carries a batch through Faust's streams. Their compiled iterator only writes `acked = True` when it is done with an event, so that is the hook."""

    __slots__ = ()

    @property
    def acked(self) -> bool:
        return bool(self.value.finished.done())

    @acked.setter
    def acked(self, done: bool) -> None:
        if done:
            self.value.release()


class EngineAgent(faust.Agent):  # type: ignore[misc]
    """An agent that ends quietly when the app stops; Faust would log every one of them as crashed."""

    async def _execute_actor(self, coro: Any, aref: Any) -> None:
        await super()._execute_actor(self._until_stopped(coro), aref)

    async def _until_stopped(self, coro: Any) -> None:
        try:
            await coro
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise


class EngineTopic(faust.Topic):  # type: ignore[misc]
    """A source topic. Its events' value is the batch itself."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "acks": False})

    async def decode(self, message: Any, *, propagate: bool = False) -> Any:
        return self._create_event(None, message.value, None, message=message)


class EngineConsumer(faust_consumer.Consumer):  # type: ignore[misc]
    """Starts the pump when Faust subscribes and hands its batches to Faust's conductor."""

    _running: "asyncio.Task[None] | None" = None

    async def subscribe(self, topics: Iterable[str]) -> None:
        app = self.app
        names = sorted(topics)
        if self._running is not None:
            app.pump_failed(EngineConfigError("an agent was declared after the app had started"))
            return
        app.flow_control.resume()
        places = {TP(name, partition) for name in names for partition in range(app.config.partitions)}
        app._update_assignment(places)
        await app.topics.on_partitions_assigned(places)
        self._running = asyncio.create_task(self._run(names), name="pump")

    async def _run(self, topics: list[str]) -> None:
        app = self.app
        try:
            self._check_agents(topics)
            await app.pump.open(topics)
            await app.pump.run(self._deliver)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must end with it
            app.pump_failed(error)

    def _check_agents(self, topics: list[str]) -> None:
        if not topics:
            raise EngineConfigError("no agent is declared, so there is nothing to read")
        for topic in topics:
            agents = sorted(a.name for a in self.app.agents.values() if topic in a.get_topic_names())
            if len(agents) > 1:
                raise EngineConfigError(f"the topic {topic} has several agents ({', '.join(agents)}); one may read it")

    async def _deliver(self, batch: EngineBatch, topic: str, partition: int) -> None:
        await self.callback(
            BatchMessage(
                topic,
                partition,
                batch.messages[-1].offset(),
                0.0,
                1,
                (),
                None,
                batch,
                None,
                0,
                0,
                TP(topic, partition),
                generation_id=self.app.consumer_generation_id,
            )
        )

    async def shut_down(self) -> None:
        """Let the running turn end, then leave the group."""
        self.app.pump.stop()
        if self._running is not None:
            await self._running
        await self.app.pump.close()

    async def on_stop(self) -> None:
        return

    async def wait_empty(self) -> None:
        return

    def track_message(self, message: Any) -> None:
        return

    def ack(self, message: Any) -> bool:
        message.acked = True
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        return False

    async def verify_all_partitions_active(self) -> None:
        return

    def assignment(self) -> set[Any]:
        return set()

    async def perform_seek(self) -> None:
        return

    async def create_topic(self, *args: Any, **options: Any) -> None:
        return

    async def seek_to_committed(self) -> dict[Any, int]:
        return {}

    async def seek_wait(self, partitions: Any) -> None:
        return

    async def _seek(self, partition: Any, offset: int) -> None:
        return

    async def _commit(self, offsets: Any) -> bool:
        return False

    async def _getmany(self, active_partitions: Any, timeout: float) -> dict[Any, Any]:
        return {}

    async def _drain_messages(self, fetcher: Any) -> None:
        return

    def _new_topicpartition(self, topic: str, partition: int) -> Any:
        return TP(topic, partition)

    def _to_message(self, tp: Any, record: Any) -> Any:
        return record

    def highwater(self, tp: Any) -> int:
        return 0

    async def highwaters(self, *partitions: Any) -> dict[Any, int]:
        return {}

    async def earliest_offsets(self, *partitions: Any) -> dict[Any, int]:
        return {}

    async def position(self, tp: Any) -> int | None:
        return None

    def topic_partitions(self, topic: str) -> int | None:
        return None

    def key_partition(self, topic: str, key: Any, partition: int | None = None) -> int | None:
        return partition


class EngineProducer(faust_producer.Producer):  # type: ignore[misc]
    """Refuses Faust's own sending: it would go out beside the transaction."""

    async def send(self, topic: str, *args: Any, **options: Any) -> Any:
        raise EngineError(
            f"a record to {topic} was sent outside a cycle; use the send of the batch or of a submitted function"
        )

    async def send_and_wait(self, topic: str, *args: Any, **options: Any) -> Any:
        return await self.send(topic)

    async def create_topic(self, *args: Any, **options: Any) -> None:
        return

    def key_partition(self, topic: str, key: Any) -> Any:
        return TP(topic, None)


class EngineTransport(base.Transport):  # type: ignore[misc]
    """What the URL scheme stands for."""

    Consumer = EngineConsumer
    Producer = EngineProducer
    default_port = 0
    driver_version = "clarus-stream"
