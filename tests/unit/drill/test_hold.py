"""A product that is held after a demo ends by Enter, by Ctrl-C or by time, and none of these is an error."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator

import pytest

from app.drill.hold import can_hold, until_enter


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


async def test_enter_ends_it(keyboard: int) -> None:
    held = asyncio.create_task(until_enter(10))
    await asyncio.sleep(0.05)
    assert not held.done()
    os.write(keyboard, b"\n")
    await asyncio.wait_for(held, 2)


async def test_it_ends_by_itself(keyboard: int) -> None:
    began = time.monotonic()
    await until_enter(0.05)
    assert time.monotonic() - began < 2


async def test_a_cancelled_hold_lets_the_drill_end_as_it_would(keyboard: int) -> None:
    async def drill() -> str:
        await until_enter(10)
        await asyncio.sleep(0)
        return "outcome"

    work = asyncio.create_task(drill())
    await asyncio.sleep(0.05)
    work.cancel()
    assert await work == "outcome"


def test_nobody_is_waited_for_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not can_hold()
