"""A worker's delivery in memory: fold, runtime, scripted peers. `until` waits for a condition, never for a time."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from agents.delivery import Delivery, DeliveryTables
from app.connectors.contract import Storefront, Transport, Warehouse
from app.delivery.runtime import Connectors, DeliveryRuntime
from app.engine.murmur import partition_of
from app.settings import Settings, from_mapping
from schemas.codec import Codecs
from schemas.records import Event, Record, StockTarget
from tables.deliveries.listing import ListingRow
from tables.deliveries.peers import PeerKind
from tests.support.engine import MemoryEngine, MemoryRecord, memory_tables
from tests.unit.delivery.peers import ScriptedStorefront, ScriptedWarehouse

Body = TypeVar("Body", bound=Record)

QUICK: dict[str, Any] = {
    "bounds": {"late_max": "300ms", "apply_max": "20ms", "visible_lag": "0ms", "consistency_margin": "0ms"},
    "sweeps": {"orders": "1h", "order_overlap": "1m", "stock": "1h", "listings": "1h", "feed": "1h"},
    "delivery": {"backoff": "10ms", "backoff_max": "40ms", "attempts": 3, "create_unknown": "400ms"},
}


def now_ms() -> int:
    """Wall clock, milliseconds."""
    return time.time_ns() // 1_000_000


def settings_for(skus: int, **settings: Any) -> Settings:
    """Channel `shop` with SKUs `S0` …, listed as `c0` …; quick time bounds."""
    merged = {area: {**QUICK.get(area, {}), **settings.get(area, {})} for area in {*QUICK, *settings}}
    return from_mapping(
        {
            "channels": {"shop": {"system": "bigcommerce"}},
            "warehouses": ["MAIN"],
            "products": [{"sku": f"S{n}", "channels": {"shop": f"c{n}"}} for n in range(skus)],
            "settings": merged,
        }
    )


class Rig:
    """One worker. `storefront` and `warehouse` are the peers; `tell` folds commands."""

    def __init__(self, kind: PeerKind = PeerKind.VERSIONED, skus: int = 1, **settings: Any) -> None:
        self.settings = settings_for(skus, **settings)
        self.catalogue = self.settings.catalogue()
        self.codecs = Codecs()
        self.engine = MemoryEngine(now_ms=now_ms)
        self.tables = memory_tables(DeliveryTables)
        self.storefront = ScriptedStorefront(kind, {f"shop//c{n}": 10 for n in range(skus)}, now_ms)
        self.warehouse = ScriptedWarehouse()
        self.warehouse.balances = {f"S{n}": {"MAIN": 10} for n in range(skus)}
        self.agent = Delivery(self.codecs, self.tables)
        self.runtime = self.start()

    def start(self) -> DeliveryRuntime:
        """A worker on these rows."""

        def storefront(channel: str, transport: Transport) -> Storefront:
            transport.peer_time = lambda: (now_ms(), now_ms())  # type: ignore[method-assign]
            return self.storefront

        def warehouse(transport: Transport) -> Warehouse:
            return self.warehouse

        self.engine.ready.clear()
        self.engine.losing.clear()
        return DeliveryRuntime(
            self.engine,
            self.agent,
            self.catalogue,
            self.settings,
            self.codecs,
            self.tables,
            self.place,
            Connectors(storefront, warehouse),
            rng=random.Random(7),
        )

    def place(self, channel: str) -> int:
        """The channel's partition."""
        return partition_of(channel, self.engine.partitions)

    @asynccontextmanager
    async def running(self, *channels: str) -> Any:
        """Owners at work for the partitions of these channels."""
        for channel in channels or ("shop",):
            self.engine.give(self.place(channel))
        try:
            yield self
        finally:
            await self.runtime.close()

    async def crash(self) -> None:
        """The worker dies where it stands and another one takes over, on the committed rows."""
        await self.runtime.close()
        self.runtime = self.start()

    def tell(self, *bodies: Record, channel: str = "shop") -> None:
        """Commands, folded and committed."""
        codec = self.codecs["channel.commands"]
        records = [
            MemoryRecord(
                b"key", codec.encode(Event(event_id="t", occurred_at=0, received_at=0, source="t", body=body)), n
            )
            for n, body in enumerate(bodies)
        ]
        self.engine.fold(self.agent.fold, self.place(channel), "channel.commands", records)

    def sent(self, kind: type[Body]) -> list[Body]:
        """Bodies of this type that were sent, in order."""
        return list(self._sent(kind))

    def _sent(self, kind: type[Body]) -> Iterator[Body]:
        for record in list(self.engine.sent):
            body = self.codecs[record.topic].decode(record.value).body
            if isinstance(body, kind):
                yield body

    def row(self, table: Any, key: str, channel: str = "shop") -> Any:
        """A committed row."""
        return self.engine.run(self.place(channel), lambda context: context.get(table, key))

    def listing(self, key: str = "shop//c0") -> ListingRow:
        """A listing's committed row."""
        row = self.row(self.tables.listings, key)
        assert isinstance(row, ListingRow)
        return row

    async def adopted(self) -> None:
        """Every listing has its baseline."""
        await until(lambda: all(self._epoch(key) for key in self.catalogue.listings))

    def _epoch(self, key: str) -> int:
        row = self.row(self.tables.listings, key)
        return row.epoch if row is not None else 0

    def target(
        self, version: int, inc: int, dec: int | None = None, key: str = "shop//c0", **fields: Any
    ) -> StockTarget:
        """A stock command in the listing's epoch."""
        return StockTarget(
            channel="shop",
            sku=self.catalogue.listings[key].product,
            listing=key,
            epoch=self.listing(key).epoch,
            version=version,
            inc=inc,
            dec=inc if dec is None else dec,
            to_zero=fields.get("to_zero", False),
            priority=fields.get("priority", 4),
            escrow=fields.get("escrow", False),
        )


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a condition; AssertionError where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.002)
