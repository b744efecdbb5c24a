"""An owner of one channel: what every owner has in common.

It is started when its partition is ready, starts over where it breaks, and ends with the partition (`app.delivery.runtime`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from typing import Protocol

from agents.delivery import Kind
from app.connectors.contract import Finding
from app.connectors.errors import PeerError
from app.delivery.desk import Desk
from app.delivery.gate import doing
from app.delivery.queues import Queues
from app.engine.api import Context


class Owner(Protocol):
    """The owner of one channel in one partition."""

    desk: Desk
    findings: list[Finding]

    def changed(self, kind: Kind, key: str) -> None:
        """A row of the channel changed: look at it."""
        ...

    def backlog(self) -> dict[str, int]:
        """Wanted states not yet confirmed, by kind."""
        ...

    def queues(self) -> list[Queues]:
        """What waits, by kind and priority; sweeps too."""
        ...

    def uncertain(self) -> int:
        """Units that its listings may show beyond those they certainly have."""
        ...

    def unguarded(self) -> int:
        """Listings whose storefront may sell beyond what it shows: a split pool with one of them promises nothing (R9)."""
        ...

    def remapped(self, changed: Set[str]) -> None:
        """Other mappings are in force, and these products differ."""
        ...

    async def run(self) -> None:
        """Load the rows and work until cancelled. Raises `PartitionLost` when the partition has gone."""
        ...

    async def close(self) -> None:
        """Release connector and connections."""
        ...


async def prove(desk: Desk, probe: Callable[[], Awaitable[list[Finding]]], findings: list[Finding]) -> None:
    """Run the start-up checks until nothing blocking is left; `desk.may_write` says so. The last results are kept in `findings`.

    In shadow nobody is told of what stands in the way of writes; when the channel goes live it is looked at again at once.
    """
    entity, failures = f"{desk.channel}/start-check", 0
    while True:
        wait, silent = None, False
        try:
            findings[:] = await doing("probe", probe())
        except PeerError as error:
            remedy = "check address and credentials"
            findings[:] = [Finding("reachable", False, f"{error.request}: {error.detail}", remedy)]
            wait, silent = error.retry_after, failures < desk.settings.delivery.attempts
        if not any(one.check == "reachable" for one in findings):
            await desk.commit(lambda context, _: _note_settings(desk, context, findings))
        blocking = [one for one in findings if not one.ok and one.blocking]
        if not blocking:
            await desk.commit(lambda context, emit: desk.resolve_trouble(context, emit, "delivery_failed", entity))
            desk.allow_writes()
            return
        failures += 1
        if not silent and not desk.shadow:
            await _complain(desk, entity, blocking)
        desk.mode_changed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(desk.mode_changed.wait(), desk.backoff(failures, wait) / 1000)


def _note_settings(desk: Desk, context: Context, findings: list[Finding]) -> None:
    """Keep what the peer's settings are that the rules would have otherwise, and what was put right."""
    for one in findings:
        if one.ok:
            desk.difference_is_over(context, "setting", one.check)
        else:
            remedy = f" ({one.remedy})" if one.remedy else ""
            desk.saw_difference(context, "setting", one.check, f"{one.detail}{remedy}")


async def _complain(desk: Desk, entity: str, blocking: list[Finding]) -> None:
    detail = "; ".join(f"{one.check}: {one.detail}{f' ({one.remedy})' if one.remedy else ''}" for one in blocking)
    desk.log.warning("start_check_failed", findings=detail)
    text = f"nothing is written until the start check agrees: {detail}"
    await desk.commit(lambda context, emit: desk.open_trouble(context, emit, "delivery_failed", entity, text))
