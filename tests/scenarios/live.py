"""The product on the bundled broker with simulated peers, for a test that plays with it, and the command line that is asked beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import broker
from app.broker import BundledBroker
from app.cli import cli
from app.drill.peers import Peers
from app.drill.product import Product
from app.drill.read import parse_drill
from app.drill.simulators import RealPeers

MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(not broker.available(), reason="the bundled broker has no program for this platform"),
]


@asynccontextmanager
async def live(
    text: str, name: str, systems: RealPeers | None = None, prepare: Callable[[Peers], None] = lambda _: None
) -> AsyncIterator[tuple[Peers, Product]]:
    """The peers of a scenario file and its product, at work; `prepare` is done to the peers before the product sees them."""
    drill = parse_drill(text, name)
    running = BundledBroker()
    await asyncio.to_thread(running.start)
    peers = Peers(drill.file, systems or RealPeers())
    product = Product(peers, drill.raw, running, foreign=False, tell=lambda _: None)
    try:
        await peers.start()
        prepare(peers)
        await product.start()
        yield peers, product
    finally:
        await product.stop()
        await peers.stop()
        await asyncio.to_thread(running.stop)


def ask(config: Path, *words: str) -> Result:
    """What the command line does with these words."""
    return CliRunner().invoke(cli, [*words, "--config", str(config)])


async def until(condition: Callable[[], object], seconds: float = 40) -> None:
    """Wait until it holds, asked beside the event loop."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.3)
