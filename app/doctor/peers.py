"""Asks one peer, politely, what its connector asks at start, and compares clocks. Reads only: a request that would change something does not leave."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from app.connectors import CLARUS, storefront_for, warehouse_for
from app.connectors.contract import Finding, Priority, RateHint
from app.connectors.errors import PeerError, ReadOnly
from app.connectors.http import DirectTransport, describe, is_read
from app.doctor.checks import Check, Result
from app.errors import Problem
from app.mappings.importing import mapped
from app.settings import Settings
from tables.catalogue import Catalogue

SECONDS: Final = 60.0
SKEW_WARNS_MS: Final = 2_000
LOW_BUDGET: Final = 0.1
MOST_REQUESTS: Final = 60
"""No start check takes nearly as many; the workers need the budget."""
PER_SECOND: Final = 5.0


class LookingTransport(DirectTransport):
    """A `Transport` that lets reads through, a few a second, and counts them. `who` says of itself that it changes nothing; `most`: its requests."""

    def __init__(
        self,
        peer: str,
        timeout: float,
        per_second: float = PER_SECOND,
        who: str = "doctor",
        most: int = MOST_REQUESTS,
        **options: Any,
    ) -> None:
        super().__init__(peer, timeout=timeout, connections=2, **options)
        self._who, self._most = who, most
        self._name, self._gap, self._next = peer, 1 / per_second, 0.0
        self.requests = 0
        self.dated = False
        self.hint: RateHint | None = None
        self.rate_hint: Callable[[httpx.Response], RateHint | None] = lambda response: None

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `Transport.request`. `ReadOnly` for what would write, and past the most requests."""
        if not is_read(method, options):
            raise ReadOnly(self._name, describe(method, url), f"{self._who} changes nothing at a peer")
        if self.requests >= self._most:
            raise ReadOnly(
                self._name, describe(method, url), f"{self._who} makes at most {self._most} requests to a peer"
            )
        self.requests += 1
        now = time.monotonic()
        self._next = max(now, self._next) + self._gap
        await asyncio.sleep(self._next - self._gap - now)
        response = await super().request(method, url, priority=priority, authorise=authorise, **options)
        self.dated = self.dated or "Date" in response.headers
        self.hint = self.rate_hint(response) or self.hint
        return response


def checks(settings: Settings, requests: dict[str, int], lacking: Mapping[str, str]) -> list[Check]:
    """One look at each peer. `requests` is filled in; `lacking` says which peers cannot be asked for want of credentials."""
    names = [CLARUS, *settings.channels]
    remedy = "see that the peer can be reached from here, and its addresses in the configuration"
    return [
        Check(name, "reachable", _look(settings, name, requests), SECONDS, remedy)
        for name in names
        if name not in lacking
    ]


def _look(settings: Settings, name: str, requests: dict[str, int]) -> Callable[[], Any]:
    async def look() -> list[Result]:
        chosen = settings.clarus if name == CLARUS else settings.channels[name]
        per_second = max(0.5, min(PER_SECOND, chosen.rate_per_second / 4))
        transport = LookingTransport(name, settings.settings.delivery.timeout / 1000, per_second)
        try:
            catalogue, said = await _in_force(settings) if name == CLARUS else (settings.catalogue(), [])
            return [*said, *await examine(settings, name, transport, catalogue)]
        finally:
            requests[name] = transport.requests
            await transport.close()

    return look


async def _in_force(settings: Settings) -> tuple[Catalogue, list[Result]]:
    """The products as the workers have them; those of the configuration, and a word about it, where the imported mappings cannot be read."""
    try:
        return await asyncio.to_thread(mapped, settings), []
    except Problem as problem:
        text = f"imported mappings cannot be read, so the products of the configuration were compared: {problem}"
        return settings.catalogue(), [Result(CLARUS, "mappings", "warn", text, "put the broker right, then again")]


async def examine(settings: Settings, name: str, transport: LookingTransport, catalogue: Catalogue) -> list[Result]:
    """The connector's own start check, then what its answers said of clock and budget."""
    try:
        findings = await _probe(settings, name, transport, catalogue)
    except PeerError as error:
        results = [
            Result(name, "reachable", "fail", f"{error.request}: {error.detail}", "check address and credentials")
        ]
    else:
        results = [of_finding(name, finding) for finding in findings]
    return [*results, *_clock(name, transport), *budget(name, transport.hint)]


async def _probe(settings: Settings, name: str, transport: LookingTransport, catalogue: Catalogue) -> list[Finding]:
    if name == CLARUS:
        warehouse = warehouse_for(settings, transport, catalogue)
        transport.rate_hint = warehouse.rate_hint
        return await warehouse.probe(Priority.SWEEP)
    storefront = storefront_for(name, settings.channels[name], transport)
    transport.rate_hint = storefront.rate_hint
    return await storefront.probe()


def of_finding(area: str, finding: Finding) -> Result:
    """A blocking finding keeps workers from writing there; another one is worth knowing."""
    state = "ok" if finding.ok else "fail" if finding.blocking else "warn"
    return Result(area, finding.check, state, finding.detail, "" if finding.ok else finding.remedy)  # type: ignore[arg-type]


def _clock(name: str, transport: LookingTransport) -> list[Result]:
    if not transport.dated:
        return []
    low, high = transport.peer_time()
    wall = int(time.time() * 1000)
    return [skew(name, low - wall, high - wall)]


def skew(name: str, low: int, high: int) -> Result:
    """`low` to `high`: by how many milliseconds the peer's clock is ahead of ours. Pure."""
    certain = max(0, low, -high)
    if certain > SKEW_WARNS_MS:
        way = "ahead of" if low > 0 else "behind"
        text = f"its clock is at least {certain / 1000:.1f} s {way} ours"
        return Result(name, "clock", "warn", text, "see that time is synchronised here (chrony, systemd-timesyncd)")
    return Result(name, "clock", "ok", f"its clock is {low / 1000:+.1f} to {high / 1000:+.1f} s from ours")


def budget(name: str, hint: RateHint | None) -> list[Result]:
    """What the last answer said of the peer's budget; nothing where it says none. Pure."""
    if hint is None or hint.remaining is None:
        return []
    of = f" of {hint.quota}" if hint.quota is not None else ""
    reset = f", anew in {hint.reset_after:.0f} s" if hint.reset_after is not None else ""
    text = f"{hint.remaining}{of} requests left{reset}"
    if hint.quota and hint.remaining < hint.quota * LOW_BUDGET:
        return [Result(name, "budget", "warn", text, "find out who else uses this account; lower rate_per_second")]
    return [Result(name, "budget", "ok", text)]
