"""The catalogue audit: reads every peer's catalogue, compares, and says what differs as exceptions. It reads at peers and writes commands, nothing else."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.connectors import CLARUS
from app.connectors.catalogue import CatalogueItem, CatalogueReader, storefront_catalogue, warehouse_catalogue
from app.connectors.contract import Priority
from app.connectors.errors import PeerError
from app.doctor.peers import LookingTransport
from app.errors import Problem
from app.exceptions.reader import Wanted, read
from app.operations import send_all
from app.settings import Settings
from schemas.records import ExceptionState, OperatorCommand
from tables.catalogue import Catalogue
from tables.mappings import audit as rules
from tables.mappings.audit import Difference

TYPE: Final = "catalogue_mismatch"
MOST_REQUESTS: Final = 20_000
PER_SECOND: Final = 20.0

Items = Mapping[str, CatalogueItem]
Read = Callable[[Settings, str], Items]


@dataclass(slots=True)
class Audit:
    """`read`: items by peer; `failed`: peers that could not be read, with the reason; `unmapped`: SKUs by channel that no mapping names."""

    differences: list[Difference] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unmapped: dict[str, list[str]] = field(default_factory=dict)
    opened: int = 0
    resolved: int = 0


def read_peer(settings: Settings, name: str) -> Items:
    """A peer's whole catalogue, at most at a quarter of its rate. PeerError where it cannot be read."""
    chosen = settings.clarus if name == CLARUS else settings.channels[name]

    async def run() -> Items:
        per_second = max(0.5, min(PER_SECOND, chosen.rate_per_second / 4))
        timeout = settings.settings.delivery.timeout / 1000
        transport = LookingTransport(name, timeout, per_second, who="audit", most=MOST_REQUESTS)
        try:
            reader: CatalogueReader = (
                warehouse_catalogue(settings, transport)
                if name == CLARUS
                else storefront_catalogue(name, settings.channels[name], transport)
            )
            return {item.sku: item async for page in reader.items(Priority.SWEEP) for item in page}
        finally:
            await transport.close()

    return asyncio.run(run())


def compare(settings: Settings, catalogue: Catalogue, channels: Sequence[str], read_items: Read = read_peer) -> Audit:
    """Read and compare. A peer that cannot be read is named and judged by nothing; without the warehouse there is nothing to compare with: `Problem`."""
    found = Audit()
    try:
        warehouse = read_items(settings, CLARUS)
    except PeerError as error:
        raise Problem(f"{CLARUS}: {error.request}: {error.detail}; clarus-stream doctor looks at it closer") from error
    found.read[CLARUS] = len(warehouse)
    found.differences += rules.unknown(catalogue, CLARUS, warehouse)
    for channel in channels:
        try:
            items = read_items(settings, channel)
        except PeerError as error:
            found.failed[channel] = f"{error.request}: {error.detail}"
            continue
        found.read[channel] = len(items)
        found.differences += rules.differences(catalogue, channel, warehouse, items)
        found.unmapped[channel] = rules.unmapped(catalogue, channel, items)
    return found


def tell(settings: Settings, found: Audit, actor: str) -> None:
    """Open an exception for each listing or product that differs, or give it its new text; resolve those of peers that were read and differ no more."""
    known = read(settings, Wanted(type=TYPE)).states
    wanted: dict[str, tuple[str, list[str]]] = {}
    for one in found.differences:
        wanted.setdefault(f"{TYPE}:{one.entity}", (one.channel, []))[1].append(one.text)
    commands = []
    for name, (channel, texts) in wanted.items():
        text = "; ".join(texts)
        if name not in known or known[name].detail != text:
            found.opened += name not in known
            commands.append(_command("differs", name, channel, actor, text))
    for name, state in known.items():
        channel = state.holder.removeprefix("channel/")
        if name not in wanted and _was_read(found, state, channel):
            found.resolved += 1
            commands.append(_command("agrees", name, channel, actor, "the audit found no difference"))
    send_all(settings, commands)


def _was_read(found: Audit, one: ExceptionState, channel: str) -> bool:
    return channel in found.read and one.holder.startswith("channel/")


def _command(action: str, name: str, channel: str, actor: str, text: str) -> OperatorCommand:
    return OperatorCommand(action=action, target=name, actor=actor, reason=text, holder=f"channel/{channel}")
