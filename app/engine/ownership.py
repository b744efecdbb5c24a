"""Which partitions are this worker's, and which of them run: follows the group's assignments, has their state restored and tells who wants to know.

Everything here happens on the event loop, between two cycles; restores run on threads of their own and report to it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from app.engine.api import PartitionLost
from app.engine.commit import Committer
from app.engine.config import EngineConfig
from app.engine.consumer import Change, GroupConsumer, Rebalance
from app.engine.health import EngineObserver, EngineStats, Unobserved
from app.engine.partition import OwnedPartition
from app.engine.restore import Restored, RestoreRound
from app.engine.store import StoreSet

log = structlog.get_logger(__name__)


class Ownership:
    """`blocking` runs a function on the Kafka thread. `joined` says that the group has assigned and nothing has been revoked since."""

    def __init__(
        self, config: EngineConfig, stores: StoreSet, stats: EngineStats, blocking: Callable[..., Awaitable[Any]]
    ) -> None:
        self.partitions: dict[int, OwnedPartition] = {}
        self.joined = False
        self.observer: EngineObserver = Unobserved()
        self.on_ready: list[Callable[[int], None]] = []
        self.on_lost: list[Callable[[int], None]] = []
        self._config = config
        self._stores = stores
        self._stats = stats
        self._blocking = blocking
        self._threads = ThreadPoolExecutor(4, "restore")
        self._topics: Sequence[str] = ()
        self._source = ""
        self._restored: list[tuple[RestoreRound, Restored]] = []
        self._round: RestoreRound | None = None
        self._awaited: RestoreRound | None = None
        self._round_failure: BaseException | None = None

    def read(self, topics: Sequence[str], source: str) -> None:
        """The source topics (broker's names), and the identity of the state topic."""
        self._topics, self._source = topics, source

    async def follow(self, rebalance: Rebalance) -> None:
        """A rebalance ends the round in progress. What was ours and is again is read up to its end before it runs on."""
        self._stats.rebalances += 1
        log.info("rebalance", change=rebalance.change.value, partitions=sorted(rebalance.partitions))
        self._cancel_round()
        self.joined = rebalance.change is Change.ASSIGNED
        for partition in self.partitions.values():
            partition.hold()
        if rebalance.change is Change.REVOKED:
            return
        for number in sorted(self.partitions.keys() - rebalance.partitions):
            self._give_up(self.partitions.pop(number))
            await self._blocking(self._stores.rest, number)
        if rebalance.change is Change.ASSIGNED:
            for number in rebalance.partitions - self.partitions.keys():
                self.partitions[number] = OwnedPartition(number, await self._blocking(self._stores.get, number))
            self._restore(rebalance.partitions)

    def read_again(self, numbers: Iterable[int]) -> None:
        """It is not known whether the last commit took place: hold these until the broker has told."""
        doubtful = list(numbers)
        for number in doubtful:
            self.partitions[number].hold()
            self.partitions[number].repeating = True
        self._restore(doubtful)

    async def let_restored_run(self, consumer: GroupConsumer, committer: Committer, ticks: int) -> None:
        """What the awaited round has reported since the last call; raises what ended it."""
        if self._round_failure is not None:
            raise self._round_failure
        ready, self._restored = self._restored, []
        current = [restored for made_by, restored in ready if made_by is self._awaited]
        if not current:
            return
        await self._blocking(consumer.activate, {one.partition: one.positions for one in current})
        for one in current:
            partition = self.partitions[one.partition]
            if partition.announced and one.foreign and not partition.repeating:
                log.warning("somebody else had the partition for a while", partition=one.partition)
                self._give_up(partition)
            partition.repeating = False
            partition.positions = dict(one.positions)
            silent = partition.let_run()
            committer.claim(one.partition, one.epoch)
            self._stats.restored_rows += one.rows
            self.observer.running(one.partition, silent, one.seconds)
            if not partition.announced:
                partition.announced = True
                partition.due = dict.fromkeys(range(ticks), 0.0)
                for function in self.on_ready:
                    function(one.partition)

    def give_all_up(self) -> None:
        """The worker stops."""
        self.joined = False
        self._cancel_round()
        for number in sorted(self.partitions):
            self._give_up(self.partitions.pop(number))

    async def close(self) -> None:
        """Until no thread works on the stores."""
        self._cancel_round()
        if self._round is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._round.wait)
        self._threads.shutdown(wait=False)

    def _cancel_round(self) -> None:
        self._awaited = None
        if self._round is not None:
            self._round.cancel()

    def _restore(self, numbers: Iterable[int]) -> None:
        self._cancel_round()
        loop = asyncio.get_running_loop()
        found: list[RestoreRound] = []

        def report(restored: Restored) -> None:
            loop.call_soon_threadsafe(self._note_restored, found[0], restored)

        this = RestoreRound(self._config, self._stores, self._source, self._topics, numbers, report, self._round)
        found.append(this)
        self._round = self._awaited = this
        self._stats.restoring = this.progress
        loop.run_in_executor(self._threads, this.run).add_done_callback(self._round_over)

    def _note_restored(self, made_by: RestoreRound, restored: Restored) -> None:
        self._restored.append((made_by, restored))

    def _round_over(self, future: "asyncio.Future[None]") -> None:
        if not future.cancelled() and future.exception() is not None:
            self._round_failure = future.exception()

    def _give_up(self, partition: OwnedPartition) -> None:
        """Tell everybody that the partition is gone."""
        if partition.announced:
            partition.announced = False
            for function in self.on_lost:
                function(partition.number)
        lost = PartitionLost(f"partition {partition.number} was lost before the cycle was committed")
        while partition.submissions:
            done = partition.submissions.popleft().done
            if not done.done():
                done.set_exception(lost)
