"""The whole product on a real Kafka beside simulated peers, and a worker that is killed (SIGKILL) at one effect after the other.

Peers, worker and ingress are those of a drill. Nothing in the product knows of the kills: a request is stopped at its peer (`effect_trap`), and that an answer
is committed is seen as any consumer sees it (`effect_tail`).
"""

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice, product
from typing import Any, Literal

import httpx
import msgspec
import yaml

from app.drill.checks import run_checks
from app.drill.file import DrillFile, KillStep
from app.drill.peers import Peers
from app.drill.product import ForeignBroker, Product
from app.drill.read import parse_drill
from app.drill.report import gather
from app.drill.settle import Settling
from app.drill.simulators import RealPeers
from app.drill.steps import Script
from app.drill.topics import GroupLag, read_exceptions
from app.operations import send
from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.contract import StorefrontSimulator
from app.topics import engine_config
from schemas.catalogue import CHANNEL_COMMANDS, INGRESS_WEBHOOKS
from schemas.records import OperatorCommand
from tables.deliveries import releases
from tables.deliveries.listing_row import ListingRow
from tables.deliveries.notes import NoteRow
from tables.deliveries.receipts import ReceiptRow
from tables.deliveries.refunds import RefundRow
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.shipments import ShipmentRow
from tests.faults.effect_sites import OPENING, SITES, Case, ProcessPicks, Site
from tests.faults.effect_tail import Tail
from tests.faults.effect_trap import Moment, Trap

MOMENTS: tuple[Moment, ...] = ("before", "between", "after")
LANDS_S = 4.0
"""How long after its worker's death a request that is late has its effect: within every bound of `DRILL_SETTINGS` (6 s), after the next worker has begun."""
_ROWS: dict[str, type[Any]] = {
    "releases": ReleaseRow,
    "listings": ListingRow,
    "shipments": ShipmentRow,
    "receipts": ReceiptRow,
    "refunds": RefundRow,
    "notes": NoteRow,
}
_PARTITIONS = 4


class _Shops(RealPeers):
    """A store that applies adjustments within a second."""

    def storefront(self, name: str, file: DrillFile) -> StorefrontSimulator:
        if name == "bc":
            return BigCommerceSimulator(name, file.seed, plan="enterprise", order_lag=(0.0, 0.1), apply_max=1.0)
        return super().storefront(name, file)


class _Peers(Peers):
    """Somebody has picks processed: the product, or the warehouse by itself."""

    def __init__(self, file: DrillFile, process_picks: ProcessPicks) -> None:
        super().__init__(file, _Shops())
        self._process_picks = process_picks

    def connections(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        clarus, channels = super().connections()
        return clarus | {"process_picks": self._process_picks}, channels


def plan(kills: int, sites: Sequence[Site] = SITES, moments: Sequence[Moment] = MOMENTS) -> list[Case]:
    """So many kills over every site, moment and disk, in an order drawn by a seed: the first few are of all kinds."""
    disks: tuple[Literal["keep", "fresh"], ...] = ("keep", "fresh")
    every = list(product(sites, moments, disks))
    random.Random(5).shuffle(every)
    return [Case(number, *what) for number, what in enumerate(islice(cycle(every), kills), 1)]


@dataclass(slots=True)
class Verdict:
    """What became of the cases. `lost`, `doubled`: their effects; `missed`: kills that did not come about; `checks`: what a drill's checks find wrong."""

    cases: list[Case]
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every kill came about, and every effect happened once."""
        return not (self.lost or self.doubled or self.missed or self.checks)

    def add(self, other: "Verdict") -> None:
        """What another run found."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.missed += other.missed
        self.checks += other.checks


Told = Callable[[Case, float], None]


async def run_cases(bootstrap: str, cases: Sequence[Case], told: Told = lambda case, seconds: None) -> Verdict:
    """All of them; those of another configuration have a product of their own, beside the others'. `told` as in `EffectRig.run`."""
    by_setting: dict[ProcessPicks, list[Case]] = {}
    for case in cases:
        by_setting.setdefault(case.site.process_picks, []).append(case)
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(EffectRig(bootstrap, some, who).run(told)) for who, some in by_setting.items()]
    whole = Verdict(list(cases))
    for run in runs:
        whole.add(run.result())
    return whole


