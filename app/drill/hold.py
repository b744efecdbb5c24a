"""After a demo: the product and its peers run on for a while, so that its reader can ask them by the printed commands."""

import asyncio
import contextlib
import os
import sys

HOLD_SECONDS = 600.0


def can_hold() -> bool:
    """Is somebody there who could ask, and end it with a key?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def until_enter(seconds: float = HOLD_SECONDS) -> None:
    """Until Enter, Ctrl-C or the time is over; none of them is an error."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    stdin = sys.stdin.fileno()

    def pressed() -> None:
        os.read(stdin, 4096)
        over.set()

    loop.add_reader(stdin, pressed)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await over.wait()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        task.uncancel()
    finally:
        loop.remove_reader(stdin)
