"""One drill from the first process to the report: start everything, wait for time 0, play the steps, wait for quiet, check, stop everything.

Every wait is bounded, and whatever was started is stopped, however the drill ends.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import KafkaException

from app.connectors import unguarded
from app.drill.file import DrillFile
from app.drill.peers import PeerFactory, Peers
from app.drill.processes import PROGRAM
from app.drill.product import Broker, Product
from app.drill.report import Outcome, conclude
from app.drill.settle import QUIET_SECONDS, Backlog, Settling
from app.drill.steps import Player, Script
from app.drill.topics import GroupLag, OpenedException, read_exceptions
from app.drill.watch import Watch
from tables.stock.policy import notes

ZERO_SECONDS = 60.0
_READ_SECONDS = 30.0


@dataclass(slots=True)
class Progress:
    """What a display may show of a running drill."""

    file: DrillFile
    peers: Peers
    phase: str = "starting"
    started: float = 0.0
    zero: float | None = None
    script: Script | None = None
    watch: Watch | None = None
    backlog: Backlog | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since time 0; 0 before."""
        return 0.0 if self.zero is None else time.monotonic() - self.zero


class Display(Protocol):
    """Shows a drill while it runs."""

    def start(self, progress: Progress) -> None: ...
    def tell(self, text: str) -> None: ...
    def stop(self) -> None: ...


class DrillRun:
    """One run of one file. `broker` is started and stopped here; `logs` is a folder that gets the logs of all processes; `worker` starts a worker.

    `after` is awaited with the outcome and a worker's configuration file while everything still runs; the display is stopped by then.
    """

    def __init__(
        self,
        file: DrillFile,
        raw: Mapping[str, Any],
        factory: PeerFactory,
        broker: Broker,
        display: Display,
        *,
        foreign: bool,
        logs: Path | None = None,
        worker: Sequence[str] = (*PROGRAM, "worker"),
        after: Callable[[Outcome, Path], Awaitable[None]] | None = None,
    ) -> None:
        self._logs, self._worker, self._after = logs, worker, after
        self._file, self._raw, self._factory, self._broker, self._display = file, raw, factory, broker, display
        self._foreign = foreign
        self.kept_logs = ""

    async def run(self) -> Outcome:
        """Run to the end. `Problem` and ProcessFailed where it could not even start."""
        await asyncio.to_thread(self._broker.start)
        try:
            peers = Peers(self._file, self._factory)
            product = Product(
                peers,
                self._raw,
                self._broker,
                foreign=self._foreign,
                tell=self._display.tell,
                worker=self._worker,
            )
            progress = Progress(self._file, peers, started=time.monotonic())
            self._display.start(progress)
            try:
                await peers.start()
                await product.start()
                outcome = await self._drill(peers, product, progress)
                if self._after is not None:
                    self._display.stop()
                    await self._after(outcome, product.configuration)
                return outcome
            finally:
                progress.phase = "stopping"
                await product.stop(logs=self._logs)
                await peers.stop()
        finally:
            self._display.stop()
            await asyncio.to_thread(self._broker.stop)

    async def _drill(self, peers: Peers, product: Product, progress: Progress) -> Outcome:
        watch, lag = Watch(peers), GroupLag(product.settings)
        player = Player(self._file, peers, product.kill, product.freeze, product.go_live, product.authorise)
        settling = Settling(peers, product, lambda: asyncio.to_thread(lag.look))
        progress.script, progress.watch = player.script, watch
        opening = {sku: sum(s["available"] for s in by.values()) for sku, by in peers.clarus.stock().items()}
        try:
            progress.phase = "waiting for time 0: every listing shows what the policies give"
            settled, waiting_for = await self._time_zero(peers, settling), ""
            progress.zero = time.monotonic()
            if not settled:
                wrong = ", ".join(peers.wrong())
                waiting_for = f"time 0; these listings do not show what the policies give: {wrong}"
            else:
                watch.start()
                player.script.on_movement = watch.moved
                progress.phase = "playing the steps"
                await player.play(progress.zero)
                progress.phase = "waiting for quiet"
                settled = await self._settle(settling, product, progress)
                waiting_for = "" if settled else str(settling.backlog)
            seconds = progress.elapsed
            progress.phase = "checking"
            exceptions, failures = await self._exceptions(product)
            outcome = conclude(
                peers,
                player.script,
                watch,
                opening,
                exceptions,
                settled=settled,
                seconds=seconds,
                failures=[*product.failures, *failures],
                waiting_for=waiting_for,
                no_guarantee=notes(product.settings.catalogue(), unguarded(product.settings.channels)),
            )
        finally:
            await watch.stop()
            await asyncio.to_thread(lag.close)
        if not outcome.ok:
            self.kept_logs = "\n".join(f"{p.name}:\n{p.tail()}" for p in product.processes)
        return outcome

    @staticmethod
    async def _exceptions(product: Product) -> tuple[list[OpenedException], list[str]]:
        """The exceptions from the public topic, or why they could not be read."""
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return await asyncio.to_thread(read_exceptions, product.settings), []
        except (KafkaException, TimeoutError) as error:
            return [], [f"the exceptions could not be read from Kafka: {error}"]

    async def _time_zero(self, peers: Peers, settling: Settling) -> bool:
        """Until every listing shows the right figure, and the product is quiet where that alone says too little; bounded."""
        bound = max(ZERO_SECONDS, self._file.settle / 1000)
        deadline = time.monotonic() + bound
        if peers.ambiguous():
            return await settling.wait(bound / 2, also=lambda: not peers.wrong()) or not peers.wrong()
        while time.monotonic() < deadline:
            if not peers.wrong() and all(peer.quiet() for peer in peers.storefronts.values()):
                return True
            await asyncio.sleep(0.1)
        return False

    async def _settle(self, settling: Settling, product: Product, progress: Progress) -> bool:
        """Quiet, and not before every sweep had its turn: what nobody was told of is found by the next one. Nor while a product still counts as selling."""
        sweeps = product.settings.settings.sweeps
        bound = self._file.settle / 1000
        least = min(max(sweeps.orders, sweeps.stock, sweeps.listings) / 1000, bound / 2)
        least = max(least, min(progress.peers.selling(), bound - 2 * QUIET_SECONDS))

        async def follow() -> None:
            while True:
                progress.backlog = settling.backlog if settling.looked else None
                await asyncio.sleep(0.25)

        following = asyncio.create_task(follow())
        try:
            return await settling.wait(bound, least=least)
        finally:
            following.cancel()