class EffectRig:
    """One run of cases that share a configuration."""

    def __init__(self, bootstrap: str, cases: Sequence[Case], process_picks: ProcessPicks) -> None:
        self.cases = list(cases)
        drill = parse_drill(yaml.safe_dump(_file(self.cases)), "effect-kills.yaml")
        self._peers = _Peers(drill.file, process_picks)
        self._traps = {peer.name: Trap(peer) for peer in self._peers.all()}  # type: ignore[arg-type]
        self._product = Product(self._peers, drill.raw, ForeignBroker(bootstrap), foreign=True, tell=lambda _: None)
        self._bootstrap = bootstrap
        self._client = httpx.AsyncClient(trust_env=False, timeout=2)
        self._tails: dict[str, Tail] = {}
        self._late: set[asyncio.Task[None]] = set()

    async def run(self, told: Told) -> Verdict:
        """Start, prepare, kill, settle, judge, stop. `told` hears of every kill and how long it took until the next worker was ready."""
        try:
            await self._peers.start()
            await self._product.start()
            shops = self._peers.storefronts.values()
            await self._until(
                lambda: not self._peers.wrong() and all(shop.quiet() for shop in shops), "the opening stock is on offer"
            )
            self._follow()
            await self._prepare()
            for case in self.cases:
                began = time.monotonic()
                await self._kill_at(case)
                told(case, time.monotonic() - began)
            return await self._judge()
        finally:
            for tail in self._tails.values():
                tail.close()
            await self._client.aclose()
            await self._product.stop()
            await self._peers.stop()

    # ---- before the first kill ----

    def _follow(self) -> None:
        engine = engine_config(self._product.settings)
        follow = {
            "rows": (engine.state_topic, "read_committed"),
            "webhooks": (engine.physical(INGRESS_WEBHOOKS.name), "read_committed"),
            "written": (engine.physical(CHANNEL_COMMANDS.name), "read_uncommitted"),
            "committed": (engine.physical(CHANNEL_COMMANDS.name), "read_committed"),
        }
        for name, (topic, isolation) in follow.items():
            self._tails[name] = Tail(self._bootstrap, topic, _PARTITIONS, isolation)

    async def _prepare(self) -> None:
        """Every case to the brink of its effect, all at once; then nothing is under way any more."""
        for number in range(max((len(case.site.stages) for case in self.cases), default=0)):
            staged = [case for case in self.cases if len(case.site.stages) > number]
            for case in staged:
                await self._do(case.site.stages[number][0], case)
            await self._until(
                lambda: all(case.site.stages[number][1](self._peers, case) for case in staged),  # noqa: B023
                f"stage {number + 1} of the preparation",
            )
        await self._quiet("the preparation")

    async def _do(self, step: Callable[[Peers, Case], Any], case: Case) -> None:
        done = step(self._peers, case)
        if inspect.isawaitable(done):
            done = await done
        if isinstance(done, OperatorCommand):
            await asyncio.to_thread(send, self._product.settings, done)

    # ---- one kill ----

    async def _kill_at(self, case: Case) -> None:
        for tail in self._tails.values():
            tail.forget()
        reach = self._in_kafka if not case.site.peer else self._at_peer
        try:
            await reach(case)
        except TimeoutError as error:
            case.missed = str(error) or "no such request came"
            return
        await self._product.kill(KillStep(process="worker", signal="KILL", disk=case.disk))
        if case.moment == "late":
            landing = asyncio.create_task(self._land(self._traps[case.site.peer]))
            self._late.add(landing)
            landing.add_done_callback(self._late.discard)
        await self._product.workers[0].ready(self._client)
        if self._late:
            await asyncio.gather(*self._late)

    async def _land(self, trap: Trap) -> None:
        await asyncio.sleep(LANDS_S)
        trap.land()

    async def _at_peer(self, case: Case) -> None:
        trap = self._traps[case.site.peer]
        trap.arm(lambda call: case.site.hits(self._peers, case, call), case.moment)
        await self._do(case.site.act, case)
        async with asyncio.timeout(60):
            await trap.caught.wait()
        if case.moment == "after":
            await self._until(lambda: self._acknowledged(case), f"{case}: the answer is committed")

    def _acknowledged(self, case: Case) -> bool:
        """Has the row, committed while it owed the request, been committed without that, or where it ends with the answer, been deleted?"""
        decode = msgspec.msgpack.Decoder(_ROWS[case.site.table]).decode
        for values in self._tails["rows"].beginning(f"{case.site.table}\x00{case.site.row(self._peers, case)}"):
            owed = [value is not None and case.site.owes(decode(value)) for value in values]
            if case.site.row_ends:
                if None in values:
                    return True
            elif True in owed and False in owed[owed.index(True) :]:
                return True
        return False

    async def _in_kafka(self, case: Case) -> None:
        """The command that makes the warehouse's owner act: before it is written (its cause is durable), written and perhaps not committed, committed."""
        await self._do(case.site.act, case)
        wanted: dict[str, Callable[[], bool]] = {
            "before": lambda: bool(self._tails["webhooks"].of(case.key)),
            "between": lambda: bool(self._tails["written"].of(f"order/{case.reference}")),
            "after": lambda: bool(self._tails["committed"].of(f"order/{case.reference}")),
        }
        await self._until(wanted[case.moment], f"{case}", glance=0.001)

    # ---- the end ----

    async def _judge(self) -> Verdict:
        await self._quiet("the end", least=10.0)
        verdict = Verdict(self.cases)
        for case in self.cases:
            if case.missed:
                verdict.missed.append(f"{case}: {case.missed}")
                continue
            times = case.site.count(self._peers, case)
            if times != 1:
                (verdict.lost if times < 1 else verdict.doubled).append(f"{case}: {times:g} times")
        exceptions = await asyncio.to_thread(read_exceptions, self._product.settings)
        script = Script()
        for case in self.cases:
            if case.order is not None and case.sent_back:
                script.sent_back[case.site.channel, case.order.number] = {case.sku: case.sent_back}
        evidence = gather(self._peers, script, dict.fromkeys((case.sku for case in self.cases), OPENING), exceptions)
        for name, check in run_checks(evidence).items():
            verdict.checks += [f"{name}: {failure}" for failure in check.failed]
        verdict.checks += self._product.failures
        return verdict

    async def _quiet(self, what: str, least: float = 0.0) -> None:
        lag = GroupLag(self._product.settings)
        settling = Settling(self._peers, self._product, lambda: asyncio.to_thread(lag.look))
        try:
            if not await settling.wait(120, least=least):
                open_now = {
                    channel: found["backlog"]
                    for worker in (await self._product.status()).values()
                    for channel, found in worker["channels"].items()
                }
                told = f"{what}: not quiet after 120 s: {settling.backlog}; {open_now}"
                raise TimeoutError("\n".join([told, *self._pending_releases(), self._logs()]))
        finally:
            await asyncio.to_thread(lag.close)

    def _pending_releases(self) -> list[str]:
        decode = msgspec.msgpack.Decoder(ReleaseRow).decode
        rows = [decode(value) for value in self._tails["rows"].newest("releases\x00")]
        cases = {case.reference: case for case in self.cases if case.order is not None}
        return [f"{cases.get(row.reference)}: {row}" for row in rows if releases.pending(row)]

    async def _until(self, holds: Callable[[], bool], what: str, seconds: float = 60, glance: float = 0.005) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:g} s: {what}\n{self._logs()}")
            await asyncio.sleep(glance)

    def _logs(self) -> str:
        return "\n".join(f"{process.name}:\n{process.tail()}" for process in self._product.processes)


def _file(cases: Sequence[Case]) -> dict[str, Any]:
    """A drill without steps: a product for each case, and sweeps that mend no stock meanwhile."""
    return {
        "name": "a worker killed at every effect",
        "seed": 1,
        "channels": {
            "ct": {"system": "commercetools", "order_lag": ["0s", "0.1s"], "rate": "500/s"},
            "bc": {"system": "bigcommerce", "plan": "enterprise", "order_lag": ["0s", "0.1s"]},
        },
        "warehouses": ["MAIN"],
        "products": [
            {"sku": case.sku, "channels": {"ct": case.sku, "bc": case.sku}, "stock": {"MAIN": OPENING}}
            for case in cases
        ],
        "policies": [{"mode": "shared"}],
        "steps": [],
        "settings": {"sweeps": {"listings": "600s"}},
        "floor": "manual",
    }
