"""A simulated Clarus with a connector in front of it, and a record of what went over the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.connectors.clarus import ClarusWarehouse
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.contract import GoodsOut, JointRead, Priority
from app.connectors.http import DirectTransport
from app.simulators.base import Fault
from app.simulators.clarus import ClarusSimulator
from app.simulators.contract import FloorSpeed
from schemas.records import Address, ReleaseLine, ReleaseOrder

MANUAL = FloorSpeed(None, None, None)
FAST = FloorSpeed(0.01, 0.01, 0.01)
LONG = 1e9

ADDRESS = Address(
    name="A. Buyer",
    line1="1 High St",
    city="Leeds",
    postcode="LS1 1AA",
    country="GB",
    phone="+441130000000",
    email="buyer@example.com",
    extra="Buyers Ltd",
)


class RecordingTransport(DirectTransport):
    """Keeps every answer that the connector saw, and lets a test act between two requests."""

    def __init__(self) -> None:
        super().__init__("clarus", timeout=5)
        self.answers: list[httpx.Response] = []
        self.before: Callable[[httpx.Request], None] | None = None

    async def request(
        self, method: str, url: str, *, priority: Priority, authorise: bool = True, **options: Any
    ) -> httpx.Response:
        """As `DirectTransport.request`."""
        if self.before is not None:
            self.before(httpx.Request(method, url, json=options.get("json")))
        response = await super().request(method, url, priority=priority, authorise=authorise, **options)
        self.answers.append(response)
        return response


@dataclass
class Clarus:
    """One tenant under test."""

    simulator: ClarusSimulator
    connector: ClarusWarehouse
    transport: RecordingTransport
    settings: ClarusSettings
    numbers: int = field(default=0)

    async def read(self, sku: str) -> JointRead:
        """One SKU."""
        return (await self.connector.read_stock([sku], Priority.SWEEP))[sku]

    async def order(self, *lines: tuple[str, int], **fields: Any) -> GoodsOut:
        """Release an order."""
        return await self.connector.create_order(self.release(*lines, **fields), Priority.RELEASE)

    def release(self, *lines: tuple[str, int], **fields: Any) -> ReleaseOrder:
        """A release with a new reference."""
        self.numbers += 1
        key = f"ct-eu:{self.numbers}"
        given: dict[str, Any] = {
            "warehouse": "MAIN",
            "address": ADDRESS,
            "lines": [ReleaseLine(sku=sku, eaches=eaches) for sku, eaches in lines],
            **fields,
        }
        return ReleaseOrder(
            channel="clarus",
            order_key=key,
            reference=given.pop("reference", key),
            number=f"A{self.numbers}",
            version=1,
            **given,
        )

    async def find(self, order: GoodsOut) -> GoodsOut | None:
        """The order as Clarus has it now."""
        found = (await self.connector.find_orders([order.reference], Priority.RELEASE))[order.reference]
        return next((one for one in found if one.wms_id == order.wms_id), None)

    def sent(self, part: str) -> list[httpx.Request]:
        """What the connector sent to paths, or asked in queries, that hold `part`."""
        return [
            answer.request
            for answer in self.transport.answers
            if part in answer.request.url.path or part in answer.request.content.decode()
        ]


@asynccontextmanager
async def clarus(
    *,
    warehouses: Sequence[str] = ("MAIN", "NORTH"),
    stock: dict[str, int] | None = None,
    settings: dict[str, Any] | None = None,
    bundles: dict[str, dict[str, int]] | None = None,
    **options: Any,
) -> AsyncIterator[Clarus]:
    """A running tenant with `stock` of products in the first warehouse; the floor does nothing by itself unless `options` say otherwise. `bundles` are ordered
    as products of their own unless the `settings` say otherwise."""
    simulator = ClarusSimulator("clarus", 1, warehouses=warehouses, **{"floor": MANUAL, **options})
    await simulator.start()
    transport = RecordingTransport()
    try:
        for sku, quantity in (stock or {}).items():
            simulator.add_product(sku)
            simulator.receive(sku, warehouses[0], quantity)
        for sku, materials in (bundles or {}).items():
            simulator.add_bundle(sku, materials)
        parent = {"bundles": "parent"} if bundles else {}
        given = ClarusSettings.model_validate({**simulator.connection(), **parent, **(settings or {})})
        yield Clarus(simulator, ClarusWarehouse(given, transport, warehouses, lambda: bundles or {}), transport, given)
    finally:
        await transport.close()
        await simulator.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0.01)


def asked(request: httpx.Request) -> dict[str, Any]:
    """The body of a request."""
    body: dict[str, Any] = json.loads(request.content)
    return body


def fault(tenant: Clarus, kind: Any, **fields: Any) -> None:
    """From now on the simulator has this fault."""
    tenant.simulator.faults.add(Fault(kind, LONG, **fields))


def quieten(tenant: Clarus) -> None:
    """It has none any more."""
    tenant.simulator.faults._active.clear()
