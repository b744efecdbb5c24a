"""The bundled broker for tests, its own port; and waiting for what comes about by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.broker import BundledBroker, available


@contextmanager
def bundled_broker() -> Iterator[tuple[str, int]]:
    """A running broker: its address and its process id. Skips where the platform has none."""
    if not available():
        pytest.skip("the bundled broker has no program for this platform")
    with BundledBroker() as running:
        yield running.bootstrap, running.pid


def eventually(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until it holds; an assertion that names it where it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
