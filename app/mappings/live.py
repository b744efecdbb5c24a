"""The mappings in force in one worker: read whole before it folds anything, followed while it runs, and put in force between two batches.

Reading and building happen on threads; only the swap itself is on the event loop, where every fold runs too, so no batch sees half a change.
"""

import asyncio
from collections.abc import Callable, Set
from dataclasses import replace
from typing import Any, Final

import structlog
from confluent_kafka import KafkaException

from app import metrics
from app.mappings.force import InForce, changed_products, in_force
from app.mappings.topic import MappingsReader
from app.settings import Settings

log = structlog.get_logger(__name__)

_WAIT_S: Final = 1.0
_SHOWN: Final = 20

Apply = Callable[[InForce, Set[str]], None]
"""Takes what shall be in force, and the products that differ from before."""


class LiveMappings:
    """One worker's. `apply` puts what was built in force; it is called on the event loop."""

    def __init__(self, settings: Settings, reader: Callable[[], MappingsReader], apply: Apply) -> None:
        self._settings, self._make, self._apply = settings, reader, apply
        self._reader: MappingsReader | None = None
        self._now: InForce | None = None

    async def load(self) -> None:
        """Everything that was imported, before the first batch. `Problem` where it cannot be read: nothing may be folded without it."""
        self._reader = await asyncio.to_thread(self._make)
        await asyncio.to_thread(self._reader.catch_up)
        await self._put_in_force(self._reader)

    async def follow(self) -> None:
        """Until cancelled. A broker that is away is waited for: what is in force stays so."""
        reader = self._reader
        assert reader is not None  # noqa: S101 - `load` comes first
        while True:
            try:
                await asyncio.to_thread(reader.follow, _WAIT_S)
            except KafkaException as error:
                log.warning("mappings cannot be followed now", error=str(error))
                await asyncio.sleep(_WAIT_S)
            if self._now is not None and reader.log.version != self._now.version:
                await self._put_in_force(reader)

    async def close(self) -> None:
        """After `follow` was cancelled."""
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)

    def status(self) -> dict[str, Any]:
        """For the status page."""
        now = self._now
        if now is None:
            return {}
        left = [str(fault) for fault in now.left_out]
        return {"version": now.version, "name": now.orders.version, "records": len(now.book), "left_out": left[:_SHOWN]}

    async def _put_in_force(self, reader: MappingsReader) -> None:
        state = reader.log
        found = await asyncio.to_thread(in_force, self._settings, dict(state.entries), state.version)
        before, changed = self._now, frozenset[str]()
        if before is not None:
            found = replace(found, orders=replace(found.orders, actor=state.actor, reason=state.reason))
            changed = await asyncio.to_thread(changed_products, before.catalogue, found.catalogue)
        for fault in found.left_out[:_SHOWN]:
            log.warning("a mapping is left out", record="/".join(fault.key), reason=fault.text)
        for key, reason in list(state.unreadable.items())[:_SHOWN]:
            log.warning("a mapping cannot be read", record="/".join(key), reason=reason)
        self._apply(found, changed)
        self._now = found
        metrics.MAPPINGS_VERSION.set(found.version)
        metrics.MAPPINGS_LEFT_OUT.set(len(found.left_out) + len(state.unreadable))
        log.info("mappings in force", version=found.version, name=found.orders.version, records=len(found.book))
